"""Constant metrics: the straight line is the geodesic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...errors import DomainError
from ...geometry.metric import StepRule, points_of
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ...geometry.structure import Structure
from ...utils.validation import check_positive
from ..inertia import Inertia
from .path_method import PathMethod
from .solution import PathSolution

UNEVEN = 4.0
"""Energy over length² of a line from which on its speed is evened out first."""

__all__ = ["StraightLine", "even_line"]


def even_line(
    metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
) -> np.ndarray | None:
    """Return the line at constant speed in the metric, where at uniform times it is very uneven.

    Of all motions along the line it has the least energy. None where uniform times will do.
    """
    pieces, points = max(512, 4 * n_steps), points_of(metric)
    fine = points.straight(start, end, pieces)
    try:
        squared = metric.squared_step(fine[:-1], fine[1:])
    except (DomainError, FloatingPointError):
        return None
    if not (np.isfinite(squared).all() and (squared > 0).all()):
        return None
    lengths = np.sqrt(squared)
    if pieces * np.sum(lengths**2) <= UNEVEN * lengths.sum() ** 2:
        return None
    arc = np.concatenate([[0.0], np.cumsum(lengths)])
    share = np.interp(np.linspace(0, arc[-1], n_steps + 1), arc, np.linspace(0, 1, pieces + 1))
    share[0], share[-1] = 0.0, 1.0
    return points.between(start, end, share[(..., *[None] * start.ndim)])


@dataclass(frozen=True)
class StraightLine(PathMethod):
    """The closed form for constant metrics (L2 and its multiples)."""

    tol: float = 1e-8
    exact: ClassVar[bool] = True
    needs: ClassVar[Structure | None] = Structure.FLAT

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)

    def guess(
        self, metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
    ) -> np.ndarray:
        """Return the straight line."""
        return points_of(metric).straight(start, end, n_steps)

    def solve(self, metric: StepRule, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Verify the line, whatever the path was: its gradient is computed, not assumed."""
        line = points_of(metric).straight(path[0], path[-1], len(path) - 1)
        state = PathEnergy(metric).linearise(line)
        return PathSolution.of(state, self.tol, 1, 0, 0)

    def inertia(self, state: LinearisedPath) -> Inertia:
        """The Hessian is the stiffness itself: every eigenvalue is 1."""
        return Inertia.counted(0, 0, 1.0)
