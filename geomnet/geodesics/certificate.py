r"""What is known about a computed geodesic: the numbers that certify it.

The gradient norm is :math:`\sqrt{g^\top M^{-1}g/E}` with the frozen-metric stiffness M, free of
scale and of step count. The path is locally shortest where the Hessian H is positive definite;
its eigenvalues relative to M, :math:`Hx = λMx`, cluster at 1 as H − M is compact, so a few
Lanczos steps find the lowest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from ..path_energy import LinearisedPath

__all__ = ["Certificate", "lowest_eigenvalue", "richardson"]


@dataclass(frozen=True)
class Certificate:
    """Evidence that a discrete path is the geodesic it claims to be.

    Attributes
    ----------
    converged : bool
        The gradient norm passes its tolerance at all three step counts, and the speed variation
        halves at least from N/2 to N steps (it is O(h²)), or is below 5 %, where it changes the
        length by less than 0.13 %, and the error estimate is finite.
    gradient_norm : float
        √(gᵀM⁻¹g/E), at the finest step count.
    tolerance : float
        What `gradient_norm` was asked to pass.
    speed_variation : float
        Largest deviation of a step's length from the mean, relative to it.
    error_estimate : float
        Bound on the error of the distance, from solves at N, N/2 and N/4.
    observed_order : float or None
        log₂ of the ratio of successive differences of length, near 2; None where they are
        rounding, or differ in sign.
    locally_shortest : bool or None
        Sign of the lowest eigenvalue of the preconditioned Hessian; None within O(h²) of zero
        (a conjugate end), or where it was not computed.
    lowest_eigenvalue : float or None
    gradient_evaluations, hessian_products : int
        Spent by the solve at the finest step count.
    lanczos_products : int
        Hessian products spent on `lowest_eigenvalue`.
    iterations : int
        Newton iterations of the finest solve.
    """

    converged: bool
    gradient_norm: float
    tolerance: float
    speed_variation: float
    error_estimate: float
    observed_order: float | None
    locally_shortest: bool | None
    lowest_eigenvalue: float | None
    gradient_evaluations: int
    hessian_products: int
    lanczos_products: int
    iterations: int

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as plain numbers."""
        return asdict(self)

    def __str__(self) -> str:
        order = "-" if self.observed_order is None else f"{self.observed_order:.2f}"
        shortest = {True: "locally shortest", False: "not shortest", None: "shortest: unknown"}
        return (
            f"{'converged' if self.converged else 'NOT CONVERGED'}, "
            f"gradient {self.gradient_norm:.1e}, error ≤ {self.error_estimate:.1e}, "
            f"order {order}, {shortest[self.locally_shortest]}"
        )


def richardson(lengths: list[float]) -> tuple[float, float, float | None, bool]:
    """Extrapolate lengths at N/4, N/2, N of a method of order 2.

    Returns
    -------
    distance : float
        The Richardson value of the last two.
    error_estimate : float
        Difference to the Richardson value of the first two, in the regime of order 2 about 15
        times the error; outside of it four times the larger of both changes.
    observed_order : float or None
    settled : bool
        Whether the changes are those of order 2, or rounding. Where they are not, what is left
        may be more than any multiple of them.
    """
    coarse, middle, fine = lengths
    first, last = middle - coarse, fine - middle
    rounding = 1e-11 * abs(fine)
    if max(abs(first), abs(last)) <= rounding:
        return fine, max(abs(first), abs(last), 4e-16 * abs(fine)), None, True
    distance = fine + last / 3
    estimate = abs(distance - (middle + first / 3))
    order = None
    if abs(last) > rounding and first * last > 0:
        order = float(np.log2(first / last))
    settled = order is not None and 1.5 <= order <= 2.7
    if not settled:
        estimate = max(estimate, 4 * abs(first), 4 * abs(last))
    return distance, max(estimate, rounding), order, settled


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
