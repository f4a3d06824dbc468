"""Laws of Fisher information: what it is invariant under, and what it measures."""

from itertools import pairwise

import autograd.numpy as anp
import fisher_oracles
import numpy as np
import oracles
import pytest
from fisher_cases import (
    CASES,
    KINDS,
    LIKELIHOODS,
    POINTS,
    WEIGHTS,
    close,
    each_case,
    each_case_and_kind,
)
from sklearn.datasets import load_digits

import geomnet as gn

each_likelihood = pytest.mark.parametrize("name", LIKELIHOODS)

# -- reference numbers ------------------------------------------------------------------------


def reference(count=None):
    """The MLP 64-64-64-10 of the reference, on the digits."""
    rng = np.random.default_rng(0)
    weights, biases = [], []
    for inputs, outputs in ((64, 64), (64, 64), (64, 10)):
        weights.append(rng.normal(0, 1 / np.sqrt(inputs), (outputs, inputs)))
        biases.append(0.1 * rng.normal(size=outputs))
    return *gn.FeedForward.from_arrays(weights, biases), load_digits().data[:count] / 16


def test_reference_numbers_of_all_digits():
    fisher = gn.FisherInformation(*reference(), gn.Categorical(10))
    assert fisher.trace() == pytest.approx(24.50548198145139, rel=1e-14)
    assert fisher.kfac().trace() == pytest.approx(24.56619777933684, rel=1e-14)
    expected = [3.95997214762, 2.91396693463, 2.06177511442]
    np.testing.assert_allclose(fisher.eigvalsh(3), expected, rtol=0, atol=5.1e-12)


def test_reference_numbers_of_a_hundred_digits():
    fisher = gn.FisherInformation(*reference(100), gn.Categorical(10))
    values = fisher.eigvalsh()
    assert (values > 1e-14 * values[0]).sum() == fisher.rank_bound == 900
    assert fisher.frobenius() == pytest.approx(6.4914702163646, rel=1e-14)
    assert fisher.logdet(0.01, relative=True) == pytest.approx(291.028768, abs=5.1e-7)
    tangent = gn.FisherInformation(*reference(100), gn.Gaussian(1.0, 10))
    assert np.trace(tangent.dual_gram()) * 100 == pytest.approx(27834.727067685, rel=1e-13)
    assert tangent.trace() * 100 == pytest.approx(27834.727067685, rel=1e-13)


# -- sums and squares -------------------------------------------------------------------------


@each_case_and_kind
def test_positive_and_added_up(case, kind):
    fisher = case.fisher(kind)
    dense, values = fisher.dense(), np.linalg.eigvalsh(fisher.dense())
    np.testing.assert_allclose(dense, dense.T, atol=1e-14 * values[-1])
    assert values[0] > -1e-14 * values[-1]
    assert fisher.trace(per_layer=True).sum() == pytest.approx(fisher.trace(), rel=1e-14)
    assert fisher.eigvalsh().sum() == pytest.approx(fisher.trace(), rel=1e-12)
    assert np.linalg.norm(fisher.eigvalsh()) == pytest.approx(fisher.frobenius(), rel=1e-12)


@pytest.mark.parametrize("kind", ["true", "empirical"])
@each_case
def test_average_over_data(case, kind):
    """G is the weighted mean of the G of single data."""
    sample, total = case.sample, 0.0
    for i, weight in enumerate(WEIGHTS):
        labels = None if sample.labels is None else sample.labels[i : i + 1]
        target = None if sample.target is None else sample.target[i : i + 1]
        one = gn.Sample(POINTS[i : i + 1], labels=labels, target=target)
        total = (
            total
            + weight
            * gn.FisherInformation(
                case.network, case.theta, one, case.likelihood, case.readout, kind
            ).diag()
        )
    close(case.fisher(kind).diag(), total)


