"""The dual Gram matrix of a Fisher matrix, tile by tile, from layer factors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .data import FisherData

__all__ = ["gram", "gram_frobenius"]

TILE = 512  # rows of a tile, so that it stays in the cache


def _tiles(data: FisherData) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Tiles of the upper triangle: where they lie, in rows of the Gram matrix, and their values."""
    step = max(1, TILE // data.q)
    buffer = np.empty((step * data.q) ** 2)
    for first, part in enumerate(data.slices):
        rows = data.factors(first, keep=True)
        for second in range(first, len(data.slices)):
            columns = data.factors(second, keep=True)
            other = data.slices[second]
            for a in range(0, part.stop - part.start, step):
                mine = slice(a, min(a + step, part.stop - part.start))
                begin = a if first == second else 0
                for b in range(begin, other.stop - other.start, step):
                    theirs = slice(b, min(b + step, other.stop - other.start))
                    shape = (mine.stop - a) * data.q, (theirs.stop - b) * data.q
                    tile = buffer[: shape[0] * shape[1]].reshape(shape)
                    tile[...] = 0.0
                    for row, column in zip(rows, columns):
                        row.add_gram(mine, column, theirs, tile)
                    top, left = (part.start + a) * data.q, (other.start + b) * data.q
                    yield slice(top, top + shape[0]), slice(left, left + shape[1]), tile


def gram(data: FisherData) -> np.ndarray:
    """The Gram matrix of the rows √w·RJ, (n·q, n·q)."""
    size = data.n * data.q
    found = np.empty((size, size))
    for rows, columns, tile in _tiles(data):
        found[rows, columns] = tile
        if rows != columns:
            found[columns, rows] = tile.T
    return found


def gram_frobenius(data: FisherData) -> float:
    """Frobenius norm of the Gram matrix, which is that of the Fisher matrix; none is stored."""
    total = 0.0
    for rows, columns, tile in _tiles(data):
        total += (1.0 if rows == columns else 2.0) * float(np.vdot(tile, tile))
    return float(np.sqrt(total))
