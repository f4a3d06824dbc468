"""The path over λ: what a network's complexity buys."""

from .study import LeastActionPath, least_action_path

__all__ = ["LeastActionPath", "least_action_path"]
