"""Ends that are one point up to rounding: a length that is right, and no error."""

import autograd.numpy as anp
import numpy as np
import pytest
from geomstats.information_geometry.dirichlet import DirichletDistributions
from geomstats.learning.frechet_mean import FrechetMean

import geomnet as gn


def half_plane():
    return gn.ChartMetric(
        lambda x: anp.eye(2) / x[..., 1, None, None] ** 2, 2, domain=lambda x: x[..., 1] > 0
    )


def test_the_half_plane_knows_its_ulps():
    found = half_plane().dist([0.3, 1.0], [0.1 + 0.2, 1.0])
    assert found == pytest.approx(5.551115123125783e-17, rel=1e-12)
    geo = gn.geodesic(half_plane(), [0.3, 1.0], [0.1 + 0.2, 1.0])
    assert geo.status == "ends equal up to rounding"
    assert geo.certificate.converged
    assert geo.error_estimate >= geo.distance / 4
    np.testing.assert_array_equal(half_plane().log([0.1 + 0.2, 1.0], [0.3, 1.0])[1], 0.0)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e3])
def test_in_batches_beside_others(offset):
    metric = half_plane()
    base = np.array([0.3 + offset, 1.0])
    near = np.nextafter(base, np.inf)
    far = base + np.array([1.0, 0.5])
    distances = metric.dist(base, np.stack([base, near, far]))
    assert distances[0] == 0.0
    assert 0 < distances[1] < 1e-12
    assert distances[2] == pytest.approx(float(metric.dist(base, far)), rel=1e-9)


def test_metrics_on_maps():
    space = gn.FunctionSpace(np.random.default_rng(0).normal(size=(5, 2)))
    near = np.nextafter(space.identity, np.inf)
    for metric in (gn.L2Metric(space), gn.EnergyMetric(space, gn.Matern32Kernel(1.0))):
        found = metric.dist(space.identity, near)
        step = near - space.identity
        norm = np.sqrt(metric.inner_product(step, step, space.identity))
        assert found == pytest.approx(float(norm), rel=1e-6)


def test_a_frechet_mean_of_equal_points():
    space = DirichletDistributions(3)
    space.metric.log_solver = gn.LogSolver(space)
    mean = FrechetMean(space).fit(np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.1 + 0.2]]))
    np.testing.assert_allclose(mean.estimate_, [0.1, 0.2, 0.3], rtol=1e-9)
