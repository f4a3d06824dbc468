"""What is trained: a network with its task, as an objective of one vector and a place to begin.

:func:`problem_of` steers by the type of the network: any model has the objective of its flat θ; a
``Network`` has a path of states besides, whose energy and steps can be asked for. Another kind of
network registers a problem of its own with ``problem_of.register``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..control.action import Action
from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import Architecture, Model, Network, Readout, model
from ..utils.validation import check_array, check_positive
from .objectives import ModelObjective, PathObjective, TrainingObjective
from .options import Optimiser, TrainingOptions

__all__ = ["TrainingProblem", "TrainingTask", "problem_of"]


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What to learn and where to begin, as :func:`train` describes its arguments."""

    sample: Sample
    likelihood: Likelihood
    targets: ArrayLike | None = None
    heldout: Sample | None = None
    theta: ArrayLike | None = None
    readout: Readout | None = None
    action: Any = None
    weight: float | None = None

    def __post_init__(self) -> None:
        for name, kind in (("sample", Sample), ("likelihood", Likelihood)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise InputError(
                    f"{name}: expected a gn.{kind.__name__}, got {type(value).__name__}"
                )
        if self.readout is not None and not isinstance(self.readout, Readout):
            raise InputError(f"readout: expected a gn.Readout, got {type(self.readout).__name__}")

    def check(self, options: TrainingOptions) -> None:
        """Raise where the options ask for what the task does not have."""
        if self.readout is None and not options.train_readout:
            raise InputError("train_readout: to hold the readout fixed, give one as readout")
        stops = options.patience is not None
        if stops and (self.heldout is None or options.method is not Optimiser.ADAM):
            raise InputError("patience: early stopping needs heldout data, and method 'adam'")

    def check_dim(self, dim: int | None) -> None:
        """Raise where the data have not as many columns as a network has inputs."""
        for name, data in (("sample", self.sample), ("heldout", self.heldout)):
            if data is not None and dim not in (None, data.dim):
                raise InputError(f"{name}: has {data.dim} columns, the network takes {dim}")

    def learned(self, network: Model | None = None) -> np.ndarray:
        """Targets of the sample, checked by the likelihood; labels as a network calls them."""
        return _targets(self.sample, self.likelihood, self.targets, "sample", network)

    def held_out(self, network: Model | None = None) -> np.ndarray:
        """Targets of the held-out data."""
        assert self.heldout is not None
        return _targets(self.heldout, self.likelihood, None, "heldout", network)


@dataclass(frozen=True, eq=False)
class TrainingProblem:
    """An objective, one on held-out data, where to begin, and what every epoch is held to.

    Attributes
    ----------
    objective : TrainingObjective
    evaluation : TrainingObjective or None
        On the held-out data, without a penalty.
    start : ndarray, shape (parameters,)
    limit : callable or None
        Takes parameters back to where they are allowed.
    """

    objective: TrainingObjective
    evaluation: TrainingObjective | None
    start: np.ndarray
    limit: Callable[[np.ndarray], np.ndarray] | None = None


@singledispatch
def problem_of(
    network: object, task: TrainingTask, options: TrainingOptions, rng: np.random.Generator
) -> TrainingProblem:
    """The problem of training a network: of any model, the objective of its flat θ."""
    found = model(network, task.theta)
    _refuse(task, options)
    task.check_dim(found.dim)
    likelihood, sample = task.likelihood, task.sample
    if found.n_outputs not in (None, likelihood.n_parameters):
        raise InputError(
            f"likelihood: {likelihood!r} takes {likelihood.n_parameters} parameters, the "
            f"network gives {found.n_outputs}"
        )
    start = _drawn(network, found, rng)
    objective = ModelObjective(found, likelihood, sample, task.learned(found), options.weight_decay)
    evaluation = None
    if task.heldout is not None:
        evaluation = ModelObjective(found, likelihood, task.heldout, task.held_out(found), 0.0)
    return TrainingProblem(objective, evaluation, start)


@problem_of.register
def _(
    network: Network, task: TrainingTask, options: TrainingOptions, rng: np.random.Generator
) -> TrainingProblem:
    """The problem of a network with a path of states, and a readout that learns with it."""
    task.check_dim(network.dim)
    action, weight = _action(network, task)
    theta = network.init(rng) if task.theta is None else task.theta
    theta = check_array("theta", theta, shape=network.parameters_shape)
    readout = _readout(network, task, rng)
    likelihood, targets, decay = task.likelihood, task.learned(), options.weight_decay
    objective = PathObjective(
        network,
        likelihood,
        task.sample,
        targets,
        decay,
        action=action,
        weight=weight,
        train_readout=options.train_readout,
    )
    evaluation = limit = None
    if task.heldout is not None:
        evaluation = PathObjective(network, likelihood, task.heldout, task.held_out(), 0.0)
    if options.max_step_lipschitz is not None:
        limit = partial(objective.limited, bound=options.max_step_lipschitz)
    return TrainingProblem(objective, evaluation, objective.pack(theta, readout), limit)


def _drawn(network: object, found: Model, rng: np.random.Generator) -> np.ndarray:
    """Parameters to begin with: the model's own, or drawn."""
    if found.theta is not None:
        return found.theta
    if not isinstance(network, Architecture):
        raise InputError("theta: where to begin must be given, as this network draws none")
    return network.init(rng)


def _readout(network: Network, task: TrainingTask, rng: np.random.Generator) -> Readout:
    """The readout to begin with: the one given, or drawn."""
    shape = (task.likelihood.n_parameters, network.dim)
    if task.readout is None:
        return Readout(rng.normal(size=shape) / np.sqrt(network.dim))
    if task.readout.weight.shape != shape:
        raise InputError(f"readout: expected a weight of shape {shape}, got {task.readout!r}")
    return task.readout


def _refuse(task: TrainingTask, options: TrainingOptions) -> None:
    """Say which arguments a network has no use for that has no path of states."""
    if task.readout is not None or not options.train_readout:
        name = "readout" if task.readout is not None else "train_readout"
        raise InputError(f"{name}: a FeedForward is read out by its last layer; leave it out")
    if task.action is not None or task.weight is not None:
        name = "action" if task.action is not None else "weight"
        raise InputError(
            f"{name}: the layers of a FeedForward are no path of maps of one space; leave it out, "
            "or train a gn.Network"
        )
    if options.max_step_lipschitz is not None:
        raise InputError(
            "max_step_lipschitz: bounds the steps of a gn.Network; a FeedForward has none, leave "
            "it out"
        )


def _action(network: Network, task: TrainingTask) -> tuple[Action | None, float]:
    """The energy of the network's path in a metric on the sample's points, and its weight."""
    metric, weight, sample = task.action, task.weight, task.sample
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
    sample: Sample,
    likelihood: Likelihood,
    targets: ArrayLike | None,
    name: str,
    network: Model | None,
) -> np.ndarray:
    labels = sample.labels if targets is None else targets
    if labels is None:
        if sample.target is None:
            raise InputError(f"{name}: has neither labels nor a target to learn; give targets")
        return likelihood.check_targets(sample.target, sample.n)
    return likelihood.check_targets(labels if network is None else network.coded(labels), sample.n)
