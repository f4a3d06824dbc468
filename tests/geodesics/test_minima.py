"""Geodesics: laws of every solver and metric, truth in closed form, certificates, failures."""

import numpy as np
import oracles
import pytest
from cases import (
    END,
    ENERGY_METRICS,
    FISHER_RAO_METRICS,
    L2_METRICS,
    METRICS,
    SOLVERS,
    SPACE,
    Crowd,
)
from geodesics_common import START, TINY_END, order, places, solve, tiny

import geomnet as gn

each_metric = pytest.mark.parametrize("metric", METRICS)


each_solver = pytest.mark.parametrize(("method", "metric"), SOLVERS)


# -- minima -----------------------------------------------------------------------------------


@each_solver
def test_the_solver_finds_the_minimum_that_scipy_finds(method, metric):
    metric = tiny(metric)
    geo = solve(metric, metric.space.identity, TINY_END, n_steps=8, method=method)
    expected = oracles.least_energy_path(metric, metric.space.identity, TINY_END, 8)
    np.testing.assert_allclose(geo.path, expected, atol=1e-6)
    energy = oracles.path_energy(metric, expected)
    assert geo.energy == pytest.approx(energy, rel=1e-9)
    assert geo.length <= np.sqrt(geo.energy) * (1 + 1e-12)


@each_solver
def test_the_certificate_holds(method, metric):
    geo = gn.geodesic(metric, START, END, n_steps=16, method=method)
    certificate = geo.certificate
    assert certificate.converged
    assert certificate.gradient_norm <= certificate.tolerance == method.tol
    assert certificate.locally_shortest
    assert certificate.speed_variation <= 0.01
    assert certificate.gradient_evaluations >= 1
    assert certificate.error_estimate == geo.error_estimate <= 1e-4 * geo.distance
    if certificate.observed_order is not None:
        assert certificate.observed_order == pytest.approx(2, abs=0.5)
    state = gn.geometry.PathEnergy(metric).linearise(geo.path)
    assert state.gradient_norm == pytest.approx(certificate.gradient_norm, abs=1e-10)
    assert geo.status == "converged"
    assert type(method).__name__ in geo.method


@each_solver
def test_solvers_agree(method, metric):
    geo = solve(metric, method=method)
    chosen = solve(metric)
    assert geo.distance == pytest.approx(chosen.distance, rel=1e-9)
    np.testing.assert_allclose(geo.path, chosen.path, atol=1e-6)


@pytest.mark.parametrize(
    ("metric", "method"),
    [
        (L2_METRICS[0].values[0], "StraightLine"),
        (3.0 * L2_METRICS[0].values[0], "StraightLine"),
        (FISHER_RAO_METRICS[0].values[0], "PointwiseNewton"),
        (ENERGY_METRICS[0].values[0], "PathNewtonCG"),
        (Crowd(SPACE), "PathNewtonCG"),
        (Crowd(SPACE) + FISHER_RAO_METRICS[0].values[0], "PathNewtonCG"),
    ],
    ids=repr,
)
def test_the_method_is_chosen_by_structure_and_named(metric, method):
    assert solve(metric).method.startswith(f"{method}: ")


# -- ends, symmetry, distance -----------------------------------------------------------------


@each_solver
@pytest.mark.parametrize("n_steps", [8, 12, 20])
def test_ends_are_exact_and_steps_as_many_as_asked(method, metric, n_steps):
    geo = solve(metric, n_steps=n_steps, method=method)
    assert geo.path.shape == (n_steps + 1, *SPACE.shape)
    assert geo.n_steps == n_steps
    np.testing.assert_array_equal(geo.path[0], START)
    np.testing.assert_array_equal(geo.path[-1], END)


@each_metric
def test_equal_ends(metric):
    geo = gn.geodesic(metric, END, END)
    assert geo.length == geo.distance == geo.energy == geo.error_estimate == 0
    assert geo.certificate.converged
    np.testing.assert_array_equal(geo.path, np.broadcast_to(END, (17, *SPACE.shape)))
    np.testing.assert_array_equal(geo.initial_velocity, 0)
    assert metric.dist(END, END) == 0
    np.testing.assert_array_equal(metric.log(END, END), 0)
    np.testing.assert_array_equal(metric.exp(np.zeros_like(END), END), END)


@each_metric
def test_the_way_back_is_the_same(metric):
    forth, back = solve(metric), solve(metric, END, START)
    assert back.distance == pytest.approx(forth.distance, rel=1e-8)
    np.testing.assert_allclose(back.path, forth.path[::-1], atol=1e-6)
    arriving = -metric.log(START, END)
    half = solve(metric, forth(0.5), END)
    assert metric.norm(arriving, END) == pytest.approx(forth.distance, rel=1e-3)
    assert half.distance == pytest.approx(forth.distance / 2, rel=1e-3)


