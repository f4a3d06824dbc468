"""Studies: reproducible experiments over the library; the first compares metrics."""

from .comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
