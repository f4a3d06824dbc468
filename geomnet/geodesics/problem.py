"""A geodesic problem, checked, and the contract of the methods that solve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .certificate import Certificate
from .result import Geodesic

__all__ = ["Method", "Problem", "standing"]


@dataclass(frozen=True)
class Problem:
    """Ends to join in a metric: what the verb hands to a method."""

    metric: Any
    start: np.ndarray
    end: np.ndarray
    n_steps: int
    initial_path: np.ndarray | None = None
    certify_index: bool = True


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
    certificate = Certificate(
        converged=True,
        gradient_norm=0.0,
        tolerance=0.0,
        speed_variation=0.0,
        error_estimate=0.0,
        observed_order=None,
        locally_shortest=True,
        lowest_eigenvalue=1.0,
        gradient_evaluations=0,
        hessian_products=0,
        lanczos_products=0,
        iterations=0,
        morse_index=0,
        nullity=0,
        closed_form=True,
    )
    return Geodesic(
        path=np.repeat(point[None], problem.n_steps + 1, axis=0),
        length=0.0,
        distance=0.0,
        energy=0.0,
        initial_velocity=np.zeros_like(point),
        certificate=certificate,
        status="equal ends",
        method="",
        metric=problem.metric,
    )
