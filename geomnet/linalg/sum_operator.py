r"""Sums of operators: rows stacked, :math:`G_1 + G_2 = (E_1^\top\;E_2^\top)(E_1;E_2)`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InputError
from ..utils.arrays import Array
from .operator import GramOperator

__all__ = ["SumOperator"]


class SumOperator(GramOperator):
    r"""The sum :math:`\sum_jG_j` of operators of one side.

    Parameters
    ----------
    terms : sequence of GramOperator

    Raises
    ------
    InputError
        Where there is none, or their sides differ.

    Examples
    --------
    >>> import geomnet as gn
    >>> terms = [gn.linalg.MatrixOperator([[1.0, 0.0]]), gn.linalg.MatrixOperator([[0.0, 2.0]])]
    >>> gn.linalg.SumOperator(terms).dense()
    array([[1., 0.],
           [0., 4.]])
    """

    def __init__(self, terms: Sequence[GramOperator]) -> None:
        self.terms = tuple(terms)
        if not self.terms:
            raise InputError("terms: expected one operator at least")
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
        return _total(term.pull(part) for term, part in parts)

    def products(self, directions: Array) -> Array:
        """Sum of the terms' products."""
        return _total(term.products(directions) for term in self.terms)

    def dense(self) -> Array:
        """Sum of the terms' matrices."""
        return _total(term.dense() for term in self.terms)

    def diag(self) -> Array:
        """Sum of the terms' diagonals."""
        return _total(term.diag() for term in self.terms)

    def trace(self) -> float:
        """Sum of the terms' traces."""
        return sum(term.trace() for term in self.terms)


def _total(arrays: Iterable[Array]) -> Array:
    """The sum of arrays, one at a time, so that two are held at once."""
    each = iter(arrays)
    found = next(each)
    for array in each:
        found = found + array
    return found
