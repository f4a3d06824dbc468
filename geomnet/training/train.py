"""Training: from a sample with labels to parameters and a readout, by least action on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..control.action import Action
from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks.feedforward import FeedForward
from ..networks.network import Network
from ..networks.readout import Readout
from ..utils.threads import blas_threads
from ..utils.validation import check_array, check_choice, check_integer, check_positive
from .objectives import FeedForwardObjective, Objective, TrainingObjective
from .optimisers import Record, adam, lbfgs

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
        def share(value):
            return "-" if value is None else f"{value:.3f}"

        energy = "" if self.action_energy is None else f", action_energy={self.action_energy:.4g}"
        return (
            f"Fit(loss={self.losses[-1]:.4g}, train_accuracy={share(self.train_accuracy)}, "
            f"heldout_accuracy={share(self.heldout_accuracy)}{energy}, epochs={len(self.losses)})"
        )


def train(
    network: Network | FeedForward,
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
    train_readout: bool = True,
    action: Any = None,
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
    network : Network or FeedForward
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
    for name, value, kind in (("sample", sample, Sample), ("likelihood", likelihood, Likelihood)):
        if not isinstance(value, kind):
            raise InputError(f"{name}: expected a gn.{kind.__name__}, got {type(value).__name__}")
    if not isinstance(network, (Network, FeedForward)):
        raise InputError(
            f"network: expected a gn.Network or gn.FeedForward, got {type(network).__name__}"
        )
    if readout is not None and not isinstance(readout, Readout):
        raise InputError(f"readout: expected a gn.Readout, got {type(readout).__name__}")
    if readout is None and not train_readout:
        raise InputError("train_readout: to hold the readout fixed, give one as readout")
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
    objective: TrainingObjective
    if isinstance(network, FeedForward):
        _refuse(readout, train_readout, action, weight, max_step_lipschitz)
        if likelihood.n_parameters != network.n_outputs:
            raise InputError(
                f"likelihood: {likelihood!r} takes {likelihood.n_parameters} parameters, the "
                f"network gives {network.n_outputs}"
            )
        start = _start(network, theta, rng)
        y = _targets(sample, likelihood, targets)
        objective = FeedForwardObjective(network, likelihood, sample, y, weight_decay)
    else:
        energy, weight = _action(network, sample, action, weight)
        begin = _start(network, theta, rng)
        shape = (likelihood.n_parameters, network.dim)
        if readout is None:
            readout = Readout(rng.normal(size=shape) / np.sqrt(network.dim))
        elif readout.weight.shape != shape:
            raise InputError(f"readout: expected a weight of shape {shape}, got {readout!r}")
        objective = Objective(
            network,
            likelihood,
            sample,
            _targets(sample, likelihood, targets),
            weight_decay,
            action=energy,
            weight=weight,
            train_readout=train_readout,
        )
        start = objective.pack(begin, readout)
    evaluation: TrainingObjective | None = None
    if heldout is not None:
        y = _targets(heldout, likelihood, None, "heldout")
        if isinstance(network, FeedForward):
            evaluation = FeedForwardObjective(network, likelihood, heldout, y, 0.0)
        else:
            evaluation = Objective(network, likelihood, heldout, y, 0.0)
    record = Record(objective, evaluation)
    limit = None
    if max_step_lipschitz is not None and isinstance(objective, Objective):
        limit = partial(objective.limited, bound=max_step_lipschitz)
    with blas_threads(batch_size if objective.action is None else max(batch_size, sample.n)):
        parameters = (adam if method == "adam" else lbfgs)(
            start,
            record,
            rng=rng,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            limit=limit,
        )
        return _fit(parameters, record)


def _refuse(
    readout: Any, train_readout: bool, action: Any, weight: Any, max_step_lipschitz: Any
) -> None:
    """Say which arguments a feed-forward network has no use for."""
    if readout is not None or not train_readout:
        name = "readout" if readout is not None else "train_readout"
        raise InputError(f"{name}: a FeedForward is read out by its last layer; leave it out")
    if action is not None or weight is not None:
        name = "action" if action is not None else "weight"
        raise InputError(
            f"{name}: the layers of a FeedForward are no path of maps of one space; leave it out, "
            "or train a gn.Network"
        )
    if max_step_lipschitz is not None:
        raise InputError(
            "max_step_lipschitz: bounds the steps of a gn.Network; a FeedForward has none, leave "
            "it out"
        )


def _start(network: Network | FeedForward, theta: Any, rng: np.random.Generator) -> np.ndarray:
    """Parameters to begin with: those given, or drawn."""
    theta = network.init(rng) if theta is None else theta
    return check_array("theta", theta, shape=network.parameters_shape)


def _action(
    network: Network, sample: Sample, metric: Any, weight: float | None
) -> tuple[Action | None, float]:
    """The energy of the network's path in a metric on the sample's points, and its weight."""
    if metric is None:
        if weight is not None:
            raise InputError("weight: weighs an action, and there is none; give action=metric")
        return None, 0.0
    if weight is None:
        raise InputError("weight: the action needs one, such as 0.1; 0 records the energy only")
    weight = check_positive("weight", weight, zero=True)
    try:
        action = Action(network, metric)
        points = action.points
    except (AttributeError, InputError) as error:
        said = str(error).removeprefix("metric: ")
        raise InputError(
            f"action: expected a metric on the sample's function space, such as "
            f"gn.L2Metric(gn.FunctionSpace(sample)); {said}"
        ) from None
    if not np.array_equal(points, sample.points):
        raise InputError(
            f"action: its metric observes {len(points)} points that are not the {sample.n} points "
            "of the sample; make it on gn.FunctionSpace(sample)"
        )
    return action, weight


def _targets(
    sample: Sample, likelihood: Likelihood, targets: Any, name: str = "sample"
) -> np.ndarray:
    if targets is None:
        targets = sample.labels if sample.labels is not None else sample.target
    if targets is None:
        raise InputError(f"{name}: has neither labels nor a target to learn; give targets")
    return likelihood.check_targets(targets, sample.n)


def _fit(parameters: np.ndarray, record: Record) -> Fit:
    """What was reached, and how."""
    objective, evaluation = record.objective, record.evaluation
    theta, readout = objective.unpack(parameters)
    energy = length = None
    if isinstance(objective, Objective) and objective.action is not None:
        states = objective.network.states(theta, objective.action.points)
        squared = objective.action.metric.squared_step(states[:-1], states[1:])
        energy = float(len(squared) * squared.sum())
        length = float(np.sqrt(np.maximum(squared, 0.0)).sum())
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
