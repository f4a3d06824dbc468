r"""Computation nodes of a network, and the edges on which it computes.

Nodes are hidden units, and every coordinate of the state at every depth; they come in layers, the
inputs first and the outputs last. An edge joins a node to a node it feeds: by a weight of an affine
map, or by a skip. Where an affine map is only added to a state (the second map of a residual block,
or the only one), its result is no node of its own: the state after the addition is. Of a field that
is known by its derivatives only, the coordinates of the states are the nodes, and the edges of a
layer are weighed by its derivative at each datum.

This is all that the emergent geometry and the gauges know of a network: which nodes and edges there
are (:class:`Nodes`), what moves together (:class:`Stream`), and what they do on data
(:class:`NodeRecord`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from ..utils.arrays import Array
from .layers.factors import AffineMap, FixedMap

__all__ = ["EdgeSet", "End", "NodeLayer", "NodeRecord", "Nodes", "Stream", "ValueRecord"]


@dataclass(frozen=True)
class NodeLayer:
    """Nodes that are computed together.

    Attributes
    ----------
    value : int
        Which value of the network they are, in the order in which it computes them.
    size : int
    start : int
        Number of the first of them among all nodes.
    name : str
    """

    value: int
    size: int
    start: int
    name: str

    @property
    def nodes(self) -> slice:
        """Their numbers."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class EdgeSet:
    """Edges between two layers, all of an affine map or all of a skip.

    Attributes
    ----------
    source, target : int
        Layers.
    step : int
        The value of the network that the affine map or the skip computes.
    coefficient : float or None
        Of a skip, from each unit to its like; None for an affine map.
    map : AffineMap, FixedMap or None
        Of an affine map where its weights lie; None for a skip, and for a layer whose weights are
        its derivatives at each datum.
    """

    source: int
    target: int
    step: int
    coefficient: float | None
    map: AffineMap | FixedMap | None = field(default=None, compare=False)


class End(StrEnum):
    """Which end of the network a stream is tied to."""

    NONE = ""
    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True)
class Stream:
    """Values of a network that a gauge move can only transform alike.

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
    end : End
        The end that is among them.
    """

    layers: tuple[int, ...]
    size: int
    into: tuple[AffineMap, ...]
    out: tuple[AffineMap, ...]
    activations: frozenset[str]
    summed: bool
    fixed: bool
    end: End


@dataclass(frozen=True)
class Nodes:
    """Nodes and edges of a network, whatever its parameters.

    Attributes
    ----------
    layers : tuple of NodeLayer
    edges : tuple of EdgeSet
    activations : tuple of str
        Of all affine maps, in the order in which they are used.
    streams : tuple of Stream
        What moves together, in the order of their first layers.
    free_maps : tuple of AffineMap
        Maps into the outputs that are linear and used once: a common shift of the outputs can be
        taken out of them.
    """

    layers: tuple[NodeLayer, ...]
    edges: tuple[EdgeSet, ...]
    activations: tuple[str, ...]
    streams: tuple[Stream, ...] = field(compare=False)
    free_maps: tuple[AffineMap, ...] = field(compare=False)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.layers[-1].start + self.layers[-1].size

    @property
    def layer(self) -> Array:
        """Layer of every node, (N,)."""
        return np.repeat(np.arange(len(self.layers)), [part.size for part in self.layers])

    @property
    def unit(self) -> Array:
        """Place of every node in its layer, (N,)."""
        return np.concatenate([np.arange(part.size) for part in self.layers])


class NodeRecord(ABC):
    """Nodes and edges of a network on n data, with q covectors a datum pulled back to them."""

    @abstractmethod
    def output(self, layer: NodeLayer) -> Array:
        """Outputs h of the nodes of a layer, (n, size)."""

    @abstractmethod
    def covector(self, layer: NodeLayer) -> Array:
        """Covectors times the total derivative ∂z/∂h in these outputs, (n, q, size)."""

    @abstractmethod
    def signal(self, edges: EdgeSet) -> Array:
        """Covectors where edges arrive, (n, q, out).

        Of an affine map at the pre-activations it computes; of a skip at the sum.
        """

    @abstractmethod
    def weight(self, edges: EdgeSet) -> Array:
        """Weights of the edges of a map: (out, in), or (n, out, in) where the data change them."""


@dataclass(frozen=True, eq=False)
class ValueRecord(NodeRecord):
    """The record of a network that keeps all its values.

    Attributes
    ----------
    values : list of ndarray, shape (n, units)
    slopes : list of ndarray or None
        Derivatives of the activations, where a value has one that is not linear.
    matrices : list of ndarray or None
        What an affine step multiplied with, or the derivatives of a layer.
    backs : list of ndarray, shape (n, q, units)
        The covectors at every value.
    """

    values: Sequence[Array]
    slopes: Sequence[Array | None]
    matrices: Sequence[Array | None]
    backs: Sequence[Array | None]

    def output(self, layer: NodeLayer) -> Array:
        """The value that the layer is."""
        return self.values[layer.value]

    def covector(self, layer: NodeLayer) -> Array:
        """The covector at that value."""
        back = self.backs[layer.value]
        assert back is not None
        return back

    def signal(self, edges: EdgeSet) -> Array:
        """The covector at the value, through the slope of its activation."""
        slope, back = self.slopes[edges.step], self.backs[edges.step]
        assert back is not None
        return back if slope is None else back * slope[:, None, :]

    def weight(self, edges: EdgeSet) -> Array:
        """The matrix of the step."""
        matrix = self.matrices[edges.step]
        assert matrix is not None
        return matrix
