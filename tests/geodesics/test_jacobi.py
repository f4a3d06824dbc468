"""Jacobi fields and conjugate points: closed forms, and laws against rays nearby."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import END, ENERGY_METRICS, METRICS, SPACE
from chart_cases import half_plane, lift, paraboloid, positive_definite, sphere

import geomnet as gn
from geomnet.geodesics.initial_value import conjugate

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)


def unit(metric, x, v):
    return v / metric.norm(v, x)


def across(metric, x, v, w):
    """The part of w orthogonal to v, of unit length."""
    w = w - metric.inner_product(v, w, x) / metric.inner_product(v, v, x) * v
    return unit(metric, x, w)


# -- fields in closed form --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "solution"),
    [(sphere(3), (np.cos, np.sin)), (half_plane(), (np.cosh, np.sinh))],
    ids=["sphere", "half_plane"],
)
def test_fields_of_constant_curvature(metric, solution):
    rng = np.random.default_rng(0)
    d = metric.space.dim
    x = 0.3 * rng.normal(size=d) + np.r_[np.zeros(d - 1), 1.0]
    v = unit(metric, x, rng.normal(size=d))
    w = across(metric, x, v, rng.normal(size=d))
    fields = gn.jacobi_fields(metric, x, v, np.stack([w, 0 * w, w]), [0 * w, w, 0.5 * w], 1.7)
    even, odd = solution
    sign = -1 if even is np.cos else 1
    for t in (0.0, 0.4, 1.7):
        base, found, slope = fields.base(t), fields(t), fields.derivative(t)
        amounts = even(t), odd(t), even(t) + 0.5 * odd(t)
        slopes = sign * odd(t), even(t), sign * odd(t) + 0.5 * even(t)
        np.testing.assert_allclose(metric.norm(found, base), np.abs(amounts), atol=1e-8)
        np.testing.assert_allclose(metric.norm(slope, base), np.abs(slopes), atol=1e-7)
        # J = f E and DJ/dt = f' E with the same E
        products = metric.inner_product(found, slope, base)
        np.testing.assert_allclose(products, np.multiply(amounts, slopes), atol=1e-7)


@each_metric
def test_a_field_is_the_difference_of_rays(metric):
    velocity = 0.6 * (END - START)
    rng = np.random.default_rng(1)
    dx, dv = 0.1 * rng.normal(size=(2, *START.shape))
    # coordinates' derivative of the velocity: the covariant one less Γ(v, dx)
    ready = gn.jacobi_fields(metric, START, velocity, initial=dx)
    bent = ready.coordinate_derivative(0.0)
    fields = gn.jacobi_fields(metric, START, velocity, initial=dx, initial_derivative=dv)
    np.testing.assert_allclose(fields(0.0), dx, atol=1e-12)
    np.testing.assert_allclose(fields.derivative(0.0), dv, atol=1e-8)
    np.testing.assert_allclose(fields.coordinate_derivative(0.0), dv + bent, atol=1e-8)
    size = 1e-2

    def end(s):
        return metric.exp(velocity + s * (dv + bent), START + s * dx)

    expected = oracles.central_difference(end, 0.0, 1.0, step=size)
    np.testing.assert_allclose(fields(1.0), expected, atol=1e-5 * max(1, np.abs(expected).max()))


@each_metric
def test_the_wronskian_is_conserved(metric):
    # ⟨J, DK⟩ − ⟨DJ, K⟩, and ⟨J, γ'⟩ is linear in t
    rng = np.random.default_rng(2)
    start, slope = rng.normal(size=(2, 2, *START.shape))
    velocity = 0.6 * (END - START)
    fields = gn.jacobi_fields(metric, START, velocity, start, slope)
    ray = gn.ray(metric, START, velocity)

    def wronskian(t):
        (j, k), (dj, dk), x = fields(t), fields.derivative(t), fields.base(t)
        return metric.inner_product(j, dk, x) - metric.inner_product(dj, k, x)

    def along(t):
        return metric.inner_product(fields(t)[0], ray.velocity(t), ray(t))

    assert wronskian(1.0) == pytest.approx(wronskian(0.0), rel=1e-6)
    middle = 0.5 * (along(0.0) + along(1.0))
    assert along(0.5) == pytest.approx(middle, rel=1e-6, abs=1e-6 * abs(along(0.0)))


def test_the_covariant_derivative_is_that_of_the_connection():
    # the velocity field of the geodesic is parallel, and t times it has the velocity as derivative
    metric, x, v = half_plane(), np.array([0.2, 1.3]), np.array([1.0, -0.4])
    fields = gn.jacobi_fields(metric, x, v, np.stack([v, 0 * v]), np.stack([0 * v, v]))
    ray = gn.ray(metric, x, v)
    for t in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(fields(t), [ray.velocity(t), t * ray.velocity(t)], atol=1e-8)
        np.testing.assert_allclose(fields.derivative(t), [0 * v, ray.velocity(t)], atol=1e-8)


def test_shapes():
    metric, x, v = sphere(3), [0.1, 0.2, 0.3], [1.0, 0.0, 0.5]
    one = gn.jacobi_fields(metric, x, v, initial_derivative=[0.0, 1.0, 0.0])
    many = gn.jacobi_fields(metric, x, v, initial_derivative=np.eye(3)[:2])
    assert one(0.5).shape == one.derivative(0.5).shape == one.base(0.5).shape == (3,)
    assert one([0.1, 0.2]).shape == one.base([0.1, 0.2]).shape == (2, 3)
    assert many(0.5).shape == many.coordinate_derivative(0.5).shape == (2, 3)
    assert many([0.1, 0.2, 0.3]).shape == many.derivative([0.1, 0.2, 0.3]).shape == (3, 2, 3)
    np.testing.assert_allclose(many(0.5)[1], one(0.5), atol=1e-9)


# -- conjugate points -------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_conjugate_points_of_spheres(dim):
    metric = sphere(dim)
    rng = np.random.default_rng(dim)
    x = 0.3 * rng.normal(size=dim)
    v = unit(metric, x, rng.normal(size=dim))
    found = gn.conjugate_points(gn.ray(metric, x, v, until=7.0))
    assert [c.multiplicity for c in found] == [dim - 1, dim - 1]
    np.testing.assert_allclose([c.time for c in found], [np.pi, 2 * np.pi], atol=1e-8)
    np.testing.assert_allclose(lift(found[0].point), -lift(x), atol=1e-7)
    np.testing.assert_allclose(found[1].point, x, atol=1e-7)
    faster = gn.conjugate_points(gn.ray(metric, x, 3 * v))
    assert faster == [] or faster[0].time > 1
    faster = gn.conjugate_points(gn.ray(metric, x, 3 * v, until=1.3))
    assert [c.time for c in faster] == [pytest.approx(np.pi / 3, abs=1e-8)]


def test_radii_of_a_product_of_spheres():
    # geodesics of S²(1) × S²(2): conjugate where either factor's is, by its own share of speed
    def metric_matrix(x):
        ones = anp.ones(2)
        first = 4 / (1 + anp.sum(x[..., :2] ** 2, axis=-1)) ** 2
        second = 16 / (1 + anp.sum(x[..., 2:] ** 2, axis=-1)) ** 2
        weights = anp.concatenate([first[..., None] * ones, second[..., None] * ones], axis=-1)
        return weights[..., None] * anp.eye(4)

    metric = gn.ChartMetric(metric_matrix, 4)
    x = np.array([1.0, 0.0, 1.0, 0.0])
    # speed s turns the first by s, the second, of radius 2, by s/2
    ray = gn.ray(metric, x, [0.0, 0.8, 0.0, 0.5], until=7.0)
    found = gn.conjugate_points(ray)
    expected = [(np.pi / 0.8, 1), (np.pi / 0.5, 1)]
    assert [c.multiplicity for c in found] == [m for _, m in expected]
    np.testing.assert_allclose([c.time for c in found], [t for t, _ in expected], atol=1e-8)
    both = gn.conjugate_points(gn.ray(metric, x, [0.0, 0.8, 0.0, 0.8], until=4.5))
    assert [(c.multiplicity, round(c.time * 0.8 / np.pi, 8)) for c in both] == [(2, 1.0)]


@pytest.mark.parametrize(
    ("metric", "point", "velocity"),
    [
        (half_plane(), [0.0, 1.0], [3.0, 1.0]),
        (positive_definite(), [1.0, 0.2, 0.5], [0.5, -1.0, 1.5]),
    ],
    ids=["half_plane", "spd"],
)
def test_no_conjugate_points_without_positive_curvature(metric, point, velocity):
    assert gn.conjugate_points(gn.ray(metric, point, velocity, until=1.5)) == []


def test_conjugate_points_are_where_the_scalar_equation_vanishes():
    # a surface: f'' + K f = 0 with the curvature 4/(1 + 4r²)² of z = x² + y²
    metric, x = paraboloid(), np.array([-2.0, 0.1])
    ray = gn.ray(metric, x, unit(metric, x, np.array([10.0, -0.3])), until=12.0)
    (found,) = gn.conjugate_points(ray)
    expected = oracles.first_zero(lambda t: 4 / (1 + 4 * np.sum(ray(t) ** 2)) ** 2, 12.0)
    assert found.time == pytest.approx(expected, abs=1e-8)
    assert found.multiplicity == 1
    np.testing.assert_allclose(found.point, ray(expected), atol=1e-7)


def test_geodesics_have_conjugate_points():
    start, end = np.eye(3)[0], -np.eye(3)[0]
    (found,) = gn.conjugate_points(gn.geodesic(sphere(3), start, end))
    assert (found.time, found.multiplicity) == (1.0, 2)
    np.testing.assert_allclose(found.point, end, atol=1e-7)
    assert gn.conjugate_points(gn.geodesic(sphere(3), start, [0.0, 0.9, 0.1])) == []
    metric = ENERGY_METRICS[0].values[0]
    assert gn.conjugate_points(gn.geodesic(metric, START, END)) == []
    assert gn.conjugate_points(gn.geodesic(metric, START, START)) == []


def test_the_index_of_a_path_is_its_conjugate_points():
    # Morse's theorem: the second variation of the discrete path counts them too
    metric = sphere(4)
    x = np.array([0.8, 0.1, 0.0, 0.0])
    v = unit(metric, x, np.array([0.0, 1.0, 0.3, 0.0]))
    for until in (2.0, 4.0):
        ray = gn.ray(metric, x, v, until)
        path = ray(np.linspace(0, until, 65))
        inertia = gn.PathNewton().inertia(gn.geometry.PathEnergy(metric).linearise(path))
        count = sum(c.multiplicity for c in gn.conjugate_points(ray))
        assert count == inertia.index == (3 if until > np.pi else 0)


def test_repr():
    ray = gn.ray(sphere(), [1.0, 0.0], [0.0, 1.0], until=4.0)
    (found,) = gn.conjugate_points(ray)
    assert repr(found).startswith("ConjugatePoint(time=3.14159265")
    assert "multiplicity=1" in repr(found)


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["point", "velocity", "initial", "initial_derivative"])
@pytest.mark.parametrize("bad", [np.zeros(3), [np.nan, 0.0], "far"], ids=repr)
def test_bad_arrays_are_named(name, bad):
    arrays = {"point": [0.1, 0.2], "velocity": [1.0, 0.0], "initial": [0.0, 1.0], name: bad}
    with pytest.raises(gn.InputError, match=rf"^{name}: "):
        gn.jacobi_fields(sphere(), **arrays)


def test_no_field_at_all():
    with pytest.raises(gn.InputError, match=r"^initial: .*initial_derivative"):
        gn.jacobi_fields(sphere(), [0.1, 0.2], [1.0, 0.0])
    with pytest.raises(gn.InputError, match=r"^initial_derivative: 3 fields, but initial has 2"):
        gn.jacobi_fields(sphere(), [0.1, 0.2], [1.0, 0.0], np.eye(2), np.ones((3, 2)))


def test_fields_along_a_way_out():
    with pytest.raises(gn.errors.DomainError, match=r"^velocity: .* t = 1\.5708 of 3"):
        gn.jacobi_fields(sphere(), [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], until=3.0)


@pytest.mark.parametrize("t", [-0.1, 1.01, np.nan, [[0.5]]], ids=repr)
def test_times_outside_are_named(t):
    fields = gn.jacobi_fields(sphere(), [0.1, 0.2], [1.0, 0.0], [0.0, 1.0])
    for function in (fields, fields.derivative, fields.coordinate_derivative, fields.base):
        with pytest.raises(gn.InputError, match=r"^t: "):
            function(t)


def test_what_has_no_conjugate_points(monkeypatch, tmp_path):
    with pytest.raises(gn.InputError, match=r"^along: .*list"):
        gn.conjugate_points([])
    batch = gn.ray(sphere(), [1.0, 0.0], [[0.0, 1.0], [0.0, 2.0]])
    with pytest.raises(gn.InputError, match=r"^along: a batch"):
        gn.conjugate_points(batch)
    gn.geodesic(sphere(), [1.0, 0.0], [0.0, 1.0]).save(tmp_path / "geo.npz")
    with pytest.raises(gn.InputError, match=r"^along: a loaded geodesic"):
        gn.conjugate_points(gn.geodesics.Geodesic.load(tmp_path / "geo.npz"))
    monkeypatch.setattr(conjugate, "DENSE", 9)
    with pytest.raises(gn.InputError, match=r"^metric: .*10 coordinates"):
        gn.conjugate_points(gn.ray(gn.L2Metric(SPACE), START, END))
