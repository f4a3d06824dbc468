"""Paths restricted to an architecture: the least action of its networks, and its lower bound."""

from .action import Action
from .constrained_geodesic import constrained_geodesic
from .lagrangian import ArchitectureLagrangian
from .result import ArchitectureGeodesic
from .sqp import ArchitectureSQP

__all__ = [
    "Action",
    "ArchitectureGeodesic",
    "ArchitectureLagrangian",
    "ArchitectureSQP",
    "constrained_geodesic",
]
