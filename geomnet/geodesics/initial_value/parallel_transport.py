r"""Parallel transport along geodesics, by a pole ladder of infinitesimal rungs.

The pole ladder reflects a small geodesic through the middle of each rung (Lorenzi & Pennec 2014).
In the limit of small vectors it is linear, and needs neither exponentials nor logarithms: with the
Jacobi field J that vanishes at the middle and has J = u at the rung's start, u is taken to −J at
its end. In symmetric spaces that is exact (Guigui & Pennec 2021); elsewhere it errs by
:math:`h^3∇R/48` a rung, which is a symmetric map, and so leaves when the rung's map is replaced by
the isometry nearest to it. What remains is of order 4 in the number of rungs, isometric, takes the
geodesic's velocity to itself, and is exact on surfaces. Two counts extrapolate it to order 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike, DTypeLike

from ...errors import ConvergenceError, InputError
from ...geometry.metric import AbstractMetric
from ...utils.threads import blas_threads
from ...utils.validation import check_array, check_integer, check_positive
from ..as_metric import as_metric
from ..result import Geodesic
from ..shooting import ray_along
from .conjugate import DENSE, frame
from .rays import Ray, ray
from .tangent_flow import follow

__all__ = ["Transport", "parallel_transport"]

MOST_RUNGS = 1024


@dataclass(frozen=True, eq=False)
class Transport:
    """Parallel transport along a geodesic: a linear isometry of tangent spaces.

    Made by :func:`parallel_transport`.

    Attributes
    ----------
    vector : ndarray, shape (..., n, d) or (..., d)
        What was given, transported.
    start, end : ndarray, shape (n, d) or (d,)
        The geodesic's ends.
    matrix : ndarray, shape (D, D)
        The isometry in coordinates, D = n·d.
    rungs : int
    error_estimate : float
        Bound on the error of a unit vector's transport, in the metric: the change from half as many
        rungs, over eight from 8 rungs on.
    """

    vector: np.ndarray
    start: np.ndarray = field(repr=False)
    end: np.ndarray = field(repr=False)
    matrix: np.ndarray = field(repr=False)
    rungs: int
    error_estimate: float

    def __call__(self, vector: ArrayLike) -> np.ndarray:
        """Transport more vectors, (..., n, d) or (..., d)."""
        array, shape = check_array("vector", vector), self.start.shape
        if array.shape[max(0, array.ndim - len(shape)) :] != shape:
            want = ", ".join(map(str, shape))
            raise InputError(f"vector: expected shape (..., {want}), got {array.shape}")
        return (array.reshape(-1, self.start.size) @ self.matrix.T).reshape(array.shape)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.vector, dtype=dtype)


def parallel_transport(
    metric: AbstractMetric | RiemannianMetric,
    vector: ArrayLike,
    along: Geodesic | Ray | tuple[ArrayLike, ArrayLike],
    n_rungs: int | None = None,
    rtol: float = 1e-9,
) -> Transport:
    r"""Transport vectors parallel along a geodesic, from its start to its end.

    Parameters
    ----------
    metric : Metric
        Any that :func:`geodesic` takes.
    vector : array_like, shape (..., n, d) or (..., d)
        Tangent vectors at the start.
    along : Geodesic, Ray, or pair (point, velocity)
        A pair stands for the geodesic over [0, 1].
    n_rungs : int, optional
        An even number; by default doubled from 4 until the error estimate is below `rtol`. The
        estimate compares it with half as many.
    rtol : float
        Error of a unit vector to stop at, and ten times that of the integrator.

    Returns
    -------
    Transport
        Its ``vector`` is the result; it is a function that transports others too.

    Raises
    ------
    InputError
        For wrong shapes, a batch of rays, or more than 256 coordinates.
    ConvergenceError
        When 1024 rungs do not bring the error below `rtol`; ``error.result`` holds the transport.

    References
    ----------
    Lorenzi & Pennec (2014), J. Math. Imaging Vis. 50, 5. Guigui & Pennec (2021), Found. Comput.
    Math.

    Examples
    --------
    Along a quarter of the equator the pole's direction stays the pole's:

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> sphere = gn.ChartMetric(
    ...     lambda x: 4 * anp.eye(2) / (1 + anp.sum(x**2, axis=-1)[..., None, None]) ** 2, dim=2
    ... )
    >>> equator = ([1.0, 0.0], [0.0, anp.pi / 2])
    >>> gn.parallel_transport(sphere, [1.0, 0.0], equator).vector.round(8) + 0.0
    array([0., 1.])
    """
    known = as_metric(metric, along[0] if isinstance(along, tuple) else np.asarray(vector))
    shape = known.space.shape
    rtol = check_positive("rtol", rtol)
    if n_rungs is not None:
        n_rungs = check_integer("n_rungs", n_rungs, least=2, multiple_of=2)
    way = _as_ray(known, along, 0.1 * rtol)
    if way.point.size > DENSE:
        raise InputError(
            f"metric: transport follows the Jacobi fields of a whole frame, and {way.point.size} "
            f"coordinates are more than {DENSE}; take a smaller sample"
        )
    array = check_array("vector", vector)
    with blas_threads(shape[0]):
        ladder = _Ladder(known, way, 0.1 * rtol)
        count = 4 if n_rungs is None else n_rungs
        coarse, fine = ladder.climb(count // 2), ladder.climb(count)
        while n_rungs is None and ladder.error(coarse, fine, count) > rtol and count < MOST_RUNGS:
            count *= 2
            coarse, fine = fine, ladder.climb(count)
        error = ladder.error(coarse, fine, count)
        matrix = ladder.in_coordinates(isometry(fine + (fine - coarse) / 15))
    found = Transport(array, way.point, way.end, matrix, count, error)
    found = replace(found, vector=found(array))
    if n_rungs is None and error > rtol:
        raise ConvergenceError(
            f"n_rungs: {count} rungs leave an error of {error:.1e} > {rtol:.0e}; raise rtol, or "
            "transport over shorter parts",
            found,
        )
    return found


def _as_ray(metric: AbstractMetric, along: Any, rtol: float) -> Ray:
    """The geodesic to transport along, with its exact momentum."""
    if isinstance(along, Geodesic):
        way = ray_along(along)
    elif isinstance(along, Ray):
        way = along
    elif isinstance(along, (tuple, list)) and len(along) == 2:
        point, velocity = along
        way = ray(metric, point, velocity, rtol=rtol)
    else:
        raise InputError(
            "along: expected a Geodesic, a gn.ray or a pair (point, velocity), got "
            f"{type(along).__name__}"
        )
    if way.point.shape != metric.space.shape:
        raise InputError(
            f"along: expected one ray of points of shape {metric.space.shape}, got "
            f"{way.point.shape}"
        )
    return way


class _Ladder:
    """Pole ladders along one ray, as matrices between orthonormal frames of its ends."""

    def __init__(self, metric: AbstractMetric, way: Ray, rtol: float) -> None:
        self.metric, self.way, self.rtol = metric, way, rtol

    def _lower(self, points: np.ndarray) -> np.ndarray:
        """Cholesky factors of the metric, (k, D, D)."""
        return np.linalg.cholesky(self.metric.dense(points))

    def climb(self, count: int) -> np.ndarray:
        """Isometry of `count` rungs from the first frame to the last, (D, D)."""
        way, size = self.way, self.way.point.size
        knots = np.linspace(0.0, way.until, count + 1)
        middles = 0.5 * (knots[1:] + knots[:-1])
        x, p = way(middles), way.momentum(middles)
        # forwards and backwards from every middle, all at once
        both, momenta = np.concatenate([x, x]), np.concatenate([p, -p])
        dx, dp = frame(self.metric, both)
        half = 0.5 * way.until / count
        fields = follow(self.metric, both, momenta, dx, dp, half, self.rtol).end[2]
        fields = np.moveaxis(fields.reshape(size, 2 * count, size), 0, -1)
        lower = self._lower(way(knots))
        ahead = np.swapaxes(lower[1:], 1, 2) @ fields[:count]
        behind = np.swapaxes(lower[:-1], 1, 2) @ fields[count:]
        # the frames of both directions move with opposite signs of time: J and −J meet
        total = np.eye(size)
        for front, back in zip(ahead, behind):
            total = isometry(front @ np.linalg.inv(back)) @ total
        return total

    def error(self, coarse: np.ndarray, fine: np.ndarray, count: int) -> float:
        """An eighth of the change, where order 4 leaves a fifteenth; and the integrator's.

        Four rungs against two show no order yet, and their whole change counts.
        """
        share = 1 / 8 if count >= 8 else 1.0
        return float(share * np.linalg.norm(fine - coarse, 2) + self.rtol)

    def in_coordinates(self, matrix: np.ndarray) -> np.ndarray:
        """The map of coordinates that a map of frames is: L₁⁻ᵀ M L₀ᵀ."""
        first, last = self._lower(np.stack([self.way.point, self.way.end]))
        return np.linalg.solve(last.T, matrix @ first.T)


def isometry(matrix: np.ndarray) -> np.ndarray:
    """Return the orthogonal matrix nearest to one: its polar factor."""
    left, _, right = np.linalg.svd(matrix)
    return left @ right
