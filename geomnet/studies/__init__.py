"""Studies: reproducible experiments over the library; metrics compared, and least action."""

from .comparison import Comparison, compare
from .least_action import LeastActionPath, least_action_path

__all__ = ["Comparison", "LeastActionPath", "compare", "least_action_path"]
