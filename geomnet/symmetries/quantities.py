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
    wrapped = isinstance(value, (PerNode, Spectrum))
    inner = value.values if wrapped else value
    array = np.asarray(inner.toarray() if issparse(inner) else inner)
    if array.dtype == object or array.dtype.kind not in "fiubc":
        raise InputError(f"quantity: {where} is no number nor array of numbers: {inner!r}")
    if np.isnan(array).any():
        raise InputError(f"quantity: {where} is NaN in {np.isnan(array).sum()} places")
    if isinstance(value, Spectrum):
        return Value(array.ravel(), unordered=True)
    if not isinstance(value, PerNode):
        return Value(array)
    axes = tuple(range(array.ndim)) if value.axes is None else value.axes
    if value.nodes is None:
        nodes = np.arange(sum(sizes))
    elif hasattr(value.nodes, "layer") and hasattr(value.nodes, "unit"):
        nodes = numbers("nodes", value.nodes.layer, value.nodes.unit, sizes)
    else:
        pairs = np.asarray(value.nodes)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise InputError(f"nodes: expected pairs (layer, unit), (k, 2), got {pairs.shape}")
        nodes = numbers("nodes", pairs[:, 0], pairs[:, 1], sizes)
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


def difference(before: Value, after: Value, moved: Moved, where: str) -> tuple[float, float]:
    """Largest difference relative to the largest entry; infinite where nodes came or went.

    And the same without the unit that was split.
    """
    one, two = before.array, after.array
    if before.unordered:
        size = max(one.size, two.size)
        one, two = (np.sort(np.pad(part, (0, size - part.size))) for part in (one, two))
    places = None
    if before.nodes is not None and after.nodes is not None:
        places, found = moved._match(before.nodes, after.nodes)
        if len(places) < len(before.nodes) or not _only_copies(before, after, moved):
            return np.inf, np.inf
        for axis in before.axes:
            one, two = np.take(one, places, axis=axis), np.take(two, found, axis=axis)
    if one.shape != two.shape:
        raise InputError(
            f"quantity: {where} has shape {two.shape}, before it {one.shape}; wrap arrays "
            "over nodes in gn.gauge.PerNode and eigenvalues in gn.gauge.Spectrum"
        )
    scale = max(np.abs(part[np.isfinite(part)]).max(initial=0.0) for part in (one, two))
    whole = _gap(one, two, scale)
    if places is None or before.nodes is None:
        return whole, whole
    same = np.flatnonzero(~np.isin(before.nodes[places], moved.split))
    for axis in before.axes:
        one, two = np.take(one, same, axis=axis), np.take(two, same, axis=axis)
    return whole, _gap(one, two, scale)


def _gap(one: np.ndarray, two: np.ndarray, scale: float) -> float:
    """Largest difference in units of a scale; infinities must be the same."""
    same = one == two
    if not np.all(same | (np.isfinite(one) & np.isfinite(two))):
        return np.inf
    gap = np.abs(one[~same] - two[~same]).max(initial=0.0)
    return float(gap / scale) if gap else 0.0


def _only_copies(before: Value, after: Value, moved: Moved) -> bool:
    """Whether nodes that are new are copies of old ones, or such as do nothing."""
    was, old = moved.nodes[after.nodes], before.nodes
    return old is not None and bool(np.isin(was[was >= 0], old).all())
