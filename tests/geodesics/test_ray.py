"""Rays: closed forms, conserved quantities, batches, dense output, ways out of the chart."""

import pickle
from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import END, ENERGY_METRICS, METRICS, SPACE
from chart_cases import half_plane, lift, sphere

import geomnet as gn

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)


def push(x, v):
    """Image of a vector under the lift."""
    return oracles.central_difference(lift, x, v, step=1e-3)


# -- closed forms -----------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_rays_of_the_sphere_are_great_circles(dim):
    rng = np.random.default_rng(dim)
    x, v = rng.normal(size=dim), rng.normal(size=dim)
    ray = gn.ray(sphere(dim), x, v, until=1.7)
    t = np.linspace(0, 1.7, 23)
    a, b, speed = lift(x), push(x, v), ray.speed
    assert speed == pytest.approx(np.linalg.norm(b), rel=1e-9)
    expected = np.outer(np.cos(speed * t), a) + np.outer(np.sin(speed * t), b / speed)
    np.testing.assert_allclose(lift(ray(t)), expected, atol=1e-8)
    assert ray.length == pytest.approx(1.7 * speed)


@pytest.mark.parametrize(("velocity", "until"), [([0.0, -1.5], 2.0), ([3.0, 0.4], 1.0)])
def test_rays_of_the_half_plane(velocity, until):
    ray = gn.ray(half_plane(), [0.2, 1.3], velocity, until)
    t = np.linspace(0, until, 9)
    x, y = ray(t).T
    if velocity[0] == 0:
        np.testing.assert_allclose(x, 0.2, atol=1e-12)
        np.testing.assert_allclose(y, 1.3 * np.exp(velocity[1] / 1.3 * t), rtol=1e-8)
    else:  # a circle about a point of the boundary, run over at unit hyperbolic speed
        centre = 0.2 + 1.3 * velocity[1] / velocity[0]
        radius = np.hypot(0.2 - centre, 1.3)
        np.testing.assert_allclose(np.hypot(x - centre, y), radius, rtol=1e-9)
        way = np.arccosh(1 + ((x - 0.2) ** 2 + (y - 1.3) ** 2) / (2 * 1.3 * y))
        np.testing.assert_allclose(way, np.hypot(*velocity) / 1.3 * t, atol=1e-8)


def test_rays_of_positive_definite_matrices():
    # A(t) = exp(tV) from the identity
    def matrices(x):
        a, b, c = x[..., 0], x[..., 1], x[..., 2]
        return anp.stack([anp.stack([a, b], -1), anp.stack([b, c], -1)], -2)

    basis = matrices(np.eye(3))

    def metric_matrix(x):
        inverse = anp.linalg.inv(matrices(x))
        moved = anp.matmul(inverse[..., None, :, :], basis)
        return anp.einsum("...iab,...jba->...ij", moved, moved)

    v = np.array([0.7, -0.4, 0.2])
    end = gn.ray(gn.ChartMetric(metric_matrix, 3), [1.0, 0.0, 1.0], v, until=1.5).end
    values, vectors = np.linalg.eigh(matrices(v))
    expected = vectors @ np.diag(np.exp(1.5 * values)) @ vectors.T
    np.testing.assert_allclose(matrices(end), expected, rtol=1e-8)


@each_metric
def test_a_ray_solves_hamiltons_equations(metric):
    velocity = 0.6 * (END - START)
    ray = gn.ray(metric, START, velocity)
    fine = gn.geodesics.hamiltonian_flow(metric, START, metric.flat(velocity, START), 256)
    scale = np.abs(fine[1]).max()
    for points, momenta, t in ((fine[0][k], fine[1][k], k / 256) for k in (0, 97, 256)):
        np.testing.assert_allclose(ray(t), points, atol=1e-8)
        np.testing.assert_allclose(ray.momentum(t), momenta, atol=1e-8 * scale)


# -- laws -------------------------------------------------------------------------------------


@each_metric
def test_energy_is_conserved_and_speed_is_that_of_the_start(metric):
    velocity = 0.6 * (END - START)
    ray = gn.ray(metric, START, velocity)
    assert ray.energy_drift <= 1e-8
    for t in (0.0, 0.31, 1.0):
        assert metric.norm(ray.velocity(t), ray(t)) == pytest.approx(ray.speed, rel=1e-8)
    np.testing.assert_allclose(ray.velocity(0.0), velocity, rtol=1e-9, atol=1e-10)


@each_metric
def test_velocity_is_the_derivative_of_the_ray(metric):
    ray = gn.ray(metric, START, 0.6 * (END - START))
    for t in (0.2, 0.66):
        slope = oracles.central_difference(ray, t, 1.0, step=1e-3)
        np.testing.assert_allclose(slope, ray.velocity(t), atol=1e-6)


@each_metric
def test_exp_is_the_end_of_the_ray(metric):
    velocity = 0.6 * (END - START)
    np.testing.assert_allclose(
        metric.exp(velocity, START), gn.ray(metric, START, velocity).end, atol=1e-9
    )


