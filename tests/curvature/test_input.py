"""What curvature functions take: emergent geometries, and graphs that are hardly any."""

import curvature_oracles as oracles
import networkx as nx
import numpy as np
import pytest

import geomnet as gn
from geomnet.curvature import (
    WeightedGraph,
    forman,
    ollivier,
    resistance_curvature,
    ricci_flow,
)
from geomnet.emergent import EmergentGeometry
from geomnet.errors import ConvergenceError, InputError

KEPT = {
    "ollivier": ollivier,
    "ollivier_average": lambda graph, **given: ollivier(graph, "average", **given),
    "ollivier_bound": lambda graph, **given: ollivier(graph, "bound", **given),
    "ollivier_upper": lambda graph, **given: ollivier(graph, "upper", **given),
    "forman": forman,
    "forman_augmented": lambda graph, **given: forman(graph, "augmented", **given),
}
EDGEWISE = KEPT | {
    "resistance": lambda graph, **given: resistance_curvature(graph, **given).edges,
    "flow": lambda graph, **given: ricci_flow(graph, 3, **given).lengths,
}
each_kept = pytest.mark.parametrize("name", KEPT)
each_edgewise = pytest.mark.parametrize("function", EDGEWISE.values(), ids=EDGEWISE)


class StandIn:
    """What curvature asks of an emergent geometry."""

    def __init__(self, lengths=None):
        graph = oracles.layered((4, 5, 3))
        self.edges = WeightedGraph.from_networkx(graph).edges
        rng = np.random.default_rng(1)
        self.weights = {
            "length": rng.uniform(0.2, 1.0, len(self.edges)) if lengths is None else lengths,
            "conductance": rng.uniform(1.0, 2.0, len(self.edges)),
        }
        self.curvatures = {}

    def weighted_graph(self, weight="length"):
        return WeightedGraph(12, self.edges, self.weights[weight])


def trained():
    network = gn.FeedForward((3, 5, 4, 2), "tanh")
    points = np.random.default_rng(0).normal(size=(20, 3))
    return EmergentGeometry.from_network(
        network, network.init(seed=1), gn.Sample(points), gn.Categorical(2)
    )


GEOMETRIES = {"stand-in": StandIn, "of a network": trained}
each_geometry = pytest.mark.parametrize("make", GEOMETRIES.values(), ids=GEOMETRIES)


# -- emergent geometries ----------------------------------------------------------------------


@each_geometry
@each_kept
@pytest.mark.parametrize("weight", ["length", "conductance"])
def test_geometries_answer_with_arrays_and_keep_them(make, name, weight):
    geometry = make()
    found = KEPT[name](geometry, weight=weight)
    assert np.array_equal(found, KEPT[name](geometry.weighted_graph(weight)))
    kept = name if weight == "length" else f"{name}_conductance"
    assert list(geometry.curvatures) == [kept]
    assert geometry.curvatures[kept] is found
    assert found.shape == (len(geometry.edges),)


@pytest.mark.parametrize("given", [{"alpha": 0.9}, {"base": 2.0}, {"exp_power": 1.0}])
@pytest.mark.parametrize("mode", ["exact", "average", "bound", "upper"])
def test_only_the_usual_distributions_are_kept(mode, given):
    geometry = StandIn()
    usual = ollivier(geometry, mode, n_jobs=1)
    kept = dict(geometry.curvatures)
    other = ollivier(geometry, mode, **given)
    if mode == "average" and "alpha" not in given:  # it has neither base nor power
        assert np.array_equal(other, usual)
    else:
        assert not np.allclose(other, usual)
    assert list(geometry.curvatures) == list(kept)
    for name, values in kept.items():
        assert np.array_equal(geometry.curvatures[name], values)
    empty = StandIn()
    ollivier(empty, mode, alpha=0.9)
    assert empty.curvatures == {}


def test_a_geometry_is_curved_as_its_undirected_graph():
    geometry = trained()
    graph = geometry.to_networkx()
    undirected = nx.Graph(graph)
    for name in KEPT:
        kappa = KEPT[name](geometry)
        found = KEPT[name](undirected, weight="length")
        assert list(found) == [tuple(edge) for edge in geometry.edges.tolist()]
        assert list(found.values()) == pytest.approx(kappa.tolist(), abs=1e-11)
    directed = np.array(list(ollivier(graph, weight="length").values()))
    assert abs(directed - geometry.curvatures["ollivier"]).max() > 0.1


def test_raw_weights_are_no_lengths():
    graph = trained().to_networkx()
    for function in EDGEWISE.values():
        with pytest.raises(InputError, match=r"^weight: .* above zero, .*; .*weight='length'$"):
            function(graph)


