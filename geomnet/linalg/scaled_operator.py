"""Multiples of an operator: rows scaled by √a, and all that is known of it used again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..utils.arrays import Array
from ..utils.validation import check_array, check_positive
from .estimate import Estimate
from .operator import GramOperator

__all__ = ["ScaledOperator"]


class ScaledOperator(GramOperator):
    """A multiple a·G of an operator, a > 0.

    Parameters
    ----------
    factor : float
    operator : GramOperator

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.linalg.ScaledOperator(3.0, gn.linalg.MatrixOperator([[2.0]])).dense()
    array([[12.]])
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
        return float(np.sqrt(self.factor)) * self.operator.push(directions)

    def pull(self, scores: Array) -> Array:
        """Products with √a·Eᵀ."""
        return float(np.sqrt(self.factor)) * self.operator.pull(scores)

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
        return self.factor * self.operator.trace()

    def frobenius(self) -> float:
        """A times the norm."""
        return self.factor * self.operator.frobenius()

    def eigvalsh(self, k: int | None = None, method: str = "auto") -> Array:
        """A times the eigenvalues."""
        return self.factor * self.operator.eigvalsh(k, method)

    def eigsh(self, k: int, method: str = "auto") -> tuple[Array, Array]:
        """A times the eigenvalues, and the same eigenvectors."""
        values, vectors = self.operator.eigsh(k, method)
        return self.factor * values, vectors

    def logdet(
        self, damping: float, relative: bool = False, method: str = "auto", *, probes: int = 8
    ) -> Estimate:
        """Log det(aG + δI), which is p log a more than that of G + δ/a."""
        damping = check_positive("damping", damping)
        found = self.operator.logdet(damping / self.factor, relative, method, probes=probes)
        shift = 0.0 if relative else self.n_columns * float(np.log(self.factor))
        return Estimate(found + shift, found.standard_error, found.method)

    def solve(
        self, b: ArrayLike, damping: float, method: str = "auto", *, tolerance: float = 1e-10
    ) -> Array:
        """Solution of (aG + δI)x = b, which is that of (G + δ/a)x = b/a."""
        b = check_array("b", b, shape=(self.n_columns,))
        damping = check_positive("damping", damping) / self.factor
        return self.operator.solve(b / self.factor, damping, method, tolerance=tolerance)
