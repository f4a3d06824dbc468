"""The damped inverse of an operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator

from ..utils.arrays import Array
from ..utils.validation import check_positive
from .operator import GramOperator

__all__ = ["DampedInverse"]


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

    def matvec(self, v: ArrayLike) -> Array:
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
