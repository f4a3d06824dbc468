r"""All distances between two batches of predictions, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import log_softmax

from ..likelihoods import Categorical, Likelihood

__all__ = ["blocks", "measure_of", "pairwise"]

BLOCK = 2**22  # numbers in one array of a block: 32 MB
FLOOR = 1e-290  # cosines below it have lost digits to underflow


def measure_of(likelihood: Likelihood, kind: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """What adds up over the data: the squared distance, or Bhattacharyya's."""
    return likelihood.squared_distance if kind == "fisher_rao" else likelihood.bhattacharyya


def blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of `count` items of `size` numbers each, so that one holds at most BLOCK numbers."""
    step = max(1, BLOCK // size)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def pairwise(
    likelihood: Likelihood,
    start: np.ndarray,
    end: np.ndarray | None,
    weights: np.ndarray,
    kind: str,
) -> np.ndarray:
    """Squared Fisher–Rao, or Bhattacharyya, distances of predictions (m, n, C) and (k, n, C).

    Without `end`, of the first among each other: symmetric, with zeros on the diagonal.
    """
    measure = measure_of(likelihood, kind)
    last = start if end is None else end
    if isinstance(likelihood, Categorical):
        matrix, doubtful = _by_half_densities(start, last, weights, kind)
    else:
        matrix = np.zeros((len(start), len(last)))
        doubtful = np.ones(matrix.shape, dtype=bool)
    if end is None:
        doubtful = np.triu(doubtful, 1)
    rows, columns = np.nonzero(doubtful)
    for part in blocks(len(rows), start[0].size):
        i, j = rows[part], columns[part]
        matrix[i, j] = measure(start[i], last[j]) @ weights
    if end is None:
        matrix = np.triu(matrix, 1)
        matrix += matrix.T
    return matrix


def _by_half_densities(
    start: np.ndarray, end: np.ndarray, weights: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Means over the data from products of √p by √q, and where they are doubtful.

    One matrix product a datum, many times faster than pair by pair. Its rounding, 1e-16 in each
    cosine, is felt by pairs that are near; cosines of pairs that are far apart underflow.
    """
    first, last = (np.exp(0.5 * log_softmax(a, axis=-1)).swapaxes(0, 1) for a in (start, end))
    total = np.zeros((len(start), len(end)))
    doubtful = np.zeros(total.shape, dtype=bool)
    for part in blocks(len(weights), total.size):
        cosine = np.minimum(first[part] @ last[part].swapaxes(-1, -2), 1.0)
        if kind == "fisher_rao":
            value = 4 * np.arccos(cosine) ** 2
        else:
            doubtful |= (cosine < FLOOR).any(axis=0)
            value = -np.log(np.maximum(cosine, FLOOR))
        total += np.tensordot(weights[part], value, axes=1)
    # of squared distances of 1e-3, twelve digits are left
    return total, doubtful | (total < (1e-3 if kind == "fisher_rao" else 1e-3 / 8))
