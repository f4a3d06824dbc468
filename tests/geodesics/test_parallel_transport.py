"""Parallel transport: closed forms, laws of an isometry, order of the ladder, holonomy."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import END, METRICS, SPACE
from chart_cases import gaussian, half_plane, matrices, paraboloid, positive_definite, sphere

import geomnet as gn
from geomnet.geodesics.initial_value import parallel_transport as transport
from geomnet.geodesics.initial_value.parallel_transport import _Ladder, isometry

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)


def rough():
    """A metric of no symmetry: its curvature is not parallel."""
    waves = np.random.default_rng(0).normal(size=(3, 3, 3))

    def metric_matrix(x):
        s = anp.sin(anp.einsum("abi,...i->...ab", waves, x))
        return anp.eye(3) + 0.2 * anp.matmul(s, anp.swapaxes(s, -1, -2))

    return gn.ChartMetric(metric_matrix, 3)


CHARTS = [
    pytest.param(sphere(3), [0.5, -0.2, 0.4], [0.8, 0.9, -0.3], id="sphere"),
    pytest.param(half_plane(), [0.2, 1.3], [1.5, -0.7], id="half_plane"),
    pytest.param(gaussian(), [-1.0, 0.4], [0.5, 0.3], id="gaussian"),
    pytest.param(paraboloid(3), [-1.0, 0.5, 0.2], [1.2, 0.1, -0.8], id="paraboloid"),
    pytest.param(positive_definite(), [1.0, 0.2, 0.5], [0.4, -0.3, 0.6], id="spd"),
    pytest.param(rough(), [0.1, 0.2, -0.3], [1.5, -1.0, 0.7], id="rough"),
]
each_chart = pytest.mark.parametrize(("metric", "point", "velocity"), CHARTS)


@each_chart
def test_it_solves_the_transport_equation(metric, point, velocity):
    ray = gn.ray(metric, point, velocity, rtol=1e-11)
    found = gn.parallel_transport(metric, np.eye(len(point)), ray)
    for unit, moved in zip(np.eye(len(point)), found.vector):
        expected = oracles.parallel_transport(metric.metric_matrix, ray, ray.velocity, unit, 1.0)
        size = np.abs(expected).max()
        np.testing.assert_allclose(moved, expected, atol=2e-8 * max(size, 1))


@each_metric
def test_it_is_a_linear_isometry_and_keeps_the_velocity(metric):
    velocity = 0.6 * (END - START)
    ray = gn.ray(metric, START, velocity)
    u = np.random.default_rng(0).normal(size=(3, *START.shape))
    found = gn.parallel_transport(metric, u, ray, n_rungs=4)
    for i in range(3):
        for j in range(3):
            before = metric.inner_product(u[i], u[j], START)
            after = metric.inner_product(found.vector[i], found.vector[j], ray.end)
            assert after == pytest.approx(before, rel=1e-7, abs=1e-8 * np.abs(u).max())
    kept = found(velocity) - ray.velocity(1.0)
    assert metric.norm(kept, ray.end) <= 1e-7 * ray.speed
    np.testing.assert_allclose(found(2 * u[0] - u[1]), 2 * found(u[0]) - found(u[1]), rtol=1e-12)


def test_transport_of_positive_definite_matrices():
    # from A to B: E U Eᵀ with E = (BA⁻¹)^½
    metric = positive_definite()
    a, b, u = np.array([1.0, 0.2, 0.5]), np.array([0.8, -0.3, 1.2]), np.array([0.3, -0.5, 0.4])
    geo = gn.geodesic(metric, a, b)
    found = gn.parallel_transport(metric, u, geo).vector
    values, vectors = np.linalg.eig(matrices(b) @ np.linalg.inv(matrices(a)))
    root = vectors @ np.diag(np.sqrt(values)) @ np.linalg.inv(vectors)
    np.testing.assert_allclose(matrices(found), root @ matrices(u) @ root.T, atol=1e-7)


@pytest.mark.parametrize(
    ("metric", "corners", "curvature"),
    [
        (sphere(), [[0.1, 0.0], [0.8, 0.2], [0.2, 0.9]], 1.0),
        (half_plane(), [[0.0, 1.0], [1.0, 0.7], [0.6, 1.9]], -1.0),
    ],
    ids=["sphere", "half_plane"],
)
def test_holonomy_of_a_triangle_is_its_curvature(metric, corners, curvature):
    corners = np.array(corners)
    sides = [gn.geodesic(metric, corners[i], corners[(i + 1) % 3]) for i in range(3)]
    u = vector = np.array([0.3, 0.4])
    angles = 0.0
    for i, side in enumerate(sides):
        vector = gn.parallel_transport(metric, vector, side).vector
        back = metric.log(corners[i - 1], corners[i])
        cosine = metric.inner_product(side.initial_velocity, back, corners[i])
        angles += np.arccos(
            cosine / metric.norm(side.initial_velocity, corners[i]) / metric.norm(back, corners[i])
        )
    # both charts are conformal and the corners run counterclockwise: by angle excess = K·area
    turn = np.angle(complex(*vector) / complex(*u))
    excess = angles - np.pi
    assert np.sign(excess) == curvature
    assert turn == pytest.approx(excess, abs=1e-7)


# -- order, and errors ------------------------------------------------------------------------


def test_the_ladder_is_of_order_four_and_extrapolated_of_six():
    metric, point, velocity = CHARTS[-1].values
    ray = gn.ray(metric, point, velocity, rtol=1e-12)
    ladder = _Ladder(metric, ray, 1e-11)
    climbs = {n: ladder.climb(n) for n in (4, 8, 16, 32, 128)}
    counts = np.array([4, 8, 16, 32])
    errors = [np.abs(climbs[n] - climbs[128]).max() for n in counts]
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert order == pytest.approx(4, abs=0.3)
    mended = [climbs[2 * n] + (climbs[2 * n] - climbs[n]) / 15 for n in (4, 8)]
    better = [np.abs(m - climbs[128]).max() for m in mended]
    assert np.log2(better[0] / better[1]) >= 5.0


@pytest.mark.parametrize("count", [4, 8, 16])
def test_the_error_estimate_bounds_the_error(count):
    metric, point, velocity = CHARTS[-1].values
    ray = gn.ray(metric, point, velocity, rtol=1e-12)
    exact = gn.parallel_transport(metric, np.eye(3), ray, rtol=1e-9)
    found = gn.parallel_transport(metric, np.eye(3), ray, n_rungs=count)
    lower = np.linalg.cholesky(metric.metric_matrix(np.stack([ray.point, ray.end])))
    miss = lower[1].T @ (found.matrix - exact.matrix) @ np.linalg.inv(lower[0].T)
    assert np.linalg.norm(miss, 2) <= found.error_estimate
    assert found.rungs == count < exact.rungs
    assert exact.error_estimate <= 1e-9


@pytest.mark.parametrize(("metric", "point", "velocity"), CHARTS[:2])
def test_symmetric_spaces_need_no_rungs(metric, point, velocity):
    found = gn.parallel_transport(metric, np.eye(len(point)), (point, velocity))
    assert found.rungs == 4
    assert found.error_estimate <= 1e-9


def test_isometry_is_the_polar_factor():
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    root = isometry(matrix)
    np.testing.assert_allclose(root @ root.T, np.eye(4), atol=1e-14)
    stretch = root.T @ matrix
    np.testing.assert_allclose(stretch, stretch.T, atol=1e-13)
    assert np.linalg.eigvalsh(stretch).min() > 0


# -- ways to say it ---------------------------------------------------------------------------


def test_geodesics_rays_and_pairs_agree():
    metric, start, end = half_plane(), [0.2, 1.3], [1.5, 0.6]
    geo = gn.geodesic(metric, start, end, method=gn.Shooting())
    u = np.array([0.3, -1.0])
    by_geodesic = gn.parallel_transport(metric, u, geo)
    by_ray = gn.parallel_transport(metric, u, gn.ray(metric, start, geo.initial_velocity))
    by_pair = gn.parallel_transport(metric, u, (start, geo.initial_velocity))
    np.testing.assert_allclose(by_ray.vector, by_geodesic.vector, atol=1e-8)
    np.testing.assert_array_equal(by_pair.vector, by_ray.vector)
    np.testing.assert_array_equal(np.asarray(by_pair), by_pair.vector)
    rough_path = gn.geodesic(metric, start, end, method=gn.PathNewton())
    np.testing.assert_allclose(
        gn.parallel_transport(metric, u, rough_path).vector, by_geodesic.vector, atol=1e-7
    )


def test_shapes():
    metric = sphere(3)
    found = gn.parallel_transport(metric, np.ones((2, 5, 3)), ([0.1, 0.2, 0.3], [1.0, 0.0, 0.5]))
    assert found.vector.shape == (2, 5, 3)
    assert found([1.0, 0.0, 0.0]).shape == (3,)
    assert "rungs=4" in repr(found)


@pytest.mark.parametrize("bad", [np.zeros(3), [np.nan, 0.0], "far"], ids=repr)
def test_bad_vectors_are_named(bad):
    along = ([0.1, 0.2], [1.0, 0.0])
    with pytest.raises(gn.InputError, match=r"^vector: "):
        gn.parallel_transport(sphere(), bad, along)
    with pytest.raises(gn.InputError, match=r"^vector: "):
        gn.parallel_transport(sphere(), [1.0, 0.0], along)(bad)


@pytest.mark.parametrize("bad", [None, [1.0, 0.0, 0.0], "way"], ids=repr)
def test_bad_ways_are_named(bad):
    with pytest.raises(gn.InputError, match=r"^along: "):
        gn.parallel_transport(sphere(), [1.0, 0.0], bad)


def test_a_batch_of_ways_is_refused():
    batch = gn.ray(sphere(), [1.0, 0.0], [[0.0, 1.0], [0.0, 2.0]])
    with pytest.raises(gn.InputError, match=r"^along: .*one ray"):
        gn.parallel_transport(sphere(), [1.0, 0.0], batch)


@pytest.mark.parametrize("n_rungs", [0, 3, 2.0, "4"], ids=repr)
def test_bad_counts_are_named(n_rungs):
    with pytest.raises(gn.InputError, match=r"^n_rungs: "):
        gn.parallel_transport(sphere(), [1.0, 0.0], ([0.1, 0.2], [1.0, 0.0]), n_rungs)


def test_too_few_rungs_and_too_many_coordinates(monkeypatch):
    metric, point, velocity = CHARTS[-1].values
    monkeypatch.setattr(transport, "MOST_RUNGS", 8)
    with pytest.raises(gn.ConvergenceError, match=r"^n_rungs: 8 rungs") as caught:
        gn.parallel_transport(metric, [1.0, 0.0, 0.0], (point, velocity))
    assert caught.value.result.vector.shape == (3,)
    monkeypatch.setattr(transport, "DENSE", 2)
    with pytest.raises(gn.InputError, match=r"^metric: .*3 coordinates"):
        gn.parallel_transport(metric, [1.0, 0.0, 0.0], (point, velocity))
