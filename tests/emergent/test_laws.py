"""Emergent geometry where numbers are hard, and laws of currents."""

import numpy as np
import pytest
from emergent_cases import (
    FIELDS,
    HOMOGENEOUS,
    NETWORKS,
    POINTS,
    SAMPLE,
    SOFTMAX,
    WEIGHTS,
    centred,
    dense,
    feed_forward,
    geometry_of,
    same,
    scores_of,
)
from fisher_cases import close
from scipy.sparse.csgraph import connected_components

import geomnet as gn
from geomnet.emergent import effective_resistance

ALL = NETWORKS | FIELDS
RELATIONS = (
    gn.emergent.CausalLength(),
    gn.emergent.CorrelationLength(),
    gn.emergent.ActivationInformation(),
)


# -- currents ---------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu", "gelu", "logistic"])
def test_kirchhoff_incoming_with_the_ground(activation):
    """What a bias and a curved activation bring comes by an edge from the ground."""
    case = feed_forward(activation, True)
    _, skeleton, gates, edges = scores_of(case)
    network, theta, _ = centred(case)
    matrices, biases = network.unpack(theta)
    states = network.states(theta, POINTS)
    step = 1e-6
    for k in range(3):  # the hidden layers
        u = states[k] @ matrices[k].T + biases[k]
        act = lambda v: gn.FeedForward((v.shape[1],) * 2, (activation,), False)(  # noqa: E731
            np.eye(v.shape[1]).ravel(), v
        )
        slope = (act(u + step) - act(u - step)) / (2 * step)
        nodes = skeleton.layers[k + 1].nodes
        h = states[k + 1]
        per_unit = np.divide(
            gates[:, :, nodes], h[:, None], out=np.zeros_like(gates[:, :, nodes]),
            where=h[:, None] != 0,
        )  # fmt: skip
        ground = per_unit * (h - slope * (u - biases[k]))[:, None]
        close(edges[k].sum(axis=3) + ground, gates[:, :, nodes], 1e-8)


@pytest.mark.parametrize("case", HOMOGENEOUS.values(), ids=HOMOGENEOUS)
def test_signed_currents_sum_to_one_over_every_cut(case):
    fisher, skeleton, _, edges = scores_of(case)
    z = fisher.predictions
    root = SOFTMAX.score_factor(z)
    target = np.einsum("nqc,nc->nq", root, z)
    for cut in range(len(skeleton.layers) - 1):
        total = sum(
            np.einsum("nqk,nq->n", scores.reshape(*scores.shape[:2], -1), target)
            for part, scores in zip(skeleton.edges, edges)
            if part.source <= cut < part.target
        )
        close(total, np.sum(target**2, axis=1), 1e-12)  # zero for a datum that no unit sees


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_conductance_and_flow_are_mean_sizes_of_scores(case):
    _, skeleton, gates, edges = scores_of(case)
    geometry = geometry_of(case)
    count = skeleton.n_nodes
    size, square = np.zeros((2, count, count))
    for part, scores in zip(skeleton.edges, edges):
        source, target = skeleton.layers[part.source], skeleton.layers[part.target]
        mean = np.tensordot(WEIGHTS, np.linalg.norm(scores, axis=1), 1)
        second = np.tensordot(WEIGHTS, np.sum(scores**2, axis=1), 1)
        if mean.ndim == 1:
            mean, second = np.diag(mean), np.diag(second)
        size[source.nodes, target.nodes] += mean.T
        square[source.nodes, target.nodes] += second.T
    flow = WEIGHTS @ np.linalg.norm(gates, axis=1)
    alive = np.ix_(flow > 0, flow > 0)
    close(geometry.flow, flow[flow > 0])
    close(geometry.conductance.toarray(), size[alive])
    close(geometry.edge_fisher.toarray(), square[alive])


@pytest.mark.parametrize("name", ["plain", "residual", "tanh", "rk4", "own field"])
def test_foster(name):
    geometry = geometry_of(ALL[name])
    parts, _ = connected_components(geometry.conductance, directed=False)
    total = geometry.conductance.multiply(effective_resistance(geometry.conductance)).sum()
    assert total == pytest.approx(geometry.n_nodes - parts, abs=1e-10)


