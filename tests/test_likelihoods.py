"""Likelihoods: Fisher matrices are expected squared scores, and the closed geometry is theirs."""

from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import LIKELIHOODS

import geomnet as gn

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
LOUD = {"over": "raise", "divide": "raise", "invalid": "raise"}


def parameters(likelihood, *shape, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(*shape, likelihood.n_parameters))


def extremes(likelihood, size):
    """Pairs of ends as far as float64 has it: saturated classes and coins, far means."""
    c = likelihood.n_parameters
    if isinstance(likelihood, gn.likelihoods.HeteroscedasticGaussian):
        spread = np.where(np.arange(c) < likelihood.dim, size, min(size, 50))
    else:
        spread = np.full(c, size)
    signs = [np.sign(np.sin((i + 1.0) * (np.arange(c) + 1))) for i in range(4)]
    ends = [s * spread for s in signs] + [np.eye(c)[0] * spread, np.zeros(c), -spread]
    return np.array([[a, b] for a in ends for b in ends]).swapaxes(0, 1)


def as_observed(likelihood, z):
    """Remove what changes no prediction."""
    projector = likelihood.gauge_projector()
    return z if projector is None else z - z.mean(axis=-1, keepdims=True)


# -- Fisher matrix and loss -------------------------------------------------------------------


@each_likelihood
def test_fisher_matrix_is_the_expected_square_of_the_score(likelihood):
    z = parameters(likelihood, 3, seed=1)
    factor, matrix = likelihood.fisher_factor(z), likelihood.fisher_matrix(z)
    for i in range(3):
        expected = oracles.fisher_matrix(likelihood, z[i])
        np.testing.assert_allclose(factor[i].T @ factor[i], expected, atol=1e-13)
        np.testing.assert_allclose(matrix[i], expected, atol=1e-13)


@each_likelihood
def test_fisher_gradient_is_the_derivative_of_the_fisher_norm(likelihood):
    z, v = parameters(likelihood, 2, seed=2), parameters(likelihood, 2, seed=3)
    gradient = likelihood.fisher_gradient(z, v)
    for i in range(2):
        expected = autograd.grad(
            lambda z, i=i: anp.dot(v[i], anp.dot(oracles.fisher_matrix(likelihood, z), v[i]))
        )(z[i])
        np.testing.assert_allclose(gradient[i], expected, atol=1e-12)


@each_likelihood
@pytest.mark.parametrize("size", [0.0, 20.0, 800.0])
def test_autograd_passes_through_the_fisher_factor(likelihood, size):
    # zero and saturated parameters are where roots and moduli lose their derivatives
    z, v = extremes(likelihood, size)[0], parameters(likelihood, 1, seed=4)

    def squared_norm(z):
        factor = likelihood.fisher_factor(z)
        return anp.sum(anp.sum(factor * v[..., None, :], axis=-1) ** 2) + 0.0 * anp.sum(z)

    with np.errstate(**LOUD):
        by_autograd = autograd.grad(squared_norm)(z)
        by_hand = likelihood.fisher_gradient(z, v)
    np.testing.assert_allclose(by_autograd, by_hand, rtol=1e-10, atol=1e-13)


@each_likelihood
def test_leading_axes_are_a_batch(likelihood):
    start, end = parameters(likelihood, 2, 3, seed=5), parameters(likelihood, 2, 3, seed=6)
    times = np.array([0.0, 0.3, 1.0])
    y = likelihood.check_targets(
        oracles.draw(likelihood, start.reshape(6, -1), np.random.default_rng(0)), 6
    )
    y = y.reshape(2, 3, *y.shape[1:])
    whole = [
        likelihood.fisher_factor(start),
        likelihood.fisher_gradient(start, end),
        likelihood.distance(start, end),
        *likelihood.squared_distance_jet(start, end),
        np.moveaxis(likelihood.geodesic(start, end, times), 0, 2),
        likelihood.negative_log_likelihood(start, y),
        likelihood.residual(start, y),
    ]
    for i in np.ndindex(2, 3):
        one = [
            likelihood.fisher_factor(start[i]),
            likelihood.fisher_gradient(start[i], end[i]),
            likelihood.distance(start[i], end[i]),
            *likelihood.squared_distance_jet(start[i], end[i]),
            likelihood.geodesic(start[i], end[i], times),
            likelihood.negative_log_likelihood(start[i], y[i]),
            likelihood.residual(start[i], y[i]),
        ]
        for many, single in zip(whole, one, strict=True):
            assert many[i].shape == np.shape(single)
            np.testing.assert_allclose(many[i], single, rtol=1e-12, atol=1e-14)


