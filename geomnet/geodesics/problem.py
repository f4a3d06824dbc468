"""A geodesic problem, checked, and the contract of the methods that solve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..geometry.metric import AbstractMetric
from ..geometry.structure import Structure
from .certificate import certify
from .evidence import EqualEnds, NearEnds
from .inertia import Inertia
from .result import Geodesic

__all__ = ["Method", "Problem", "near", "settled", "standing"]

ROUNDING = 4 * float(np.finfo(float).eps)
"""Of a coordinate, relative: what two ways to compute it differ by."""


@dataclass(frozen=True)
class Problem:
    """Ends to join in a metric: what the verb hands to a method."""

    metric: AbstractMetric
    start: np.ndarray
    end: np.ndarray
    n_steps: int
    initial_path: np.ndarray | None = None
    certify_index: bool = True

    @property
    def stands(self) -> bool:
        """Whether its ends are one point."""
        return not self.metric.points.difference(self.start, self.end).any()

    @property
    def nearly_stands(self) -> bool:
        """Whether its ends are one point up to rounding of every coordinate."""
        moved = np.abs(self.metric.points.difference(self.start, self.end))
        size = np.maximum(np.abs(self.start), np.abs(self.end))
        return bool((moved <= ROUNDING * size).all())


class Method(Protocol):
    """A solver: a frozen dataclass that holds its tolerances."""

    def find(self, problem: Problem) -> Geodesic:
        """Solve, and certify what came out; a result that fell short says so in its status.

        Raises
        ------
        DomainError
            Where there is no path to begin with.
        """


def settled(problem: Problem) -> Geodesic | None:
    """The geodesic of a problem that needs no solver, if it is one: its ends are one point."""
    if problem.stands:
        return standing(problem)
    curved = problem.metric.structure is not Structure.FLAT  # where lines are exact anyway
    return near(problem) if curved and problem.nearly_stands else None


def near(problem: Problem) -> Geodesic:
    """Ends equal up to rounding: the straight path, as long as the metric there says.

    Its length is right to what rounding of the coordinates leaves, which may be all of it: no
    solver can tell more, as the steps between the ends are none in floating point.
    """
    metric, start, end = problem.metric, problem.start, problem.end
    moved = metric.points.difference(start, end)
    middle = metric.points.midpoint(start, end)
    rounding = np.finfo(float).eps * np.maximum(np.abs(start), np.abs(end))
    squared, error = (
        float(np.asarray(metric.inner_product(v, v, middle)).reshape(())) for v in (moved, rounding)
    )
    length = float(np.sqrt(squared))
    evidence = NearEnds(
        gradient_norm=0.0,
        tolerance=0.0,
        distance=length,
        error_estimate=float(np.sqrt(error)),
        speed_variation=0.0,
        inertia=Inertia.counted(0, 0, 1.0),
    )
    certificate, status = certify(evidence)
    return Geodesic(
        path=metric.points.straight(start, end, problem.n_steps),
        length=length,
        distance=length,
        energy=squared,
        initial_velocity=moved,
        certificate=certificate,
        status=status,
        method="",
        metric=metric,
    )


def standing(problem: Problem) -> Geodesic:
    """Equal ends: length 0, logarithm 0."""
    point = problem.start
    evidence = EqualEnds(
        gradient_norm=0.0,
        tolerance=0.0,
        distance=0.0,
        error_estimate=0.0,
        speed_variation=0.0,
        inertia=Inertia.counted(0, 0, 1.0),
        closed_form=True,
    )
    certificate, status = certify(evidence)
    return Geodesic(
        path=np.repeat(point[None], problem.n_steps + 1, axis=0),
        length=0.0,
        distance=0.0,
        energy=0.0,
        initial_velocity=np.zeros_like(point),
        certificate=certificate,
        status=status,
        method="",
        metric=problem.metric,
    )
