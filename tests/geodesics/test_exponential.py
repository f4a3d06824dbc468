"""Exponential: Hamilton's equations, batches."""

import numpy as np
import oracles
import pytest
from cases import (
    END,
    ENERGY_METRICS,
    METRICS,
    SPACE,
)
from geodesics_common import CURVED, START, TINY_END, one_of_each, order, places, solve, tiny

import geomnet as gn

each_curved_metric = pytest.mark.parametrize("metric", CURVED)


def flow(metric, n_steps, size=3.0):
    """Points and momenta from the identity, at a speed that takes the flow far."""
    velocity = size * (END - START)
    return gn.geodesics.hamiltonian_flow(metric, START, metric.flat(velocity, START), n_steps)


@each_curved_metric
def test_the_flow_solves_hamiltons_equations(metric):
    metric = tiny(metric)
    start = metric.space.identity
    momentum = metric.flat(TINY_END - start, start)
    points, momenta = gn.geodesics.hamiltonian_flow(metric, start, momentum, 64)
    expected = oracles.hamiltonian_flow(metric, start, momentum)
    for found, want in zip((points[-1], momenta[-1]), expected):
        np.testing.assert_allclose(found, want, atol=1e-7 * max(1, np.abs(want).max()))


@each_curved_metric
def test_the_flow_is_of_order_four(metric):
    steps = np.array([8, 16, 32])
    ends = [flow(metric, n, size=1.5)[0][-1] for n in (*steps, 128)]
    errors = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    assert order(steps, errors) == pytest.approx(4, abs=0.4)


@each_curved_metric
def test_energy_is_conserved_to_order_four(metric):
    steps, drifts = [8, 16, 32], []
    for n in steps:
        points, momenta = flow(metric, n)
        energies = np.sum(momenta * metric.sharp(momenta, points), axis=(-2, -1))
        drifts.append(np.abs(energies / energies[0] - 1).max())
    assert 0 < drifts[-1] <= 1e-3
    assert order(steps, drifts) >= 3.5


RADIAL = [m for m in ENERGY_METRICS if isinstance(m.values[0].kernel, gn.geometry.RadialKernel)]


@pytest.mark.parametrize("metric", RADIAL)
def test_momentum_is_conserved_by_radial_kernels(metric):
    _, momenta = flow(metric, 32)
    total = momenta.sum(axis=1)
    assert np.abs(total[0]).max() > 0.1
    np.testing.assert_allclose(total, np.broadcast_to(total[0], total.shape), atol=1e-11)


@pytest.mark.parametrize("metric", RADIAL)
def test_angular_momentum_is_conserved_by_radial_kernels(metric):
    steps, drifts = [16, 32, 64], []
    for n in steps:
        x, p = flow(metric, n)
        turn = np.sum(x[..., 0] * p[..., 1] - x[..., 1] * p[..., 0], axis=1)
        assert abs(turn[0]) > 0.1
        drifts.append(np.abs(turn - turn[0]).max())
    assert drifts[-1] <= 1e-6
    assert order(steps, drifts) >= 3.5


def test_momentum_is_not_conserved_by_features():
    # the control: random features have places of their own
    metric = next(m.values[0] for m in METRICS if m.id == "energy_features")
    total = flow(metric, 32)[1].sum(axis=1)
    assert np.abs(total - total[0]).max() > 1e-3


def test_a_geodesic_follows_the_flow():
    metric = ENERGY_METRICS[1].values[0]
    errors = []
    for n in (16, 32, 64):
        geo = solve(metric, n_steps=n)
        points, _ = gn.geodesics.hamiltonian_flow(
            metric, START, metric.flat(geo.initial_velocity, START), n
        )
        errors.append(np.abs(points - geo.path).max())
    assert errors[-1] <= 1e-4
    assert order([16, 32, 64], errors) == pytest.approx(2, abs=0.3)


def test_the_flow_takes_batches_that_broadcast():
    metric = ENERGY_METRICS[0].values[0]
    x, p = places(3), places(2, 3, seed=1)
    points, momenta = gn.geodesics.hamiltonian_flow(metric, x, p, 4)
    assert points.shape == momenta.shape == (5, 2, 3, *SPACE.shape)
    one = gn.geodesics.hamiltonian_flow(metric, x[1], p[1, 1], 4)
    np.testing.assert_allclose(points[:, 1, 1], one[0], rtol=1e-10)
    np.testing.assert_allclose(momenta[:, 1, 1], one[1], rtol=1e-10)


# -- batches ----------------------------------------------------------------------------------


@one_of_each
def test_dist_log_and_exp_broadcast(metric):
    one, many = END, places(2, seed=2)
    for a, b in ((one, many), (many, one), (many[:, None], many[:1])):
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left, right = (np.broadcast_to(x, (*batch, *SPACE.shape)) for x in (a, b))
        distances, logs = metric.dist(a, b), metric.log(a, b)
        ends = metric.exp(0.5 * logs, b, n_steps=8)
        assert distances.shape == batch
        assert logs.shape == ends.shape == (*batch, *SPACE.shape)
        for i in np.ndindex(batch):
            geo = solve(metric, right[i], left[i])
            assert distances[i] == pytest.approx(geo.distance, rel=1e-8)
            np.testing.assert_allclose(logs[i], geo.initial_velocity, atol=1e-9)
            end = metric.exp(0.5 * logs[i], right[i], n_steps=8)
            np.testing.assert_allclose(ends[i], end, atol=1e-9)
    assert np.shape(metric.dist(one, one)) == ()


@one_of_each
def test_exp_broadcasts_a_vector_over_base_points(metric):
    vec, bases = 0.3 * (END - START), places(2, seed=2)
    many = metric.exp(vec, bases, n_steps=8)
    for end, base in zip(many, bases, strict=True):
        np.testing.assert_allclose(end, metric.exp(vec, base, n_steps=8), atol=1e-10)


@one_of_each
def test_pairwise_distances(metric):
    points = places(4, seed=6)
    matrix = metric.dist_pairwise(points)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 0)
    for i in range(4):
        for j in range(i):
            expected = float(metric.dist(points[j], points[i]))
            assert matrix[i, j] == pytest.approx(expected, rel=1e-12)


def test_pairwise_distances_in_two_processes():
    metric, points = ENERGY_METRICS[1].values[0], places(3, seed=6)
    np.testing.assert_allclose(
        metric.dist_pairwise(points, n_jobs=2), metric.dist_pairwise(points), rtol=1e-12
    )


def test_steps_and_method_behind_dist_are_the_metrics():
    metric = gn.EnergyMetric(SPACE, gn.GaussianKernel(0.8))
    coarse = float(metric.dist(START, END))
    metric.n_steps = 32
    fine = float(metric.dist(START, END))
    assert fine == solve(metric, n_steps=32).distance
    assert 0 < abs(fine - coarse) < 1e-6
    metric.method = gn.geodesics.PathNewtonCG(max_iter=0)
    with pytest.raises(gn.ConvergenceError):
        metric.dist(START, END)
