"""How to train: the method and its numbers, checked at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import InputError
from ..utils.validation import check_choice, check_integer, check_positive

__all__ = ["Optimiser", "TrainingOptions"]


class Optimiser(StrEnum):
    """What minimises the objective."""

    ADAM = "adam"
    LBFGS = "lbfgs"


@dataclass(frozen=True)
class TrainingOptions:
    """The arguments of :func:`train` that are numbers, as it describes them.

    Raises
    ------
    InputError
        For the first that is unusable, or asks for what the method does not do.
    """

    method: str = Optimiser.ADAM
    seed: int = 0
    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    patience: int | None = None
    max_step_lipschitz: float | None = None
    train_readout: bool = True

    def __post_init__(self) -> None:
        method = Optimiser(check_choice("method", self.method, tuple(Optimiser)))
        object.__setattr__(self, "method", method)
        check_integer("seed", self.seed, least=0)
        check_integer("epochs", self.epochs, least=1)
        check_integer("batch_size", self.batch_size, least=1)
        check_positive("learning_rate", self.learning_rate)
        check_positive("weight_decay", self.weight_decay, zero=True)
        if self.patience is not None:
            check_integer("patience", self.patience, least=1)
        if self.max_step_lipschitz is not None:
            check_positive("max_step_lipschitz", self.max_step_lipschitz)
            if method is not Optimiser.ADAM:
                raise InputError("max_step_lipschitz: needs method 'adam'")
