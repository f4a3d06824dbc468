r"""What is known about a computed geodesic: the numbers that certify it.

The gradient norm is :math:`\sqrt{g^\top M^{-1}g/E}` with the frozen-metric stiffness M, free of
scale and of step count. The path is locally shortest where the Hessian is positive definite.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .evidence import Evidence

__all__ = ["Certificate", "certify", "richardson"]


@dataclass(frozen=True)
class Certificate:
    """Evidence that a discrete path is the geodesic it claims to be.

    Attributes
    ----------
    converged : bool
        The gradient norm passes its tolerance at all three step counts, and the speed variation
        halves at least from N/2 to N steps (it is O(h²)), or is below 5 %, where it changes the
        length by less than 0.13 %, and the error estimate is below a quarter of the distance.
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
        Whether every path nearby is longer: the Hessian is positive definite. None where an
        eigenvalue vanishes up to discretisation (a conjugate end), or none was computed.
    lowest_eigenvalue : float or None
        Of the Hessian relative to the stiffness; None where only the counts are known.
    gradient_evaluations : int
        Spent by the solve at the finest step count (or the last degree).
    hessian_products : int
        Likewise.
    lanczos_products : int
        Hessian products spent on `lowest_eigenvalue`.
    iterations : int
        Newton iterations of the finest solve.
    morse_index : int or None
        Negative eigenvalues of the Hessian, with multiplicity: conjugate points inside the path.
        None where the solver only knows their sign.
    nullity : int or None
        Eigenvalues that vanish up to discretisation: independent Jacobi fields that are zero at
        both ends, as between antipodes.
    closed_form : bool
        Whether the path is the shortest by a theorem, not by computation.
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
    morse_index: int | None = None
    nullity: int | None = None
    closed_form: bool = False

    @property
    def is_minimising(self) -> str:
        """What is known: "closed form", "locally", "no", or "unknown".

        A computed geodesic is at best shorter than all paths near it; whether another, far from
        it, is shorter still, no local computation can tell.
        """
        if self.closed_form:
            return "closed form"
        return {True: "locally", False: "no", None: "unknown"}[self.locally_shortest]

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as plain numbers."""
        return asdict(self)

    def __str__(self) -> str:
        order = "-" if self.observed_order is None else f"{self.observed_order:.2f}"
        shortest = {True: "locally shortest", False: "not shortest", None: "shortest: unknown"}
        counts = ""
        if self.morse_index:
            counts = f" (index {self.morse_index})"
        elif self.nullity:
            counts = f" (ends conjugate, nullity {self.nullity})"
        return (
            f"{'converged' if self.converged else 'NOT CONVERGED'}, "
            f"gradient {self.gradient_norm:.1e}, error ≤ {self.error_estimate:.1e}, "
            f"order {order}, {shortest[self.locally_shortest]}{counts}"
        )


def certify(evidence: Evidence) -> tuple[Certificate, str]:
    """Certify what a solver measured: the numbers, and one sentence for a person."""
    status, known = evidence.status, evidence.inertia
    certificate = Certificate(
        converged=status.converged,
        gradient_norm=evidence.gradient_norm,
        tolerance=evidence.tolerance,
        speed_variation=evidence.speed_variation,
        error_estimate=evidence.error_estimate,
        observed_order=evidence.observed_order,
        locally_shortest=known.locally_shortest,
        lowest_eigenvalue=known.lowest,
        gradient_evaluations=evidence.work.gradient_evaluations,
        hessian_products=evidence.work.hessian_products,
        lanczos_products=known.products,
        iterations=evidence.work.iterations,
        morse_index=known.index,
        nullity=known.nullity,
        closed_form=evidence.closed_form,
    )
    return certificate, status.sentence(**evidence.measured())


def richardson(lengths: list[float]) -> tuple[float, float, float | None, bool]:
    """Extrapolate lengths at N/4, N/2, N of a method of order 2.

    Returns
    -------
    distance : float
        The Richardson value of the last two.
    error_estimate : float
        Difference to the Richardson value of the first two, in the regime of order 2 about 15
        times the error, and no less than the square of the last change (relative to the length),
        as both values may err alike; outside of it four times the larger of both changes.
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
    if settled:
        estimate = max(estimate, last**2 / fine)
    else:
        estimate = max(estimate, 4 * abs(first), 4 * abs(last))
    return distance, max(estimate, rounding), order, settled
