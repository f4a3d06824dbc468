"""The contract of models: every kind of network in one list, its laws, and a kind of one's own."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from sklearn.neural_network import MLPClassifier

import geomnet as gn
from geomnet.networks.layers.factors import ExplicitFactors

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(6, 3))
READOUT = gn.Readout(RNG.normal(size=(2, 3)), RNG.normal(size=2))


def perceptron():
    labels = (POINTS[:, 0] > 0).astype(int) + (POINTS[:, 1] > 0)
    return MLPClassifier((4,), max_iter=20, random_state=0).fit(POINTS, labels)


def drawn(network):
    return network, 0.5 * np.random.default_rng(1).normal(size=network.parameters_shape)


def function(theta, x):
    return anp.tanh(anp.dot(x, theta[:6].reshape(3, 2))) * theta[6] + theta[7]


WAVE = gn.networks.FunctionField(lambda x, t: anp.sin(t[0] * x) + t[1], 3, 2)
NETWORKS = {
    "feed-forward": (*drawn(gn.FeedForward((3, 5, 2), "tanh")), None),
    "skips": (*drawn(gn.FeedForward((3, 5, 5, 2), "gelu", skips={1: 0.5})), None),
    "read out": (*drawn(gn.FeedForward((3, 3, 3), "tanh")), READOUT),
    "euler": (*drawn(gn.Network(gn.TanhField(3, 4), 3)), READOUT),
    "rk4": (*drawn(gn.Network(gn.TanhField(3, 4), 2, gn.networks.RK4())), READOUT),
    "features": (*drawn(gn.Network(gn.networks.RandomFeatureField(3, 7), 2)), None),
    "function field": (
        *drawn(gn.Network(WAVE, 3)),
        READOUT,
    ),
    "function": (function, RNG.normal(size=8), None),
    "scikit-learn": (perceptron(), None, None),
}  # fmt: skip


@pytest.fixture(params=NETWORKS)
def found(request):
    return gn.model(*NETWORKS[request.param])


def test_layers_cover_the_parameters(found):
    stops = [layer.stop for layer in found.layers]
    assert [layer.start for layer in found.layers] == [0, *stops[:-1]]
    assert stops[-1] == found.n_parameters == len(found.theta)
    assert found.layers[0].parameters == slice(0, stops[0])
    kinds = {layer.kind for layer in found.layers}
    assert kinds <= set(gn.networks.LayerKind)


def test_push_is_the_derivative(found):
    v = np.random.default_rng(2).normal(size=(2, found.n_parameters))
    pushed = found.linearise(found.theta, POINTS).push(v)
    for k in range(2):
        change = oracles.central_difference(lambda t: found.values(t, POINTS), found.theta, v[k])
        np.testing.assert_allclose(pushed[:, k], change, atol=1e-7)


def test_pull_is_the_adjoint_of_push(found):
    run, rng = found.linearise(found.theta, POINTS), np.random.default_rng(4)
    v = rng.normal(size=(3, found.n_parameters))
    c = rng.normal(size=(len(POINTS), 2, run.output.shape[1]))
    left = np.einsum("ikc,iqc->kq", run.push(v), c)
    np.testing.assert_allclose(left, v @ run.pull(c).T, rtol=1e-10, atol=1e-12)


def test_factors_are_rows_of_the_jacobian(found):
    run, rng = found.linearise(found.theta, POINTS), np.random.default_rng(5)
    c = rng.normal(size=(len(POINTS), 2, run.output.shape[1]))
    rows = np.zeros((len(POINTS), 2, found.n_parameters))
    for part in run.factors(c):
        rows[..., part.start : part.stop] = part.rows()
    np.testing.assert_allclose(rows.sum(axis=0), run.pull(c), rtol=1e-10, atol=1e-12)


def test_every_datum_is_by_itself(found):
    whole = found.values(found.theta, POINTS)
    alone = np.concatenate([found.values(found.theta, x[None]) for x in POINTS])
    np.testing.assert_allclose(whole, alone, rtol=1e-12, atol=1e-12)


def test_parameters_come_back(found):
    theta, readout = found.unflatten(found.theta)
    assert theta.shape == found.parameters_shape
    np.testing.assert_array_equal(found.flatten(theta, readout), found.theta)
    np.testing.assert_array_equal(found.flatten(found.theta), found.theta)
    with pytest.raises(ValueError, match="read-only"):
        found.theta[0] = 1.0


@pytest.mark.parametrize("name", [n for n, (_, _, r) in NETWORKS.items() if r is not None])
def test_a_readout_is_read_behind_the_network(name):
    network, theta, readout = NETWORKS[name]
    z = readout(network(theta, POINTS))
    np.testing.assert_allclose(gn.model(network, theta, readout).values(
        gn.model(network, theta, readout).theta, POINTS), z, rtol=1e-13)  # fmt: skip
    again = network.with_readout(readout)
    np.testing.assert_array_equal(again.flatten(theta, readout)[-8:-2], readout.weight.ravel())
    assert again.layers[-1].kind is gn.networks.LayerKind.READOUT
    assert again.n_outputs == 2


@pytest.mark.parametrize("name", ["euler", "rk4", "features", "function field"])
def test_states_are_the_curve_of_the_network(name):
    network, theta, readout = NETWORKS[name]
    found = gn.model(network, theta, readout)
    curve = found.states(found.theta, POINTS)
    assert isinstance(curve, gn.Curve)
    np.testing.assert_array_equal(curve.states, network.states(theta, POINTS))
    if readout is not None:
        z = found.read(found.theta, curve.end)
        np.testing.assert_allclose(z, found.values(found.theta, POINTS), rtol=1e-12)


def test_states_of_one_shape_before_the_last_layer():
    network, theta = drawn(gn.FeedForward((3, 5, 5, 5, 2), "tanh", skips={1: 0.5}))
    found = gn.model(network, theta)
    curve = found.states(found.theta, POINTS)
    np.testing.assert_array_equal(curve.states, np.stack(network.states(theta, POINTS)[1:4]))
    assert found.chain(found.theta, POINTS).numbers == range(1, 4)
    with pytest.raises(gn.InputError, match="no two of its states"):
        gn.model(*drawn(gn.FeedForward((3, 5, 2)))).states(np.zeros(32), POINTS)


def test_scikit_learns_own_parameters_are_kept():
    estimator = perceptron()
    network, theta = gn.FeedForward.from_sklearn(estimator)
    found = gn.model(estimator)
    np.testing.assert_array_equal(found.theta, theta)
    fisher = gn.FisherInformation(estimator, None, POINTS, gn.Categorical(3))
    other = gn.FisherInformation(network, theta, POINTS, gn.Categorical(3))
    assert fisher.trace() == other.trace()
    geometry = gn.EmergentGeometry.from_network(found, None, POINTS, gn.Categorical(3))
    assert geometry.n_nodes <= 3 + 4 + 3


@pytest.mark.parametrize("name", NETWORKS)
def test_a_model_is_taken_for_its_network(name):
    network, theta, readout = NETWORKS[name]
    found = gn.model(network, theta, readout)
    one = gn.FisherInformation(network, theta, POINTS, gn.Gaussian(1.0, found.values(
        found.theta, POINTS).shape[1]), readout)  # fmt: skip
    two = gn.FisherInformation(found, None, POINTS, one.likelihood)
    assert one.trace() == two.trace()
    assert gn.model(found).computes_like(found)


class Sines(gn.networks.Model):
    """A kind of network that geomnet does not know: z_c = Σ_k θ_ck sin(k x_0)."""

    def __init__(self, count, outputs):
        kind = gn.networks.LayerKind.FUNCTION
        self.layers = (gn.networks.Layer("amplitudes", 0, count * outputs, kind),)
        self.dim, self.n_outputs = 3, outputs
        self.parameters_shape = (count * outputs,)

    def with_readout(self, readout):
        raise gn.InputError("readout: sines have none")

    def linearise(self, theta, points):
        return LinearisedSines(self, theta, points)


class LinearisedSines(gn.networks.LinearisedModel):
    def __init__(self, model, theta, points):
        self.matrix = np.sin(np.outer(points[:, 0], 1 + np.arange(len(theta) // model.n_outputs)))
        self.outputs = model.n_outputs
        self.output = self.matrix @ theta.reshape(self.outputs, -1).T

    def push(self, directions):
        by_output = directions.reshape(len(directions), self.outputs, -1)
        return np.einsum("is,kcs->ikc", self.matrix, by_output)

    def pull(self, covectors):
        return np.einsum("is,ikc->kcs", self.matrix, covectors).reshape(covectors.shape[1], -1)

    def factors(self, covectors):
        rows = np.einsum("is,iqc->iqcs", self.matrix, covectors)
        return [ExplicitFactors(0, 0, rows.reshape(*covectors.shape[:2], -1))]


def test_a_kind_of_ones_own_goes_everywhere():
    sines = Sines(3, 2)
    theta = np.random.default_rng(6).normal(size=6)
    fisher = gn.FisherInformation(sines, theta, POINTS, gn.Categorical(2))
    same = gn.FisherInformation(
        lambda t, x: anp.dot(anp.sin(anp.outer(x[:, 0], np.arange(1, 4))), t.reshape(2, 3).T),
        theta, POINTS, gn.Categorical(2),
    )  # fmt: skip
    np.testing.assert_allclose(fisher.dense(), same.dense(), atol=1e-13)
    np.testing.assert_allclose(fisher.eigvalsh(), same.eigvalsh(), atol=1e-13)
    sample = gn.Sample(POINTS, labels=[0, 1, 0, 1, 0, 1])
    fit = gn.train(sines, sample, gn.Categorical(2), theta=theta, epochs=5, batch_size=3)
    assert fit.losses[-1] < fit.losses[0]
    steps = gn.training.natural_gradient(sines, theta, sample, gn.Categorical(2), steps=3)
    assert steps.losses[-1] < steps.losses[0]
    with pytest.raises(gn.InputError, match=r"^network: expected .* got Sines"):
        gn.EmergentGeometry.from_network(sines, theta, sample, gn.Categorical(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((function,), "theta: of a function the parameters must be given"),
        (("net",), "network: expected a gn.FeedForward.* got str"),
        ((gn.FeedForward((3, 2)), np.zeros(3)), r"theta: expected shape \(8,\)"),
        ((gn.FeedForward((3, 2)), None, np.eye(2)), "readout: expected a gn.Readout"),
        ((gn.FeedForward((3, 2)), None, gn.Readout(np.eye(3))), "readout: takes states of 3"),
        ((function, np.zeros(8), READOUT), "readout: a function"),
    ],
)
def test_what_is_no_model_is_said(arguments, message):
    with pytest.raises(gn.InputError, match=message):
        gn.model(*arguments)
