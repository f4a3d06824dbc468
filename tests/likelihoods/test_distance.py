"""Distance: closed distance, the distance's derivatives, closed geodesics, numbers."""

from itertools import pairwise

import numpy as np
import oracles
import pytest
from likelihoods_common import LOUD, each_likelihood, extremes, parameters

import geomnet as gn


def as_observed(likelihood, z):
    """Remove what changes no prediction."""
    projector = likelihood.gauge_projector()
    return z if projector is None else z - z.mean(axis=-1, keepdims=True)


# -- closed distance --------------------------------------------------------------------------


@each_likelihood
@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_distance_is_the_closed_formula(likelihood, scale):
    start = parameters(likelihood, 20, seed=8, scale=scale)
    end = parameters(likelihood, 20, seed=9, scale=scale)
    expected = [oracles.distance(likelihood, a, b) for a, b in zip(start, end)]
    np.testing.assert_allclose(likelihood.distance(start, end), expected, rtol=1e-8)
    np.testing.assert_allclose(
        likelihood.squared_distance(start, end), np.square(expected), rtol=2e-8
    )


@each_likelihood
@pytest.mark.parametrize("scale", [1e-6, 1.0, 10.0])
def test_distance_is_a_metric(likelihood, scale):
    a, b, c = (parameters(likelihood, 200, seed=s, scale=scale) for s in (10, 11, 12))
    np.testing.assert_allclose(likelihood.distance(a, b), likelihood.distance(b, a), rtol=1e-12)
    np.testing.assert_array_equal(likelihood.distance(a, a), np.zeros(200))
    assert (likelihood.distance(a, b) > 0).all()
    around = likelihood.distance(a, c) + likelihood.distance(c, b)
    assert (likelihood.distance(a, b) <= around * (1 + 1e-12)).all()


@each_likelihood
@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9])
def test_small_steps_have_the_length_the_fisher_matrix_gives(likelihood, step):
    # the norm at the midpoint is right to second order, so rounding is all that is left
    start, moved = parameters(likelihood, 10, seed=13), parameters(likelihood, 10, seed=14)
    end = start + step * moved
    moved = end - start
    norm = [
        np.sqrt(v @ oracles.fisher_matrix(likelihood, m) @ v)
        for m, v in zip((start + end) / 2, moved)
    ]
    ratio = likelihood.distance(start, end) / norm
    np.testing.assert_allclose(ratio, 1.0, atol=10 * step**2 + 1e-15 / step)


@each_likelihood
def test_lists_of_numbers_will_do(likelihood):
    start, end = parameters(likelihood, seed=8), parameters(likelihood, seed=9)
    by_lists = likelihood.distance(start.tolist(), end.tolist())
    assert by_lists == likelihood.distance(start, end)


# -- the distance's derivatives ---------------------------------------------------------------


def assert_jet_is(jet, value, gradient, hessian, **tolerance):
    size = len(gradient) // 2
    np.testing.assert_allclose(jet.value, value, **tolerance)
    np.testing.assert_allclose(jet.gradient_start, gradient[:size], **tolerance)
    np.testing.assert_allclose(jet.gradient_end, gradient[size:], **tolerance)
    np.testing.assert_allclose(jet.hessian_start, hessian[:size, :size], **tolerance)
    np.testing.assert_allclose(jet.mixed, hessian[:size, size:], **tolerance)
    np.testing.assert_allclose(jet.hessian_end, hessian[size:, size:], **tolerance)


@each_likelihood
@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_jet_is_the_derivatives_of_the_closed_formula(likelihood, scale):
    for seed in range(3):
        start = parameters(likelihood, seed=20 + seed, scale=scale)
        end = parameters(likelihood, seed=30 + seed, scale=scale)
        jet = likelihood.squared_distance_jet(start, end)
        gradient, hessian = oracles.squared_distance_derivatives(likelihood, start, end)
        assert_jet_is(
            jet,
            oracles.distance(likelihood, start, end) ** 2,
            gradient,
            hessian,
            rtol=1e-8,
            atol=1e-9 * np.abs(hessian).max(),
        )


