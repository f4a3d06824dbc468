"""Whether a quantity is geometry: measured before and after random gauge moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..networks.nodes import Stream
from ..networks.readout import Readout
from ..utils.validation import check_array, check_choice, check_integer, check_positive
from .moved import Moved
from .moves import flip, permute, rescale, shift
from .quantities import Value, difference, read
from .split import split
from .subject import MoveKind, Subject

__all__ = ["GaugeCheck", "GaugeReport", "check"]

LARGEST_FACTOR = 8.0
"""Of random rescalings; they cost no digits, and change what is not invariant by much."""


@dataclass(frozen=True)
class GaugeCheck:
    """How much one value of a quantity changed under moves of one kind and layer.

    Attributes
    ----------
    kind : str
    layers : tuple of int
        The layers of nodes that moved.
    name : str
        The value's, where the quantity is a dict; else empty.
    difference : float
        Largest over the draws, relative to the largest entry.
    elsewhere : float
        The same without the entries of units that were split, of arrays over nodes.
    tolerance : float
    """

    kind: str
    layers: tuple[int, ...]
    name: str
    difference: float
    elsewhere: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the value stayed."""
        return bool(self.difference <= self.tolerance)

    @property
    def _difference(self) -> str:
        """The difference in words."""
        if self.passed:
            return f"{self.difference:.1e} ≤ {self.tolerance:.0e}"
        apart = f"  ({self.elsewhere:.1e} but for the unit split)"
        only = self.elsewhere <= self.tolerance
        return f"{self.difference:.1e} > {self.tolerance:.0e}{apart if only else ''}"


