"""Numerical checks of a metric and of a geodesic, for users' own as for ours.

``assert gn.check_metric(metric)`` in a test says that a hand-written metric obeys its contract;
printing the report shows by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..errors import ConvergenceError, DomainError, InputError
from ..geodesics import Geodesic, geodesic
from ..geometry.metric import by_unit_vectors
from ..geometry.space import ChartSpace, FunctionSpace
from ..utils.validation import check_array
from .base import Metric

__all__ = ["Check", "CheckReport", "check_geodesic", "check_metric"]

FINE = 512
"""Steps at which the energy of a polynomial path is summed."""

EIGENVALUE_LIMIT = 128
"""Largest n·d for which positivity is read off the eigenvalues, not off random vectors."""


@dataclass(frozen=True)
class Check:
    """One law, how far it is from holding, and how far it may be."""

    law: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within its tolerance."""
        return bool(self.error <= self.tolerance)


@dataclass(frozen=True)
class CheckReport:
    """All checks of one object; true where all pass.

    Examples
    --------
    >>> import geomnet as gn
    >>> report = gn.check_metric(gn.L2Metric(gn.FunctionSpace([[0.0, 0.0], [1.0, 0.0]])))
    >>> bool(report)
    True
    >>> print(report.checks[0].law)
    symmetric: <u,v> = <v,u>
    """

    subject: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """Checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        width = max(len(check.law) for check in self.checks)
        rows = [
            f"  {'ok  ' if check.passed else 'FAIL'}  {check.law:<{width}}  "
            f"{check.error:.1e} ≤ {check.tolerance:.0e}"
            for check in self.checks
        ]
        return "\n".join([f"{self.subject}: {'passed' if self.passed else 'FAILED'}", *rows])

    __repr__ = __str__


def check_metric(
    metric: Metric, points: Any = None, *, n_points: int = 3, seed: int = 0
) -> CheckReport:
    """Check the laws of a metric's contract at random points and vectors.

    Parameters
    ----------
    metric : Metric
    points : array_like, shape (k, n, d) or (k, d), optional
        Where to check; by default near the identity of the metric's space, or drawn from its chart.
    n_points : int
        How many default points.
    seed : int

    Returns
    -------
    CheckReport
        Errors are relative. Derivatives are held against central differences, so their
        tolerance is 1e-5.
    """
    if not isinstance(metric, Metric):
        raise InputError(f"metric: expected a gn.Metric, got {metric!r}")
    rng = np.random.default_rng(seed)
    space = metric.space
    if points is None:
        drawn = cast("FunctionSpace | ChartSpace", space)
        points = np.stack([drawn.random_point(seed=rng) for _ in range(n_points)])
    x = check_array("points", points, shape=(None, *space.shape))
    # vectors of the size of the sample's spread: laws hold in any units
    spread = float(x.std(axis=tuple(range(x.ndim - 1))).max()) or 1.0
    u, v, w = (spread * rng.normal(size=x.shape) for _ in range(3))
    inner, checks = metric.inner_product, []
    axes = tuple(range(-len(space.shape), 0))
    if len(axes) == 1:
        # a chart may end nearby: vectors along which the metric does not change by more than itself
        size = _reach(metric, x, np.stack([u, v, w]))
        u, v, w = size * u, size * v, size * w

    def add(law: str, error: Any, scale: Any, tolerance: float) -> None:
        size = float(np.max(np.abs(scale))) or 1.0
        checks.append(Check(law, float(np.max(np.abs(error))) / size, tolerance))

    def report() -> CheckReport:
        return CheckReport(f"check_metric({metric!r})", tuple(checks))

    uv, uu, vv = (np.asarray(inner(a, b, x)) for a, b in ((u, v), (u, u), (v, v)))
    size = np.sqrt(np.abs(uu * vv))
    add("symmetric: <u,v> = <v,u>", uv - inner(v, u, x), size, 1e-9)
    mixed = inner(2.0 * u - 3.0 * w, v, x) - 2.0 * uv + 3.0 * inner(w, v, x)
    add("bilinear: <2u-3w,v> = 2<u,v> - 3<w,v>", mixed, size, 1e-9)
    one_by_one = np.array([inner(a, b, p) for a, b, p in zip(u, v, x)])
    batched = np.inf if uv.shape != (len(x),) else uv - one_by_one
    add("batched as one by one", batched, size, 1e-9)
    if uv.shape != (len(x),):
        return report()  # what follows needs values point by point
    not_positive = int((~(uu > 0)).sum())
    flat = metric.flat(u, x)
    add("flat: flat(u).v = <u,v>", np.sum(flat * v, axis=axes) - uv, size, 1e-8)
    if x[0].size <= EIGENVALUE_LIMIT:
        dense = by_unit_vectors(metric.flat, x)
        values = np.linalg.eigvalsh(dense + np.swapaxes(dense, -1, -2))
        not_positive += int((values <= 1e-15 * np.abs(values).max(axis=-1, keepdims=True)).sum())
    checks.append(Check("positive: <u,u> > 0", float(not_positive), 0.0))
    if not_positive:
        return report()  # no sharp, and no path to take steps on
    add("sharp(flat(u)) = u", metric.sharp(flat, x) - u, u, 1e-6)
    h = 1e-5
    slope = (inner(u, u, x + h * v) - inner(u, u, x - h * v)) / (2 * h)
    q = metric.quadratic_gradient(u, x)
    scale = np.maximum(np.abs(slope), uu)
    add("quadratic_gradient = d<u,u>/dx", np.sum(q * v, axis=axes) - slope, scale, 1e-5)
    reach = 1e-2
    start, end = x, x + reach * u
    forth = metric.squared_step(start, end)
    add("squared_step symmetric", forth - metric.squared_step(end, start), forth, 1e-9)
    tiny = (
        1e-4
        * metric.squared_step(x, x + 1e-2 * reach * u)
        / metric.squared_step(x, x + 1e-4 * reach * u)
    )
    near = metric.squared_step(x, x + 1e-3 * u) / 1e-6
    add("squared_step -> <u,u>", near - uu, uu, 1e-1)
    add("squared_step of second degree", tiny - 1.0, 1.0, 1e-2)
    _check_steps(metric, start, end, v, w, add)
    return report()


def _reach(metric: Metric, points: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Factors (k, 1) that shorten vectors (j, k, d) to where the metric has changed by itself."""
    h = 1e-7
    rates = np.zeros(len(points))
    for v in vectors:
        here, there = metric.inner_product(v, v, points), metric.inner_product(v, v, points + h * v)
        with np.errstate(all="ignore"):
            rates = np.fmax(rates, np.abs(np.asarray(there) / np.asarray(here) - 1) / h)
    return 1 / np.maximum(1.0, np.where(np.isfinite(rates), rates, 1.0))[:, None]


