"""Resistance curvature and Ricci flow: Foster's theorem, closed forms, a peer's figures."""

from importlib import import_module

import curvature_oracles as oracles
import networkx as nx
import numpy as np
import pytest

from geomnet.curvature import WeightedGraph, ollivier, resistance_curvature, ricci_flow
from geomnet.errors import ConvergenceError, InputError

GRAPHS = {
    "layered": oracles.layered((5, 7, 6, 3)),
    "wide": oracles.layered((40, 40, 10), seed=2),
    "random": oracles.random_graph(20, 0.4),
    "in parts": nx.disjoint_union_all(
        [oracles.random_graph(9, 0.6), nx.empty_graph(3), oracles.random_graph(8, 0.7, 1)]
    ),
    "karate": nx.karate_club_graph(),
}
each_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


# -- resistance -------------------------------------------------------------------------------


@each_graph
@pytest.mark.parametrize("kind", ["length", "conductance"])
def test_foster(graph, kind):
    found = resistance_curvature(graph, kind=kind)
    power = -1 if kind == "length" else 1
    total = sum(graph.edges[e]["weight"] ** power * r for e, r in found.resistances.items())
    parts = nx.number_connected_components(graph)
    assert total == pytest.approx(len(graph) - parts, abs=1e-10)
    assert sum(found.nodes.values()) == pytest.approx(parts, abs=1e-10)


@pytest.mark.parametrize("name", ["layered", "random", "karate"])
def test_definitions(name):
    graph = GRAPHS[name]
    found = resistance_curvature(graph, kind="conductance")
    expected = oracles.resistances(graph, "weight")
    assert list(found.resistances) == list(graph.edges)
    for edge, resistance in expected.items():
        assert found.resistances[edge] == pytest.approx(resistance, rel=1e-10)
    for node in graph:
        used = sum(graph[node][v]["weight"] * expected.get((node, v), expected.get((v, node)))
                   for v in graph[node])  # fmt: skip
        assert found.nodes[node] == pytest.approx(1 - used / 2, abs=1e-10)
    for (u, v), kappa in found.edges.items():
        ends = found.nodes[u] + found.nodes[v]
        assert kappa == pytest.approx(2 * ends / expected[u, v], rel=1e-9, abs=1e-10)


def test_a_length_is_a_resistance():
    graph = GRAPHS["random"]
    inverse = graph.copy()
    for *_, data in inverse.edges(data=True):
        data["strength"] = 1 / data["weight"]
    strong = resistance_curvature(inverse, weight="strength", kind="conductance")
    found = resistance_curvature(graph)
    assert list(found.edges.values()) == pytest.approx(list(strong.edges.values()), rel=1e-10)


def test_trees_have_half_the_missing_degree():
    tree = nx.random_labeled_tree(20, seed=1)
    found = resistance_curvature(tree)
    for node, p in found.nodes.items():
        assert p == pytest.approx(1 - tree.degree[node] / 2, abs=1e-12)


@pytest.mark.parametrize("n", [3, 8])
def test_transitive_graphs_share_their_curvature(n):
    for graph in (nx.complete_graph(n), nx.cycle_graph(n)):
        assert list(resistance_curvature(graph).nodes.values()) == pytest.approx([1 / n] * n)


def test_isolated_nodes_and_no_edges():
    found = resistance_curvature(nx.empty_graph(2))
    assert found.nodes == {0: 1.0, 1: 1.0}
    assert found.edges == found.resistances == {}


def test_edges_both_ways_lie_in_parallel():
    graph = nx.DiGraph([(0, 1), (1, 0), (1, 2)])
    assert resistance_curvature(graph).resistances == pytest.approx(
        {(0, 1): 0.5, (1, 0): 0.5, (1, 2): 1.0}
    )


def test_arrays():
    arrays = WeightedGraph.from_networkx(GRAPHS["layered"])
    found, expected = resistance_curvature(arrays), resistance_curvature(GRAPHS["layered"])
    for name in ("nodes", "edges", "resistances"):
        assert getattr(found, name).tolist() == list(getattr(expected, name).values())


def test_unknown_kind():
    with pytest.raises(InputError, match="kind"):
        resistance_curvature(nx.path_graph(3), kind="weight")


# -- Ricci flow -------------------------------------------------------------------------------


