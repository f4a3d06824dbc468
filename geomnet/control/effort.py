r"""The effort of a network linear in its parameters: its energy where the kernel is singular.

For a field :math:`f = ΨΘ` with fewer features than points the energy metric of
``FeatureKernel(field)`` is :math:`v^\top K^+v` on the range of K and infinite off it: the geometry
is sub-Riemannian, and no free path can be varied in it. Its own architecture never leaves the
range, and as :math:`\langle v,v\rangle = \min\{|Θ|^2 : ΨΘ = v\}`, the least energy of Euler layers
by the left rule is the least effort

.. math:: E(θ) = \tfrac1L\sum_l|θ_l|^2 \quad\text{subject to}\quad φ_L = T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from ..errors import DomainError, SingularKernelError
from ..geometry.kernels import FeatureKernel
from ..geometry.metric import AbstractMetric
from ..geometry.space import FunctionSpace
from ..metrics import EnergyMetric
from ..networks import Euler, Network
from ..networks.linearised_network import LinearisedNetwork
from .action import Action

__all__ = ["Effort", "LinearisedEffort", "action_or_effort"]


def action_or_effort(network: Network, metric: AbstractMetric, rule: str) -> Action | Effort:
    """Return the action to minimise: the effort where the metric's kernel is singular."""
    action = Action(network, metric, rule)
    if not isinstance(metric, EnergyMetric) or metric.nugget:
        return action
    kernel = metric.kernel
    if not isinstance(kernel, FeatureKernel):
        return action
    n, features = len(action.points), kernel.features(action.points[:1]).shape[-1]
    if features >= n:
        return action
    why = f"kernel: {features} features for {n} points, so the kernel matrix is singular; "
    if kernel.field != network.field or kernel.effort is not None:
        raise SingularKernelError(
            f"{why}only the network of that very field stays where the energy is finite: give "
            "FeatureKernel(network.field), at least as many features as points, or a nugget"
        )
    if rule != "left" or not isinstance(network.integrator, Euler):
        raise SingularKernelError(
            f"{why}the energy of its network is finite for Euler layers by the left rule alone; "
            "give rule='left' and gn.networks.Euler(), or a nugget"
        )
    return Effort(network, metric)


@dataclass(frozen=True)
class Effort:
    """The effort of a network's layers, in place of its :class:`Action`.

    Parameters
    ----------
    network : Network
        Of a field linear in θ.
    metric : EnergyMetric
        Of ``FeatureKernel(network.field)``.
    """

    network: Network
    metric: EnergyMetric

    @property
    def space(self) -> FunctionSpace:
        """The function space of the sample."""
        return cast(FunctionSpace, self.metric.space)

    @property
    def points(self) -> np.ndarray:
        """Where the path begins, (n, d)."""
        return self.space.identity

    def value(self, theta: np.ndarray) -> float:
        """E(θ)."""
        return float(np.sum(theta**2)) / self.network.depth

    def value_and_states(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """E(θ), infinite where the states overflow, and the states."""
        with np.errstate(over="ignore", invalid="ignore"):
            states = self.network.states(theta, self.points)
        return (self.value(theta) if np.isfinite(states).all() else np.inf), states

    def linearise(self, theta: np.ndarray) -> LinearisedEffort:
        """E(θ) with its derivatives, and those of the states."""
        with np.errstate(over="ignore", invalid="ignore"):
            network = self.network.linearise(theta, self.points)
        if not np.isfinite(network.states).all():
            raise DomainError("theta: the network's states overflow; take smaller parameters")
        return LinearisedEffort(network)


class LinearisedEffort:
    """The effort at one θ."""

    def __init__(self, network: LinearisedNetwork) -> None:
        self.network = network
        theta, depth = network.theta, len(network.theta)
        self.value = float(np.sum(theta**2)) / depth
        self.gradient = 2 * theta / depth
        self.squared_steps = np.sum(theta**2, axis=1) / depth**2

    def hessian_product(self, dtheta: np.ndarray) -> np.ndarray:
        """2dθ/L."""
        return 2 * dtheta / len(dtheta)

    def state_product(self, dstates: np.ndarray) -> np.ndarray:
        """Zero: the effort does not depend on the states."""
        return np.zeros_like(dstates)
