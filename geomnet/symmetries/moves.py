r"""Moves of a network as it is: permute, rescale, flip, shift.

A layer computes :math:`h = σ(Wx + b)`, and what reads it computes :math:`Vh`. Where σ commutes with
a matrix T, the parameters :math:`(TW, Tb, VT^{-1})` are the same map. Every σ commutes with
permutations, relu and identity with positive diagonals, tanh and identity with signs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..networks.nodes import Stream
from ..networks.readout import Readout
from ..utils.validation import check_array
from .moved import Moved, moved_by
from .subject import MoveKind, Subject

__all__ = ["flip", "permute", "rescale", "shift"]


def permute(
    network: object, theta: ArrayLike, layer: int, order: ArrayLike, readout: Readout | None = None
) -> Moved:
    """Put the units of a layer in another order.

    Parameters
    ----------
    network : FeedForward or Network
    theta : array_like
    layer : int
        Layer of nodes, as :class:`EmergentGeometry` numbers them: the input is 0. Layers that skips
        or shared parameters tie to it move with it; :func:`moves` lists what moves.
    order : array_like of int, shape (units,)
        Unit k becomes what unit ``order[k]`` was. Permuting by `order`, then by `after`, is
        permuting by ``order[after]``.
    readout : Readout, optional

    Returns
    -------
    Moved

    Raises
    ------
    InputError
        Where the layer cannot move, or `order` is no permutation.

    Examples
    --------
    >>> import geomnet as gn
    >>> network = gn.FeedForward((2, 3, 1))
    >>> theta = network.init(seed=0)
    >>> moved = gn.gauge.permute(network, theta, layer=1, order=[2, 0, 1])
    >>> bool(abs(network(moved.theta, [[1.0, 2.0]]) - network(theta, [[1.0, 2.0]])) < 1e-15)
    True
    >>> moved.nodes
    array([0, 1, 4, 2, 3, 5])
    """
    subject = Subject(network, theta, readout)
    stream = subject.stream(layer, MoveKind.PERMUTE)
    order = np.asarray(order)
    units = np.arange(stream.size)
    whole = order.shape == units.shape and order.dtype.kind in "iu"
    if not whole or not np.array_equal(np.sort(order), units):
        raise InputError(
            f"order: expected each of 0 to {stream.size - 1} once, as layer {layer} has "
            f"{stream.size} units; got {order.tolist()}"
        )
    for place in stream.into:
        matrix, offset = place.split(subject.vector)
        matrix[:] = matrix[order]
        if offset is not None:
            offset[:] = offset[order]
    for place in stream.out:
        matrix, _ = place.split(subject.vector)
        matrix[:] = matrix[:, order]
    nodes = np.arange(sum(subject.sizes))
    for number in stream.layers:
        part = subject.nodes.layers[number]
        nodes[part.nodes] = part.start + order
    return moved_by(subject, nodes)


def rescale(
    network: object,
    theta: ArrayLike,
    layer: int,
    factors: ArrayLike,
    readout: Readout | None = None,
) -> Moved:
    r"""Scale units up and what they feed down: relu and identity have σ(au) = aσ(u) for a > 0.

    Parameters
    ----------
    network, theta, layer, readout
        As :func:`permute` takes them.
    factors : float or array_like, shape (units,)
        Above zero; outputs of the units are multiplied by them.

    Returns
    -------
    Moved

    Raises
    ------
    InputError
        Where the layer, or a layer tied to it by skips, has units of another activation, cannot
        move, or a factor is not above zero.

    Examples
    --------
    >>> import geomnet as gn
    >>> network, theta = gn.FeedForward.from_arrays([[[3.0], [1.0]], [[1.0, 5.0]]], None, "relu")
    >>> moved = gn.gauge.rescale(network, theta, layer=1, factors=[2.0, 10.0])
    >>> moved.theta
    array([ 6. , 10. ,  0.5,  0.5])
    """
    subject = Subject(network, theta, readout)
    stream = subject.stream(layer, MoveKind.RESCALE)
    factors = check_array("factors", factors)
    if factors.shape not in ((), (stream.size,)):
        raise InputError(
            f"factors: expected one number, or one for each of the {stream.size} units of layer "
            f"{layer}; got shape {factors.shape}"
        )
    if not (factors > 0).all():
        raise InputError(
            f"factors: must be above zero, got {factors.min():g}; signs are changed by gauge.flip, "
            "where the activation is odd"
        )
    return _scaled(subject, stream, np.broadcast_to(factors, (stream.size,)))


def flip(
    network: object, theta: ArrayLike, layer: int, units: ArrayLike, readout: Readout | None = None
) -> Moved:
    """Change the sign of units and of what they feed: tanh and identity are odd.

    Parameters
    ----------
    network, theta, layer, readout
        As :func:`permute` takes them.
    units : int or array_like of int
        Which units; none twice.

    Returns
    -------
    Moved

    Raises
    ------
    InputError
        Where the layer, or a layer tied to it by skips, has units of another activation, cannot
        move, or has no such unit.

    Examples
    --------
    >>> import geomnet as gn
    >>> network, theta = gn.FeedForward.from_arrays([[[3.0], [1.0]], [[1.0, 5.0]]], None, "tanh")
    >>> gn.gauge.flip(network, theta, layer=1, units=[1]).theta
    array([ 3., -1.,  1., -5.])
    """
    subject = Subject(network, theta, readout)
    stream = subject.stream(layer, MoveKind.FLIP)
    units = np.atleast_1d(np.asarray(units))
    if units.size == 0:
        units = units.astype(int)
    known = units.ndim == 1 and units.dtype.kind in "iu" and np.isin(units, range(stream.size))
    if not np.all(known) or len(np.unique(units)) < units.size:
        raise InputError(
            f"units: expected some of 0 to {stream.size - 1}, none twice, as layer {layer} has "
            f"{stream.size} units; got {units.tolist()}"
        )
    signs = np.ones(stream.size)
    signs[units] = -1.0
    return _scaled(subject, stream, signs)


def shift(
    network: object,
    theta: ArrayLike,
    weights: ArrayLike,
    bias: float = 0.0,
    readout: Readout | None = None,
) -> Moved:
    r"""Add a function :math:`c·h + β` of the last hidden layer h to all logits.

    The last map becomes :math:`W + 1c^\top`, :math:`b + β1`. A softmax predicts the same; the
    outputs themselves change, so that of other likelihoods this is no gauge.

    Parameters
    ----------
    network, theta, readout
        As :func:`permute` takes them; of a ``Network`` the readout is needed.
    weights : array_like, shape (inputs of the last map,)
        c.
    bias : float
        β.

    Returns
    -------
    Moved

    Raises
    ------
    InputError
        Where the last layer is not linear, has a single output, or no bias to shift.

    Examples
    --------
    >>> import geomnet as gn
    >>> network, theta = gn.FeedForward.from_arrays([[[1.0], [3.0]]], [[0.0, 1.0]])
    >>> moved = gn.gauge.shift(network, theta, weights=[2.0], bias=0.5)
    >>> network(moved.theta, [[1.0], [2.0]]) - network(theta, [[1.0], [2.0]])
    array([[2.5, 2.5],
           [4.5, 4.5]])
    """
    subject = Subject(network, theta, readout)
    place = subject.last_map
    if isinstance(place, str):
        raise InputError(place)
    matrix, offset = place.split(subject.vector)
    bias = float(check_array("bias", bias, shape=()))
    if offset is not None:
        offset += bias
    elif bias:
        raise InputError(f"bias: the last layer has none, so it cannot be shifted; got {bias:g}")
    matrix += check_array("weights", weights, shape=(place.inputs,))
    return moved_by(subject, np.arange(sum(subject.sizes)))


def _scaled(subject: Subject, stream: Stream, factors: np.ndarray) -> Moved:
    """A stream's values times factors."""
    for place in stream.into:
        matrix, offset = place.split(subject.vector)
        matrix *= factors[:, None]
        if offset is not None:
            offset *= factors
    for place in stream.out:
        matrix, _ = place.split(subject.vector)
        matrix /= factors
    return moved_by(subject, np.arange(sum(subject.sizes)))
