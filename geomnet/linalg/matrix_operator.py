"""The operator of a matrix that is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..utils.arrays import Array
from ..utils.validation import check_array
from .operator import GramOperator

__all__ = ["MatrixOperator"]


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

    def __init__(self, matrix: ArrayLike) -> None:
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
