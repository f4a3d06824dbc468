"""Energy: the energy metric."""

import itertools

import numpy as np
import oracles
import pytest
from cases import (
    END,
    LINE,
    SPACE,
)
from metrics_common import places, vectors

import geomnet as gn

# -- the energy metric ------------------------------------------------------------------------


def field_of_many_features():
    return gn.networks.RandomFeatureField(dim=2, width=40, scale=0.9, seed=5)


def test_energy_is_the_least_effort_of_the_field():
    # of all parameters θ of the field that move the points with velocity v, the least |θ|²
    field, x, v = field_of_many_features(), places(), vectors()
    units = np.eye(field.n_parameters)
    moves = np.array([field(x, unit).ravel() for unit in units]).T
    least = np.linalg.lstsq(moves, v.ravel(), rcond=None)[0]
    np.testing.assert_allclose(field(x, least), v, atol=1e-10)
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(field))
    assert metric.squared_norm(v, x) == pytest.approx(least @ least, rel=1e-9)


def bend(x):
    """A diffeomorphism of the plane, and its Jacobian determinant."""
    u, v = x[..., 0], x[..., 1]
    return np.stack([u + 0.4 * np.sin(v), v * np.exp(0.3 * v**2)], axis=-1), np.exp(0.3 * v**2) * (
        1 + 0.6 * v**2
    )


def sample_and_its_image():
    """A sample weighted by the area each point stands for, and its image by `bend`."""
    points = places(seed=8)
    areas = np.array([0.05, 0.1, 0.2, 0.25, 0.4])
    image, factor = bend(points)
    grown = areas * factor
    return [
        gn.FunctionSpace(gn.Sample(points, areas)),
        gn.FunctionSpace(gn.Sample(image, grown / grown.sum())),
    ]


def path_of_maps(n_steps=16):
    t = np.linspace(0, 1, n_steps + 1)[:, None, None]
    x = places(seed=8)
    return x + 0.5 * t * np.sin(x[:, ::-1] + t)


