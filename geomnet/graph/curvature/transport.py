"""Wasserstein distances between the distributions at the ends of every edge."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csr_array

from ...errors import ConvergenceError
from .network_simplex import transport_values

__all__ = ["transport_costs"]

ENTRIES = 2**21
"""Entries of the cost matrices of one batch."""
MOST = 512
"""Problems of one batch."""
EMPTY = 1e-15
"""Share of the mass that is a rounding error."""


def transport_costs(
    distances: np.ndarray,
    before: csr_array,
    after: csr_array,
    edges: np.ndarray,
    n_jobs: int = 1,
) -> np.ndarray:
    r"""Return :math:`W_1` between the tail's and the head's distribution of every edge.

    What both have at a node stays there: by the triangle inequality some optimal transport does so.

    Parameters
    ----------
    distances : ndarray, shape (n, n)
        Shortest path lengths; finite from where a tail has mass to where its head has.
    before, after : csr_array, shape (n, n)
        Distributions, one row for every tail and for every head; each sums to 1.
    edges : ndarray of int, shape (m, 2)
    n_jobs : int
        Processes; −1 for every core.

    Returns
    -------
    ndarray, shape (m,)
    """
    batches = _batches(before, after, edges)
    work = (
        delayed(_solve)(distances, before, after, edges[batch]) for batch in batches
    )  # fmt: skip
    cost = np.empty(len(edges))
    if n_jobs == 1 or len(batches) == 1:
        found = [call(*arguments) for call, arguments, _ in work]
    else:
        found = Parallel(n_jobs=n_jobs)(work)
    for batch, values in zip(batches, found):
        cost[batch] = values
    return cost


def _batches(before: csr_array, after: csr_array, edges: np.ndarray) -> list[np.ndarray]:
    """Edges of like sizes together."""
    sizes = np.diff(before.indptr)[edges[:, 0]], np.diff(after.indptr)[edges[:, 1]]
    small, large = np.minimum(*sizes), np.maximum(*sizes)
    order = np.lexsort((large, small))
    batches, start = [], 0
    while start < len(order):
        entries = small[order[start:]] * large[order[start:]]
        count = int(np.clip(ENTRIES // entries[0], 1, MOST))
        batches.append(order[start : start + count])
        start += count
    return batches


def _solve(
    distances: np.ndarray, before: csr_array, after: csr_array, edges: np.ndarray
) -> np.ndarray:
    excess = csr_array(before[edges[:, 0]] - after[edges[:, 1]])
    places = distances.shape[0]
    # one more place, at distance 0 from all, for what pads a problem
    padded = np.zeros((places + 1, places + 1))
    padded[:places, :places] = distances
    supplies, sources = _parts(excess, 1.0)
    demands, sinks = _parts(excess, -1.0)
    if supplies.shape[1] > demands.shape[1]:
        padded, supplies, sources, demands, sinks = padded.T, demands, sinks, supplies, sources
    costs = padded[sources[:, :, None], sinks[:, None, :]]
    if supplies.shape[1] == 1:
        return np.sum(costs[:, 0] * demands, axis=1)
    values, solved = transport_values(costs, supplies, demands)
    if not solved.all():
        raise ConvergenceError(f"transport: {(~solved).sum()} problems ran out of pivots", values)
    return values


def _parts(excess: csr_array, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Masses of one sign and their places, padded to one length."""
    count, places = excess.shape
    kept = sign * excess.data > EMPTY
    row = np.repeat(np.arange(count), np.diff(excess.indptr))[kept]
    size = np.bincount(row, minlength=count)
    column = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    longest = max(int(size.max(initial=0)), 1)
    mass, place = np.zeros((count, longest)), np.full((count, longest), places)
    mass[row, column] = sign * excess.data[kept]
    place[row, column] = excess.indices[kept]
    return mass, place
