"""Progress from ignorance to truth, and the paths of layers: projections by scalar minimisation."""

from dataclasses import replace

import numpy as np
import pytest
from cases import LIKELIHOODS
from scipy.optimize import minimize_scalar
from scipy.special import softmax

import geomnet as gn
from geomnet.predictions.layer_paths import layer_predictions
from geomnet.predictions.predictions import Predictions

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.15, 0.25])


def draw(likelihood, m, seed, scale=1.0, **options):
    z = scale * np.random.default_rng(seed).normal(size=(m, 5, likelihood.n_parameters))
    return Predictions(likelihood, z, WEIGHTS, **options)


# -- progress ---------------------------------------------------------------------------------


@each_likelihood
@pytest.mark.parametrize("average", ["square", "arc"])
def test_progress_is_the_nearest_point_of_the_geodesic(likelihood, average):
    if average == "arc" and not isinstance(likelihood, gn.Categorical):
        likelihood = replace(likelihood, dim=1)  # arcs add up over outputs, not their squares
    start, end, *models = draw(likelihood, 9, seed=4, scale=1.5).z
    batch = Predictions(likelihood, np.array(models), WEIGHTS)
    found = batch.progress(start, end, average)
    assert ((found.fraction > 0) & (found.fraction < 1)).sum() >= 4

    def squares(s, z):
        return likelihood.squared_distance(likelihood.geodesic(start, end, [s])[0], z)

    def objective(s, z):
        return WEIGHTS @ (squares(s, z) if average == "square" else np.sqrt(squares(s, z)))

    for z, s, distance in zip(models, *found):
        best = minimize_scalar(objective, bounds=(0, 1), args=(z,), options={"xatol": 1e-9})
        assert objective(s, z) <= best.fun + 1e-12
        assert s == pytest.approx(best.x, abs=1e-6)
        assert distance == pytest.approx(np.sqrt(WEIGHTS @ squares(s, z)), rel=1e-10)


@each_likelihood
def test_points_of_the_geodesic_are_their_own_projection(likelihood):
    start, end = draw(likelihood, 2, seed=5).z
    times = np.array([0.0, 1e-6, 0.2, 0.77, 1.0])
    batch = Predictions(likelihood, likelihood.geodesic(start, end, times), WEIGHTS)
    fraction, distance = batch.progress(start, end)
    np.testing.assert_allclose(fraction, times, atol=1e-12)
    np.testing.assert_allclose(distance, 0.0, atol=1e-9)
    fraction, distance = batch.progress(batch.z[2], batch.z[3])
    np.testing.assert_array_equal(fraction[[0, -1]], [0.0, 1.0])  # before it, and past it
    expected = [batch.distance(0, 2), batch.distance(-1, 3)]
    np.testing.assert_allclose(distance[[0, -1]], expected, rtol=1e-6)


@each_likelihood
def test_a_short_geodesic_is_as_good_as_a_long_one(likelihood):
    start, end = draw(likelihood, 2, seed=8).z
    end = start + 1e-6 * end
    times = np.array([0.0, 0.3, 0.9])
    batch = Predictions(likelihood, likelihood.geodesic(start, end, times), WEIGHTS)
    fraction, distance = batch.progress(start, end)
    np.testing.assert_allclose(fraction, times, atol=1e-8)
    np.testing.assert_allclose(distance, 0.0, atol=1e-14)


@pytest.mark.parametrize("average", ["square", "arc"])
def test_from_ignorance_to_truth_along_great_circles(average):
    likelihood, labels = gn.Categorical(4), np.array([3, 0, 1, 1, 2])
    batch = draw(likelihood, 6, seed=6, scale=1.5, labels=labels)
    found = batch.progress(average=average)
    quarter, truth = np.arccos(0.5), np.eye(4)[labels]

    def angles(s, z):  # the sum of two half densities, by Shoemake's formula
        root = (np.sin((1 - s) * quarter) * 0.5 + np.sin(s * quarter) * truth) / np.sin(quarter)
        return np.arccos(np.sum(root * np.sqrt(softmax(z, axis=-1)), axis=-1))

    power = 2 if average == "square" else 1
    for z, s, distance in zip(batch.z, *found):
        best = minimize_scalar(
            lambda s, z=z: WEIGHTS @ angles(s, z) ** power, bounds=(0, 1), options={"xatol": 1e-10}
        )
        assert s == pytest.approx(best.x, abs=1e-7)
        assert distance == pytest.approx(2 * np.sqrt(WEIGHTS @ angles(s, z) ** 2), rel=1e-9)


