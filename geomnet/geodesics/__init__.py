"""Geodesics: the verb, its methods (one file each), results and certificates."""

from .certificate import Certificate
from .closed_form import StraightLine
from .conjugate import ConjugatePoint
from .geomstats_solver import LogSolver
from .hamiltonian import hamiltonian_flow
from .jacobi import JacobiFields, conjugate_points, jacobi_fields
from .lbfgs import PathLBFGS
from .newton import PathNewton
from .newton_cg import PathNewtonCG
from .pointwise import PointwiseNewton
from .rays import Ray, ray
from .result import Geodesic
from .shooting import Shooting
from .solve import geodesic, geodesic_batch
from .spectral import SpectralPath
from .transport import Transport, parallel_transport

__all__ = [
    "Certificate",
    "ConjugatePoint",
    "Geodesic",
    "JacobiFields",
    "LogSolver",
    "PathLBFGS",
    "PathNewton",
    "PathNewtonCG",
    "PointwiseNewton",
    "Ray",
    "Shooting",
    "SpectralPath",
    "StraightLine",
    "Transport",
    "conjugate_points",
    "geodesic",
    "geodesic_batch",
    "hamiltonian_flow",
    "jacobi_fields",
    "parallel_transport",
    "ray",
]
