r"""The discrete path energy, its gradient, Hessian products and stiffness preconditioner.

For a path :math:`Z_0..Z_N` with steps :math:`u_k = Z_{k+1}-Z_k` and midpoints :math:`m_k`,

.. math:: E = N\sum_k s(Z_k, Z_{k+1}), \qquad s = \langle u_k, u_k\rangle_{m_k},

the midpoint rule for :math:`\int\langle\dot φ, \dot φ\rangle dt`, of order 2. With
:math:`q(m,u) = ∂_m\langle u,u\rangle_m` and ♭ the metric,
:math:`∂E/∂Z_k = N[2(♭u_{k-1} - ♭u_k) + \tfrac12(q_{k-1}+q_k)]`. A metric may give a squared step
:math:`s` of its own instead, as Fisher–Rao does with its closed distance.

The *frozen-metric stiffness* is the Hessian with the metric held fixed, :math:`M = 2N\,D^\top GD`
with :math:`D` the differences. It is solved in closed form by the cometric ♯: with
:math:`p_k = λ - c_k`, :math:`c_k = \sum_{j\le k} r_j/2N`, the steps are
:math:`u_k = ♯_kp_k` and the ends close by :math:`(\sum_k♯_k)λ = \sum_k♯_kc_k`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import DomainError
from .metric import StepRule, points_of
from .points import Points, moved
from .steps import Steps

__all__ = ["LinearisedPath", "PathEnergy"]


class LinearisedPath:
    """A path with its energy, gradient, Hessian products and preconditioner.

    The unknowns are the interior states, shape (N−1, n, d).
    """

    def __init__(self, path: np.ndarray, steps: Steps, metric: StepRule | None = None) -> None:
        self.metric = metric
        self.path = path
        self.steps = steps
        self.n_steps = len(path) - 1
        self.energy = float(self.n_steps * steps.squared.sum())

    @property
    def step_lengths(self) -> np.ndarray:
        """Lengths √s of the steps, (N,)."""
        return np.sqrt(np.maximum(self.steps.squared, 0.0))

    @cached_property
    def gradient(self) -> np.ndarray:
        """∂E/∂Z at the interior states, (N−1, n, d)."""
        return self.n_steps * self.steps.along_path()

    @cached_property
    def smoothed_gradient(self) -> np.ndarray:
        """M⁻¹∂E: the gradient in the inner product of the stiffness, (N−1, n, d)."""
        return self.precondition(self.gradient)

    @property
    def gradient_norm(self) -> float:
        """√(gᵀM⁻¹g/E): free of the metric's scale and of the number of steps."""
        square = np.vdot(self.gradient, self.smoothed_gradient)
        return float(np.sqrt(max(square, 0.0) / self.energy))

    @cached_property
    def rounding(self) -> float:
        """Gradient norm that rounding of the states alone makes; costs a Hessian product.

        Maps that lie close together are joined by a path whose energy is small against the
        rounding of its states, so the norm, relative to that energy, cannot fall below this.
        """
        inner = self.path[1:-1]
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=inner.shape)
        noise = np.finfo(np.float64).eps * np.abs(inner) * signs
        square = abs(np.vdot(noise, self.hessian_product(noise)))
        return float(np.sqrt(square / self.energy))

    def tolerance(self, tol: float) -> float:
        """Return `tol`, or what rounding leaves of it."""
        return tol if self.gradient_norm <= tol else max(tol, 4 * self.rounding)

    @property
    def initial_momentum(self) -> np.ndarray:
        """−½∂E/∂Z_0: the discrete path's momentum at its start (order 2), (n, d)."""
        return -0.5 * self.n_steps * self.steps.gradients()[0][0]

    def hessian_product(self, direction: np.ndarray) -> np.ndarray:
        """Exact Hessian of E times a direction, (N−1, n, d)."""
        edge = np.zeros((1, *direction.shape[1:]))
        moved = np.concatenate([edge, direction, edge])
        start, end = self.steps.hessian_product(moved[:-1], moved[1:])
        return self.n_steps * (end[:-1] + start[1:])

    def precondition(self, residual: np.ndarray) -> np.ndarray:
        """Solve M x = residual with the frozen-metric stiffness M, (N−1, n, d)."""
        edge = np.zeros((1, *residual.shape[1:]))
        c = np.cumsum(np.concatenate([edge, residual]), axis=0) / (2 * self.n_steps)
        spread = self.steps.sharp(c)
        multiplier = self.steps.solve_sharp_sum(spread.sum(axis=0))
        u = self.steps.sharp(np.broadcast_to(multiplier, c.shape)) - spread
        return np.cumsum(u[:-1], axis=0)


@dataclass(frozen=True)
class PathEnergy:
    """The discrete energy of paths in a metric, as a function of their states.

    Parameters
    ----------
    metric : Metric or LeftRule
        Asked for ``steps(start, end)`` and ``squared_step(start, end)`` only.
    """

    metric: StepRule

    @property
    def points(self) -> Points:
        """How states move."""
        return points_of(self.metric)

    def moved(self, path: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Path whose interior states have moved by a step (N−1, n, d)."""
        return moved(self.points, path, step)

    def linearise(self, path: np.ndarray) -> LinearisedPath:
        """Energy and derivatives at `path`, shape (N+1, n, d)."""
        return LinearisedPath(path, self.metric.steps(path[:-1], path[1:]), self.metric)

    def value(self, path: np.ndarray) -> float:
        """Energy of a path; infinite where it leaves the metric's domain."""
        if not np.isfinite(path).all():
            return np.inf
        try:
            with np.errstate(over="ignore"):  # what overflows is infinite
                squared = self.metric.squared_step(path[:-1], path[1:])
                energy = float((len(path) - 1) * np.sum(squared))
        except (DomainError, FloatingPointError):
            return np.inf
        return energy if np.isfinite(energy) else np.inf

    def linearise_or_none(self, path: np.ndarray) -> LinearisedPath | None:
        """As :meth:`linearise`, None where the path leaves the metric's domain."""
        if not np.isfinite(path).all():
            return None
        try:
            state = self.linearise(path)
        except (DomainError, FloatingPointError):
            return None
        return state if np.isfinite(state.energy) else None
