r"""Geodesics as polynomials: integrated Legendre functions, Gauss nodes, dense Newton steps.

The energy :math:`\int\langle\dotγ,\dotγ\rangle dt` of the paths of :mod:`legendre` is minimised
over the coefficients, degree after degree. With G, C, A the second derivatives of ⟨v, v⟩_x at a
node,

.. math:: H_{jk} = \sum_q w_q\,[2φ_j'φ_k'G + φ_jφ_k'C + φ_j'φ_kC^\top + φ_jφ_kA].

As the energy is stationary its error is the square of the path's, and both fall exponentially
with the degree where the metric is smooth. Many pairs are solved in one batch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh
from scipy.linalg.lapack import dpotrf, dpotrs

from ...errors import DomainError, InputError
from ...utils.validation import check_integer, check_positive
from ..certificate import Certificate
from ..discrete.line_search import LARGEST_SHIFT, NEAR, raise_shift, relax
from ..inertia import UNKNOWN, Inertia
from ..length_check import dense_steps, measure, measured
from ..problem import Problem
from ..result import Geodesic
from .immersed import ImmersedPaths
from .legendre import Basis, basis, reported
from .polynomial_paths import FormPaths, PolynomialPaths

__all__ = ["SpectralPath"]

DEGREES = (4, 6, 8, 12, 20, 32, 48, 64)

FIRST = 0.01
"""Relative error of a length that the first degree is worth solving to."""

COARSE = 1e-3
"""Tolerance from which on one degree may do: its tail is all there is to judge it by."""

ROUNDING = 1e-13
"""Relative error of a length that rounding makes."""

GAP = 1e-12
"""Relative difference of two measurements of a length that rounding makes."""

SHARE = 0.01
"""What Newton's method may leave at a degree, as a share of what the degree itself leaves."""


