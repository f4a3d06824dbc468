r"""L-BFGS on the path energy, in the inner product of its frozen-metric stiffness.

For metrics that give the value and the gradient of their steps and nothing more. In the stiffness'
inner product, that of H¹ along the path, the Hessian is the identity plus a compact operator, so
few pairs of steps and gradient changes say what there is to know of it (Nocedal 1980).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ...geometry.metric import StepRule
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ...utils.validation import check_choice, check_integer, check_positive
from ..inertia import UNKNOWN, Inertia
from .newton_cg import straight_guess
from .path_method import PathMethod
from .solution import PathSolution

__all__ = ["PathLBFGS"]

SUFFICIENT, CURVED = 1e-4, 0.9
"""Constants of the strong Wolfe conditions."""

TRIALS = 30

Pairs = deque[tuple[np.ndarray, np.ndarray, float]]
"""Steps, the gradient's changes along them, and their products."""


@dataclass(frozen=True)
class PathLBFGS(PathMethod):
    """L-BFGS on the discrete path energy, preconditioned by the stiffness.

    It asks a metric's steps for values and gradients, never for Hessian products; so it knows
    nothing of the Morse index. Where products exist, :class:`PathNewtonCG` is faster.

    Parameters
    ----------
    tol : float
        On the gradient norm √(gᵀM⁻¹g/E).
    max_iter : int
        For each step count.
    memory : int
        Pairs of steps and gradient changes kept.
    stiffness : {"metric", "flat"}
        What preconditions: the metric along the path, held fixed at each iteration, or that of
        the coordinates, for metrics whose ♯ costs much.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[-1.0], [1.0]])
    >>> metric = gn.EnergyMetric(space, gn.GaussianKernel(1.0))
    >>> method = gn.geodesics.PathLBFGS()
    >>> geo = gn.geodesic(metric, space.identity, [[-0.25], [0.25]], 32, method=method)
    >>> round(geo.distance, 5)
    1.62754
    """

    tol: float = 1e-8
    max_iter: int = 500
    memory: int = 10
    stiffness: str = "metric"

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_integer("max_iter", self.max_iter, least=0)
        check_integer("memory", self.memory, least=1)
        check_choice("stiffness", self.stiffness, ("metric", "flat"))

    def guess(
        self, metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
    ) -> np.ndarray:
        """Return the straight line, or a bow around where it leaves the metric's domain."""
        return straight_guess(metric, start, end, n_steps)

    def solve(self, metric: StepRule, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Minimise the energy over the interior states of a path."""
        energy = PathEnergy(metric)
        state = energy.linearise(path)
        pairs: Pairs = deque(maxlen=self.memory)
        evaluations, iteration = 1, 0
        while state.gradient_norm > self.tol and iteration < self.max_iter:
            iteration += 1
            direction = -self._two_loops(state, pairs)
            if np.vdot(direction, state.gradient) >= 0:
                pairs.clear()
                direction = -self._precondition(state, state.gradient)
            found, spent = _wolfe(energy, state, direction)
            evaluations += spent
            if found is None:
                if not pairs:
                    break
                pairs.clear()  # what was learnt elsewhere may mislead here
                continue
            step = energy.points.difference(state.path[1:-1], found.path[1:-1])
            change = found.gradient - state.gradient
            curvature = float(np.vdot(step, change))
            if curvature > 0:
                pairs.append((step, change, curvature))
            state = found
        norm = state.gradient_norm
        tolerance = self.tol if norm <= self.tol else max(self.tol, 4 * _rounding(energy, state))
        return PathSolution.of(state, self.tol, evaluations, 0, iteration, tolerance)

    def inertia(self, state: LinearisedPath) -> Inertia:
        """Nothing: that takes Hessian products."""
        return UNKNOWN

    def _precondition(self, state: LinearisedPath, residual: np.ndarray) -> np.ndarray:
        """M⁻¹r with the metric's stiffness, or with that of the coordinates at its mean weight."""
        if self.stiffness == "metric":
            return state.precondition(residual)
        squares = np.sum(np.diff(state.path, axis=0) ** 2)
        weight = state.energy / (state.n_steps * squares)
        return flat_solve(residual) / (2 * state.n_steps * weight)

    def _two_loops(self, state: LinearisedPath, pairs: Pairs) -> np.ndarray:
        """Product of the inverse Hessian's estimate with the gradient."""
        q = state.gradient.copy()
        shares = []
        for step, change, curvature in reversed(pairs):
            shares.append(np.vdot(step, q) / curvature)
            q -= shares[-1] * change
        z = self._precondition(state, q)
        for (step, change, curvature), share in zip(pairs, reversed(shares)):
            z = z + (share - np.vdot(change, z) / curvature) * step
        return z


def flat_solve(residual: np.ndarray) -> np.ndarray:
    """Solve DᵀD x = r on the interior states, D the differences: two cumulative sums."""
    count = len(residual) + 1
    fluxes = np.concatenate([np.zeros((1, *residual.shape[1:])), np.cumsum(residual, axis=0)])
    steps = fluxes.mean(axis=0) - fluxes
    return np.cumsum(steps, axis=0)[: count - 1]


def _rounding(energy: PathEnergy, state: LinearisedPath) -> float:
    """Gradient norm that rounding of the states makes, from one more gradient."""
    noise = np.finfo(np.float64).eps * np.abs(state.path)
    noise *= np.random.default_rng(0).choice([-1.0, 1.0], size=noise.shape)
    moved = energy.linearise_or_none(energy.moved(state.path, noise[1:-1]))
    if moved is None:
        return 0.0
    change = moved.gradient - state.gradient
    return float(np.sqrt(abs(np.vdot(change, state.precondition(change))) / state.energy))


def _wolfe(
    energy: PathEnergy, state: LinearisedPath, direction: np.ndarray
) -> tuple[LinearisedPath | None, int]:
    """Step along a direction by the strong Wolfe conditions, by bisection and doubling.

    Where the energy's fall drowns in rounding, a smaller gradient is enough.
    """
    slope = float(np.vdot(state.gradient, direction))
    low, high, size = 0.0, np.inf, 1.0
    best: LinearisedPath | None = None
    for trial in range(1, TRIALS + 1):
        found = energy.linearise_or_none(energy.moved(state.path, size * direction))
        rounding = 1e-14 * state.energy
        if found is None or found.energy > state.energy + SUFFICIENT * size * slope + rounding:
            high = size
        else:
            there = float(np.vdot(found.gradient, direction))
            if abs(there) <= -CURVED * slope:
                return found, trial
            best = found
            low, high = (size, high) if there < 0 else (low, size)
        size = 0.5 * (low + high) if np.isfinite(high) else 2 * size
    return best, TRIALS
