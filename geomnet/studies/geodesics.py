"""Geodesics of studies: solved with more steps where needed, and held against the one law."""

from __future__ import annotations

import numpy as np

from ..errors import ConvergenceError
from ..geodesics import Geodesic, geodesic
from ..geometry.curve import Curve
from ..geometry.structure import Structure
from ..metrics import Metric

__all__ = ["is_shorter", "solve"]


def solve(
    metric: Metric, start: np.ndarray, end: np.ndarray, network: Curve | None, n_steps: int
) -> Geodesic:
    """Geodesic of at least so many steps, up to four times as many where they are needed.

    Where points interact the search begins at the network's own path: that is a path of
    diffeomorphisms, while on the straight line points may meet.
    """
    initial = (
        network.states if network is not None and metric.structure is Structure.COUPLED else None
    )
    best: Geodesic | None = None
    for factor in (1, 2, 4):
        try:
            return geodesic(metric, start, end, n_steps=factor * n_steps, initial_path=initial)
        except ConvergenceError as error:
            if not isinstance(error.result, Geodesic):
                raise
            best = error.result
    assert best is not None
    return best


def is_shorter(length: float, geo: Geodesic) -> bool:
    """Tell whether a path between the same ends is shorter than the distance less its error."""
    return length < geo.distance * (1 - 1e-9) - geo.error_estimate
