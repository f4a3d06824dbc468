"""What a method returns for one step count, and the contract of methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ..path_energy import LinearisedPath

__all__ = ["Method", "PathSolution"]


@dataclass(frozen=True)
class PathSolution:
    """A discrete path as one method left it at one step count."""

    path: np.ndarray
    energy: float
    step_lengths: np.ndarray
    gradient_norm: float
    tolerance: float
    converged: bool
    gradient_evaluations: int
    hessian_products: int
    iterations: int

    @classmethod
    def of(
        cls,
        state: LinearisedPath,
        tol: float,
        gradient_evaluations: int,
        hessian_products: int,
        iterations: int,
    ) -> tuple[LinearisedPath, PathSolution]:
        """Read a linearised path; the state itself goes beside it, for who still needs it."""
        norm, tolerance = state.gradient_norm, state.tolerance(tol)
        return state, cls(
            path=state.path,
            energy=state.energy,
            step_lengths=state.step_lengths,
            gradient_norm=norm,
            tolerance=tolerance,
            converged=norm <= tolerance,
            gradient_evaluations=gradient_evaluations,
            hessian_products=hessian_products,
            iterations=iterations,
        )

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.path) - 1

    @property
    def length(self) -> float:
        """Length of the discrete path."""
        return float(self.step_lengths.sum())

    @property
    def speed_variation(self) -> float:
        """Largest relative deviation of a step's length from the mean."""
        return float(np.max(np.abs(self.step_lengths / self.step_lengths.mean() - 1)))


class Method(Protocol):
    """A solver: a frozen dataclass of tolerances that improves a path."""

    exact: ClassVar[bool]
    """Whether one solve is exact at every step count, so that there is nothing to extrapolate."""

    @property
    def tol(self) -> float:
        """Tolerance on the gradient norm."""

    def guess(self, metric: Any, start: np.ndarray, end: np.ndarray, n_steps: int) -> np.ndarray:
        """Path to begin with, (n_steps+1, n, d)."""

    def solve(self, metric: Any, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Solve from a given path, its ends and number of steps kept."""
