"""Cosines of Gram matrices, and lengths that are made of them."""

from __future__ import annotations

import numpy as np

__all__ = ["causal_lengths", "cosines", "log_length"]

LEAST_COSINE = 1e-6
"""Where cosines are clipped: lengths are at most 13.8."""
COPIES = 64 * np.finfo(float).eps
"""Cosines that are one but for rounding: angles and chords are roots of the difference."""


def cosines(gram: np.ndarray) -> np.ndarray:
    r""":math:`g_{ij}/\sqrt{g_{ii}g_{jj}}`, zero where one of them is; copies exactly ±1."""
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale = np.outer(size, size)
    # products of blocks may round otherwise above the diagonal than below it
    found = np.divide(0.5 * (gram + gram.T), scale, out=np.zeros_like(gram), where=scale > 0)
    found = np.where(np.abs(found) > 1 - COPIES, np.sign(found), found)
    np.fill_diagonal(found, 1.0)
    return found


def log_length(cosine: np.ndarray) -> np.ndarray:
    """−log|cos|, clipped, zero on the diagonal."""
    lengths = np.abs(np.log(np.clip(np.abs(cosine), LEAST_COSINE, 1.0)))
    np.fill_diagonal(lengths, 0.0)
    return lengths


def causal_lengths(past: np.ndarray, future: np.ndarray) -> np.ndarray:
    """Logarithms of the mean of the cosines of two Gram matrices of squares, (N, N)."""
    heard, said = np.sqrt(cosines(past)), np.sqrt(cosines(future))
    return log_length(0.5 * (heard + said))