@each_likelihood
def test_loss_is_the_log_density_and_the_residual_its_gradient(likelihood):
    z = parameters(likelihood, 5, seed=7)
    y = likelihood.check_targets(oracles.draw(likelihood, z, np.random.default_rng(1)), 5)
    loss, residual = likelihood.negative_log_likelihood(z, y), likelihood.residual(z, y)
    for i in range(5):
        assert loss[i] == pytest.approx(-oracles.log_density(likelihood, z[i], y[i]), rel=1e-12)
        score = autograd.grad(oracles.log_density, 1)(likelihood, z[i], y[i])
        np.testing.assert_allclose(residual[i], -score, atol=1e-13)


@pytest.mark.parametrize(
    ("likelihood", "y", "expected"),
    [
        (gn.Categorical(3), [0, 2], [0.0, 1600.0]),
        (gn.Bernoulli(3), [[1, 0, 1], [1, 1, 0]], [800 + np.log(2), np.log(2)]),
    ],
    ids=["categorical", "bernoulli"],
)
def test_loss_of_saturated_logits_is_their_distance_from_the_data(likelihood, y, expected):
    z, y = np.array([[800.0, 0.0, -800.0]] * 2), likelihood.check_targets(y, 2)
    with np.errstate(**LOUD):
        loss, residual = likelihood.negative_log_likelihood(z, y), likelihood.residual(z, y)
    np.testing.assert_allclose(loss, expected, rtol=1e-14, atol=1e-14)
    assert (np.abs(residual) <= 1).all()


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


# -- the gauge of the logits ------------------------------------------------------------------


def test_a_common_shift_of_the_logits_changes_nothing():
    likelihood = gn.Categorical(4)
    a, b = parameters(likelihood, 5, seed=60), parameters(likelihood, 5, seed=61)
    v, y = parameters(likelihood, 5, seed=62), np.array([0, 1, 2, 3, 0])
    times = np.linspace(0, 1, 4)
    for shift, other in ((1.7, -0.6), (700.0, -700.0)):
        for plain, shifted in (
            (likelihood.distance(a, b), likelihood.distance(a + shift, b + other)),
            (likelihood.fisher_factor(a), likelihood.fisher_factor(a + shift)),
            (likelihood.fisher_gradient(a, v), likelihood.fisher_gradient(a + shift, v + other)),
            (likelihood.residual(a, y), likelihood.residual(a + shift, y)),
            (
                likelihood.negative_log_likelihood(a, y),
                likelihood.negative_log_likelihood(a + shift, y),
            ),
            (likelihood.geodesic(a, b, times), likelihood.geodesic(a + shift, b + other, times)),
            *zip(
                likelihood.squared_distance_jet(a, b),
                likelihood.squared_distance_jet(a + shift, b + other),
                strict=True,
            ),
        ):
            np.testing.assert_allclose(shifted, plain, atol=1e-10 if shift > 10 else 1e-13)


@each_likelihood
def test_the_gauge_is_the_null_space_of_the_fisher_matrix(likelihood):
    matrix = oracles.fisher_matrix(likelihood, parameters(likelihood, seed=63))
    sizes, vectors = np.linalg.eigh(matrix)
    seen = vectors[:, sizes > 1e-12]
    projector = likelihood.gauge_projector()
    projector = np.eye(likelihood.n_parameters) if projector is None else projector
    np.testing.assert_allclose(projector, seen @ seen.T, atol=1e-12)


# -- targets, scores, bad input ---------------------------------------------------------------


