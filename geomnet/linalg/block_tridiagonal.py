r"""Block-tridiagonal linear algebra: the Hessian of a path energy couples neighbours only.

A matrix is given by its diagonal blocks (K, ..., D, D) and those above it (K−1, ..., D, D). By
Haynsworth's theorem the signs of the pivots of its block elimination give its inertia, and those of
the first k pivots the inertia of its leading part: of the path up to the state k + 1.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded

__all__ = ["eliminate", "factor", "negative_pivots", "solve"]


def factor(diagonal: np.ndarray, above: np.ndarray) -> np.ndarray | None:
    """Banded Cholesky factor of one matrix; None where it is not positive definite."""
    count, size = diagonal.shape[:2]
    band = np.zeros((2 * size, count, size))
    row, col = np.tril_indices(size)
    band[row - col, :, col] = diagonal[:, row, col].T
    row, col = np.indices((size, size)).reshape(2, -1)
    band[size + row - col, :-1, col] = above[:, col, row].T
    try:
        found: np.ndarray = cholesky_banded(
            band.reshape(2 * size, -1), overwrite_ab=True, lower=True, check_finite=False
        )
    except LinAlgError:
        return None
    return found


def solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with the factor of :func:`factor`; `right` is (K, ...)."""
    flat = right.reshape(-1)
    found: np.ndarray = cho_solve_banded((factor, True), flat, check_finite=False)
    return found.reshape(right.shape)


def eliminate(
    diagonal: np.ndarray, above: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve batches of systems, of any signature, and count their negative pivots.

    Parameters
    ----------
    diagonal : ndarray, shape (K, n, D, D)
    above : ndarray, shape (K-1, n, D, D)
    right : ndarray, shape (K, n, D)

    Returns
    -------
    x : ndarray, shape (K, n, D)
    negative : ndarray of int, shape (K, n)
        Number of negative (or vanishing) eigenvalues of every pivot; their sum over K is the
        index of the matrix.
    """
    count = len(diagonal)
    inverses: list[np.ndarray] = []
    forward = np.empty_like(right)
    negative = np.zeros(diagonal.shape[:2], dtype=int)
    for k in range(count):
        pivot, load = diagonal[k], right[k]
        if k:
            down = np.swapaxes(above[k - 1], -1, -2) @ inverses[-1]
            pivot = pivot - down @ above[k - 1]
            load = load - (down @ forward[k - 1][..., None])[..., 0]
        values, vectors = np.linalg.eigh(0.5 * (pivot + np.swapaxes(pivot, -1, -2)))
        tiny = 1e-14 * np.abs(values).max(axis=-1, keepdims=True) + 1e-300
        negative[k] = (values <= tiny).sum(axis=-1)
        safe = np.where(np.abs(values) <= tiny, tiny, values)
        inverses.append((vectors / safe[..., None, :]) @ np.swapaxes(vectors, -1, -2))
        forward[k] = load
    x = np.empty_like(right)
    for k in reversed(range(count)):
        load = forward[k]
        if k + 1 < count:
            load = load - (above[k] @ x[k + 1][..., None])[..., 0]
        x[k] = (inverses[k] @ load[..., None])[..., 0]
    return x, negative


def negative_pivots(diagonal: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Negative (or vanishing) eigenvalues of every pivot of one matrix, (K,)."""
    if factor(diagonal, above) is not None:
        return np.zeros(len(diagonal), dtype=int)
    right = np.zeros((len(diagonal), 1, diagonal.shape[-1]))
    return eliminate(diagonal[:, None], above[:, None], right)[1][:, 0]
