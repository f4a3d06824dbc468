r"""What is known of the Hessian along a geodesic: Morse index, nullity, lowest eigenvalue.

The Hessian H of the path energy is taken relative to the frozen-metric stiffness M. Its negative
eigenvalues count the conjugate points passed on the way (the Morse index theorem), its null
space the Jacobi fields that vanish at both ends: where there are any, the ends are conjugate. The
eigenvalues of :math:`Hx = λMx` cluster at 1 as H − M is compact, so a few Lanczos steps find the
lowest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from ..geometry.path_energy import LinearisedPath

__all__ = ["Inertia", "conjugate_margin", "lowest_eigenvalue"]


@dataclass(frozen=True)
class Inertia:
    """Eigenvalues of the Hessian below zero, and about it; None where they were not counted."""

    index: int | None
    nullity: int | None
    locally_shortest: bool | None
    lowest: float | None = None
    products: int = 0

    @classmethod
    def counted(
        cls, index: int, nullity: int, lowest: float | None = None, products: int = 0
    ) -> Inertia:
        """From counts: shortest with neither, not shortest with an index, else not known."""
        shortest = False if index else None if nullity else True
        return cls(index, nullity, shortest, lowest, products)

    @classmethod
    def of_lowest(cls, value: float, margin: float, products: int) -> Inertia:
        """From the lowest eigenvalue alone: it tells whether there is an index, not how large."""
        if value > margin:
            return cls(0, 0, True, value, products)
        if value < -margin:
            return cls(None, None, False, value, products)
        return cls(0, None, None, value, products)


UNKNOWN = Inertia(None, None, None)


def conjugate_margin(n_steps: int) -> float:
    """Eigenvalues nearer to zero than this count as zero.

    At exactly conjugate ends of a sphere the discrete one is 3 to 5 times h².
    """
    return 5.0 / n_steps**2


def lowest_eigenvalue(
    state: LinearisedPath, rtol: float = 0.05, max_iter: int = 40
) -> tuple[float, float, int]:
    """Lowest eigenvalue of the Hessian relative to the stiffness, by preconditioned Lanczos.

    Parameters
    ----------
    state : LinearisedPath
    rtol : float
        The residual, a bound on the error, is brought below ``rtol·max(|λ|, 0.1)``.
    max_iter : int

    Returns
    -------
    value, residual : float
    products : int
        Hessian products spent.
    """
    shape = (state.n_steps - 1, *state.path.shape[1:])
    r = np.random.default_rng(0).normal(size=shape)
    z = state.precondition(r)
    beta = np.sqrt(np.vdot(r, z))
    dual_before = np.zeros(shape)
    diagonal: list[float] = []
    off: list[float] = []
    value, residual = np.nan, np.inf
    for k in range(min(max_iter, r.size)):
        vector, dual = z / beta, r / beta
        image = state.hessian_product(vector)
        diagonal.append(float(np.vdot(vector, image)))
        r = image - diagonal[-1] * dual - (beta * dual_before if k else 0)
        z = state.precondition(r)
        beta = np.sqrt(max(np.vdot(r, z), 0.0))
        values, vectors = eigh_tridiagonal(diagonal, off, select="i", select_range=(0, 0))
        value, residual = float(values[0]), float(beta * abs(vectors[-1, 0]))
        if (residual <= rtol * max(abs(value), 0.1) and k >= 4) or beta < 1e-12:
            break
        off.append(float(beta))
        dual_before = dual
    return value, residual, len(diagonal)
