"""Ollivier–Ricci curvature: exact, by average transport, and bounded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from ..errors import InputError
from ..utils.validation import check_choice, check_integer, check_positive
from .optimal_transport import transport_costs
from .result import Curvature, curvature_name
from .weighted_graph import GraphLike, WeightedGraph, as_weighted_graph

__all__ = ["ollivier"]

CHUNK = 2**22
"""Numbers of a temporary."""
DENSE = 0.05
"""Share of entries that are not zero, from which a dense product is quicker."""


def ollivier(
    graph: GraphLike,
    mode: str = "exact",
    alpha: float = 0.5,
    weight: str | None = "weight",
    n_jobs: int = 1,
    *,
    base: float = math.e,
    exp_power: float = 2.0,
) -> Curvature:
    r"""Ollivier–Ricci curvature of every edge.

    A node u keeps the share α of its mass and gives the rest to its neighbours v in proportion to
    :math:`b^{-l_{uv}^q}`, with l the length of the edge; a node without neighbours keeps all.
    Between these distributions, with d the shortest path length,

    .. math:: \kappa_{uv} = 1 - \frac{W(\mu_u, \mu_v)}{d(u, v)}.

    - "exact": W is the Wasserstein distance :math:`W_1`, the least cost of transport.
    - "average": W is :math:`\alpha\,d(u, v)` and the mean distance from a neighbour of u to one of
      v, all alike, times 1 − α: transport that pairs the neighbours independently. All edges
      together are two matrix products. Its distributions are the exact ones only where all edges
      have one length.
    - "bound": a **lower bound of the exact curvature** on every edge. W is the cost of a transport
      that takes u's own mass to v and pairs the neighbours independently, in the shares they have;
      no transport costs less than the best. As quick as "average".
    - "upper": an **upper bound of the exact curvature** on every edge. Distances to a landmark z
      change by no more than d(u, v) from u to v, so that by Kantorovich's duality
      :math:`W_1 \ge |\int d(z,\cdot)\,d(\mu_u - \mu_v)|`; W is the best of all nodes z.

    Parameters
    ----------
    graph : networkx.Graph, networkx.DiGraph, WeightedGraph or EmergentGeometry
        Where directed, the tail's mass goes to the nodes before it, the head's to those after it,
        and lengths are those of directed paths. Of an emergent geometry the edges have no
        direction: `nx.Graph(gn.emergent.to_networkx(geometry))` with `weight="length"` has the same
        curvature, the directed graph itself another.
    mode : {"exact", "average", "bound", "upper"}
    alpha : float, default 0.5
        Share of the mass that stays, in [0, 1].
    weight : str or None, default "weight"
        The edge attribute that holds lengths; see `WeightedGraph.from_networkx`. Of a geometry
        "length" (the default) or "conductance".
    n_jobs : int, default 1
        Processes that share the exact transport, by joblib; −1 takes every core.
    base, exp_power : float
        b above 1 and q at least 0 of the distributions; q = 0 gives all neighbours the same.
        "average" does not use them.

    Returns
    -------
    Curvature
        By edge; empty for a graph without edges. Its name says what it is: "ollivier",
        "ollivier_average", "ollivier_bound" or "ollivier_upper", then α, base and exponent where
        they are not the usual ones, as in "ollivier_alpha=0.9", and "_conductance" where that is
        the weight.

    Raises
    ------
    InputError
        For an unknown mode, α outside [0, 1], loops, multigraphs, lengths not above zero.

    Notes
    -----
    No unit: a change of the unit of length changes only the distributions. Parts of a graph that
    are not connected are infinitely far apart, but no transport leads from one to another, so
    that each has the curvature it has alone. The distances of all nodes are n² numbers.

    "exact" and "average" are OTD and ATD of GraphRicciCurvature 0.6. That leaves out all
    neighbours but the nearest 3000, and shares the mass evenly where all of :math:`b^{-l^q}` at a
    node are below 1e-7 together; here the nearest neighbours have it.

    References
    ----------
    Ollivier (2009), J. Funct. Anal. 256, 810. Ni et al. (2019), Sci. Rep. 9, 9984, for the
    distributions.

    Examples
    --------
    >>> import networkx as nx
    >>> from geomnet.curvature import ollivier
    >>> graph = nx.complete_graph(3)
    >>> {edge: round(kappa, 12) for edge, kappa in ollivier(graph).items()}
    {(0, 1): 0.75, (0, 2): 0.75, (1, 2): 0.75}
    >>> ollivier(graph, mode="average")[0, 1]
    0.125
    """
    check_choice("mode", mode, ("exact", "average", "bound", "upper"))
    alpha = check_positive("alpha", alpha, zero=True)
    if alpha > 1:
        raise InputError(f"alpha: is a share of the mass, from 0 to 1; got {alpha:g}")
    if check_positive("base", base) <= 1:
        raise InputError(f"base: expected a number above 1, got {base:g}")
    exp_power = check_positive("exp_power", exp_power, zero=True)
    if n_jobs != -1:
        n_jobs = check_integer("n_jobs", n_jobs, least=1)
    arrays, weight = as_weighted_graph(graph, weight)
    array = np.empty(0)
    if len(arrays.edges):
        if mode == "average":
            cost = _paired_cost(arrays, alpha, *_neighbours(arrays, 0.0, 0.0))
        else:
            before, after = _neighbours(arrays, math.log(base), exp_power)
            cost = _cost(arrays, mode, alpha, before, after, n_jobs)
        array = 1 - cost / arrays.distances[tuple(arrays.edges.T)]
    name = curvature_name(_kind(mode, alpha, base, exp_power), weight)
    return Curvature(array, arrays.edges, arrays.nodes, name, weight)


def _kind(mode: str, alpha: float, base: float, exp_power: float) -> str:
    """What a curvature is called: its mode, and what is not usual about its distributions."""
    chosen = {"alpha": (alpha, 0.5)}
    if mode != "average":  # which has neither base nor exponent
        chosen |= {"base": (base, math.e), "exp_power": (exp_power, 2.0)}
    own = [f"{key}={value:g}" for key, (value, usual) in chosen.items() if value != usual]
    return "_".join(["ollivier", *([mode] if mode != "exact" else []), *own])


def _cost(
    graph: WeightedGraph,
    mode: str,
    alpha: float,
    before: csr_array,
    after: csr_array,
    n_jobs: int,
) -> NDArray[np.float64]:
    """Cost of transport along every edge, or a bound of it, from the shares of neighbours."""
    if mode == "bound":
        return _paired_cost(graph, alpha, before, after)
    stay = alpha * diags_array(np.ones(graph.n_nodes))
    before = csr_array((1 - alpha) * before + stay)
    after = csr_array((1 - alpha) * after + stay) if graph.directed else before
    if mode == "exact":
        return transport_costs(graph.distances, before, after, graph.edges, n_jobs)
    return _least_cost(graph, before, after)


def _neighbours(
    graph: WeightedGraph, log_base: float, exp_power: float
) -> tuple[csr_array, csr_array]:
    """Shares of the neighbours of every node as the tail and as the head of an edge, as rows."""
    after = _shares(graph.adjacency, log_base, exp_power)
    if not graph.directed:
        return after, after
    return _shares(graph.adjacency.T.tocsr(), log_base, exp_power), after


def _shares(lengths: csr_array, log_base: float, exp_power: float) -> csr_array:
    """Rows that sum to 1; a node without neighbours has itself."""
    degree = np.diff(lengths.indptr)
    filled = np.flatnonzero(degree)
    # relative to the nearest neighbour, so that long edges do not make all of them vanish
    exponent = log_base * lengths.data**exp_power
    least = np.minimum.reduceat(exponent, lengths.indptr[filled])
    weights = np.exp(np.repeat(least, degree[filled]) - exponent)
    weights /= np.repeat(np.add.reduceat(weights, lengths.indptr[filled]), degree[filled])
    shares = csr_array((weights, lengths.indices, lengths.indptr), shape=lengths.shape)
    if len(filled) < len(degree):
        shares = csr_array(shares + diags_array((degree == 0).astype(float)))
    return shares


def _dense_where_full(matrix: csr_array) -> csr_array | NDArray[np.float64]:
    return matrix.toarray() if matrix.nnz > DENSE * np.prod(matrix.shape) else matrix


def _paired_cost(
    graph: WeightedGraph, alpha: float, before: csr_array, after: csr_array
) -> np.ndarray:
    """Cost of taking the ends' own mass along the edge and pairing neighbours independently."""
    tail, head = graph.edges.T
    distances = graph.distances
    # parts that are not connected never meet: any finite number may stand between them
    finite = np.where(np.isfinite(distances), distances, 0.0)
    mean = _dense_where_full(before) @ finite @ _dense_where_full(after).T
    return alpha * distances[tail, head] + (1 - alpha) * mean[tail, head]


