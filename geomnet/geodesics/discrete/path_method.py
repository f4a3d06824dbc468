"""Methods that minimise the discrete energy at a given number of steps, and how they are trusted.

The energy is minimised at N/4, N/2 and N steps, each solve starting from the one before; the
lengths of the three paths give the distance (Richardson), an error estimate and the observed order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...errors import ConvergenceError, DomainError
from ...geometry.curve import Curve
from ...geometry.metric import AbstractMetric, StepRule
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ...geometry.points import VECTORS
from ...geometry.structure import Structure
from ..certificate import certify, richardson
from ..evidence import PathEvidence, Stopped, Work
from ..inertia import UNKNOWN, Inertia, conjugate_margin
from ..length_check import dense_steps, measure, measured
from ..problem import Problem
from ..result import Geodesic
from .solution import PathSolution

__all__ = ["PathMethod"]


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

    needs: ClassVar[Structure | None] = None
    """What a metric must be for it; None where any will do."""

    tol: float
    """Tolerance on the gradient norm."""

    max_iter: int = 0
    """Iterations for each step count."""

    @abstractmethod
    def guess(
        self, metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
    ) -> np.ndarray:
        """Path to begin with, (n_steps+1, ...)."""

    @abstractmethod
    def solve(self, metric: StepRule, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Solve from a given path, its ends and number of steps kept."""

    @abstractmethod
    def inertia(self, state: LinearisedPath) -> Inertia:
        """Find what can be known of the Hessian's signs at a solution."""

    def find(self, problem: Problem) -> Geodesic:
        """Solve at N/4, N/2, N and certify."""
        n_steps = problem.n_steps
        levels = (n_steps,) if self.exact else (n_steps // 4, n_steps // 2, n_steps)
        if self.keeps_path and problem.initial_path is not None:
            finest = problem.metric.points.resample(problem.initial_path, n_steps)
            if np.isfinite(PathEnergy(problem.metric).value(finest)):
                return _certify(problem, self, self._find_beside(problem, levels, finest))
        return _certify(problem, self, self._find_upwards(problem, levels))

    def _find_upwards(self, problem: Problem, levels: tuple[int, ...]) -> _Found:
        """Solve at rising step counts, each from the coarser solutions."""
        solved: dict[int, PathSolution] = {}
        velocities: dict[int, np.ndarray] = {}
        state: LinearisedPath | None = None
        for n in levels:
            coarser = [s.path for s in solved.values() if s.converged]
            path = _begin(self, problem, coarser, n)
            state = None  # a coarser solve's matrices make room for the next
            state, solved[n] = self.solve(problem.metric, path)
            velocities[n] = _velocity(problem, state)
        assert state is not None
        # a coarse solve that went astray gets a second start, from the finest path
        finest = solved[levels[-1]]
        astray = [n for n in levels[:-1] if finest.converged and not solved[n].converged]
        for n in astray:
            coarse, again = self.solve(problem.metric, finest.path[:: levels[-1] // n])
            if again.converged:
                solved[n] = again
                velocities[n] = _velocity(problem, coarse)
        return _Found(state, list(solved.values()), list(velocities.values()))

    def _find_beside(self, problem: Problem, levels: tuple[int, ...], path: np.ndarray) -> _Found:
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
            velocities.append(_velocity(problem, state))
        return _Found(states[0], solutions[::-1], velocities[::-1])


@dataclass(frozen=True)
class _Found:
    """Solutions at rising step counts, with the velocities they begin with."""

    state: LinearisedPath
    """Of the finest."""
    solutions: list[PathSolution]
    velocities: list[np.ndarray]

    @property
    def finest(self) -> PathSolution:
        return self.solutions[-1]


def _velocity(problem: Problem, state: LinearisedPath) -> np.ndarray:
    """Initial velocity of a discrete path."""
    return problem.metric.sharp(state.initial_momentum, problem.start)


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
    energy, points = PathEnergy(metric), metric.points
    candidates: list[tuple[float, np.ndarray]] = []
    if coarser and 2 * (len(coarser[-1]) - 1) == n_steps:
        finest = coarser[-1]
        guesses = [points.smooth(finest, n_steps), points.polygon(finest, n_steps)]
        if len(coarser) > 1:
            change = points.difference(coarser[-2], finest[::2])
            guesses.insert(0, points.retract(guesses[0], VECTORS.smooth(change, n_steps) / 4))
        for guess in guesses:
            guess[0], guess[-1] = start, end
            candidates.append((energy.value(guess), guess))
            if candidates[-1][0] <= 2 * energy.value(finest):
                return guess
    if initial is not None:
        given = points.resample(initial, n_steps)
        candidates.append((energy.value(given), given))
    if initial is None or not np.isfinite(candidates[-1][0]):
        guess = method.guess(metric, start, end, n_steps)
        candidates.append((energy.value(guess), guess))
    return min(candidates, key=lambda candidate: candidate[0])[1]


@dataclass(frozen=True)
class _Distance:
    """A distance read off paths, with its error."""

    value: float
    error: float
    order: float | None
    velocity: np.ndarray
    """The initial velocity, extrapolated likewise."""
    gap: float = 0.0
    blind: bool = False


def _distance(problem: Problem, method: PathMethod, found: _Found) -> _Distance:
    """Extrapolate length and velocity, and see how far the length may be off."""
    lengths, finest = [s.length for s in found.solutions], found.finest
    if method.exact:
        return _Distance(lengths[0], 4e-16 * lengths[0], None, found.velocities[0])
    distance, error, order, settled = richardson(lengths)
    if not settled:
        error = max(error, _polygon_gap(problem.metric, finest.path, distance))
    elif finest.n_steps < 16:
        # the coarsest path has two or three steps, and its order may be chance
        error = max(error, abs(distance - lengths[-1]))
    error += finest.gradient_norm**2 * distance
    gap = _gap(problem.metric, finest.path, distance)
    # what the steps jumped over: a small thing is an error, a large one another geodesic
    blind = gap > error and gap > BLIND * distance
    velocity = found.velocities[-1] + (found.velocities[-1] - found.velocities[-2]) / 3
    return _Distance(distance, max(error, 2 * gap), order, velocity, gap, blind)


def _signs(
    problem: Problem, method: PathMethod, found: _Found, distance: _Distance
) -> tuple[Inertia, float]:
    """What is known of the Hessian's signs, and the error of the distance in view of them."""
    error = distance.error
    asked = method.exact or problem.certify_index
    known = method.inertia(found.state) if asked or method.counts else UNKNOWN
    if known.nullity:
        # along a mode of eigenvalue |λ| ≤ m nothing holds the path in place: a bow of its own
        # size changes the energy by λ/2 of it, the length by half of that
        error = max(error, 0.25 * conjugate_margin(found.finest.n_steps) * distance.value)
    if not asked:
        return UNKNOWN, error
    if known.locally_shortest is False and error > SURE * distance.value:
        # a path that is hardly resolved has negative eigenvalues of its own
        known = replace(known, index=None, nullity=None, locally_shortest=None)
    return known, error


def _steady(problem: Problem, method: PathMethod, found: _Found) -> bool:
    """Whether the speed is constant up to O(h²)."""
    if method.exact or problem.metric.structure is Structure.IMMERSION:
        return True  # an immersion's speed may jump at corners
    before = found.solutions[-2].speed_variation
    return bool(found.finest.speed_variation <= max(0.05, 0.5 * before))


def _stopped(method: PathMethod, solutions: list[PathSolution]) -> Stopped | None:
    """The finest solve that stopped short of its tolerance."""
    stopped = [s for s in solutions if not s.converged]
    if not stopped:
        return None
    worst = stopped[-1]
    return Stopped(
        worst.iterations, method.max_iter, worst.gradient_norm, method.tol, worst.n_steps
    )


def _certify(problem: Problem, method: PathMethod, found: _Found) -> Geodesic:
    """Say what was measured, and certify it."""
    finest = found.finest
    distance = _distance(problem, method, found)
    inertia, error = _signs(problem, method, found, distance)
    evidence = PathEvidence(
        gradient_norm=finest.gradient_norm,
        tolerance=finest.tolerance,
        distance=distance.value,
        error_estimate=float(error),
        speed_variation=finest.speed_variation,
        inertia=inertia,
        work=Work(finest.gradient_evaluations, finest.hessian_products, finest.iterations),
        observed_order=distance.order,
        closed_form=method.exact,
        n_steps=finest.n_steps,
        stopped=_stopped(method, found.solutions),
        gap=distance.gap,
        blind=distance.blind,
        steady=_steady(problem, method, found),
    )
    certificate, status = certify(evidence)
    return Geodesic(
        path=finest.path,
        length=finest.length,
        distance=float(distance.value),
        energy=finest.energy,
        initial_velocity=distance.velocity,
        certificate=certificate,
        status=status,
        method="",
        metric=problem.metric,
    )


def _gap(metric: AbstractMetric, path: np.ndarray, distance: float) -> float:
    """How far a distance is from the length of the smooth path through the states.

    The true distance does not exceed that length, and is below it by no more than order 4.
    """
    if not measured(metric):
        return 0.0
    # at least one place within every step
    steps = max(dense_steps(path[0].size), 2 * (len(path) - 1))
    dense = VECTORS.smooth(path, -(-steps // 8) * 8)
    return abs(float(measure(metric, dense[None])[0]) - distance)


def _polygon_gap(metric: AbstractMetric, path: np.ndarray, distance: float) -> float:
    """How far a distance is from the length of the polygon through a path.

    The true distance does not exceed that length, however coarse the path is.
    """
    rtol = 1e-8
    try:
        length = Curve(path).length(metric, rtol)
    except (ConvergenceError, DomainError):
        return np.inf
    return abs(length - distance) + 2 * rtol * length
