"""What a method returns for a network's least action that reaches a target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from .action import Action, LinearisedAction
from .effort import Effort, LinearisedEffort

__all__ = ["Cause", "ConstrainedMinimum", "Counts", "Method", "kkt_residual", "rms"]


class Cause(StrEnum):
    """Why a solve ended."""

    CONVERGED = "converged"
    MAX_ITER = "max_iter"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"


@dataclass
class Counts:
    """Work spent."""

    iterations: int = 0
    values: int = 0
    gradients: int = 0
    products: int = 0
    factorisations: int = 0


@dataclass(frozen=True)
class ConstrainedMinimum:
    """Parameters as a method left them.

    Attributes
    ----------
    theta : ndarray, shape (L, p)
    here : LinearisedAction or LinearisedEffort
        At those parameters.
    violation : float
        Root mean square of the distance of end point and target.
    kkt : float
        Relative KKT residual.
    counts : Counts
    cause : Cause
    """

    theta: np.ndarray
    here: LinearisedAction | LinearisedEffort
    violation: float
    kkt: float
    counts: Counts
    cause: Cause


class Method(Protocol):
    """A solver: a frozen dataclass that holds its tolerances."""

    @property
    def tol(self) -> float:
        """On the relative KKT residual."""

    @property
    def endpoint_tol(self) -> float:
        """On the root mean square of the distance of end point and target."""

    def solve(
        self, action: Action | Effort, target: np.ndarray, theta: np.ndarray
    ) -> ConstrainedMinimum:
        """Minimise from θ (L, p)."""


def rms(violation: np.ndarray, weights: np.ndarray) -> float:
    """√Σ_i w_i|c_i|² of violations (n, d)."""
    return float(np.sqrt(weights @ np.sum(violation**2, axis=1)))


def kkt_residual(here: LinearisedAction | LinearisedEffort, multiplier: np.ndarray) -> float:
    """|∂E + J_cᵀλ|/|∂E| at a linearised action; zero where ∂E vanishes."""
    size = np.linalg.norm(here.gradient)
    if size == 0:
        return 0.0
    return float(np.linalg.norm(here.gradient + here.network.vjp(multiplier)) / size)
