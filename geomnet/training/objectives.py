"""What training minimises: task loss, penalty and, on request, the energy of the layers' path."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..control.action import Action
from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import Model, Network, Readout

__all__ = ["ModelObjective", "PathObjective", "TrainingObjective"]

Index = slice | np.ndarray
"""Which of the data: all of them, or a batch."""
WHOLE = slice(None)


class TrainingObjective(ABC):
    """An objective of packed parameters on a sample, whole or on a batch of it.

    Parameters
    ----------
    likelihood : Likelihood
    sample : Sample
    targets : ndarray
        Checked by the likelihood.
    weight_decay : float
        Of the penalty.
    """

    action: Action | None = None

    def __init__(
        self, likelihood: Likelihood, sample: Sample, targets: np.ndarray, weight_decay: float
    ) -> None:
        self.likelihood, self.weight_decay = likelihood, weight_decay
        self.points, self.weights, self.targets = sample.points, sample.weights, targets

    @abstractmethod
    def __call__(self, parameters: np.ndarray, index: Index = WHOLE) -> tuple[float, np.ndarray]:
        """Value and gradient, the task loss estimated on the data at `index`.

        The mean over the batches of a partition is the objective itself: the loss of a random
        batch is an unbiased estimate, penalty and energy are whole in every one.
        """

    @abstractmethod
    def unpack(self, parameters: np.ndarray) -> tuple[np.ndarray, Readout | None]:
        """θ as the network takes it, and its readout where it has one apart."""

    @abstractmethod
    def predict(self, parameters: np.ndarray) -> np.ndarray:
        """Parameters z of the likelihood at every point, (n, C)."""

    def task(self, z: np.ndarray, index: Index) -> tuple[float, np.ndarray]:
        """Task loss of outputs z on the data at `index`, and its gradient in z."""
        # n/|batch| makes a random batch an unbiased estimate of the weighted mean
        share = self.weights[index]
        share = share * (len(self.weights) / len(share))
        targets = self.targets[index]
        loss = float(share @ self.likelihood.negative_log_likelihood(z, targets))
        return loss, share[:, None] * self.likelihood.residual(z, targets)

    def loss(self, parameters: np.ndarray) -> float:
        """Task loss: the mean, without penalty and energy."""
        z = self.predict(parameters)
        return float(self.weights @ self.likelihood.negative_log_likelihood(z, self.targets))

    def energy(self, parameters: np.ndarray) -> float:
        """Energy of the path through the layers; NaN without an action."""
        return np.nan

    def path_size(self, parameters: np.ndarray) -> tuple[float | None, float | None]:
        """Energy and length of the path through the layers, one step a layer."""
        return None, None

    def limited(self, parameters: np.ndarray, bound: float) -> np.ndarray:
        """Parameters whose layers keep a Lipschitz bound."""
        raise InputError("max_step_lipschitz: bounds the steps of a gn.Network; leave it out")

    def score(self, parameters: np.ndarray) -> float | None:
        """Share of right predictions, where the likelihood has such."""
        return self.likelihood.score(self.predict(parameters), self.targets)


class ModelObjective(TrainingObjective):
    r"""The objective of the flat θ of any model.

    .. math:: J = \sum_iw_i(-\log p(y_i|z(θ, x_i))) + ½δ|θ|^2

    Parameters
    ----------
    model : Model
    likelihood, sample, targets, weight_decay
        As :class:`TrainingObjective` takes them.
    """

    def __init__(
        self,
        model: Model,
        likelihood: Likelihood,
        sample: Sample,
        targets: np.ndarray,
        weight_decay: float,
    ) -> None:
        super().__init__(likelihood, sample, targets, weight_decay)
        self.model = model

    def __call__(self, parameters: np.ndarray, index: Index = WHOLE) -> tuple[float, np.ndarray]:
        """Value of J and its gradient."""
        run = self.model.linearise(parameters, self.points[index])
        loss, signal = self.task(run.output, index)
        value = loss + 0.5 * self.weight_decay * float(parameters @ parameters)
        return value, run.pull(signal[:, None])[0] + self.weight_decay * parameters

    def unpack(self, parameters: np.ndarray) -> tuple[np.ndarray, Readout | None]:
        """Return θ as the network takes it, and a readout where the model has one apart."""
        return self.model.unflatten(parameters)

    def predict(self, parameters: np.ndarray) -> np.ndarray:
        """Outputs at every point, (n, C)."""
        return self.model.values(parameters, self.points)


class PathObjective(TrainingObjective):
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
        super().__init__(likelihood, sample, targets, weight_decay)
        self.network, self.train_readout = network, train_readout
        self.action, self.weight = action, weight
        self._last: tuple[np.ndarray, float] | None = None
        shape = (likelihood.n_parameters, network.dim)
        self.model = network.with_readout(Readout(np.zeros(shape)))

    def pack(self, theta: np.ndarray, readout: Readout) -> np.ndarray:
        """Parameters as one vector."""
        return self.model.flatten(theta, readout)

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Views of θ (L, p), W (C, d) and b (C,)."""
        place = self.model.readout_map
        assert place is not None
        weight, bias = place.split(parameters)
        assert bias is not None
        return parameters[: place.start].reshape(self.network.parameters_shape), weight, bias

    def unpack(self, parameters: np.ndarray) -> tuple[np.ndarray, Readout | None]:
        """Inverse of :meth:`pack`."""
        return self.model.unflatten(parameters)

    def __call__(self, parameters: np.ndarray, index: Index = WHOLE) -> tuple[float, np.ndarray]:
        """Value of J and its gradient."""
        theta, weight, bias = self._split(parameters)
        states = self.network.states(theta, self.points[index])
        loss, signal = self.task(states[-1] @ weight.T + bias, index)
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
        z: np.ndarray = self.network(theta, self.points) @ weight.T + bias
        return z

    def energy(self, parameters: np.ndarray) -> float:
        """Energy E of the path through the layers; NaN without an action."""
        if self.action is None:
            return np.nan
        theta = self._split(parameters)[0]
        # L-BFGS asks where it has just been: an energy may cost as much as all the rest
        if self._last is not None and np.array_equal(self._last[0], theta):
            return self._last[1]
        return self.action.value(theta)

    def path_size(self, parameters: np.ndarray) -> tuple[float | None, float | None]:
        """Energy and length of the path through the layers, in the action's metric."""
        if self.action is None:
            return None, None
        states = self.network.states(self._split(parameters)[0], self.action.points)
        squared = self.action.metric.squared_step(states[:-1], states[1:])
        energy = float(len(squared) * squared.sum())
        return energy, float(np.sqrt(np.maximum(squared, 0.0)).sum())