def test_a_ray_goes_on_from_any_of_its_points():
    metric = sphere(3)
    ray = gn.ray(metric, [0.3, -0.2, 0.5], [0.5, 0.9, -0.4], until=2.0)
    rest = gn.ray(metric, ray(0.8), ray.velocity(0.8), until=1.2)
    np.testing.assert_allclose(rest.end, ray.end, atol=1e-8)


def test_a_smaller_tolerance_is_a_smaller_error():
    errors = []
    for rtol in (1e-4, 1e-7, 1e-10, 1e-13):
        end = gn.ray(half_plane(), [0.0, 1.0], [2.0, 1.0], 5.0, rtol).end
        centre, radius = 0.5, np.hypot(0.5, 1.0)
        errors.append(abs(np.hypot(end[0] - centre, end[1]) - radius))
    assert errors[0] > 1e-9
    assert all(fine < coarse / 5 for coarse, fine in pairwise(errors))
    assert errors[-1] <= 1e-12


@pytest.mark.parametrize("size", [1e-7, 1e-13])
def test_short_rays_keep_their_digits(size):
    ray = gn.ray(sphere(), [0.7, 0.1], size * np.array([1.0, -2.0]))
    np.testing.assert_allclose(ray.end - ray.point, size * np.array([1.0, -2.0]), rtol=3e-3)
    assert ray.length == pytest.approx(size * np.sqrt(5) * 2 / 1.5, rel=1e-6)


def test_a_ray_of_no_speed_stands():
    ray = gn.ray(sphere(), [0.7, 0.1], [0.0, 0.0])
    assert ray.length == ray.energy_drift == 0
    np.testing.assert_array_equal(ray([0.2, 1.0]), [[0.7, 0.1]] * 2)


# -- batches and shapes -----------------------------------------------------------------------


def test_batches_are_rays_side_by_side():
    metric = sphere()
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(3, 1, 2)), rng.normal(size=(4, 2))
    rays = gn.ray(metric, x, v)
    assert rays.end.shape == rays(0.5).shape == rays.velocity(0.5).shape == (3, 4, 2)
    assert rays([0.1, 0.5]).shape == rays.momentum([0.1, 0.5]).shape == (2, 3, 4, 2)
    assert rays.speed.shape == rays.energy_drift.shape == (3, 4)
    assert rays.energy_drift.max() <= 1e-9
    for i, j in np.ndindex(3, 4):
        alone = gn.ray(metric, x[i, 0], v[j])
        np.testing.assert_allclose(rays.end[i, j], alone.end, rtol=1e-8, atol=1e-9)


def test_a_function_of_time_reaches_its_nodes_and_its_end():
    ray = gn.ray(ENERGY_METRICS[0].values[0], START, 0.6 * (END - START))
    np.testing.assert_array_equal(ray(0.0), START)
    np.testing.assert_allclose(ray(1.0), ray.end, rtol=1e-14)
    many = ray([0.3, 0.1, 1.0])
    for t, point in zip((0.3, 0.1, 1.0), many):
        np.testing.assert_allclose(ray(t), point, rtol=1e-14)


def test_repr_and_pickle():
    ray = gn.ray(gn.L2Metric(SPACE), START, END)
    assert repr(ray).startswith("Ray(length=")
    assert f"steps={ray.steps}" in repr(ray)
    assert "batch=(2,)" in repr(gn.ray(gn.L2Metric(SPACE), START, np.stack([END, START])))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ray))(0.4), ray(0.4))


def test_geomstats_metrics_have_rays():
    from geomstats.information_geometry.normal import NormalDistributions

    metric = NormalDistributions(1).metric
    point, velocity = np.array([0.0, 1.0]), np.array([0.4, 0.7])
    found = gn.ray(metric, point, velocity)
    np.testing.assert_allclose(found.end, metric.exp(velocity, point), atol=1e-7)


# -- geomstats' geodesic ----------------------------------------------------------------------


def test_geodesic_functions_have_geomstats_shapes():
    metric = sphere()
    x, v = np.array([0.3, -0.2]), np.array([0.5, 0.9])
    path = metric.geodesic(x, initial_tangent_vec=v)
    assert path(0.5).shape == (1, 2)
    t = np.linspace(-1, 2, 7)
    assert path(t).shape == (7, 2)
    np.testing.assert_allclose(path(0.0), [x], atol=1e-15)
    np.testing.assert_allclose(path(2.0)[0], metric.exp(2 * v, x), atol=1e-8)
    np.testing.assert_allclose(path(-1.0)[0], metric.exp(-v, x), atol=1e-8)
    batch = metric.geodesic(np.stack([x, -x]), initial_tangent_vec=v)
    assert batch(t).shape == (2, 7, 2)
    np.testing.assert_allclose(batch(t)[0], path(t), atol=1e-8)


