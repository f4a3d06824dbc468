"""Wasserstein distances between the distributions at the ends of every edge."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csr_array

from ..errors import ConvergenceError
from ..utils.memory import keep_freed_memory
from .network_simplex import transport_values

__all__ = ["transport_costs"]

ENTRIES = 2**21
"""Entries of the cost matrices of one batch."""
MOST = 256
"""Problems of one batch."""
FEWEST = 24
"""Problems that share a batch even if their sizes differ: less is not worth its calls."""
GRADE = 1.35
"""Ratio of sizes within a batch."""
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
    keep_freed_memory()
    batches = _batches(before, after, edges)
    n = len(distances)
    padded = np.full((n + 1, n + 1), np.inf)  # one more place, out of reach, pads a problem
    # a power of two, so that nothing is rounded: costs fit in single precision then
    largest = distances.max(initial=0.0, where=np.isfinite(distances))
    scale = 2.0 ** np.floor(np.log2(largest)) if largest > 0 else 1.0
    padded[:n, :n] = distances / scale
    cost = np.empty(len(edges))
    if n_jobs == 1 or len(batches) == 1:
        found = [_solve(padded, before, after, edges[batch]) for batch in batches]
    else:
        found = Parallel(n_jobs=n_jobs)(
            delayed(_solve)(padded, before, after, edges[batch]) for batch in batches
        )
    for batch, values in zip(batches, found):
        cost[batch] = scale * values
    return cost


def _batches(before: csr_array, after: csr_array, edges: np.ndarray) -> list[np.ndarray]:
    """Edges of like sizes together, the largest first."""
    sizes = np.diff(before.indptr)[edges[:, 0]], np.diff(after.indptr)[edges[:, 1]]
    small, large = np.minimum(*sizes), np.maximum(*sizes)
    grade = np.round(np.log(large) / np.log(GRADE))
    order = np.lexsort((large, small, grade))[::-1]
    batches, start = [], 0
    while start < len(order):
        first = order[start]
        most = int(np.clip(ENTRIES // (small[first] * large[first]), 1, MOST))
        batch = order[start : start + most]
        alike = (small[batch] * GRADE >= small[first]) & (grade[batch] == grade[first])
        batches.append(batch[: max(FEWEST, int(alike.sum()))])
        start += len(batches[-1])
    return batches


def _solve(
    padded: np.ndarray, before: csr_array, after: csr_array, edges: np.ndarray
) -> np.ndarray:
    excess = csr_array(before[edges[:, 0]] - after[edges[:, 1]])
    supplies, sources = _parts(excess, 1.0)
    demands, sinks = _parts(excess, -1.0)
    sources *= len(padded)
    if supplies.shape[1] > demands.shape[1]:
        supplies, sources, demands, sinks = demands, sinks, supplies, sources
    costs = padded.ravel().take(sources[:, :, None] + sinks[:, None, :])
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
