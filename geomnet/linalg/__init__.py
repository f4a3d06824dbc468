"""Linear algebra of operators that are known by their products, and of banded systems."""

from .block_diagonal import BlockDiagonal
from .damped_inverse import DampedInverse
from .estimate import Estimate
from .matrix_operator import MatrixOperator
from .operator import GramOperator
from .scaled_operator import ScaledOperator
from .sum_operator import SumOperator

__all__ = [
    "BlockDiagonal",
    "DampedInverse",
    "Estimate",
    "GramOperator",
    "MatrixOperator",
    "ScaledOperator",
    "SumOperator",
]
