"""Effective conductances between all nodes, without a subtraction.

A tight cluster has conductances many decades above those that join it to the rest. The inverse of
the Laplacian loses as many digits: resistances are its differences. Eliminating nodes one by one
adds, multiplies and divides positive numbers only, so that every digit stays; but it ends with one
pair of nodes. Elimination by halves shares the work of all pairs: what is left of the nodes once a
half is gone serves all pairs of the other half.
"""

from __future__ import annotations

import numpy as np

__all__ = ["effective_conductances"]

PANEL = 48
"""Nodes eliminated with one matrix product."""
CHUNK = 2**16
"""Entries of the batches of small networks, few enough to stay in the cache."""
TOP = 900
"""Exponent of the largest conductance: the smallest then stay above underflow."""


def effective_conductances(conductance: np.ndarray) -> np.ndarray:
    r"""Effective conductances :math:`1/R_{ij}` of a connected network.

    Parameters
    ----------
    conductance : ndarray, shape (n, n)
        Symmetric, at least zero; the diagonal is not read.

    Returns
    -------
    ndarray, shape (n, n)
        Infinite on the diagonal.

    Notes
    -----
    Every entry has a small relative error, some 1e-16 times n at worst, as long as conductances
    span no more than some 290 decades. About 3n³ products, n² numbers and a few copies of them.

    References
    ----------
    Grassmann, Taksar & Heyman (1985), Oper. Res. 33, 1107, for elimination without subtraction.
    """
    found = np.array(conductance, dtype=float)
    np.fill_diagonal(found, 0.0)
    largest = found.max(initial=0.0)
    exponent = TOP - int(np.frexp(largest)[1])
    found = _within(np.ldexp(found, exponent)[None])[0]
    found = np.ldexp(found, -exponent)
    np.fill_diagonal(found, np.inf)
    return found


def _within(networks: np.ndarray) -> np.ndarray:
    """Effective conductances between all nodes of every network, (b, n, n)."""
    b, n, _ = networks.shape
    if n < 2:
        return np.zeros_like(networks)
    if n % 2:
        return _within(_padded(networks, n))[:, :n, :n]
    half = n // 2
    found = np.empty_like(networks)
    found[:, :half, half:] = _across(networks)
    found[:, half:, :half] = found[:, :half, half:].swapaxes(1, 2)
    halves = [_eliminated(networks, half, n), _eliminated(networks, 0, half)]
    found[:, :half, :half], found[:, half:, half:] = _within(np.concatenate(halves)).reshape(
        2, b, half, half
    )
    return found


def _across(networks: np.ndarray) -> np.ndarray:
    """Effective conductances from the first half of the nodes to the second, (b, n/2, n/2)."""
    b, n, _ = networks.shape
    half = n // 2
    if half == 1:
        return networks[:, :1, 1:]
    if b > 1 and networks.size > CHUNK:
        size = max(1, CHUNK // n**2)
        return np.concatenate([_across(networks[k : k + size]) for k in range(0, b, size)])
    if half % 2:
        padded = _padded(networks, half, n)
        return _across(padded)[:, :half, :half]
    quarter = half // 2
    smaller = []
    for i in (quarter, 0):  # the quarter of the first half that goes
        fewer = _eliminated(networks, i, i + quarter)
        smaller += [_eliminated(fewer, half - j, half - j + quarter) for j in (0, quarter)]
    found = _across(np.concatenate(smaller)).reshape(2, 2, b, quarter, quarter)
    return found.transpose(2, 0, 3, 1, 4).reshape(b, half, half)


def _padded(networks: np.ndarray, *places: int) -> np.ndarray:
    """With nodes before these places that nothing is joined to."""
    return np.insert(np.insert(networks, places, 0.0, axis=1), places, 0.0, axis=2)


def _eliminated(networks: np.ndarray, start: int, stop: int) -> np.ndarray:
    r"""Networks of the other nodes, with the same effective conductances.

    Nodes go one by one, :math:`c_{ij} \leftarrow c_{ij} + c_{ki}c_{kj}/s_k` with :math:`s_k` the
    sum over the nodes that are left: first in their own rows, then at once in those that stay.
    """
    b, n, _ = networks.shape
    count = stop - start
    kept = np.r_[0:start, stop:n]
    rows = networks[:, start:stop][:, :, np.r_[start:stop, kept]]
    total = np.empty((b, count, 1))
    for first in range(0, count, PANEL):
        last = min(first + PANEL, count)
        panel = rows[:, first:last, first:]
        total[:, first:last] = _reduce(panel, last - first)
        if last < count:
            panel = panel[:, :, last - first :]
            ahead = panel[:, :, : count - last].swapaxes(1, 2)
            rows[:, last:, last:] += np.matmul(ahead, panel / total[:, first:last])
    left = networks[:, kept][:, :, kept]
    rows = rows[:, :, count:]
    if count == 1:
        left += rows.swapaxes(1, 2) * (rows / total)
    else:
        left += np.matmul(rows.swapaxes(1, 2), rows / total)
    return left


def _reduce(rows: np.ndarray, count: int) -> np.ndarray:
    """Make the first nodes' rows those they have when their turn comes; their sums, (b, count, 1).

    Of the columns of other nodes the sum alone is carried along, and which rows are added to which.
    """
    b = len(rows)
    work = np.zeros((b, count, 2 * count + 1))
    work[:, :, :count] = rows[:, :, :count]
    work[:, :, count] = rows[:, :, count:].sum(axis=2)
    work[:, range(count), range(count + 1, 2 * count + 1)] = 1.0
    total = np.empty((b, count, 1))
    for k in range(count):
        at = work[:, k, k + 1 : count + 1].sum(axis=1)
        at[at == 0] = 1.0  # a node that nothing is joined to
        total[:, k, 0] = at
        if k + 1 < count:
            share = work[:, k, k + 1 : count] / at[:, None]
            row = work[:, k, k + 1 : count + k + 2]
            work[:, k + 1 :, k + 1 : count + k + 2] += share[:, :, None] * row[:, None]
    if count > 1:
        rows[:, :, count:] = np.matmul(work[:, :, count + 1 :], rows[:, :, count:])
    return total
