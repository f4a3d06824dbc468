r"""Shooting: Newton's method on the initial momentum, for geodesics that are exact to rounding.

The end :math:`x(1)` of Hamilton's equations is a function of the initial momentum p, and its
derivative is the Jacobi fields that vanish at the start: :mod:`tangent_flow` integrates them beside
the geodesic. A path method first says where to aim; where Newton's method fails all the same, the
aim is led to the end point in parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import make_interp_spline
from scipy.sparse.linalg import LinearOperator, gmres

from ..errors import ConvergenceError, DomainError, InputError
from ..utils.validation import check_integer, check_positive
from .certificate import Certificate
from .discrete.newton import PathNewton
from .discrete.newton_cg import PathNewtonCG
from .inertia import UNKNOWN, Inertia
from .initial_value.conjugate import DENSE, conjugates, frame
from .initial_value.flow import FINEST
from .initial_value.rays import Ray, shoot
from .initial_value.tangent_flow import follow, matrix_at
from .length_check import dense_steps, measure, measured
from .problem import Problem
from .result import Geodesic
from .spectral.legendre import functions
from .spectral.spectral_path import SpectralPath

__all__ = ["Shooting", "ray_along"]

LEAST_PART = 1 / 64
"""Least part of the way by which the aim is led on."""

LOST = 500
"""Steps of the integrator after which a shot is lost."""

PATIENCE = 20_000
"""Evaluations of Hamilton's equations after which the hunt is given up."""

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

    def find(self, problem: Problem) -> Geodesic:
        """Aim along a coarse path, hit, and certify."""
        hunt = _Hunt(self, problem.metric, problem.start)
        if problem.initial_path is not None:
            shot = hunt.hit(problem.end, _along(problem.initial_path))
            if shot is not None:
                return _certify(self, problem, hunt, shot)
        coarse = _coarse(problem)
        shot = hunt.hit(problem.end, _Aim(coarse.initial_velocity, coarse))
        if shot is None:
            return _fell_short(self, coarse, hunt)
        return _certify(self, problem, hunt, shot)


@dataclass(frozen=True, eq=False)
class _Aim:
    """A path that shows where to shoot."""

    velocity: np.ndarray
    """At its start."""
    at: Callable[[float], np.ndarray]
    """Its points at times in [0, 1]."""


def _along(path: np.ndarray) -> _Aim:
    """Aim along given states: splines where they are enough."""
    degree = min(3, len(path) - 1)
    spline = make_interp_spline(np.linspace(0, 1, len(path)), path, k=degree, axis=0)
    return _Aim(spline(0.0, 1), spline)


@dataclass(frozen=True, eq=False)
class _Shot:
    """One shot at an end: its momentum and velocity, the miss, and how it may be mended."""

    momentum: np.ndarray
    velocity: np.ndarray
    left: np.ndarray
    """End less where the shot arrived."""
    miss: float
    """Its norm there over the length of the shot."""
    correct: Callable[[np.ndarray, float], np.ndarray] | None = None
    """Changes of momentum that mend what is left, singular values below a share cut off."""


