"""Shooting: exp∘log, closed forms, index and nullity, far ends, and what it says when it fails."""

import numpy as np
import oracles
import pytest
from cases import CLOSED, END, ENERGY_METRICS, METRICS, SPACE
from chart_cases import (
    CHARTS,
    far_apart,
    half_plane,
    sphere,
)

import geomnet as gn
from geomnet.geodesics import hunt as hunts

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)


@pytest.mark.parametrize(("metric", "start", "end", "distance"), CHARTS)
def test_charts_in_closed_form(metric, start, end, distance):
    geo = gn.geodesic(metric, start, end, method=gn.Shooting())
    if distance is None:
        distance = gn.geodesic(metric, start, end, method=gn.geodesics.SpectralPath()).distance
    assert geo.distance == pytest.approx(distance, rel=1e-9)
    assert abs(geo.distance - distance) <= geo.error_estimate <= 1e-9 * distance
    assert geo.length == geo.distance == pytest.approx(np.sqrt(geo.energy))
    assert (geo.certificate.morse_index, geo.certificate.nullity) == (0, 0)
    assert geo.certificate.is_minimising == "locally"
    assert geo.method == "Shooting, as asked"


@pytest.mark.parametrize(("metric", "start", "end", "distance"), CHARTS)
def test_exp_of_log_returns_in_charts(metric, start, end, distance):
    geo = gn.geodesic(metric, start, end, method=gn.Shooting(), certify_index=False)
    np.testing.assert_allclose(metric.exp(geo.initial_velocity, start), end, atol=1e-8)
    np.testing.assert_allclose(gn.ray(metric, start, geo.initial_velocity).end, end, atol=1e-8)


@each_metric
def test_exp_of_log_returns_for_maps(metric):
    geo = gn.geodesic(metric, START, END, method=gn.Shooting(), certify_index=False)
    np.testing.assert_allclose(metric.exp(geo.initial_velocity, START), END, atol=1e-9)
    path = gn.geodesic(metric, START, END, n_steps=32, certify_index=False)
    # the likelihood's own squared step has another error than the midpoint rule, order 2 both
    assert geo.distance == pytest.approx(path.distance, rel=1e-5)


@pytest.mark.parametrize("name", ["landmarks_near", "landmarks_close"])
def test_landmarks_on_a_line(name):
    metric, start, end, distance = CLOSED[name]
    geo = gn.geodesic(metric, start, end, method=gn.Shooting())
    assert geo.distance == pytest.approx(distance, rel=1e-11)
    np.testing.assert_allclose(metric.exp(geo.initial_velocity, start), end, atol=1e-9)


def test_landmarks_of_the_reference():
    angle = 2 * np.pi * np.arange(50) / 50
    x, y = np.cos(angle), np.sin(angle)
    a = 0.6 * np.exp(-(x**2 + y**2) / 1.5)
    across = 1.3 * (np.cos(a) * x - np.sin(a) * y) + 0.2
    up = 0.8 * (np.sin(a) * x + np.cos(a) * y) + 0.15 * x**2
    space = gn.FunctionSpace(np.stack([x, y], -1))
    metric = gn.EnergyMetric(space, gn.GaussianKernel(0.2))
    end = np.stack([across, up], -1)
    geo = gn.geodesic(metric, space.identity, end, method=gn.Shooting())
    assert geo.distance == pytest.approx(1.641079, abs=6e-7)
    assert geo.error_estimate <= 1e-9
    np.testing.assert_allclose(metric.exp(geo.initial_velocity, space.identity), end, atol=1e-8)


def test_products_do_what_the_frame_does(monkeypatch):
    metric = ENERGY_METRICS[0].values[0]
    dense = gn.geodesic(metric, START, END, method=gn.Shooting())
    monkeypatch.setattr(hunts, "DENSE", 4)
    free = gn.geodesic(metric, START, END, method=gn.Shooting(), certify_index=False)
    np.testing.assert_allclose(free.initial_velocity, dense.initial_velocity, atol=1e-9)


# -- the whole path ---------------------------------------------------------------------------


def test_the_path_is_a_function_of_time():
    metric, (start, end) = sphere(3), far_apart(3)
    geo = gn.geodesic(metric, start, end, n_steps=12, method=gn.Shooting())
    ray = gn.ray(metric, start, geo.initial_velocity, rtol=1e-12)
    t = np.linspace(0, 1, 31)
    np.testing.assert_allclose(geo(t), ray(t), atol=1e-9)
    np.testing.assert_allclose(geo.velocity(t), ray.velocity(t), atol=1e-7)
    assert geo.path.shape == (13, 3)
    np.testing.assert_array_equal(geo.path[[0, -1]], [start, end])
    np.testing.assert_allclose(geo.path[5], geo(5 / 12), atol=1e-9)


def test_equal_ends():
    geo = gn.geodesic(sphere(), [0.3, 0.1], [0.3, 0.1], method=gn.Shooting())
    assert geo.distance == 0
    np.testing.assert_array_equal(geo.initial_velocity, 0)


