"""When a step is taken, and how one that is not gets shorter: shared by all minimising methods."""

from __future__ import annotations

import numpy as np

from ...geometry.path_energy import LinearisedPath, PathEnergy

__all__ = ["LARGEST_SHIFT", "NEAR", "backtrack", "falls", "raise_shift", "relax"]

LARGEST_SHIFT = 1e9
"""Multiples of the stiffness in a Newton matrix end here: the step is rounding."""

LEAST_SHIFT = 2e-3
"""First multiple tried. Where ends are nearly conjugate the Hessian is hardly indefinite, and a
shift far above its lowest eigenvalue makes steps along the valley far too short."""

NEAR = 0.1
"""Gradient norm at which a path with an indefinite Hessian may be meant as it is: a saddle."""


def raise_shift(shift: float) -> float:
    """Return the next multiple of the stiffness to try, after one whose step was refused."""
    return max(8 * shift, LEAST_SHIFT)


def relax(shift: float) -> float:
    """Return the multiple to begin the next iteration with: none at all if it can be."""
    return shift / 16 if shift > 5 * LEAST_SHIFT else 0.0


def falls(found: LinearisedPath, level: float, slope: float, norm: float) -> bool:
    """Whether the energy fell enough; at rounding level, whether the gradient did."""
    if found.energy <= level + 1e-4 * slope:
        return True
    rounding = abs(found.energy - level) <= 1e-11 * level and -slope <= 1e-9 * level
    return rounding and found.gradient_norm < 0.9 * norm


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
        found = energy.linearise_or_none(energy.moved(origin, size * direction))
        evaluations += 1
        if found is not None and falls(found, level, size * slope, norm):
            return found, evaluations
        size *= 0.5 if found is not None else 0.25
    return None, evaluations
