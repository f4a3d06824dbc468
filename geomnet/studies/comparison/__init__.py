"""How metrics judge a network's path, and each other's least-complexity paths."""

from .fisher_summary import FisherSummary
from .result import Comparison
from .study import compare

__all__ = ["Comparison", "FisherSummary", "compare"]
