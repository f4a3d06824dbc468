"""The graphs of the curvature benchmark, made alike here and in the peer's environment."""

from __future__ import annotations

import networkx as nx
import numpy as np

NAMES = ("layered", "layered, even", "karate", "geometric", "scale-free")


def layered(widths: tuple[int, ...], low: float, high: float) -> nx.Graph:
    """Full bipartite graphs between consecutive layers, lengths uniform."""
    rng = np.random.default_rng(0)
    ends = np.cumsum([0, *widths])
    graph = nx.Graph()
    graph.add_nodes_from(range(ends[-1]))
    for first, middle, last in zip(ends, ends[1:], ends[2:]):
        lengths = rng.uniform(low, high, (middle - first, last - middle))
        for (i, j), length in np.ndenumerate(lengths):
            graph.add_edge(int(first + i), int(middle + j), weight=float(length))
    return graph


def problem(name: str) -> nx.Graph:
    """A connected graph with lengths on its edges, its nodes numbered from zero."""
    if name == "layered":
        return layered((64, 64, 64, 10), 0.1, 1.0)
    if name == "layered, even":
        return layered((64, 64, 64, 10), 0.5, 1.5)
    if name == "karate":
        return nx.karate_club_graph()
    rng = np.random.default_rng(0)
    if name == "geometric":
        points = rng.random((600, 2))
        near = nx.random_geometric_graph(600, 0.09, pos=dict(enumerate(points)))
        graph = nx.Graph()
        for u, v in near.edges:
            graph.add_edge(u, v, weight=float(10 * np.linalg.norm(points[u] - points[v])))
        graph = graph.subgraph(max(nx.connected_components(graph), key=len))
        return nx.convert_node_labels_to_integers(graph)
    assert name == "scale-free"
    graph = nx.barabasi_albert_graph(2000, 5, seed=0)
    for *_, data in graph.edges(data=True):
        data["weight"] = float(rng.uniform(0.2, 1.2))
    return graph
