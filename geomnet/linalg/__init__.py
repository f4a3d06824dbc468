"""Linear algebra of operators that are known by their products, and of banded systems."""

from .composition import (
    BlockDiagonal,
    DampedInverse,
    MatrixOperator,
    ScaledOperator,
    SumOperator,
)
from .estimate import Estimate
from .operator import GramOperator

__all__ = [
    "BlockDiagonal",
    "DampedInverse",
    "Estimate",
    "GramOperator",
    "MatrixOperator",
    "ScaledOperator",
    "SumOperator",
]
