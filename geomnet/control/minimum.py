"""What a method returns for a network's least action that reaches a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["ConstrainedMinimum", "Counts", "kkt_residual", "rms"]


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
    cause : {"converged", "max_iter", "stalled", "interrupted"}
        Why the solve ended.
    """

    theta: np.ndarray
    here: Any
    violation: float
    kkt: float
    counts: Counts
    cause: str


def rms(violation: np.ndarray, weights: np.ndarray) -> float:
    """√Σ_i w_i|c_i|² of violations (n, d)."""
    return float(np.sqrt(weights @ np.sum(violation**2, axis=1)))


def kkt_residual(here: Any, multiplier: np.ndarray) -> float:
    """|∂E + J_cᵀλ|/|∂E| at a linearised action; zero where ∂E vanishes."""
    size = np.linalg.norm(here.gradient)
    if size == 0:
        return 0.0
    return float(np.linalg.norm(here.gradient + here.network.vjp(multiplier)) / size)
