"""The move that makes a network wider: split."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..networks import Readout, model
from ..networks.architecture import split_rows
from ..utils.validation import check_array, check_integer
from .moved import Moved
from .subject import MoveKind, Subject

__all__ = ["split"]


def split(
    network: object,
    theta: ArrayLike,
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
    stream = subject.stream(layer, MoveKind.SPLIT)
    unit = check_integer("unit", unit, least=0)
    if unit >= stream.size:
        raise InputError(f"unit: layer {layer} has units 0 to {stream.size - 1}, got {unit}")
    share = float(check_array("share", share, shape=()))
    if not 0 < share < 1:
        raise InputError(f"share: expected a number between 0 and 1, got {share:g}")
    before, cut = subject.model, int(np.prod(subject.model.parameters_shape))
    wide = before.architecture
    assert wide is not None  # else the stream had been refused
    found, vector = wide.split_unit(subject.vector[:cut], stream, unit, share)
    place = before.readout_map
    if place is not None and place in stream.out:
        weight, bias = split_rows(subject.vector, place, stream, unit, share)
        assert bias is not None
        readout = Readout(weight, bias)
    sizes = tuple(part.size for part in found.with_readout(readout).nodes.layers)
    nodes: list[int] = []
    for number, (part, size) in enumerate(zip(subject.nodes.layers, sizes)):
        nodes.extend(range(part.start, part.start + part.size))
        if size > part.size:
            nodes.append(part.start + unit if number in stream.layers else -1)
    if len(subject.theta_shape) == 2:
        vector = vector.reshape(model(found).parameters_shape)
    return Moved(found, vector, readout, np.array(nodes), sizes, subject.sizes)
