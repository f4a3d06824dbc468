"""Geodesics: the verb, its methods (one file each), results and certificates."""

from .certificate import Certificate
from .flows.conjugate import ConjugatePoint
from .flows.hamiltonian import hamiltonian_flow
from .flows.rays import Ray, ray
from .geomstats_solver import ExpSolver, LogSolver
from .jacobi import JacobiFields, conjugate_points, jacobi_fields
from .paths.closed_form import StraightLine
from .paths.lbfgs import PathLBFGS
from .paths.newton import PathNewton
from .paths.newton_cg import PathNewtonCG
from .paths.pointwise import PointwiseNewton
from .polynomials.spectral import SpectralPath
from .result import Geodesic
from .shooting import Shooting
from .solve import geodesic, geodesic_batch
from .transport import Transport, parallel_transport

__all__ = [
    "Certificate",
    "ConjugatePoint",
    "ExpSolver",
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
