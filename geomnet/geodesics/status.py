"""How a solve ended, each end with its remedy; and why a method was left for the next."""

from __future__ import annotations

from enum import Enum

__all__ = ["Reason", "SolveStatus"]


class SolveStatus(Enum):
    """How a solve ended: what was reached, and what to do where it fell short.

    Both are sentences with gaps for what was measured; :meth:`sentence` fills them.
    """

    CONVERGED = "converged", ""
    SETTLED = "converged at degree {degree}", ""
    EQUAL_ENDS = "equal ends", ""
    NEAR_ENDS = "ends equal up to rounding", ""

    ITERATIONS = (
        "stopped after {iterations} iterations at gradient norm {gradient:.1e} > {tol:.0e} with "
        "{n_steps} steps",
        "raise max_iter or n_steps, or start from an initial_path",
    )
    STUCK = (
        "stopped after {iterations} iterations at gradient norm {gradient:.1e} > {tol:.0e} with "
        "{n_steps} steps",
        "raise n_steps or tol, or start from an initial_path",
    )
    BLIND = (
        "the metric varies between the states: {n_steps} steps do not resolve it, and the path's "
        "length is off by {gap:.1e} of it",
        "raise n_steps",
    )
    UNSTEADY = (
        "the speed still varies by {variation:.2g} along the path, and not as O(h²): {n_steps} "
        "steps do not resolve it",
        "raise n_steps",
    )
    INFINITE = (
        "{n_steps} steps jump over a place where the metric is infinite (points that collide)",
        "raise n_steps, or start from an initial_path around it",
    )
    IMPRECISE = "{n_steps} steps tell the distance to {error:.0%} only", "raise n_steps"

    DEGREE_ITERATIONS = (
        "stopped after {iterations} Newton iterations at gradient norm {gradient:.1e} > {tol:.0e} "
        "with degree {degree}",
        "raise max_iter, start from an initial_path, or use gn.PathNewton()",
    )
    ROUGH = (
        "no step lowers the energy any more at gradient norm {gradient:.1e} > {tol:.0e} with "
        "degree {degree}: the metric is too rough, or good to few digits",
        "raise tol, start from an initial_path, or use gn.PathNewton()",
    )
    BLIND_BETWEEN_NODES = (
        "the metric varies between the nodes of the polynomial, where the path's length is off by "
        "{gap:.1e} of it",
        "raise max_degree, or use gn.PathNewton() with many n_steps",
    )
    UNSETTLED = (
        "degree {degree} still changes the length by {error:.1e} of it",
        "raise max_degree, or use gn.PathNewton() if the metric is not smooth",
    )

    BLIND_TO_INTEGRATOR = (
        "the metric varies between the integrator's steps, where the path's length is off by "
        "{gap:.1e} of it",
        "use gn.PathNewton() with many n_steps",
    )
    MISSED = (
        "the geodesic misses the end by {miss:.1e} of its length > {tol:.0e}",
        "raise tol, or lower rtol: the flow magnifies the integrator's errors",
    )
    NO_HIT = (
        "Newton's method on the initial momentum did not hit the end to {tol:.0e} of the length "
        "after {iterations} iterations, by parts of the way either; this is the coarse path it "
        "aimed along",
        "use a path method, such as gn.PathNewton() or gn.geodesics.PathNewtonCG(), or start from "
        "an initial_path",
    )
    MAGNIFIED = (
        "Newton's method on the initial momentum did not hit the end to {tol:.0e} of the length "
        "after {iterations} iterations, as the flow magnifies what rounding makes {magnified:.0e} "
        "times on the way; this is the coarse path it aimed along",
        "use a path method, such as gn.PathNewton() or gn.geodesics.PathNewtonCG(), or start from "
        "an initial_path",
    )

    @property
    def reached(self) -> str:
        """What was reached."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """What to do where that fell short."""
        return self.value[1]

    @property
    def converged(self) -> bool:
        """Whether the certificate passes."""
        return self in (
            SolveStatus.CONVERGED,
            SolveStatus.SETTLED,
            SolveStatus.EQUAL_ENDS,
            SolveStatus.NEAR_ENDS,
        )

    def sentence(self, **measured: float) -> str:
        """One sentence for a person: what was reached, and the remedy."""
        joint = ": " if self in (SolveStatus.NO_HIT, SolveStatus.MAGNIFIED) else "; "
        reached = self.reached.format(**measured)
        return f"{reached}{joint}{self.remedy}" if self.remedy else reached


class Reason(Enum):
    """Why a method was left for the next."""

    LEFT_DOMAIN = "left the metric's domain"
    NO_SECOND_DERIVATIVES = "found no second derivatives"
    FELL_SHORT = "fell short"
