"""A network as gauge moves see it: which of its layers have which moves."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..networks import Readout, UnknownParametersError, model
from ..networks.layers.factors import AffineMap
from ..networks.nodes import End, Stream
from ..utils.validation import check_integer

__all__ = ["MoveKind", "Subject", "moves"]


class MoveKind(StrEnum):
    """The kinds of gauge moves."""

    PERMUTE = "permute"
    RESCALE = "rescale"
    FLIP = "flip"
    SPLIT = "split"
    SHIFT = "shift"


HOMOGENEOUS = {"relu", "identity"}
"""Activations with σ(au) = aσ(u) for a > 0."""
ODD = {"tanh", "identity"}
"""Activations with σ(−u) = −σ(u)."""


class Subject:
    """A network, its parameters and its readout, as moves see them."""

    def __init__(self, network: object, theta: ArrayLike, readout: Readout | None) -> None:
        self.model = model(network, theta, readout)
        self.network = self.model.architecture or network
        self.nodes = self.model.nodes
        self.vector = np.array(self.model.own_theta)  # moves write into it
        self.theta_shape = self.model.parameters_shape if theta is None else np.shape(theta)

    def unflatten(self) -> tuple[np.ndarray, Readout | None]:
        """The vector as θ, in the shape it was given in, and the readout."""
        theta, readout = self.model.unflatten(self.vector)
        return theta.reshape(self.theta_shape), readout

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of units of all layers of nodes."""
        return tuple(layer.size for layer in self.nodes.layers)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """All streams, in the order of their first layers."""
        return self.nodes.streams

    def stream(self, layer: Any, kind: MoveKind) -> Stream:
        """The stream of a layer, or why that layer does not move so."""
        count = len(self.nodes.layers)
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

    def layers_with(self, kind: MoveKind) -> tuple[int, ...]:
        """Layers that have a move."""
        if kind is MoveKind.SHIFT:
            return () if isinstance(self.last_map, str) else (len(self.nodes.layers) - 1,)
        able = (
            layer
            for stream in self.streams
            for layer in stream.layers
            if self.refusal(stream, layer, kind) is None
        )
        return tuple(sorted(able))

    def refusal(self, stream: Stream, layer: int, kind: MoveKind) -> str | None:
        """Why a layer of a stream does not have a move; None where it has it."""
        if stream.end is not End.NONE:
            return self._tied_to_end(stream.end, layer)
        if stream.fixed:
            return "is computed by fixed features, which are no part of theta"
        if kind is MoveKind.RESCALE and not stream.activations <= HOMOGENEOUS:
            return _unable(stream, layer, HOMOGENEOUS, "only relu and identity are homogeneous")
        if kind is MoveKind.FLIP and not stream.activations <= ODD:
            return _unable(stream, layer, ODD, "only tanh and identity are odd")
        return self._unsplittable(stream, layer) if kind is MoveKind.SPLIT else None

    def _tied_to_end(self, end: End, layer: int) -> str:
        """Why what holds an end of the network stays."""
        if end is End.INPUT:
            if layer == 0:
                return "is the input, whose coordinates are the data's"
            return "is tied by skips to the input, whose coordinates are the data's, and stays"
        if layer == len(self.nodes.layers) - 1:
            return "is the output, which the likelihood reads in its order and size"
        return "is tied by skips to the output, which the likelihood reads, and stays"

    def _unsplittable(self, stream: Stream, layer: int) -> str | None:
        """Why no unit of a layer may be split; None where one may."""
        if stream.summed:
            others = [other for other in stream.layers if other != layer]
            return f"is tied by skips to {_listed(others)}, and a copy of one unit has no skip"
        return self._widening() or None

    def _widening(self) -> str:
        """Why the network cannot be made wider; empty where it can."""
        wide = self.model.architecture
        return "belongs to a model that cannot be made wider" if wide is None else wide.widening()

    @cached_property
    def last_map(self) -> AffineMap | str:
        """The map whose outputs are logits, or why there is none."""
        head = self.model.head
        if head is None:
            return "readout: a gn.Network has no logits but its readout's; give it"
        if head.activation.name != "identity":
            name = head.activation.name
            return f"network: its last layer is {name}, not linear; its outputs are no logits"
        if head.map.outputs < 2:
            return "network: has one output, and shifting it changes what it predicts"
        return head.map


def moves(network: object, readout: Readout | None = None) -> dict[str, tuple[int, ...]]:
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
    try:
        theta = np.zeros(model(network).parameters_shape)
    except UnknownParametersError:
        theta = np.zeros(0)
    subject = Subject(network, theta, readout)
    return {str(kind): subject.layers_with(kind) for kind in MoveKind}


def _unable(stream: Stream, layer: int, able: set[str], why: str) -> str:
    others = [other for other in stream.layers if other != layer]
    tied = f"is one stream with {_listed(others)}, and that has" if others else "has"
    return f"{tied} {' and '.join(sorted(stream.activations - able))} units, but {why}"


def _listed(layers: Any) -> str:
    """Layers in words."""
    return ", ".join(map(str, layers))
