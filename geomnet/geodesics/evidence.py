"""What solvers measured of a path: the evidence that it is a geodesic, and what it comes to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from .inertia import UNKNOWN, Inertia
from .status import SolveStatus

__all__ = [
    "EqualEnds",
    "Evidence",
    "NearEnds",
    "PathEvidence",
    "PolynomialEvidence",
    "ShotEvidence",
    "Stopped",
    "Work",
]

POOR = 0.25
"""Relative error of a distance from which on it counts as not found."""

FINE = 1e-5
"""Relative error of a distance that no polynomial path needs to go below."""


@dataclass(frozen=True)
class Work:
    """What a solve spent."""

    gradient_evaluations: int = 0
    hessian_products: int = 0
    iterations: int = 0


@dataclass(frozen=True, kw_only=True)
class Evidence(ABC):
    """What every solver measures; a subclass says what its own comes to."""

    gradient_norm: float
    tolerance: float
    distance: float
    error_estimate: float
    speed_variation: float
    inertia: Inertia = UNKNOWN
    work: Work = field(default_factory=Work)
    observed_order: float | None = None
    closed_form: bool = False

    @property
    @abstractmethod
    def status(self) -> SolveStatus:
        """How the solve ended."""

    @abstractmethod
    def measured(self) -> dict[str, float]:
        """Numbers that the sentence of a status has gaps for."""


@dataclass(frozen=True, kw_only=True)
class EqualEnds(Evidence):
    """Nothing moves."""

    @property
    def status(self) -> SolveStatus:
        """Equal ends."""
        return SolveStatus.EQUAL_ENDS

    def measured(self) -> dict[str, float]:
        """Nothing."""
        return {}


@dataclass(frozen=True, kw_only=True)
class NearEnds(EqualEnds):
    """What moves is less than rounding of the coordinates tells."""

    @property
    def status(self) -> SolveStatus:
        """Equal up to rounding."""
        return SolveStatus.NEAR_ENDS


@dataclass(frozen=True)
class Stopped:
    """A solve at one step count that stopped short of its tolerance."""

    iterations: int
    most_iterations: int
    gradient_norm: float
    tol: float
    n_steps: int


@dataclass(frozen=True, kw_only=True)
class PathEvidence(Evidence):
    """Of discrete paths at three step counts, or of one that is exact."""

    n_steps: int
    stopped: Stopped | None
    """The finest solve that stopped short."""
    gap: float
    """How far the distance is from the length of the smooth path through the states."""
    blind: bool
    """Whether that is too far: another geodesic, not an error."""
    steady: bool
    """Whether the speed is constant up to O(h²)."""

    @property
    def status(self) -> SolveStatus:
        """The first thing amiss."""
        if self.stopped is not None:
            out_of_time = self.stopped.iterations >= self.stopped.most_iterations
            return SolveStatus.ITERATIONS if out_of_time else SolveStatus.STUCK
        if self.blind:
            return SolveStatus.BLIND
        if not self.steady:
            return SolveStatus.UNSTEADY
        if not np.isfinite(self.error_estimate):
            return SolveStatus.INFINITE
        if not self.error_estimate <= POOR * self.distance:
            return SolveStatus.IMPRECISE
        return SolveStatus.CONVERGED

    def measured(self) -> dict[str, float]:
        """Of the solve that stopped, or of the finest."""
        if self.stopped is not None:
            return {
                "iterations": self.stopped.iterations,
                "gradient": self.stopped.gradient_norm,
                "tol": self.stopped.tol,
                "n_steps": self.stopped.n_steps,
            }
        return {
            "n_steps": self.n_steps,
            "gap": self.gap / (self.distance or np.nan),
            "variation": self.speed_variation,
            "error": self.error_estimate / (self.distance or np.nan),
        }


@dataclass(frozen=True, kw_only=True)
class PolynomialEvidence(Evidence):
    """Of a polynomial path, degree after degree."""

    degree: int
    rtol: float
    max_iter: int
    gap: float
    """How far the distance is from the length measured between the nodes."""
    blind: bool

    @property
    def status(self) -> SolveStatus:
        """The first thing amiss."""
        if not self.gradient_norm <= self.tolerance:
            going = self.work.iterations < self.max_iter
            return SolveStatus.ROUGH if going else SolveStatus.DEGREE_ITERATIONS
        if self.error_estimate <= max(self.rtol, FINE) * self.distance:
            return SolveStatus.SETTLED
        return SolveStatus.BLIND_BETWEEN_NODES if self.blind else SolveStatus.UNSETTLED

    def measured(self) -> dict[str, float]:
        """Of the last degree."""
        return {
            "degree": self.degree,
            "iterations": self.work.iterations,
            "gradient": self.gradient_norm,
            "tol": self.tolerance,
            "gap": self.gap / (self.distance or np.nan),
            "error": self.error_estimate / (self.distance or np.nan),
        }


@dataclass(frozen=True, kw_only=True)
class ShotEvidence(Evidence):
    """Of a geodesic shot at its end: ``gradient_norm`` is the miss over the length."""

    rounding: float
    """Miss that rounding of the end's coordinates makes."""
    gap: float
    """How far the length is from the one measured between the integrator's steps."""
    blind: bool

    @property
    def status(self) -> SolveStatus:
        """The first thing amiss."""
        if self.blind:
            return SolveStatus.BLIND_TO_INTEGRATOR
        hit = self.gradient_norm <= max(self.tolerance, self.rounding)
        return SolveStatus.CONVERGED if hit else SolveStatus.MISSED

    def measured(self) -> dict[str, float]:
        """Of the last shot."""
        return {
            "gap": self.gap / (self.distance or np.nan),
            "miss": self.gradient_norm,
            "tol": self.tolerance,
        }
