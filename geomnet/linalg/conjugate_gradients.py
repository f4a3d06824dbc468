"""Conjugate gradients for symmetric positive definite systems known by products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import ConvergenceError, DomainError

__all__ = ["conjugate_gradients"]


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray],
    right: np.ndarray,
    precondition: Callable[[np.ndarray], np.ndarray] | None = None,
    rtol: float = 1e-12,
) -> np.ndarray:
    """Solve A x = right for a symmetric positive definite `product`.

    Raises
    ------
    ConvergenceError
        When 10·size products do not suffice.
    """
    solve = precondition or (lambda r: r)
    x, r = np.zeros_like(right), right.copy()
    z = solve(r)
    d, rz = z.copy(), np.vdot(r, z)
    goal = rtol * np.linalg.norm(right)
    for _ in range(10 * right.size + 1):
        if np.linalg.norm(r) <= goal:
            return x
        ad = product(d)
        curvature = np.vdot(d, ad)
        if not curvature > 0:
            raise DomainError("inner_product: not positive definite at the base point")
        alpha = rz / curvature
        x += alpha * d
        r -= alpha * ad
        z = solve(r)
        rz, old = np.vdot(r, z), rz
        d = z + (rz / old) * d
    raise ConvergenceError(
        f"sharp: conjugate gradients stopped at residual {np.linalg.norm(r):.1e}; the metric is "
        "too ill-conditioned here, override sharp with a direct solve",
        x,
    )
