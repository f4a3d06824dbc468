"""Paths restricted to an architecture: the least action of its networks, and its lower bound."""

from .fit import fit_geodesic
from .lagrangian import ArchitectureLagrangian
from .result import ArchitectureGeodesic
from .sqp import ArchitectureSQP

__all__ = ["ArchitectureGeodesic", "ArchitectureLagrangian", "ArchitectureSQP", "fit_geodesic"]
