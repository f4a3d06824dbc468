"""Adaptive integration of flows that may leave their domain: Dormand–Prince of order 8, dense.

A trial stage outside the metric's domain rejects its step, as an error too large does; only where
no step is short enough has the flow itself left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import DOP853, OdeSolution

from ...errors import ConvergenceError, DomainError

__all__ = ["MAX_STEPS", "Flow", "Left", "integrate"]

MAX_STEPS = 10_000

SHORTEST = 1e-12
"""Shortest step of the whole time before a flow counts as one that leaves."""

LEAST = 16
"""Steps a flow takes at least: one of order 8 jumps over a narrow place without a sign."""

FINEST = 3e-14
"""Least relative tolerance that rounding allows."""


class Left(DomainError):
    """A flow left its domain, or the finite numbers, at time `t` and `state`."""

    def __init__(self, t: float, state: np.ndarray, cause: Exception | None) -> None:
        super().__init__(str(cause) if cause else "its speed grows beyond all bounds")
        self.t, self.state = t, state


@dataclass(frozen=True, eq=False)
class Flow:
    """An autonomous flow from one state, as a function of time."""

    times: np.ndarray
    """Times of the integrator's steps, (S+1,)."""
    states: np.ndarray
    """States there, (S+1, size)."""
    evaluations: int
    dense: OdeSolution | None

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """States at times (k,), (k, size), by the polynomials of degree 7 of the steps."""
        assert self.dense is not None
        return np.ascontiguousarray(self.dense(t).T)

    @property
    def end(self) -> np.ndarray:
        """Last state."""
        return self.states[-1]


def integrate(
    field: Callable[[np.ndarray], np.ndarray],
    state: np.ndarray,
    until: float,
    rtol: float,
    atol: np.ndarray,
    dense: bool = True,
    max_steps: int = MAX_STEPS,
) -> Flow:
    """Follow a field from a state over [0, until].

    Parameters
    ----------
    field : callable
        From states (size,) to their rates; may raise a DomainError.
    state : ndarray, shape (size,)
    until : float
    rtol : float
        Tolerance of a step's error, relative to the state.
    atol : ndarray, shape (size,)
        Absolute tolerances, above zero.
    dense : bool
        Whether states between the steps are asked for.
    max_steps : int

    Raises
    ------
    Left
        Where the flow leaves its domain before `until`.
    ConvergenceError
        After `max_steps` steps.
    """
    cause: list[Exception] = []

    def guarded(_: float, y: np.ndarray) -> np.ndarray:
        if np.isfinite(y).all():
            try:
                return field(y)
            except (DomainError, FloatingPointError, np.linalg.LinAlgError) as error:
                cause.append(error)
        return np.full_like(y, np.nan)

    with np.errstate(all="ignore"):
        field(state)  # a start outside the domain is its own error
        solver = DOP853(
            guarded, 0.0, state, until, rtol=max(rtol, FINEST), atol=atol, max_step=until / LEAST
        )
        times, states, pieces = [0.0], [state], []
        while solver.status == "running":
            solver.step()
            stuck = solver.status == "failed" or solver.step_size < SHORTEST * until
            if (stuck and solver.status != "finished") or not np.isfinite(solver.y).all():
                raise Left(times[-1], states[-1], cause[-1] if cause else None)
            times.append(solver.t)
            states.append(solver.y)
            if dense:
                pieces.append(solver.dense_output())
            if len(times) > max_steps and solver.status == "running":
                raise ConvergenceError(
                    f"rtol: {max_steps} steps reach t = {solver.t:.3g} of {until:.3g} only; take "
                    "a larger rtol, or a shorter way"
                )
    return Flow(
        np.array(times),
        np.array(states),
        solver.nfev,
        OdeSolution(times, pieces) if dense else None,
    )
