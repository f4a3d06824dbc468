"""Training: from a sample with labels to parameters and a readout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

from ..errors import InputError, check_array, check_choice, check_integer, check_positive
from ..likelihoods import Likelihood
from ..sample import Sample
from ..threads import blas_threads
from .network import Network
from .readout import Readout

__all__ = ["Fit", "train"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network.

    Attributes
    ----------
    theta : ndarray, shape (L, p)
    readout : Readout
    losses : ndarray
        Mean loss after every epoch (Adam) or iteration (L-BFGS), penalty excluded.
    heldout_losses : ndarray
        The same on the held-out data; empty without.
    train_accuracy, heldout_accuracy : float or None
        Share of right predictions, where the likelihood has such.
    stopped_early : bool
        Whether the held-out loss ended the training.
    """

    theta: np.ndarray
    readout: Readout
    losses: np.ndarray = field(repr=False)
    heldout_losses: np.ndarray = field(repr=False)
    train_accuracy: float | None
    heldout_accuracy: float | None
    stopped_early: bool

    def __repr__(self) -> str:
        def share(value):
            return "-" if value is None else f"{value:.3f}"

        return (
            f"Fit(loss={self.losses[-1]:.4g}, train_accuracy={share(self.train_accuracy)}, "
            f"heldout_accuracy={share(self.heldout_accuracy)}, epochs={len(self.losses)})"
        )


def train(
    network: Network,
    sample: Sample,
    likelihood: Likelihood,
    *,
    targets: Any = None,
    heldout: Sample | None = None,
    seed: int = 0,
    method: str = "adam",
    epochs: int = 200,
    batch_size: int = 64,
    learning_rate: float = 5e-3,
    weight_decay: float = 1e-2,
    patience: int | None = None,
    max_step_lipschitz: float | None = None,
    theta: Any = None,
    readout: Readout | None = None,
) -> Fit:
    r"""Minimise :math:`\sum_iw_i(-\log p(y_i|Wφ_L(x_i)+b)) + ½λ(h|θ|^2 + |W|^2)`.

    The penalty weighs layers by their step h, so that it is the effort :math:`\int|θ_t|^2dt` of
    the curve, whatever the depth.

    Parameters
    ----------
    network : Network
    sample : Sample
        Its labels (or, without labels, its target) are what to predict.
    likelihood : Likelihood
    targets : array_like, optional
        Instead of the sample's labels.
    heldout : Sample, optional
        For the held-out loss and accuracy; its labels.
    seed : int
        Of initial parameters and batches.
    method : {"adam", "lbfgs"}
    epochs : int
        Passes over the data (Adam) or iterations (L-BFGS), at most.
    batch_size : int
        For Adam.
    learning_rate : float
        For Adam; it falls to zero as a cosine.
    weight_decay : float
        The λ above.
    patience : int, optional
        Stop when the held-out loss has not fallen for so many epochs, and return the best
        parameters seen (Adam, with `heldout`).
    max_step_lipschitz : float, optional
        Keep every layer's step below this Lipschitz constant by scaling it down after every
        epoch (Adam). Below 1 the network is a diffeomorphism, whatever it learns (Behrmann et
        al. 2019).
    theta, readout : optional
        Where to begin.

    Returns
    -------
    Fit

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.Network(gn.TanhField(dim=4, width=8), depth=4)
    >>> fit = gn.train(network, sample, gn.Categorical(3), weight_decay=1e-3)
    >>> fit.train_accuracy > 0.9
    True
    """
    for name, value, kind in (("sample", sample, Sample), ("likelihood", likelihood, Likelihood)):
        if not isinstance(value, kind):
            raise InputError(f"{name}: expected a gn.{kind.__name__}, got {type(value).__name__}")
    if readout is not None and not isinstance(readout, Readout):
        raise InputError(f"readout: expected a gn.Readout, got {type(readout).__name__}")
    check_choice("method", method, ("adam", "lbfgs"))
    seed = check_integer("seed", seed, least=0)
    epochs = check_integer("epochs", epochs, least=1)
    batch_size = check_integer("batch_size", batch_size, least=1)
    check_positive("learning_rate", learning_rate)
    check_positive("weight_decay", weight_decay, zero=True)
    if sample.dim != network.dim:
        raise InputError(f"sample: has {sample.dim} columns, the network takes {network.dim}")
    if heldout is not None and heldout.dim != network.dim:
        raise InputError(f"heldout: has {heldout.dim} columns, the network takes {network.dim}")
    if patience is not None:
        patience = check_integer("patience", patience, least=1)
        if heldout is None or method != "adam":
            raise InputError("patience: early stopping needs heldout data, and method 'adam'")
    if max_step_lipschitz is not None:
        check_positive("max_step_lipschitz", max_step_lipschitz)
        if method != "adam":
            raise InputError("max_step_lipschitz: needs method 'adam'")
    rng = np.random.default_rng(seed)
    start_theta = network.init(rng) if theta is None else theta
    start_theta = check_array("theta", start_theta, shape=network.parameters_shape)
    shape = (likelihood.n_parameters, network.dim)
    if readout is None:
        readout = Readout(rng.normal(size=shape) / np.sqrt(network.dim))
    elif readout.weight.shape != shape:
        raise InputError(f"readout: expected a weight of shape {shape}, got {readout!r}")
    objective = _Objective(
        network, likelihood, sample, _targets(sample, likelihood, targets), weight_decay
    )
    evaluation = None
    if heldout is not None:
        evaluation = _Objective(
            network, likelihood, heldout, _targets(heldout, likelihood, None, "heldout"), 0.0
        )
    parameters = objective.pack(start_theta, readout)
    run = _adam if method == "adam" else _lbfgs
    with blas_threads(batch_size):
        parameters, losses, heldout_losses, early = run(
            objective,
            evaluation,
            parameters,
            rng=rng,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            max_step_lipschitz=max_step_lipschitz,
        )
    theta, readout = objective.unpack(parameters)
    return Fit(
        theta=theta,
        readout=readout,
        losses=np.array(losses),
        heldout_losses=np.array(heldout_losses),
        train_accuracy=objective.score(parameters),
        heldout_accuracy=None if evaluation is None else evaluation.score(parameters),
        stopped_early=early,
    )


