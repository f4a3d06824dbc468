"""Backtracking on the path energy, shared by the methods that minimise it."""

from __future__ import annotations

import numpy as np

from ..path_energy import LinearisedPath, PathEnergy

__all__ = ["backtrack"]


def backtrack(
    energy: PathEnergy,
    origin: np.ndarray,
    level: float,
    slope: float,
    direction: np.ndarray,
    norm: float,
) -> tuple[LinearisedPath | None, int]:
    """Halve a step until the energy falls enough; at rounding level, until the gradient does.

    Parameters
    ----------
    energy : PathEnergy
    origin : ndarray, shape (N+1, ...)
    level, slope : float
        Energy there, and its derivative along the direction.
    direction : ndarray, shape (N-1, ...)
        Of the interior states.
    norm : float
        The gradient's, at `origin`.

    Returns
    -------
    state : LinearisedPath or None
        None where no step is accepted. A step that leaves the metric's domain never is.
    evaluations : int
    """
    size, evaluations = 1.0, 0
    while size > 1e-10:
        trial = origin.copy()
        trial[1:-1] += size * direction
        found = energy.linearise_or_none(trial)
        evaluations += 1
        if found is not None:
            if found.energy <= level + 1e-4 * size * slope:
                return found, evaluations
            rounding = abs(found.energy - level) <= 1e-11 * level and -slope <= 1e-9 * level
            if rounding and found.gradient_norm < 0.9 * norm:
                return found, evaluations
        size *= 0.5 if found is not None else 0.25
    return None, evaluations
