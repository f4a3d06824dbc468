"""Training of feed-forward networks: exact gradients, digits learned, same seed same numbers."""

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from autograd.scipy.special import erf
from cases import LIKELIHOODS

import geomnet as gn
from geomnet.training.objectives import ModelObjective

ACTIVATIONS = {
    "tanh": anp.tanh,
    "relu": lambda u: anp.maximum(u, 0.0),
    "gelu": lambda u: u * (1 + erf(u / anp.sqrt(2.0))) / 2,
    "logistic": lambda u: 1 / (1 + anp.exp(-u)),
}
SKIPS = {1: 0.25, 2: (1, -0.5)}


def weighted_sample(n=10, dim=3, seed=0, **more):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 1, size=n)
    return gn.Sample(rng.normal(size=(n, dim)), weights / weights.sum(), **more)


def network_of(outputs, activation="tanh"):
    """Three inputs, residual layers of five units, the second of them without bias."""
    return gn.FeedForward((3, 5, 5, 5, outputs), activation, (True, False, True, True), SKIPS)


def naive(theta, x, network, activation):
    """Outputs, θ read anew from its definition: layer by layer W in C order, then b."""
    states, position = [x], 0
    for layer, (inputs, outputs) in enumerate(zip(network.widths, network.widths[1:])):
        weight = anp.reshape(theta[position : position + inputs * outputs], (outputs, inputs))
        position += inputs * outputs
        u = anp.dot(states[-1], weight.T)
        if network.biases[layer]:
            u = u + theta[position : position + outputs]
            position += outputs
        if layer < network.depth - 1:
            u = ACTIVATIONS[activation](u)
        if layer == 1:
            u = states[1] + 0.25 * u
        if layer == 2:
            u = states[1] - 0.5 * u
        states.append(u)
    assert position == len(theta)
    return states[-1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_is_autograds(activation):
    sample, network = weighted_sample(), network_of(4, activation)
    rng = np.random.default_rng(1)
    theta, labels = rng.normal(size=network.n_parameters), rng.integers(0, 4, size=sample.n)

    def expected(theta):
        z = naive(theta, sample.points, network, activation)
        log_p = z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True))
        loss = -anp.sum(sample.weights * log_p[np.arange(sample.n), labels])
        return loss + 0.35 * anp.sum(theta**2)

    objective = ModelObjective(gn.model(network), gn.Categorical(4), sample, labels, 0.7)
    value, gradient = objective(theta)
    assert value == pytest.approx(expected(theta), rel=1e-12)
    np.testing.assert_allclose(gradient, autograd.grad(expected)(theta), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_loss_and_gradient_of_every_likelihood(likelihood):
    sample, network = weighted_sample(), network_of(likelihood.n_parameters)
    rng = np.random.default_rng(2)
    theta = rng.normal(size=network.n_parameters)
    z = naive(theta, sample.points, network, "tanh")
    targets = likelihood.check_targets(oracles.draw(likelihood, z, rng), sample.n)
    objective = ModelObjective(gn.model(network), likelihood, sample, targets, 0.0)
    loss = sum(
        -w * oracles.log_density(likelihood, row, target)
        for w, row, target in zip(sample.weights, z, targets)
    )
    assert objective(theta)[0] == pytest.approx(loss, rel=1e-12)
    assert objective.loss(theta) == pytest.approx(loss, rel=1e-12)
    expected = oracles.numerical_gradient(lambda t: objective(t)[0], theta)
    np.testing.assert_allclose(objective(theta)[1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_batches_add_up_to_the_whole(batch_size):
    sample, network = weighted_sample(n=10), network_of(4)
    labels = np.random.default_rng(3).integers(0, 4, size=10)
    objective = ModelObjective(gn.model(network), gn.Categorical(4), sample, labels, 0.3)
    theta = network.init(seed=1)
    batches = np.array_split(np.random.default_rng(0).permutation(10), 10 // batch_size)
    values, gradients = zip(*(objective(theta, index) for index in batches))
    value, gradient = objective(theta)
    assert np.mean(values) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(np.mean(gradients, axis=0), gradient, atol=1e-13)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (gn.FeedForward((64, 24, 10), "relu"), {"epochs": 40, "learning_rate": 1e-2}),
        (gn.FeedForward((64, *[24] * 5, 10), skips=dict.fromkeys(range(1, 5), 0.25)),
         {"epochs": 60, "method": "lbfgs"}),
    ],
    ids=["relu, adam", "residual tanh, lbfgs"],
)  # fmt: skip
def test_digits_are_learned(network, options):
    sample, heldout = gn.datasets.load_split("digits", n=400, seed=0)
    likelihood = gn.Categorical(10)
    fit = gn.train(network, sample, likelihood, heldout=heldout, weight_decay=1e-3, **options)
    assert fit.readout is None
    assert fit.theta.shape == (network.n_parameters,)
    assert fit.train_accuracy == 1.0
    assert fit.heldout_accuracy > 0.92
    right = np.argmax(network(fit.theta, heldout), axis=1) == heldout.labels
    assert fit.heldout_accuracy == pytest.approx(right.mean())
    # -log p of the label, from the exponentials themselves
    z = network(fit.theta, heldout)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(heldout.n), heldout.labels]))
    assert fit.heldout_losses[-1] == pytest.approx(loss, rel=1e-9)
    assert len(fit.losses) == len(fit.heldout_losses)
    assert fit.action_energy is None


