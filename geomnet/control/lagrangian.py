r"""Augmented Lagrangian with L-BFGS: the fallback where no end-point matrix can be held.

Minimises :math:`E(θ) + λ·c(θ) + ½ρ|c(θ)|^2` over θ, then moves λ by ρc (Nocedal & Wright 2006,
section 17.4). It holds a few vectors only, and stalls where :class:`~geomnet.ArchitectureSQP`
does not: expect the end point missed by 1e-4 at a KKT residual of 1e-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..errors import DomainError
from ..utils.validation import check_integer, check_positive
from .action import Action
from .effort import Effort
from .minimum import Cause, ConstrainedMinimum, Counts, kkt_residual, rms

__all__ = ["ArchitectureLagrangian"]


@dataclass(frozen=True)
class ArchitectureLagrangian:
    """Augmented Lagrangian with L-BFGS.

    Parameters
    ----------
    tol : float
        On the relative KKT residual.
    endpoint_tol : float
        On the root mean square of the distance of end point and target.
    max_iter : int
        Rounds, each an L-BFGS minimisation.
    inner_iter : int
        L-BFGS iterations of one round.
    """

    tol: float = 3e-2
    endpoint_tol: float = 1e-4
    max_iter: int = 50
    inner_iter: int = 300

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_positive("endpoint_tol", self.endpoint_tol)
        check_integer("max_iter", self.max_iter, least=0)
        check_integer("inner_iter", self.inner_iter, least=1)

    def solve(
        self, action: Action | Effort, target: np.ndarray, theta: np.ndarray
    ) -> ConstrainedMinimum:
        """Minimise from θ (L, p)."""
        weights, counts = action.space.sample.weights, Counts()
        here = action.linearise(theta)
        counts.gradients += 1
        violation = here.network.states[-1] - target
        multiplier = np.zeros_like(target)
        # at this ρ an end point that never left would cost a hundred times the energy
        moved = float(np.sum((target - action.points) ** 2))
        penalty = 200 * max(here.value, 1e-300) / max(moved, 1e-300)
        most = 30 * penalty  # past it L-BFGS follows the constraint and forgets the energy
        cause = Cause.MAX_ITER
        for _ in range(self.max_iter):
            counts.iterations += 1
            found = minimize(
                _Lagrangian(action, target, multiplier, penalty, counts),
                theta.reshape(-1),
                jac=True,
                method="L-BFGS-B",
                options={
                    "maxiter": self.inner_iter,
                    "maxfun": 2 * self.inner_iter,
                    "maxcor": 30,
                    "ftol": 1e-15,
                    "gtol": 1e-12,
                },
            )
            theta = found.x.reshape(theta.shape)
            here = action.linearise(theta)
            counts.gradients += 1
            before, violation = np.linalg.norm(violation), here.network.states[-1] - target
            multiplier = multiplier + penalty * violation
            if np.linalg.norm(violation) > 0.5 * before:
                penalty = min(3 * penalty, most)
            missed = rms(violation, weights)
            if missed <= self.endpoint_tol and kkt_residual(here, multiplier) <= self.tol:
                cause = Cause.CONVERGED
                break
        return ConstrainedMinimum(
            theta=theta,
            here=here,
            violation=rms(violation, weights),
            kkt=kkt_residual(here, multiplier),
            counts=counts,
            cause=cause,
        )


@dataclass(frozen=True)
class _Lagrangian:
    """E + λ·c + ½ρ|c|² of packed parameters, with its gradient."""

    action: Action | Effort
    target: np.ndarray
    multiplier: np.ndarray
    penalty: float
    counts: Counts

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        self.counts.gradients += 1
        try:
            here = self.action.linearise(flat.reshape(self.action.network.parameters_shape))
        except DomainError:  # a step too far: L-BFGS turns back
            return 1e300, np.zeros_like(flat)
        c = here.network.states[-1] - self.target
        pull = self.multiplier + self.penalty * c
        value = here.value + np.vdot(self.multiplier + 0.5 * self.penalty * c, c)
        return float(value), (here.gradient + here.network.vjp(pull)).reshape(-1)
