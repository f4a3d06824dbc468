r"""Sequential quadratic programming for the least action that reaches a target.

Minimise E(θ) subject to c(θ) = φ_L − T = 0. Each step minimises the quadratic model of
:mod:`~geomnet.control.layer_blocks`, its damping μ adapted as in Levenberg–Marquardt, and is
judged by the merit E + ρ|c|, ρ a multiple of the multiplier's norm. Two things bend a network away
from its linear model: the end point drifts off the constraint, and all layers off the states the
step aimed at. The second-order correction mends both with the matrices at hand, solving the same
model for the deviation :math:`δ = φ(θ+s) - φ(θ) - Js` of all states (Transtrum & Sethna 2012 call
it geodesic acceleration; Nocedal & Wright 2006, section 18.3, correct the constraint alone).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError
from tqdm import tqdm

from ..errors import InputError
from ..utils.validation import check_integer, check_positive
from .action import Action
from .cometrics import cometrics_of
from .effort import Effort, LinearisedEffort
from .layer_blocks import (
    Blocks,
    LayerBlocks,
    ScaledBlocks,
    solve_quadratic,
)
from .minimum import Cause, ConstrainedMinimum, Counts, kkt_residual, rms

__all__ = ["ArchitectureSQP"]

STALLED = 8
"""Rejected steps in a row that end a solve."""


SHARES = (1.0, 0.3)
"""Parts of a step that are tried before it is rejected."""


@dataclass(frozen=True)
class ArchitectureSQP:
    """Sequential quadratic programming, matrix-free, preconditioned layer by layer.

    Parameters
    ----------
    tol : float
        On the relative KKT residual ‖∂E + J_cᵀλ‖/‖∂E‖.
    endpoint_tol : float
        On the root mean square, over the sample, of the distance of end point and target.
    max_iter : int
        Steps tried, rejected ones counted.
    max_products : int
        Hessian products for one step.
    damping : float
        First μ, relative to the mean eigenvalue of the model.
    corrections : int
        Second-order corrections of one step, at most.
    max_bytes : float
        Memory for the factorised model: (L + 5)(n·d)² numbers for layer blocks, which converge
        fast; 5(n·d)² for a multiple of the identity in their place, which does not.
    """

    tol: float = 2e-5
    endpoint_tol: float = 1e-9
    max_iter: int = 400
    max_products: int = 100
    damping: float = 3e-2
    corrections: int = 5
    max_bytes: float = 2e9

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_positive("endpoint_tol", self.endpoint_tol)
        check_positive("damping", self.damping)
        check_positive("max_bytes", self.max_bytes)
        check_integer("max_iter", self.max_iter, least=0)
        check_integer("max_products", self.max_products, least=1)
        check_integer("corrections", self.corrections, least=1)

    def fits(self, depth: int, size: int) -> bool:
        """Whether a model of L layers and n·d = size can be held."""
        return ScaledBlocks.bytes_needed(depth, size) <= self.max_bytes

    def solve(
        self, action: Action | Effort, target: np.ndarray, theta: np.ndarray
    ) -> ConstrainedMinimum:
        """Minimise from θ (L, p)."""
        depth, size = action.network.depth, target.size
        if not self.fits(depth, size):
            raise InputError(
                f"max_bytes: n·d = {size} needs {ScaledBlocks.bytes_needed(depth, size):.2g} bytes "
                f"for its end-point matrix, {self.max_bytes:.2g} allowed; raise it, take fewer "
                "points, or method=gn.control.ArchitectureLagrangian()"
            )
        return _Run(self, action, target, theta).minimise()


class _Run:
    """One solve: the current point, and what adapts on the way."""

    def __init__(
        self,
        method: ArchitectureSQP,
        action: Action | Effort,
        target: np.ndarray,
        theta: np.ndarray,
    ) -> None:
        self.method, self.action, self.target = method, action, target
        self.weights = action.space.sample.weights
        self.counts = Counts()
        self.damping, self.failed, self.penalty = method.damping, 0.0, 0.0
        self.multiplier = np.zeros_like(target)
        self._move(theta)

    def _move(self, theta: np.ndarray) -> None:
        """Make θ the current point."""
        here = self.action.linearise(theta)
        self.counts.gradients += 1
        self.theta, self.here = theta, here
        self.violation = here.network.states[-1] - self.target

    def minimise(self) -> ConstrainedMinimum:
        """Iterate until both tolerances pass; an interrupt leaves what was reached."""
        try:
            cause = self._iterate()
        except KeyboardInterrupt:
            cause = Cause.INTERRUPTED
        return ConstrainedMinimum(
            theta=self.theta,
            here=self.here,
            violation=rms(self.violation, self.weights),
            kkt=kkt_residual(self.here, self.multiplier),
            counts=self.counts,
            cause=cause,
        )

    def _iterate(self) -> Cause:
        """Step until both tolerances pass; why it ended."""
        rejected = 0
        blocks: Blocks | None = None
        bar = tqdm(range(self.method.max_iter), desc="sqp", disable=None, leave=False)
        for _ in bar:
            self.counts.iterations += 1
            blocks = None  # its matrices make room for the next
            try:
                blocks, damping = self._blocks()
                accepted = self._step(blocks, damping)
            except LinAlgError:
                accepted = False
                self._raise_damping()
            rejected = 0 if accepted else rejected + 1
            if rejected == STALLED:
                return Cause.STALLED
            if accepted and blocks is not None:
                kkt = kkt_residual(self.here, self.multiplier)
                bar.set_postfix(energy=f"{self.here.value:.6g}", kkt=f"{kkt:.1e}")
                last = self.counts.iterations == self.method.max_iter
                if kkt <= self.method.tol or last:
                    self._restore(blocks)
                    if self._converged():
                        return Cause.CONVERGED
        return Cause.MAX_ITER

    def _converged(self) -> bool:
        return (
            rms(self.violation, self.weights) <= self.method.endpoint_tol
            and kkt_residual(self.here, self.multiplier) <= self.method.tol
        )

    def _blocks(self) -> tuple[Blocks, float]:
        """Factorise the model at the current point; its damping μ in the model's own units."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=self.theta.shape)
        image = self.here.hessian_product(signs)
        self.counts.products += 1
        mean = float(np.vdot(signs, image)) / signs.size
        damping = self.damping * abs(mean)
        self.counts.factorisations += 1
        here, action, network = self.here, self.action, self.here.network
        scaled = LayerBlocks.bytes_needed(*self._sizes) > self.method.max_bytes
        # the Hessian of an effort is a scaled identity
        if scaled or isinstance(action, Effort) or isinstance(here, LinearisedEffort):
            return ScaledBlocks(network, abs(mean) + damping), damping
        cometrics = cometrics_of(action.metric, action.rule, network.states, here.steps)
        return LayerBlocks(network, cometrics, damping), damping

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.action.network.depth, self.target.size

    def _step(self, blocks: Blocks, damping: float) -> bool:
        """Solve the model, correct, judge, adapt; whether the step was taken."""
        here, network = self.here, self.here.network
        step, multiplier, curvature, products = solve_quadratic(
            lambda s: here.hessian_product(s) + damping * s,
            blocks,
            here.gradient,
            self.violation,
            rtol=1e-2,
            max_products=self.method.max_products,
        )
        self.counts.products += products
        size = 1.5 * float(np.linalg.norm(multiplier))
        self.penalty = max(size, 0.5 * (self.penalty + size))
        level = self._merit(here.value, self.violation)
        missed = self.penalty * float(np.linalg.norm(self.violation))
        predicted = missed - float(np.vdot(here.gradient, step)) - 0.5 * curvature
        change = network.jvp(step)
        for share in SHARES:
            found = self._corrected(
                blocks,
                self.theta + share * step,
                network.states + share * change,
                level - 0.1 * share * predicted + 1e-12 * level,
            )
            if found is not None:
                break
        else:
            self._raise_damping()
            return False
        theta, reached = found
        if share == 1.0:
            self._adapt((level - reached) / predicted)
        else:
            self._raise_damping()
        self.multiplier = multiplier
        self._move(theta)
        return True

    def _corrected(
        self, blocks: Blocks, theta: np.ndarray, aim: np.ndarray, enough: float
    ) -> tuple[np.ndarray, float] | None:
        """Bring the states to where a step aimed; None where the merit does not fall enough.

        At least one correction is made: where the step itself would do, it does better.
        """
        for number in range(self.method.corrections + 1):
            value, states = self.action.value_and_states(theta)
            self.counts.values += 1
            if not np.isfinite(value):
                return None
            merit = self._merit(value, states[-1] - self.target)
            if number and merit <= enough:
                return theta, merit
            deviation = states - aim
            force = -self.here.network.vjp(self.here.state_product(deviation))
            # the end goes to the target itself: the aim misses it by the rounding of the model
            theta = theta + blocks.solve(force, self.target - states[-1])[0]
        return None

    def _merit(self, value: float, violation: np.ndarray) -> float:
        return value + self.penalty * float(np.linalg.norm(violation))

    def _adapt(self, ratio: float) -> None:
        """Damping for the next step, not below what failed a while ago."""
        if ratio < 0.1:
            self.damping *= 2
        elif ratio >= 0.4:
            self.damping = max(self.damping / 2, self.failed)
        self.failed *= 0.7

    def _raise_damping(self) -> None:
        self.damping *= 3
        self.failed = self.damping

    def _restore(self, blocks: Blocks) -> None:
        """Newton's steps to the target alone, with the matrices at hand."""
        theta, violation = self.theta, self.violation
        for _ in range(10):
            miss = np.linalg.norm(violation)
            if rms(violation, self.weights) <= 0.1 * self.method.endpoint_tol:
                break
            trial = theta + blocks.solve(np.zeros_like(theta), -violation)[0]
            value, states = self.action.value_and_states(trial)
            self.counts.values += 1
            if not (np.isfinite(value) and np.linalg.norm(states[-1] - self.target) < 0.5 * miss):
                break
            theta, violation = trial, states[-1] - self.target
        if theta is not self.theta:
            self._move(theta)