def _check_steps(
    metric: Metric, start: np.ndarray, end: np.ndarray, v: np.ndarray, w: np.ndarray, add: Any
) -> None:
    """Gradient and Hessian of the squared steps against central differences."""
    steps = metric.steps(start, end)
    add(
        "steps agree with squared_step",
        steps.squared - metric.squared_step(start, end),
        steps.squared,
        1e-9,
    )
    h = 1e-3 * float(np.abs(end - start).max() / np.abs(v).max())

    def moved(t: float) -> tuple[np.ndarray, np.ndarray]:
        return start + t * v, end + t * w

    slope = (metric.squared_step(*moved(h)) - metric.squared_step(*moved(-h))) / (2 * h)
    gx, gy = steps.gradients()
    along = np.sum(gx * v + gy * w, axis=tuple(range(1, v.ndim)))
    scale = np.maximum(np.abs(slope), np.sqrt(np.abs(steps.squared * metric.squared_norm(w, end))))
    add("gradients = d(squared_step)", along - slope, scale, 1e-4)
    ahead, behind = metric.steps(*moved(h)).gradients(), metric.steps(*moved(-h)).gradients()
    hx, hy = steps.hessian_product(v, w)
    for name, product, a, b in zip(("start", "end"), (hx, hy), ahead, behind):
        change = (a - b) / (2 * h)
        add(f"hessian_product = d(gradients), {name}", product - change, change, 1e-4)
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=v.shape), rng.normal(size=w.shape)
    ax, ay = steps.hessian_product(a, b)
    left, right = np.sum(hx * a + hy * b), np.sum(ax * v + ay * w)
    add("hessian_product symmetric", left - right, max(abs(left), abs(right)), 1e-8)


