"""Which values of a network move together, and which moves they have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..networks.feedforward import FeedForward
from ..networks.fields.builtin import ReLUField, TanhField
from ..networks.layers.factors import AffineMap
from ..networks.model import model_of
from ..networks.network import Network
from ..networks.nodes import Skeleton, skeleton_of
from ..networks.program import Affine, Combine, FixedMap
from ..networks.readout import Readout
from ..utils.validation import check_integer

__all__ = ["KINDS", "Stream", "Subject", "moves"]

KINDS = ("permute", "rescale", "flip", "split", "shift")
HOMOGENEOUS = {"relu", "identity"}
"""Activations with σ(au) = aσ(u) for a > 0."""
ODD = {"tanh", "identity"}
"""Activations with σ(−u) = −σ(u)."""


@dataclass(frozen=True)
class Stream:
    """Values of a program that a move can only transform alike.

    Skips and stages tie them (a sum is transformed as its terms are), and so do maps that are used
    more than once.

    Attributes
    ----------
    layers : tuple of int
        Their layers of nodes.
    size : int
        Number of units.
    into, out : tuple of AffineMap
        Maps whose outputs they are, and maps that read them.
    activations : frozenset of str
        Of the maps that lead into them.
    summed : bool
        Whether a skip or a stage of an integrator enters or leaves.
    fixed : bool
        Whether a map that is no part of θ does.
    ends : str
        "input" or "output" where they are among them, else empty.
    """

    layers: tuple[int, ...]
    size: int
    into: tuple[AffineMap, ...]
    out: tuple[AffineMap, ...]
    activations: frozenset[str]
    summed: bool
    fixed: bool
    ends: str


class Subject:
    """A network, its parameters and its readout, as moves see them."""

    def __init__(self, network: Any, theta: Any, readout: Readout | None) -> None:
        model, vector = model_of(network, theta, readout)
        self.network, self.readout = network, readout
        self.skeleton = skeleton_of(model)
        self.vector = np.array(vector)  # moves write into it
        self.theta_shape = np.shape(theta)

    @property
    def readout_map(self) -> AffineMap | None:
        """Where the readout lies in the vector."""
        if self.readout is None:
            return None
        outputs, inputs = self.readout.weight.shape
        return AffineMap("the readout", 0, outputs, inputs, self.network.n_parameters)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of units of all layers of nodes."""
        return tuple(layer.size for layer in self.skeleton.layers)

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """All streams, in the order of their first layers."""
        return _streams(self.skeleton)

    def stream(self, layer: Any, kind: str) -> Stream:
        """The stream of a layer, or why that layer does not move so."""
        count = len(self.skeleton.layers)
        layer = check_integer("layer", layer, least=0)
        if layer >= count:
            raise InputError(
                f"layer: there is no layer {layer}; the network's layers of nodes are 0 (input) to "
                f"{count - 1} (output), as gn.EmergentGeometry numbers them"
            )
        found = next(stream for stream in self.streams if layer in stream.layers)
        reason = self.refusal(found, layer, kind)
        if reason is not None:
            able = self.layers_with(kind)
            mend = f"layers that {kind} moves: {_listed(able)}" if able else (
                f"{kind} moves none of this network's layers"
            )  # fmt: skip
            raise InputError(f"layer: {layer} {reason}; {mend}")
        return found

    def layers_with(self, kind: str) -> tuple[int, ...]:
        """Layers that have a move."""
        if kind == "shift":
            return () if isinstance(self.last_map, str) else (len(self.skeleton.layers) - 1,)
        able = (
            layer
            for stream in self.streams
            for layer in stream.layers
            if self.refusal(stream, layer, kind) is None
        )
        return tuple(sorted(able))

    def refusal(self, stream: Stream, layer: int, kind: str) -> str | None:
        """Why a layer of a stream does not have a move; None where it has it."""
        if stream.ends == "input":
            if layer == 0:
                return "is the input, whose coordinates are the data's"
            return "is tied by skips to the input, whose coordinates are the data's, and stays"
        if stream.ends == "output":
            if layer == len(self.skeleton.layers) - 1:
                return "is the output, which the likelihood reads in its order and size"
            return "is tied by skips to the output, which the likelihood reads, and stays"
        if stream.fixed:
            return "is computed by fixed features, which are no part of theta"
        if kind == "rescale" and not stream.activations <= HOMOGENEOUS:
            return _unable(stream, layer, HOMOGENEOUS, "only relu and identity are homogeneous")
        if kind == "flip" and not stream.activations <= ODD:
            return _unable(stream, layer, ODD, "only tanh and identity are odd")
        if kind == "split" and stream.summed:
            others = [other for other in stream.layers if other != layer]
            return f"is tied by skips to {_listed(others)}, and a copy of one unit has no skip"
        if kind == "split" and not self._widens:
            return f"belongs to {type(self.network.field).__name__}, which cannot be made wider"
        return None

    @property
    def _widens(self) -> bool:
        network = self.network
        return not isinstance(network, Network) or type(network.field) in (TanhField, ReLUField)

    @cached_property
    def last_map(self) -> AffineMap | str:
        """The map whose outputs are logits, or why there is none."""
        place: Any = self.readout_map
        if place is None:
            if isinstance(self.network, Network):
                return "readout: a gn.Network has no logits but its readout's; give it"
            name, place = self.network.activations[-1], self.network.maps[-1]
            if name != "identity":
                return f"network: its last layer is {name}, not linear; its outputs are no logits"
        if place.outputs < 2:
            return "network: has one output, and shifting it changes what it predicts"
        return place


