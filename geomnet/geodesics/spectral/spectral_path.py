r"""Geodesics as polynomials: integrated Legendre functions, Gauss nodes, dense Newton steps.

The energy :math:`\int\langle\dotγ,\dotγ\rangle dt` of the paths of :mod:`legendre` is minimised
over the coefficients, degree after degree. With G, C, A the second derivatives of ⟨v, v⟩_x at a
node,

.. math:: H_{jk} = \sum_q w_q\,[2φ_j'φ_k'G + φ_jφ_k'C + φ_j'φ_kC^\top + φ_jφ_kA].

As the energy is stationary its error is the square of the path's, and both fall exponentially
with the degree where the metric is smooth. Many pairs are solved in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from ...geometry.metric import AbstractMetric, ImmersedMetric
from ...utils.validation import check_integer, check_positive
from ..certificate import certify
from ..evidence import PolynomialEvidence, Work
from ..inertia import UNKNOWN, Inertia
from ..length_check import dense_steps, measure, measured
from ..problem import Problem
from ..result import Geodesic
from .descent import descend
from .immersed import ImmersedPaths
from .legendre import Basis, basis, reported
from .polynomial_paths import FormPaths, PolynomialPaths
from .run import DEGREES, Run

__all__ = ["SpectralPath"]

COARSE = 1e-3
"""Tolerance from which on one degree may do: its tail is all there is to judge it by."""

BLIND = 1e-5
"""Relative error of a length, seen between the nodes, at which they were too few."""

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
        metric, runs = problems[0].metric, [Run(p) for p in problems]
        for degree in self._degrees(runs):
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

    def _degrees(self, runs: list[Run]) -> list[int]:
        """Degrees from the one that holds every initial path."""
        least = max(run.least_degree(self.max_degree) for run in runs)
        return [d for d in DEGREES if least <= d < self.max_degree] + [self.max_degree]

    def _solve(self, metric: AbstractMetric, runs: list[Run], b: Basis) -> None:
        """Newton's method at one degree, on every run's coefficients."""
        for run in runs:
            run.prolong(b)
        open_, state = list(runs), _evaluate(metric, runs, b)
        for iteration in range(self.max_iter):
            moved, decrements, accepted = descend(open_, state)
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

    def _polish(self, run: Run) -> None:
        """Bring the gradient at the last degree below its tolerance."""
        for _ in range(3):
            run.gradient_norm = run.state.gradient_norm(run.place)
            if run.gradient_norm <= self.tol:
                break
            state, place = run.state, run.place
            if state.count > 1:
                state = state.at([place], state.coefficients[[place]])
            moved, _, accepted = descend([run], state)
            if not accepted[0]:
                break
            run.read(moved, 0)
        run.gradient_norm = run.state.gradient_norm(run.place)
        run.left = 0.0

    def _certify(self, run: Run) -> Geodesic:
        problem, state, place = run.problem, run.state, run.place
        shape, speed = problem.start.shape, state.speed(place)
        error = run.error_estimate + run.gradient_norm**2 * run.distance
        known = UNKNOWN
        if problem.certify_index:
            known = _inertia(run.hessian, state.stiffness[place], margin=max(1e-5, 10 * run.tail))
        evidence = PolynomialEvidence(
            gradient_norm=run.gradient_norm,
            tolerance=self.tol,
            distance=run.distance,
            error_estimate=float(max(error, 2 * run.gap)),
            speed_variation=float(np.max(np.abs(speed / speed.mean() - 1))),
            inertia=known,
            work=Work(run.evaluations, 0, run.iterations),
            degree=len(run.c) + 1,
            rtol=self.rtol,
            max_iter=self.max_iter,
            gap=run.gap,
            blind=run.gap > error and run.gap > BLIND * run.distance,
        )
        certificate, status = certify(evidence)
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


def _evaluate(metric: AbstractMetric, runs: list[Run], b: Basis) -> PolynomialPaths:
    """Paths of runs at their coefficients."""
    starts, deltas = np.array([run.start for run in runs]), np.array([run.delta for run in runs])
    c = np.array([run.c for run in runs])
    if isinstance(metric, ImmersedMetric):
        return ImmersedPaths(metric, starts, deltas, c, b)
    return FormPaths(metric, starts, deltas, c, b)


def _audit(metric: AbstractMetric, runs: list[Run]) -> None:
    """Hold the lengths of the paths found against those measured between their nodes."""
    if not measured(metric):
        return
    steps = dense_steps(runs[0].start.size)
    paths = [reported(run.start, run.start + run.delta, run.c, steps)[0] for run in runs]
    for run, length in zip(runs, measure(metric, np.stack(paths))):
        gap = abs(float(length) - run.distance)
        run.gap = gap if gap > GAP * run.distance else 0.0


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
