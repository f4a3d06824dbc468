"""Likelihoods: Fisher matrices are expected squared scores, and the closed geometry is theirs."""

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from likelihoods_common import LOUD, each_likelihood, extremes, parameters

import geomnet as gn

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
