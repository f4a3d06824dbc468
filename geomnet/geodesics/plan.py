"""Which methods a problem is given to, in turn, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..errors import DomainError, InputError
from ..geometry.metric import AbstractMetric
from ..geometry.structure import Structure
from .discrete.closed_form import StraightLine
from .discrete.lbfgs import PathLBFGS
from .discrete.newton import PathNewton
from .discrete.newton_cg import PathNewtonCG
from .discrete.path_method import PathMethod
from .discrete.pointwise import PointwiseNewton
from .problem import Method, Problem
from .result import Geodesic
from .spectral.spectral_path import SpectralPath
from .status import Reason

__all__ = ["Attempt", "check_method", "is_enough", "plan_for", "run"]

FEW = 128
"""Most coordinates of a chart whose Hessian is dense."""

ENOUGH = 1e-5
"""Relative error of a distance at which no further method is tried."""


@dataclass(frozen=True)
class Attempt:
    """A method of a plan."""

    method: Method
    label: str
    """Its name, and why it was chosen."""
    factor: int = 1
    """By how much it multiplies the number of steps."""
    only_after: Reason | None = None
    """Why the first method must have been left; for any reason when None."""

    @property
    def name(self) -> str:
        """Name of the method."""
        return type(self.method).__name__


def check_method(method: Any) -> None:
    """Say what is no solver."""
    if isinstance(method, (type, str)) or not callable(getattr(method, "find", None)):
        raise InputError(
            f"method: expected a solver such as gn.geodesics.PathNewtonCG(), got {method!r}; "
            "leave it out to have one chosen"
        )


def plan_for(metric: AbstractMetric, method: Method | None) -> list[Attempt]:
    """Methods in the order they are tried: the one asked for, or those fit for the metric."""
    if method is not None:
        return [_asked(metric, method)]
    match metric.structure:
        case Structure.FLAT:
            return [Attempt(StraightLine(), "StraightLine: the metric is constant")]
        case Structure.POINTWISE:
            return [
                Attempt(PointwiseNewton(), "PointwiseNewton: the metric does not couple points"),
                Attempt(PathNewtonCG(), "PathNewtonCG"),
            ]
        case Structure.COUPLED:
            return [
                Attempt(PathNewtonCG(), "PathNewtonCG: the metric couples points"),
                # it gets no further than Newton's method, where that can be had
                Attempt(PathLBFGS(), "PathLBFGS", only_after=Reason.NO_SECOND_DERIVATIVES),
            ]
        case _:
            return _in_coordinates(metric)


def _asked(metric: AbstractMetric, method: Method) -> Attempt:
    check_method(method)
    needed = method.needs if isinstance(method, PathMethod) else None
    if needed is not None and metric.structure != needed:
        raise InputError(
            f"method: {type(method).__name__} needs a metric of structure {needed.value!r}, and "
            f"{metric!r} is {metric.structure.value!r}; use gn.geodesics.PathNewtonCG()"
        )
    return Attempt(method, f"{type(method).__name__}, as asked")


def _in_coordinates(metric: AbstractMetric) -> list[Attempt]:
    """Charts and immersions: polynomials where they are few, and finer and finer paths."""
    dim = metric.space.shape[0]
    finer = [Attempt(PathNewton(), f"PathNewton with {n}-fold n_steps", n) for n in (4, 16, 64)]
    if dim > FEW:
        return [Attempt(PathNewtonCG(), f"PathNewtonCG: {dim} coordinates are many"), finer[0]]
    if metric.structure is Structure.CHART:
        plural = "s" if dim > 1 else ""
        why = f"SpectralPath: a metric matrix in {dim} coordinate{plural}"
        return [Attempt(SpectralPath(), why), *finer]
    if dim > FEW // 4:
        return [Attempt(PathNewton(), f"PathNewton: an immersion of {dim} coordinates"), *finer]
    return [Attempt(SpectralPath(), f"SpectralPath: an immersion of {dim} coordinates"), *finer]


def run(plan: list[Attempt], problem: Problem) -> Geodesic:
    """Try methods in turn until one's certificate passes; else the most certain result."""
    trials = _Trials(problem)
    for attempt in plan:
        if trials.skips(attempt):
            continue
        found = trials.run(attempt)
        if found is not None and is_enough(found):
            return found
    kept = trials.most_certain()
    if kept.certificate.converged:
        return kept
    return replace(kept, status=kept.status + problem.metric.barrier(kept.path))


class _Trials:
    """What a plan's methods came to so far."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.results: list[Geodesic] = []
        self.error: Exception | None = None
        self.left: tuple[str, Reason] | None = None
        """Who was left first, and why."""

    def skips(self, attempt: Attempt) -> bool:
        """Whether an attempt is of no use after what happened."""
        needed = attempt.only_after
        return self.left is not None and needed is not None and needed is not self.left[1]

    def run(self, attempt: Attempt) -> Geodesic | None:
        """One method's result, labelled with what led to it; None where it found none."""
        problem, led = self.problem, self.left
        try:
            found = attempt.method.find(replace(problem, n_steps=problem.n_steps * attempt.factor))
        except DomainError as error:
            self._leave(attempt, Reason.LEFT_DOMAIN, error)
            return None
        except NotImplementedError as error:  # autograd's, of a function differentiated once
            self._leave(attempt, Reason.NO_SECOND_DERIVATIVES, error)
            return None
        label = attempt.label if led is None else f"{attempt.label}, as {led[0]} {led[1].value}"
        remarks = problem.metric.remarks
        found = replace(found, method=f"{label}; {remarks}" if remarks else label)
        self.results.append(found)
        self._leave(attempt, Reason.FELL_SHORT)
        return found

    def _leave(self, attempt: Attempt, reason: Reason, error: Exception | None = None) -> None:
        """Remember the first reason, and the first error."""
        self.left = self.left or (attempt.name, reason)
        self.error = self.error or error

    def most_certain(self) -> Geodesic:
        """The best result, the first of equals; the first error where there is none."""
        if not self.results:
            assert self.error is not None
            raise self.error
        return min(self.results, key=_rank)


def is_enough(found: Geodesic) -> bool:
    """Whether no further method need be tried."""
    return found.certificate.converged and found.error_estimate <= ENOUGH * found.distance


def _rank(found: Geodesic) -> tuple[bool, float]:
    """Order results: those that passed first, then the more certain."""
    return not found.certificate.converged, found.error_estimate