@each_likelihood
@pytest.mark.parametrize("step", [1e-2, 2e-3, 5e-4, 1e-4, 1e-5])
def test_jet_near_equal_ends(likelihood, step):
    # on both sides of where the formulas change to their series
    start = parameters(likelihood, seed=40)
    end = start + step * parameters(likelihood, seed=41)
    jet = likelihood.squared_distance_jet(start, end)
    gradient, hessian = oracles.squared_distance_derivatives(likelihood, start, end)
    size = len(start)
    np.testing.assert_allclose(jet.gradient_start, gradient[:size], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(jet.gradient_end, gradient[size:], rtol=1e-9, atol=1e-14)
    # the oracle's own Hessian loses the digits of the step
    loss = 1e-15 / step + 1e-12
    np.testing.assert_allclose(jet.hessian_start, hessian[:size, :size], atol=loss)
    np.testing.assert_allclose(jet.mixed, hessian[:size, size:], atol=loss)
    np.testing.assert_allclose(jet.hessian_end, hessian[size:, size:], atol=loss)


@each_likelihood
def test_jet_at_equal_ends_is_twice_the_fisher_matrix(likelihood):
    z = parameters(likelihood, seed=42)
    jet = likelihood.squared_distance_jet(z, z)
    twice = 2 * oracles.fisher_matrix(likelihood, z)
    assert jet.value == 0
    for gradient in (jet.gradient_start, jet.gradient_end):
        np.testing.assert_allclose(gradient, 0, atol=1e-15)
    np.testing.assert_allclose(jet.hessian_start, twice, atol=1e-13)
    np.testing.assert_allclose(jet.mixed, -twice, atol=1e-13)
    np.testing.assert_allclose(jet.hessian_end, twice, atol=1e-13)


@each_likelihood
@pytest.mark.parametrize("size", [30.0, 800.0, 5000.0])
def test_jet_and_distance_stay_finite_far_out(likelihood, size):
    start, end = extremes(likelihood, size)
    with np.errstate(**LOUD):
        jet = likelihood.squared_distance_jet(start, end)
        distance = likelihood.distance(start, end)
    for part in jet:
        assert np.isfinite(part).all()
    np.testing.assert_allclose(distance**2, jet.value, rtol=1e-12)


@each_likelihood
@pytest.mark.parametrize("size", [1.0, 30.0, 800.0])
def test_exchanging_the_ends_transposes_the_jet(likelihood, size):
    start, end = extremes(likelihood, size)
    one = likelihood.squared_distance_jet(start, end)
    other = likelihood.squared_distance_jet(end, start)
    scale = np.abs(one.hessian_end).max()
    for a, b in (
        (one.value, other.value),
        (one.gradient_start, other.gradient_end),
        (one.hessian_start, other.hessian_end),
        (one.mixed, np.swapaxes(other.mixed, -1, -2)),
        (one.hessian_start, np.swapaxes(one.hessian_start, -1, -2)),
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13 * scale)


# -- closed geodesics -------------------------------------------------------------------------


@each_likelihood
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 8.0])
def test_geodesic_has_the_right_ends_and_constant_speed(likelihood, scale):
    start = parameters(likelihood, 6, seed=50, scale=scale)
    end = parameters(likelihood, 6, seed=51, scale=scale)
    path = likelihood.geodesic(start, end, np.linspace(0, 1, 9))
    assert path.shape == (9, *start.shape)
    np.testing.assert_allclose(path[0], as_observed(likelihood, start), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(path[-1], as_observed(likelihood, end), rtol=1e-9, atol=1e-15)
    # consecutive distances are equal and add up to the distance: it is the shortest path
    steps = likelihood.distance(path[:-1], path[1:])
    expected = np.broadcast_to(likelihood.distance(start, end) / 8, steps.shape)
    np.testing.assert_allclose(steps, expected, rtol=1e-9, atol=2e-15)


@each_likelihood
def test_geodesic_has_the_length_its_fisher_norm_integrates_to(likelihood):
    start, end = parameters(likelihood, seed=52), parameters(likelihood, seed=53)
    path = likelihood.geodesic(start, end, np.linspace(0, 1, 101))
    length = sum(
        np.sqrt((b - a) @ oracles.fisher_matrix(likelihood, (a + b) / 2) @ (b - a))
        for a, b in pairwise(path)
    )
    assert length == pytest.approx(float(likelihood.distance(start, end)), rel=1e-3)


@each_likelihood
def test_geodesic_backwards_is_the_geodesic_of_the_exchanged_ends(likelihood):
    start, end = parameters(likelihood, 4, seed=54), parameters(likelihood, 4, seed=55)
    times = np.array([0.0, 0.1, 0.45, 0.8, 1.0])
    np.testing.assert_allclose(
        likelihood.geodesic(start, end, times),
        likelihood.geodesic(end, start, 1 - times),
        rtol=1e-10,
        atol=1e-12,
    )


@each_likelihood
@pytest.mark.parametrize("size", [30.0, 800.0, 2000.0])
def test_geodesic_stays_finite_far_out(likelihood, size):
    start, end = extremes(likelihood, size)
    with np.errstate(**LOUD):
        path = likelihood.geodesic(start, end, np.linspace(0, 1, 5))
    assert np.isfinite(path).all()
    tolerance = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(path[0], as_observed(likelihood, start), **tolerance)
    np.testing.assert_allclose(path[-1], as_observed(likelihood, end), **tolerance)


@each_likelihood
def test_geodesic_of_equal_ends_rests(likelihood):
    z = parameters(likelihood, 3, seed=56)
    path = likelihood.geodesic(z, z, np.linspace(0, 1, 5))
    expected = np.broadcast_to(as_observed(likelihood, z), path.shape)
    np.testing.assert_allclose(path, expected, atol=1e-14)


# -- numbers ----------------------------------------------------------------------------------


def test_uniform_to_one_hot():
    one_hot = np.where(np.arange(10) == 3, 800.0, 0.0)
    assert gn.Categorical(10).distance(np.zeros(10), one_hot) == pytest.approx(
        2 * np.arccos(10**-0.5), rel=1e-14
    )
    assert 2 * np.arccos(10**-0.5) == pytest.approx(2.498092, abs=5e-7)


def test_different_one_hots_are_a_quarter_of_the_sphere_apart():
    ends = 800 * np.eye(4)
    apart = gn.Categorical(4).distance(ends[:, None], ends[None])
    np.testing.assert_allclose(apart, np.pi * (1 - np.eye(4)), atol=1e-14)


def test_normal_densities_on_a_grid_are_on_the_sphere():
    # all densities allowed, N(0, 1) and N(m, 1) are 2 arccos exp(−m²/8) apart
    grid = np.linspace(-12, 14, 400)
    for m in (0.5, 2.0):
        distance = gn.Categorical(400).distance(-(grid**2) / 2, -((grid - m) ** 2) / 2)
        assert distance == pytest.approx(2 * np.arccos(np.exp(-(m**2) / 8)), rel=1e-10)


def test_two_classes_are_one_coin():
    a, b = np.random.default_rng(0).normal(size=(2, 50, 1)) * 3
    two = gn.Categorical(2).distance(
        np.concatenate([a, 0 * a], axis=-1), np.concatenate([b, 0 * b], axis=-1)
    )
    np.testing.assert_allclose(gn.Bernoulli().distance(a, b), two, rtol=1e-12)


def test_coins_are_intervals_of_length_pi():
    assert gn.Bernoulli().distance([-10.0], [10.0]) == pytest.approx(3.115, abs=5e-4)
    for size in (100.0, 800.0, 5000.0):
        assert gn.Bernoulli().distance([-size], [size]) == pytest.approx(np.pi, rel=1e-14)


def test_normal_distributions_of_two_spreads():
    start, end = [-1.0, np.log(0.4)], [1.0, np.log(0.6)]
    expected = np.sqrt(2) * np.arccosh(1 + (2.0**2 / 2 + 0.2**2) / (2 * 0.4 * 0.6))
    likelihood = gn.likelihoods.HeteroscedasticGaussian()
    assert likelihood.distance(start, end) == pytest.approx(expected, rel=1e-14)
    vertical = likelihood.distance([0.0, 0.0], [0.0, 3.0])
    assert vertical == pytest.approx(3 * np.sqrt(2), rel=1e-14)


def test_outputs_add_squared_distances():
    start, end = np.random.default_rng(1).normal(size=(2, 4))
    both = gn.likelihoods.HeteroscedasticGaussian(2).squared_distance(start, end)
    parts = [
        gn.likelihoods.HeteroscedasticGaussian().squared_distance(start[k::2], end[k::2])
        for k in (0, 1)
    ]
    assert both == pytest.approx(sum(parts), rel=1e-13)
    coins = gn.Bernoulli(4).squared_distance(start, end)
    each = [gn.Bernoulli().squared_distance(start[[k]], end[[k]]) for k in range(4)]
    assert coins == pytest.approx(sum(each), rel=1e-13)
