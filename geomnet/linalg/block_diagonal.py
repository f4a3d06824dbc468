r"""Operators beside each other: :math:`G = \operatorname{diag}(G_1, \dots)`, block by block.

Blocks do not mix, and so nothing is asked of the whole that its blocks can answer: its spectrum is
theirs together, its log determinant the sum, and a damped system falls into theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import block_diag

from ..errors import InputError
from ..utils.arrays import Array
from ..utils.validation import check_array
from .estimate import Estimate
from .operator import GramOperator
from .spectrum import count_of

__all__ = ["BlockDiagonal"]


class BlockDiagonal(GramOperator):
    """Operators as the blocks of one, on the diagonal.

    Parameters
    ----------
    blocks : sequence of GramOperator

    Raises
    ------
    InputError
        Where there is none.

    Examples
    --------
    >>> import geomnet as gn
    >>> one, two = gn.linalg.MatrixOperator([[1.0]]), gn.linalg.MatrixOperator([[2.0]])
    >>> gn.linalg.BlockDiagonal([one, two]).eigvalsh()
    array([4., 1.])
    """

    def __init__(self, blocks: Sequence[GramOperator]) -> None:
        self.blocks = tuple(blocks)
        if not self.blocks:
            raise InputError("blocks: expected one operator at least")
        self.memory_limit = min(block.memory_limit for block in self.blocks)

    @property
    def n_columns(self) -> int:
        """Sides of all blocks."""
        return sum(block.n_columns for block in self.blocks)

    @property
    def n_rows(self) -> int:
        """Rows of all blocks."""
        return sum(block.n_rows for block in self.blocks)

    def _columns(self, directions: Array) -> list[Array]:
        """Every block's own part of directions (..., p)."""
        cuts = np.cumsum([block.n_columns for block in self.blocks])[:-1]
        return np.split(directions, cuts, axis=-1)

    def push(self, directions: Array) -> Array:
        """Every block's own part of the directions."""
        parts = zip(self.blocks, self._columns(directions))
        return np.concatenate([block.push(part) for block, part in parts], axis=1)

    def pull(self, scores: Array) -> Array:
        """Every block's own part of the scores."""
        cuts = np.cumsum([block.n_rows for block in self.blocks])[:-1]
        parts = zip(self.blocks, np.split(scores, cuts, axis=1))
        return np.concatenate([block.pull(part) for block, part in parts], axis=1)

    def products(self, directions: Array) -> Array:
        """Every block's products with its own part."""
        parts = zip(self.blocks, self._columns(directions))
        return np.concatenate([block.products(part) for block, part in parts], axis=1)

    def dense(self) -> Array:
        """The blocks on the diagonal, (p, p)."""
        p = self.n_columns
        self.need(8 * p * p, f"the dense {p}×{p} matrix", "eigvalsh(k) or matvec")
        return np.asarray(block_diag(*(block.dense() for block in self.blocks)))

    def dual_gram(self) -> Array:
        """The blocks' duals on the diagonal, (m, m)."""
        m = self.n_rows
        self.need(8 * m * m, f"the dual Gram matrix of {m} rows", "eigvalsh(k)")
        return np.asarray(block_diag(*(block.dual_gram() for block in self.blocks)))

    def diag(self) -> Array:
        """Diagonals of the blocks."""
        return np.concatenate([block.diag() for block in self.blocks])

    def trace(self) -> float:
        """Sum of the blocks' traces."""
        return sum(block.trace() for block in self.blocks)

    def frobenius(self) -> float:
        """Frobenius norm of all blocks."""
        return float(np.linalg.norm([block.frobenius() for block in self.blocks]))

    def eigvalsh(self, k: int | None = None, method: str = "auto") -> Array:
        """Eigenvalues of all blocks, largest first."""
        count = count_of(self, k)
        values = [
            block.eigvalsh(None if k is None else min(count, block.n_columns), method)
            for block in self.blocks
        ]
        return np.sort(np.concatenate(values))[::-1][:count].copy()

    def logdet(
        self, damping: float, relative: bool = False, method: str = "auto", *, probes: int = 8
    ) -> Estimate:
        """Sum of the blocks' log determinants; their errors add up, as probes may be the same."""
        found = [block.logdet(damping, relative, method, probes=probes) for block in self.blocks]
        error = sum(value.standard_error for value in found)
        worst = max(found, key=lambda value: value.standard_error)
        return Estimate(sum(found), error, worst.method)

    def solve(
        self, b: ArrayLike, damping: float, method: str = "auto", *, tolerance: float = 1e-10
    ) -> Array:
        """Solution of (G + δI)x = b, every block's own."""
        b = check_array("b", b, shape=(self.n_columns,))
        parts = zip(self.blocks, self._columns(b))
        return np.concatenate(
            [block.solve(part, damping, method, tolerance=tolerance) for block, part in parts]
        )
