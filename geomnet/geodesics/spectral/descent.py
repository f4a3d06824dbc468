"""Newton's steps on polynomial paths, many at once, each shifted until it can be taken."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ...errors import DomainError
from ..discrete.line_search import LARGEST_SHIFT, NEAR, raise_shift, relax
from .polynomial_paths import PolynomialPaths, Selection
from .run import Run

__all__ = ["descend"]

Moved = tuple[PolynomialPaths, np.ndarray, np.ndarray]
"""Paths after a step, the steps' decrements √(−g·s/E), and which steps were taken."""


def descend(runs: list[Run], state: PolynomialPaths) -> Moved:
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


def _to_saddle(runs: list[Run], state: PolynomialPaths) -> Moved | None:
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


def _shifted_step(run: Run, state: PolynomialPaths, i: int) -> np.ndarray:
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
    state: PolynomialPaths, items: Selection, c: np.ndarray
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
