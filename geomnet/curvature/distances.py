"""Shortest path lengths between all nodes of a graph."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, floyd_warshall

__all__ = ["shortest_path_lengths"]

FEW = 400
"""Nodes up to which a dense graph is quicker by Floyd and Warshall's cubic loop."""
NEAREST = 12
"""Shortest edges kept at every node for the first guess of the distances."""


def shortest_path_lengths(lengths: csr_array, directed: bool) -> np.ndarray:
    """Lengths of the shortest paths between all pairs of nodes.

    Parameters
    ----------
    lengths : csr_array, shape (n, n)
        Positive lengths of the edges; symmetric unless `directed`.
    directed : bool

    Returns
    -------
    ndarray, shape (n, n)
        From the row's node to the column's; infinite where there is no path.

    Notes
    -----
    An edge longer than some path between its ends is on no shortest path. In a dense graph with
    varied lengths that holds for most edges: distances along the shortest few edges of each node
    find many of them, and Dijkstra's algorithm then runs on the rest.
    """
    n = lengths.shape[0]
    if n == 0 or lengths.nnz == 0:
        found = np.full((n, n), np.inf)
        np.fill_diagonal(found, 0.0)
        return found
    if n <= FEW and lengths.nnz * np.log2(n) > 0.5 * n * n:
        return floyd_warshall(lengths, directed=True)
    if lengths.nnz > 4 * NEAREST * n and np.ptp(lengths.data) > 0:
        lengths = _without_detours(lengths)
    return dijkstra(lengths, directed=True)


def _without_detours(lengths: csr_array) -> csr_array:
    """The edges that are no longer than every path along short edges between their ends."""
    n = lengths.shape[0]
    row = np.repeat(np.arange(n), np.diff(lengths.indptr))
    order = np.lexsort((lengths.data, row))
    rank = np.arange(len(order)) - lengths.indptr[row[order]]
    short = order[rank < NEAREST]
    guess = csr_array((lengths.data[short], (row[short], lengths.indices[short])), shape=(n, n))
    guess = dijkstra(guess, directed=True)
    kept = np.flatnonzero(lengths.data <= guess[row, lengths.indices] * (1 + 1e-12))
    return csr_array((lengths.data[kept], (row[kept], lengths.indices[kept])), shape=(n, n))