@dataclass(frozen=True)
class SpectralPath:
    """Polynomial paths of rising degree, for smooth metrics of few coordinates.

    Degrees 4, 6, 8, 12, 20, 32, 48, 64 are tried until the distance has settled. ``n_steps`` of
    :func:`geodesic` does not change the accuracy: it is the number of uniform steps at which the
    path is reported; ``geo(t)`` evaluates the polynomial itself.

    Parameters
    ----------
    rtol : float
        Relative error of the distance to stop at. That of the path is about its square root.
    tol : float
        On the gradient norm √(gᵀM⁻¹g/E).
    max_degree : int
    max_iter : int
        Newton iterations for each degree.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> sphere = gn.ChartMetric(
    ...     lambda x: 4 * anp.eye(2) / (1 + anp.sum(x**2, axis=-1)[..., None, None]) ** 2, dim=2
    ... )
    >>> geo = gn.geodesic(sphere, [-1.0, 0.0], [1.0, 0.0], method=gn.geodesics.SpectralPath())
    >>> geo.certificate.nullity
    1
    """

    rtol: float = 1e-12
    tol: float = 1e-8
    max_degree: int = 48
    max_iter: int = 50

    def __post_init__(self) -> None:
        check_positive("rtol", self.rtol)
        check_positive("tol", self.tol)
        check_integer("max_degree", self.max_degree, least=6)
        check_integer("max_iter", self.max_iter, least=1)

    def find(self, problem: Problem) -> Geodesic:
        """Solve one problem."""
        return self.find_many([problem])[0]

    def find_many(self, problems: list[Problem]) -> list[Geodesic]:
        """Solve problems of one metric in one batch."""
        metric = problems[0].metric
        if not hasattr(metric, "linearise"):
            raise InputError(f"method: SpectralPath needs a metric with a matrix, got {metric!r}")
        runs = [_Run(p) for p in problems]
        least = max(run.least_degree(self.max_degree) for run in runs)
        degrees = [d for d in DEGREES if least <= d < self.max_degree] + [self.max_degree]
        for degree in degrees:
            open_ = [run for run in runs if not run.settled]
            if not open_:
                break
            self._solve(metric, open_, basis(degree))
            for run in open_:
                enough = len(run.lengths) > 1 or self.rtol >= COARSE
                run.settled = enough and run.error_estimate <= self.rtol * run.distance
        for run in runs:
            self._polish(run)
        _audit(metric, runs)
        return [self._certify(run) for run in runs]

    def _solve(self, metric: Any, runs: list[_Run], b: Basis) -> None:
        """Newton's method at one degree, on every run's coefficients."""
        for run in runs:
            run.prolong(b)
        open_, state = list(runs), self._evaluate(metric, runs, b)
        for iteration in range(self.max_iter):
            moved, decrements, accepted = _descend(open_, state)
            left = []
            for i, run in enumerate(open_):
                # the last step is taken too: of a decrement δ it leaves some δ² of the path, δ⁴
                # of the energy
                enough = (SHARE * max(run.change(moved.energy[i]), self.rtol)) ** 0.25
                if accepted[i] and decrements[i] > enough and iteration + 1 < self.max_iter:
                    left.append(i)
                else:
                    run.end_degree(moved, i, decrements[i] ** 4)
            if not left:
                return
            if len(left) == len(open_):
                state = moved
            else:
                open_ = [open_[i] for i in left]
                state = moved.at(left, moved.coefficients[left])

    @staticmethod
    def _evaluate(metric: Any, runs: list[_Run], b: Basis) -> PolynomialPaths:
        """Paths of runs at their coefficients."""
        kind = ImmersedPaths if metric.structure == "immersion" else FormPaths
        return kind(
            metric,
            np.array([run.start for run in runs]),
            np.array([run.delta for run in runs]),
            np.array([run.c for run in runs]),
            b,
        )

    def _polish(self, run: _Run) -> None:
        """Bring the gradient at the last degree below its tolerance."""
        for _ in range(3):
            run.gradient_norm = run.state.gradient_norm(run.place)
            if run.gradient_norm <= self.tol:
                break
            state, place = run.state, run.place
            if state.count > 1:
                state = state.at([place], state.coefficients[[place]])
            moved, _, accepted = _descend([run], state)
            if not accepted[0]:
                break
            run.read(moved, 0)
        run.gradient_norm = run.state.gradient_norm(run.place)
        run.left = 0.0

    def _certify(self, run: _Run) -> Geodesic:
        problem, state, place = run.problem, run.state, run.place
        shape, speed = problem.start.shape, state.speed(place)
        error = run.error_estimate + run.gradient_norm**2 * run.distance
        blind = run.gap > error and run.gap > 1e-5 * run.distance
        error = max(error, 2 * run.gap)
        passes = run.gradient_norm <= self.tol
        settled = error <= max(self.rtol, 1e-5) * run.distance
        known = UNKNOWN
        if problem.certify_index:
            known = _inertia(run.hessian, state.stiffness[place], margin=max(1e-5, 10 * run.tail))
        certificate = Certificate(
            converged=bool(passes and settled),
            gradient_norm=run.gradient_norm,
            tolerance=self.tol,
            speed_variation=float(np.max(np.abs(speed / speed.mean() - 1))),
            error_estimate=float(error),
            observed_order=None,
            locally_shortest=known.locally_shortest,
            lowest_eigenvalue=known.lowest,
            gradient_evaluations=run.evaluations,
            hessian_products=0,
            lanczos_products=0,
            iterations=run.iterations,
            morse_index=known.index,
            nullity=known.nullity,
        )
        degree = len(run.c) + 1
        status = f"converged at degree {degree}"
        if not passes and run.iterations < self.max_iter:
            status = (
                f"no step lowers the energy any more at gradient norm {run.gradient_norm:.1e} > "
                f"{self.tol:.0e} with degree {degree}: the metric is too rough, or good to few "
                "digits; raise tol, start from an initial_path, or use gn.PathNewton()"
            )
        elif not passes:
            status = (
                f"stopped after {run.iterations} Newton iterations at gradient norm "
                f"{run.gradient_norm:.1e} > {self.tol:.0e} with degree {degree}; raise max_iter, "
                "start from an initial_path, or use gn.PathNewton()"
            )
        elif blind:
            status = (
                "the metric varies between the nodes of the polynomial, where the path's length "
                f"is off by {run.gap / run.distance:.1e} of it; raise max_degree, or use "
                "gn.PathNewton() with many n_steps"
            )
        elif not settled:
            status = (
                f"degree {degree} still changes the length by {error / run.distance:.1e} of it; "
                "raise max_degree, or use gn.PathNewton() if the metric is not smooth"
            )
        coefficients = run.c.reshape(-1, *shape)
        path, velocity = reported(problem.start, problem.end, coefficients, problem.n_steps)
        return Geodesic(
            path=path,
            length=float(state.basis.weights @ speed),
            distance=run.distance,
            energy=run.distance**2,
            initial_velocity=velocity[0],
            certificate=certificate,
            status=status,
            method="",
            metric=problem.metric,
            coefficients=coefficients,
        )