class _Hunt:
    """Shots from one point."""

    def __init__(self, method: Shooting, metric: Any, start: np.ndarray) -> None:
        self.method, self.metric, self.start = method, metric, start
        self.iterations = self.evaluations = 0
        self.magnified = 0.0
        """By how much the flow magnifies the momentum's errors, where that forbids a hit."""

    def hit(self, end: np.ndarray, aim: _Aim) -> _Shot | None:
        """Hit an end at once or by parts of the way, then once more with a finer integrator."""
        momentum = np.asarray(self.metric.flat(aim.velocity, self.start))
        shot = self.newton(end, momentum, self.method.tol)
        if shot is None:
            shot = self.by_parts(end, aim, momentum)
        return shot if shot is None else self.refine(end, shot)

    def shoot(
        self, end: np.ndarray, momentum: np.ndarray, rtol: float, dense: bool = False
    ) -> tuple[_Shot, Ray]:
        velocity = np.asarray(self.metric.sharp(momentum, self.start))
        ray = shoot(self.metric, self.start, velocity, momentum, 1.0, rtol, dense, max_steps=LOST)
        self.evaluations += ray.evaluations
        left = end - ray.end
        norm = _norm(self.metric, left, end)
        length = float(np.sqrt(max(np.sum(momentum * velocity), 0.0)))
        miss = norm / length if length else np.inf
        return _Shot(momentum, velocity, left, miss), ray

    def try_shot(self, end: np.ndarray, momentum: np.ndarray, rtol: float) -> _Shot | None:
        """The shot, or None where it leaves the domain, is lost, or no more may be taken."""
        if self.evaluations > PATIENCE:
            return None
        try:
            shot, _ = self.shoot(end, momentum, rtol)
        except (DomainError, ConvergenceError):
            self.evaluations += LOST
            return None
        return shot if np.isfinite(shot.miss) else None

    def newton(
        self, end: np.ndarray, momentum: np.ndarray, tol: float, known: _Shot | None = None
    ) -> _Shot | None:
        """Hit an end from a first momentum; None where steps however short come no nearer."""
        rtol = max(min(self.method.rtol, 0.1 * tol), FINEST)
        shot = self.try_shot(end, momentum, rtol)
        if shot is None:
            return None
        correct = known.correct if known else None
        floor = _rounding(self.metric, end, shot)
        for _ in range(self.method.max_iter):
            if shot.miss <= max(0.3 * tol, floor):
                return replace(shot, correct=correct)
            self.iterations += 1
            fresh = correct is None
            if correct is None:
                correct = self._linearise(end, shot, rtol, tol)
                if correct is None:
                    return None
            better = self._mend(end, shot, correct, rtol)
            if better is None or better.miss > 0.05 * shot.miss:
                correct = None  # a derivative that has served its time
            if better is None:
                if fresh:
                    return replace(shot, correct=correct) if shot.miss <= tol else None
                continue
            shot = better
        return replace(shot, correct=correct) if shot.miss <= tol else None

    def _mend(
        self, end: np.ndarray, shot: _Shot, correct: Callable[..., np.ndarray], rtol: float
    ) -> _Shot | None:
        """Take a Newton step, halved until the miss falls; near conjugate ends, a shorter one."""
        for cut in (1e-10, 1e-5, 1e-2):
            change = correct(shot.left, cut)
            for size in (1.0, 0.5, 0.25, 0.1, 0.03):
                found = self.try_shot(end, shot.momentum + size * change, rtol)
                if found is not None and _worth(found, shot, size):
                    return found
        return None

    def _linearise(
        self, end: np.ndarray, shot: _Shot, rtol: float, tol: float
    ) -> Callable[[np.ndarray, float], np.ndarray] | None:
        """The inverse of the derivative of the end, by a frame of Jacobi fields or one by one."""
        x, p = self.start[None], shot.momentum[None]
        # the derivative need not be as exact as the shot
        rtol = max(rtol, 1e-8)
        if x.size > DENSE:
            return self._by_products(x, p, max(rtol, 1e-6))
        dx, dp = frame(self.metric, x)
        try:
            flow = follow(self.metric, x, p, dx, dp, 1.0, rtol)
        except (DomainError, ConvergenceError):
            return None
        self.evaluations += flow.flow.evaluations
        lower = np.linalg.cholesky(matrix_at(self.metric, flow.end[0])[0])
        fields = lower.T @ flow.end[2].reshape(len(dx), -1).T
        u, values, vt = np.linalg.svd(fields)
        if values[0] * np.finfo(np.float64).eps > tol:
            self.magnified = float(values[0])
            return None
        columns = dp.reshape(len(dp), -1).T

        def correct(left: np.ndarray, cut: float) -> np.ndarray:
            kept = values > cut * values[0]
            parts = (u.T @ (lower.T @ left.reshape(-1)))[kept] / values[kept]
            return (columns @ (vt[kept].T @ parts)).reshape(left.shape)

        return correct

    def _by_products(self, x: np.ndarray, p: np.ndarray, rtol: float) -> Any:
        """GMRES, preconditioned by ♭ at the start: in a flat metric it is exact."""
        metric, shape, size = self.metric, x.shape, x.size

        def product(vector: np.ndarray) -> np.ndarray:
            dp = np.asarray(metric.flat(vector.reshape(shape), x))[None]
            flow = follow(metric, x, p, np.zeros_like(dp), dp, 1.0, rtol)
            self.evaluations += flow.flow.evaluations
            return flow.end[2].reshape(-1)

        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)

        def correct(left: np.ndarray, cut: float) -> np.ndarray:
            found, _ = gmres(operator, left.reshape(-1), rtol=1e-3, restart=30, maxiter=1)
            return np.asarray(metric.flat(found.reshape(shape), x))[0]

        return correct

    def by_parts(self, end: np.ndarray, aim: _Aim, momentum: np.ndarray) -> _Shot | None:
        """Hit points of the path on the way to its end, each with the aim of the last."""
        done, part = 0.0, 0.5
        shot: _Shot | None = None
        while done < 1:
            goal = min(1.0, done + part)
            last = goal == 1.0
            guess = goal * momentum if shot is None else goal / done * shot.momentum
            found = self.newton(
                end if last else aim.at(goal), guess, self.method.tol if last else 1e-4
            )
            if found is None:
                part /= 2
                if part < LEAST_PART or self.magnified or self.evaluations > PATIENCE:
                    return None
                continue
            shot, done, part = found, goal, 1.5 * part
        return shot

    def refine(self, end: np.ndarray, shot: _Shot) -> _Shot | None:
        """Hit once more with a finer integrator, so that its errors show in the miss."""
        finer = replace(self.method, rtol=max(self.method.rtol / 30, FINEST))
        hunt = _Hunt(finer, self.metric, self.start)
        found = hunt.newton(end, shot.momentum, self.method.tol, shot)
        self.iterations += hunt.iterations
        self.evaluations += hunt.evaluations
        return found


