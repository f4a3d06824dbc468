"""Feed-forward networks: their states, their parameters, and what they refuse."""

import pickle

import autograd
import autograd.numpy as anp
import fisher_oracles
import numpy as np
import pytest
from fisher_cases import FEED_FORWARD, POINTS, close, feed_forward_case

import geomnet as gn
from geomnet.networks.layers.activations import ACTIVATIONS, activation_named

each_name = pytest.mark.parametrize("name", [name for name in FEED_FORWARD if name != "readout"])
each_activation = pytest.mark.parametrize("name", fisher_oracles.ACTIVATIONS)

# -- the map ----------------------------------------------------------------------------------


@each_name
def test_output_point_by_point(name):
    case = FEED_FORWARD[name]
    network = case.network
    expected = np.array([case.forward(case.theta, x) for x in POINTS])
    close(network(case.theta, POINTS), expected, 1e-14)
    close(network(case.theta, gn.Sample(POINTS)), expected, 1e-14)
    assert network.n_outputs == expected.shape[1]
    assert network.n_parameters == len(case.theta) == sum(case.sizes)
    assert network.dim == network.widths[0] == 3


@each_name
def test_states_layer_by_layer(name):
    case = FEED_FORWARD[name]
    network = case.network
    skips = {layer: (source, scale) for layer, source, scale in network.skips}
    found = network.states(case.theta, POINTS)
    assert [state.shape for state in found] == [(5, width) for width in network.widths]
    for i, x in enumerate(POINTS):
        expected = fisher_oracles.feed_forward(
            network.widths, network.activations, network.biases, skips, case.theta, x
        )
        for state, other in zip(found, expected):
            np.testing.assert_allclose(state[i], other, atol=1e-13)


def test_theta_by_hand():
    """W in C order, then b, layer by layer: 2 → 2 → 1."""
    network = gn.FeedForward((2, 2, 1), "relu")
    theta = [1.0, 2.0, -3.0, 4.0, 0.5, 6.0, 7.0, -8.0, 9.0]
    # hidden: 1·2 + 2·1 + .5 = 4.5, and −3·2 + 4·1 + 6 = 4
    assert network(theta, [[2.0, 1.0]]).tolist() == [[7 * 4.5 - 8 * 4 + 9]]
    # −1·1 + .5 < 0, and 3·1 + 6 = 9
    assert network(theta, [[-1.0, 0.0]]).tolist() == [[-8 * 9.0 + 9]]


def test_skips_by_hand():
    weights = [[[2.0]], [[3.0]], [[-1.0]]]
    pairs = [
        ({}, 2 * 3 * -1.0),
        ({1: 0.5}, -(2 + 0.5 * 6)),
        ({1: (0, 0.5)}, -(1 + 0.5 * 6)),
        ({2: (0, 2.0)}, 1 + 2 * -6.0),
        ({0: 1.0, 2: (1, 1.0)}, 3 - 9.0),
    ]
    for skips, expected in pairs:
        network, theta = gn.FeedForward.from_arrays(weights, None, "identity", skips)
        assert network(theta, [[1.0]]).tolist() == [[expected]], skips


def test_ways_to_write_skips():
    one = gn.FeedForward((3, 3, 3, 3), skips={1: 0.5, 2: (1, 0.2)})
    assert one == gn.FeedForward((3, 3, 3, 3), skips={2: (1, 0.2), 1: (1, 0.5)})
    assert one == gn.FeedForward((3, 3, 3, 3), skips=((1, 1, 0.5), (2, 1, 0.2)))
    assert one == gn.FeedForward([3, 3, 3, 3], skips=one.skips)
    assert hash(one) == hash(gn.FeedForward((3, 3, 3, 3), skips=one.skips))
    assert one != gn.FeedForward((3, 3, 3, 3), skips={1: 0.5})
    assert pickle.loads(pickle.dumps(one)) == one


def test_identity_activations_multiply_matrices():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=s) for s in ((4, 3), (2, 4), (5, 2))]
    network, theta = gn.FeedForward.from_arrays(weights, activation="identity")
    close(network(theta, POINTS), POINTS @ (weights[2] @ weights[1] @ weights[0]).T, 1e-14)


@each_name
def test_arrays_and_back(name):
    case = FEED_FORWARD[name]
    weights, biases = case.network.unpack(case.theta)
    skips = {layer: (source, scale) for layer, source, scale in case.network.skips}
    network, theta = gn.FeedForward.from_arrays(weights, biases, case.network.activations, skips)
    assert network == case.network
    np.testing.assert_array_equal(theta, case.theta)


