"""Resistances of graphs whose lengths span decades, against rational arithmetic."""

from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array

from geomnet.curvature import WeightedGraph, resistance_curvature
from geomnet.curvature.effective_conductance import effective_conductances
from geomnet.emergent import effective_resistance
from geomnet.errors import InputError


def exact(graph):
    """Relative resistances of the edges and curvature of the nodes; lengths as floats are."""
    conductance = {e: 1 / Fraction(graph.edges[e]["weight"]) for e in graph.edges}
    relative = {e: c * resistance(graph, conductance, *e) for e, c in conductance.items()}
    half = Fraction(1, 2)
    p = {v: 1 - half * sum(r for e, r in relative.items() if v in e) for v in graph}
    return relative, p


def resistance(graph, conductance, u, v):
    """Potential at u with v grounded and one ampere from u to v, by Gaussian elimination."""
    nodes = [w for w in graph if w not in (u, v)] + [u]
    place = {w: i for i, w in enumerate(nodes)}
    rows = [[Fraction(0)] * len(nodes) for _ in nodes]
    for (a, b), c in conductance.items():
        for one, other in ((a, b), (b, a)):
            if one in place:
                rows[place[one]][place[one]] += c
                if other in place:
                    rows[place[one]][place[other]] -= c
    for k, pivot in enumerate(rows):
        for row in rows[k + 1 :]:
            if row[k]:
                factor = row[k] / pivot[k]
                for j in range(k, len(nodes)):
                    row[j] -= factor * pivot[j]
    return 1 / rows[-1][-1]


def clusters(size):
    """Two tight complete graphs with an edge between them."""
    graph = nx.disjoint_union(nx.complete_graph(5), nx.complete_graph(5))
    nx.set_edge_attributes(graph, size, "weight")
    graph.add_edge(4, 5, weight=1.0)
    return graph


def triangle(*lengths):
    graph = nx.cycle_graph(3)
    nx.set_edge_attributes(graph, dict(zip(graph.edges, lengths)), "weight")
    return graph


def graded(n, decades, seed=0):
    """Random lengths, as even over the decades."""
    graph = nx.gnp_random_graph(n, 0.5, seed=seed)
    graph.add_edges_from((i, i + 1) for i in range(n - 1))
    rng = np.random.default_rng(seed)
    lengths = 10 ** rng.uniform(-decades / 2, decades / 2, graph.number_of_edges())
    nx.set_edge_attributes(graph, dict(zip(graph.edges, lengths.tolist())), "weight")
    return graph


GRAPHS = {
    "clusters 1e-6": clusters(1e-6),
    "clusters 1e-12": clusters(1e-12),
    "clusters 1e-200": clusters(1e-200),
    "triangle": triangle(1e-12, 1e3, 1.0),
    "a length of 1e-300": triangle(1e-300, 1.0, 1e-20),
    "long and short": triangle(1e-150, 1e120, 1e-100),
    "graded": graded(11, 20),
    "graded far": graded(12, 200, seed=1),
    "graded little": graded(9, 1, seed=2),
}
each_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


@each_graph
def test_resistances_keep_their_digits(graph):
    found = resistance_curvature(graph)
    relative, p = exact(graph)
    for edge, value in relative.items():
        length = graph.edges[edge]["weight"]
        assert found.resistances[edge] == pytest.approx(float(value) * length, rel=1e-13, abs=0)
    for node, value in p.items():
        assert found.nodes[node] == pytest.approx(float(value), abs=1e-14)


@each_graph
def test_resistances_between_all_nodes_keep_theirs(graph):
    nodes = len(graph)
    matrix = np.zeros((nodes, nodes))
    for (u, v), length in nx.get_edge_attributes(graph, "weight").items():
        matrix[u, v] = 1 / length
    found = effective_resistance(csr_array(matrix))
    conductance = {e: Fraction(matrix[e]) for e in graph.edges}
    for u in range(nodes):
        assert found[u, u] == 0
        for v in range(u):
            true = float(resistance(graph, conductance, u, v))
            assert [found[u, v], found[v, u]] == pytest.approx([true] * 2, rel=1e-13, abs=0)


def test_a_bridge_between_tight_clusters():
    for size in (1e-6, 1e-9, 1e-12, 1e-100):
        found = resistance_curvature(clusters(size))
        assert found.resistances[4, 5] == pytest.approx(1.0, abs=1e-14)
        assert found.nodes[4] == pytest.approx(-0.3, abs=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 17, 50, 97, 130, 301])
def test_effective_conductances_are_those_of_the_pseudoinverse(n):
    rng = np.random.default_rng(n)
    network = np.triu(rng.uniform(0.1, 1.0, (n, n)) * (rng.random((n, n)) < 0.5), 1)
    network[range(n - 1), range(1, n)] += 0.1
    network += network.T
    before = network.copy()
    found = effective_conductances(network)
    inverse = np.linalg.pinv(np.diag(network.sum(axis=1)) - network)
    at = np.diag(inverse)
    np.testing.assert_allclose(1 / found, at[:, None] + at - 2 * inverse, rtol=1e-9, atol=1e-13)
    assert np.array_equal(network, before)


def test_nodes_in_another_order_have_the_same_resistances():
    graph = graded(220, 30, seed=3)
    found = resistance_curvature(graph).resistances
    order = np.random.default_rng(0).permutation(220).tolist()
    other = nx.Graph()
    other.add_nodes_from(order)
    other.add_edges_from(graph.edges(data=True))
    other = resistance_curvature(other).resistances
    for (u, v), value in found.items():
        assert other.get((u, v), other.get((v, u))) == pytest.approx(value, rel=1e-12, abs=0)


def test_conductances_as_they_stand():
    graph = clusters(1e-12)
    edges = np.array(graph.edges)
    weights = np.array([1 / graph.edges[e]["weight"] for e in graph.edges])
    found = resistance_curvature(WeightedGraph(10, edges, weights), kind="conductance")
    expected = resistance_curvature(graph)
    assert found.edges == pytest.approx(np.array(list(expected.edges.values())), rel=1e-12)


def test_a_cluster_tighter_than_floating_point_is_an_error():
    with pytest.raises(InputError, match=r"Foster's theorem to 9: weights that span 323 decades"):
        resistance_curvature(clusters(5e-324))
