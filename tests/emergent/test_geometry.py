"""Emergent geometry: Kirchhoff, cuts, moments, memory, files, a planted ring."""

import json

import networkx as nx
import numpy as np
import pytest
from emergent_cases import (
    ARRAYS,
    FIELDS,
    HOMOGENEOUS,
    NETWORKS,
    POINTS,
    READOUT,
    SAMPLE,
    SOFTMAX,
    WEIGHTS,
    centred,
    dense,
    feed_forward,
    geometry_of,
    naive,
    same,
    scores_of,
)
from fisher_cases import close
from scipy.sparse import csr_array

import geomnet as gn
from geomnet.emergent import (
    CausalLength,
    FlowResistance,
    capacity,
    effective_resistance,
    efficiency,
    horizon,
    planck_length,
    robustness,
    write_graph,
)

ALL = NETWORKS | FIELDS
each_network = pytest.mark.parametrize("case", ALL.values(), ids=ALL)
each_homogeneous = pytest.mark.parametrize("case", HOMOGENEOUS.values(), ids=HOMOGENEOUS)


# -- laws of scores ---------------------------------------------------------------------------


def gathered(skeleton, gates, edges, outgoing):
    """Sums of edge scores at the nodes they leave, or enter."""
    found = np.zeros_like(gates)
    for part, scores in zip(skeleton.edges, edges):
        end = skeleton.layers[part.source if outgoing else part.target].nodes
        found[:, :, end] += scores.sum(2 if outgoing else 3) if scores.ndim == 4 else scores
    return found


@each_network
def test_kirchhoff_outgoing(case):
    _, skeleton, gates, edges = scores_of(case)
    last = skeleton.layers[-1].start
    close(gathered(skeleton, gates, edges, True)[..., :last], gates[..., :last], 1e-13)


@each_homogeneous
def test_kirchhoff_incoming(case):
    _, skeleton, gates, edges = scores_of(case)
    first = skeleton.layers[1].start
    close(gathered(skeleton, gates, edges, False)[..., first:], gates[..., first:], 1e-13)


@each_homogeneous
def test_flux_is_the_same_over_every_cut(case):
    fisher, skeleton, _, edges = scores_of(case)
    products = [z @ SOFTMAX.fisher_matrix(z) @ z for z in fisher.predictions]
    for cut in range(len(skeleton.layers) - 1):
        crossing = sum(
            scores.sum(axis=tuple(range(2, scores.ndim)))
            for part, scores in zip(skeleton.edges, edges)
            if part.source <= cut < part.target
        )
        close(np.sum(crossing**2, axis=1), products)
    geometry, expected = geometry_of(case), WEIGHTS @ products
    skipped = {k for part in skeleton.edges for k in range(part.source + 1, part.target)}
    for layer in set(range(len(skeleton.layers))) - skipped:
        nodes = geometry.in_layer(layer)
        close(geometry.gate_fisher[np.ix_(nodes, nodes)].sum(), expected)


# -- moments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "widths", "skips"),
    [
        ("tanh", (4, 6, 5, 3), {}),
        ("relu", (4, 6, 5, 3), {}),
        ("tanh", (4, 5, 4, 3), {1: (0, 0.4)}),
        ("relu", (4, 5, 5, 3), {1: (1, 0.4)}),
    ],
)
def test_moments_are_those_of_a_loop_over_the_data(activation, widths, skips):
    case = feed_forward(activation, True, skips, widths)
    geometry = geometry_of(case)
    assert not geometry.dead
    for name, expected in zip(ARRAYS, naive(*centred(case)[:2], skips)[:-1]):
        close(dense(getattr(geometry, name)), expected)
    states = np.hstack(case[0].states(centred(case)[1], POINTS))
    close(geometry.activation, np.cov(states.T, aweights=WEIGHTS, ddof=0))
    z = geometry.in_layer(3)  # of the outputs, G is the mean Fisher matrix
    mean_fisher = np.einsum("n,nij->ij", WEIGHTS, SOFTMAX.fisher_matrix(states[:, z]))
    trace = np.trace(mean_fisher @ geometry.activation[np.ix_(z, z)])
    assert geometry.time[-1] == pytest.approx(np.log(trace) / 2, rel=1e-12)


