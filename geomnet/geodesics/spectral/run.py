"""One pair on its way through the degrees of a polynomial path."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from scipy.interpolate import CubicSpline

from ..problem import Problem
from .legendre import Basis, basis
from .polynomial_paths import PolynomialPaths

__all__ = ["DEGREES", "Run"]

DEGREES = (4, 6, 8, 12, 20, 32, 48, 64)

FIRST = 0.01
"""Relative error of a length that the first degree is worth solving to."""

ROUNDING = 1e-13
"""Relative error of a length that rounding makes."""


class Run:
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
        """Length at the last degree."""
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


def _linear(times: np.ndarray, knots: np.ndarray, path: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(times, knots, x) for x in path.T], axis=1)