def test_flow_of_the_karate_club_as_graph_ricci_curvature_has_it():
    flow = ricci_flow(nx.karate_club_graph(), iterations=5)
    lengths = (0.612818643455, 2.58246559848, 0.549996375668)
    curvature = (0.270717235021, -0.143995878673, 0.281716801206)
    edges = [(0, 1), (0, 31), (32, 33)]
    assert [flow.lengths[e] for e in edges] == pytest.approx(lengths, abs=1e-9)
    assert [flow.curvature[e] for e in edges] == pytest.approx(curvature, abs=1e-9)


def test_one_step_by_hand():
    graph = GRAPHS["random"]
    kappa = ollivier(graph)
    moved = {e: graph.edges[e]["weight"] * (1 - 0.5 * kappa[e]) for e in graph.edges}
    scale = len(moved) / sum(moved.values())
    flow = ricci_flow(graph, iterations=1, step=0.5)
    assert flow.lengths == pytest.approx({e: scale * length for e, length in moved.items()})
    after = graph.copy()
    nx.set_edge_attributes(after, flow.lengths, "weight")
    assert flow.curvature == pytest.approx(ollivier(after), abs=1e-12)
    assert not flow.converged
    assert flow.spreads == pytest.approx(
        [np.ptp(list(k.values())) for k in (kappa, flow.curvature)]
    )


def test_the_edge_between_communities_grows():
    flow = ricci_flow(nx.barbell_graph(6, 0), iterations=20)
    bridge = flow.lengths.pop((5, 6))
    assert bridge > 3 * max(flow.lengths.values())


def test_equal_edges_have_converged():
    flow = ricci_flow(nx.complete_graph(5), iterations=9)
    assert flow.converged
    assert len(flow.spreads) == 2
    assert list(flow.lengths.values()) == pytest.approx([1.0] * 10)
    assert list(flow.curvature.values()) == pytest.approx([0.625] * 10)


def test_parts_flow_as_if_alone():
    one, two = oracles.random_graph(9, 0.6), oracles.random_graph(8, 0.7, 1)
    alone = [ricci_flow(g, iterations=3, step=0.5) for g in (one, two)]
    both = ricci_flow(nx.disjoint_union(one, two), iterations=3, step=0.5)
    expected = [length for flow in alone for length in flow.lengths.values()]
    assert list(both.lengths.values()) == pytest.approx(expected, rel=1e-10)


def test_flow_stops_where_an_edge_vanishes():
    with pytest.raises(ConvergenceError, match=r"\(0, 1\) has shrunk to nothing.* iteration 1 of"):
        ricci_flow(nx.path_graph(2))


@pytest.mark.parametrize("as_arrays", [False, True])
def test_a_flow_that_fails_late_keeps_what_it_reached(as_arrays):
    graph = nx.barbell_graph(6, 0)
    graph = WeightedGraph.from_networkx(graph) if as_arrays else graph
    with pytest.raises(ConvergenceError, match=r"nothing.* iteration \d+ of 300") as error:
        ricci_flow(graph, 300)
    reached = error.value.result
    done = len(reached.spreads) - 1
    assert done > 2
    assert f"iteration {done + 1} of 300" in str(error.value)
    assert not reached.converged
    again = ricci_flow(graph, done)
    for name in ("lengths", "curvature", "spreads"):
        assert np.array_equal(values(getattr(again, name)), values(getattr(reached, name)))


def values(found):
    """Of a dict or an array."""
    return list(found.values()) if isinstance(found, dict) else found


def test_a_transport_that_fails_names_its_iteration(monkeypatch):
    calls = []

    def failing(arrays, **options):
        calls.append(arrays)
        if len(calls) == 4:
            raise ConvergenceError("transport: stuck")
        return ollivier(arrays, **options)

    module = import_module("geomnet.curvature.ricci_flow")  # the name is the function's too
    monkeypatch.setattr(module, "ollivier", failing)
    with pytest.raises(ConvergenceError, match=r"transport: stuck; .* iteration 3 of 9") as error:
        ricci_flow(GRAPHS["random"], 9, 0.5)
    expected = ricci_flow(GRAPHS["random"], 2, 0.5)
    assert error.value.result.lengths == expected.lengths


def test_flow_of_no_edges():
    flow = ricci_flow(nx.empty_graph(3))
    assert flow.lengths == flow.curvature == {}
    assert flow.converged