def test_geodesic_functions_between_points():
    metric = sphere()
    ends = np.array([[0.8, 0.7], [0.1, -0.4]])
    path = metric.geodesic([-0.9, 0.15], end_point=ends)
    t = np.linspace(0, 1, 5)
    assert path(t).shape == (2, 5, 2)
    np.testing.assert_allclose(path(t)[:, 0], [[-0.9, 0.15]] * 2, atol=1e-12)
    np.testing.assert_allclose(path(t)[:, -1], ends, atol=1e-12)
    for end, points in zip(ends, path(t)):
        speeds = np.arccos(np.sum(lift(points[:-1]) * lift(points[1:]), axis=-1))
        np.testing.assert_allclose(speeds, metric.dist([-0.9, 0.15], end) / 4, rtol=1e-5)


def test_a_geodesic_function_needs_one_of_end_and_velocity():
    for options in ({}, {"end_point": END, "initial_tangent_vec": END}):
        with pytest.raises(gn.InputError, match=r"^end_point: .*initial_tangent_vec"):
            gn.L2Metric(SPACE).geodesic(START, **options)


# -- ways out ---------------------------------------------------------------------------------


def test_a_ray_that_leaves_the_chart_says_where_and_when():
    disc = gn.ChartMetric(
        lambda x: anp.eye(2) + 0 * x[..., None], 2, domain=lambda x: anp.sum(x**2, -1) < 1
    )
    pattern = r"^velocity: .*leaves the chart at t = 0\.5 of 1, at \[0\.6, 0\.8\] .*outside"
    with pytest.raises(gn.errors.DomainError, match=pattern):
        gn.ray(disc, [0.0, 0.0], [1.2, 1.6])
    assert gn.ray(disc, [0.0, 0.0], [1.2, 1.6], until=0.49).steps >= 1
    with pytest.raises(gn.errors.DomainError, match=r"^tangent_vec: .*t = 0\.5 of 1"):
        disc.exp([1.2, 1.6], [0.0, 0.0])
    with pytest.raises(gn.errors.DomainError, match=r"^point: x = \[2, 0\] lies outside"):
        gn.ray(disc, [2.0, 0.0], [1.0, 0.0])


def test_a_ray_into_the_pole_leaves_the_chart():
    # stereographic coordinates are infinite there: from the equator, after a quarter turn
    with pytest.raises(gn.errors.DomainError, match=r"^velocity: .* t = 1\.5708 of 3"):
        gn.ray(sphere(), [1.0, 0.0], [1.0, 0.0], until=3.0)
    passing = gn.ray(sphere(), [1.0, 0.0], [1.0, 1e-3], until=3.0)
    assert np.isfinite(passing.end).all()


def test_a_metric_that_is_none_at_the_start():
    indefinite = gn.ChartMetric(lambda x: x[..., :1, None] * anp.eye(2), 2)
    with pytest.raises(gn.errors.DomainError, match=r"^point: .*not positive definite"):
        gn.ray(indefinite, [-1.0, 0.0], [1.0, 0.0])


@pytest.mark.parametrize("bad", [np.zeros(3), [np.nan, 0.0], "far", [[1j, 0]]], ids=repr)
@pytest.mark.parametrize("name", ["point", "velocity"])
def test_bad_arrays_are_named(name, bad):
    arrays = {"point": [0.1, 0.2], "velocity": [1.0, 0.0], name: bad}
    with pytest.raises(gn.InputError, match=rf"^{name}: "):
        gn.ray(sphere(), **arrays)


@pytest.mark.parametrize("name", ["until", "rtol"])
@pytest.mark.parametrize("bad", [0, -1.0, np.nan, np.inf, "1", None], ids=repr)
def test_bad_numbers_are_named(name, bad):
    with pytest.raises(gn.InputError, match=rf"^{name}: "):
        gn.ray(sphere(), [0.1, 0.2], [1.0, 0.0], **{name: bad})


@pytest.mark.parametrize("t", [-0.1, 1.01, np.nan, [[0.5]], "0"], ids=repr)
def test_times_outside_are_named(t):
    with pytest.raises(gn.InputError, match=r"^t: "):
        gn.ray(gn.L2Metric(SPACE), START, END)(t)


def test_what_is_no_metric_is_named():
    with pytest.raises(gn.InputError, match=r"^metric: "):
        gn.ray("sphere", [0.1, 0.2], [1.0, 0.0])


# -- fixed steps ------------------------------------------------------------------------------


def test_the_flow_in_fixed_steps_takes_points_of_charts():
    metric, x, v = sphere(3), np.array([0.3, -0.2, 0.5]), np.array([[0.5, 0.9, -0.4], [0, 1, 0]])
    points, momenta = gn.geodesics.hamiltonian_flow(metric, x, metric.flat(v, x), 64)
    assert points.shape == momenta.shape == (65, 2, 3)
    rays = gn.ray(metric, x, v)
    t = np.linspace(0, 1, 65)
    np.testing.assert_allclose(points, rays(t), atol=1e-6)
    np.testing.assert_allclose(momenta, rays.momentum(t), atol=1e-6)
