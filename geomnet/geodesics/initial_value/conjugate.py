r"""Conjugate points: where Jacobi fields that vanish at the start vanish again.

Let the columns of X(t), P(t) be the changes δx, δp of a geodesic whose start is held and whose
momentum is moved along a frame. They span a Lagrangian subspace, so in orthonormal frames the
eigenvalues of :math:`(P+iX)(P-iX)^{-1}` lie on the unit circle, at angles :math:`2φ_k`. X is
singular where some φ_k is a multiple of π, and there it grows, as the metric is positive definite
(Arnold 1967). So

.. math:: N(t) = \tfrac1π\Big(\arg\det(P+iX) - \sum_k (φ_k \bmod π)\Big),

the argument continued from t = 0, is a whole number: the conjugate points in (0, t], each with its
multiplicity. Bisection on it finds them all, those of even multiplicity too, where det X keeps its
sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...geometry.metric import AbstractMetric
from .flow import Left
from .tangent_flow import TangentFlow, follow

__all__ = ["DENSE", "ConjugatePoint", "conjugates"]

DENSE = 256
"""Most coordinates n·d for which the Jacobi fields of a whole frame are followed."""

MARGIN = 1e-6
"""Conjugate points nearer to each other, or to the end, than this share of the time are one."""


@dataclass(frozen=True, eq=False)
class ConjugatePoint:
    """A point conjugate to the start of a geodesic.

    Attributes
    ----------
    time : float
    multiplicity : int
        Independent Jacobi fields that vanish at the start and here.
    point : ndarray, shape (n, d) or (d,)
    """

    time: float
    multiplicity: int
    point: np.ndarray

    def __repr__(self) -> str:
        return f"ConjugatePoint(time={self.time:.10g}, multiplicity={self.multiplicity})"


def conjugates(
    metric: AbstractMetric, point: np.ndarray, momentum: np.ndarray, until: float, rtol: float
) -> list[ConjugatePoint]:
    """Find the points conjugate to the start, up to time `until` and including it.

    Raises
    ------
    InputError
        For more than 256 coordinates.
    """
    if point.size > DENSE:
        raise InputError(
            f"metric: conjugate points need the Jacobi fields of a whole frame, and "
            f"{point.size} coordinates are more than {DENSE}; take a smaller sample"
        )
    x, p = point[None], momentum[None]
    dx, dp = frame(metric, x)
    try:  # a little further, so that a conjugate end is passed
        flow = follow(metric, x, p, dx, dp, until * (1 + MARGIN), rtol, dense=True)
    except Left:
        flow = follow(metric, x, p, dx, dp, until, rtol, dense=True)
    speed = float(np.sqrt(np.sum(p * metric.sharp(p, x))))
    if speed == 0:
        return []
    found = _Winding(metric, flow, speed).crossings()
    out = []
    for times in _clusters(found, MARGIN * until):
        t = float(np.mean(times))
        t = until if abs(t - until) <= MARGIN * until else t
        out.append(ConjugatePoint(t, len(times), flow(np.array([t]))[0][0, 0]))
    return out


def frame(metric: AbstractMetric, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No change of the points (k, ...), and changes of momentum ♭e_j of orthonormal e_j."""
    lower = np.linalg.cholesky(metric.dense(x))
    dp = np.moveaxis(lower, -1, 0).reshape(-1, *x.shape)
    return np.zeros_like(dp), dp


class _Winding:
    """N(t) along the Jacobi fields of a frame."""

    def __init__(self, metric: AbstractMetric, flow: TangentFlow, speed: float) -> None:
        self.metric, self.flow, self.speed = metric, flow, speed
        self.grid, self.argument = self._continue()

    def _frames(self, times: np.ndarray) -> np.ndarray:
        """P + iX in orthonormal frames at times (T,), (T, D, D)."""
        x, _, dx, dp = self.flow(times)
        count, size = len(times), self.flow.many
        lower = np.linalg.cholesky(self.metric.dense(x[:, 0]))
        left = np.swapaxes(dx.reshape(count, size, size), 1, 2)
        right = np.swapaxes(dp.reshape(count, size, size), 1, 2)
        return np.linalg.solve(lower, right) + 1j * self.speed * np.swapaxes(lower, 1, 2) @ left

    def _continue(self) -> tuple[np.ndarray, np.ndarray]:
        """The argument of det(P + iX) from time 0, on a grid that it crosses in short arcs."""
        knots = self.flow.flow.times
        for parts in (4, 8, 16, 32, 64, 128, 256):
            grid = np.interp(
                np.arange((len(knots) - 1) * parts + 1) / parts, range(len(knots)), knots
            )
            turns = np.linalg.slogdet(self._frames(grid))[0]
            arcs = np.angle(turns[1:] / turns[:-1])
            if np.abs(arcs).max() <= 1.0:
                break
        return grid, np.concatenate([[0.0], np.cumsum(arcs)])

    def count(self, t: float) -> int:
        """N(t)."""
        k = int(np.searchsorted(self.grid, t, side="right")) - 1
        here, there = self._frames(np.array([self.grid[k], t]))
        arc = np.angle(np.linalg.slogdet(there)[0] / np.linalg.slogdet(here)[0])
        rotation = np.linalg.solve(there.conj().T, there.T).T
        angles = 0.5 * np.angle(np.linalg.eigvals(rotation)) % np.pi
        return round((self.argument[k] + arc - angles.sum()) / np.pi)

    def crossings(self) -> list[float]:
        """Times of conjugate points, as often as they count, in order."""
        first, last = self.grid[1], self.grid[-1]
        return self._bisect(first, last, self.count(first), self.count(last), 1e-13 * last)

    def _bisect(self, a: float, b: float, below: int, above: int, tol: float) -> list[float]:
        if above <= below:
            return []
        middle = 0.5 * (a + b)
        if b - a <= tol or not a < middle < b:
            return [middle] * (above - below)
        between = self.count(middle)
        return [
            *self._bisect(a, middle, below, between, tol),
            *self._bisect(middle, b, between, above, tol),
        ]


def _clusters(times: list[float], width: float) -> list[list[float]]:
    """Group times that follow each other within `width`."""
    groups: list[list[float]] = []
    for t in times:
        if groups and t - groups[-1][-1] <= width:
            groups[-1].append(t)
        else:
            groups.append([t])
    return groups
