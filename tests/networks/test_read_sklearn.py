"""What is read of trained networks computes what they compute; what cannot be read is refused."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import geomnet as gn
from geomnet.networks.readers.sklearn import read_sklearn
from geomnet.networks.readers.tracing import AffineCall, Unexplained, check_calls, explain

# by their definitions, one number at a time
NAIVE = {
    "identity": lambda u: u,
    "tanh": math.tanh,
    "relu": lambda u: max(u, 0.0),
    "gelu": lambda u: u * 0.5 * math.erfc(-u / math.sqrt(2)),
    "gelu_tanh": lambda u: (
        0.5 * u * (1 + math.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
    ),
    "logistic": lambda u: 0.5 + 0.5 * math.tanh(0.5 * u),
    "silu": lambda u: u * (0.5 + 0.5 * math.tanh(0.5 * u)),
}
each_activation = pytest.mark.parametrize("name", NAIVE)


def naive(name, u):
    return np.vectorize(NAIVE[name])(u)


def record(widths, rules, *, seed=0, n=24, computed=False):
    """Points, calls and output of a network whose states follow `rules`(states, u, layer).

    What comes out of the affine layers is drawn, unless it is `computed`.
    """
    rng = np.random.default_rng(seed)
    states, calls = [rng.normal(size=(n, widths[0]))], []
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        weight, bias = rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)
        drawn = 3 * rng.normal(size=(n, outputs))
        u = states[-1] @ weight.T + bias if computed else drawn
        calls.append(AffineCall(f"fc{layer}", weight, bias, states[-1], u))
        states.append(rules(states, u, layer))
    return states[0], calls, states[-1]


# -- recordings -------------------------------------------------------------------------------


@pytest.mark.parametrize("computed", [False, True])
@each_activation
def test_an_activation_is_told_by_its_numbers(name, computed):
    recording = record([3, 5, 1], lambda states, u, layer: naive(name, u), computed=computed)
    assert explain(*recording) == ([name, name], {})


@pytest.mark.parametrize("scale", [1.0, 0.25, -0.1, 1 / 3, 7e-4, float(np.float32(0.1))])
@each_activation
def test_a_skip_is_told_with_its_scale(name, scale):
    def rules(states, u, layer):
        return states[layer] + scale * naive(name, u)

    names, skips = explain(*record([4, 4, 4], rules))
    assert names == [name, name]
    assert {layer: source for layer, (source, _) in skips.items()} == {0: 0, 1: 1}
    np.testing.assert_allclose([s for _, s in skips.values()], scale, rtol=1e-12)


def test_short_scales_are_exact():
    recording = record([4, 4], lambda states, u, layer: states[0] + 0.1 * np.tanh(u))
    assert explain(*recording)[1] == {0: (0, 0.1)}


def test_a_skip_finds_its_source_among_states_of_one_width():
    # two blocks x + fc2(relu(fc1(x))), of one width throughout, then a linear readout
    def rules(states, u, layer):
        if layer == 4:
            return u
        return np.maximum(u, 0) if layer % 2 == 0 else states[layer - 1] + u

    names, skips = explain(*record([4, 4, 4, 4, 4, 4], rules))
    assert names == ["relu", "identity", "relu", "identity", "identity"]
    assert skips == {1: (0, 1.0), 3: (2, 1.0)}


def test_units_that_never_change_sign_leave_two_explanations():
    points, [call], _ = record([3, 3], lambda states, u, layer: u)
    positive = AffineCall("fc", call.weight, call.bias, points, np.abs(call.output))
    with pytest.raises(gn.InputError, match=r"identity, relu; no way"):
        explain(points, [positive], positive.output)


def test_rounding_does_not_hide_an_activation_nor_1e_8_change_it():
    points, calls, output = record([3, 3], lambda states, u, layer: np.tanh(u))
    rng = np.random.default_rng(1)
    assert explain(points, calls, output * (1 + 1e-14 * rng.normal(size=output.shape)))[0]
    with pytest.raises(Unexplained):
        explain(points, calls, output * (1 + 1e-8 * rng.normal(size=output.shape)))


RULES = {
    "addition before the activation": (
        lambda states, u: np.maximum(states[0] + u, 0),
        "no activation of layer 'fc0'",
    ),
    "leaky": (lambda states, u: np.where(u > 0, u, 0.01 * u), "no activation of layer 'fc0'"),
    "clipped": (lambda states, u: np.clip(u, 0, 6), "no activation of layer 'fc0'"),
    "two skips": (lambda states, u: u + 2 * states[0], "no activation of layer 'fc0'"),
    "other rows": (lambda states, u: u - u.mean(axis=0), "no activation of layer 'fc0'"),
    "another width": (lambda states, u: np.hstack([u, states[0]]), "no activation"),
    "factor": (lambda states, u: 0.5 * np.tanh(u), "0.5 times tanh of layer 'fc0'"),
    "softmax": (lambda states, u: softmax(u, axis=1), "take the softmax off"),
    "log-softmax": (
        lambda states, u: np.log(softmax(u, axis=1)),
        "changes no prediction.*the same probabilities",
    ),
    "zero": (lambda states, u: states[0] + 0 * np.tanh(u), "whatever layer 'fc0' gives"),
    "branch": (lambda states, u: states[0], "whatever layer 'fc0' gives"),
}


@pytest.mark.parametrize("rule", RULES)
def test_other_rules_are_refused_by_the_layer(rule):
    function, message = RULES[rule]
    for widths, where in (([3, 3], "the output"), ([3, 3, 2], "the input of layer 'fc1'")):
        recording = record(
            widths, lambda states, u, layer: function(states, u) if layer == 0 else u, n=40
        )
        with pytest.raises(gn.InputError, match=f"(?is){where}.*{message}"):
            explain(*recording)


def test_a_first_layer_takes_the_inputs_themselves():
    points, calls, output = record([3, 2], lambda states, u, layer: u)
    with pytest.raises(Unexplained, match="first layer 'fc0'") as caught:
        explain(points / 255, calls, output)
    assert caught.value.layer == 0


def test_a_reading_is_held_against_a_second_recording():
    def rules(states, u, layer):
        return states[0] + 0.5 * np.tanh(u) if layer == 0 else u

    reading = (["tanh", "identity"], {0: (0, 0.5)})
    points, calls, output = record([3, 3, 2], rules, computed=True)
    check_calls(points, calls, output, *reading)
    with pytest.raises(gn.InputError, match="output of the network follows another rule"):
        check_calls(points, calls, np.abs(output), *reading)
    with pytest.raises(gn.InputError, match="input of layer 'fc1' follows another rule"):
        check_calls(points, calls, output, reading[0], {0: (0, 0.5 + 1e-8)})
    first, second = calls
    adapted = AffineCall("fc1", second.weight + 1e-8, second.bias, second.input, second.output)
    with pytest.raises(gn.InputError, match=r"'fc1' does not compute W x \+ b"):
        check_calls(points, [first, adapted], output, *reading)


# -- scikit-learn -----------------------------------------------------------------------------

ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
POINTS = np.random.default_rng(0).normal(size=(60, 4))
CLASSES = np.array(["ant", "bee", "cat"])[np.digitize(POINTS[:, 0] + POINTS[:, 1], [-0.5, 0.5])]


def fitted(kind, targets, activation="tanh", **options):
    options = {"hidden_layer_sizes": (6, 5), "max_iter": 20, **options}
    model = kind(activation=activation, random_state=0, **options)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return model.fit(POINTS, targets)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("targets", "to_probabilities"),
    [
        pytest.param(CLASSES, lambda z: softmax(z, axis=1), id="three classes"),
        pytest.param(CLASSES == "cat", lambda z: np.c_[naive("logistic", -z), naive("logistic", z)],
                     id="two classes"),
        pytest.param((POINTS[:, :3] > 0).astype(int), lambda z: naive("logistic", z),
                     id="multilabel"),
    ],
)  # fmt: skip
def test_a_classifier_is_read_up_to_its_logits(activation, targets, to_probabilities):
    model = fitted(MLPClassifier, targets, activation)
    network, theta = gn.FeedForward.from_sklearn(model)
    np.testing.assert_allclose(
        to_probabilities(network(theta, POINTS)), model.predict_proba(POINTS), rtol=1e-12
    )


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_regressor_is_read(activation, outputs):
    model = fitted(MLPRegressor, np.sin(POINTS[:, :outputs]).squeeze(), activation)
    network, theta = gn.FeedForward.from_sklearn(model)
    means = network(theta, POINTS)
    np.testing.assert_allclose(means, model.predict(POINTS).reshape(60, outputs), rtol=1e-12)


def test_a_poisson_regressor_is_refused():
    model = fitted(MLPRegressor, np.sin(POINTS[:, 0]), "tanh")
    model.loss = "poisson"  # as newer versions of scikit-learn have it
    with pytest.raises(gn.InputError, match="Poisson"):
        gn.FeedForward.from_sklearn(model)


def test_a_model_is_neither_changed_nor_shared():
    model = fitted(MLPClassifier, CLASSES)
    before = [a.copy() for a in (*model.coefs_, *model.intercepts_)]
    weights, biases, _, _ = read_sklearn(model)
    for array in (*weights, *biases):
        array += 1.0
    for array, kept in zip((*model.coefs_, *model.intercepts_), before):
        np.testing.assert_array_equal(array, kept)


def test_single_precision_is_converted_exactly():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(POINTS.astype(np.float32), POINTS[:, 0].astype(np.float32))
    weights, *_ = read_sklearn(model)
    assert model.coefs_[0].dtype == np.float32
    assert weights[0].dtype == np.float64
    np.testing.assert_array_equal(weights[0].T, model.coefs_[0])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MLPClassifier(), "this MLPClassifier is not fitted"),
        (MLPRegressor, "got the class MLPRegressor; make one"),
        (make_pipeline(StandardScaler(), MLPRegressor()), r"got Pipeline; .*its last step"),
        (GridSearchCV(MLPClassifier(), {"alpha": [1.0]}), "GridSearchCV; .*best_estimator_"),
        (LogisticRegression(), "got LogisticRegression; geomnet reads multi-layer perceptrons"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_fitted_perceptron_is_refused_with_the_mend(model, message):
    with pytest.raises(gn.InputError, match=message):
        read_sklearn(model)


def test_the_mend_for_a_pipeline_mends_it():
    pipeline = make_pipeline(StandardScaler(), fitted(MLPRegressor, POINTS[:, 0]))
    pipeline[0].fit(POINTS)
    network, theta = gn.FeedForward.from_sklearn(pipeline[-1])
    outputs = network(theta, pipeline[:-1].transform(POINTS))
    np.testing.assert_allclose(outputs[:, 0], pipeline.predict(POINTS), rtol=1e-12)


def test_weights_that_are_not_finite_are_named():
    model = fitted(MLPClassifier, CLASSES)
    model.coefs_[1][0, 0] = np.nan
    with pytest.raises(gn.InputError, match=r"model\.coefs_\[1\]: 1 of its 30 entries"):
        read_sklearn(model)