# -- numbers that are hard --------------------------------------------------------------------


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_data_far_from_zero_lose_no_digits(offset):
    network, theta, _ = feed_forward("relu", True)
    matrices, biases = network.unpack(theta.copy())
    biases[0] -= matrices[0].sum(axis=1) * offset
    case = (*gn.FeedForward.from_arrays(matrices, biases, "relu"), None)
    far = geometry_of(case, gn.Sample(POINTS + offset, WEIGHTS))
    near = geometry_of((network, theta, None))
    hidden = np.ix_(far.layer > 0, far.layer > 0)
    close(far.activation, near.activation, 40 * offset * np.finfo(float).eps)
    assert far.time[1:] == pytest.approx(near.time[1:], abs=40 * offset * np.finfo(float).eps)
    for relation in RELATIONS:
        close(
            relation.lengths(far)[hidden], relation.lengths(near)[hidden],
            4000 * offset * np.finfo(float).eps,
        )  # fmt: skip
    report = gn.gauge.check(
        lambda network, theta: gn.gauge.PerNode(
            (g := geometry_of((network, theta, None), gn.Sample(POINTS + offset))).activation[
                np.ix_(g.layer == 0, g.layer == 0)
            ],
            [(0, unit) for unit in range(4)],
        ),
        *case[:2],
    )
    assert report, report


def test_saturated_units_keep_their_correlations():
    network, theta, _ = feed_forward("tanh", True)
    matrices, biases = network.unpack(theta.copy())
    biases[0][:] = [6.0, 8.0, 10.0, -9.0, 0.1]
    case = (*gn.FeedForward.from_arrays(matrices, biases, "tanh"), None)
    geometry = geometry_of(case, gn.Sample(POINTS))
    nodes, states = geometry.in_layer(1), case[0].states(case[1], POINTS)[1]
    expected = np.corrcoef(states.T)
    found = np.sqrt(geometry.past / np.outer(geometry.flow, geometry.flow))
    close(found[np.ix_(nodes, nodes)], np.abs(expected), 1e-6)


def test_what_depth_weakens_is_not_dead():
    rng = np.random.default_rng(0)
    weights = [0.4 * rng.normal(size=(6, 6)) / np.sqrt(6) for _ in range(60)]
    network, theta = gn.FeedForward.from_arrays(weights, [0.3 * np.ones(6)] * 60, "tanh")
    geometry = gn.EmergentGeometry.from_network(
        network, theta, POINTS @ np.eye(4, 6), gn.Categorical(6)
    )
    assert geometry.dead == ((0, 4), (0, 5))  # those of no input
    assert geometry.flow[geometry.layer == 0].max() < 1e-15 * geometry.flow.max()
    alone = geometry.coarse_grain(np.arange(geometry.n_nodes))
    same(alone, geometry, names=("gate_fisher", "flow", "conductance", "weight"))
    assert len(alone.edges) == len(geometry.edges)
    assert len(geometry.merge_copies(1e-13).edges) == len(geometry.edges)


# -- copies and groups ------------------------------------------------------------------------


def with_copy(factor):
    """A unit and a copy whose outgoing weights are a multiple, and the one unit they are."""
    (w0, w1, *rest), (b0, *others) = (
        list(part) for part in NETWORKS["tanh"][0].unpack(NETWORKS["tanh"][1])
    )
    twice = np.hstack([w1, factor * w1[:, 2:3]])
    once = w1.copy()
    once[:, 2] *= 1 + factor
    made = []
    for rows, bias, out in (
        (np.vstack([w0, w0[2]]), np.append(b0, b0[2]), twice),
        (w0, b0, once),
    ):
        made.append(
            (*gn.FeedForward.from_arrays([rows, out, *rest], [bias, *others], "tanh"), None)
        )
    return made


@pytest.mark.parametrize("factor", [0.5, -0.6, -1.7])
def test_copies_of_either_sign_are_one_unit(factor):
    copies, one = with_copy(factor)
    flipped = gn.gauge.flip(*copies[:2], layer=1, units=[5])
    for case in (copies, (flipped.network, flipped.theta, None)):
        merged = geometry_of(case).merge_copies()
        names = ("layer", "unit", "gate_fisher", "flow", "conductance", "edge_fisher", "weight")
        same(merged, geometry_of(one), 1e-12, (*names, "activation", "sensitivity"))
        for relation in RELATIONS:
            close(
                merged.distance_matrix(relation), geometry_of(one).distance_matrix(relation), 1e-9
            )


