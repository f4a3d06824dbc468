"""What a move gives back, and which node is which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..networks.readout import Readout
from .subject import Subject

__all__ = ["Moved", "moved_by", "numbers"]


@dataclass(frozen=True, eq=False)
class Moved:
    """A network after a gauge move, and which of its nodes is which.

    Unpacks into ``network, theta, readout``.

    Attributes
    ----------
    network : FeedForward or Network
        Another one after a split, else the same.
    theta : ndarray
    readout : Readout or None
    nodes : ndarray of int, shape (N',)
        For each node of the moved network which node it was, both numbered by layer and unit with
        none left out; −1 for units that do nothing (see :func:`split`).
    sizes, sizes_before : tuple of int
        Units in each layer of nodes, after and before.
    """

    network: object
    theta: np.ndarray
    readout: Readout | None
    nodes: np.ndarray
    sizes: tuple[int, ...]
    sizes_before: tuple[int, ...]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.network, self.theta, self.readout))

    def __repr__(self) -> str:
        kept = "" if self.readout is None else f", {self.readout!r}"
        return f"Moved({self.network!r}, nodes={len(self.nodes)}{kept})"

    @property
    def split(self) -> np.ndarray:
        """Nodes there are two of now, numbered as they were."""
        was, count = np.unique(self.nodes[self.nodes >= 0], return_counts=True)
        return was[count > 1]

    def match(self, before: Any, after: Any) -> tuple[np.ndarray, np.ndarray]:
        """Places of the same nodes in two geometries, which may leave dead ones out.

        Parameters
        ----------
        before, after : EmergentGeometry
            Of the network and of the moved one; whatever has ``layer`` and ``unit``.

        Returns
        -------
        places, moved : ndarray of int, shape (k,)
            ``after.flow[moved]`` belongs to the nodes of ``before.flow[places]``. Of a split unit
            the copy that kept its place is taken, the other left out.

        Examples
        --------
        >>> import numpy as np
        >>> import geomnet as gn
        >>> sample, network = gn.datasets.load("iris"), gn.FeedForward((4, 8, 3), "relu")
        >>> theta = network.init(seed=0)
        >>> moved = gn.gauge.rescale(network, theta, layer=1, factors=np.arange(1, 9))
        >>> before, after = (
        ...     gn.EmergentGeometry.from_network(network, at, sample, gn.Categorical(3))
        ...     for at in (theta, moved.theta)
        ... )
        >>> old, new = moved.match(before, after)
        >>> bool(np.allclose(after.flow[new], before.flow[old], rtol=1e-12))
        True
        """
        old = numbers("before", before.layer, before.unit, self.sizes_before)
        new = numbers("after", after.layer, after.unit, self.sizes)
        return self.match_numbers(old, new)

    def match_numbers(self, old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for nodes by number."""
        order = np.argsort(new, kind="stable")
        was, first = np.unique(self.nodes[new[order]], return_index=True)
        _, places, found = np.intersect1d(old, was, return_indices=True)
        return places, order[first[found]]


def numbers(name: str, layer: Any, unit: Any, sizes: tuple[int, ...]) -> np.ndarray:
    """Numbers of nodes among all, from their layers and units."""
    layer, unit = np.asarray(layer), np.asarray(unit)
    starts = np.cumsum((0, *sizes[:-1]))
    whole = layer.dtype.kind in "iu" and unit.dtype.kind in "iu" and layer.shape == unit.shape
    if not whole or layer.ndim != 1 or not np.all((layer >= 0) & (layer < len(sizes))):
        raise InputError(
            f"{name}: its nodes must have layers from 0 to {len(sizes) - 1}, and units"
        )
    if not np.all((unit >= 0) & (unit < np.array(sizes)[layer])):
        raise InputError(
            f"{name}: has a unit that its layer has not; the layers' sizes are {sizes}"
        )
    found: np.ndarray = starts[layer] + unit
    return found


def moved_by(subject: Subject, nodes: np.ndarray) -> Moved:
    """The subject's vector as θ and readout of a network of the same shape."""
    theta, readout = subject.unflatten()
    return Moved(subject.network, theta, readout, nodes, subject.sizes, subject.sizes)
