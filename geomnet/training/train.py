"""Training: from a sample with labels to parameters and a readout, by least action on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..metrics import Metric
from ..networks import Architecture, Model, Readout
from ..utils.threads import blas_threads
from .optimisers import Record, minimise
from .options import TrainingOptions
from .problem import TrainingTask, problem_of

__all__ = ["Fit", "train"]


def _nothing() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Fit:
    r"""A trained network.

    Attributes
    ----------
    theta : ndarray, shape (L, p), or (p,) of a FeedForward
    readout : Readout or None
        None of a FeedForward, whose last layer reads out.
    losses : ndarray
        Mean task loss after every epoch (Adam) or iteration (L-BFGS), without penalty and action.
    heldout_losses : ndarray
        The same on the held-out data; empty without.
    train_accuracy, heldout_accuracy : float or None
        Share of right predictions, where the likelihood has such.
    stopped_early : bool
        Whether the held-out loss ended the training.
    energies : ndarray
        Energy of the layers' path after every epoch or iteration, the λ not in it; empty
        without an action.
    action_energy, action_length : float or None
        Of the layers' path of the parameters returned, one step a layer: :math:`L\sum_ls_l` and
        :math:`\sum_l\sqrt{s_l}`. ``network.curve(theta, sample).length(metric)`` subdivides
        the steps until converged.
    """

    theta: np.ndarray
    readout: Any  # Readout | None would ask users of a Network to look for what they know is there
    losses: np.ndarray = field(repr=False)
    heldout_losses: np.ndarray = field(repr=False)
    train_accuracy: float | None
    heldout_accuracy: float | None
    stopped_early: bool
    energies: np.ndarray = field(repr=False, default_factory=_nothing)
    action_energy: float | None = None
    action_length: float | None = None

    def __repr__(self) -> str:
        def share(value: float | None) -> str:
            return "-" if value is None else f"{value:.3f}"

        energy = "" if self.action_energy is None else f", action_energy={self.action_energy:.4g}"
        return (
            f"Fit(loss={self.losses[-1]:.4g}, train_accuracy={share(self.train_accuracy)}, "
            f"heldout_accuracy={share(self.heldout_accuracy)}{energy}, epochs={len(self.losses)})"
        )


def train(
    network: Architecture | Model,
    sample: Sample,
    likelihood: Likelihood,
    *,
    targets: ArrayLike | None = None,
    heldout: Sample | None = None,
    seed: int = 0,
    method: str = "adam",
    epochs: int = 200,
    batch_size: int = 64,
    learning_rate: float = 5e-3,
    weight_decay: float = 1e-2,
    patience: int | None = None,
    max_step_lipschitz: float | None = None,
    theta: ArrayLike | None = None,
    readout: Readout | None = None,
    train_readout: bool = True,
    action: Metric | None = None,
    weight: float | None = None,
) -> Fit:
    r"""Train a network and its readout, by least action on request.

    What is minimised over θ, W and b is

    .. math:: \sum_iw_i(-\log p(y_i|Wφ_L(x_i)+b)) + ½δ(h|θ|^2 + |W|^2) + λE(θ).

    for a ``Network``. The penalty weighs layers by their step h, so that it is the effort
    :math:`\int|θ_t|^2dt` of the curve, whatever the depth. E, with an `action`, is the energy of
    the network's own path from the identity to the map it learns,
    :math:`L\sum_l s(φ_l, φ_{l+1})` with the metric's squared steps: the least action principle of
    Dong & Zhou (2019), among all networks that solve the task the one of least complexity
    (length² ≤ energy, equal at constant speed).

    A ``FeedForward`` has one flat θ, its own last layer for a readout, and no path of maps of
    one space; what is minimised is

    .. math:: \sum_iw_i(-\log p(y_i|z(θ, x_i))) + ½δ|θ|^2.

    L-BFGS minimises exactly this. Adam estimates the task loss on mini-batches, and takes the
    energy whole at every step: a metric may couple all points of its sample, and the energy of
    a batch is then no part of it. So its gradient is unbiased too; where an energy costs much
    (a kernel matrix a layer), larger batches take fewer of them.

    Parameters
    ----------
    network : Network, FeedForward or Model
        Of a model, which draws no parameters, `theta` says where to begin.
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
        The δ above.
    patience : int, optional
        Stop when the held-out loss has not fallen for so many epochs, and return the best
        parameters seen (Adam, with `heldout`).
    max_step_lipschitz : float, optional
        Keep every layer's step below this Lipschitz constant by scaling it down after every
        epoch (Adam). Below 1 the network is a diffeomorphism, whatever it learns (Behrmann et
        al. 2019). For a ``Network``.
    theta, readout : optional
        Where to begin; a ``FeedForward`` has no `readout`.
    train_readout : bool
        Where false, W and b stay as `readout` gives them. A readout that learns can grow where
        the states move little, and so save action; one held fixed leaves the work to the states.
    action : Metric, optional
        In which the path's energy is measured; its space observes the points of `sample`. It is
        held fixed: the readout inside a ``FisherRaoMetric`` does not follow the readout that is
        trained. Where they should be one, give it as `readout` too, with ``train_readout=False``.
        For a ``Network``.
    weight : float, optional
        The λ above, at least zero; owed with `action`. Zero trains as without an action, number
        for number, and only records the energy.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        For unusable arguments, a metric on other points than the sample's, a training that
        diverges.
    DomainError
        Where the layers' path begins, or by Adam's steps gets, where the metric is not defined
        (L-BFGS turns back).

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.Network(gn.TanhField(dim=4, width=8), depth=4)
    >>> fit = gn.train(network, sample, gn.Categorical(3), weight_decay=1e-3)
    >>> fit.train_accuracy > 0.9
    True

    The same by least action: the path is shorter.

    >>> metric = gn.L2Metric(gn.FunctionSpace(sample))
    >>> least = gn.train(
    ...     network, sample, gn.Categorical(3), weight_decay=1e-3, action=metric, weight=0.1
    ... )
    >>> paths = [network.curve(found.theta, sample) for found in (fit, least)]
    >>> paths[1].length(metric) < 0.5 * paths[0].length(metric), least.train_accuracy > 0.9
    (True, True)

    A feed-forward network:

    >>> network = gn.FeedForward((4, 8, 3), "relu")
    >>> fit = gn.train(network, sample, gn.Categorical(3), weight_decay=1e-3)
    >>> fit.theta.shape, fit.train_accuracy > 0.9
    ((67,), True)
    """
    options = TrainingOptions(
        seed=seed,
        method=method,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        patience=patience,
        max_step_lipschitz=max_step_lipschitz,
        train_readout=train_readout,
    )
    task = TrainingTask(sample, likelihood, targets, heldout, theta, readout, action, weight)
    task.check(options)
    rng = np.random.default_rng(options.seed)
    problem = problem_of(network, task, options, rng)
    record = Record(problem.objective, problem.evaluation)
    action_points = 0 if problem.objective.action is None else sample.n
    with blas_threads(max(options.batch_size, action_points)):
        parameters = minimise(problem, record, options, rng)
        return _fit(parameters, record)


def _fit(parameters: np.ndarray, record: Record) -> Fit:
    """What was reached, and how."""
    objective, evaluation = record.objective, record.evaluation
    theta, readout = objective.unpack(parameters)
    energy, length = objective.path_size(parameters)
    return Fit(
        theta=theta,
        readout=readout,
        losses=np.array(record.losses),
        heldout_losses=np.array(record.heldout_losses),
        train_accuracy=objective.score(parameters),
        heldout_accuracy=None if evaluation is None else evaluation.score(parameters),
        stopped_early=record.stopped_early,
        energies=np.array(record.energies),
        action_energy=energy,
        action_length=length,
    )