class _Run:
    """One pair on its way through the degrees."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.start = problem.start.reshape(-1)
        self.delta = problem.end.reshape(-1) - self.start
        self.c = np.zeros((0, self.start.size))
        self.lengths: list[float] = []
        self.shift, self.tail, self.gradient_norm = 0.0, np.inf, np.inf
        self.iterations = self.evaluations = 0
        self.settled, self.left = False, np.inf
        self.gap = 0.0
        self.hessian: np.ndarray
        self.state: PolynomialPaths
        self.place = 0

    def prolong(self, b: Basis) -> None:
        """Start a degree: with the initial path's coefficients, later with those found so far."""
        more = b.slopes.shape[1] - len(self.c)
        self.iterations = self.evaluations = 0
        if len(self.c):
            self.c = np.concatenate([self.c, np.zeros((more, self.start.size))])
            return
        if self.problem.initial_path is None:
            self.c = np.zeros((more, self.start.size))
        else:
            self.c = self._project(b)[0]

    def _project(self, b: Basis) -> tuple[np.ndarray, float]:
        """Coefficients of the initial path, and how far they are from it, relative to its size."""
        path = self.problem.initial_path
        assert path is not None
        path = path.reshape(len(path), -1)
        knots = np.linspace(0.0, 1.0, len(path))
        spline = CubicSpline(knots, path) if len(path) > 3 else None
        at = _linear(b.times, knots, path) if spline is None else spline(b.times)
        bow = at - self.start - b.times[:, None] * self.delta
        c = np.linalg.lstsq(b.values, bow, rcond=None)[0]
        return c, float(np.abs(b.values @ c - bow).max() / np.abs(path - path[0]).max())

    def least_degree(self, most: int) -> int:
        """Degree that holds the initial path to a thousandth: what it was given for."""
        if self.problem.initial_path is None:
            return DEGREES[0]
        fits = (d for d in DEGREES if self._project(basis(d))[1] < 1e-3)
        # two degrees must follow for an error estimate
        return min(next(fits, DEGREES[-1]), DEGREES[max(0, bisect_left(DEGREES, most) - 1)])

    def end_degree(self, state: PolynomialPaths, i: int, left: float) -> None:
        """End a degree at a state, with a share of the energy left to Newton's method."""
        self.lengths.append(0.0)
        self.read(state, i)
        self.left = left

    def read(self, state: PolynomialPaths, i: int) -> None:
        """Take coefficients, length and tail from a state."""
        self.state, self.place, self.c = state, i, state.coefficients[i]
        self.lengths[-1] = math.sqrt(float(state.energy[i]))
        self.tail = state.tail(i)

    def change(self, energy: float) -> float:
        """Relative change of the length since the last degree; of the first, as of all."""
        if not self.lengths or not energy > 0:
            return FIRST
        return abs(math.sqrt(energy) / self.lengths[-1] - 1)

    @property
    def distance(self) -> float:
        return self.lengths[-1]

    @property
    def error_estimate(self) -> float:
        """Change of the length at the last degree, the tail's energy, and rounding."""
        if not np.isfinite(self.lengths[-1]):
            return np.inf
        if len(self.lengths) == 1:  # the tail is all there is, and is trusted less
            return (5 * self.tail**2 + 10 * self.left) * self.distance
        change = abs(self.lengths[-1] - self.lengths[-2])
        tail = (0.5 * self.tail**2 + 10 * self.left) * self.distance
        return max(change, ROUNDING * self.distance) + tail


def _audit(metric: Any, runs: list[_Run]) -> None:
    """Hold the lengths of the paths found against those measured between their nodes."""
    if not measured(metric):
        return
    steps = dense_steps(runs[0].start.size)
    paths = [reported(run.start, run.start + run.delta, run.c, steps)[0] for run in runs]
    for run, length in zip(runs, measure(metric, np.stack(paths))):
        gap = abs(float(length) - run.distance)
        run.gap = gap if gap > GAP * run.distance else 0.0


def _linear(times: np.ndarray, knots: np.ndarray, path: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(times, knots, x) for x in path.T], axis=1)


Moved = tuple[PolynomialPaths, np.ndarray, np.ndarray]
"""Paths after a step, the steps' decrements √(−g·s/E), and which steps were taken."""


