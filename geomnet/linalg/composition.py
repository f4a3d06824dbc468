r"""Operators made of operators: sums, blocks, multiples, matrices, and damped inverses.

A sum stacks the rows of its terms, :math:`G_1 + G_2 = (E_1^\top\;E_2^\top)(E_1;E_2)`; blocks put
them beside each other; a multiple a > 0 scales them by √a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from ..utils.arrays import Array
from ..utils.validation import check_array, check_positive
from .operator import GramOperator

__all__ = ["BlockDiagonal", "DampedInverse", "MatrixOperator", "ScaledOperator", "SumOperator"]


class MatrixOperator(GramOperator):
    """G = EᵀE of a matrix E.

    Parameters
    ----------
    matrix : array_like, shape (m, p)

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.linalg.MatrixOperator([[3.0, 4.0]]).eigvalsh()
    array([25.,  0.])
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = check_array("matrix", matrix, ndim=2)

    @property
    def n_columns(self) -> int:
        """Columns of E."""
        return int(self.matrix.shape[1])

    @property
    def n_rows(self) -> int:
        """Rows of E."""
        return len(self.matrix)

    def push(self, directions: Array) -> Array:
        """Products with E."""
        return np.asarray(directions @ self.matrix.T)

    def pull(self, scores: Array) -> Array:
        """Products with Eᵀ."""
        return np.asarray(scores @ self.matrix)


class SumOperator(GramOperator):
    r"""The sum :math:`\sum_jG_j` of operators of one side.

    Parameters
    ----------
    terms : sequence of GramOperator
    """

    def __init__(self, terms: Sequence[GramOperator]) -> None:
        self.terms = tuple(terms)
        sides = {term.n_columns for term in self.terms}
        if len(sides) != 1:
            raise InputError(f"terms: their sides differ, {sorted(sides)}; a sum needs one side")
        self.memory_limit = min(term.memory_limit for term in self.terms)

    @property
    def n_columns(self) -> int:
        """Side of every term."""
        return self.terms[0].n_columns

    @property
    def n_rows(self) -> int:
        """Rows of all terms."""
        return sum(term.n_rows for term in self.terms)

    def push(self, directions: Array) -> Array:
        """Products with every term's rows, one after the other."""
        return np.concatenate([term.push(directions) for term in self.terms], axis=1)

    def pull(self, scores: Array) -> Array:
        """Sum of the terms' pulls."""
        cuts = np.cumsum([term.n_rows for term in self.terms])[:-1]
        parts = zip(self.terms, np.split(scores, cuts, axis=1))
        total: Array = np.sum([term.pull(part) for term, part in parts], axis=0)
        return total

    def products(self, directions: Array) -> Array:
        """Sum of the terms' products."""
        total: Array = np.sum([term.products(directions) for term in self.terms], axis=0)
        return total

    def dense(self) -> Array:
        """Sum of the terms' matrices."""
        total: Array = np.sum([term.dense() for term in self.terms], axis=0)
        return total

    def diag(self) -> Array:
        """Sum of the terms' diagonals."""
        total: Array = np.sum([term.diag() for term in self.terms], axis=0)
        return total

    def trace(self) -> float:
        """Sum of the terms' traces."""
        return float(sum(term.trace() for term in self.terms))


class BlockDiagonal(GramOperator):
    """Operators as the blocks of one, on the diagonal.

    Parameters
    ----------
    blocks : sequence of GramOperator
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

    def _split(self, rows: Array, sizes: Sequence[int]) -> list[Array]:
        return np.split(rows, np.cumsum(sizes)[:-1], axis=1)

    def push(self, directions: Array) -> Array:
        """Every block's own part of the directions."""
        parts = self._split(directions, [block.n_columns for block in self.blocks])
        return np.concatenate([b.push(part) for b, part in zip(self.blocks, parts)], axis=1)

    def pull(self, scores: Array) -> Array:
        """Every block's own part of the scores."""
        parts = self._split(scores, [block.n_rows for block in self.blocks])
        return np.concatenate([b.pull(part) for b, part in zip(self.blocks, parts)], axis=1)

    def diag(self) -> Array:
        """Diagonals of the blocks."""
        return np.concatenate([block.diag() for block in self.blocks])

    def trace(self) -> float:
        """Sum of the blocks' traces."""
        return float(sum(block.trace() for block in self.blocks))

    def eigvalsh(self, k: int | None = None, method: str = "auto") -> Array:
        """Eigenvalues of all blocks, largest first."""
        values = [
            block.eigvalsh(None if k is None else min(k, block.n_columns), method)
            for block in self.blocks
        ]
        return np.sort(np.concatenate(values))[::-1][:k].copy()


class ScaledOperator(GramOperator):
    """A multiple a·G of an operator, a > 0.

    Parameters
    ----------
    factor : float
    operator : GramOperator
    """

    def __init__(self, factor: float, operator: GramOperator) -> None:
        self.factor, self.operator = check_positive("factor", factor), operator
        self.memory_limit = operator.memory_limit

    @property
    def n_columns(self) -> int:
        """Side of the operator."""
        return self.operator.n_columns

    @property
    def n_rows(self) -> int:
        """Rows of the operator."""
        return self.operator.n_rows

    def push(self, directions: Array) -> Array:
        """Products with √a·E."""
        root: float = np.sqrt(self.factor)
        return root * self.operator.push(directions)

    def pull(self, scores: Array) -> Array:
        """Products with √a·Eᵀ."""
        root: float = np.sqrt(self.factor)
        return root * self.operator.pull(scores)

    def products(self, directions: Array) -> Array:
        """A times the products."""
        return self.factor * self.operator.products(directions)

    def dense(self) -> Array:
        """A times the matrix."""
        return self.factor * self.operator.dense()

    def dual_gram(self) -> Array:
        """A times the dual."""
        return self.factor * self.operator.dual_gram()

    def diag(self) -> Array:
        """A times the diagonal."""
        return self.factor * self.operator.diag()

    def trace(self) -> float:
        """A times the trace."""
        return float(self.factor * self.operator.trace())


@dataclass(frozen=True, eq=False)
class DampedInverse:
    """The inverse (G + δI)⁻¹ of an operator, by its own solver.

    Parameters
    ----------
    operator : GramOperator
    damping : float
        δ > 0.

    Examples
    --------
    >>> import geomnet as gn
    >>> inverse = gn.linalg.DampedInverse(gn.linalg.MatrixOperator([[2.0]]), damping=1.0)
    >>> inverse.matvec([10.0])
    array([2.])
    """

    operator: GramOperator
    damping: float

    def __post_init__(self) -> None:
        check_positive("damping", self.damping)

    def matvec(self, v: Any) -> Array:
        """Solution of (G + δI)x = v."""
        return self.operator.solve(v, self.damping)

    def logdet(self) -> float:
        """Log determinant of the inverse."""
        return -float(self.operator.logdet(self.damping))

    def linear_operator(self) -> LinearOperator:
        """The inverse as an operator of ``scipy.sparse.linalg``."""
        return LinearOperator(
            self.operator.shape, matvec=self.matvec, rmatvec=self.matvec, dtype=np.float64
        )