def test_a_network_is_the_feed_forward_it_unrolls_to():
    theta = NETWORKS["euler"][1]
    matrices, biases, skips = [], [], {}
    for layer, part in enumerate(theta):
        w, b, a, c = np.split(part, [20, 25, 45])
        matrices += [w.reshape(5, 4), a.reshape(4, 5)]
        biases += [b, c]
        skips[2 * layer + 1] = (2 * layer, 0.5)
    unrolled = gn.FeedForward.from_arrays(
        [*matrices, READOUT.weight],
        [*biases, READOUT.bias],
        ["tanh", "identity", "tanh", "identity", "identity"],
        skips,
    )
    names = [name for name in ARRAYS if name != "weight"]
    same(geometry_of(NETWORKS["euler"]), geometry_of((*unrolled, None)), names=names)


@pytest.mark.parametrize("readout", [READOUT, None], ids=["readout", "none"])
def test_of_one_s_own_field_the_states_are_the_nodes(readout):
    likelihood = SOFTMAX if readout else gn.Gaussian(1.0, 4)
    own, known = (
        gn.EmergentGeometry.from_network(*ALL[name][:2], SAMPLE, likelihood, readout)
        for name in ("own field", "euler")
    )
    states = np.isin(known.layer, [0, 2, 4, 5])  # 1 and 3 are hidden units
    both = np.ix_(states, states)
    for name in ("gate_fisher", "activation", "sensitivity", "cosine"):
        close(getattr(own, name), getattr(known, name)[both], 1e-12)
    close(own.flow, known.flow[states])
    close(own.time, np.delete(known.time, [1, 3]))
    network, theta, _ = FIELDS["own field"]
    step = network.linearise(theta, POINTS).layers[0].transition()
    mean = np.einsum("n,nji->ij", WEIGHTS, step)
    close(own.weight.toarray()[:4, 4:8], mean)


def test_chunks_do_not_matter():
    case, sample = (
        NETWORKS["tanh, residual"],
        gn.Sample(np.random.default_rng(5).normal(size=(2000, 4))),
    )
    fisher = gn.FisherInformation(*case[:2], sample, SOFTMAX, memory_limit=2**20)
    assert len(fisher._data.slices) > 3
    same(geometry_of(case, sample, memory_limit=2**20), geometry_of(case, sample), 1e-13)


@each_network
def test_linear_in_the_weights_of_the_data(case):
    others = np.random.default_rng(6).dirichlet(np.full(9, 0.5))
    one, two = geometry_of(case), geometry_of(case, gn.Sample(POINTS, others))
    both = geometry_of(case, gn.Sample(POINTS, 0.7 * WEIGHTS + 0.3 * others), n=18)
    same(one.mix(two, 0.3), both)
    assert one.mix(two, 0.3).n == both.n
    same(one.mix(two, 0.0), one)
    assert (one.mix(two, 0.0).n, one.mix(two, 1.0).n, one.mix(two, 0.3, n=5).n) == (9, 9, 5)


def test_what_is_dead_on_some_data_lives_on_others():
    case = (*gn.FeedForward.from_arrays([[[1.0], [-1.0]], np.ones((3, 2)) * [[1], [2], [4]]],
                                        None, "relu"), None)  # fmt: skip
    right, left = (geometry_of(case, gn.Sample(s * np.array([[1.0], [2.0]]))) for s in (1, -1))
    assert (right.dead, left.dead) == (((1, 1),), ((1, 0),))
    mixed = right.mix(left, 0.5)
    assert mixed.dead == ()
    assert mixed.unit.tolist() == [0, 0, 1, 0, 1, 2]
    assert right.layer.tolist() == [0, 1, 2, 2, 2]
    assert right.gate_fisher.shape == (5, 5)


# -- what is made of it -----------------------------------------------------------------------


