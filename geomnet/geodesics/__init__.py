"""Geodesics: the verb, its methods (one file each), results and certificates."""

from .certificate import Certificate
from .closed_form import StraightLine
from .geomstats_solver import LogSolver
from .hamiltonian import hamiltonian_flow
from .newton import PathNewton
from .newton_cg import PathNewtonCG
from .pointwise import PointwiseNewton
from .rays import Ray, ray
from .result import Geodesic
from .solve import geodesic, geodesic_batch
from .spectral import SpectralPath

__all__ = [
    "Certificate",
    "Geodesic",
    "LogSolver",
    "PathNewton",
    "PathNewtonCG",
    "PointwiseNewton",
    "Ray",
    "SpectralPath",
    "StraightLine",
    "geodesic",
    "geodesic_batch",
    "hamiltonian_flow",
    "ray",
]