def _descend(runs: list[_Run], state: PolynomialPaths) -> Moved:
    """Take one step of every path: (H + μM)s = −g with the least μ tried that lets it be taken.

    A path that no step lowers is left where it was.
    """
    beside = _to_saddle(runs, state)
    if beside is not None:
        return beside
    count = len(runs)
    c, moved = state.coefficients, state.coefficients.copy()
    decrements, accepted = np.zeros(count), np.zeros(count, dtype=bool)
    for i, run in enumerate(runs):
        run.iterations += 1
        run.hessian = state.hessians[i]
    open_ = np.arange(count)
    trial: PolynomialPaths | None = None
    while len(open_):
        slopes = np.empty(len(open_))
        for k, i in enumerate(open_.tolist()):
            step = _shifted_step(runs[i], state, i)
            slopes[k] = step @ state.gradient[i]
            moved[i] = c[i] + step.reshape(c[i].shape)
        whole = len(open_) == count
        trial, energy = _try(state, slice(None) if whole else open_, moved[open_])
        level = state.energy[open_]
        # at rounding level the step is Newton's own
        fine = (-slopes <= 1e-12 * level) & (energy <= level * (1 + 1e-13))
        good = np.isfinite(energy) & ((energy <= level + 1e-4 * slopes) | fine)
        accepted[open_] = good
        decrements[open_] = np.sqrt(np.maximum(-slopes, 0.0) / level)
        for k, i in enumerate(open_.tolist()):
            runs[i].evaluations += 1
            runs[i].shift = relax(runs[i].shift) if good[k] else raise_shift(runs[i].shift)
        if whole and trial is not None and good.all():
            return trial, decrements, accepted
        stuck = ~good & np.array([runs[i].shift > LARGEST_SHIFT for i in open_])
        moved[open_[stuck]] = c[open_[stuck]]
        open_ = open_[~good & ~stuck]
    return state.at(slice(None), moved), decrements, accepted


def _to_saddle(runs: list[_Run], state: PolynomialPaths) -> Moved | None:
    """Newton's own step near a geodesic that is not shortest, if it halves the gradient.

    Only for a path that was given: nobody else meant to be there.
    """
    run = runs[0]
    if len(runs) > 1 or run.problem.initial_path is None:
        return None
    norm = state.gradient_norm(0)
    if norm > NEAR or not dpotrf(state.hessians[0], lower=1)[1]:
        return None
    step = np.linalg.solve(state.hessians[0], -state.gradient[0])
    c = state.coefficients
    trial = _try(state, slice(None), c + step.reshape(c.shape))[0]
    if trial is None or not trial.gradient_norm(0) <= 0.5 * norm:
        return None
    run.iterations, run.evaluations = run.iterations + 1, run.evaluations + 1
    run.hessian = state.hessians[0]
    return trial, np.array([norm]), np.array([True])


def _shifted_step(run: _Run, state: PolynomialPaths, i: int) -> np.ndarray:
    """Solve (H + μM)s = −g, μ raised until the matrix is positive definite."""
    while True:
        matrix = state.hessians[i]
        if run.shift:
            matrix = matrix + run.shift * state.stiffness[i]
        factor, failed = dpotrf(matrix, lower=1)
        if not failed:
            return dpotrs(factor, -state.gradient[i], lower=1)[0]
        run.shift = raise_shift(run.shift)
        if run.shift > LARGEST_SHIFT:
            raise DomainError("metric_matrix: not positive definite along a path")


def _try(
    state: PolynomialPaths, items: Any, c: np.ndarray
) -> tuple[PolynomialPaths | None, np.ndarray]:
    """Paths at trial coefficients and their energies, infinite outside the metric's domain."""
    try:
        trial = state.at(items, c)
        return trial, trial.energy
    except (DomainError, FloatingPointError):
        if len(c) == 1:
            return None, np.array([np.inf])
    places = np.arange(state.count)[items]
    alone = [_try(state, places[k : k + 1], c[k : k + 1])[1] for k in range(len(c))]
    return None, np.concatenate(alone)


def _inertia(hessian: np.ndarray, stiffness: np.ndarray, margin: float) -> Inertia:
    """Index and nullity; nothing but a Cholesky factor where there are neither."""
    try:
        np.linalg.cholesky(hessian - margin * stiffness)
        return Inertia.counted(0, 0)
    except np.linalg.LinAlgError:
        pass
    try:
        values = eigh(hessian, stiffness, eigvals_only=True)
    except np.linalg.LinAlgError:
        return UNKNOWN  # a path far from converged, through a place where G is nearly singular
    index = int((values < -margin).sum())
    nullity = int((values <= margin).sum()) - index
    return Inertia.counted(index, nullity, float(values[0]))
