"""Networks wired along a ring or a torus: relations alone find the geometry that was planted."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import geomnet as gn

STEPS = np.arange(24)
RING = np.minimum(STEPS, 24 - STEPS)[np.abs(np.subtract.outer(STEPS, STEPS))]
CIRCLE = np.array([0, 1, 2, 2, 1])[np.abs(np.subtract.outer(np.arange(5), np.arange(5)))]
TORUS = np.add.outer(CIRCLE, CIRCLE).transpose(0, 2, 1, 3).reshape(25, 25)


def planted(activation, seed, distances):
    """Five random layers, every unit joined to itself and to its neighbours."""
    rng, gain = np.random.default_rng(seed), {"tanh": 1.5, "relu": 2.0}[activation]
    near, n = distances <= 1, len(distances)
    weights, biases = [], []
    for _ in range(5):
        weights.append(rng.normal(size=(n, n)) * np.sqrt(gain / near[0].sum()) * near)
        biases.append(0.3 * np.abs(rng.normal(size=n)))
    network, theta = gn.FeedForward.from_arrays(weights, biases, activation)
    points = rng.normal(size=(400, n))
    return gn.EmergentGeometry.from_network(network, theta, points, gn.Categorical(n))


def recovery(activation, distances, relation=None):
    """Spearman correlation of emergent with planted distances, mean over hidden layers, seeds."""
    found = []
    for seed in range(8):
        geometry = planted(activation, seed, distances)
        between = geometry.distance_matrix(relation)
        for layer in range(1, 5):
            nodes = geometry.in_layer(layer)
            pairs = np.triu_indices(len(nodes), 1)
            true = distances[np.ix_(geometry.unit[nodes], geometry.unit[nodes])]
            found.append(spearmanr(between[np.ix_(nodes, nodes)][pairs], true[pairs])[0])
    return np.mean(found)


@pytest.mark.parametrize(
    ("activation", "distances", "least"),
    [("tanh", RING, 0.87), ("relu", RING, 0.72), ("tanh", TORUS, 0.57), ("relu", TORUS, 0.45)],
    ids=["ring, tanh", "ring, relu", "torus, tanh", "torus, relu"],
)
def test_the_default_relation_finds_what_was_planted(activation, distances, least):
    assert recovery(activation, distances) >= least


@pytest.mark.parametrize(("activation", "least"), [("tanh", 0.75), ("relu", 0.47)])
def test_correlations_of_scores_find_the_ring(activation, least):
    assert recovery(activation, RING, gn.emergent.CorrelationLength()) >= least


def test_no_wiring_no_geometry():
    """The same measure on networks that are wired all to all finds nothing."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(24, 24)) * np.sqrt(1.5 / 24) for _ in range(5)]
    network, theta = gn.FeedForward.from_arrays(weights, None, "tanh")
    geometry = gn.EmergentGeometry.from_network(
        network, theta, rng.normal(size=(400, 24)), gn.Categorical(24)
    )
    between, pairs = geometry.distance_matrix(), np.triu_indices(24, 1)
    found = [
        spearmanr(between[24 * k : 24 * k + 24, 24 * k : 24 * k + 24][pairs], RING[pairs])[0]
        for k in range(1, 5)
    ]
    assert abs(np.mean(found)) < 0.1