def _finite(energy: Any, states: np.ndarray) -> float:
    """Energy of a path, infinite outside the metric's domain."""
    try:
        return energy(states)
    except DomainError:
        return np.inf


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
    metric = geo.metric
    if metric is None:
        raise InputError("geo: has no metric (it was loaded from a file); solve it anew")
    path, n = geo.path, geo.n_steps
    checks: list[Check] = []
    smooth = geo.coefficients is not None
    if np.array_equal(path[0], path[-1]):
        longest = max(geo.distance, geo.length, geo.energy, float(np.ptp(path, axis=0).max()))
        checks.append(Check("equal ends: nothing moves", longest, 0.0))
        return CheckReport(f"check_geodesic({geo.method})", tuple(checks))
    allowed = 10 * geo.error_estimate + 1e-7 * geo.distance
    scale = geo.distance or 1.0

    def energy(states: np.ndarray) -> float:
        count = len(states) - 1
        fine = float(count * metric.squared_step(states[:-1], states[1:]).sum())
        if not smooth:
            return fine
        # a polynomial minimises the integral, not a sum of steps: extrapolate to it
        states = states[::2]
        coarse = float(count / 2 * metric.squared_step(states[:-1], states[1:]).sum())
        return (4 * fine - coarse) / 3

    rng = np.random.default_rng(seed)
    times = np.linspace(0, 1, FINE + 1 if smooth else n + 1)
    states = geo(times) if smooth else path
    shape = (-1, *[1] * (path.ndim - 1))
    if smooth:
        modes = np.sin(np.pi * np.outer(times, np.arange(1, 5)))
        bump = np.tensordot(modes, rng.normal(size=(4, *path.shape[1:])), axes=1)
    else:
        bump = rng.normal(size=path.shape) * np.sin(np.pi * times).reshape(shape)
    bump *= 1e-3 * np.abs(path[-1] - path[0]).max() / np.abs(bump).max()
    while not np.isfinite(_finite(energy, states + bump) + _finite(energy, states - bump)):
        bump *= 0.1  # near its edge, a chart has room for small ones only
    level, up, down = energy(states), energy(states + bump), energy(states - bump)
    rise = 0.5 * (up + down) - level
    checks.append(Check("energy as recorded", abs(level / geo.energy - 1), 1e-6))
    checks.append(
        Check(
            "energy stationary under a random bump",
            abs(up - down) / max(abs(rise), 1e-300),
            1e-2,
        )
    )
    if geo.certificate.locally_shortest:
        checks.append(Check("energy rises under a random bump", max(0.0, -rise / level), 0.0))
    variation = geo.certificate.speed_variation
    surplus = geo.energy / geo.length**2 - 1 if geo.length else 0.0
    checks.append(Check("energy = length² (constant speed)", abs(surplus), variation**2 + 1e-12))
    v = geo.initial_velocity
    speed = float(np.sqrt(metric.inner_product(v, v, path[0])))
    checks.append(
        Check(
            "norm of the initial velocity = distance",
            abs(speed / scale - 1),
            variation + 1e-6 + allowed / scale,
        )
    )
    try:
        back = geodesic(
            metric, path[-1], path[0], n, initial_path=path[::-1], certify_index=False
        ).distance
        halves = [
            geodesic(metric, a, b, n, certify_index=False).distance
            for a, b in ((path[0], path[n // 2]), (path[n // 2], path[-1]))
        ]
        checks.append(
            Check("same distance backwards", abs(back - geo.distance) / scale, allowed / scale)
        )
        checks.append(
            Check(
                "halves add up to the whole",
                abs(sum(halves) - geo.distance) / scale,
                2 * allowed / scale + variation**2,
            )
        )
    except ConvergenceError:
        checks.append(Check("solves backwards and by halves", np.inf, 0.0))
    polygon = geo.curve.length(metric)
    checks.append(
        Check(
            "polygon no shorter than the distance",
            max(0.0, (geo.distance - polygon) / scale),
            allowed / scale,
        )
    )
    return CheckReport(f"check_geodesic({geo.method})", tuple(checks))
