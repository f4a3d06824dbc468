"""Geodesics: the verb, its methods (one file each), results and certificates."""

from .certificate import Certificate
from .discrete.closed_form import StraightLine
from .discrete.lbfgs import PathLBFGS
from .discrete.newton import PathNewton
from .discrete.newton_cg import PathNewtonCG
from .discrete.pointwise import PointwiseNewton
from .geomstats import ExpSolver, LogSolver
from .initial_value.conjugate import ConjugatePoint
from .initial_value.hamiltonian import hamiltonian_flow
from .initial_value.jacobi import JacobiFields, conjugate_points, jacobi_fields
from .initial_value.parallel_transport import Transport, parallel_transport
from .initial_value.rays import Ray, ray
from .result import Geodesic
from .shooting import Shooting
from .solve import geodesic, geodesic_batch
from .spectral.spectral_path import SpectralPath

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