def _worth(found: _Shot, shot: _Shot, size: float) -> bool:
    """Whether a step of a size brings what it should: the miss itself falls, not its share."""
    now = found.miss * np.sqrt(np.sum(found.momentum * found.velocity))
    before = shot.miss * np.sqrt(np.sum(shot.momentum * shot.velocity))
    return bool(now < (1 - 0.1 * size) * before)


def _norm(metric: Any, vector: np.ndarray, point: np.ndarray) -> float:
    square = float(np.asarray(metric.linearise(vector[None], point[None]).value)[0])
    return float(np.sqrt(max(square, 0.0)))


def _rounding(metric: Any, end: np.ndarray, shot: _Shot) -> float:
    """Miss that rounding of the end's coordinates makes."""
    length = np.sqrt(np.sum(shot.momentum * shot.velocity))
    return float(4e-16 * _norm(metric, end, end) / length) if length else np.inf


def _coarse(problem: Problem) -> Geodesic:
    """A cheap path to aim along."""
    metric = problem.metric
    rough = replace(problem, n_steps=16, certify_index=False)
    structure = getattr(metric, "structure", "coupled")
    if structure == "chart" and problem.start.size <= DENSE:
        found = SpectralPath(rtol=1e-6).find(rough)
        if found.certificate.converged:
            return found
        return PathNewton(tol=1e-4).find(replace(rough, n_steps=64))
    method = PathNewton(tol=1e-4) if structure == "immersion" else PathNewtonCG(tol=1e-4)
    return method.find(rough)


def _certify(method: Shooting, problem: Problem, hunt: _Hunt, shot: _Shot) -> Geodesic:
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
    blind = gap > BLIND * distance
    passes = not blind and final.miss <= max(method.tol, _rounding(metric, problem.end, final))
    certificate = Certificate(
        converged=bool(passes),
        gradient_norm=final.miss,
        tolerance=method.tol,
        speed_variation=0.5 * drift,
        error_estimate=max((final.miss + drift + method.rtol) * distance, 2 * gap),
        observed_order=None,
        locally_shortest=known.locally_shortest,
        lowest_eigenvalue=None,
        gradient_evaluations=hunt.evaluations,
        hessian_products=0,
        lanczos_products=0,
        iterations=hunt.iterations,
        morse_index=known.index,
        nullity=known.nullity,
    )
    path = ray(np.linspace(0.0, 1.0, problem.n_steps + 1))
    path[0], path[-1] = start, problem.end
    return Geodesic(
        path=path,
        length=distance,
        distance=distance,
        energy=distance**2,
        initial_velocity=shot.velocity,
        certificate=certificate,
        status=_status(passes, gap / distance if blind else 0.0, final.miss, method),
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


def _status(passes: bool, gap: float, miss: float, method: Shooting) -> str:
    if passes:
        return "converged"
    if gap:
        return (
            f"the metric varies between the integrator's steps, where the path's length is off by "
            f"{gap:.1e} of it; use gn.PathNewton() with many n_steps"
        )
    return (
        f"the geodesic misses the end by {miss:.1e} of its length > {method.tol:.0e}; raise tol, "
        "or lower rtol: the flow magnifies the integrator's errors"
    )


def _fell_short(method: Shooting, coarse: Geodesic, hunt: _Hunt) -> Geodesic:
    """The coarse path, not certified."""
    certificate = replace(
        coarse.certificate,
        converged=False,
        tolerance=method.tol,
        iterations=hunt.iterations,
        gradient_evaluations=hunt.evaluations,
        closed_form=False,
    )
    cause = "by parts of the way either"
    if hunt.magnified:
        cause = f"as the flow magnifies what rounding makes {hunt.magnified:.0e} times on the way"
    status = (
        f"Newton's method on the initial momentum did not hit the end to {method.tol:.0e} of the "
        f"length after {hunt.iterations} iterations, {cause}; this is the coarse path it aimed "
        "along: use a path method, such as gn.PathNewton() or gn.geodesics.PathNewtonCG(), or "
        "start from an initial_path"
    )
    return replace(coarse, certificate=certificate, status=status)


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
    hunt = _Hunt(Shooting(tol=10 * rtol, rtol=rtol), metric, start)
    shot = hunt.newton(end, aim, 10 * rtol)
    if shot is None:
        shot = hunt.by_parts(end, _Aim(geodesic.initial_velocity, geodesic), aim)
    if shot is None:
        raise ConvergenceError(
            "along: no geodesic of Hamilton's equations was found near this one; solve it with "
            "more n_steps, or by gn.Shooting()",
            geodesic,
        )
    return shoot(metric, start, shot.velocity, shot.momentum, 1.0, rtol)
