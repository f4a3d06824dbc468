r"""The action of a network: the energy of the curve of maps its layers run through.

With the states :math:`φ_0 = I, φ_1, …, φ_L` of a network on a sample,

.. math:: E(θ) = L\sum_{l<L} s(φ_l, φ_{l+1}),

the discrete energy of :mod:`geomnet.geometry.path_energy` with one step for each layer. Its
gradient is one backward sweep: the steps give a covector on every state, the layers pull them back
to θ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError, InputError
from ..geometry.metric import AbstractMetric, LeftRule, StepRule
from ..geometry.path_energy import PathEnergy
from ..geometry.space import FunctionSpace
from ..geometry.steps import Steps
from ..networks.linearised_network import LinearisedNetwork
from ..networks.network import Network
from ..utils.validation import check_choice

__all__ = ["Action", "LinearisedAction"]

RULES = ("midpoint", "left")


@dataclass(frozen=True)
class Action:
    r"""Discrete energy of a network's own layer path, as a function of its parameters.

    Parameters
    ----------
    network : Network
    metric : Metric
        On the function space of the sample; the path begins at ``metric.space.identity``.
    rule : {"midpoint", "left"}
        Where the metric is taken on a step. "midpoint" is the metric's own squared step: the
        midpoint rule, order 2, or what the metric gives in its stead (Fisher–Rao: the closed
        distance). "left" takes it at the step's start, order 1: with Euler layers and a field
        linear in θ under the energy metric of its own features, the action is then
        :math:`\frac1L\sum_l|θ_l|^2` at its least.

    Raises
    ------
    InputError
        Where network and metric do not fit each other.

    Examples
    --------
    >>> import numpy as np
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[0.0, 0.0], [1.0, 2.0]])
    >>> network = gn.Network(gn.networks.LinearField(dim=2), depth=4)
    >>> action = gn.control.Action(network, gn.L2Metric(space))
    >>> shift = np.tile([0.0, 0.0, 0.0, 0.0, 3.0, 4.0], (4, 1))  # f(x) = (3, 4)
    >>> round(action.value(shift), 12)
    25.0
    """

    network: Network
    metric: AbstractMetric
    rule: str = "midpoint"

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise InputError(f"network: expected a gn.Network, got {self.network!r}")
        if not isinstance(self.metric, AbstractMetric):
            raise InputError(
                f"metric: expected a gn.Metric such as gn.L2Metric(space), got {self.metric!r}"
            )
        shape = self.metric.space.shape
        if len(shape) != 2 or shape[1] != self.network.dim:
            raise InputError(
                f"metric: its maps have shape {shape}, and the network moves points of "
                f"R^{self.network.dim}"
            )
        check_choice("rule", self.rule, RULES)

    @property
    def space(self) -> FunctionSpace:
        """The function space of the sample."""
        return cast(FunctionSpace, self.metric.space)

    @property
    def points(self) -> np.ndarray:
        """Where the path begins, (n, d)."""
        return self.space.identity

    @property
    def step_rule(self) -> StepRule:
        """Where the metric is taken on a step."""
        return self.metric if self.rule == "midpoint" else LeftRule(self.metric)

    @property
    def energy(self) -> PathEnergy:
        """The same discrete energy, of any path of states."""
        return PathEnergy(self.step_rule)

    def value(self, theta: ArrayLike) -> float:
        """E(θ) at parameters (L, p); infinite where the path leaves the metric's domain."""
        return self.value_and_states(theta)[0]

    def value_and_states(self, theta: ArrayLike) -> tuple[float, np.ndarray]:
        """E(θ), and the states (L+1, n, d) it is the energy of."""
        with np.errstate(over="ignore", invalid="ignore"):
            states = self.network.states(theta, self.points)
        return self.energy.value(states), states

    def value_and_gradient(self, theta: ArrayLike) -> tuple[float, np.ndarray]:
        """E(θ) and ∂E/∂θ, (L, p)."""
        linearised = self.linearise(theta)
        return linearised.value, linearised.gradient

    def linearise(self, theta: ArrayLike) -> LinearisedAction:
        """E(θ) with what its derivatives need.

        Raises
        ------
        DomainError
            Where the path leaves the metric's domain.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return LinearisedAction(self, self.network.linearise(theta, self.points))


class LinearisedAction:
    """The action at one θ: value, gradient, and the network's and the metric's derivatives."""

    def __init__(self, action: Action, network: LinearisedNetwork) -> None:
        self.network = network
        states = network.states
        if not np.isfinite(states).all():
            raise DomainError("theta: the network's states overflow; take smaller parameters")
        self.steps: Steps = action.step_rule.steps(states[:-1], states[1:])
        self.value = float((len(states) - 1) * self.steps.squared.sum())

    @property
    def squared_steps(self) -> np.ndarray:
        """Squared lengths of the layers' steps, (L,)."""
        return self.steps.squared

    @cached_property
    def cotangents(self) -> np.ndarray:
        """∂E/∂φ_l of every state, (L+1, n, d), each step's own change alone."""
        return self._collect(*self.steps.gradients())

    @cached_property
    def gradient(self) -> np.ndarray:
        """∂E/∂θ, (L, p)."""
        return self.network.vjp(self.cotangents)

    def state_product(self, dstates: np.ndarray) -> np.ndarray:
        """Hessian of the energy in the states, times a change of the states, (L+1, n, d)."""
        return self._collect(*self.steps.hessian_product(dstates[:-1], dstates[1:]))

    def hessian_product(self, dtheta: np.ndarray) -> np.ndarray:
        """JᵀHJ dθ, (L, p): Gauss–Newton, exact in the metric, the layers taken as linear in θ.

        What is missing is the layers' curvature against the adjoint of the states, which
        vanishes where the path is a geodesic.
        """
        return self.network.vjp(self.state_product(self.network.jvp(dtheta)))

    def _collect(self, to_start: np.ndarray, to_end: np.ndarray) -> np.ndarray:
        """Covectors on the ends of every step, summed state by state."""
        total = np.zeros_like(self.network.states)
        total[:-1] = to_start
        total[1:] += to_end
        total *= len(to_start)
        return total