def test_parallel_edges_that_cancel_in_weight_alone_stay():
    """A skip of 1 beside a weight of -1: the scores differ where the unit is curved."""
    matrices = [np.eye(3, 4), -np.eye(3), np.ones((3, 3)) + np.diag([1.0, 2.0, 4.0])]
    case = (*gn.FeedForward.from_arrays(matrices, None, "tanh", {1: 1.0}), None)
    geometry = geometry_of(case)
    assert (geometry.weight.data == 0).sum() == 3
    same(geometry.merge_copies(), geometry, names=("conductance", "edge_fisher", "flow"))


def test_copies_that_cancel_are_dead():
    copies, one = with_copy(-1.0)
    merged, expected = geometry_of(copies).merge_copies(), geometry_of(one)
    assert merged.dead == ((1, 2),) == expected.dead
    same(merged, expected, names=("layer", "unit", "gate_fisher", "flow", "conductance"))
    assert merged.capacity == pytest.approx(expected.capacity, rel=1e-12)


def test_copies_of_what_never_changes_are_in_one_place():
    network, theta, _ = feed_forward("tanh", True)
    matrices, biases = network.unpack(theta.copy())
    matrices[0][1], biases[0][1] = 0.0, 1.0
    case = gn.FeedForward.from_arrays(matrices, biases, "tanh")
    moved = gn.gauge.split(*case, layer=1, unit=1, share=0.5)
    flipped = gn.gauge.flip(moved.network, moved.theta, layer=1, units=[5])
    two = geometry_of((flipped.network, flipped.theta, None))
    places = {pair: k for k, pair in enumerate(zip(two.layer.tolist(), two.unit.tolist()))}
    assert two.distance_matrix()[places[1, 1], places[1, 5]] == 0
    one = geometry_of((*case, None))
    close(two.merge_copies().distance_matrix(), one.distance_matrix(), 1e-9)
    same(two.merge_copies(), one, names=("weight", "sensitivity", "flow"))


@pytest.mark.parametrize("name", ["tanh", "plain", "residual", "midpoint"])
def test_groups_do_not_feel_the_gauge(name):
    network, theta, readout = NETWORKS[name]

    def coarse(network, theta, readout=None):
        geometry = geometry_of((network, theta, readout))
        unit = geometry.unit // 2 if name == "plain" else geometry.unit % 2
        groups = geometry.coarse_grain(10 * geometry.layer + unit)
        return {repr(relation): groups.distance_matrix(relation) for relation in RELATIONS} | {
            "capacity": groups.capacity,
            "flow": groups.flow,
        }

    kinds = [kind for kind in ("rescale", "flip") if gn.gauge.moves(network, readout)[kind]]
    report = gn.gauge.check(coarse, network, theta, readout, kinds=kinds)
    assert report, report


def test_groups_of_groups_are_groups():
    geometry = geometry_of(NETWORKS["tanh"])
    pairs = geometry.coarse_grain(10 * geometry.layer + geometry.unit // 2)
    twice = pairs.coarse_grain(pairs.layer)
    once = geometry.coarse_grain(geometry.layer)
    same(twice, once, names=("gate_fisher", "flow", "conductance", "past", "future"))


# -- what is given back -----------------------------------------------------------------------


def test_nobody_can_write_into_a_geometry():
    geometry = geometry_of(NETWORKS["tanh"])
    arrays = [geometry.flow, geometry.gate_fisher, geometry.normalised, geometry.cosine]
    arrays += [geometry.edges, geometry.spectrum, geometry.planck_length, geometry.past]
    for array in [*arrays, geometry.conductance.data, geometry.weight.indices]:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    before = dense(geometry.weight).copy()
    mine = geometry.conductance.copy()
    mine.data[mine.data < np.median(mine.data)] = 0.0
    mine.eliminate_zeros()
    np.testing.assert_array_equal(dense(geometry.weight), before)


def test_maps_that_stages_share_are_not_centred():
    """Of the states of a Runge–Kutta method themselves as logits no map can be shifted alone."""
    network, theta, _ = NETWORKS["rk4"]
    by_class, plain = (
        gn.EmergentGeometry.from_network(network, theta, SAMPLE, likelihood)
        for likelihood in (gn.Categorical(4), gn.Gaussian(1.0, 4))
    )
    close(dense(by_class.weight), dense(plain.weight))
    network, theta, _ = NETWORKS["euler"]
    alone = gn.EmergentGeometry.from_network(network, theta, SAMPLE, gn.Categorical(4))
    last = dense(alone.weight)[np.ix_(alone.layer == 3, alone.layer == 4)]
    np.testing.assert_allclose(last.sum(axis=1), 0, atol=1e-14)