def _least_cost(graph: WeightedGraph, before: csr_array, after: csr_array) -> np.ndarray:
    """Largest lower bound of the transport costs that distances to one node give."""
    tail, head = graph.edges.T
    distances = graph.distances
    finite = np.isfinite(distances)
    near = np.where(finite, distances, 0.0)
    before, after = _dense_where_full(before), _dense_where_full(after)
    if not graph.directed:
        return _largest_gap(before @ near, None, tail, head)
    # a landmark that some of the head's mass does not reach, or that does not reach the tail's,
    # bounds nothing
    unreached = np.where(after @ ~finite > 0, np.inf, 0.0)
    towards = _largest_gap(before @ near, after @ near + unreached, tail, head)
    unreached = np.where(before @ ~finite.T > 0, np.inf, 0.0)
    away = _largest_gap(after @ near.T, before @ near.T + unreached, head, tail)
    return np.maximum(np.maximum(towards, away), 0.0)


def _largest_gap(
    rows: np.ndarray, others: np.ndarray | None, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Largest difference between two rows, for every pair; absolute where both are of `rows`."""
    gap = np.empty(len(first))
    chunk = max(1, CHUNK // rows.shape[1])
    for start in range(0, len(gap), chunk):
        part = slice(start, start + chunk)
        difference = rows[first[part]]
        difference -= rows[second[part]] if others is None else others[second[part]]
        gap[part] = difference.max(axis=1)
        if others is None:
            gap[part] = np.maximum(gap[part], -difference.min(axis=1))
    return gap
