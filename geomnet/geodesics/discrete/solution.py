"""What a method that solves at one step count returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.path_energy import LinearisedPath

__all__ = ["PathSolution"]


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
        tolerance: float | None = None,
    ) -> tuple[LinearisedPath, PathSolution]:
        """Read a linearised path; the state itself goes beside it, for who still needs it.

        The tolerance is `tol` or what rounding leaves of it, which costs a Hessian product; a
        method without them gives its own.
        """
        norm = state.gradient_norm
        tolerance = state.tolerance(tol) if tolerance is None else tolerance
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