@pytest.mark.parametrize("name", ["tanh", "residual", "tanh_rk4", "function_euler"])
def test_a_datum_twice_is_a_datum_of_twice_the_weight(name):
    case = CASES[name]
    twice = gn.Sample(np.concatenate([POINTS, POINTS[1:2]]))
    once = gn.Sample(POINTS, np.array([1, 2, 1, 1, 1]) / 6)
    found = [
        gn.FisherInformation(case.network, case.theta, sample, case.likelihood, case.readout)
        for sample in (once, twice)
    ]
    close(found[0].dense(), found[1].dense())
    close(found[0].eigvalsh(), found[1].eigvalsh())
    if name != "function_euler":
        close(found[0].kfac().trace(), found[1].kfac().trace())


def test_data_of_hardly_any_weight():
    case = CASES["tanh"]
    weights = np.array([1.0, 1e-300, 1e-300, 1e-300, 1e-300])
    found, alone = (
        gn.FisherInformation(case.network, case.theta, sample, case.likelihood)
        for sample in (gn.Sample(POINTS, weights), gn.Sample(POINTS[:1]))
    )
    close(found.dense(), alone.dense())
    close(found.eigvalsh(6), alone.eigvalsh(6))


# -- kinds ------------------------------------------------------------------------------------


@each_likelihood
def test_empirical_over_all_labels_is_true(name):
    """Of one datum, by the probabilities of its labels (for real targets, Gauss's nodes)."""
    likelihood = LIKELIHOODS[name]
    network = gn.FeedForward((3, 4, likelihood.n_parameters))
    theta = network.init(2)

    def matrix(kind="true", **target):
        sample = gn.Sample(POINTS[:1], **target)
        return gn.FisherInformation(network, theta, sample, likelihood, kind=kind).dense()

    z, total = network(theta, POINTS[:1])[0], 0.0
    for probability, y in oracles.outcomes(likelihood, z):
        target = {"labels": [y]} if name == "categorical" else {"target": [y]}
        total = total + probability * matrix("empirical", **target)
    close(total, matrix())


@each_likelihood
def test_monte_carlo_tends_to_true(name):
    """Means of squares of N draws: unbiased, of variance 1/N of that of one draw."""
    likelihood = LIKELIHOODS[name]
    network = gn.FeedForward((3, 4, likelihood.n_parameters))
    theta, v = network.init(2), np.random.default_rng(0).normal(size=4 * 4 + 5 * 6)

    def square(kind, seed=0, n_draws=1):
        fisher = gn.FisherInformation(
            network, theta, POINTS, likelihood, kind=kind, seed=seed, n_draws=n_draws
        )
        return fisher.norm(v[: fisher.n_parameters]) ** 2

    exact, seeds = square("true"), range(200)
    for n_draws in (1, 16):
        found = np.array([square("mc", seed, n_draws) for seed in seeds])
        spread = found.std(ddof=1)
        assert abs(found.mean() - exact) < 4 * spread / np.sqrt(len(found))
        if n_draws == 1:
            single = spread
    # the standard error of a ratio of spreads of 200 numbers is about a tenth, for such tails
    assert 0.6 < 4 * spread / single < 1.5
    assert abs(square("mc", 1, 5000) - exact) < 4 * single / np.sqrt(5000)