def test_one_activation_is_that_of_the_hidden_layers():
    one = gn.FeedForward((3, 4, 4, 2), "gelu")
    assert one.activations == ("gelu", "gelu", "identity")
    assert one == gn.FeedForward((3, 4, 4, 2), ("gelu", "gelu", "identity"))


def test_nothing_given_is_changed():
    case = FEED_FORWARD["residual"]
    theta, points = case.theta.copy(), POINTS.copy()
    case.network(theta, points)
    fisher = gn.FisherInformation(case.network, theta, points, case.likelihood)
    fisher.dense(), fisher.matvec(theta), fisher.eigvalsh()
    np.testing.assert_array_equal(theta, case.theta)
    np.testing.assert_array_equal(points, POINTS)


# -- activations ------------------------------------------------------------------------------


def test_all_activations_are_tried():
    assert set(ACTIVATIONS) == set(fisher_oracles.ACTIVATIONS)


@each_activation
def test_values_and_slopes(name):
    u = np.concatenate([np.linspace(-6, 6, 25)[::2] + 0.01, np.linspace(-1e-3, 1e-3, 4)])
    function, activation = fisher_oracles.ACTIVATIONS[name], activation_named(name)
    value, slope = activation.linearise(u.copy())
    np.testing.assert_allclose(value, function(u), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(activation(u), function(u), rtol=1e-12, atol=1e-14)
    slope = np.ones_like(u) if slope is None else slope
    expected = np.array([autograd.grad(function)(point) for point in u])
    np.testing.assert_allclose(slope, expected, rtol=1e-11, atol=1e-14)


@each_activation
def test_far_out(name):
    """Slopes tend to 0 and 1 (0 and 0 where the activation is bounded)."""
    u = np.array([-1e200, -800.0, -50.0, 50.0, 800.0, 1e200])
    bounded = name in ("tanh", "logistic")
    with np.errstate(over="ignore"):
        value, slope = activation_named(name).linearise(u.copy())
    slope = np.ones_like(u) if slope is None else slope
    assert np.isfinite(value).all()
    left = {"identity": 1.0}.get(name, 0.0)
    np.testing.assert_allclose(slope, [left] * 3 + [0.0 if bounded else 1.0] * 3, atol=1e-15)
    right = np.ones(3) if bounded else u[3:]
    np.testing.assert_allclose(value[3:], right, rtol=1e-15)


# -- derivatives ------------------------------------------------------------------------------


@each_name
def test_products_with_the_jacobian(name):
    case = FEED_FORWARD[name]
    run, rng = case.network.linearise(case.theta, POINTS), np.random.default_rng(1)
    v = rng.normal(size=(3, len(case.theta)))
    rows = np.array([fisher_oracles.jacobian(case.forward, case.theta, x) for x in POINTS])
    close(run.push(v), np.einsum("icp,kp->ikc", rows, v))
    covectors = rng.normal(size=(5, 3, rows.shape[1]))
    close(run.pull(covectors), np.einsum("ikc,icp->kp", covectors, rows))


@each_activation
def test_second_pass_is_the_first(name):
    """Products leave what the network keeps as it is."""
    case = FEED_FORWARD[name]
    run, rng = case.network.linearise(case.theta, POINTS), np.random.default_rng(1)
    v, covectors = rng.normal(size=(2, len(case.theta))), rng.normal(size=(5, 2, 4))
    given = covectors.copy()
    first = run.push(v), run.pull(covectors), run.factors(covectors)[0].rows()
    second = run.push(v), run.pull(covectors), run.factors(covectors)[0].rows()
    np.testing.assert_array_equal(covectors, given)
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)


# -- drawing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2.0), ("tanh", 1.0), ("gelu", 1.0)])
def test_drawn_parameters(activation, gain):
    network = gn.FeedForward((80, 200, 50), activation)
    theta = network.init(seed=3)
    np.testing.assert_array_equal(theta, network.init(seed=np.random.default_rng(3)))
    assert not np.array_equal(theta, network.init(seed=4))
    weights, biases = network.unpack(theta)
    for matrix, offset, square in zip(weights, biases, (gain / 80, 1.0 / 200)):
        error = square * np.sqrt(2 / matrix.size)
        assert abs(np.mean(matrix**2) - square) < 4 * error
        assert abs(np.mean(matrix)) < 4 * np.sqrt(square / matrix.size)
        assert not offset.any()


