r"""Jacobi fields along geodesics, and the conjugate points where they vanish.

A Jacobi field J is the change of a geodesic through geodesics:
:math:`\frac{D^2J}{dt^2} + R(J,\dotγ)\dotγ = 0`. It is taken from the linearised Hamilton's
equations, which ask for no curvature; its covariant derivative is
:math:`\frac{DJ}{dt} = \dot J + Γ(\dotγ, J)`, with

.. math:: Γ(v, J) = ½♯\big[(∂_vG)J + (∂_JG)v - ∂_x(v^\top GJ)\big].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike

from ...errors import InputError
from ...geometry.metric import AbstractMetric
from ...utils.threads import blas_threads
from ...utils.validation import check_array, check_positive
from ..as_metric import as_metric
from ..result import Geodesic
from ..shooting import ray_along
from .conjugate import ConjugatePoint, conjugates
from .rays import Ray, initial_momentum, shoot
from .tangent_flow import TangentFlow, follow

__all__ = ["JacobiFields", "conjugate_points", "jacobi_fields"]


@dataclass(frozen=True, eq=False)
class JacobiFields:
    """Jacobi fields along one geodesic, as functions of time.

    Made by :func:`jacobi_fields`.

    Attributes
    ----------
    metric : Metric
    until : float
        The last time.
    """

    metric: AbstractMetric = field(repr=False)
    until: float
    _flow: TangentFlow = field(repr=False)
    _single: bool = field(repr=False)

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """Fields J at times in [0, until]: (m, n, d) for a number, (k, m, n, d) for times (k,).

        Without the axis m where one field was asked for.
        """
        return self._shaped(t, self._at(t)[2])

    def derivative(self, t: ArrayLike) -> np.ndarray:
        """Covariant derivatives DJ/dt, likewise."""
        x, p, dx, dp = self._at(t)
        rates = [self._rates(*state) for state in zip(x, p, dx, dp)]
        return self._shaped(
            t,
            np.stack(
                [dv + christoffel(self.metric, v, y, j) for y, j, (v, dv) in zip(x, dx, rates)]
            ),
        )

    def coordinate_derivative(self, t: ArrayLike) -> np.ndarray:
        """Derivatives dJ/dt of the coordinates of J, likewise."""
        states = zip(*self._at(t))
        return self._shaped(t, np.stack([self._rates(*state)[1] for state in states]))

    def base(self, t: ArrayLike) -> np.ndarray:
        """Points of the geodesic at times in [0, until], (n, d) or (k, n, d)."""
        points = self._at(t)[0][:, 0]
        return points if np.ndim(t) else points[0]

    def _rates(
        self, x: np.ndarray, p: np.ndarray, dx: np.ndarray, dp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Velocity of the geodesic and coordinate derivatives of the fields."""
        v, _, dv, _ = self.metric.linearised_field(x, p, dx, dp)
        return v, dv

    def _at(self, t: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        t = check_array("t", t)
        if t.ndim > 1:
            raise InputError(f"t: expected a number or times (k,), got shape {t.shape}")
        if not ((t >= 0) & (t <= self.until)).all():
            raise InputError(
                f"t: these fields run over times in [0, {self.until:g}]; ask for a later `until`"
            )
        return self._flow(t.reshape(-1))

    def _shaped(self, t: ArrayLike, fields: np.ndarray) -> np.ndarray:
        """Drop the axes of one geodesic, of one field and of one time."""
        fields = fields[:, :, 0]
        fields = fields[:, 0] if self._single else fields
        return fields if np.ndim(t) else fields[0]


def jacobi_fields(
    metric: AbstractMetric | RiemannianMetric,
    point: ArrayLike,
    velocity: ArrayLike,
    initial: ArrayLike | None = None,
    initial_derivative: ArrayLike | None = None,
    until: float = 1.0,
    rtol: float = 1e-10,
) -> JacobiFields:
    r"""Follow Jacobi fields along the geodesic from a point with a velocity.

    Parameters
    ----------
    metric : Metric
        Any that :func:`geodesic` takes.
    point, velocity : array_like, shape (n, d) or (d,)
    initial : array_like, shape (n, d) or (m, n, d) (charts: (d,) or (m, d)), optional
        J(0), zero by default.
    initial_derivative : array_like, likewise, optional
        Covariant derivative DJ/dt(0), zero by default.
    until, rtol : float
        As for :func:`ray`.

    Returns
    -------
    JacobiFields

    Raises
    ------
    InputError
        For wrong shapes, or neither `initial` nor `initial_derivative`.
    DomainError
        Where the geodesic leaves the chart.

    Examples
    --------
    On the unit sphere ‖J‖ = sin t, at unit speed from J(0) = 0 with a unit derivative across:

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> sphere = gn.ChartMetric(
    ...     lambda x: 4 * anp.eye(2) / (1 + anp.sum(x**2, axis=-1)[..., None, None]) ** 2, dim=2
    ... )
    >>> fields = gn.jacobi_fields(
    ...     sphere, [1.0, 0.0], [0.0, 1.0], initial_derivative=[1.0, 0.0], until=3.0
    ... )
    >>> sphere.norm(fields(1.2), fields.base(1.2)).round(8) == anp.sin(1.2).round(8)
    np.True_
    """
    known = as_metric(metric, point)
    until, rtol = check_positive("until", until), check_positive("rtol", rtol)
    shape = known.space.shape
    x = check_array("point", point, shape=shape)[None]
    v = check_array("velocity", velocity, shape=shape)[None]
    given = initial_derivative if initial is None else initial
    if given is None:
        raise InputError("initial: give it or initial_derivative; without both the field is zero")
    start, slope = (
        None if value is None else _fields(name, value, shape)
        for name, value in (("initial", initial), ("initial_derivative", initial_derivative))
    )
    start = np.zeros_like(slope) if start is None else start
    slope = np.zeros_like(start) if slope is None else slope
    if start.shape[0] != slope.shape[0]:
        raise InputError(
            f"initial_derivative: {slope.shape[0]} fields, but initial has {start.shape[0]}"
        )
    with blas_threads(shape[0]):
        p = initial_momentum(known, x, v)
        dx = start[:, None]
        dv = slope[:, None] - christoffel(known, v, x, dx)
        dp = np.stack([known.linearise(v, x).derivative(b, a)[0] for a, b in zip(dx, dv)])
        shoot(known, x, v, p, until, rtol, dense=False)  # it says where the geodesic leaves
        flow = follow(known, x, p, dx, dp, until, rtol, dense=True)
    return JacobiFields(known, until, flow, np.ndim(given) == len(shape))


def _fields(name: str, value: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Return fields with their axis m."""
    array = check_array(name, value)
    if array.shape == shape:
        return array[None]
    return check_array(name, array, shape=(None, *shape))


def christoffel(
    metric: AbstractMetric, v: np.ndarray, x: np.ndarray, fields: np.ndarray
) -> np.ndarray:
    """Γ(v, J) for m fields (m, k, ...) at k points and velocities (k, ...)."""
    rows = (-1, *x.shape[1:])
    many_v, many_x = (np.broadcast_to(y, fields.shape).reshape(rows) for y in (v, x))
    j = fields.reshape(rows)
    still = np.zeros_like(j)
    along = metric.linearise(many_v, many_x)
    bent = along.derivative(still, j)[0] - 0.5 * along.derivative(j, still)[1]
    bent = bent + metric.linearise(j, many_x).derivative(still, many_v)[0]
    return 0.5 * np.asarray(metric.sharp(bent, many_x)).reshape(fields.shape)


def conjugate_points(along: Geodesic | Ray, rtol: float = 1e-10) -> list[ConjugatePoint]:
    r"""Find the points conjugate to the start of a geodesic.

    There some Jacobi field that vanishes at the start vanishes again; past the first the
    geodesic is no longer the shortest. They are counted by a winding number, so that none of
    even multiplicity is missed, and located by bisection on it.

    Parameters
    ----------
    along : Geodesic or Ray
        A solved geodesic, whose momentum is first made exact by shooting, or one ray.
    rtol : float
        Of the integrator; times are good to some ten times that.

    Returns
    -------
    list of ConjugatePoint
        In order of time, the end included where it is conjugate.

    Raises
    ------
    InputError
        For a batch of rays, or more than 256 coordinates.

    Examples
    --------
    Antipodes of the sphere:

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> sphere = gn.ChartMetric(
    ...     lambda x: 4 * anp.eye(3) / (1 + anp.sum(x**2, axis=-1)[..., None, None]) ** 2, dim=3
    ... )
    >>> circle = gn.ray(sphere, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], until=4.0)
    >>> [(round(c.time, 7), c.multiplicity) for c in gn.conjugate_points(circle)]
    [(3.1415927, 2)]
    """
    if isinstance(along, Geodesic):
        along = ray_along(along)
    if not isinstance(along, Ray):
        raise InputError(f"along: expected a Geodesic or a gn.ray, got {type(along).__name__}")
    check_positive("rtol", rtol)
    shape = along.metric.space.shape
    if along.point.shape != shape:
        raise InputError(
            f"along: a batch of rays, {along.point.shape}; give one ray, of shape {shape}"
        )
    with blas_threads(shape[0]):
        return conjugates(along.metric, along.point, along.initial_momentum, along.until, rtol)
