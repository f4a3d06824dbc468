"""Gauge moves leave the emergent geometry as it is, and raw weights and gradients not."""

import numpy as np
import pytest
from fisher_cases import close
from graph_cases import NETWORKS, POINTS, RELU, dense, geometry_of, naive, same

import geomnet as gn
from geomnet.graph import (
    ActivationInformation,
    CorrelationLength,
    FisherAngle,
    FisherChord,
    FlowResistance,
    capacity,
    efficiency,
    planck_length,
    robustness,
    spectrum,
)

RELATIONS = (
    CorrelationLength(),
    ActivationInformation(),
    FisherAngle(),
    FisherChord(),
    FlowResistance(),
)


def moved(case, gauge):
    """The same map with other parameters, and where the nodes went."""
    network, theta, _ = case
    (w0, w1, *rest), (b0, *others) = (list(map(np.copy, part)) for part in network.unpack(theta))
    order = np.arange(sum(network.widths))
    if gauge == "split":
        w0, b0 = np.vstack([w0, w0[2]]), np.append(b0, b0[2])
        w1 = np.hstack([w1, 0.7 * w1[:, 2:3]])
        w1[:, 2] *= 0.3
    elif gauge == "permute":
        units = np.array([3, 0, 4, 1, 2])
        w0, b0, w1 = w0[units], b0[units], w1[:, units]
        order[4:9] = 4 + units
    else:
        factor = np.array([-1.0, 1, 1, -1, 1] if gauge == "flip" else [3.0, 0.1, 1, 7, 2])
        w0, b0, w1 = w0 * factor[:, None], b0 * factor, w1 / factor
    new = gn.FeedForward.from_arrays([w0, w1, *rest], [b0, *others], network.activations)
    close(new[0](new[1], POINTS), network(theta, POINTS))
    return (*new, None), order


MOVES = [("tanh", "permute"), ("relu", "permute"), ("tanh", "flip"), ("relu", "rescale")]


@pytest.mark.parametrize(("activation", "gauge"), MOVES)
def test_gauge_moves_change_nothing(activation, gauge):
    case = RELU if activation == "relu" else NETWORKS["tanh"]
    new, order = moved(case, gauge)
    one, two = geometry_of(case), geometry_of(new)
    back = np.ix_(order, order)
    close(two.flow, one.flow[order])
    close(two.time, one.time)
    for name in ("gate_fisher", "normalised", "conductance", "edge_fisher"):
        close(dense(getattr(two, name)), dense(getattr(one, name))[back])
    for relation in RELATIONS:
        close(two.distance_matrix(relation), one.distance_matrix(relation)[back], 1e-9)
    close(spectrum(two), spectrum(one))
    for quantity in (capacity, robustness, efficiency):
        assert quantity(two) == pytest.approx(quantity(one), rel=1e-12)


@pytest.mark.parametrize(("activation", "gauge"), MOVES[2:])
def test_raw_weights_and_gradients_are_no_geometry(activation, gauge):
    case = RELU if activation == "relu" else NETWORKS["tanh"]
    new, _ = moved(case, gauge)
    raw = [dense(geometry_of(network).weight).sum(axis=1) for network in (case, new)]
    gradients = [naive(*network[:2], {})[-1] for network in (case, new)]
    for one, two in (raw, gradients):
        assert np.abs(two - one).max() > 0.1 * np.abs(one).max()


@pytest.mark.parametrize("case", [NETWORKS["tanh"], RELU], ids=["tanh", "relu"])
def test_a_split_adds_a_copy_and_no_geometry(case):
    new, _ = moved(case, "split")
    one, two = geometry_of(case), geometry_of(new)
    old = np.delete(np.arange(two.n_nodes), 9)  # the copy of node 6 is the last of its layer
    for relation in (CorrelationLength(), FisherChord(), ActivationInformation()):
        between = two.distance_matrix(relation)
        close(between[np.ix_(old, old)], one.distance_matrix(relation), 1e-7)
        close(between[9], between[6], 1e-7)
    close(two.distance_matrix()[np.ix_(old, old)], one.distance_matrix(), 1e-9)
    assert two.distance_matrix()[6, 9] < 1e-12
    close(two.time, one.time)
    assert two.flow[[6, 9]] == pytest.approx(one.flow[6] * np.array([0.3, 0.7]), rel=1e-12)
    close(spectrum(two)[:-1], spectrum(one))
    assert capacity(two) == pytest.approx(capacity(one), rel=1e-12)
    assert planck_length(two)[6] == pytest.approx(planck_length(one)[6] / 0.3, rel=1e-12)
    merged = two.merge_copies()
    same(merged, one, names=("layer", "unit", "gate_fisher", "flow", "conductance", "edge_fisher"))
    close(planck_length(merged), planck_length(one))
    assert one.merge_copies().n_nodes == one.n_nodes