@each_geometry
@each_kept
def test_lengths_are_what_a_geometry_has(make, name):
    geometry = make()
    assert np.array_equal(KEPT[name](geometry), KEPT[name](geometry, weight="length"))


@each_geometry
def test_resistors_of_a_geometry_are_its_conductances(make):
    geometry = make()
    found = resistance_curvature(geometry)
    assert geometry.curvatures["resistance"] is found.edges
    same = resistance_curvature(geometry.weighted_graph("conductance"), kind="conductance")
    assert np.array_equal(found.edges, same.edges)
    assert np.array_equal(found.nodes, same.nodes)
    expected = resistance_curvature(geometry.weighted_graph("length")).edges
    for given in ({"kind": "length"}, {"weight": "length"}):
        assert np.array_equal(resistance_curvature(geometry, **given).edges, expected)
        assert np.array_equal(geometry.curvatures["resistance_length"], expected)
    assert geometry.curvatures["resistance"] is found.edges
    with pytest.raises(InputError, match="the length of an emergent geometry is no conductance"):
        resistance_curvature(geometry, weight="length", kind="conductance")


@each_geometry
def test_a_flow_leaves_a_geometry_as_it_is(make):
    geometry = make()
    found, expected = (ricci_flow(g, 3) for g in (geometry, geometry.weighted_graph("length")))
    assert np.array_equal(found.lengths, expected.lengths)
    assert geometry.curvatures == {}


def test_curvatures_go_with_the_graph_of_a_geometry():
    geometry = trained()
    found = forman(geometry)
    graph = geometry.to_networkx()
    for (u, v), value in zip(geometry.edges.tolist(), found):
        assert graph.edges[u, v]["forman"] == value


def test_units_that_copy_one_another():
    lengths = np.full(35, 0.5)
    lengths[7] = 0.0
    for function in EDGEWISE.values():
        with pytest.raises(InputError, match=r"1 of 35 are not .*, first 0 at \(1, 8\); .*merge"):
            function(StandIn(lengths), weight="length")


@each_edgewise
def test_geometries_have_no_other_weights(function):
    with pytest.raises(InputError, match=r"weight: .*fisher"):
        function(StandIn(), weight="fisher")


def test_geometries_have_no_weights_of_nodes():
    with pytest.raises(InputError, match="node_weight"):
        forman(StandIn(), node_weight="flow")


# -- graphs that are hardly any ---------------------------------------------------------------


@each_edgewise
@pytest.mark.parametrize("n", [0, 1, 3])
def test_no_edges(function, n):
    assert function(nx.empty_graph(n)) == {}
    assert function(nx.empty_graph(n, nx.DiGraph)) == {}
    assert function(WeightedGraph(n, [])).shape == (0,)


def test_one_edge():
    graph = nx.Graph()
    graph.add_edge("a", "b", weight=3.0)
    expected = {"ollivier": 1, "ollivier_average": 0, "ollivier_bound": 0, "ollivier_upper": 1,
                "forman": 2, "forman_augmented": 2, "resistance": 2 / 3}  # fmt: skip
    for name, value in expected.items():
        assert EDGEWISE[name](graph) == {("a", "b"): pytest.approx(value, abs=1e-12)}
    with pytest.raises(ConvergenceError, match="has shrunk to nothing"):
        ricci_flow(graph)


@each_edgewise
def test_parts_that_are_not_connected_do_not_see_each_other(function):
    parts = [oracles.random_graph(9, 0.6), nx.empty_graph(2), oracles.random_graph(8, 0.7, 1)]
    found = function(nx.disjoint_union_all(parts))
    expected = [value for part in parts for value in function(part).values()]
    assert list(found.values()) == pytest.approx(expected, abs=1e-11)


@each_edgewise
@pytest.mark.parametrize("length", [0.0, -0.5])
def test_lengths_that_are_none(function, length):
    graph = oracles.layered((3, 3))
    graph.edges[0, 4]["weight"] = length
    with pytest.raises(InputError, match=r"1 of 9 are not above zero, first .* \(0, 4\)"):
        function(graph)
    with pytest.raises(InputError, match="not above zero"):
        function(WeightedGraph(2, [(0, 1)], [length]))


@each_edgewise
def test_parts_of_graphs_are_read_as_graphs(function):
    whole = oracles.random_graph(20, 0.4)
    view = whole.subgraph([3, 12, 1, 7, 19, 4, 8])
    found = function(view)
    assert list(found) == list(view.edges)
    assert found == pytest.approx(function(nx.Graph(view)))