def _targets(
    sample: Sample, likelihood: Likelihood, targets: Any, name: str = "sample"
) -> np.ndarray:
    if targets is None:
        targets = sample.labels if sample.labels is not None else sample.target
    if targets is None:
        raise InputError(f"{name}: has neither labels nor a target to learn; give targets")
    return likelihood.check_targets(targets, sample.n)


class _Objective:
    """Penalised mean loss of packed parameters (θ, W, b) on a sample, with its gradient."""

    def __init__(
        self,
        network: Network,
        likelihood: Likelihood,
        sample: Sample,
        targets: np.ndarray,
        weight_decay: float,
    ) -> None:
        self.network, self.likelihood = network, likelihood
        self.points, self.weights, self.targets = sample.points, sample.weights, targets
        self.weight_decay = weight_decay
        self._cuts = np.cumsum([network.n_parameters, likelihood.n_parameters * network.dim])

    def pack(self, theta: np.ndarray, readout: Readout) -> np.ndarray:
        return np.concatenate([theta.reshape(-1), readout.weight.reshape(-1), readout.bias])

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        theta, weight, bias = np.split(parameters, self._cuts)
        return (
            theta.reshape(self.network.parameters_shape),
            weight.reshape(-1, self.network.dim),
            bias,
        )

    def unpack(self, parameters: np.ndarray) -> tuple[np.ndarray, Readout]:
        theta, weight, bias = self._split(parameters)
        return theta.copy(), Readout(weight.copy(), bias.copy())

    def __call__(
        self, parameters: np.ndarray, index: Any = slice(None)
    ) -> tuple[float, np.ndarray]:
        """Penalised loss on the data at `index`, and its gradient."""
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
        penalty = 0.5 * decay * (h * np.sum(theta**2) + np.sum(weight**2))
        gradient = np.concatenate(
            [
                (to_theta + decay * h * theta).reshape(-1),
                (signal.T @ states[-1] + decay * weight).reshape(-1),
                signal.sum(axis=0),
            ]
        )
        return loss + penalty, gradient

    def limited(self, parameters: np.ndarray, bound: float) -> np.ndarray:
        """Parameters whose layers keep a Lipschitz bound."""
        theta, weight, bias = self._split(parameters)
        theta = self.network.limit_step_lipschitz(theta, bound)
        return np.concatenate([theta.reshape(-1), weight.reshape(-1), bias])

    def predict(self, parameters: np.ndarray) -> np.ndarray:
        theta, weight, bias = self._split(parameters)
        return self.network(theta, self.points) @ weight.T + bias

    def loss(self, parameters: np.ndarray) -> float:
        """Mean loss, without the penalty."""
        z = self.predict(parameters)
        return float(self.weights @ self.likelihood.negative_log_likelihood(z, self.targets))

    def score(self, parameters: np.ndarray) -> float | None:
        return self.likelihood.score(self.predict(parameters), self.targets)


