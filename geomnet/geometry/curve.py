r"""Curves of maps: a network's states layer by layer, or the states of a geodesic.

The curve is the *polygon* through its states. Its length in a metric,
:math:`\int\sqrt{\langle\dotφ,\dotφ\rangle}dt`, is computed with every segment subdivided until
converged, so that a network of 8 layers and a geodesic of 16 steps compare, and no polygon is
shorter than the distance between its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConvergenceError, InputError
from ..utils.threads import blas_threads
from ..utils.validation import check_array, check_integer
from .metric import SquaredSteps, points_of
from .points import Points

__all__ = ["Curve"]

LEVELS = 4
"""Romberg levels on one interval before it is halved: 1, 2, 4, 8 parts."""

LEAST_PIECES = 32
"""Intervals a curve is looked at in before any may pass: a narrow peak must not be missed."""

MOST_INTERVALS = 64
"""Intervals a segment may be in at once before its metric counts as rough everywhere."""

GENERATIONS = 40
"""Halvings before a segment counts as one whose points collide."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of observed maps, through given states.

    Parameters
    ----------
    states : array_like, shape (L+1, n, d)
        The maps the curve passes through; points of a chart are (L+1, d).
    times : array_like, shape (L+1,), optional
        Increasing times; uniform on [0, 1] by default.

    Examples
    --------
    A quarter turn of two points, as a polygon of 64 sides:

    >>> import numpy as np, geomnet as gn
    >>> t = np.linspace(0, np.pi / 2, 65)
    >>> circle = np.stack([np.cos(t), np.sin(t)], axis=-1)
    >>> curve = gn.Curve(np.stack([circle, -circle], axis=1))
    >>> round(curve.length(gn.L2Metric(gn.FunctionSpace(curve.start))), 3)
    1.571
    """

    states: np.ndarray
    times: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        states = check_array("states", self.states)
        if states.ndim not in (2, 3):
            raise InputError(
                f"states: expected maps, (L+1, n, d), or points, (L+1, d); got {states.shape}"
            )
        if len(states) < 2:
            raise InputError("states: a curve needs at least two states, its ends")
        if self.times is None:
            times = np.linspace(0.0, 1.0, len(states))
        else:
            times = check_array("times", self.times, shape=(len(states),))
            if (np.diff(times) <= 0).any():
                raise InputError("times: must increase from state to state")
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "times", times)

    @classmethod
    def from_activations(cls, activations: Sequence[Any], times: Any = None) -> Curve:
        """Make a curve from the recorded activations of any network of one width.

        Parameters
        ----------
        activations : sequence of array_like, each (n, d)
            The input, then the activations after each layer.
        times : array_like, optional

        Raises
        ------
        InputError
            Where layers have different widths: they are then no curve in one space of maps.
        """
        arrays = [check_array(f"activations[{i}]", a, ndim=2) for i, a in enumerate(activations)]
        shapes = {a.shape for a in arrays}
        if len(shapes) != 1:
            raise InputError(
                f"activations: a curve needs layers of one width, got {sorted(shapes)}; "
                "take a block of layers of equal width"
            )
        return cls(np.stack(arrays), times)

    @property
    def start(self) -> np.ndarray:
        """First state, (n, d)."""
        return self.states[0]

    @property
    def end(self) -> np.ndarray:
        """Last state, (n, d)."""
        return self.states[-1]

    @property
    def n_steps(self) -> int:
        """Number of segments."""
        return len(self.states) - 1

    def __repr__(self) -> str:
        n = "".join(f", n={n}" for n in self.start.shape[:-1])
        return f"Curve(n_steps={self.n_steps}{n}, dim={self.start.shape[-1]})"

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """States at times `t` (a number, or shape (k,)) on the polygon."""
        t = np.asarray(t, dtype=np.float64)
        if not ((t >= self.times[0]) & (t <= self.times[-1])).all():
            raise InputError(f"t: outside the curve's times [{self.times[0]}, {self.times[-1]}]")
        k = np.clip(np.searchsorted(self.times, t, side="right") - 1, 0, self.n_steps - 1)
        share = (t - self.times[k]) / (self.times[k + 1] - self.times[k])
        share = share[(..., *[None] * self.start.ndim)]
        return (1 - share) * self.states[k] + share * self.states[k + 1]

    def step_lengths(self, metric: SquaredSteps, rtol: float = 1e-8) -> np.ndarray:
        r"""Length of every segment, subdivided until converged, (L,).

        Each segment is cut in 1, 2, 4, 8 equal parts, whose lengths are
        :math:`\sqrt{s(a, b)}` with the metric's squared step, and extrapolated (Romberg; the
        error of a symmetric step has even powers only); where that is not enough it is halved.

        Parameters
        ----------
        metric : Metric
        rtol : float
            Tolerance relative to the length of the curve.

        Raises
        ------
        ConvergenceError
            When 40 halvings are not enough: points collide on the curve.
        """
        with blas_threads(len(self.start)):
            return self._converge(metric, rtol, lambda squared: np.sqrt(np.maximum(squared, 0)), 1)

    def length(self, metric: SquaredSteps, rtol: float = 1e-8) -> float:
        """Length of the polygon in a metric; see :meth:`step_lengths`."""
        return float(self.step_lengths(metric, rtol).sum())

    def energy(self, metric: SquaredSteps, rtol: float = 1e-8) -> float:
        """Energy ∫⟨φ̇, φ̇⟩dt of the polygon over its times, at least length²/duration."""
        with blas_threads(len(self.start)):
            per_unit = self._converge(metric, rtol, lambda squared: squared, 2)
        return float(np.sum(per_unit / np.diff(self.times)))

    def speed(self, metric: SquaredSteps, rtol: float = 1e-8) -> np.ndarray:
        """Mean speed on each segment, its length over its duration, (L,)."""
        return self.step_lengths(metric, rtol) / np.diff(self.times)

    def resample(self, n_steps: int, metric: SquaredSteps | None = None) -> Curve:
        """Return the polygon's states at `n_steps` + 1 equidistant places.

        Parameters
        ----------
        n_steps : int
        metric : Metric, optional
            Equidistant in arc length of this metric (constant speed, up to the corners cut);
            in time by default.
        """
        n_steps = check_integer("n_steps", n_steps, least=1)
        if metric is None:
            places = np.linspace(self.times[0], self.times[-1], n_steps + 1)
        else:
            fine = self.refine(max(1, -(-4 * n_steps // self.n_steps)))
            arc = np.concatenate([[0.0], np.cumsum(fine.step_lengths(metric, 1e-6))])
            places = np.interp(np.linspace(0, arc[-1], n_steps + 1), arc, fine.times)
            places[[0, -1]] = self.times[[0, -1]]
            if arc[-1] == 0 or (np.diff(places) <= 0).any():
                places = np.linspace(self.times[0], self.times[-1], n_steps + 1)
        return Curve(
            self(places), np.linspace(0.0, 1.0, n_steps + 1) if metric is not None else places
        )

    def refine(self, parts: int) -> Curve:
        """Cut every segment into `parts` equal parts: the same polygon, more states."""
        parts = check_integer("parts", parts, least=1)
        times = np.interp(
            np.arange(self.n_steps * parts + 1) / parts, np.arange(self.n_steps + 1), self.times
        )
        return Curve(self(times), times)

    def _converge(
        self,
        metric: SquaredSteps,
        rtol: float,
        of_squared: Callable[[np.ndarray], np.ndarray],
        power: int,
    ) -> np.ndarray:
        """Adaptive quadrature of every segment: Romberg sums on intervals, halved where needed.

        Points that pass close by each other make the integrand peak; halving finds the peak.
        """
        points = points_of(metric)
        start, step = self.states[:-1], points.difference(self.states[:-1], self.states[1:])
        total = np.zeros(self.n_steps)
        pieces = 2 ** max(0, int(np.ceil(np.log2(LEAST_PIECES / self.n_steps))))
        size = 1.0 / pieces
        segment = np.repeat(np.arange(self.n_steps), pieces)
        low = np.tile(size * np.arange(pieces), self.n_steps)
        for _ in range(GENERATIONS):
            value, converged = _romberg(
                metric,
                points,
                start[segment],
                step[segment],
                low,
                size,
                of_squared,
                power,
                lambda found: rtol * max(total.sum(), found) / self.n_steps,
            )
            np.add.at(total, segment[converged], value[converged])
            segment, low = segment[~converged], low[~converged]
            if not len(segment):
                return total
            if len(segment) > MOST_INTERVALS * max(self.n_steps, LEAST_PIECES):
                break
            size /= 2
            segment = np.concatenate([segment, segment])
            low = np.concatenate([low, low + size])
        raise ConvergenceError(
            f"length: {len(np.unique(segment))} of {self.n_steps} segments did not converge to "
            f"{rtol:g}; points collide on this curve, or the metric is rough; take a larger rtol",
            total,
        )


def _romberg(
    metric: SquaredSteps,
    points: Points,
    start: np.ndarray,
    step: np.ndarray,
    low: np.ndarray,
    size: float,
    of_squared: Callable[[np.ndarray], np.ndarray],
    power: int,
    tolerance: Callable[[float], float],
) -> tuple[np.ndarray, np.ndarray]:
    """Romberg values on the intervals [low, low + size] of segments, and which converged."""
    result = np.zeros(len(low))
    converged = np.zeros(len(low), dtype=bool)
    active = np.arange(len(low))
    rows: list[np.ndarray] = []
    # states are rounded, and steps between them more so the shorter they are
    inner = tuple(range(1, start.ndim))
    spread = np.abs(step).max(axis=inner)
    noise = 8 * np.finfo(np.float64).eps * np.abs(start).max(axis=inner)
    noise = np.divide(noise, size * spread, out=np.zeros_like(noise), where=spread > 0)
    for level in range(LEVELS):
        parts = 2**level
        knots = low[active] + size / parts * np.arange(parts + 1)[:, None]
        nodes = points.retract(start[active], knots[(..., *[None] * len(inner))] * step[active])
        shape = (parts * len(active), *start.shape[1:])
        squared = metric.squared_step(nodes[:-1].reshape(shape), nodes[1:].reshape(shape)).reshape(
            parts, len(active)
        )
        # lengths of parts add; the energy of a part is its squared step over its duration
        row = [(parts / size) ** (power - 1) * of_squared(squared).sum(axis=0)]
        for j, above in enumerate(rows):
            row.append(row[j] + (row[j] - above) / (4.0 ** (j + 1) - 1))
        result[active] = row[-1]
        rows_before, rows = rows, row
        if level >= 2:
            # the change against the last level's best, and within this level
            change = np.maximum(np.abs(row[-1] - rows_before[-1]), np.abs(row[-1] - row[-2]))
            floor = np.maximum(1e-14, parts * noise[active]) * np.abs(row[-1])
            left = change > np.maximum(tolerance(result.sum()), floor)
            converged[active[~left]] = True
            active, rows = active[left], [column[left] for column in row]
            if not len(active):
                break
    return result, converged