def test_ends_close_together():
    metric = sphere()
    start, step = np.array([0.3, 0.1]), 1e-7 * np.array([1.0, -2.0])
    geo = gn.geodesic(metric, start, start + step, method=gn.Shooting())
    assert geo.distance == pytest.approx(2 * np.linalg.norm(step) / 1.1, rel=1e-6)


# -- index and nullity ------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_antipodes_are_conjugate(dim):
    start, end = np.eye(dim)[0], -np.eye(dim)[0]
    geo = gn.geodesic(sphere(dim), start, end, method=gn.Shooting())
    assert geo.distance == pytest.approx(np.pi, rel=1e-9)
    assert (geo.certificate.morse_index, geo.certificate.nullity) == (0, dim - 1)
    assert geo.certificate.is_minimising == "unknown"


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_a_long_arc_is_not_shortest(dim):
    # the long way round a great circle, from where its path begins
    metric = sphere(dim)
    start = np.r_[0.8, 0.1, np.zeros(dim - 2)]
    ray = gn.ray(metric, start, np.r_[0.0, 1.0, np.zeros(dim - 2)] / 2 * 1.65 * 1.4 * np.pi)
    assert np.pi < ray.length < 2 * np.pi
    path = ray(np.linspace(0, 1, 65))
    geo = gn.geodesic(metric, start, path[-1], method=gn.Shooting(), initial_path=path)
    assert geo.distance == pytest.approx(ray.length, rel=1e-8)
    assert (geo.certificate.morse_index, geo.certificate.nullity) == (dim - 1, 0)
    assert geo.certificate.is_minimising == "no"


# -- far ends, and failure --------------------------------------------------------------------


def test_the_aim_is_led_on_in_parts(monkeypatch):
    metric = half_plane()
    start, end = np.array([-1.0, 0.3]), np.array([1.5, 0.6])
    # a first aim so wrong that Newton's method does not recover from it
    blind = gn.geodesic(metric, start, end)
    wrong = np.array([-40.0, -55.0])
    hunt = hunts.Hunt(gn.Shooting(max_iter=8), metric, start)
    assert hunt.newton(end, metric.flat(wrong, start), 1e-10) is None
    aim = hunts.Aim(wrong, blind)
    shot = hunt.by_parts(end, aim, metric.flat(np.array([2.5, 0.3]), start))
    np.testing.assert_allclose(shot.velocity, blind.initial_velocity, rtol=1e-6)


def test_a_tolerance_below_what_rounding_leaves_is_said():
    # in ten units of length the hyperbolic flow magnifies rounding by e^10/10
    start, end = np.array([-3.0, 0.05]), np.array([3.0, 0.05])
    pattern = r"initial momentum did not hit .*magnifies .*path method"
    with pytest.raises(gn.ConvergenceError, match=pattern) as caught:
        gn.geodesic(half_plane(), start, end, method=gn.Shooting(tol=2e-14))
    found = caught.value.result
    assert not found.certificate.converged
    assert found.path.shape == (17, 2)
    geo = gn.geodesic(half_plane(), start, end, method=gn.Shooting())
    assert abs(geo.distance - np.arccosh(1 + 36 / 0.005)) <= geo.error_estimate <= 1e-8


def test_an_end_that_cannot_be_hit_is_said(monkeypatch):
    monkeypatch.setattr(hunts.Hunt, "newton", lambda *_: None)
    with pytest.raises(gn.ConvergenceError, match=r"by parts of the way either.*path method"):
        gn.geodesic(half_plane(), [-1.0, 0.3], [1.5, 0.6], method=gn.Shooting())


@pytest.mark.parametrize("name", ["tol", "rtol"])
@pytest.mark.parametrize("bad", [0, -1e-8, np.nan, "1e-8"], ids=repr)
def test_bad_tolerances_are_named(name, bad):
    with pytest.raises(gn.InputError, match=rf"^{name}: "):
        gn.Shooting(**{name: bad})


def test_bad_counts_are_named():
    with pytest.raises(gn.InputError, match=r"^max_iter: "):
        gn.Shooting(max_iter=0)


def test_an_end_outside_the_chart_is_named():
    with pytest.raises(gn.errors.DomainError, match=r"^end: .*outside the chart"):
        gn.geodesic(half_plane(), [0.0, 1.0], [0.0, -1.0], method=gn.Shooting())


# -- the tangent equation ---------------------------------------------------------------------


@each_metric
def test_rates_of_changes_are_changes_of_rates(metric):
    rng = np.random.default_rng(0)
    x = START + 0.1 * rng.normal(size=(2, *START.shape))
    p = metric.flat(rng.normal(size=x.shape), x)
    dx = rng.normal(size=(3, *x.shape))
    dp = np.stack([metric.flat(d, x) for d in rng.normal(size=(3, *x.shape))])
    v, force, dv, dforce = metric.linearised_field(x, p, dx, dp)
    np.testing.assert_allclose(np.stack([v, force]), metric.hamiltonian_field(x, p), rtol=1e-9)
    for j in range(3):
        expected = oracles.central_difference(
            lambda y: np.stack(metric.hamiltonian_field(*y)),
            np.stack([x, p]),
            np.stack([dx[j], dp[j]]),
        )
        found = np.stack([dv[j], dforce[j]])
        np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max())