def moves(network: Any, readout: Readout | None = None) -> dict[str, tuple[int, ...]]:
    """Which layers of a network have which gauge moves.

    Parameters
    ----------
    network : FeedForward or Network
    readout : Readout, optional

    Returns
    -------
    dict
        From the kind of move to layers of nodes, numbered as :class:`EmergentGeometry` does: the
        input is layer 0. Layers tied by skips, or by parameters that several stages of an
        integrator share, are all listed; a move of one moves all of them.

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.gauge.moves(gn.FeedForward((4, 8, 8, 8, 3), "tanh", skips={1: 0.5}))["split"]
    (3,)
    >>> gn.gauge.moves(gn.Network(gn.TanhField(2, 8), 3))
    {'permute': (1, 3, 5), 'rescale': (), 'flip': (1, 3, 5), 'split': (1, 3, 5), 'shift': ()}
    """
    known = isinstance(network, (FeedForward, Network))
    theta = np.zeros(network.n_parameters if known else 0)
    subject = Subject(network, theta, readout)
    return {kind: subject.layers_with(kind) for kind in KINDS}


def _unable(stream: Stream, layer: int, able: set[str], why: str) -> str:
    others = [other for other in stream.layers if other != layer]
    tied = f"is one stream with {_listed(others)}, and that has" if others else "has"
    return f"{tied} {' and '.join(sorted(stream.activations - able))} units, but {why}"


def _listed(layers: Any) -> str:
    """Layers in words."""
    return ", ".join(map(str, layers))


def _streams(skeleton: Skeleton) -> tuple[Stream, ...]:
    """Values tied by sums and by maps used more than once, tied through."""
    if skeleton.program is None:
        return _streams_of_states(skeleton)
    steps = skeleton.program.steps
    root = list(range(len(steps) + 1))

    def find(value: int) -> int:
        while root[value] != value:
            value = root[value]
        return value

    def tie(values: list[int]) -> None:
        roots = sorted({find(value) for value in values})
        for other in roots[1:]:
            root[other] = roots[0]

    uses: dict[Any, list[int]] = {}
    for value, step in enumerate(steps, start=1):
        if isinstance(step, Combine):
            tie([value, *step.sources])
        else:
            uses.setdefault(_key(step.map), []).append(value)
    for values in uses.values():
        tie(values)
        tie([steps[value - 1].source for value in values])  # type: ignore[union-attr]
    streams = (
        _stream(skeleton, steps, {value for value in range(len(root)) if find(value) == head})
        for head in sorted({find(value) for value in range(len(root))})
    )
    return tuple(streams)


def _stream(skeleton: Skeleton, steps: tuple[Affine | Combine, ...], values: set[int]) -> Stream:
    """One stream from its values."""
    into: dict[Any, AffineMap | FixedMap] = {}
    out: dict[Any, AffineMap | FixedMap] = {}
    activations, summed = set(), False
    for value, step in enumerate(steps, start=1):
        if isinstance(step, Combine):
            summed |= value in values
            continue
        if value in values:
            into[_key(step.map)] = step.map
            activations.add(step.activation.name)
        if step.source in values:
            out[_key(step.map)] = step.map
    layers = [number for number, part in enumerate(skeleton.layers) if part.value in values]
    ends = "input" if 0 in values else "output" if len(steps) in values else ""
    maps = [*into.values(), *out.values()]
    return Stream(
        tuple(layers),
        skeleton.layers[layers[0]].size,
        tuple(place for place in into.values() if isinstance(place, AffineMap)),
        tuple(place for place in out.values() if isinstance(place, AffineMap)),
        frozenset(activations),
        summed,
        any(isinstance(place, FixedMap) for place in maps),
        ends,
    )


def _streams_of_states(skeleton: Skeleton) -> tuple[Stream, ...]:
    """Of a field that is known by its derivatives only: its states, and behind a readout outputs.

    Every layer adds to the state, which ties them all.
    """
    count = len(skeleton.layers)
    states = count - 1 if any(edges.map is not None for edges in skeleton.edges) else count
    ends = [(0, states, "input"), (states, count, "output")]
    return tuple(
        Stream(
            tuple(range(start, stop)),
            skeleton.layers[start].size,
            (),
            (),
            frozenset(),
            True,
            False,
            end,
        )
        for start, stop, end in ends
        if start < stop
    )


def _key(place: AffineMap | FixedMap) -> Any:
    """What tells one map from another."""
    return place.start if isinstance(place, AffineMap) else id(place)
