"""Training descends the loss it states by its exact gradient; same seed, same numbers."""

import numpy as np
import oracles
import pytest
from cases import INTEGRATORS, LIKELIHOODS

import geomnet as gn
from geomnet.training.objectives import PathObjective

NETWORK = gn.Network(gn.TanhField(dim=2, width=3), depth=3)


def weighted_sample(n=10, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 1, size=n)
    return gn.Sample(rng.normal(size=(n, 2)), weights / weights.sum())


def quadrants(n=48, seed=0, dim=2):
    """Two classes that no line tells apart: the sign of x₁x₂."""
    points = np.random.default_rng(seed).normal(size=(n, dim))
    points[:, :2] += 0.3 * np.sign(points[:, :2])
    return gn.Sample(points, labels=(points[:, 0] * points[:, 1] > 0).astype(int))


def objective_of(likelihood, sample, *, network=NETWORK, decay=0.0, seed=0):
    """The objective, packed parameters to evaluate it at, and the targets drawn for it."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=network.parameters_shape)
    readout = gn.Readout(
        rng.normal(size=(likelihood.n_parameters, 2)), rng.normal(size=likelihood.n_parameters)
    )
    z = readout(network(theta, sample.points))
    targets = likelihood.check_targets(oracles.draw(likelihood, z, rng), sample.n)
    objective = PathObjective(network, likelihood, sample, targets, decay)
    return objective, objective.pack(theta, readout), (theta, readout, targets)


def loss_of(fit, network, likelihood, sample, targets=None):
    """Weighted mean of −log p over the sample, datum by datum."""
    z = fit.readout(network(fit.theta, sample.points))
    y = likelihood.check_targets(sample.labels if targets is None else targets, sample.n)
    return sum(
        -w * oracles.log_density(likelihood, row, target)
        for w, row, target in zip(sample.weights, z, y)
    )


# -- the objective ----------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_objective_is_the_penalised_weighted_mean_loss(likelihood):
    sample = weighted_sample()
    objective, parameters, (theta, readout, y) = objective_of(likelihood, sample, decay=0.7)
    z = readout(NETWORK(theta, sample.points))
    loss = sum(
        -w * oracles.log_density(likelihood, row, target)
        for w, row, target in zip(sample.weights, z, y)
    )
    effort = sum(np.sum(layer**2) for layer in theta) / 3
    penalty = 0.7 / 2 * (effort + np.sum(readout.weight**2))
    assert objective(parameters)[0] == pytest.approx(loss + penalty, rel=1e-12)
    assert objective.loss(parameters) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_gradient_of_the_objective(likelihood):
    objective, parameters, _ = objective_of(likelihood, weighted_sample(), decay=0.7)
    expected = oracles.numerical_gradient(lambda p: objective(p)[0], parameters)
    np.testing.assert_allclose(objective(parameters)[1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_gradient_through_each_integrator(integrator):
    network = gn.Network(gn.TanhField(2, 3), 2, integrator)
    objective, parameters, _ = objective_of(
        gn.Categorical(3), weighted_sample(), network=network, decay=0.1
    )
    expected = oracles.numerical_gradient(lambda p: objective(p)[0], parameters)
    np.testing.assert_allclose(objective(parameters)[1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 10])
def test_batches_add_up_to_the_whole(batch_size):
    # a batch drawn at random is an unbiased estimate only if heavy points stay heavy in it
    objective, parameters, _ = objective_of(gn.Categorical(4), weighted_sample(n=10), decay=0.3)
    batches = np.array_split(np.random.default_rng(0).permutation(10), 10 // batch_size)
    values, gradients = zip(*(objective(parameters, index) for index in batches))
    value, gradient = objective(parameters)
    assert np.mean(values) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(np.mean(gradients, axis=0), gradient, atol=1e-13)


# -- what training does -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"method": "lbfgs", "epochs": 60}, {"epochs": 100, "batch_size": 16, "learning_rate": 0.05}],
    ids=["lbfgs", "adam"],
)
def test_both_methods_learn_what_no_linear_model_can(options):
    sample, network = quadrants(), gn.Network(gn.TanhField(2, 8), 4)
    fit = gn.train(network, sample, gn.Categorical(2), weight_decay=1e-3, **options)
    assert fit.train_accuracy > 0.95
    assert fit.losses[-1] < 0.5 * fit.losses[0]
    assert fit.losses[-1] == pytest.approx(
        loss_of(fit, network, gn.Categorical(2), sample), rel=1e-10
    )
    right = np.argmax(fit.readout(network(fit.theta, sample)), axis=1) == sample.labels
    assert fit.train_accuracy == pytest.approx(right.mean())
    assert not fit.stopped_early


def test_an_affine_network_finds_the_least_squares():
    # every affine map is I, a linear flow and a readout apart: the minimum is that of lstsq
    rng = np.random.default_rng(1)
    sample = weighted_sample(n=30, seed=1)
    targets = sample.points @ rng.normal(size=(2, 2)) + 0.5 + 0.3 * rng.normal(size=(30, 2))
    root = np.sqrt(sample.weights)[:, None]
    design = np.column_stack([sample.points, np.ones(30)])
    best = np.linalg.lstsq(root * design, root * targets, rcond=None)[0]
    squares = np.sum(sample.weights[:, None] * (design @ best - targets) ** 2)
    fit = gn.train(
        gn.Network(gn.networks.LinearField(2), 2),
        sample,
        gn.Gaussian(0.5, 2),
        targets=targets,
        method="lbfgs",
        epochs=300,
        weight_decay=0.0,
    )
    assert fit.losses[-1] == pytest.approx(
        squares / (2 * 0.5**2) + np.log(2 * np.pi * 0.5**2), abs=1e-7
    )
    assert fit.train_accuracy is None


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_same_seed_same_numbers(method):
    def run(seed):
        fit = gn.train(
            NETWORK, quadrants(), gn.Categorical(2), seed=seed, method=method, epochs=3,
            batch_size=10,
        )  # fmt: skip
        return fit.theta, fit.readout.weight, fit.readout.bias, fit.losses

    for one, same, other in zip(run(3), run(3), run(4)):
        np.testing.assert_array_equal(one, same)
        assert (one != other).all()


def test_adam_is_the_published_recursion_with_a_cosine_rate():
    sample, likelihood, epochs = quadrants(n=20), gn.Categorical(2), 7
    theta, readout = NETWORK.init(seed=2), gn.Readout(np.eye(2), [0.1, -0.1])
    fit = gn.train(
        NETWORK, sample, likelihood, theta=theta, readout=readout, epochs=epochs,
        batch_size=20, learning_rate=0.03, weight_decay=0.2,
    )  # fmt: skip
    objective = PathObjective(NETWORK, likelihood, sample, sample.labels, 0.2)
    x = objective.pack(theta, readout)
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, epochs + 1):
        gradient = objective(x)[1]
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
        rate = 0.03 * (1 + np.cos(np.pi * (t - 1) / epochs)) / 2
        x = x - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    np.testing.assert_allclose(objective.pack(fit.theta, fit.readout), x, atol=1e-9)


def test_batches_are_drawn_with_the_seed():
    options = {"theta": NETWORK.init(seed=2), "readout": gn.Readout(np.eye(2)), "epochs": 2}

    def run(**more):
        return gn.train(NETWORK, quadrants(), gn.Categorical(2), **options, **more).theta

    assert (run(seed=0, batch_size=10) != run(seed=1, batch_size=10)).any()
    np.testing.assert_allclose(run(seed=0, batch_size=48), run(seed=1, batch_size=48), atol=1e-9)


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_training_begins_where_it_is_told(method):
    theta = NETWORK.init(seed=9)
    readout = gn.Readout(np.ones((2, 2)), np.array([0.5, -0.5]))
    kept = theta.copy(), readout.weight.copy(), readout.bias.copy()
    options = {"theta": theta, "readout": readout, "method": method, "epochs": 1}
    fit = gn.train(
        NETWORK, quadrants(), gn.Categorical(2), learning_rate=1e-9, weight_decay=0.0, **options
    )
    for now, before in zip((theta, readout.weight, readout.bias), kept):
        np.testing.assert_array_equal(now, before)
    if method == "adam":
        np.testing.assert_allclose(fit.theta, theta, atol=1e-8)
        np.testing.assert_allclose(fit.readout.bias, readout.bias, atol=1e-8)
    else:
        before = gn.train(
            NETWORK, quadrants(), gn.Categorical(2), learning_rate=1e-9,
            **{**options, "method": "adam"},
        )  # fmt: skip
        assert fit.losses[-1] < before.losses[-1]


def test_more_decay_means_less_effort():
    def effort(decay):
        fit = gn.train(
            NETWORK, quadrants(), gn.Categorical(2), method="lbfgs", epochs=40, weight_decay=decay
        )
        return np.sum(fit.theta**2) / NETWORK.depth + np.sum(fit.readout.weight**2)

    assert effort(1.0) < effort(0.03) < effort(1e-4)


def test_weights_are_repetitions():
    # one point at weight 2/3 and one at 1/3 are the first point twice and the second once
    rng = np.random.default_rng(5)
    points, labels = rng.normal(size=(9, 2)), rng.integers(0, 3, size=9)
    counts = np.array([2, 1, 1, 2, 3, 1, 2, 1, 2])
    weighted = gn.Sample(points, counts / counts.sum(), labels=labels)
    repeated = gn.Sample(np.repeat(points, counts, axis=0), labels=np.repeat(labels, counts))
    likelihood = gn.Categorical(3)
    ours, theirs = (
        gn.train(NETWORK, sample, likelihood, method="lbfgs", epochs=20)
        for sample in (weighted, repeated)
    )
    np.testing.assert_allclose(ours.theta, theirs.theta, atol=1e-6)
    np.testing.assert_allclose(ours.readout.weight, theirs.readout.weight, atol=1e-6)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-7)
    equal = gn.train(NETWORK, weighted.replace(weights=None), likelihood, method="lbfgs", epochs=20)
    assert np.abs(equal.theta - theirs.theta).max() > 1e-3


def test_adam_sees_the_weights_in_batches_of_one():
    # one place, two answers: the coin's logit is that of the weights, not of the counts
    sample = gn.Sample([[1.0, 0.0]] * 2, weights=[0.9, 0.1], labels=[1, 0])
    fit = gn.train(
        gn.Network(gn.networks.LinearField(2), 1),
        sample,
        gn.Bernoulli(),
        batch_size=1,
        epochs=600,
        learning_rate=0.02,
        weight_decay=0.0,
    )
    logit = fit.readout(gn.Network(gn.networks.LinearField(2), 1)(fit.theta, sample))[0, 0]
    assert logit == pytest.approx(np.log(9), abs=0.3)


# -- held-out data ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_heldout_losses_are_of_the_heldout_data(method):
    likelihood, heldout = gn.Categorical(2), quadrants(n=15, seed=7)
    fit = gn.train(NETWORK, quadrants(), likelihood, heldout=heldout, method=method, epochs=5)
    assert len(fit.heldout_losses) == len(fit.losses)
    assert fit.heldout_losses[-1] == pytest.approx(
        loss_of(fit, NETWORK, likelihood, heldout), rel=1e-10
    )
    right = np.argmax(fit.readout(NETWORK(fit.theta, heldout)), axis=1) == heldout.labels
    assert fit.heldout_accuracy == pytest.approx(right.mean())
    plain = gn.train(NETWORK, quadrants(), likelihood, method=method, epochs=5)
    np.testing.assert_array_equal(plain.theta, fit.theta)
    assert plain.heldout_accuracy is None
    assert plain.heldout_losses.size == 0


@pytest.mark.parametrize("patience", [3, 500])
def test_early_stopping_returns_the_best(patience):
    # held-out labels are the contrary of the sample's: learning soon harms
    sample, likelihood = quadrants(n=24), gn.Categorical(2)
    contrary = sample.replace(labels=1 - sample.labels)
    fit = gn.train(
        NETWORK, sample, likelihood, heldout=contrary, patience=patience, epochs=30,
        learning_rate=0.02, batch_size=8, seed=1,
    )  # fmt: skip
    best = int(np.argmin(fit.heldout_losses))
    assert fit.heldout_losses[-1] > fit.heldout_losses[best]
    assert loss_of(fit, NETWORK, likelihood, contrary) == pytest.approx(
        fit.heldout_losses[best], rel=1e-10
    )
    assert fit.stopped_early == (patience == 3)
    assert len(fit.losses) == (best + 1 + 3 if patience == 3 else 30)


@pytest.mark.parametrize("bound", [0.02, 0.1])
def test_training_can_keep_every_layer_invertible(bound):
    network = gn.Network(gn.TanhField(2, 8), 4, gn.networks.Midpoint())
    options = {"epochs": 20, "learning_rate": 0.05, "batch_size": 12}
    free = gn.train(network, quadrants(), gn.Categorical(2), **options)
    kept = gn.train(network, quadrants(), gn.Categorical(2), max_step_lipschitz=bound, **options)
    assert network.step_lipschitz(free.theta).max() > bound
    assert network.step_lipschitz(kept.theta).max() <= bound * (1 + 1e-9)
    assert network.is_invertible(kept.theta)
    assert kept.losses[-1] == pytest.approx(
        loss_of(kept, network, gn.Categorical(2), quadrants()), rel=1e-10
    )


# -- targets ----------------------------------------------------------------------------------


def test_labels_then_the_target_are_what_is_learned():
    points = np.random.default_rng(0).normal(size=(20, 2))
    target = points[:, ::-1] + 1
    sample = gn.Sample(points, target=target)
    options = {"method": "lbfgs", "epochs": 5}
    implied = gn.train(NETWORK, sample, gn.Gaussian(dim=2), **options)
    named = gn.train(NETWORK, gn.Sample(points), gn.Gaussian(dim=2), targets=target, **options)
    np.testing.assert_array_equal(implied.theta, named.theta)
    labelled = quadrants(n=20).replace(target=target)
    by_labels = gn.train(NETWORK, labelled, gn.Categorical(2), **options)
    again = gn.train(NETWORK, quadrants(n=20), gn.Categorical(2), **options)
    np.testing.assert_array_equal(by_labels.theta, again.theta)
    flipped = gn.train(NETWORK, labelled, gn.Categorical(2), targets=1 - labelled.labels, **options)
    assert (flipped.theta != again.theta).any()


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("method", {"method": "sgd"}),
        ("epochs", {"epochs": 0}),
        ("epochs", {"epochs": 2.5}),
        ("batch_size", {"batch_size": 0}),
        ("learning_rate", {"learning_rate": 0.0}),
        ("learning_rate", {"learning_rate": np.nan}),
        ("weight_decay", {"weight_decay": -1e-3}),
        ("patience", {"patience": 5}),
        ("patience", {"patience": 0, "heldout": quadrants()}),
        ("patience", {"patience": 5, "heldout": quadrants(), "method": "lbfgs"}),
        ("max_step_lipschitz", {"max_step_lipschitz": 0.0}),
        ("max_step_lipschitz", {"max_step_lipschitz": np.nan}),
        ("max_step_lipschitz", {"max_step_lipschitz": 0.5, "method": "lbfgs"}),
        ("theta", {"theta": np.zeros((2, 17))}),
        ("theta", {"theta": np.full((3, 17), np.nan)}),
        ("readout", {"readout": gn.Readout(np.eye(3)[:, :2])}),
        ("labels", {"targets": [0, 1]}),
        ("labels", {"targets": np.full(48, 2)}),
        ("sample", {"sample": quadrants(dim=3)}),
        ("sample", {"sample": gn.Sample(np.zeros((3, 2)))}),
        ("sample", {"sample": np.zeros((3, 2))}),
        ("heldout", {"heldout": quadrants(dim=3)}),
        ("heldout", {"heldout": gn.Sample(np.zeros((3, 2)))}),
        ("likelihood", {"likelihood": "categorical"}),
        ("readout", {"readout": np.eye(2)}),
        ("seed", {"seed": -1}),
    ],
)
def test_bad_input_is_refused_by_argument(argument, options):
    call = {"sample": quadrants(), "likelihood": gn.Categorical(2), "epochs": 1, **options}
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.train(NETWORK, **call)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_names_the_learning_rate():
    network = gn.Network(gn.networks.LinearField(2), 4)
    with pytest.raises(gn.InputError, match=r"^learning_rate: .*epoch 1"):
        gn.train(network, weighted_sample(), gn.Gaussian(dim=2), targets=np.ones((10, 2)),
                 learning_rate=1e100)  # fmt: skip


def test_repr_says_how_good_the_fit_is():
    fit = gn.train(NETWORK, quadrants(), gn.Categorical(2), epochs=2)
    assert f"train_accuracy={fit.train_accuracy:.3f}" in repr(fit)
    assert "heldout_accuracy=-" in repr(fit)
    assert "epochs=2" in repr(fit)
