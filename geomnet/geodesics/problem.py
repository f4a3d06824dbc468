"""A geodesic problem, checked, and the contract of the methods that solve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..geometry.metric import AbstractMetric
from .certificate import certify
from .evidence import EqualEnds
from .inertia import Inertia
from .result import Geodesic

__all__ = ["Method", "Problem", "standing"]


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


class Method(Protocol):
    """A solver: a frozen dataclass that holds its tolerances."""

    def find(self, problem: Problem) -> Geodesic:
        """Solve, and certify what came out; a result that fell short says so in its status.

        Raises
        ------
        DomainError
            Where there is no path to begin with.
        """


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
