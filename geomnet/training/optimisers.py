"""The two ways to minimise a training objective: Adam on mini-batches, L-BFGS on the whole."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

from ..errors import DomainError, InputError
from .objectives import TrainingObjective
from .options import Optimiser, TrainingOptions
from .problem import TrainingProblem

__all__ = ["Record", "adam", "lbfgs", "minimise"]


@dataclass
class Record:
    """What is written down after every epoch of a training.

    Attributes
    ----------
    objective : TrainingObjective
    evaluation : TrainingObjective or None
        On held-out data.
    losses, heldout_losses, energies : list of float
        The latter two empty without held-out data, and without an action.
    stopped_early : bool
    """

    objective: TrainingObjective
    evaluation: TrainingObjective | None = None
    losses: list[float] = field(default_factory=list)
    heldout_losses: list[float] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    stopped_early: bool = False

    def note(self, parameters: np.ndarray, bar: tqdm) -> None:
        """Write down the losses and the energy at some parameters, and show them."""
        self.losses.append(self.objective.loss(parameters))
        if self.evaluation is not None:
            self.heldout_losses.append(self.evaluation.loss(parameters))
        shown = {"loss": f"{self.losses[-1]:.4g}"}
        if self.objective.action is not None:
            self.energies.append(self.objective.energy(parameters))
            shown["energy"] = f"{self.energies[-1]:.4g}"
        bar.set_postfix(shown)


def minimise(
    problem: TrainingProblem, record: Record, options: TrainingOptions, rng: np.random.Generator
) -> np.ndarray:
    """Minimise the objective by the method asked for; return the parameters reached."""
    if options.method is Optimiser.LBFGS:
        return lbfgs(problem.start, record, options.epochs)
    return adam(problem, record, options, rng)


def adam(
    problem: TrainingProblem, record: Record, options: TrainingOptions, rng: np.random.Generator
) -> np.ndarray:
    """Adam (Kingma & Ba 2015) on mini-batches, its rate falling to zero as a cosine.

    After every epoch ``problem.limit`` takes the parameters back to where they are allowed.
    """
    parameters, patience = problem.start, options.patience
    epochs, batch_size, learning_rate = options.epochs, options.batch_size, options.learning_rate
    objective = record.objective
    n = len(objective.points)
    batches = -(-n // batch_size)
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    best, best_epoch = (np.inf, parameters), 0
    step = 0
    bar = tqdm(range(epochs), desc="training", unit="epoch", disable=None, leave=False)
    for epoch in bar:
        for index in np.array_split(rng.permutation(n), batches):
            try:
                _, gradient = objective(parameters, index)
            except InputError as error:
                if not step:  # the fault of where it began, not of the rate
                    raise
                raise _left(epoch, error) from error
            step += 1
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            rate = learning_rate * 0.5 * (1 + np.cos(np.pi * (step - 1) / (epochs * batches)))
            parameters = parameters - rate * (first / (1 - 0.9**step)) / (
                np.sqrt(second / (1 - 0.999**step)) + 1e-8
            )
        if problem.limit is not None:
            parameters = problem.limit(parameters)
        try:
            record.note(parameters, bar)
        except InputError as error:
            raise _left(epoch, error) from error
        if not np.isfinite(record.losses[-1]):
            raise _left(epoch)
        if patience is not None:
            if record.heldout_losses[-1] < best[0]:
                best, best_epoch = (record.heldout_losses[-1], parameters.copy()), epoch
            elif epoch - best_epoch >= patience:
                record.stopped_early = True
                break
    return parameters if patience is None else best[1]


def _left(epoch: int, error: InputError | None = None) -> InputError:
    """Where the parameters got: out of the action's domain, or to where numbers overflow."""
    if isinstance(error, DomainError):
        return DomainError(
            f"action: in epoch {epoch + 1} the layers left where its metric is defined "
            f"({error}); take a smaller learning_rate"
        )
    return InputError(f"learning_rate: training diverged in epoch {epoch + 1}; take a smaller one")


def lbfgs(parameters: np.ndarray, record: Record, epochs: int) -> np.ndarray:
    """L-BFGS on the whole sample."""
    objective = record.objective
    wall = objective(parameters)[0]  # where it begins the objective must be defined
    wall += 1 + abs(wall)

    def guarded(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            return objective(parameters)
        except InputError:
            # The line search interpolates values: one above all those it may accept, but of
            # their size, turns it back to where the metric is defined and no activation
            # overflows; infinity would not.
            return wall, np.zeros_like(parameters)

    with tqdm(total=epochs, desc="training", disable=None, leave=False) as bar:

        def note(parameters: np.ndarray) -> None:
            record.note(parameters, bar)
            bar.update()

        found = minimize(
            guarded,
            parameters,
            jac=True,
            method="L-BFGS-B",
            callback=note,
            options={"maxiter": epochs, "maxfun": 4 * epochs, "ftol": 1e-12, "gtol": 1e-8},
        )
        if not record.losses:
            note(found.x)
    return np.asarray(found.x)