def test_memory_is_what_its_formulas_say():
    geometry = geometry_of(NETWORKS["tanh"], n=500)
    k = geometry.gate_fisher / np.sqrt(np.outer(geometry.flow, geometry.flow))
    assert capacity(geometry) == pytest.approx(np.linalg.slogdet(np.eye(23) + 500 * k)[1] / 2)
    assert robustness(geometry) == pytest.approx(np.linalg.norm(k, 2) ** -0.5)
    fisher = 500 * np.diag(geometry.gate_fisher)
    close(planck_length(geometry), fisher**-0.5)
    assert horizon(geometry).tolist() == (fisher < 1).tolist()
    assert 0 < horizon(geometry).sum() < 23
    rank = np.linalg.matrix_rank(k)
    most = rank / 2 * np.log(1 + 500 * np.trace(k) / rank)
    assert efficiency(geometry) == pytest.approx(capacity(geometry) / most)
    assert rank == 18


def test_foster():
    geometry = geometry_of(NETWORKS["gelu, long skip"])
    resistance = effective_resistance(geometry.conductance)
    assert geometry.conductance.multiply(resistance).sum() == pytest.approx(22, abs=1e-10)


@pytest.mark.parametrize("form", ["graphml", "json"])
@pytest.mark.parametrize("name", ["plain", "residual", "midpoint"])
def test_graphs_read_back_equal(form, name, tmp_path):
    geometry = geometry_of(NETWORKS[name])
    kappa = csr_array(
        (gn.ollivier(geometry, "average"), geometry.edges.T), shape=geometry.gate_fisher.shape
    )
    graph, path = geometry.to_networkx(), tmp_path / f"graph.{form}"
    write_graph(graph, path)
    if form == "json":
        read = nx.node_link_graph(json.loads(path.read_text()), edges="edges")
    else:
        read = nx.read_graphml(path, node_type=int)
    assert dict(read.nodes(data=True)) == dict(graph.nodes(data=True))
    assert list(read.edges(data=True)) == list(graph.edges(data=True))
    assert nx.utils.graphs_equal(read, graph)
    nodes = ["layer", "unit", "fisher", "flow", "time", "planck_length", "horizon"]
    assert all(list(data) == nodes for _, data in read.nodes(data=True))
    lengths = CausalLength().lengths(geometry)
    rows = [data for _, data in read.nodes(data=True)]
    assert [row["time"] for row in rows] == geometry.time[geometry.layer].tolist()
    assert [row["horizon"] for row in rows] == geometry.horizon.tolist()
    assert [row["planck_length"] for row in rows] == geometry.planck_length.tolist()
    assert read.number_of_edges() == geometry.conductance.nnz > 0
    for i, j, data in read.edges(data=True):
        assert read.nodes[i]["layer"] < read.nodes[j]["layer"]
        assert data == {
            "weight": geometry.weight[i, j],
            "fisher": geometry.edge_fisher[i, j],
            "conductance": geometry.conductance[i, j],
            "length": lengths[i, j],
            "ollivier_average": kappa[i, j],
        }


def test_lengths_are_of_the_relation_asked_for():
    geometry, relation = geometry_of(NETWORKS["tanh"]), FlowResistance()
    expected = relation.distances(geometry)
    graph = geometry.to_networkx(relation)
    assert all(data["length"] == expected[i, j] for i, j, data in graph.edges(data=True))


def test_groups_are_sums_of_scores():
    _, _, gates, _ = scores_of(NETWORKS["tanh"])
    geometry = geometry_of(NETWORKS["tanh"])
    groups = 3 * geometry.layer + geometry.unit % 2
    coarse = geometry.coarse_grain(groups)
    assert coarse.layer.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    sums = np.stack([gates[:, :, groups == k].sum(2) for k in np.unique(groups)], axis=2)
    close(coarse.gate_fisher, np.einsum("n,nqa,nqb->ab", WEIGHTS, sums, sums))
    assert coarse.flow.sum() == pytest.approx(geometry.flow.sum())
    assert coarse.conductance.sum() == pytest.approx(geometry.conductance.sum())
    assert (coarse.flow >= WEIGHTS @ np.linalg.norm(sums, axis=1)).all()
