"""Methods that minimise the discrete energy at a given number of steps, and how they are trusted.

The energy is minimised at N/4, N/2 and N steps, each solve starting from the one before; the
lengths of the three paths give the distance (Richardson), an error estimate and the observed order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.interpolate import CubicSpline

from ...errors import ConvergenceError, DomainError
from ...geometry.curve import Curve
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ..certificate import Certificate, richardson
from ..inertia import UNKNOWN, Inertia, conjugate_margin
from ..length_check import dense_steps, measure, measured
from ..problem import Problem
from ..result import Geodesic
from .solution import PathSolution

__all__ = ["PathMethod"]


POOR = 0.25
"""Relative error of a distance from which on it counts as not found."""

SURE = 0.01
"""Relative error of a distance up to which the Hessian's signs are believed."""


BLIND = 1e-3
"""Relative error of a length, seen between the states only, at which a path is no geodesic."""


class PathMethod(ABC):
    """Base of solvers for one step count; a subclass owes a guess, a solve and the inertia."""

    exact: ClassVar[bool] = False
    """Whether one solve is exact at every step count, so that there is nothing to extrapolate."""

    keeps_path: ClassVar[bool] = False
    """Whether it goes to the geodesic nearest to a path it is given, shortest or not."""

    counts: ClassVar[bool] = False
    """Whether the inertia costs no more than a step, and is looked at for the error unasked."""

    tol: float
    """Tolerance on the gradient norm."""

    @abstractmethod
    def guess(self, metric: Any, start: np.ndarray, end: np.ndarray, n_steps: int) -> np.ndarray:
        """Path to begin with, (n_steps+1, ...)."""

    @abstractmethod
    def solve(self, metric: Any, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Solve from a given path, its ends and number of steps kept."""

    @abstractmethod
    def inertia(self, state: LinearisedPath) -> Inertia:
        """Find what can be known of the Hessian's signs at a solution."""

    def find(self, problem: Problem) -> Geodesic:
        """Solve at N/4, N/2, N and certify."""
        metric, start, n_steps = problem.metric, problem.start, problem.n_steps
        levels = (n_steps,) if self.exact else (n_steps // 4, n_steps // 2, n_steps)
        if self.keeps_path and problem.initial_path is not None:
            finest = _resample(problem.initial_path, n_steps)
            if np.isfinite(PathEnergy(metric).value(finest)):
                return self._find_beside(problem, levels, finest)
        solved: dict[int, PathSolution] = {}
        velocities: dict[int, np.ndarray] = {}
        state: LinearisedPath | None = None
        for n in levels:
            coarser = [s.path for s in solved.values() if s.converged]
            path = _begin(self, problem, coarser, n)
            state = None  # a coarser solve's matrices make room for the next
            state, solved[n] = self.solve(metric, path)
            velocities[n] = metric.sharp(state.initial_momentum, start)
        assert state is not None
        # a coarse solve that went astray gets a second start, from the finest path
        for n in levels[:-1]:
            if solved[n_steps].converged and not solved[n].converged:
                coarse, again = self.solve(metric, solved[n_steps].path[:: n_steps // n])
                if again.converged:
                    solved[n] = again
                    velocities[n] = metric.sharp(coarse.initial_momentum, start)
        return _certify(problem, self, state, list(solved.values()), list(velocities.values()))

    def _find_beside(self, problem: Problem, levels: tuple[int, ...], path: np.ndarray) -> Geodesic:
        """Solve at N first, then at N/2 and N/4 from there: coarse paths leave a saddle easily."""
        solutions: list[PathSolution] = []
        velocities: list[np.ndarray] = []
        states: list[LinearisedPath] = []
        for n in reversed(levels):
            state, solution = self.solve(problem.metric, path[:: levels[-1] // n])
            if not solutions and solution.converged:
                path = solution.path
            states.append(state)
            solutions.append(solution)
            velocities.append(problem.metric.sharp(state.initial_momentum, problem.start))
        return _certify(problem, self, states[0], solutions[::-1], velocities[::-1])


def _resample(path: np.ndarray, n_steps: int) -> np.ndarray:
    """Path at another number of uniform steps, ends exact: cubic splines, lines for few states."""
    if len(path) == n_steps + 1:
        return path
    out = _spline(path, n_steps) if len(path) >= 4 else _linear(path, n_steps)
    out[0], out[-1] = path[0], path[-1]
    return out


def _begin(
    method: PathMethod, problem: Problem, coarser: list[np.ndarray], n_steps: int
) -> np.ndarray:
    """Where to begin at `n_steps`: a coarser solution prolonged, else the initial path or a guess.

    With Z_h = Z + h²c the path at h/2 differs from that at h by a quarter of what that differed
    from the one at 2h, so two coarser solutions show where the next will lie. A coarse path may
    have jumped over a costly region in one step; where its prolongations cost much more than it
    did, or leave the metric's domain, the cheapest of all starts is taken.
    """
    metric, start, end = problem.metric, problem.start, problem.end
    initial = problem.initial_path
    energy = PathEnergy(metric)
    candidates: list[tuple[float, np.ndarray]] = []
    if coarser and 2 * (len(coarser[-1]) - 1) == n_steps:
        finest = coarser[-1]
        guesses = [_spline(finest, n_steps), _linear(finest, n_steps)]
        if len(coarser) > 1:
            guesses.insert(0, guesses[0] + _spline(finest[::2] - coarser[-2], n_steps) / 4)
        for guess in guesses:
            guess[0], guess[-1] = start, end
            candidates.append((energy.value(guess), guess))
            if candidates[-1][0] <= 2 * energy.value(finest):
                return guess
    if initial is not None:
        given = _resample(initial, n_steps)
        candidates.append((energy.value(given), given))
    if initial is None or not np.isfinite(candidates[-1][0]):
        guess = method.guess(metric, start, end, n_steps)
        candidates.append((energy.value(guess), guess))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _linear(path: np.ndarray, n_steps: int) -> np.ndarray:
    """Path at another number of uniform steps, on the polygon."""
    place = np.linspace(0, len(path) - 1, n_steps + 1)
    k = np.minimum(place.astype(int), len(path) - 2)
    share = (place - k)[(..., *[None] * (path.ndim - 1))]
    return (1 - share) * path[k] + share * path[k + 1]


def _spline(path: np.ndarray, n_steps: int) -> np.ndarray:
    return CubicSpline(np.linspace(0, 1, len(path)), path, axis=0)(np.linspace(0, 1, n_steps + 1))


def _certify(
    problem: Problem,
    method: PathMethod,
    state: LinearisedPath,
    solutions: list[PathSolution],
    velocities: list[np.ndarray],
) -> Geodesic:
    metric, finest, blind = problem.metric, solutions[-1], False
    lengths = [s.length for s in solutions]
    if method.exact:
        distance, error, order = lengths[0], 4e-16 * lengths[0], None
        velocity = velocities[0]
    else:
        distance, error, order, settled = richardson(lengths)
        if not settled:
            error = max(error, _polygon_gap(metric, finest.path, distance))
        elif finest.n_steps < 16:
            # the coarsest path has two or three steps, and its order may be chance
            error = max(error, abs(distance - lengths[-1]))
        error += finest.gradient_norm**2 * distance
        gap = _gap(metric, finest.path, distance)
        # what the steps jumped over: a small thing is an error, a large one another geodesic
        blind = gap > error and gap > BLIND * distance
        error = max(error, 2 * gap)
        velocity = velocities[-1] + (velocities[-1] - velocities[-2]) / 3
    asked = method.exact or problem.certify_index
    known = method.inertia(state) if asked or method.counts else UNKNOWN
    if known.nullity:
        # along a mode of eigenvalue |λ| ≤ m nothing holds the path in place: a bow of its own
        # size changes the energy by λ/2 of it, the length by half of that
        error = max(error, 0.25 * conjugate_margin(finest.n_steps) * distance)
    if not asked:
        known = UNKNOWN
    elif known.locally_shortest is False and error > SURE * distance:
        # a path that is hardly resolved has negative eigenvalues of its own
        known = replace(known, index=None, nullity=None, locally_shortest=None)
    variation = finest.speed_variation
    steady = (
        method.exact
        or variation <= max(0.05, 0.5 * solutions[-2].speed_variation)
        or metric.structure == "immersion"  # its speed may jump at corners
    )
    stopped = [s for s in solutions if not s.converged]
    certificate = Certificate(
        converged=not (stopped or blind) and bool(steady) and bool(error <= POOR * distance),
        gradient_norm=finest.gradient_norm,
        tolerance=finest.tolerance,
        speed_variation=variation,
        error_estimate=float(error),
        observed_order=order,
        locally_shortest=known.locally_shortest,
        lowest_eigenvalue=known.lowest,
        gradient_evaluations=finest.gradient_evaluations,
        hessian_products=finest.hessian_products,
        lanczos_products=known.products,
        iterations=finest.iterations,
        morse_index=known.index,
        nullity=known.nullity,
        closed_form=method.exact,
    )
    status = "converged"
    if stopped:
        worst = stopped[-1]
        most = getattr(method, "max_iter", worst.iterations)
        remedy = "raise max_iter or n_steps" if worst.iterations >= most else "raise n_steps or tol"
        status = (
            f"stopped after {worst.iterations} iterations at gradient norm "
            f"{worst.gradient_norm:.1e} > {method.tol:.0e} with {worst.n_steps} steps; {remedy}, "
            "or start from an initial_path"
        )
    elif blind:
        status = (
            f"the metric varies between the states: {finest.n_steps} steps do not resolve it, and "
            f"the path's length is off by {gap / distance:.1e} of it; raise n_steps"
        )
    elif not steady:
        status = (
            f"the speed still varies by {variation:.2g} along the path, and not as O(h²): "
            f"{finest.n_steps} steps do not resolve it; raise n_steps"
        )
    elif not np.isfinite(error):
        status = (
            f"{finest.n_steps} steps jump over a place where the metric is infinite (points that "
            "collide); raise n_steps, or start from an initial_path around it"
        )
    elif not certificate.converged:
        known_to = f"{error / distance:.0%}"
        status = f"{finest.n_steps} steps tell the distance to {known_to} only; raise n_steps"
    return Geodesic(
        path=finest.path,
        length=finest.length,
        distance=float(distance),
        energy=finest.energy,
        initial_velocity=velocity,
        certificate=certificate,
        status=status,
        method="",
        metric=metric,
    )


def _gap(metric: Any, path: np.ndarray, distance: float) -> float:
    """How far a distance is from the length of the smooth path through the states.

    The true distance does not exceed that length, and is below it by no more than order 4.
    """
    if not measured(metric):
        return 0.0
    # at least one place within every step
    steps = max(dense_steps(path[0].size), 2 * (len(path) - 1))
    dense = _spline(path, -(-steps // 8) * 8)
    return abs(float(measure(metric, dense[None])[0]) - distance)


def _polygon_gap(metric: Any, path: np.ndarray, distance: float) -> float:
    """How far a distance is from the length of the polygon through a path.

    The true distance does not exceed that length, however coarse the path is.
    """
    rtol = 1e-8
    try:
        length = Curve(path).length(metric, rtol)
    except (ConvergenceError, DomainError):
        return np.inf
    return abs(length - distance) + 2 * rtol * length