@pytest.mark.parametrize(
    ("likelihood", "labels", "whole"),
    [
        (gn.Categorical(10), np.arange(5), 2.498091544796509),  # reference: 2 arccos(10^-1/2)
        (gn.Bernoulli(2), np.eye(5, 2), np.pi / 2 * np.sqrt(2)),
    ],
)
def test_ignorance_and_truth_are_the_ends(likelihood, labels, whole):
    batch = draw(likelihood, 4, seed=7, labels=labels)
    ends = Predictions.concatenate([batch.ignorance(), batch.truth()])
    assert ends.names == ("ignorance", "truth")
    assert ends.chord() == pytest.approx(whole, rel=1e-14)
    fraction, distance = ends.progress()
    np.testing.assert_allclose(fraction, [0, 1], atol=1e-12)
    np.testing.assert_allclose(distance, 0, atol=1e-12)
    targets = likelihood.check_targets(labels, 5)
    losses = [WEIGHTS @ likelihood.negative_log_likelihood(z, targets) for z in batch.z]
    from_truth = batch.distance_matrix("bhattacharyya", batch.truth())[:, 0]
    np.testing.assert_allclose(from_truth, np.array(losses) / 2, rtol=1e-12)


# -- layer paths ------------------------------------------------------------------------------


def test_layer_path_of_a_network_ends_at_its_prediction():
    network = gn.Network(gn.TanhField(dim=2, width=5), depth=6)
    theta = network.init(seed=0)
    readout = gn.Readout([[1.0, 0.3], [-0.5, 1.0], [0.2, 0.1]], [0.1, 0.0, -0.2])
    sample = gn.Sample(
        np.random.default_rng(0).normal(size=(5, 2)), weights=WEIGHTS, labels=[0, 1, 2, 0, 1]
    )
    path = layer_predictions(network, theta, sample, gn.Categorical(3), readout)
    assert path.names[0] == "input"
    assert path.names[-1] == "layer 6"
    np.testing.assert_allclose(path.z[0], readout(sample.points), rtol=1e-14)
    np.testing.assert_allclose(path.z[-1], readout(network(theta, sample)), rtol=1e-14)
    np.testing.assert_array_equal(path.weights, WEIGHTS)
    assert path.progress().fraction.shape == (7,)
    assert path.excess() >= 1


def test_layer_path_of_a_feed_forward_network_reads_its_stream_through_the_last_layer():
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in [(4, 3), (4, 4), (4, 4), (2, 4)]]
    biases = [rng.normal(size=len(w)) for w in weights]
    network, theta = gn.FeedForward.from_arrays(weights, biases, "tanh", skips={1: 0.5, 2: 0.25})
    points = rng.normal(size=(5, 3))
    path = layer_predictions(network, theta, points, gn.Bernoulli(2))
    state = np.tanh(points @ weights[0].T + biases[0])
    expected = [state]
    for layer, scale in ((1, 0.5), (2, 0.25)):
        state = state + scale * np.tanh(state @ weights[layer].T + biases[layer])
        expected.append(state)
    np.testing.assert_allclose(path.z, np.array(expected) @ weights[3].T + biases[3], rtol=1e-12)
    np.testing.assert_allclose(path.z[-1], network(theta, points), rtol=1e-12)
    assert path.names == ("layer 1", "layer 2", "layer 3")


@pytest.mark.parametrize(("skips", "first"), [({0: 1.0}, "input"), ({}, "layer 1")])
def test_an_input_as_wide_is_read_where_a_skip_carries_it(skips, first):
    network, theta = gn.FeedForward.from_arrays([np.eye(3), np.eye(3), np.eye(2, 3)], skips=skips)
    path = layer_predictions(network, theta, np.ones((2, 3)), gn.Gaussian(dim=2))
    assert path.names[0] == first
