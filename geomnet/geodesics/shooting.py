r"""Shooting: Newton's method on the initial momentum, for geodesics that are exact to rounding.

The end :math:`x(1)` of Hamilton's equations is a function of the initial momentum p, and its
derivative is the Jacobi fields that vanish at the start: :mod:`tangent_flow` integrates them beside
the geodesic. A path method first says where to aim; where Newton's method fails all the same, the
aim is led to the end point in parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import make_interp_spline

from ..errors import ConvergenceError, InputError
from ..geometry.structure import Structure
from ..utils.validation import check_integer, check_positive
from .certificate import certify
from .discrete.newton import PathNewton
from .discrete.newton_cg import PathNewtonCG
from .evidence import ShotEvidence, Work
from .hunt import Aim, Hunt, Shot, Tolerances, rounding
from .inertia import UNKNOWN, Inertia
from .initial_value.conjugate import DENSE, conjugates
from .initial_value.flow import FINEST
from .initial_value.rays import Ray, shoot
from .length_check import dense_steps, measure, measured
from .problem import Problem
from .result import Geodesic
from .spectral.legendre import functions
from .spectral.spectral_path import SpectralPath
from .status import SolveStatus

__all__ = ["Shooting", "ray_along"]

INDEX = 64
"""Most coordinates for which the Morse index is counted unasked."""

DEGREES = (12, 24, 48, 64)

BLIND = 1e-5
"""Relative error of a length, seen between the integrator's steps, at which they were too long."""


@dataclass(frozen=True)
class Shooting:
    """Damped Newton's method on the initial momentum, by Hamilton's equations.

    Its geodesics solve the equations to the integrator's tolerance, where those of path methods
    are discrete: ``metric.exp`` of their ``initial_velocity`` returns to the end. A coarse path
    says where to begin, as shooting alone diverges for ends far apart. ``n_steps`` of
    :func:`geodesic` is the number of uniform steps at which the path is reported; ``geo(t)`` is
    a polynomial through the whole of it.

    In the certificate, ``gradient_norm`` is the miss at the end, in the metric there, over the
    length, and ``gradient_evaluations`` counts those of Hamilton's equations. Up to 256
    coordinates the Jacobi fields of a frame make Newton's matrix; beyond, its equations are
    solved by GMRES on one field at a time.

    Parameters
    ----------
    tol : float
        On the miss over the length.
    rtol : float
        Of the integrator, for each step.
    max_iter : int
        Newton iterations, for each part of the way.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> half_plane = gn.ChartMetric(lambda x: anp.eye(2) / x[..., 1, None, None] ** 2, dim=2)
    >>> geo = gn.geodesic(half_plane, [-1.0, 0.3], [1.5, 0.6], method=gn.Shooting())
    >>> abs(half_plane.exp(geo.initial_velocity, [-1.0, 0.3]) - [1.5, 0.6]).max() < 1e-8
    np.True_
    """

    tol: float = 1e-10
    rtol: float = 1e-11
    max_iter: int = 30

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_positive("rtol", self.rtol)
        check_integer("max_iter", self.max_iter, least=1)

    @property
    def tolerances(self) -> Tolerances:
        """What a hit is."""
        return Tolerances(self.tol, self.rtol, self.max_iter)

    def find(self, problem: Problem) -> Geodesic:
        """Aim along a coarse path, hit, and certify."""
        hunt = Hunt(self.tolerances, problem.metric, problem.start)
        if problem.initial_path is not None:
            shot = hunt.hit(problem.end, _along(problem.initial_path))
            if shot is not None:
                return _certify(self, problem, hunt, shot)
        coarse = _coarse(problem)
        shot = hunt.hit(problem.end, Aim(coarse.initial_velocity, coarse))
        if shot is None:
            return _fell_short(self, coarse, hunt)
        return _certify(self, problem, hunt, shot)


def _along(path: np.ndarray) -> Aim:
    """Aim along given states: splines where they are enough."""
    degree = min(3, len(path) - 1)
    spline = make_interp_spline(np.linspace(0, 1, len(path)), path, k=degree, axis=0)
    return Aim(spline(0.0, 1), spline)


def _coarse(problem: Problem) -> Geodesic:
    """A cheap path to aim along."""
    metric = problem.metric
    rough = replace(problem, n_steps=16, certify_index=False)
    if metric.structure is Structure.CHART and problem.start.size <= DENSE:
        found = SpectralPath(rtol=1e-6).find(rough)
        if found.certificate.converged:
            return found
        return PathNewton(tol=1e-4).find(replace(rough, n_steps=64))
    if metric.structure is Structure.IMMERSION:
        return PathNewton(tol=1e-4).find(rough)
    return PathNewtonCG(tol=1e-4).find(rough)


