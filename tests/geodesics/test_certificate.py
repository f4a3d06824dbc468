"""Certificate: certificates, truth in closed form."""

import numpy as np
import oracles
import pytest
from cases import (
    CLOSED,
    END,
    ENERGY_METRICS,
    ONE_POINT,
    SPACE,
    HalfPlane,
    Sphere,
)
from geodesics_common import CURVED, START, TINY_END, solve, tiny
from scipy.linalg import eigh

import geomnet as gn

# -- certificates -----------------------------------------------------------------------------


def lowest_of_dense(geo):
    """Lowest eigenvalue of the Hessian relative to the inverse of the preconditioner."""
    state = gn.geometry.PathEnergy(geo.metric).linearise(geo.path)
    units = np.eye(geo.path[1:-1].size).reshape(-1, *geo.path[1:-1].shape)
    hessian = np.array([state.hessian_product(unit).ravel() for unit in units])
    inverse = np.array([state.precondition(unit).ravel() for unit in units])
    return eigh(hessian, np.linalg.inv(inverse), eigvals_only=True)[0]


@pytest.mark.parametrize("metric", CURVED)
def test_the_lowest_eigenvalue_is_that_of_the_dense_problem(metric):
    metric = tiny(metric)
    geo = gn.geodesic(metric, metric.space.identity, TINY_END, n_steps=8)
    lowest, certificate = lowest_of_dense(geo), geo.certificate
    assert certificate.lowest_eigenvalue == pytest.approx(lowest, abs=0.05 * max(abs(lowest), 0.1))
    assert certificate.locally_shortest == (lowest > 0)
    assert 1 <= certificate.lanczos_products <= 40


@pytest.mark.parametrize("name", ["sphere", "half_plane", "gaussian", "landmarks_close"])
def test_the_lowest_eigenvalue_of_geodesics_in_closed_form(name):
    metric, start, end, _ = CLOSED[name]
    geo = gn.geodesic(metric, start, end, n_steps=32)
    lowest = lowest_of_dense(geo)
    assert lowest < 0.7
    assert geo.certificate.lowest_eigenvalue == pytest.approx(lowest, rel=0.05)


def test_the_index_costs_nothing_when_it_is_not_asked_for():
    certificate = solve(ENERGY_METRICS[0].values[0]).certificate
    assert certificate.locally_shortest is None
    assert certificate.lowest_eigenvalue is None
    assert certificate.lanczos_products == 0


def arc(half, n_steps=16):
    """Great circle of length 4 arctan(half) through the south pole, at constant speed."""
    angles = np.arctan(half) * np.linspace(-1, 1, n_steps + 1)
    path = np.stack([np.tan(angles), 0 * angles], axis=-1)[:, None]
    path[[0, -1], 0, 0] = -half, half
    return path


@pytest.mark.parametrize(
    ("half", "shortest"),
    [(0.5, True), (0.8, True), (0.95, True), (1.05, False), (1.2, False), (1.5, False)],
)
def test_arcs_of_the_sphere_are_shortest_up_to_half_a_turn(half, shortest):
    path = arc(half)
    geo = gn.geodesic(Sphere(ONE_POINT), path[0], path[-1], n_steps=64, initial_path=path)
    assert geo.certificate.locally_shortest is shortest
    assert (geo.certificate.lowest_eigenvalue > 0) is shortest
    assert geo.distance == pytest.approx(4 * np.arctan(half), abs=geo.error_estimate)
    assert str(geo.certificate).endswith("locally shortest" if shortest else "not shortest")


