"""Forman curvature, and graphs as arrays: sums edge by edge, closed forms, what is refused."""

from fractions import Fraction

import curvature_oracles as oracles
import networkx as nx
import numpy as np
import pytest

from geomnet.curvature import (
    WeightedGraph,
    forman,
    ollivier,
    resistance_curvature,
    ricci_flow,
)
from geomnet.curvature.distances import shortest_path_lengths
from geomnet.errors import InputError

GRAPHS = {
    "layered": oracles.layered((5, 7, 6, 3)),
    "layered with a skip": oracles.layered((4, 5, 4), skip=True),
    "random": oracles.random_graph(20, 0.4),
    "sparse": oracles.random_graph(150, 0.015),
    "karate": nx.karate_club_graph(),
}
each_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
CURVATURES = [forman, ollivier, resistance_curvature, ricci_flow]
each_curvature = pytest.mark.parametrize("curvature", CURVATURES)


@each_graph
@pytest.mark.parametrize("method", ["1d", "augmented"])
def test_forman_is_the_sum_over_edges(graph, method):
    expected = oracles.forman(graph, method == "augmented")
    found = forman(graph, method)
    assert list(found) == list(graph.edges)
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("method", ["1d", "augmented"])
def test_nodes_may_weigh_too(method):
    graph = GRAPHS["random"].copy()
    for node in graph:
        graph.nodes[node]["size"] = 1.0 + node
    expected = oracles.forman(graph, method == "augmented", "size")
    found = forman(graph, method, node_weight="size")
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_unit_weights_count_degrees_and_triangles(n):
    graph = nx.complete_graph(n)
    assert set(forman(graph).values()) == {4.0 - 2 * (n - 1)}
    found = list(forman(graph, "augmented").values())
    assert found == pytest.approx([4.0 - 2 * (n - 1) + 3 * (n - 2)] * len(found), abs=1e-12)


def test_karate_club_as_graph_ricci_curvature_has_it():
    graph = nx.karate_club_graph()
    one, two = forman(graph), forman(graph, "augmented")
    assert one[0, 1] == pytest.approx(-27.8303903552, abs=1e-9)
    assert sum(one.values()) == pytest.approx(-951.623413921, abs=1e-8)
    assert two[32, 33] == pytest.approx(241.030348265, abs=1e-8)
    assert sum(two.values()) == pytest.approx(1112.41507381, abs=1e-7)


def test_directions_do_not_matter():
    graph = nx.DiGraph([(0, 1), (2, 1), (2, 0), (3, 2)])
    found = forman(graph, "augmented")
    undirected = forman(nx.Graph(graph), "augmented")
    assert found == {(u, v): undirected.get((u, v), undirected.get((v, u))) for u, v in found}
    with pytest.raises(InputError, match="1 edges run both ways"):
        forman(nx.DiGraph([(0, 1), (1, 0), (1, 2)]))


# -- distances --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "p", "directed"),
    [(30, 0.05, False), (60, 0.9, False), (120, 0.6, True), (500, 0.3, False), (450, 0.2, True)],
)
def test_distances_are_dijkstras(n, p, directed):
    graph = oracles.random_graph(n, p, directed=directed)
    arrays = WeightedGraph.from_networkx(graph)
    for source in (0, n // 2):
        expected = np.full(n, np.inf)
        for node, length in nx.single_source_dijkstra_path_length(graph, source).items():
            expected[node] = length
        np.testing.assert_allclose(arrays.distances[source], expected, rtol=1e-13)


def test_distances_of_no_edges():
    arrays = WeightedGraph(2, [])
    assert shortest_path_lengths(arrays.adjacency, False).tolist() == [[0, np.inf], [np.inf, 0]]


# -- graphs as arrays -------------------------------------------------------------------------


def test_an_attribute_that_no_edge_has():
    graph = nx.path_graph(3)
    assert forman(graph) == forman(graph, weight=None) == {(0, 1): 1.0, (1, 2): 1.0}
    with pytest.raises(InputError, match="no edge has an attribute 'lenght'"):
        forman(graph, weight="lenght")
    with pytest.raises(InputError, match=r"^node_weight: no node has an attribute 'mass'") as error:
        forman(graph, node_weight="mass")
    assert "length" not in str(error.value)


def test_other_attributes_are_read_by_name_alone():
    graph = nx.path_graph(3)
    nx.set_edge_attributes(graph, {(0, 1): 1.0, (1, 2): 4.0}, "distance")
    assert forman(graph) == forman(graph, weight=None) != forman(graph, weight="distance")


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "1 of 3 nodes have no attribute 'mass', first 1"),
     (np.nan, "1 of 3 nodes have no finite number for 'mass', first nan at 1"),
     ("heavy", "1 of 3 nodes have no finite number for 'mass', first 'heavy' at 1"),
     (-2.0, "1 of 3 are not above zero, first -2 at 1; give positive weights")],
)  # fmt: skip
def test_weights_of_nodes_that_are_none(value, message):
    graph = nx.path_graph(3)
    nx.set_node_attributes(graph, {0: 1.0, 1: value, 2: 2.0}, "mass")
    with pytest.raises(InputError, match=f"^node_weight: {message}") as error:
        forman(graph, node_weight="mass")
    assert "length" not in str(error.value)
    assert "edge" not in str(error.value)