def _certify(method: Shooting, problem: Problem, hunt: Hunt, shot: Shot) -> Geodesic:
    metric, start = problem.metric, problem.start
    rtol = max(method.rtol / 30, FINEST)
    final, ray = hunt.shoot(problem.end, shot.momentum, rtol, dense=True)
    distance, drift = float(ray.length), float(ray.energy_drift)
    known = UNKNOWN
    if problem.certify_index and start.size <= INDEX:
        found = conjugates(metric, start, shot.momentum, 1.0, 1e-8)
        inside = sum(c.multiplicity for c in found if c.time < 1)
        known = Inertia.counted(inside, sum(c.multiplicity for c in found) - inside)
    # long steps of the integrator may have jumped over something narrow
    gap = 0.0
    if measured(metric):
        dense = ray(np.linspace(0.0, 1.0, dense_steps(start.size) + 1))
        gap = abs(float(measure(metric, dense[None])[0]) - distance)
    evidence = ShotEvidence(
        gradient_norm=final.miss,
        tolerance=method.tol,
        distance=distance,
        error_estimate=max((final.miss + drift + method.rtol) * distance, 2 * gap),
        speed_variation=0.5 * drift,
        inertia=known,
        work=Work(hunt.evaluations, 0, hunt.iterations),
        rounding=rounding(metric, problem.end, final),
        gap=gap,
        blind=gap > BLIND * distance,
    )
    certificate, status = certify(evidence)
    path = ray(np.linspace(0.0, 1.0, problem.n_steps + 1))
    path[0], path[-1] = start, problem.end
    return Geodesic(
        path=path,
        length=distance,
        distance=distance,
        energy=distance**2,
        initial_velocity=shot.velocity,
        certificate=certificate,
        status=status,
        method="",
        metric=metric,
        coefficients=_polynomial(ray),
    )


def _polynomial(ray: Ray) -> np.ndarray:
    """Coefficients of a ray over [0, 1] in integrated Legendre polynomials, (p-1, ...)."""
    for degree in DEGREES:
        nodes, weights = leggauss(degree + 8)
        times = 0.5 * (nodes + 1)
        slopes = functions(degree, times)[1]
        found = np.tensordot(0.5 * weights * slopes.T, ray.velocity(times), axes=1)
        if np.abs(found[-2:]).max() <= 1e-11 * np.abs(ray.initial_velocity).max():
            break
    return found


def _fell_short(method: Shooting, coarse: Geodesic, hunt: Hunt) -> Geodesic:
    """The coarse path, not certified."""
    certificate = replace(
        coarse.certificate,
        converged=False,
        tolerance=method.tol,
        iterations=hunt.iterations,
        gradient_evaluations=hunt.evaluations,
        closed_form=False,
    )
    status = SolveStatus.MAGNIFIED if hunt.magnified else SolveStatus.NO_HIT
    sentence = status.sentence(tol=method.tol, iterations=hunt.iterations, magnified=hunt.magnified)
    return replace(coarse, certificate=certificate, status=sentence)


def ray_along(geodesic: Geodesic, rtol: float = 1e-11) -> Ray:
    """The ray from a geodesic's start to its end, mended by Newton's method on its momentum.

    Raises
    ------
    InputError
        For a loaded geodesic, which has no metric.
    ConvergenceError
        Where the geodesic is too rough to aim by.
    """
    metric, start, end = geodesic.metric, geodesic.path[0], geodesic.path[-1]
    if metric is None:
        raise InputError("along: a loaded geodesic has no metric; solve it anew, or give a gn.ray")
    aim = np.asarray(metric.flat(geodesic.initial_velocity, start))
    if not aim.any():
        return shoot(metric, start, geodesic.initial_velocity, aim, 1.0, rtol)
    hunt = Hunt(Shooting(tol=10 * rtol, rtol=rtol).tolerances, metric, start)
    shot = hunt.newton(end, aim, 10 * rtol)
    if shot is None:
        shot = hunt.by_parts(end, Aim(geodesic.initial_velocity, geodesic), aim)
    if shot is None:
        raise ConvergenceError(
            "along: no geodesic of Hamilton's equations was found near this one; solve it with "
            "more n_steps, or by gn.Shooting()",
            geodesic,
        )
    return shoot(metric, start, shot.velocity, shot.momentum, 1.0, rtol)
