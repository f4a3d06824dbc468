r"""Blocks of a dense Fisher matrix from layer factors, covectors contracted first.

The block of two affine maps is :math:`\sum_iM^i_{oo'}a^i_ka'^i_{k'}` with
:math:`M^i = \sum_a b^i_ab'^i_a`: the contraction over the q covectors of a datum comes first, so
that the rest is one matrix product of (out·out', n) by (n, in·in'), q times less work than from
rows.
On the diagonal both factors are symmetric, and a quarter of the block holds the rest.
"""

from __future__ import annotations

import numpy as np

from ..networks.layers.factors import AffineFactors, Factors

__all__ = ["add_dense"]

WORKING = 2**26  # bytes of an intermediate product


def add_dense(row: Factors, column: Factors, out: np.ndarray) -> None:
    """Add the block of two parts of θ, (size, size'), to `out`."""
    if not (isinstance(row, AffineFactors) and isinstance(column, AffineFactors)):
        rows = row.rows().reshape(-1, row.size)
        columns = rows if column is row else column.rows().reshape(-1, column.size)
        out += np.ascontiguousarray(rows.T) @ columns
        return
    view = _BlockView(out, row, column)
    if row is column and len(row.inputs) == 1:
        _add_symmetric(row, view)
        return
    for a, b in zip(row.inputs, row.signals):
        for c, d in zip(column.inputs, column.signals):
            _add_product(_extended(row, a), b, _extended(column, c), d, view)


def _extended(factors: AffineFactors, inputs: np.ndarray) -> np.ndarray:
    """Inputs with a one for the bias."""
    if not factors.map.bias:
        return inputs
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)


class _BlockView:
    """A block of G, seen as (out, in + 1, out', in' + 1) in four parts."""

    def __init__(self, out: np.ndarray, row: AffineFactors, column: AffineFactors) -> None:
        self.parts = []
        for r, rows in enumerate(_parts(row)):
            for c, columns in enumerate(_parts(column)):
                piece = out[rows[0] : rows[1], columns[0] : columns[1]]
                shape = (row.map.outputs, rows[2], column.map.outputs, columns[2])
                strides = piece.strides
                shaped = np.lib.stride_tricks.as_strided(
                    piece,
                    shape,
                    (strides[0] * rows[2], strides[0], strides[1] * columns[2], strides[1]),
                )
                starts = r * row.map.inputs, c * column.map.inputs
                self.parts.append((starts, (rows[2], columns[2]), shaped))

    def add(self, row: int, column: int, block: np.ndarray) -> None:
        """Add the products (in + 1, in' + 1) of output `row` with output `column`."""
        for (k, m), (height, width), view in self.parts:
            view[row, :, column, :] += block[k : k + height, m : m + width]


def _parts(factors: AffineFactors) -> list[tuple[int, int, int]]:
    """Weights and bias of a map: where they lie, and the inputs of each output."""
    cut = factors.map.outputs * factors.map.inputs
    found = [(0, cut, factors.map.inputs)]
    return [*found, (cut, factors.size, 1)] if factors.map.bias else found


def _add_product(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, view: _BlockView
) -> None:
    """Add the products of rows b⊗a with rows d⊗c."""
    n, width, other = len(a), a.shape[1], c.shape[1]
    inputs = (a[:, :, None] * c[:, None, :]).reshape(n, -1)
    group = max(1, WORKING // (8 * (inputs.shape[1] + n) * d.shape[2]))
    for first in range(0, b.shape[2], group):
        signals = np.swapaxes(b[:, :, first : first + group], 1, 2) @ d  # (n, group, out')
        found = signals.reshape(n, -1).T @ inputs
        found = found.reshape(signals.shape[1], d.shape[2], width, other)
        for o in range(found.shape[0]):
            for m in range(found.shape[1]):
                view.add(first + o, m, found[o, m])


def _add_symmetric(factors: AffineFactors, view: _BlockView) -> None:
    """Add the block of a map with itself: pairs of inputs and of outputs counted once."""
    a, b = _extended(factors, factors.inputs[0]), factors.signals[0]
    width = a.shape[1]
    upper = np.triu_indices(width)
    inputs = a[:, upper[0]] * a[:, upper[1]]
    place = np.zeros((width, width), dtype=np.intp)  # where a pair of inputs lies in `inputs`
    place[upper] = place[upper[::-1]] = np.arange(len(upper[0]))
    for o in range(b.shape[2]):
        signals = np.matmul(b[:, None, :, o], b[:, :, o:])[:, 0]  # (n, out − o)
        found = (signals.T @ inputs)[:, place]
        for m, block in enumerate(found, start=o):
            view.add(o, m, block)
            if m > o:
                view.add(m, o, block)