def test_lbfgs_and_natural_gradient_find_one_minimum():
    # a single affine layer is convex: ridge regression of the logits' natural parameters
    rng = np.random.default_rng(4)
    sample = weighted_sample(n=30, labels=rng.integers(0, 3, size=30))
    network = gn.FeedForward((3, 3))
    fit = gn.train(
        network, sample, gn.Categorical(3), method="lbfgs", epochs=300, weight_decay=0.02
    )
    natural = gn.training.natural_gradient(
        network, network.init(1), sample, gn.Categorical(3), weight_decay=0.02, steps=60
    )
    np.testing.assert_allclose(fit.theta, natural.theta, atol=1e-4)


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_same_seed_same_numbers(method):
    sample = gn.datasets.load("iris", n=60, seed=0)
    network = gn.FeedForward((4, 6, 3))

    def run(seed):
        fit = gn.train(
            network, sample, gn.Categorical(3), seed=seed, method=method, epochs=3, batch_size=16
        )
        return fit.theta, fit.losses

    for one, same, other in zip(run(3), run(3), run(4)):
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


def test_training_begins_where_it_is_told():
    sample, network = gn.datasets.load("iris", n=60, seed=0), gn.FeedForward((4, 6, 3))
    theta = network.init(seed=9)
    kept = theta.copy()
    fit = gn.train(
        network, sample, gn.Categorical(3), theta=theta, epochs=1, learning_rate=1e-9
    )  # fmt: skip
    np.testing.assert_array_equal(theta, kept)
    np.testing.assert_allclose(fit.theta, theta, atol=1e-8)
    assert (fit.theta != theta).any()


def test_the_best_of_heldout_is_returned():
    sample = gn.datasets.load("iris", n=60, seed=0)
    contrary = sample.replace(labels=(sample.labels + 1) % 3)
    network = gn.FeedForward((4, 6, 3))
    fit = gn.train(
        network, sample, gn.Categorical(3), heldout=contrary, patience=3, learning_rate=0.02
    )
    objective = ModelObjective(gn.model(network), gn.Categorical(3), contrary, contrary.labels, 0.0)
    assert fit.stopped_early
    assert objective.loss(fit.theta) == pytest.approx(fit.heldout_losses.min(), rel=1e-12)


def test_divergence_is_said():
    sample = gn.datasets.load("iris", n=60, seed=0)
    network = gn.FeedForward((4, *[6] * 8, 3), "relu")
    with pytest.raises(gn.InputError, match=r"^learning_rate: training diverged"):
        gn.train(network, sample, gn.Categorical(3), learning_rate=1e60, weight_decay=0.0)


NETWORK = gn.FeedForward((4, 6, 3))
IRIS = gn.datasets.load("iris", n=40, seed=0)
METRIC = gn.L2Metric(gn.FunctionSpace(IRIS))


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("network", {"network": NETWORK.program}),
        ("likelihood", {"likelihood": gn.Categorical(4)}),
        ("sample", {"sample": gn.Sample(np.ones((3, 5)), labels=[0, 1, 2])}),
        ("heldout", {"heldout": gn.Sample(np.ones((3, 5)), labels=[0, 1, 2])}),
        ("heldout", {"heldout": IRIS.replace(labels=None)}),
        ("theta", {"theta": np.zeros((1, 51))}),
        ("readout", {"readout": gn.Readout(np.ones((3, 4)))}),
        ("train_readout", {"train_readout": False}),
        ("action", {"action": METRIC, "weight": 0.1}),
        ("weight", {"weight": 0.1}),
        ("max_step_lipschitz", {"max_step_lipschitz": 0.5}),
    ],
)
def test_unusable_arguments_are_named(argument, options):
    given = {"network": NETWORK, "sample": IRIS, "likelihood": gn.Categorical(3), **options}
    with pytest.raises(gn.InputError, match=f"^{argument}"):
        gn.train(given.pop("network"), given.pop("sample"), given.pop("likelihood"), **given)