@pytest.mark.parametrize("n_steps", [8, 16, 32])
@pytest.mark.parametrize("place", [(1.0, 0.0), (0.42, 0.56), (1.2, -0.9)])
def test_opposite_points_of_the_sphere_are_conjugate(place, n_steps):
    # the lowest eigenvalue is zero up to O(h²), so neither answer is honest
    start = np.array([place])
    end = -start / np.sum(start**2)
    geo = gn.geodesic(Sphere(ONE_POINT), start, end, n_steps=n_steps)
    assert geo.certificate.locally_shortest is None
    assert abs(geo.certificate.lowest_eigenvalue) <= 5 / n_steps**2
    assert geo.distance == pytest.approx(np.pi, abs=geo.error_estimate)
    assert str(geo.certificate).endswith("shortest: unknown")


# -- truth in closed form ---------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [8, 12, 16, 20, 32, 64])
@pytest.mark.parametrize("name", CLOSED)
def test_the_error_estimate_bounds_the_error(name, n_steps):
    metric, start, end, distance = CLOSED[name]
    geo = solve(metric, start, end, n_steps=n_steps)
    assert abs(geo.distance - distance) <= geo.error_estimate + 1e-12
    assert geo.error_estimate <= 50 * distance * (4 / n_steps) ** 2
    if n_steps >= 64:
        assert geo.error_estimate <= 3e-5 * distance


@pytest.mark.parametrize("ridge", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("logit", [1.0, 3.0, 10.0, 20.0])
@pytest.mark.parametrize("n_steps", [8, 32])
def test_the_error_estimate_bounds_the_error_of_bernoulli(n_steps, logit, ridge):
    # a coin from one side to the other; long steps in the flat tails converge very late
    space = gn.FunctionSpace([[-logit]])
    metric = gn.FisherRaoMetric(space, gn.Bernoulli(), gn.Readout([[1.0]]), ridge=ridge)
    distance = 2 * oracles.line_length(
        lambda z: np.sqrt(ridge + 1 / (2 * np.cosh(z / 2)) ** 2), 0, logit
    )
    try:
        geo = solve(metric, space.identity, -space.identity, n_steps=n_steps)
    except gn.ConvergenceError as error:
        geo = error.result
    assert abs(geo.distance - distance) <= geo.error_estimate
    assert geo.length <= distance * (1 + 1e-12)


@pytest.mark.parametrize("curvature", [0.5, 1.0, 3.0])
def test_products_add_squared_distances(curvature):
    space = gn.FunctionSpace([[0.0, 1.0], [1.0, 2.0], [3.0, 0.7]])
    metric = HalfPlane(space, across=1.0, up=1 / curvature)
    end = np.array([[0.5, 1.3], [1.0, 1.1], [2.4, 0.9]])
    squares = [
        metric_distance**2
        for metric_distance in (
            np.sqrt(1 / curvature)
            * np.arccosh(
                1 + ((a[0] - b[0]) ** 2 * curvature + (a[1] - b[1]) ** 2) / (2 * a[1] * b[1])
            )
            for a, b in zip(space.identity, end)
        )
    ]
    geo = solve(metric, space.identity, end, n_steps=32)
    assert geo.distance == pytest.approx(np.sqrt(sum(squares)), rel=1e-6)


def test_straight_lines_of_l2():
    metric = gn.L2Metric(SPACE)
    geo = gn.geodesic(metric, START, END, n_steps=8)
    np.testing.assert_allclose(geo.path, np.linspace(START, END, 9), atol=1e-15)
    np.testing.assert_allclose(geo.initial_velocity, END - START, atol=1e-14)
    assert geo.certificate.observed_order is None
    assert geo.error_estimate <= 1e-15


@pytest.mark.parametrize("shift", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_distances_scale_with_the_units(shift):
    # points, target and width all measured in another unit
    x, y = shift * START, shift * END
    metric = gn.EnergyMetric(gn.FunctionSpace(x), gn.GaussianKernel(0.8 * shift))
    expected = gn.EnergyMetric(SPACE, gn.GaussianKernel(0.8)).dist(START, END)
    geo = gn.geodesic(metric, x, y)
    assert geo.distance == pytest.approx(shift * float(expected), rel=1e-9)
    assert geo.certificate.locally_shortest
