"""Numerical checks of a metric, for users' own as for ours.

``assert gn.check_metric(metric)`` in a test says that a hand-written metric obeys its contract;
printing the report shows by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.metric import by_unit_vectors
from ..geometry.space import ChartSpace, FunctionSpace
from ..utils.validation import check_array
from .base import Metric

__all__ = ["Check", "CheckReport", "check_metric"]

REACH = 1e-2
"""Length of the steps that are tried, in vectors drawn."""

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
    metric: Metric, points: ArrayLike | None = None, *, n_points: int = 3, seed: int = 0
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
    trial, laws = _Trial.drawn(metric, points, n_points, seed), _Laws()
    _check_product(trial, laws)
    # what follows needs values point by point; then ♯, and a path to take steps on
    if trial.batched and _check_positive(trial, laws):
        _check_derivatives(trial, laws)
        _check_squared_step(trial, laws)
        end = trial.x + REACH * trial.u
        _check_steps(metric, trial.x, end, trial.v, trial.w, laws)
    return CheckReport(f"check_metric({metric!r})", tuple(laws.checks))


class _Laws:
    """The checks so far."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def add(self, law: str, error: Any, scale: Any, tolerance: float) -> None:
        """Check an error relative to the largest of a scale."""
        size = float(np.max(np.abs(scale))) or 1.0
        self.checks.append(Check(law, float(np.max(np.abs(error))) / size, tolerance))


