"""Ollivier–Ricci curvature: linear programs, closed forms, bounds, a peer's figures."""

import curvature_oracles as oracles
import networkx as nx
import numpy as np
import pytest
from scipy.stats import spearmanr

from geomnet.curvature import WeightedGraph, ollivier
from geomnet.curvature.network_simplex import transport_values
from geomnet.errors import InputError

GRAPHS = {
    "layered": oracles.layered((5, 7, 6, 3)),
    "layered, long paths": oracles.layered((4, 6, 5), low=0.5, high=1.5),
    "layered with a skip": oracles.layered((4, 5, 4), skip=True),
    "random": oracles.random_graph(20, 0.3),
    "in parts": nx.disjoint_union(oracles.random_graph(9, 0.4), oracles.random_graph(8, 0.5, 1)),
    "directed": oracles.random_graph(12, 0.3, directed=True),
    "karate": nx.karate_club_graph(),
    "equal lengths": oracles.layered((4, 4, 4), low=1.0, high=1.0),
    "few far": oracles.layered((2, 9, 1), low=1.0, high=4.0),
}
each_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


def close(found, expected, tolerance=1e-9):
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=tolerance)


# -- against the definition -------------------------------------------------------------------


@each_graph
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.9])
def test_exact_is_the_linear_program(graph, alpha):
    close(ollivier(graph, alpha=alpha), oracles.ollivier_exact(graph, alpha))


@each_graph
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_average_is_the_double_sum(graph, alpha):
    close(ollivier(graph, "average", alpha=alpha), oracles.ollivier_average(graph, alpha), 1e-12)


@pytest.mark.parametrize(("base", "power"), [(2.0, 1.0), (10.0, 0.0)])
def test_distributions_have_base_and_power(base, power):
    graph = GRAPHS["random"]
    expected = oracles.ollivier_exact(graph, base=base, power=power)
    close(ollivier(graph, base=base, exp_power=power), expected)


@each_graph
@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.5])
def test_bounds_hold_on_every_edge(graph, alpha):
    tight = np.array(list(ollivier(graph, alpha=alpha).values()))
    assert np.all(np.array(list(ollivier(graph, "bound", alpha=alpha).values())) <= tight + 1e-12)
    assert np.all(np.array(list(ollivier(graph, "upper", alpha=alpha).values())) >= tight - 1e-12)


@pytest.mark.parametrize("low", [0.1, 0.5])
def test_the_bound_ranks_edges_as_the_exact_curvature(low):
    graph = WeightedGraph.from_networkx(oracles.layered((16, 16, 16, 5), low=low, high=low + 1))
    assert spearmanr(ollivier(graph, "bound"), ollivier(graph))[0] > 0.95


def test_average_is_the_bound_where_lengths_are_equal():
    graph = GRAPHS["equal lengths"]
    close(ollivier(graph, "average"), ollivier(graph, "bound"), 1e-14)


@pytest.mark.parametrize("digits", [0, 6, 12])
@pytest.mark.parametrize("most", [3, 12, 150])
def test_transport_finds_planted_solutions(most, digits):
    """Problems made from their solution, with costs and masses over many orders of magnitude."""
    rng = np.random.default_rng(most + digits)
    problems = [planted(rng, *rng.integers(1, most + 1, 2), digits) for _ in range(20)]
    m, n = (max(p[k].size for p in problems) for k in (1, 2))
    costs = np.full((20, m, n), np.inf)
    supplies, demands = np.zeros((20, m)), np.zeros((20, n))
    for k, (cost, supply, demand, _) in enumerate(problems):
        costs[k, : supply.size, : demand.size] = cost
        supplies[k, : supply.size], demands[k, : demand.size] = supply, demand
    values, solved = transport_values(costs, supplies, demands)
    assert solved.all()
    assert values == pytest.approx([value for *_, value in problems], rel=1e-11)


def planted(rng, m, n, digits):
    """Costs, supplies, demands and least cost: flows on a tree whose arcs alone are tight."""
    f, g = rng.uniform(1, 2, m), rng.uniform(0, 1, n)
    slack = 10 ** rng.uniform(-digits, 0, (m, n))
    flow = np.zeros((m, n))
    sources, sinks = [0], []
    for node in [m, *rng.permutation([*range(1, m), *range(m + 1, m + n)])]:
        i, j = (node, rng.choice(sinks)) if node < m else (rng.choice(sources), node - m)
        flow[i, j] = 10 ** rng.uniform(-digits, 0)
        slack[i, j] = 0
        (sources if node < m else sinks).append(i if node < m else j)
    cost = f[:, None] - g + slack
    flow /= flow.sum()
    return cost, flow.sum(axis=1), flow.sum(axis=0), np.sum(flow * cost)


# -- closed forms -----------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_complete_graph(n, alpha):
    expected = 1 - abs(alpha - (1 - alpha) / (n - 1))
    for kappa in ollivier(nx.complete_graph(n), alpha=alpha).values():
        assert kappa == pytest.approx(expected, abs=1e-12)


