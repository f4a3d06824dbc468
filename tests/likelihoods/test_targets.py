"""Targets: the gauge of the logits, targets, scores, bad input."""

import numpy as np
import oracles
import pytest
from likelihoods_common import each_likelihood, parameters

import geomnet as gn

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