@dataclass(frozen=True)
class GaugeReport:
    """What every move did to a quantity; true where nothing did anything.

    Attributes
    ----------
    subject : str
        The quantity's name.
    checks : tuple of GaugeCheck
    """

    subject: str
    checks: tuple[GaugeCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether the quantity is invariant under all moves."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[GaugeCheck, ...]:
        """Checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def worst(self) -> dict[str, float]:
        """Largest difference by kind of move, of the kinds that were drawn."""
        found: dict[str, float] = {}
        for check in self.checks:
            found[check.kind] = max(found.get(check.kind, 0.0), check.difference)
        return found

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        failed = dict.fromkeys(check.kind for check in self.failures)
        verdict = f"NOT invariant under {', '.join(failed)}" if failed else "invariant"
        rows = [("", "move", "layer", "value", "difference")] + [
            (
                "ok" if check.passed else "FAIL",
                check.kind,
                ", ".join(map(str, check.layers)),
                check.name,
                check._difference,
            )
            for check in self.checks
        ]
        if not any(check.name for check in self.checks):
            rows = [(*row[:3], row[4]) for row in rows]  # type: ignore[misc]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
        return "\n".join([f"{self.subject}: {verdict}", *(f"  {line}".rstrip() for line in lines)])

    __repr__ = __str__


def check(
    quantity: Callable[..., Any],
    network: object,
    theta: ArrayLike,
    readout: Readout | None = None,
    *,
    softmax: bool = False,
    kinds: tuple[str, ...] | None = None,
    draws: int = 2,
    tolerance: float = 1e-9,
    seed: int = 0,
) -> GaugeReport:
    """Measure a quantity before and after random gauge moves of a network.

    Every layer is permuted, rescaled by factors of up to 8, flipped and split where it can be.

    Parameters
    ----------
    quantity : callable
        ``quantity(network, theta)``, with a readout ``quantity(network, theta, readout)``: to a
        number, an array, or a dict of them. Arrays over nodes go in :class:`PerNode`, eigenvalues
        in :class:`Spectrum`; other arrays are compared as they are. Under a split the nodes that
        were there before are compared, the unit that was split among them with its share; the copy
        is left out.
    network : FeedForward or Network
    theta : array_like
    readout : Readout, optional
    softmax : bool
        Whether outputs are logits of a softmax: a common shift of them is then a move too.
    kinds : sequence of str, optional
        Of "permute", "rescale", "flip", "split", "shift"; by default all that the network has.
    draws : int
        Moves of each kind and layer.
    tolerance : float
        Of differences, relative to the largest entry.
    seed : int

    Returns
    -------
    GaugeReport

    Raises
    ------
    InputError
        Where the quantity raises, is NaN or no number, or its shape changes with a move; where the
        network has none of the moves.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample, network = gn.datasets.load("iris", n=50, seed=0), gn.FeedForward((4, 5, 3), "relu")
    >>> def flow(network, theta):
    ...     found = gn.EmergentGeometry.from_network(network, theta, sample, gn.Categorical(3))
    ...     return gn.gauge.PerNode(found.flow, found)
    >>> theta = network.init(seed=0)
    >>> bool(gn.gauge.check(flow, network, theta, kinds=("permute", "rescale")))
    True
    >>> report = gn.gauge.check(lambda network, theta: theta @ theta, network, theta)
    >>> [check.kind for check in report.failures]
    ['rescale', 'split']
    """
    if not callable(quantity):
        raise InputError(f"quantity: expected a function (network, theta), got {quantity!r}")
    draws, seed = check_integer("draws", draws, least=1), check_integer("seed", seed, least=0)
    tolerance = check_positive("tolerance", tolerance)
    subject = Subject(network, theta, readout)
    theta = check_array("theta", theta)
    rng = np.random.default_rng(seed)
    given = (network, theta.copy(), readout)
    before = _measured(quantity, given, subject.sizes, "the network itself")
    checks = []
    for kind in _kinds(kinds, softmax):
        for layers, draw in _moves(subject, kind):
            worst = {name: np.zeros(2) for name in before}
            for _ in range(draws):
                moved = draw(network, theta, rng=rng, readout=readout)
                where = f"{kind} of layer {layers[0]}"
                after = _measured(quantity, tuple(moved), moved.sizes, where)
                if before.keys() != after.keys():
                    raise InputError(
                        f"quantity: has values {list(after)} after {where}, {list(before)} before"
                    )
                for name, value in before.items():
                    gaps = difference(value, after[name], moved, f"{_called(name)} after {where}")
                    worst[name] = np.maximum(worst[name], gaps)
            checks += [
                GaugeCheck(str(kind), layers, name, float(gaps[0]), float(gaps[1]), tolerance)
                for name, gaps in worst.items()
            ]
    if not checks:
        raise InputError(
            "network: has none of these moves; gn.gauge.moves(network) lists what it has"
        )
    return GaugeReport(getattr(quantity, "__name__", repr(quantity)), tuple(checks))


def _kinds(kinds: Any, softmax: bool) -> tuple[MoveKind, ...]:
    """Kinds asked for, or all that leave what the outputs mean."""
    if kinds is None:
        return tuple(kind for kind in MoveKind if softmax or kind is not MoveKind.SHIFT)
    if isinstance(kinds, str):
        kinds = (kinds,)
    return tuple(MoveKind(check_choice("kinds", kind, tuple(MoveKind))) for kind in kinds)


def _moves(subject: Subject, kind: MoveKind) -> list[tuple[tuple[int, ...], Callable[..., Moved]]]:
    """Random moves of a kind, one for each stream that has it, with its layers."""
    if kind is MoveKind.SHIFT:
        layers = subject.layers_with(kind)
        return [(layers, partial(_shift, subject))] if layers else []
    return [
        (stream.layers, partial(_RANDOM[kind], stream=stream))
        for stream in subject.streams
        if subject.refusal(stream, stream.layers[0], kind) is None
        and not (kind is MoveKind.PERMUTE and stream.size == 1)
    ]


def _permute(
    network: object,
    theta: ArrayLike,
    stream: Stream,
    rng: np.random.Generator,
    readout: Readout | None,
) -> Moved:
    order = np.arange(stream.size)
    while np.array_equal(order, np.arange(stream.size)):
        order = rng.permutation(stream.size)
    return permute(network, theta, stream.layers[0], order, readout)


def _rescale(
    network: object,
    theta: ArrayLike,
    stream: Stream,
    rng: np.random.Generator,
    readout: Readout | None,
) -> Moved:
    factors = LARGEST_FACTOR ** rng.uniform(-1, 1, size=stream.size)
    return rescale(network, theta, stream.layers[0], factors, readout)


def _flip(
    network: object,
    theta: ArrayLike,
    stream: Stream,
    rng: np.random.Generator,
    readout: Readout | None,
) -> Moved:
    count = rng.integers(1, stream.size + 1)
    units = rng.choice(stream.size, size=count, replace=False)
    return flip(network, theta, stream.layers[0], units, readout)


def _split(
    network: object,
    theta: ArrayLike,
    stream: Stream,
    rng: np.random.Generator,
    readout: Readout | None,
) -> Moved:
    unit, share = int(rng.integers(stream.size)), rng.uniform(0.1, 0.9)
    return split(network, theta, stream.layers[0], unit, share, readout)


def _shift(
    subject: Subject,
    network: object,
    theta: ArrayLike,
    rng: np.random.Generator,
    readout: Readout | None,
) -> Moved:
    place = subject.last_map
    assert not isinstance(place, str)
    weights, bias = rng.normal(size=place.inputs), rng.normal() if place.bias else 0.0
    return shift(network, theta, weights, bias, readout)


_RANDOM: dict[MoveKind, Callable[..., Moved]] = {
    MoveKind.PERMUTE: _permute,
    MoveKind.RESCALE: _rescale,
    MoveKind.FLIP: _flip,
    MoveKind.SPLIT: _split,
}


def _measured(
    quantity: Callable[..., Any], given: tuple[Any, Any, Any], sizes: tuple[int, ...], where: str
) -> dict[str, Value]:
    """The quantity's values by name; one that is no dict has the empty name."""
    try:
        found = quantity(*given[: 2 if given[2] is None else 3])
    except Exception as error:
        raise InputError(f"quantity: raised {type(error).__name__} on {where}: {error}") from error
    values = found if isinstance(found, Mapping) else {"": found}
    return {
        str(name): read(value, sizes, f"{_called(name)} on {where}")
        for name, value in values.items()
    }


def _called(name: str) -> str:
    """What a message calls a value."""
    return f"value {name!r}" if name else "the value"