def test_long_cycles_and_grids_are_flat():
    assert np.allclose(list(ollivier(nx.cycle_graph(8)).values()), 0, atol=1e-12)
    torus = nx.grid_2d_graph(6, 6, periodic=True)
    assert np.allclose(list(ollivier(torus).values()), 0, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 0.75])
def test_trees_with_unit_edges(alpha):
    """Half the laziness or more: 2(1 − α)(1/deg u + 1/deg v − 1)."""
    tree = nx.random_labeled_tree(30, seed=3)
    for (u, v), kappa in ollivier(tree, alpha=alpha).items():
        expected = 2 * (1 - alpha) * (1 / tree.degree[u] + 1 / tree.degree[v] - 1)
        assert kappa == pytest.approx(expected, abs=1e-12)


def test_all_mass_at_home_is_flat():
    for mode in ("exact", "average", "bound", "upper"):
        assert list(ollivier(GRAPHS["random"], mode, alpha=1.0).values()) == pytest.approx(
            [0.0] * GRAPHS["random"].number_of_edges(), abs=1e-14
        )


def test_an_edge_longer_than_a_detour_is_measured_by_the_detour():
    graph = nx.cycle_graph(3)
    nx.set_edge_attributes(graph, {(0, 1): 1.0, (1, 2): 1.0, (0, 2): 5.0}, "weight")
    close(ollivier(graph), oracles.ollivier_exact(graph))


@pytest.mark.parametrize("unit", [1e6, 1e200, 1e-200])
def test_with_no_exponent_scaling_lengths_changes_nothing(unit):
    graph = GRAPHS["random"]
    longer = graph.copy()
    for *_, data in longer.edges(data=True):
        data["weight"] *= unit
    close(ollivier(longer, exp_power=0), ollivier(graph, exp_power=0), 1e-11)


def test_long_edges_leave_the_mass_with_the_nearest():
    """Where b^{-l²} underflows at a node altogether."""
    graph = nx.star_graph(3)
    nx.set_edge_attributes(graph, {(0, 1): 40.0, (0, 2): 41.0, (0, 3): 42.0}, "weight")
    # the hub keeps half and node 1 has the other half; the leaf keeps half, the hub has half
    found = ollivier(graph)
    assert found[0, 1] == pytest.approx(1.0, abs=1e-12)
    assert found[0, 2] == pytest.approx(1 - (40 + 41) / 2 / 41, abs=1e-12)


# -- GraphRicciCurvature 0.6.1 ----------------------------------------------------------------

KARATE = {
    ("weight", "exact"): (0.0395828596157, -0.417162261316, 0.0864870897516, 5.50449473646),
    ("weight", "average"): (-0.207175925926, -0.841145833333, -0.233660130719, -19.5408010394),
    (None, "exact"): (1 / 9, -0.427083333333, 0.267156862745, 5.52675653595),
    (None, "average"): (-0.34375, -0.640625, -0.355392156863, -14.8721738834),
}


@pytest.mark.parametrize(("weight", "mode"), KARATE)
def test_karate_club(weight, mode):
    found = ollivier(nx.karate_club_graph(), mode, weight=weight)
    figures = (*(found[e] for e in [(0, 1), (0, 31), (32, 33)]), sum(found.values()))
    assert figures == pytest.approx(KARATE[weight, mode], abs=1e-9)


def test_directed_example():
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 3), (1, 3), (3, 1)])
    expected = {(0, 1): -0.5, (1, 2): 0.0, (1, 3): 0.5, (2, 3): 0.5, (3, 1): 0.75}
    close(ollivier(graph), expected, 1e-12)


# -- the call ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["exact", "average", "bound", "upper"])
def test_arrays_and_dicts_agree(mode):
    graph = GRAPHS["layered"]
    arrays = WeightedGraph.from_networkx(graph)
    found = ollivier(graph, mode)
    assert list(found) == list(graph.edges)
    assert list(found.values()) == ollivier(arrays, mode).tolist()


def test_processes_change_nothing(monkeypatch):
    monkeypatch.setattr("geomnet.curvature.optimal_transport.MOST", 10)
    graph = GRAPHS["layered"]
    assert ollivier(graph, n_jobs=2) == ollivier(graph)


@each_graph
def test_batches_change_nothing(graph, monkeypatch):
    whole = ollivier(graph)
    monkeypatch.setattr("geomnet.curvature.optimal_transport.MOST", 3)
    close(ollivier(graph), whole, 1e-12)


def test_names_of_nodes_are_any():
    graph = nx.relabel_nodes(nx.path_graph(3), {0: "a", 1: (1, 2), 2: None.__class__})
    assert list(ollivier(graph)) == list(graph.edges)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("mode", "sinkhorn"), ("alpha", 1.5), ("alpha", -0.1), ("base", 1.0), ("exp_power", -1.0),
     ("n_jobs", 0)],
)  # fmt: skip
def test_unusable_arguments(argument, value):
    with pytest.raises(InputError, match=argument):
        ollivier(nx.path_graph(3), **{argument: value})