def test_reads_well():
    assert repr(gn.FeedForward((64, 32, 10))) == "FeedForward(64-32-10, tanh)"
    assert repr(gn.FeedForward((3, 3, 1), "relu", skips={0: 0.5})) == (
        "FeedForward(3-3-1, relu, skips=1)"
    )
    assert "3 → 4, silu" in gn.FeedForward((3, 4, 2), "silu").maps[0].name


# -- bad input --------------------------------------------------------------------------------

A, B, C = np.ones((3, 2)), np.ones((4, 3)), np.ones((2, 4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "weights: expected .*at least one"),
        ((None,), "weights"),
        (([[1.0, 2.0]],), r"weights\[0\]: expected 2 axes"),
        (([[[1.0], [2.0, 3.0]]],), r"weights\[0\]: its rows"),
        (([A, C],), r"weights\[1\]: takes 4 inputs, but weights\[0\] gives 3"),
        (([A, np.nan * B],), r"weights\[1\]: 12 of its 12"),
        (([A.astype(object)],), r"weights\[0\]: expected real numbers"),
        (([A], [np.ones(2)]), r"weights\[0\]: .* shapes are \(out, in\), so transpose"),
        (([A], [np.ones(4)]), r"biases\[0\]: expected shape \(3,\), got \(4,\)"),
        (([A, B], [np.ones(3)]), "biases: expected one for each of 2"),
        (([A, B], [np.ones(3), np.full(4, np.inf)]), r"biases\[1\]: 4 of its 4"),
        (([A, B], None, "sine"), "activation: unknown 'sine'"),
        (([A, B], None, ["tanh"]), "activations: expected one for each of 2"),
        (([A, B], None, None), "activation"),
        (([np.ones((0, 2))],), "at least 1"),
        (([A, B], None, "tanh", {1: 0.5}), "skips: layer 1 gives 4 units, but state 1 has 3"),
        (([A, B, C], None, "tanh", {2: (1, 0.5)}), "skips: layer 2 gives 2 units"),
        (([A, B, C], None, "tanh", {2: (3, 0.5)}), "skips: layer 2 cannot add state 3"),
        (([A, B, C], None, "tanh", {3: (0, 0.5)}), "skips: layer 3 cannot"),
        (([A, B, C], None, "tanh", {2: (0, np.inf)}), "skips"),
        (([A, B, C], None, "tanh", {2: (0, 1.0, 1.0)}), "skips"),
        (([A, B, C], None, "tanh", {2: "all"}), "skips"),
        (([A, B, C], None, "tanh", [(2, 0, 1.0), (2, 0, 0.5)]), "skips: a layer adds one"),
        (([A, B, C], None, "tanh", 3), "skips"),
    ],
)
def test_bad_arrays(arguments, message):
    with pytest.raises(gn.InputError, match=message):
        gn.FeedForward.from_arrays(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3,), "widths: expected a list"),
        (((3,),), "widths: expected an input and an output"),
        (((3, 0),), "widths: expected an integer, at least 1; got 0"),
        (((2.7, 3),), "widths"),
        (("34",), "widths"),
        ((("a", 3),), "widths"),
        (((2, 3, 4), ("tanh",)), "activations: expected one for each of 2"),
        (((2, 3, 4), None), "activations?"),
        (((2, 3, 4), "tanh", (True,)), "biases: expected one for each of 2"),
        (((2, 3, 4), "tanh", 1), "biases"),
    ],
)
def test_bad_architectures(arguments, message):
    with pytest.raises(gn.InputError, match=message):
        gn.FeedForward(*arguments)


@pytest.mark.parametrize(
    ("theta", "points", "message"),
    [
        (np.ones(5), POINTS, "theta: expected shape"),
        (np.ones((1, 16)), POINTS, "theta: expected shape"),
        (np.full(16, np.nan), POINTS, "theta: 16 of its 16"),
        (np.ones(16, complex), POINTS, "theta: expected real"),
        (np.ones(16), POINTS[:, :2], "points: expected shape"),
        (np.ones(16), POINTS[0], "points: expected shape"),
        (1e200 * np.ones(16), 1e200 * POINTS, r"layer 0 \(3 → 4, identity\) are not finite for 5"),
    ],
)
def test_bad_calls(theta, points, message):
    network = feed_forward_case((3, 4)).network
    for method in (network, network.states, network.linearise):
        with pytest.raises(gn.InputError, match=message):
            method(theta, points)


def test_what_autograd_passes_is_refused():
    network = gn.FeedForward((3, 4))
    with pytest.raises(gn.InputError, match="theta: expected real numbers"):
        autograd.grad(lambda theta: anp.sum(network(theta, POINTS)))(np.ones(16))
