"""How metrics judge a network's path, and each other's least-complexity paths."""

from .compare import compare
from .fisher_summary import FisherSummary
from .result import Comparison

__all__ = ["Comparison", "FisherSummary", "compare"]