def _adam(
    objective: _Objective,
    evaluation: _Objective | None,
    parameters: np.ndarray,
    *,
    rng: np.random.Generator,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
    max_step_lipschitz: float | None,
) -> tuple[np.ndarray, list[float], list[float], bool]:
    """Adam (Kingma & Ba 2015) on mini-batches, its rate falling to zero as a cosine."""
    n = len(objective.points)
    batches = -(-n // batch_size)
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    losses: list[float] = []
    heldout_losses: list[float] = []
    best, best_epoch = (np.inf, parameters), 0
    step = 0
    bar = tqdm(range(epochs), desc="training", unit="epoch", disable=None, leave=False)
    for epoch in bar:
        for index in np.array_split(rng.permutation(n), batches):
            _, gradient = objective(parameters, index)
            step += 1
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            rate = learning_rate * 0.5 * (1 + np.cos(np.pi * (step - 1) / (epochs * batches)))
            parameters = parameters - rate * (first / (1 - 0.9**step)) / (
                np.sqrt(second / (1 - 0.999**step)) + 1e-8
            )
        if max_step_lipschitz is not None:
            parameters = objective.limited(parameters, max_step_lipschitz)
        losses.append(objective.loss(parameters))
        if not np.isfinite(losses[-1]):
            raise InputError(
                f"learning_rate: training diverged in epoch {epoch + 1}; take a smaller one"
            )
        bar.set_postfix(loss=f"{losses[-1]:.4g}")
        if evaluation is not None:
            heldout_losses.append(evaluation.loss(parameters))
            if patience is not None:
                if heldout_losses[-1] < best[0]:
                    best, best_epoch = (heldout_losses[-1], parameters.copy()), epoch
                elif epoch - best_epoch >= patience:
                    return best[1], losses, heldout_losses, True
    if patience is not None:
        parameters = best[1]
    return parameters, losses, heldout_losses, False


def _lbfgs(
    objective: _Objective,
    evaluation: _Objective | None,
    parameters: np.ndarray,
    *,
    epochs: int,
    **_: Any,
) -> tuple[np.ndarray, list[float], list[float], bool]:
    """L-BFGS on the whole sample."""
    losses: list[float] = []
    heldout_losses: list[float] = []
    with tqdm(total=epochs, desc="training", disable=None, leave=False) as bar:

        def record(parameters):
            losses.append(objective.loss(parameters))
            if evaluation is not None:
                heldout_losses.append(evaluation.loss(parameters))
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.4g}")

        found = minimize(
            objective,
            parameters,
            jac=True,
            method="L-BFGS-B",
            callback=record,
            options={"maxiter": epochs, "maxfun": 4 * epochs, "ftol": 1e-12, "gtol": 1e-8},
        )
    if not losses:
        record(found.x)
    return found.x, losses, heldout_losses, False