@each_likelihood
def test_drawn_targets_pass_and_keep_their_values(likelihood):
    y = oracles.draw(likelihood, parameters(likelihood, 6, seed=70), np.random.default_rng(0))
    checked = likelihood.check_targets(y.tolist(), 6)
    np.testing.assert_array_equal(checked, y)
    assert checked.dtype == (np.int64 if isinstance(likelihood, gn.Categorical) else np.float64)


@pytest.mark.parametrize(
    ("likelihood", "bad"),
    [
        (gn.Categorical(3), [0, 1, 3]),
        (gn.Categorical(3), [0, 1, -1]),
        (gn.Categorical(3), [0, 1, 1.5]),
        (gn.Categorical(3), ["a", "b", "c"]),
        (gn.Categorical(3), [0, 1]),
        (gn.Categorical(3), [[0], [1], [2]]),
        (gn.Bernoulli(), [0, 1, 2]),
        (gn.Bernoulli(), [0.0, 1.0, 0.5]),
        (gn.Bernoulli(), [0.0, 1.0, np.nan]),
        (gn.Bernoulli(), ["0", "1", "0"]),
        (gn.Bernoulli(2), [0, 1, 0]),
        (gn.Gaussian(), [0.0, 1.0, np.nan]),
        (gn.Gaussian(), ["0", "1", "2"]),
        (gn.Gaussian(dim=2), [0.0, 1.0, 2.0]),
        (gn.likelihoods.HeteroscedasticGaussian(), [0.0, 1.0, np.inf]),
        (gn.likelihoods.HeteroscedasticGaussian(), [[0.0, 1.0]] * 3),
    ],
)
def test_bad_targets_are_refused(likelihood, bad):
    with pytest.raises(gn.InputError, match=r"^(labels|targets): "):
        likelihood.check_targets(np.array(bad), 3)


@pytest.mark.filterwarnings("error")
def test_missing_class_indices_are_refused_without_a_warning():
    with pytest.raises(gn.InputError, match=r"^labels: "):
        gn.Categorical(3).check_targets(np.array([0.0, 1.0, np.nan]), 3)


@pytest.mark.parametrize(
    "likelihood", [gn.Bernoulli(), gn.Gaussian(), gn.likelihoods.HeteroscedasticGaussian()]
)
def test_one_output_takes_a_flat_array(likelihood):
    assert likelihood.check_targets([0, 1, 1], 3).tolist() == [[0.0], [1.0], [1.0]]


def test_scores_are_shares_of_right_predictions():
    z = np.array([[2.0, 1.0, 0.0], [0.0, 0.5, 3.0], [0.0, 1.0, 0.0], [5.0, 0.0, 0.0]])
    assert gn.Categorical(3).score(z, np.array([0, 2, 0, 1])) == 0.5
    coins = np.array([[1.0, -1.0], [0.5, 0.5]])
    assert gn.Bernoulli(2).score(coins, np.array([[1.0, 0.0], [0.0, 1.0]])) == 0.75
    assert gn.Gaussian().score(np.zeros((2, 1)), np.zeros((2, 1))) is None


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: gn.Categorical(1), "n_classes"),
        (lambda: gn.Categorical(2.0), "n_classes"),
        (lambda: gn.Bernoulli(0), "dim"),
        (lambda: gn.Gaussian(dim=0), "dim"),
        (lambda: gn.Gaussian(sigma=0.0), "sigma"),
        (lambda: gn.Gaussian(sigma=-1.0), "sigma"),
        (lambda: gn.Gaussian(sigma=np.nan), "sigma"),
        (lambda: gn.Gaussian(sigma="0.5"), "sigma"),
        (lambda: gn.likelihoods.HeteroscedasticGaussian(-1), "dim"),
    ],
)
def test_bad_families_are_refused_by_argument(make, argument):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        make()


@each_likelihood
def test_number_of_parameters_is_the_length_of_the_residual(likelihood):
    z = np.zeros((2, likelihood.n_parameters))
    y = likelihood.check_targets(oracles.draw(likelihood, z, np.random.default_rng(0)), 2)
    assert likelihood.residual(z, y).shape == z.shape