@pytest.mark.parametrize(
    "kernel",
    [
        gn.GaussianKernel(0.8),
        gn.Matern32Kernel(1.3),
        gn.geometry.Matern52Kernel(0.9),
        gn.geometry.FeatureKernel(field_of_many_features()),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_energy_of_fixed_width_is_right_invariant(kernel):
    # φ_t∘ψ⁻¹ takes ψ(x_i) where φ_t takes x_i: the same arrays, in another space
    here, there = (gn.EnergyMetric(space, kernel) for space in sample_and_its_image())
    curve = gn.Curve(path_of_maps())
    assert curve.length(there) == pytest.approx(curve.length(here), rel=1e-12)
    ends = curve.start, curve.end
    assert there.dist(*ends) == pytest.approx(float(here.dist(*ends)), rel=1e-9)


@pytest.mark.parametrize(
    "metric", [gn.L2Metric, gn.EnergyMetric], ids=["weighted_l2", "width_of_the_sample"]
)
def test_what_depends_on_the_sample_is_not_right_invariant(metric):
    here, there = (metric(space) for space in sample_and_its_image())
    curve = gn.Curve(path_of_maps())
    assert abs(curve.length(there) / curve.length(here) - 1) > 0.01


def test_energy_does_not_ask_for_weights():
    heavy = gn.FunctionSpace(gn.Sample(SPACE.identity, [0.6, 0.1, 0.1, 0.1, 0.1]))
    even = gn.FunctionSpace(SPACE.identity)
    x, v = places(), vectors()
    squares = [gn.EnergyMetric(s, gn.GaussianKernel(1.0)).squared_norm(v, x) for s in (heavy, even)]
    assert squares[0] == squares[1]


def test_the_default_kernel_is_matern_at_the_median_distance():
    pairs = [np.linalg.norm(a - b) for a, b in itertools.combinations(SPACE.identity, 2)]
    assert gn.EnergyMetric(SPACE).kernel == gn.Matern32Kernel(np.median(pairs))


@pytest.mark.parametrize("nugget", [0.0, 0.05])
def test_a_nugget_is_added_to_the_diagonal(nugget):
    metric = gn.EnergyMetric(SPACE, gn.GaussianKernel(1.0), nugget=nugget)
    x = places()
    expected = oracles.kernel_matrix(metric.kernel, x, x) + nugget * np.eye(5)
    np.testing.assert_allclose(metric.gram(x), expected, atol=1e-15)


def nearly_equal(gap):
    return gn.FunctionSpace([[-gap / 2], [gap / 2]])


def uses(metric, x):
    """Every way to meet the inverse of the kernel matrix at x."""
    v = np.ones_like(x)
    return {
        "inner_product": lambda: metric.inner_product(v, v, x),
        "norm": lambda: metric.norm(v, x),
        "flat": lambda: metric.flat(v, x),
        "quadratic_gradient": lambda: metric.quadratic_gradient(v, x),
        "squared_step": lambda: metric.squared_step(x[None], x[None] + 0),
        "exp": lambda: metric.exp(v, x),
        "dist": lambda: metric.dist(x, x + np.array([[0.0], [1.0]])),
    }


@pytest.mark.parametrize("use", uses(None, np.zeros((2, 1))))
@pytest.mark.parametrize("gap", [0.0, 1e-7])
def test_an_ill_conditioned_kernel_matrix_is_refused(gap, use):
    # two points at distance r: eigenvalues 1 ± k(r), so the condition is about 4/r²
    space = nearly_equal(gap)
    metric = gn.EnergyMetric(space, gn.GaussianKernel(1.0))
    with pytest.raises(gn.errors.SingularKernelError, match="condition") as caught:
        uses(metric, space.identity)[use]()
    for mend in ("matern32", "smaller width", "nugget"):
        assert mend in str(caught.value)
    assert caught.value.condition > 1e12
    if gap:
        assert caught.value.condition == pytest.approx(4 / gap**2, rel=0.5)
        assert f"{caught.value.condition:.1e}" in str(caught.value)


def test_the_mends_of_an_ill_conditioned_kernel_matrix_mend_it():
    space = nearly_equal(1e-7)
    v = np.ones((2, 1))
    for metric in (
        gn.EnergyMetric(space, gn.GaussianKernel(1e-3)),
        gn.EnergyMetric(space, gn.GaussianKernel(1.0), nugget=1e-3),
        gn.EnergyMetric(nearly_equal(1e-5), gn.GaussianKernel(1.0)),
    ):
        # both points move as one, along the eigenvector of 1 + k
        top = metric.gram(metric.space.identity).sum(axis=1)[0]
        assert metric.squared_norm(v, metric.space.identity) == pytest.approx(2 / top, rel=1e-3)


@pytest.mark.parametrize("which", ["start", "end"])
def test_equal_points_are_refused_as_ends(which):
    metric = gn.EnergyMetric(SPACE, gn.Matern32Kernel(1.0))
    ends = {"start": SPACE.identity.copy(), "end": END.copy()}
    ends[which][3] = ends[which][1]
    with pytest.raises(
        gn.errors.SingularKernelError, match=rf"^{which}: two of its points are equal"
    ):
        gn.geodesic(metric, **ends)


def test_points_pass_each_other_in_the_plane_but_not_on_the_line():
    crossed = [[1.0], [-1.0]]
    metric = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))
    for ends in ((LINE.identity, crossed), (crossed, LINE.identity)):
        with pytest.raises(gn.errors.DomainError, match=r"^end: .*order"):
            gn.geodesic(metric, *ends)
    plane = gn.FunctionSpace([[-1.0, 0.0], [1.0, 0.0]])
    metric, swapped = gn.EnergyMetric(plane, gn.GaussianKernel(1.0)), plane.identity[::-1]
    with pytest.raises(gn.ConvergenceError, match=r"n_steps|initial_path") as caught:
        gn.geodesic(metric, plane.identity, swapped, n_steps=32)
    assert not caught.value.result.certificate.locally_shortest
    angles = np.linspace(0, np.pi, 9)[:, None]
    half_turn = np.concatenate([-np.cos(angles), -np.sin(angles)], axis=1)
    around = np.stack([half_turn, -half_turn], axis=1)
    around[-1] = swapped
    geo = gn.geodesic(metric, plane.identity, swapped, n_steps=32, initial_path=around)
    assert geo.certificate.locally_shortest
    assert np.linalg.norm(geo.path[:, 0] - geo.path[:, 1], axis=-1).min() > 1


