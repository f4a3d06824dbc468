"""Forman–Ricci curvature: of edges alone, or with triangles as faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..errors import InputError
from ..utils.validation import check_choice
from .result import Curvature, curvature_name
from .weighted_graph import GraphLike, WeightedGraph, as_weighted_graph

__all__ = ["forman"]

DENSE = 0.02
"""Share of all pairs that are edges, from which dense matrix products are quicker."""


def forman(
    graph: GraphLike,
    method: str = "1d",
    *,
    weight: str | None = "weight",
    node_weight: str | None = None,
) -> Curvature:
    r"""Forman–Ricci curvature of every edge.

    With weights :math:`w_e` of edges and :math:`w_v` of nodes, the edge e between u and v has

    .. math:: F(e) = w_e\Big(\frac{w_u + w_v}{w_e}
        - \sum_{e'\ni u}\frac{w_u}{\sqrt{w_ew_{e'}}}
        - \sum_{e'\ni v}\frac{w_v}{\sqrt{w_ew_{e'}}}\Big),

    the sums over the other edges at u and at v ("1d"). The augmented form counts every triangle on
    e as a face of weight 1: each adds :math:`w_e` within the bracket, and its two other edges leave
    the sums. With unit weights these are 4 − deg u − deg v, and three more for every triangle. It
    needs neither distances nor transport.

    Parameters
    ----------
    graph : networkx.Graph, networkx.DiGraph, WeightedGraph or EmergentGeometry
        Directions are not looked at, and an edge both ways is an error: `graph.to_undirected()`
        merges such edges.
    method : {"1d", "augmented"}
    weight : str or None, default "weight"
        The edge attribute; see `WeightedGraph.from_networkx`. Of a geometry "length" (the default)
        or "conductance".
    node_weight : str or None, optional
        The node attribute; 1 by default. It must be above zero on every node.

    Returns
    -------
    Curvature
        By edge; called "forman" or "forman_augmented", with "_conductance" after it where that is
        the weight. Empty for a graph without edges.

    Raises
    ------
    InputError
        For an unknown method, edges both ways, loops, multigraphs, weights not above zero.

    References
    ----------
    Forman (2003), Discrete Comput. Geom. 29, 323, for cell complexes; Sreejith et al. (2016),
    J. Stat. Mech. 063206, for networks; Samal et al. (2018), Sci. Rep. 8, 8650, with triangles.

    Examples
    --------
    >>> import networkx as nx
    >>> from geomnet.curvature import forman
    >>> forman(nx.star_graph(3)).as_dict()
    {(0, 1): 0.0, (0, 2): 0.0, (0, 3): 0.0}
    >>> forman(nx.complete_graph(3), "augmented").as_dict()
    {(0, 1): 3.0, (0, 2): 3.0, (1, 2): 3.0}
    """
    check_choice("method", method, ("1d", "augmented"))
    arrays, weight = as_weighted_graph(graph, weight, node_weight)
    if arrays.directed:
        _check_one_way(arrays)
    array = _curvature(arrays, method == "augmented")
    name = curvature_name("forman" if method == "1d" else "forman_augmented", weight)
    return Curvature(array, arrays.edges, arrays.nodes, name, weight)


def _check_one_way(graph: WeightedGraph) -> None:
    ends = np.sort(graph.edges, axis=1)
    _, count = np.unique(ends @ [graph.n_nodes, 1], return_counts=True)
    if both := int((count > 1).sum()):
        raise InputError(
            f"graph: {both} edges run both ways, and Forman curvature has no directions; merge "
            "them: graph.to_undirected()"
        )


def _curvature(graph: WeightedGraph, augmented: bool) -> NDArray[np.float64]:
    tail, head = graph.edges.T
    length, mass = graph.weights, graph.node_weights
    share = 1 / np.sqrt(length)
    total = np.bincount(tail, share, graph.n_nodes) + np.bincount(head, share, graph.n_nodes)
    at_tail, at_head = total[tail] - share, total[head] - share
    faces: NDArray[np.float64] | float = 0.0
    if augmented:
        faces, of_tail, of_head = _triangles(graph, share)
        at_tail, at_head = at_tail - of_tail, at_head - of_head
    ends = mass[tail] + mass[head]
    return length**2 * faces + ends - (mass[tail] * at_tail + mass[head] * at_head) / share


def _triangles(
    graph: WeightedGraph, share: NDArray[np.float64]
) -> tuple[NDArray[np.float64] | float, NDArray[np.float64] | float, NDArray[np.float64] | float]:
    """Triangles on every edge, and the sum of `share` over their edges at its tail and its head."""
    tail, head = graph.edges.T
    n = graph.n_nodes
    both = (np.r_[tail, head], np.r_[head, tail])
    if len(tail) > DENSE * n * n:
        known = np.zeros((n, n), dtype=np.float32)  # counts below 2²⁴ are exact
        known[both] = 1
        faces = (known @ known)[tail, head].astype(float)
        if not faces.any():
            return 0.0, 0.0, 0.0
        shares = np.zeros((n, n))
        shares[both] = np.r_[share, share]
        sums = shares @ known.astype(float)
        return faces, sums[tail, head], sums[head, tail]
    joined = csr_array((np.ones(2 * len(tail)), both), shape=(n, n))
    joined.data[:] = 1.0
    weighed = csr_array((np.r_[share, share], both), shape=(n, n))
    of_tail = _products(weighed, joined, tail, head)
    of_head = _products(weighed, joined, head, tail)
    return _products(joined, joined, tail, head), of_tail, of_head


def _products(a: csr_array, b: csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Entries of a·b at the places asked for, chunk by chunk."""
    found = np.empty(len(rows))
    b = b.T.tocsr()
    for start in range(0, len(rows), 50_000):
        part = slice(start, start + 50_000)
        found[part] = (a[rows[part]] * b[columns[part]]).sum(axis=1)
    return found