def test_draws_are_of_the_seed():
    case = CASES["tanh"]
    first, same, other = (case.new("mc", seed=seed).diag() for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


# -- information ------------------------------------------------------------------------------

DIVERGENCES = ["categorical", "bernoulli", "gaussian", "heteroscedastic", "skip", "activations",
               "readout", "tanh_rk4", "features_midpoint", "function_rk4", "rk4_bernoulli",
               "rk4_heteroscedastic", "function_of_theta"]  # fmt: skip


@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergence_is_half_the_squared_length(name):
    """KL(θ, θ + εv) = ½ε²vᵀGv + O(ε³), the order fitted."""
    case = CASES[name]
    theta, fisher = case.parameters, case.fisher("true")
    v = np.random.default_rng(1).normal(size=len(theta))
    v /= np.linalg.norm(v)
    steps = 0.2 / 2.0 ** np.arange(4)
    errors = []
    for step in steps:
        each = [
            fisher_oracles.log_likelihood_gap(
                case.likelihood, case.forward(theta, x), case.forward(theta + step * v, x)
            )
            for x in POINTS
        ]
        errors.append(abs(WEIGHTS @ each - 0.5 * step**2 * fisher.norm(v) ** 2))
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert 2.7 < order < 4.4
    assert errors[-1] < 0.1 * 0.5 * steps[-1] ** 2 * fisher.norm(v) ** 2


# -- invariance -------------------------------------------------------------------------------


def test_covariant_under_reparametrisation():
    """In coordinates η, θ = φ(η): AᵀGA, A = ∂φ/∂η."""
    case = CASES["function_of_theta"]
    mix = np.random.default_rng(6).normal(size=(5, 5)) / 2

    def moved(eta):
        return anp.tanh(anp.dot(mix, eta)) + 0.3 * eta**3

    eta = np.array([0.2, -0.5, 0.8, 0.1, 0.4])
    slope = mix * (1 - np.tanh(mix @ eta) ** 2)[:, None] + np.diag(0.9 * eta**2)
    old = gn.FisherInformation(case.function, moved(eta), case.sample, case.likelihood)
    new = gn.FisherInformation(
        lambda eta, x: case.network(moved(eta), x), eta, case.sample, case.likelihood
    )
    close(new.dense(), slope.T @ old.dense() @ slope)
    v = np.arange(5.0)
    assert new.norm(v) == pytest.approx(old.norm(slope @ v), rel=1e-12)


def random_layers(widths, seed, biases):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(widths)]
    return weights, [rng.normal(size=b) if biases else None for b in widths[1:]]


@pytest.mark.parametrize("widths", [(3,), (3, 5), (3, 5, 1, 4), (3, 6, 2, 5)])
@each_likelihood
def test_fisher_rao_norm_of_rectified_networks(name, widths):
    """θᵀGθ = (L + 1)²E[zᵀFz] without biases (Liang et al. 2019)."""
    likelihood = LIKELIHOODS[name]
    weights, biases = random_layers((*widths, likelihood.n_parameters), 4, biases=False)
    weights = [0.7 * w for w in weights]
    network, theta = gn.FeedForward.from_arrays(weights, biases, "relu")
    sample = gn.Sample(POINTS, WEIGHTS)
    fisher = gn.FisherInformation(network, theta, sample, likelihood)
    z = network(theta, POINTS)
    squares = [row @ oracles.fisher_matrix(likelihood, row) @ row for row in z]
    expected = len(weights) ** 2 * (WEIGHTS @ squares)
    assert expected > 0
    assert fisher.fisher_rao_norm() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_rescaled_units(kind):
    """A ReLU unit's weights in times c and out by c: the norm stays, the trace does not."""
    weights, biases = random_layers((3, 6, 4), 5, biases=True)
    scale = np.exp(np.random.default_rng(7).normal(size=6))
    scaled = [weights[0] * scale[:, None], weights[1] / scale]
    offsets = [biases[0] * scale, biases[1]]
    sample = CASES["tanh"].sample
    found = [
        gn.FisherInformation(
            *gn.FeedForward.from_arrays(w, b, "relu"), sample, gn.Categorical(4), kind=kind
        )
        for w, b in ((weights, biases), (scaled, offsets))
    ]
    close(found[0].predictions, found[1].predictions, 1e-13)
    assert found[1].fisher_rao_norm() == pytest.approx(found[0].fisher_rao_norm(), rel=1e-12)
    close(found[0].layer_norms(), found[1].layer_norms())
    assert abs(found[1].trace() / found[0].trace() - 1) > 0.1


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_permuted_units(activation):
    """Units in another order: the same spectrum, blocks' traces and norms."""
    weights, biases = random_layers((3, 6, 5, 4), 5, biases=True)
    order, other = np.random.default_rng(8).permutation(6), np.random.default_rng(9).permutation(5)
    turned = [weights[0][order], weights[1][other][:, order], weights[2][:, other]]
    offsets = [biases[0][order], biases[1][other], biases[2]]
    found = [
        gn.FisherInformation(
            *gn.FeedForward.from_arrays(w, b, activation), POINTS, gn.Categorical(4)
        )
        for w, b in ((weights, biases), (turned, offsets))
    ]
    for method in ("gram", "dense"):
        close(found[0].eigvalsh(method=method), found[1].eigvalsh(method=method))
    close(found[0].trace(per_layer=True), found[1].trace(per_layer=True))
    close(found[0].kfac().eigvalsh(), found[1].kfac().eigvalsh())
    close(np.sort(found[0].diag()), np.sort(found[1].diag()))


