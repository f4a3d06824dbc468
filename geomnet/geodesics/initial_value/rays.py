r"""Geodesics from a point and a velocity, as functions of time.

Hamilton's equations :math:`\dot x = ♯p`, :math:`\dot p = ½q(x, ♯p)` are integrated by the adaptive
Dormand–Prince method of order 8, whose steps carry polynomials of degree 7: the ray is known at
every time, not at nodes only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike

from ...errors import DomainError, InputError
from ...geometry.metric import AbstractMetric
from ...utils.threads import blas_threads
from ...utils.validation import check_array, check_batches, check_positive
from ..as_metric import as_metric
from .flow import MAX_STEPS, Flow, Left, integrate

__all__ = ["Ray", "both_ways", "initial_momentum", "ray", "shoot"]


@dataclass(frozen=True, eq=False)
class Ray:
    """A geodesic from a point with a velocity, or a batch of them, known at every time.

    Made by :func:`ray`.

    Attributes
    ----------
    metric : Metric
    point, initial_velocity, initial_momentum : ndarray, shape (..., n, d) or (..., d)
        Where it starts, how fast, and ♭ of that.
    until : float
        The last time.
    rtol : float
        Tolerance of a step's error.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> half_plane = gn.ChartMetric(lambda x: anp.eye(2) / x[..., 1, None, None] ** 2, dim=2)
    >>> up = gn.ray(half_plane, [0.0, 1.0], [0.0, 1.0])
    >>> up(0.5).round(9)
    array([0.        , 1.64872127])
    """

    metric: AbstractMetric = field(repr=False)
    point: np.ndarray
    initial_velocity: np.ndarray
    initial_momentum: np.ndarray
    until: float
    rtol: float
    _flow: Flow = field(repr=False)

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """Points at times in [0, until]: (..., n, d) for a number, (k, ..., n, d) for (k,)."""
        return self._states(t)[0]

    def momentum(self, t: ArrayLike) -> np.ndarray:
        """Momenta p = ♭ẋ, likewise."""
        return self._states(t)[1]

    def velocity(self, t: ArrayLike) -> np.ndarray:
        """Velocities ẋ = ♯p, likewise."""
        points, momenta = self._states(t)
        return np.asarray(self.metric.sharp(momenta, points))

    @property
    def end(self) -> np.ndarray:
        """Points at time `until`."""
        return self._unpack(self._flow.end)[0]

    @property
    def steps(self) -> int:
        """Steps the integrator took."""
        return len(self._flow.times) - 1

    @property
    def evaluations(self) -> int:
        """How often Hamilton's equations were evaluated."""
        return self._flow.evaluations

    @cached_property
    def speed(self) -> np.ndarray:
        """Constant speed √⟨ẋ,ẋ⟩, at the start, (...)."""
        return np.sqrt(self._twice_energy(self.point, self.initial_momentum))

    @property
    def length(self) -> np.ndarray:
        """Length up to time `until`, (...)."""
        return self.until * self.speed

    @cached_property
    def energy_drift(self) -> np.ndarray:
        """Largest relative change of the conserved energy ½⟨ẋ,ẋ⟩ over the steps, (...)."""
        start = self.speed**2
        size = np.where(start > 0, start, 1.0)
        changes = [
            np.abs(self._twice_energy(*self._unpack(state)) - start)
            for state in self._flow.states[1:]
        ]
        return np.max(changes, axis=0) / size

    def _twice_energy(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        axes = tuple(range(-len(self.metric.space.shape), 0))
        return np.asarray(np.sum(p * self.metric.sharp(p, x), axis=axes))

    def _states(self, t: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        t = check_array("t", t)
        if t.ndim > 1:
            raise InputError(f"t: expected a number or times (k,), got shape {t.shape}")
        if not ((t >= 0) & (t <= self.until)).all():
            raise InputError(
                f"t: this ray runs over times in [0, {self.until:g}]; make one with a later `until`"
            )
        points, momenta = self._unpack(self._flow(t.reshape(-1)))
        return (points, momenta) if t.ndim else (points[0], momenta[0])

    def _unpack(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points and momenta of states (..., size)."""
        moved, p = np.split(state, 2, axis=-1)
        shape = (*state.shape[:-1], *self.point.shape)
        return self.metric.points.retract(self.point, moved.reshape(shape)), p.reshape(shape)

    def __repr__(self) -> str:
        drift = float(np.max(self.energy_drift, initial=0.0))
        batch = self.point.shape[: self.point.ndim - len(self.metric.space.shape)]
        many = f"batch={batch}, " if batch else f"length={float(self.length):.8g}, "
        return (
            f"Ray({many}until={self.until:g}, steps={self.steps}, rtol={self.rtol:g}, "
            f"energy_drift={drift:.1e}, {self.metric!r})"
        )


def ray(
    metric: AbstractMetric | RiemannianMetric,
    point: ArrayLike,
    velocity: ArrayLike,
    until: float = 1.0,
    rtol: float = 1e-10,
) -> Ray:
    r"""Follow the geodesic that leaves a point with a velocity.

    Parameters
    ----------
    metric : Metric
        Any that :func:`geodesic` takes, those of geomstats included.
    point, velocity : array_like, shape (..., n, d) or (..., d)
        Leading axes broadcast: rays of a batch share their steps.
    until : float
        How long to follow it.
    rtol : float
        Tolerance of the error of a step, relative to the way gone; the error at the end is of
        this size, times what the flow magnifies.

    Returns
    -------
    Ray

    Raises
    ------
    InputError
        For arrays of the wrong shape, NaN, or `until` or `rtol` not above zero.
    DomainError
        Where the geodesic leaves the chart, by the time and the place.

    Examples
    --------
    A great circle in the stereographic chart of the sphere, from (1, 0) along the equator:

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> sphere = gn.ChartMetric(
    ...     lambda x: 4 * anp.eye(2) / (1 + anp.sum(x**2, axis=-1)[..., None, None]) ** 2, dim=2
    ... )
    >>> circle = gn.ray(sphere, [1.0, 0.0], [0.0, 1.0], until=anp.pi / 2)
    >>> abs(circle.end - [0, 1]).max() < 1e-9, circle.energy_drift < 1e-9
    (np.True_, np.True_)
    """
    known = as_metric(metric, point)
    until, rtol = check_positive("until", until), check_positive("rtol", rtol)
    shape = known.space.shape
    x, v = check_batches(shape, point=point, velocity=velocity)
    with blas_threads(shape[0]):
        return shoot(known, x, v, initial_momentum(known, x, v), until, rtol)


def initial_momentum(
    metric: AbstractMetric, point: np.ndarray, velocity: np.ndarray, name: str = "point"
) -> np.ndarray:
    """♭v, the metric looked at where it is taken: an error of it is the point's."""
    flat = (-1, *metric.space.shape)
    x, v = point.reshape(flat), velocity.reshape(flat)
    try:
        momentum = np.asarray(metric.momentum(v, x))
    except DomainError as error:
        error.args = (f"{name}: {error}",)  # the error itself, which may carry more than words
        raise
    return momentum.reshape(velocity.shape)


def shoot(
    metric: AbstractMetric,
    point: np.ndarray,
    velocity: np.ndarray,
    momentum: np.ndarray,
    until: float,
    rtol: float,
    dense: bool = True,
    name: str = "velocity",
    max_steps: int = MAX_STEPS,
) -> Ray:
    """Integrate Hamilton's equations for the way from the point: short ways keep their digits.

    Errors call the velocity by `name`.
    """
    size, move = point.size, metric.points.retract
    batch = max(1, size // int(np.prod(metric.space.shape)))

    def rates(state: np.ndarray) -> np.ndarray:
        moved, p = state[:size].reshape(point.shape), state[size:].reshape(point.shape)
        v, force = metric.hamiltonian_field(move(point, moved), p)
        return np.concatenate([v.reshape(-1), force.reshape(-1)])

    # an error norm is a mean over the batch: the worst of it must pass
    share = rtol / np.sqrt(batch)
    way = until * np.abs(velocity).max(initial=0.0)
    push = np.abs(momentum).max(initial=0.0)
    atol = share * np.repeat([way or 1.0, push or 1.0], size)
    start = np.concatenate([np.zeros(size), momentum.reshape(-1)])
    try:
        flow = integrate(rates, start, until, share, atol, dense, max_steps)
    except Left as left:
        at = move(point, left.state[:size].reshape(point.shape)).reshape(-1)
        place = ", ".join(f"{x:.6g}" for x in at[:6]) + ", …" * (at.size > 6)
        raise DomainError(
            f"{name}: the geodesic leaves the chart at t = {left.t:.6g} of {until:g}, at "
            f"[{place}] ({left}); take a shorter {name}, or stop before that time"
        ) from None
    return Ray(metric, point, velocity, momentum, until, rtol, flow)


def both_ways(
    metric: AbstractMetric, point: np.ndarray, velocity: np.ndarray
) -> Callable[[ArrayLike], np.ndarray]:
    """Return the ray as geomstats wants it: a function of any times, batch axes before times.

    Parameters
    ----------
    metric : Metric
    point, velocity : ndarray, shape (..., n, d) or (..., d)

    Returns
    -------
    callable
        From times, a number or (k,), of either sign, to points (..., k, n, d) or (..., k, d).
    """
    batch = point.ndim - len(metric.space.shape)

    def path(t: ArrayLike) -> np.ndarray:
        times = np.atleast_1d(check_array("t", t))
        found = np.empty((len(times), *point.shape))
        for sign in (1.0, -1.0):
            mine = times * sign >= 0
            last = np.abs(times[mine]).max(initial=0.0)
            if last > 0:
                found[mine] = ray(metric, point, sign * velocity, last)(np.abs(times[mine]))
        found[times == 0] = point
        return np.moveaxis(found, 0, batch)

    return path
