"""Laws at the edge of rounding: near maps, small ridges, far points, narrow peaks."""

import autograd.numpy as anp
import numpy as np
import pytest

import geomnet as gn


def _metrics(space):
    readout = gn.Readout(np.random.default_rng(1).normal(size=(3, 4)))
    return {
        "energy": gn.EnergyMetric(space, gn.Matern32Kernel(2.0)),
        "fisher-rao": gn.FisherRaoMetric(space, gn.Categorical(3), readout),
        "sum": 2.0 * gn.EnergyMetric(space, gn.Matern32Kernel(2.0)) + gn.L2Metric(space),
    }


@pytest.mark.parametrize("name", ["energy", "fisher-rao", "sum"])
@pytest.mark.parametrize("size", [1e-5, 1e-7, 1e-9, 1e-11])
def test_near_maps_are_as_far_apart_as_their_step_is_long(name, size):
    space = gn.FunctionSpace(gn.datasets.load("iris", n=20))
    metric = _metrics(space)[name]
    step = size * np.random.default_rng(0).normal(size=space.shape)
    x = space.identity
    assert metric.dist(x, x + step) == pytest.approx(metric.norm(step, x), rel=1e-4)


@pytest.mark.parametrize("ridge", [1e-6, 1e-12, 1e-20, 1e-30])
def test_a_full_rank_readout_bears_any_ridge(ridge):
    rng = np.random.default_rng(0)
    space = gn.FunctionSpace(rng.normal(size=(5, 3)))
    metric = gn.FisherRaoMetric(
        space, gn.Bernoulli(3), gn.Readout(rng.normal(size=(3, 3))), ridge=ridge
    )
    x, v = space.identity, rng.normal(size=(5, 3))
    np.testing.assert_allclose(metric.sharp(metric.flat(v, x), x), v, atol=1e-10)
    geo = gn.geodesic(metric, x, x + 1.0)
    assert geo.certificate.locally_shortest
    # with the ridge gone, the speed at the start is the closed distance of the predictions
    if ridge < 1e-9:
        speed = metric.norm(geo.initial_velocity, x)
        assert speed == pytest.approx(metric.closed_distance(x, x + 1.0), rel=1e-6)


@pytest.mark.parametrize("far", [1e1, 1e4, 1e6])
def test_a_point_far_away_costs_no_digits(far):
    space = gn.FunctionSpace([[-1.0], [1.0], [far]])
    metric = gn.EnergyMetric(space, gn.GaussianKernel(1.0))
    geo = gn.geodesic(metric, space.identity, [[-0.25], [0.25], [far]], n_steps=64)
    assert geo.distance == pytest.approx(1.627540596797, abs=2e-8)


def test_a_narrow_peak_is_not_missed():
    class Wall(gn.Metric):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            density = 1 + 1e4 * anp.exp(-((base_point - 0.31) ** 2) / 2 / 0.008**2)
            return anp.sum(density * tangent_vec_a * tangent_vec_b, axis=(-2, -1))

    x = np.linspace(0, 1, 200001)
    truth = np.trapezoid(np.sqrt(1 + 1e4 * np.exp(-((x - 0.31) ** 2) / 2 / 0.008**2)), x)
    curve = gn.Curve([[[0.0]], [[1.0]]])
    assert curve.length(Wall(gn.FunctionSpace([[0.0]]))) == pytest.approx(truth, rel=1e-8)


def test_a_metric_rough_everywhere_ends_in_an_error():
    class Rough:
        def squared_step(self, start, end):
            noise = np.sin(1e9 * np.sum(start, axis=(-2, -1))) ** 2
            return np.sum((end - start) ** 2, axis=(-2, -1)) * (1 + noise)

    with pytest.raises(gn.ConvergenceError, match="rough"):
        gn.Curve([[[0.0]], [[1.0]]]).length(Rough())


def test_a_sample_is_not_moved_by_its_caller():
    points = np.array([[0.0, 0.0], [1.0, 0.0]])
    space = gn.FunctionSpace(points)
    points += 5
    np.testing.assert_array_equal(space.identity, [[0.0, 0.0], [1.0, 0.0]])


def test_the_swirl_turns_with_the_data():
    points = np.random.default_rng(0).normal(size=(20, 2)) * [2.0, 1.0]
    for angle in (0.7, 1.5, 2.6):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        np.testing.assert_allclose(
            gn.datasets.swirl(points @ turn.T), gn.datasets.swirl(points) @ turn.T, atol=1e-12
        )