# -- extremes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.0, 5.0, 50.0, 100.0, 300.0, 800.0])
def test_saturated_classes(margin):
    """F = Σ_{a<b} p_a p_b (e_a − e_b)(e_a − e_b)ᵀ has no differences: every digit is right."""
    rng = np.random.default_rng(1)
    weights, offset = rng.normal(size=(4, 3)), np.array([0.0, -margin, -margin, -1.1 * margin])
    network, theta = gn.FeedForward.from_arrays([weights], [offset])
    z = network(theta, POINTS)
    fisher = gn.FisherInformation(network, theta, POINTS, gn.Categorical(4))
    shifted = np.exp(z - z.max(axis=1, keepdims=True))
    p, expected = shifted / shifted.sum(axis=1, keepdims=True), np.zeros((16, 16))
    for x, row in zip(POINTS, p):
        f = -np.outer(row, row)
        np.fill_diagonal(f, [sum(row[a] * row[b] for b in range(4) if a != b) for a in range(4)])
        jacobian = np.hstack([np.kron(np.eye(4), x), np.eye(4)])
        expected += jacobian.T @ f @ jacobian / 5
    if margin == 800:  # below every float
        assert not fisher.dense().any()
        assert not fisher.eigvalsh(3).any()
        return
    close(fisher.dense(), expected)
    v = rng.normal(size=16)
    close(fisher.matvec(v), expected @ v)
    close(fisher.norm(v) ** 2, v @ expected @ v)
    close(fisher.diag(), np.diag(expected))
    close(fisher.eigvalsh(method="gram")[:2], np.linalg.eigvalsh(expected)[::-1][:2])
    close(fisher.eigvalsh(2, method="lanczos"), np.linalg.eigvalsh(expected)[::-1][:2])


@pytest.mark.parametrize("z", [-800.0, -50.0, 50.0, 300.0])
def test_saturated_coins(z):
    network, theta = gn.FeedForward.from_arrays([[[0.0]]], [[z]])
    fisher = gn.FisherInformation(network, theta, [[2.0]], gn.Bernoulli())
    decay = np.exp(-abs(z))
    expected = np.array([[4.0, 2.0], [2.0, 1.0]]) * decay / (1 + decay) ** 2
    np.testing.assert_allclose(fisher.dense(), expected, rtol=1e-13)
    np.testing.assert_allclose(fisher.matvec([1.0, 0.0]), expected[0], rtol=1e-13)


@pytest.mark.parametrize("margin", [1.0, 50.0, 300.0])
def test_saturated_scores(margin):
    """A confident, right prediction leaves p − y small, not zero."""
    network, theta = gn.FeedForward.from_arrays([[[0.0], [0.0]]], [[margin, 0.0]])
    sample = gn.Sample([[1.0]], labels=np.array([0]))
    fisher = gn.FisherInformation(network, theta, sample, gn.Categorical(2), kind="empirical")
    coin, logit = gn.FeedForward.from_arrays([[[0.0]]], [[-margin]])
    other = gn.FisherInformation(coin, logit, sample, gn.Bernoulli(), kind="empirical")
    wrong = np.exp(-margin) / (1 + np.exp(-margin))
    np.testing.assert_allclose(fisher.diag(), np.full(4, wrong**2), rtol=1e-13)
    np.testing.assert_allclose(other.diag(), np.full(2, wrong**2), rtol=1e-13)


