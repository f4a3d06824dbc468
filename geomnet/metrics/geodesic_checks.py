"""Numerical checks of a geodesic, by laws its solver did not use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import ConvergenceError, DomainError, InputError
from ..geodesics import Geodesic, geodesic
from ..geometry.metric import AbstractMetric
from .checks import Check, CheckReport

__all__ = ["check_geodesic"]

FINE = 512
"""Steps at which the energy of a polynomial path is summed."""


def check_geodesic(geo: Geodesic, *, seed: int = 0) -> CheckReport:
    """Check a geodesic by laws its solver did not use.

    Parameters
    ----------
    geo : Geodesic
        With its metric (not one loaded from a file).
    seed : int
        Of the perturbations.

    Returns
    -------
    CheckReport

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[-1.0], [1.0]])
    >>> metric = gn.EnergyMetric(space, gn.GaussianKernel(1.0))
    >>> geo = gn.geodesic(metric, space.identity, [[-0.5], [0.7]], n_steps=32)
    >>> bool(gn.check_geodesic(geo))
    True
    """
    if not isinstance(geo, Geodesic):
        raise InputError(f"geo: expected a gn.geodesics.Geodesic, got {geo!r}")
    if geo.metric is None:
        raise InputError("geo: has no metric (it was loaded from a file); solve it anew")
    if np.array_equal(geo.path[0], geo.path[-1]):
        longest = max(geo.distance, geo.length, geo.energy, float(np.ptp(geo.path, axis=0).max()))
        checks = [Check("equal ends: nothing moves", longest, 0.0)]
    else:
        checks = [
            *_energy_checks(geo, geo.metric, seed),
            *_speed_checks(geo, geo.metric),
            *_distance_checks(geo, geo.metric),
        ]
    return CheckReport(f"check_geodesic({geo.method})", tuple(checks))


def _allowed(geo: Geodesic) -> float:
    """What distances may differ by."""
    return 10 * geo.error_estimate + 1e-7 * geo.distance


def _energy(geo: Geodesic, metric: AbstractMetric, states: np.ndarray) -> float:
    """Energy of a path, infinite outside the metric's domain."""
    count = len(states) - 1
    try:
        fine = float(count * metric.squared_step(states[:-1], states[1:]).sum())
        if geo.coefficients is None:
            return fine
        # a polynomial minimises the integral, not a sum of steps: extrapolate to it
        states = states[::2]
        coarse = float(count / 2 * metric.squared_step(states[:-1], states[1:]).sum())
    except DomainError:
        return np.inf
    return (4 * fine - coarse) / 3


def _bump(geo: Geodesic, times: np.ndarray, seed: int) -> np.ndarray:
    """A random bump of a thousandth of the geodesic's size, zero at the ends."""
    rng, path = np.random.default_rng(seed), geo.path
    if geo.coefficients is not None:
        modes = np.sin(np.pi * np.outer(times, np.arange(1, 5)))
        bump = np.tensordot(modes, rng.normal(size=(4, *path.shape[1:])), axes=1)
    else:
        shape = (-1, *[1] * (path.ndim - 1))
        bump = rng.normal(size=path.shape) * np.sin(np.pi * times).reshape(shape)
    bump *= 1e-3 * np.abs(path[-1] - path[0]).max() / np.abs(bump).max()
    return bump


def _energy_checks(geo: Geodesic, metric: AbstractMetric, seed: int) -> Iterator[Check]:
    """The energy is the least of all paths nearby."""
    smooth = geo.coefficients is not None
    times = np.linspace(0, 1, FINE + 1 if smooth else geo.n_steps + 1)
    states = geo(times) if smooth else geo.path
    bump = _bump(geo, times, seed)
    up, down = (_energy(geo, metric, states + side * bump) for side in (1, -1))
    while not np.isfinite(up + down):
        bump *= 0.1  # near its edge, a chart has room for small ones only
        up, down = (_energy(geo, metric, states + side * bump) for side in (1, -1))
    level = _energy(geo, metric, states)
    rise = 0.5 * (up + down) - level
    yield Check("energy as recorded", abs(level / geo.energy - 1), 1e-6)
    stationary = abs(up - down) / max(abs(rise), 1e-300)
    yield Check("energy stationary under a random bump", stationary, 1e-2)
    if geo.certificate.locally_shortest:
        yield Check("energy rises under a random bump", max(0.0, -rise / level), 0.0)


def _speed_checks(geo: Geodesic, metric: AbstractMetric) -> Iterator[Check]:
    """The speed is constant, and the distance."""
    scale, variation = geo.distance or 1.0, geo.certificate.speed_variation
    surplus = geo.energy / geo.length**2 - 1 if geo.length else 0.0
    yield Check("energy = length² (constant speed)", abs(surplus), variation**2 + 1e-12)
    v = geo.initial_velocity
    speed = float(np.sqrt(metric.inner_product(v, v, geo.path[0])))
    yield Check(
        "norm of the initial velocity = distance",
        abs(speed / scale - 1),
        variation + 1e-6 + _allowed(geo) / scale,
    )


def _distance_checks(geo: Geodesic, metric: AbstractMetric) -> Iterator[Check]:
    """The distance is that of the way back, and of both halves; no polygon is shorter."""
    path, n, scale = geo.path, geo.n_steps, geo.distance or 1.0
    allowed, variation = _allowed(geo), geo.certificate.speed_variation
    try:
        back = geodesic(
            metric, path[-1], path[0], n, initial_path=path[::-1], certify_index=False
        ).distance
        halves = [
            geodesic(metric, a, b, n, certify_index=False).distance
            for a, b in ((path[0], path[n // 2]), (path[n // 2], path[-1]))
        ]
        yield Check("same distance backwards", abs(back - geo.distance) / scale, allowed / scale)
        yield Check(
            "halves add up to the whole",
            abs(sum(halves) - geo.distance) / scale,
            2 * allowed / scale + variation**2,
        )
    except ConvergenceError:
        yield Check("solves backwards and by halves", np.inf, 0.0)
    polygon = geo.curve.length(metric)
    yield Check(
        "polygon no shorter than the distance",
        max(0.0, (geo.distance - polygon) / scale),
        allowed / scale,
    )
