"""Constant metrics: the straight line is the geodesic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import check_positive
from ..path_energy import LinearisedPath, PathEnergy
from .inertia import Inertia
from .path_method import PathMethod
from .solution import PathSolution

__all__ = ["StraightLine", "straight_path", "uniform_times"]


def straight_path(start: np.ndarray, end: np.ndarray, n_steps: int) -> np.ndarray:
    """Return the straight line between two maps at uniform times, ends exact."""
    t = uniform_times(n_steps, start.ndim)
    return (1 - t) * start + t * end


def uniform_times(n_steps: int, ndim: int) -> np.ndarray:
    """Times 0, 1/N, ..., 1 that multiply states of `ndim` axes, (N+1, 1, ...)."""
    return np.linspace(0.0, 1.0, n_steps + 1)[(..., *[None] * ndim)]


@dataclass(frozen=True)
class StraightLine(PathMethod):
    """The closed form for constant metrics (L2 and its multiples)."""

    tol: float = 1e-8
    exact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)

    def guess(self, metric: Any, start: np.ndarray, end: np.ndarray, n_steps: int) -> np.ndarray:
        """Return the straight line."""
        return straight_path(start, end, n_steps)

    def solve(self, metric: Any, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Verify the line, whatever the path was: its gradient is computed, not assumed."""
        line = straight_path(path[0], path[-1], len(path) - 1)
        state = PathEnergy(metric).linearise(line)
        return PathSolution.of(state, self.tol, 1, 0, 0)

    def inertia(self, state: LinearisedPath) -> Inertia:
        """The Hessian is the stiffness itself: every eigenvalue is 1."""
        return Inertia.counted(0, 0, 1.0)