@dataclass(frozen=True)
class _Trial:
    """Points and vectors that a metric's laws are tried on."""

    metric: Metric
    x: np.ndarray
    u: np.ndarray
    v: np.ndarray
    w: np.ndarray

    @classmethod
    def drawn(cls, metric: Metric, points: ArrayLike | None, n_points: int, seed: int) -> _Trial:
        """Draw vectors, and points where none are given."""
        rng = np.random.default_rng(seed)
        space = metric.space
        if points is None:
            drawn = cast("FunctionSpace | ChartSpace", space)
            points = np.stack([drawn.random_point(seed=rng) for _ in range(n_points)])
        x = check_array("points", points, shape=(None, *space.shape))
        # vectors of the size of the sample's spread: laws hold in any units
        spread = float(x.std(axis=tuple(range(x.ndim - 1))).max()) or 1.0
        u, v, w = (spread * rng.normal(size=x.shape) for _ in range(3))
        if len(space.shape) == 1:
            # a chart may end nearby: vectors along which the metric changes by no more than itself
            size = _reach(metric, x, np.stack([u, v, w]))
            u, v, w = size * u, size * v, size * w
        return cls(metric, x, u, v, w)

    @cached_property
    def uv(self) -> np.ndarray:
        """⟨u, v⟩."""
        return np.asarray(self.metric.inner_product(self.u, self.v, self.x))

    @cached_property
    def uu(self) -> np.ndarray:
        """⟨u, u⟩."""
        return np.asarray(self.metric.inner_product(self.u, self.u, self.x))

    @cached_property
    def size(self) -> np.ndarray:
        """√⟨u, u⟩⟨v, v⟩."""
        vv = np.asarray(self.metric.inner_product(self.v, self.v, self.x))
        return np.sqrt(np.abs(self.uu * vv))

    @cached_property
    def flat(self) -> np.ndarray:
        """♭u."""
        return self.metric.flat(self.u, self.x)

    @property
    def batched(self) -> bool:
        """Whether products come point by point."""
        return self.uv.shape == (len(self.x),)

    def pair(self, covectors: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Products of covectors and vectors."""
        axes = tuple(range(-len(self.metric.space.shape), 0))
        return np.asarray(np.sum(covectors * vectors, axis=axes))


def _reach(metric: Metric, points: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Factors (k, 1) that shorten vectors (j, k, d) to where the metric has changed by itself."""
    h = 1e-7
    rates = np.zeros(len(points))
    for v in vectors:
        here, there = metric.inner_product(v, v, points), metric.inner_product(v, v, points + h * v)
        with np.errstate(all="ignore"):
            rates = np.fmax(rates, np.abs(np.asarray(there) / np.asarray(here) - 1) / h)
    return 1 / np.maximum(1.0, np.where(np.isfinite(rates), rates, 1.0))[:, None]


def _check_product(trial: _Trial, laws: _Laws) -> None:
    """A symmetric bilinear form, of many points as of one."""
    inner, x, u, v, w = trial.metric.inner_product, trial.x, trial.u, trial.v, trial.w
    uv, size = trial.uv, trial.size
    laws.add("symmetric: <u,v> = <v,u>", uv - inner(v, u, x), size, 1e-9)
    mixed = inner(2.0 * u - 3.0 * w, v, x) - 2.0 * uv + 3.0 * inner(w, v, x)
    laws.add("bilinear: <2u-3w,v> = 2<u,v> - 3<w,v>", mixed, size, 1e-9)
    one_by_one = np.array([inner(a, b, p) for a, b, p in zip(u, v, x)])
    laws.add("batched as one by one", uv - one_by_one if trial.batched else np.inf, size, 1e-9)


def _check_positive(trial: _Trial, laws: _Laws) -> bool:
    """♭ is that of the product, which is positive; whether it is."""
    metric, x, uu = trial.metric, trial.x, trial.uu
    not_positive = int((~(uu > 0)).sum())
    error = trial.pair(trial.flat, trial.v) - trial.uv
    laws.add("flat: flat(u).v = <u,v>", error, trial.size, 1e-8)
    if x[0].size <= EIGENVALUE_LIMIT:
        dense = by_unit_vectors(metric.flat, x)
        values = np.linalg.eigvalsh(dense + np.swapaxes(dense, -1, -2))
        not_positive += int((values <= 1e-15 * np.abs(values).max(axis=-1, keepdims=True)).sum())
    laws.checks.append(Check("positive: <u,u> > 0", float(not_positive), 0.0))
    return not not_positive


def _check_derivatives(trial: _Trial, laws: _Laws) -> None:
    """♯ is the inverse of ♭, and q the derivative of the form."""
    metric, x, u, v, uu = trial.metric, trial.x, trial.u, trial.v, trial.uu
    inner = metric.inner_product
    laws.add("sharp(flat(u)) = u", metric.sharp(trial.flat, x) - u, u, 1e-6)
    h = 1e-5
    slope = (inner(u, u, x + h * v) - inner(u, u, x - h * v)) / (2 * h)
    q = metric.quadratic_gradient(u, x)
    scale = np.maximum(np.abs(slope), uu)
    laws.add("quadratic_gradient = d<u,u>/dx", trial.pair(q, v) - slope, scale, 1e-5)


def _check_squared_step(trial: _Trial, laws: _Laws) -> None:
    """A squared step is the same both ways, and ⟨u, u⟩ in the small."""
    metric, x, u, uu = trial.metric, trial.x, trial.u, trial.uu
    start, end = x, x + REACH * u
    forth = metric.squared_step(start, end)
    laws.add("squared_step symmetric", forth - metric.squared_step(end, start), forth, 1e-9)
    tiny = (
        1e-4
        * metric.squared_step(x, x + 1e-2 * REACH * u)
        / metric.squared_step(x, x + 1e-4 * REACH * u)
    )
    near = metric.squared_step(x, x + 1e-3 * u) / 1e-6
    laws.add("squared_step -> <u,u>", near - uu, uu, 1e-1)
    laws.add("squared_step of second degree", tiny - 1.0, 1.0, 1e-2)


def _check_steps(
    metric: Metric, start: np.ndarray, end: np.ndarray, v: np.ndarray, w: np.ndarray, laws: _Laws
) -> None:
    """Gradient and Hessian of the squared steps against central differences."""
    steps = metric.steps(start, end)
    laws.add(
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
    laws.add("gradients = d(squared_step)", along - slope, scale, 1e-4)
    ahead, behind = metric.steps(*moved(h)).gradients(), metric.steps(*moved(-h)).gradients()
    hx, hy = steps.hessian_product(v, w)
    for name, product, a, b in zip(("start", "end"), (hx, hy), ahead, behind):
        change = (a - b) / (2 * h)
        laws.add(f"hessian_product = d(gradients), {name}", product - change, change, 1e-4)
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=v.shape), rng.normal(size=w.shape)
    ax, ay = steps.hessian_product(a, b)
    left, right = np.sum(hx * a + hy * b), np.sum(ax * v + ay * w)
    laws.add("hessian_product symmetric", left - right, max(abs(left), abs(right)), 1e-8)