def test_one_parameter_and_one_datum():
    """z = θx: G = x²/σ²."""
    network, theta = gn.FeedForward.from_arrays([[[3.0]]])
    fisher = gn.FisherInformation(network, theta, [[2.0]], gn.Gaussian(0.5))
    for method in ("auto", "gram", "dense", "lanczos"):
        assert fisher.eigvalsh(1, method=method) == pytest.approx([16.0], rel=1e-14)
        values, vectors = fisher.eigsh(1, method=method)
        assert (values[0], abs(vectors[0, 0])) == pytest.approx((16.0, 1.0))
    assert fisher.frobenius() == fisher.trace() == fisher.kfac().trace() == pytest.approx(16.0)
    assert fisher.logdet(2.0) == pytest.approx(np.log(18.0))
    assert fisher.logdet(2.0, method="stochastic") == pytest.approx(np.log(18.0))
    assert fisher.solve([9.0], 2.0) == pytest.approx([0.5])
    assert fisher.fisher_rao_norm() == pytest.approx(144.0)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "silu"])
def test_zero_network(activation):
    """Only the last biases matter: I/C − 11ᵀ/C²."""
    network = gn.FeedForward((3, 5, 5, 4), activation)
    fisher = gn.FisherInformation(network, np.zeros(74), POINTS, gn.Categorical(4))
    expected = np.zeros((74, 74))
    expected[-4:, -4:] = np.eye(4) / 4 - 1 / 16
    np.testing.assert_allclose(fisher.dense(), expected, atol=1e-16)
    for method in ("gram", "lanczos"):
        for k in (1, 3, 4, 15):
            values, vectors = fisher.eigsh(k, method=method)
            np.testing.assert_allclose(values, [*[0.25] * 3, *[0.0] * 12][:k], atol=1e-15)
            np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-12)
    assert fisher.logdet(0.25, relative=True) == pytest.approx(3 * np.log(2), rel=1e-14)
    assert fisher.fisher_rao_norm() == 0


def test_no_information():
    """G = 0, where neither inputs nor biases say anything."""
    network = gn.FeedForward((3, 4), biases=False)
    fisher = gn.FisherInformation(network, np.zeros(12), np.zeros((5, 3)), gn.Categorical(4))
    for method in ("gram", "dense", "lanczos"):
        for k in (1, 2, 6, 12):
            assert not fisher.eigvalsh(k, method=method).any()
    assert fisher.logdet(0.1, relative=True) == 0
    assert fisher.logdet(0.1, relative=True, method="stochastic") == 0
    np.testing.assert_allclose(fisher.solve(np.arange(12.0), 0.5), 2 * np.arange(12.0))
    assert not fisher.kfac().eigvalsh().any()


def test_many_classes():
    """One linear layer on 500 classes: G = Σ w F(z) ⊗ (x, 1)(x, 1)ᵀ."""
    rng = np.random.default_rng(0)
    network, theta = gn.FeedForward.from_arrays([rng.normal(size=(500, 3))])
    fisher = gn.FisherInformation(network, theta, POINTS, gn.Categorical(500))
    p = np.exp(network(theta, POINTS))
    p /= p.sum(axis=1, keepdims=True)
    squares = (POINTS**2).sum(axis=1)
    assert fisher.trace() == pytest.approx(np.mean(squares * (1 - (p**2).sum(axis=1))), rel=1e-12)
    v = rng.normal(size=(500, 3))
    moved = POINTS @ v.T
    centred = moved - (p * moved).sum(axis=1, keepdims=True)
    close(fisher.matvec(v.reshape(-1)), ((p * centred).T @ POINTS / 5).reshape(-1))
    values = fisher.eigvalsh(4)
    close(fisher.eigvalsh(4, method="lanczos"), values)
    assert values.sum() < fisher.trace()