@each_metric
def test_the_triangle_inequality(metric):
    corners = [START, END, places(seed=4)]
    legs = [solve(metric, corners[i], corners[j]) for i, j in ((0, 1), (1, 2), (0, 2))]
    sides, slack = [g.distance for g in legs], sum(g.error_estimate for g in legs)
    assert min(sides) > 0.01
    for i in range(3):
        assert sides[i] <= sum(sides) - sides[i] + slack


@each_metric
def test_dist_is_the_distance_of_the_geodesic(metric):
    geo = gn.geodesic(metric, START, END, n_steps=metric.n_steps)
    assert metric.dist(START, END) == pytest.approx(geo.distance, rel=1e-14)
    assert metric.squared_dist(START, END) == pytest.approx(geo.distance**2, rel=1e-14)
    np.testing.assert_allclose(metric.log(END, START), geo.initial_velocity, rtol=1e-12)


def test_dist_is_not_the_norm_of_the_log():
    # both tend to the distance, each with an error of its own
    metric = ENERGY_METRICS[1].values[0]
    assert metric.dist(START, END) != metric.norm(metric.log(END, START), START)


@each_metric
def test_no_curve_is_shorter(metric):
    geo, rng = solve(metric), np.random.default_rng(0)
    straight = gn.Curve([START, END])
    bow = geo.path + 0.05 * np.sin(np.pi * np.linspace(0, 1, 17))[:, None, None] * rng.normal(
        size=SPACE.shape
    )
    for curve in (straight, gn.Curve(bow), geo.curve):
        assert geo.excess(curve) >= 1 - geo.error_estimate / geo.distance - 1e-9
        expected = curve.length(metric) / geo.distance
        assert geo.excess(curve) == pytest.approx(expected, rel=1e-12)
    assert geo.excess(gn.Curve(bow)) > 1.0005


@each_metric
def test_length_does_not_depend_on_the_parameter(metric):
    geo = solve(metric, n_steps=8)
    length = geo.curve.length(metric)
    squeezed = gn.Curve(geo.path, np.linspace(0, 1, 9) ** 2)
    assert squeezed.length(metric) == pytest.approx(length, rel=1e-12)
    # the same polygon, cut elsewhere
    cut = gn.Curve(np.insert(geo.path, 3, 0.3 * geo.path[2] + 0.7 * geo.path[3], axis=0))
    assert cut.length(metric) == pytest.approx(length, rel=1e-7)


# -- speed, exp and log -----------------------------------------------------------------------


@each_metric
def test_speed_is_constant_to_second_order(metric):
    variations = [solve(metric, n_steps=n).certificate.speed_variation for n in (16, 32, 64)]
    assert variations[0] <= 0.005
    if variations[0] > 1e-9:
        assert order([16, 32, 64], variations) >= 1.9


@each_metric
def test_energy_is_length_squared_at_constant_speed(metric):
    geo = solve(metric)
    assert geo.energy == pytest.approx(
        geo.length**2, rel=geo.certificate.speed_variation**2 + 1e-13
    )


@each_metric
def test_exp_of_log_returns_at_order_four(metric):
    # order two is owed; two step counts extrapolate it to four
    steps, far = [8, 16, 32], START + 2 * (END - START)
    logs = [solve(metric, START, far, n_steps=n).initial_velocity for n in steps]
    errors = [np.abs(metric.exp(v, START) - far).max() for v in logs]
    assert errors[-1] <= 1e-6
    if errors[0] > 1e-12:
        assert order(steps, errors) == pytest.approx(4, abs=0.6)


@each_metric
def test_log_of_exp_returns(metric):
    vec = 0.5 * metric.log(END, START)
    end = metric.exp(vec, START)
    back = solve(metric, START, end, n_steps=32).initial_velocity
    np.testing.assert_allclose(back, vec, atol=1e-5 * np.abs(vec).max())
    assert solve(metric, START, end, n_steps=32).distance == pytest.approx(
        metric.norm(vec, START), rel=1e-6
    )


@each_metric
def test_exp_runs_at_constant_speed(metric):
    vec = 0.5 * metric.log(END, START)
    for share in (0.25, 0.5):
        way = metric.dist(START, metric.exp(share * vec, START))
        assert way == pytest.approx(share * metric.norm(vec, START), rel=1e-5)


@each_metric
def test_exp_by_itself_is_as_good_as_many_steps(metric):
    vec = metric.log(END, START)
    np.testing.assert_allclose(
        metric.exp(vec, START), metric.exp(vec, START, n_steps=128), atol=1e-8
    )


@each_metric
@pytest.mark.parametrize("size", [1e-6, 1e-9, 1e-13])
def test_exp_of_a_short_vector_is_a_short_way(metric, size):
    # shorter than any share of it that rounding would leave
    vec = size * (END - START)
    np.testing.assert_allclose(metric.exp(vec, START), START + vec, atol=10 * size**2 + 1e-15)
