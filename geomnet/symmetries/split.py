"""The move that makes a network wider: split."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..networks.feedforward import FeedForward
from ..networks.layers.factors import AffineMap
from ..networks.network import Network
from ..networks.readout import Readout
from ..utils.validation import check_array, check_integer
from .moved import Moved
from .streams import Stream, Subject

__all__ = ["split"]


def split(
    network: Any,
    theta: Any,
    layer: int,
    unit: int,
    share: float,
    readout: Readout | None = None,
) -> Moved:
    r"""Make a unit two: both read the same, and what it feeds reads λ of one, 1 − λ of the other.

    The network becomes wider. The copy is the last unit of its layer; the unit keeps its place and
    the share λ. All layers of a ``Network`` have one width: in the others a unit is added that
    nothing leads to or from. It is dead, and an :class:`EmergentGeometry` leaves it out.

    Parameters
    ----------
    network, theta, layer, readout
        As :func:`permute` takes them.
    unit : int
    share : float
        λ, between 0 and 1.

    Returns
    -------
    Moved

    Raises
    ------
    InputError
        Where skips enter or leave the layer, it cannot move, has no such unit, or the share is
        outside (0, 1).

    Examples
    --------
    >>> import geomnet as gn
    >>> network = gn.FeedForward((2, 3, 1))
    >>> moved = gn.gauge.split(network, network.init(seed=0), layer=1, unit=0, share=0.25)
    >>> moved.network, moved.nodes
    (FeedForward(2-4-1, tanh), array([0, 1, 2, 3, 4, 2, 5]))
    """
    subject = Subject(network, theta, readout)
    stream = subject.stream(layer, "split")
    unit = check_integer("unit", unit, least=0)
    if unit >= stream.size:
        raise InputError(f"unit: layer {layer} has units 0 to {stream.size - 1}, got {unit}")
    share = float(check_array("share", share, shape=()))
    if not 0 < share < 1:
        raise InputError(f"share: expected a number between 0 and 1, got {share:g}")
    if isinstance(network, Network):
        widened = {n for other in subject.streams if not other.ends for n in other.layers}
        network, vector = _widened_field(subject, stream, unit, share)
    else:
        widened = set(stream.layers)
        network, vector, readout = _widened(subject, stream, unit, share)
    nodes: list[int] = []
    for number, part in enumerate(subject.skeleton.layers):
        nodes.extend(range(part.start, part.start + part.size))
        if number in widened:
            nodes.append(part.start + unit if number in stream.layers else -1)
    sizes = tuple(size + (number in widened) for number, size in enumerate(subject.sizes))
    if len(subject.theta_shape) == 2:
        vector = vector.reshape(network.parameters_shape)
    return Moved(network, vector, readout, np.array(nodes), sizes, subject.sizes)


def _widened(
    subject: Subject, stream: Stream, unit: int, share: float
) -> tuple[FeedForward, np.ndarray, Readout | None]:
    """A feed-forward network with a unit split."""
    network = subject.network
    into, out = ({place.start for place in places} for places in (stream.into, stream.out))

    def parts(place: AffineMap) -> tuple[np.ndarray, np.ndarray | None]:
        matrix, offset = place.split(subject.vector)
        if place.start in into:
            matrix = np.vstack([matrix, matrix[unit]])
            offset = None if offset is None else np.append(offset, offset[unit])
        if place.start in out:
            matrix = np.column_stack([matrix, (1 - share) * matrix[:, unit]])
            matrix[:, unit] *= share
        return matrix, offset

    matrices, biases = zip(*map(parts, network.maps))
    skips = {layer: (source, scale) for layer, source, scale in network.skips}
    wide, theta = FeedForward.from_arrays(matrices, biases, network.activations, skips)
    place = subject.readout_map
    return wide, theta, None if place is None else Readout(*parts(place))  # type: ignore[arg-type]


def _widened_field(
    subject: Subject, stream: Stream, unit: int, share: float
) -> tuple[Network, np.ndarray]:
    """A network of fields with a unit of one block split, and a dead unit in all others."""
    network = subject.network
    field = replace(network.field, width=network.field.width + 1)
    block = stream.into[0].layer
    old = subject.vector[: network.n_parameters].reshape(network.parameters_shape)
    new = np.zeros((network.depth, field.n_parameters))
    for index, (row, into) in enumerate(zip(old, new)):
        for part, wide in zip(network.field.unpack(row), field.unpack(into)):
            wide[tuple(map(slice, part.shape))] = part
        if index == block:
            w, b, a, _ = field.unpack(into)
            w[-1], b[-1] = w[unit], b[unit]
            a[:, -1] = (1 - share) * a[:, unit]
            a[:, unit] *= share
    return replace(network, field=field), new.reshape(-1)