@each_curvature
def test_an_attribute_that_some_edges_have(curvature):
    graph = nx.path_graph(3)
    graph.edges[0, 1]["weight"] = 2.0
    with pytest.raises(
        InputError, match=r"1 of 2 edges have no attribute 'weight', first \(1, 2\); set it"
    ):
        curvature(graph)


@each_curvature
@pytest.mark.parametrize(
    "value", [0.0, -1.0, np.nan, np.inf, "far", "2.5", Fraction(1, 2), 1j, [1.0], [1.0, 2.0]]
)
def test_weights_are_positive_numbers(curvature, value):
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, {(0, 1): 1.0, (1, 2): value, (2, 3): 1}, "weight")
    with pytest.raises(InputError, match=r"^weight: 1 of 3 .* at \(1, 2\); "):
        curvature(graph)
    nx.set_edge_attributes(graph, value, "weight")
    with pytest.raises(InputError, match=r"^weight: 3 of 3 .* at \(0, 1\); "):
        curvature(graph)


@each_curvature
def test_loops_and_parallel_edges(curvature):
    looped = nx.path_graph(3)
    looped.add_edge(1, 1)
    with pytest.raises(InputError, match="1 edges are loops, first at 1"):
        curvature(looped)
    for edges in ([(0, 1), (0, 1)], [(0, 1), (1, 2)]):
        with pytest.raises(InputError, match=r"a MultiGraph may have parallel .*nx\.Graph\("):
            curvature(nx.MultiGraph(edges))
        with pytest.raises(InputError, match=r"a MultiDiGraph may have .*nx\.DiGraph\("):
            curvature(nx.MultiDiGraph(edges))


@each_curvature
def test_no_graph(curvature):
    with pytest.raises(InputError, match="expected a networkx graph"):
        curvature(np.eye(3))


@pytest.mark.parametrize(
    ("edges", "message"),
    [([(0, 3)], "between 0 and 3"), ([(0, 1, 2)], "shape"), ([(0.0, 1.0)], "whole numbers"),
     ([(0, 1), (1, 0)], "given twice")],
)  # fmt: skip
def test_unusable_edges(edges, message):
    with pytest.raises(InputError, match=message):
        WeightedGraph(3, edges)


def test_arrays_say_what_they_are():
    arrays = WeightedGraph.from_networkx(nx.karate_club_graph())
    assert repr(arrays) == "WeightedGraph(nodes=34, edges=78)"
    assert repr(WeightedGraph(2, [(0, 1)], directed=True)) == (
        "WeightedGraph(nodes=2, edges=1, directed=True)"
    )


def test_means_at_nodes():
    arrays = WeightedGraph(4, [(0, 1), (1, 2)])
    assert arrays.node_means(np.array([1.0, 3.0])).tolist() == [1.0, 2.0, 3.0, 0.0]


def test_results_go_back_as_attributes():
    graph = nx.path_graph(4)
    found = ollivier(graph)
    nx.set_edge_attributes(graph, found, "curvature")
    assert nx.get_edge_attributes(graph, "curvature") == found


def test_graphs_are_left_as_they_are():
    graph = GRAPHS["random"].copy()
    for curvature in CURVATURES:
        curvature(graph)
    assert nx.utils.graphs_equal(graph, GRAPHS["random"])
