"""Values of a quantity: what they run over, and how far two of them are from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..errors import InputError
from .moved import Moved, numbers

__all__ = ["PerNode", "Spectrum", "Value", "difference", "read"]


@dataclass(frozen=True, eq=False)
class PerNode:
    """Values over nodes: :func:`check` compares them node by node, wherever a move puts a node.

    Parameters
    ----------
    values : array_like or sparse array
    nodes : EmergentGeometry or array_like of int, shape (k, 2), optional
        The nodes, in the order of the values: whatever has ``layer`` and ``unit``, or pairs of
        them. By default all nodes of the network, layer by layer, the input first.
    axes : tuple of int, optional
        Axes that run over nodes; all by default.

    Examples
    --------
    >>> import numpy as np
    >>> import geomnet as gn
    >>> network = gn.FeedForward((2, 4, 2))
    >>> hidden = [(1, unit) for unit in range(4)]
    >>> def incoming(network, theta):
    ...     rows = network.unpack(theta)[0][0]
    ...     pairs = [(1, unit) for unit in range(len(rows))]
    ...     return gn.gauge.PerNode(np.sum(rows**2, axis=1), pairs)
    >>> bool(gn.gauge.check(incoming, network, network.init(seed=0)))
    True
    """

    values: Any
    nodes: Any = None
    axes: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Numbers in no order, zeros of no account: :func:`check` sorts them, and adds zeros.

    A matrix over nodes has one more eigenvalue after a split, and it is zero where the matrix is
    geometry.
    """

    values: Any


@dataclass(frozen=True)
class Value:
    """A measured value: an array, and where it runs over nodes, which."""

    array: np.ndarray
    axes: tuple[int, ...] = ()
    nodes: np.ndarray | None = None
    unordered: bool = False


def read(value: Any, sizes: tuple[int, ...], where: str) -> Value:
    """A value as an array with its nodes."""
    if isinstance(value, Spectrum):
        return Value(_numbers(value.values, where).ravel(), unordered=True)
    if isinstance(value, PerNode):
        return _per_node(value, sizes, where)
    return Value(_numbers(value, where))


def _numbers(value: Any, where: str) -> np.ndarray:
    """A value as an array of numbers, or what is wrong with it."""
    array = np.asarray(value.toarray() if issparse(value) else value)
    if array.dtype == object or array.dtype.kind not in "fiubc":
        raise InputError(f"quantity: {where} is no number nor array of numbers: {value!r}")
    if np.isnan(array).any():
        raise InputError(f"quantity: {where} is NaN in {np.isnan(array).sum()} places")
    return array


def _per_node(value: PerNode, sizes: tuple[int, ...], where: str) -> Value:
    """An array over nodes, with the axes that run over them."""
    array = _numbers(value.values, where)
    axes = tuple(range(array.ndim)) if value.axes is None else value.axes
    nodes = _node_numbers(value.nodes, sizes)
    if len(np.unique(nodes)) < len(nodes):
        raise InputError(f"nodes: a node is there twice in {where}")
    if not axes or any(not -array.ndim <= axis < array.ndim for axis in axes):
        raise InputError(f"axes: {where} has shape {array.shape}, and no axes {axes}")
    if any(array.shape[axis] != len(nodes) for axis in axes):
        raise InputError(
            f"axes: {where} has shape {array.shape}, but {len(nodes)} nodes; give those it "
            "is about, PerNode(values, nodes), and the axes that run over them"
        )
    return Value(array, axes, nodes)


def _node_numbers(nodes: Any, sizes: tuple[int, ...]) -> np.ndarray:
    """Numbers of the nodes that a value is about: all, a geometry's, or pairs of layer and unit."""
    if nodes is None:
        return np.arange(sum(sizes))
    if hasattr(nodes, "layer") and hasattr(nodes, "unit"):
        return numbers("nodes", nodes.layer, nodes.unit, sizes)
    pairs = np.asarray(nodes)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise InputError(f"nodes: expected pairs (layer, unit), (k, 2), got {pairs.shape}")
    return numbers("nodes", pairs[:, 0], pairs[:, 1], sizes)


def difference(before: Value, after: Value, moved: Moved, where: str) -> tuple[float, float]:
    """Largest difference relative to the largest entry; infinite where nodes came or went.

    And the same without the unit that was split.
    """
    if before.nodes is None or after.nodes is None:
        whole = _gap(*_padded(before, after), where)
        return whole, whole
    places, found = moved.match_numbers(before.nodes, after.nodes)
    if len(places) < len(before.nodes) or not _only_copies(before, after, moved):
        return np.inf, np.inf
    one = _taken(before.array, places, before.axes)
    two = _taken(after.array, found, before.axes)
    whole, scale = _gap(one, two, where), _scale(one, two)
    same = np.flatnonzero(~np.isin(before.nodes[places], moved.split))
    one, two = _taken(one, same, before.axes), _taken(two, same, before.axes)
    return whole, _gap(one, two, where, scale)


def _padded(before: Value, after: Value) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays as they are; of numbers in no order sorted, with as many zeros as are missing."""
    one, two = before.array, after.array
    if not before.unordered:
        return one, two
    size = max(one.size, two.size)
    padded = (np.sort(np.pad(part, (0, size - part.size))) for part in (one, two))
    return next(padded), next(padded)


def _taken(array: np.ndarray, places: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The entries at some places of every axis that runs over nodes."""
    for axis in axes:
        array = np.take(array, places, axis=axis)
    return array


def _scale(one: np.ndarray, two: np.ndarray) -> float:
    """The largest finite entry of both."""
    return max(float(np.abs(part[np.isfinite(part)]).max(initial=0.0)) for part in (one, two))


def _gap(one: np.ndarray, two: np.ndarray, where: str, scale: float | None = None) -> float:
    """Largest difference in units of a scale, their own if none; infinities must be the same."""
    if one.shape != two.shape:
        raise InputError(
            f"quantity: {where} has shape {two.shape}, before it {one.shape}; wrap arrays "
            "over nodes in gn.gauge.PerNode and eigenvalues in gn.gauge.Spectrum"
        )
    same = one == two
    if not np.all(same | (np.isfinite(one) & np.isfinite(two))):
        return np.inf
    gap = np.abs(one[~same] - two[~same]).max(initial=0.0)
    return float(gap / (_scale(one, two) if scale is None else scale)) if gap else 0.0


def _only_copies(before: Value, after: Value, moved: Moved) -> bool:
    """Whether nodes that are new are copies of old ones, or such as do nothing."""
    was, old = moved.nodes[after.nodes], before.nodes
    return old is not None and bool(np.isin(was[was >= 0], old).all())
