"""Curvatures of small graphs straight from their definitions, edge by edge."""

import math
from itertools import pairwise

import networkx as nx
import numpy as np
from scipy.optimize import linprog


def layered(widths, seed=0, low=0.1, high=1.0, skip=False):
    """Full bipartite graphs between consecutive layers, with random lengths."""
    rng = np.random.default_rng(seed)
    ends = np.cumsum([0, *widths])
    layers = [list(range(a, b)) for a, b in pairwise(ends)]
    graph = nx.Graph()
    pairs = list(pairwise(layers)) + ([(layers[0], layers[-1])] if skip else [])
    for left, right in pairs:
        for u in left:
            for v in right:
                graph.add_edge(u, v, weight=float(rng.uniform(low, high)))
    return graph


def random_graph(n, p, seed=0, directed=False):
    """A random graph with random lengths."""
    graph = nx.gnp_random_graph(n, p, seed=seed, directed=directed)
    rng = np.random.default_rng(seed)
    for _, _, data in graph.edges(data=True):
        data["weight"] = float(rng.uniform(0.2, 2.0))
    return graph


def mass(graph, node, alpha, towards, base=math.e, power=2.0, even=False):
    """Distribution of a node over itself and the nodes after (or before) it."""
    near = graph.predecessors(node) if towards == "before" else graph.neighbors(node)
    near = list(near)
    if not near:
        return {node: 1.0}
    ends = [(v, node) if towards == "before" else (node, v) for v in near]
    share = [1.0 if even else base ** -(graph.edges[e]["weight"] ** power) for e in ends]
    found = {v: (1 - alpha) * s / sum(share) for v, s in zip(near, share)}
    found[node] = alpha
    return found


def wasserstein(x, y, distance):
    """Least cost of transport, by linear programming."""
    sources, sinks = list(x), list(y)
    cost = np.array([[distance[u][v] for v in sinks] for u in sources])
    m, n = cost.shape
    rows = np.kron(np.eye(m), np.ones(n))
    columns = np.kron(np.ones(m), np.eye(n))
    found = linprog(
        cost.ravel(),
        A_eq=np.vstack([rows, columns])[:-1],  # the last follows from the others
        b_eq=np.r_[list(x.values()), list(y.values())][:-1],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.success, found.message
    return found.fun


def ends(graph, u, v, alpha, **options):
    """Distributions at the tail and at the head."""
    before = "before" if graph.is_directed() else "after"
    return mass(graph, u, alpha, before, **options), mass(graph, v, alpha, "after", **options)


def ollivier_exact(graph, alpha=0.5, **options):
    """1 − W/d of every edge."""
    distance = dict(nx.all_pairs_dijkstra_path_length(graph))
    found = {}
    for u, v in graph.edges:
        x, y = ends(graph, u, v, alpha, **options)
        found[u, v] = 1 - wasserstein(x, y, distance) / distance[u][v]
    return found


def ollivier_average(graph, alpha=0.5):
    """The same with neighbours paired independently, all alike."""
    distance = dict(nx.all_pairs_dijkstra_path_length(graph))
    found = {}
    for u, v in graph.edges:
        x, y = ends(graph, u, v, 0.0, even=True)
        mean = sum(p * q * distance[a][b] for a, p in x.items() for b, q in y.items() if p * q)
        found[u, v] = 1 - alpha - (1 - alpha) * mean / distance[u][v]
    return found


def forman(graph, augmented=False, node_weight=None):
    """Forman's curvature, sums over edges at both ends."""
    found = {}
    for u, v in graph.edges:
        own = graph.edges[u, v]["weight"]
        faces = set(graph[u]) & set(graph[v]) if augmented else set()
        total = own * len(faces)
        for end, other in ((u, v), (v, u)):
            at = graph.nodes[end][node_weight] if node_weight else 1.0
            total += at / own
            for near in set(graph[end]) - {other} - faces:
                total -= at / math.sqrt(own * graph.edges[end, near]["weight"])
        found[u, v] = own * total
    return found


def resistances(graph, conductance):
    """Effective resistances of a connected graph, by the pseudoinverse of its Laplacian."""
    inverse = np.linalg.pinv(nx.laplacian_matrix(graph, weight=conductance).toarray())
    place = {node: i for i, node in enumerate(graph)}
    found = {}
    for u, v in graph.edges:
        step = np.zeros(len(place))
        step[place[u]], step[place[v]] = 1, -1
        found[u, v] = step @ inverse @ step
    return found
