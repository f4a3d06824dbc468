"""What a comparison is asked for, checked at once, and the command line that asks it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from ...errors import InputError
from ...geometry.kernels import radial_kernel
from ...utils.validation import check_choice, check_integer, check_positive

__all__ = [
    "LEAST_ACTION",
    "METRICS",
    "NAMES",
    "NETWORK",
    "PATH_NAMES",
    "MetricName",
    "Options",
    "TargetKind",
]


class MetricName(StrEnum):
    """The metrics that a comparison knows by name."""

    L2 = "l2"
    ENERGY = "energy"
    FISHER_RAO = "fisher-rao"


class TargetKind(StrEnum):
    """Where the map to reach comes from."""

    TRAINED = "trained"
    SWIRL = "swirl"
    FILE = "file"


METRICS = tuple(str(name) for name in MetricName)
NETWORK = "network"
LEAST_ACTION = "least-action"
NAMES = {"l2": "L2", "energy": "energy", "fisher-rao": "Fisher–Rao"}
"""How metrics are called in front of people."""
PATH_NAMES = {
    **{name: f"{called} geodesic" for name, called in NAMES.items()},
    NETWORK: "trained network",
    LEAST_ACTION: "least-action network",
}
"""How paths are."""

LEAST_RIDGE = 1e-60
"""Below it Fisher–Rao has no digits off the predictions."""


@dataclass(frozen=True)
class Options:
    """What a comparison is asked for; see :func:`compare`."""

    data: str = "digits"
    target: str | None = None
    metrics: tuple[str, ...] = METRICS
    kernel: str = "matern32"
    width: float | None = None
    nugget: float = 0.0
    ridge: float | None = None
    n: int = 256
    depth: int = 8
    steps: int = 16
    seed: int = 0
    seeds: int = 1
    label_column: str | None = None
    least_action: float | None = None
    action_metric: str | None = None

    def __post_init__(self) -> None:
        check_integer("n", self.n, least=2)
        check_integer("depth", self.depth, least=1)
        check_integer("steps", self.steps, least=8, multiple_of=4)
        check_integer("seed", self.seed, least=0)
        check_integer("seeds", self.seeds, least=1)
        metrics = self.metrics.split(",") if isinstance(self.metrics, str) else self.metrics
        object.__setattr__(self, "metrics", tuple(metrics))
        if not self.metrics:
            raise InputError(f"metrics: name at least one of {', '.join(METRICS)}")
        for name in self.metrics:
            check_choice("metrics", name, METRICS)
        if len(set(self.metrics)) < len(self.metrics):
            raise InputError(f"metrics: {', '.join(self.metrics)} names one twice")
        radial_kernel(self.kernel, self.width)
        check_positive("nugget", self.nugget, zero=True)
        if self.ridge is not None:
            check_positive("ridge", self.ridge)
            if self.ridge < LEAST_RIDGE:
                raise InputError(
                    f"ridge: expected at least {LEAST_RIDGE:g}, below which Fisher–Rao has no "
                    f"digits off the predictions; got {self.ridge!r}"
                )

        self._check_least_action()

    def _check_least_action(self) -> None:
        if self.action_metric is not None:
            check_choice("action_metric", self.action_metric, METRICS)
            if self.least_action is None:
                raise InputError(
                    "action_metric: is the metric of least-action training, which was not asked "
                    "for; give least_action a weight too, such as 1e-4"
                )
        if self.least_action is not None:
            check_positive("least_action", self.least_action, zero=True)
            if self.target not in (None, TargetKind.TRAINED):
                raise InputError(
                    f"least_action: needs a network to train, and the target is "
                    f"{self.target!r}; leave one of the two out"
                )

    def command(self) -> str:
        """Return the command line that repeats the comparison."""
        data = f"./{self.data}" if self.data.startswith("-") else self.data
        words = ["geomnet", "compare", data]
        default = Options()
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name == "data" or value == getattr(default, name):
                continue
            text = ",".join(value) if name == "metrics" else str(value)
            option = f"--{name.replace('_', '-')}"
            words += [f"{option}={text}"] if text.startswith("-") else [option, text]
        return shlex.join(words)
