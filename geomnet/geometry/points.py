r"""How points move: the vector from one to another, and the point a vector leads to.

Solvers know paths as arrays of states and move them by these two alone. On a vector space they are
subtraction and addition; on a group they are the group's own, as angles are subtracted modulo
:math:`2π`. Vectors at different points are added as they are, so points whose tangent spaces are
not all one vector space need a metric with squared steps of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from scipy.interpolate import CubicSpline

from ..utils.arrays import Array

__all__ = ["VECTORS", "Points", "VectorPoints", "moved", "uniform_times"]

Interpolant = Callable[[Array, int], Array]
"""From times in [0, 1] and an order of differentiation to states, or their derivatives."""


class Points(ABC):
    """A space of points given by arrays: a subclass owes :meth:`difference` and :meth:`retract`.

    Arrays carry any leading axes. ``retract(x, difference(x, y))`` is y, up to rounding and to what
    names the same point.

    Examples
    --------
    Angles, whose difference is the shorter way round:

    >>> import numpy as np
    >>> from geomnet.geometry import Points
    >>> class Angles(Points):
    ...     def difference(self, start, end):
    ...         return (end - start + np.pi) % (2 * np.pi) - np.pi
    ...     def retract(self, point, vector):
    ...         return (point + vector) % (2 * np.pi)
    >>> Angles().midpoint(np.array([6.0]), np.array([0.5])).round(3)
    array([0.108])
    """

    @abstractmethod
    def difference(self, start: Array, end: Array) -> Array:
        """Vectors that lead from `start` to `end`, (...)."""

    @abstractmethod
    def retract(self, point: Array, vector: Array) -> Array:
        """Points that vectors lead to, (...)."""

    def midpoint(self, start: Array, end: Array) -> Array:
        """Points half way."""
        return self.retract(start, 0.5 * self.difference(start, end))

    def between(self, start: Array, end: Array, share: Array) -> Array:
        """Points a share of the way from `start` to `end`."""
        return self.retract(start, share * self.difference(start, end))

    def interpolant(self, path: Array) -> Interpolant:
        """Smooth path through four or more states at uniform times, with its velocities."""
        return _Developed(self, path)

    # -- paths --------------------------------------------------------------------------------

    def straight(self, start: Array, end: Array, n_steps: int) -> Array:
        """Path at uniform times that goes straight, (n_steps+1, ...)."""
        return self.between(start, end, uniform_times(n_steps, start.ndim))

    def polygon(self, path: Array, n_steps: int) -> Array:
        """Path at another number of uniform steps, straight between its states."""
        place = np.linspace(0, len(path) - 1, n_steps + 1)
        k = np.minimum(place.astype(int), len(path) - 2)
        share = (place - k)[(..., *[None] * (path.ndim - 1))]
        return self.between(path[k], path[k + 1], share)

    def smooth(self, path: Array, n_steps: int) -> Array:
        """Path at another number of uniform steps, by cubic splines."""
        return self.interpolant(path)(np.linspace(0, 1, n_steps + 1), 0)

    def resample(self, path: Array, n_steps: int) -> Array:
        """Path at another number of uniform steps, ends exact; straight between few states."""
        if len(path) == n_steps + 1:
            return path
        out = self.smooth(path, n_steps) if len(path) >= 4 else self.polygon(path, n_steps)
        out[0], out[-1] = path[0], path[-1]
        return out


class VectorPoints(Points):
    """Points of a vector space."""

    def difference(self, start: Array, end: Array) -> Array:
        """Return end − start."""
        return end - start

    def retract(self, point: Array, vector: Array) -> Array:
        """Return point + vector."""
        return point + vector

    def midpoint(self, start: Array, end: Array) -> Array:
        """Return the mean, which rounds once."""
        return 0.5 * (start + end)

    def between(self, start: Array, end: Array, share: Array) -> Array:
        """Return the weighted mean, exact at both ends."""
        return (1 - share) * start + share * end

    def interpolant(self, path: Array) -> Interpolant:
        """Return the cubic spline of the states."""
        spline: Interpolant = CubicSpline(np.linspace(0, 1, len(path)), path, axis=0)
        return spline


VECTORS = VectorPoints()
"""What is taken where a space says nothing."""


class _Developed:
    """The spline of a path developed in one tangent space: the sums of its steps."""

    def __init__(self, points: Points, path: Array) -> None:
        self.points, self.path = points, path
        steps = points.difference(path[:-1], path[1:])
        self.sums = np.concatenate([np.zeros_like(path[:1]), np.cumsum(steps, axis=0)])
        self.spline = CubicSpline(np.linspace(0, 1, len(path)), self.sums, axis=0)

    def __call__(self, times: Array, order: int) -> Array:
        """States, each led to from the last state before it, or derivatives."""
        found: Array = self.spline(times, order)
        if order:
            return found
        last = len(self.path) - 1
        k = np.minimum((np.asarray(times) * last).astype(int), last)
        return self.points.retract(self.path[k], found - self.sums[k])


def uniform_times(n_steps: int, ndim: int) -> Array:
    """Times 0, 1/N, ..., 1 that multiply states of `ndim` axes, (N+1, 1, ...)."""
    return np.linspace(0.0, 1.0, n_steps + 1)[(..., *[None] * ndim)]


def moved(points: Points, path: Array, step: Array) -> Array:
    """Path whose interior states have moved by a step (N−1, ...), its ends held."""
    out = path.copy()
    out[1:-1] = points.retract(path[1:-1], step)
    return out
