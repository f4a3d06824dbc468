"""What was decomposed once and is asked for again."""

from __future__ import annotations

from dataclasses import dataclass

from ..utils.arrays import Array

__all__ = ["Kept"]


@dataclass
class Kept:
    """Results of decompositions of one operator.

    Attributes
    ----------
    values : ndarray, shape (p,), or None
        All eigenvalues, largest first.
    """

    values: Array | None = None