def test_sums_ask_every_term_about_the_ends():
    energy = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))
    for metric in (3.0 * energy, gn.L2Metric(LINE) + energy, energy + gn.L2Metric(LINE)):
        with pytest.raises(gn.errors.DomainError, match=r"^end: .*order"):
            gn.geodesic(metric, LINE.identity, [[1.0], [-1.0]])
        with pytest.raises(
            gn.errors.SingularKernelError, match=r"^end: two of its points are equal"
        ):
            gn.geodesic(metric, LINE.identity, [[1.0], [1.0]])


def test_a_nugget_lets_points_pass_on_the_line():
    metric = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0), nugget=0.5)
    geo = gn.geodesic(metric, LINE.identity, [[1.0], [-1.0]], n_steps=16)
    # the gap x moves in the metric dx²/2(1 + ν − k(x))
    expected = oracles.line_length(lambda x: (2 * (1.5 - np.exp(-(x**2) / 2))) ** -0.5, -2, 2)
    assert geo.distance == pytest.approx(expected, abs=geo.error_estimate)


def few_features():
    return gn.networks.RandomFeatureField(dim=2, width=3, scale=1.0, seed=2)


def test_velocities_out_of_reach_of_few_features_have_infinite_norm():
    field, x = few_features(), places()
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(field))
    theta = np.random.default_rng(4).normal(size=(2, field.n_parameters))
    u, v = (field(x, t) for t in theta)
    # Ψ has full column rank, so the parameters of a velocity are its own
    features = field.features(x)
    assert np.linalg.matrix_rank(features) == 3
    assert metric.squared_norm(u, x) == pytest.approx(theta[0] @ theta[0], rel=1e-9)
    assert metric.inner_product(u, v, x) == pytest.approx(theta[0] @ theta[1], rel=1e-9)
    off = u + vectors()
    assert metric.squared_norm(off, x) == np.inf
    assert metric.inner_product(u, off, x) == np.inf
    stack = metric.squared_norm(np.stack([u, off, v]), x)
    assert np.isinf(stack).tolist() == [False, True, False]


@pytest.mark.parametrize("use", ["flat", "quadratic_gradient", "exp", "dist", "log", "geodesic"])
def test_few_features_make_no_geodesics(use):
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(few_features()))
    calls = {
        "flat": lambda: metric.flat(vectors(), places()),
        "quadratic_gradient": lambda: metric.quadratic_gradient(vectors(), places()),
        "exp": lambda: metric.exp(vectors(), places()),
        "dist": lambda: metric.dist(SPACE.identity, END),
        "log": lambda: metric.log(END, SPACE.identity),
        "geodesic": lambda: gn.geodesic(metric, SPACE.identity, END),
    }
    with pytest.raises(
        gn.errors.SingularKernelError, match=r"3 features for 5 points.*sub-Riemannian"
    ):
        calls[use]()


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"kernel": "gaussian"}, "kernel"),
        ({"kernel": gn.GaussianKernel}, "kernel"),
        ({"nugget": -1e-3}, "nugget"),
        ({"nugget": np.nan}, "nugget"),
        ({"nugget": "small"}, "nugget"),
    ],
)
def test_bad_options_of_the_energy_metric_are_refused(options, argument):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.EnergyMetric(SPACE, **options)
