"""What training minimises: task loss, penalty and, on request, the energy of the layers' path."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..likelihoods import Likelihood
from ..sample import Sample
from .action import Action
from .network import Network
from .readout import Readout

__all__ = ["Objective"]


class Objective:
    r"""The objective J of packed parameters (θ, W, b) on a sample, with its gradient.

    .. math:: J = \sum_iw_i(-\log p(y_i|Wφ_L(x_i)+b)) + ½δ(h|θ|^2 + |W|^2) + λE(θ)

    with δ the decay, h the layers' step and E the discrete energy of the path through the
    layers.

    Parameters
    ----------
    network : Network
    likelihood : Likelihood
    sample : Sample
    targets : ndarray
        Checked by the likelihood.
    weight_decay : float
        The δ above.
    action : Action, optional
        Gives E; it lives on a sample of its own, always taken whole.
    weight : float
        The λ above.
    train_readout : bool
        Where false the gradient in W and b is zero, and no descent moves them.
    """

    def __init__(
        self,
        network: Network,
        likelihood: Likelihood,
        sample: Sample,
        targets: np.ndarray,
        weight_decay: float,
        *,
        action: Action | None = None,
        weight: float = 0.0,
        train_readout: bool = True,
    ) -> None:
        self.network, self.likelihood = network, likelihood
        self.points, self.weights, self.targets = sample.points, sample.weights, targets
        self.weight_decay, self.train_readout = weight_decay, train_readout
        self.action, self.weight = action, weight
        self._last: tuple[np.ndarray, float] | None = None
        self._cuts = np.cumsum([network.n_parameters, likelihood.n_parameters * network.dim])

    def pack(self, theta: np.ndarray, readout: Readout) -> np.ndarray:
        """Parameters as one vector."""
        return np.concatenate([theta.reshape(-1), readout.weight.reshape(-1), readout.bias])

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        theta, weight, bias = np.split(parameters, self._cuts)
        return (
            theta.reshape(self.network.parameters_shape),
            weight.reshape(-1, self.network.dim),
            bias,
        )

    def unpack(self, parameters: np.ndarray) -> tuple[np.ndarray, Readout]:
        """Inverse of :meth:`pack`."""
        theta, weight, bias = self._split(parameters)
        return theta.copy(), Readout(weight.copy(), bias.copy())

    def __call__(
        self, parameters: np.ndarray, index: Any = slice(None)
    ) -> tuple[float, np.ndarray]:
        """Value of J and its gradient, the task loss estimated on the data at `index`.

        The mean over the batches of a partition is J itself: the loss of a random batch is an
        unbiased estimate, penalty and energy are whole in every one.
        """
        theta, weight, bias = self._split(parameters)
        # n/|batch| makes a random batch an unbiased estimate of the weighted mean
        share = self.weights[index]
        share = share * (len(self.weights) / len(share))
        states = self.network.states(theta, self.points[index])
        z = states[-1] @ weight.T + bias
        targets = self.targets[index]
        loss = float(share @ self.likelihood.negative_log_likelihood(z, targets))
        signal = share[:, None] * self.likelihood.residual(z, targets)
        to_theta, _ = self.network.vjp(theta, states, signal @ weight)
        decay, h = self.weight_decay, 1 / self.network.depth
        value = loss + 0.5 * decay * (h * np.sum(theta**2) + np.sum(weight**2))
        to_theta = to_theta + decay * h * theta
        if self.action is not None and self.weight:
            energy, slope = self.action.value_and_gradient(theta)
            self._last = theta.copy(), energy
            value, to_theta = value + self.weight * energy, to_theta + self.weight * slope
        to_weight, to_bias = signal.T @ states[-1] + decay * weight, signal.sum(axis=0)
        if not self.train_readout:
            to_weight, to_bias = np.zeros_like(to_weight), np.zeros_like(to_bias)
        gradient = np.concatenate([to_theta.reshape(-1), to_weight.reshape(-1), to_bias])
        return float(value), gradient

    def limited(self, parameters: np.ndarray, bound: float) -> np.ndarray:
        """Parameters whose layers keep a Lipschitz bound."""
        theta, weight, bias = self._split(parameters)
        theta = self.network.limit_step_lipschitz(theta, bound)
        return np.concatenate([theta.reshape(-1), weight.reshape(-1), bias])

    def predict(self, parameters: np.ndarray) -> np.ndarray:
        """Parameters z of the likelihood at every point, (n, C)."""
        theta, weight, bias = self._split(parameters)
        return self.network(theta, self.points) @ weight.T + bias

    def loss(self, parameters: np.ndarray) -> float:
        """Task loss: the mean, without penalty and energy."""
        z = self.predict(parameters)
        return float(self.weights @ self.likelihood.negative_log_likelihood(z, self.targets))

    def energy(self, parameters: np.ndarray) -> float:
        """Energy E of the path through the layers; NaN without an action."""
        if self.action is None:
            return np.nan
        theta = self._split(parameters)[0]
        # L-BFGS asks where it has just been: an energy may cost as much as all the rest
        if self._last is not None and np.array_equal(self._last[0], theta):
            return self._last[1]
        return self.action.value(theta)

    def score(self, parameters: np.ndarray) -> float | None:
        """Share of right predictions, where the likelihood has such."""
        return self.likelihood.score(self.predict(parameters), self.targets)
