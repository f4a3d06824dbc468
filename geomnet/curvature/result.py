"""What curvatures are given as: numbers by node or by edge of a graph, in the graph's order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import InputError
from ..utils.validation import check_array
from .weighted_graph import WeightedGraph, edge_names

__all__ = ["Curvature", "EdgeValues", "NodeValues", "curvature_name"]

Edge = tuple[Hashable, Hashable]
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, eq=False, repr=False)
class _GraphValues(Mapping[Name, float], Generic[Name]):
    """An array that reads as a mapping from names to numbers too; the mapping is made when read."""

    array: NDArray[np.float64]

    def __post_init__(self) -> None:
        array = self.array.view()
        array.setflags(write=False)
        object.__setattr__(self, "array", array)

    @property
    @abstractmethod
    def names(self) -> Sequence[Name]:
        """What the numbers are of, in order."""

    @cached_property
    def _by_name(self) -> dict[Name, float]:
        return self.as_dict()

    def as_dict(self) -> dict[Name, float]:
        """A dict of plain numbers, made anew."""
        return dict(zip(self.names, self.array.tolist()))

    def __getitem__(self, name: Name) -> float:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Name]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.array)

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> NDArray[np.float64]:
        return np.array(self.array, dtype, copy=copy)

    def __repr__(self) -> str:
        values = self.array
        span = f", from {values.min():.4g} to {values.max():.4g}" if len(values) else ""
        return f"{type(self).__name__}({self._what}{span})"

    @property
    @abstractmethod
    def _what(self) -> str:
        """How many, of what, in words."""


@dataclass(frozen=True, eq=False, repr=False)
class NodeValues(_GraphValues[Hashable]):
    """A number for every node of a graph: a mapping by node, and an array.

    Attributes
    ----------
    array : ndarray, shape (n,)
    nodes : sequence of hashable
        Names of the nodes, in the graph's order.
    """

    nodes: Sequence[Hashable]

    @property
    def names(self) -> Sequence[Hashable]:
        """The nodes."""
        return self.nodes

    @property
    def _what(self) -> str:
        return f"{len(self)} nodes"


@dataclass(frozen=True, eq=False, repr=False)
class EdgeValues(_GraphValues[Edge]):
    """A number for every edge of a graph: a mapping by edge, and an array.

    Keys are the edges as ``graph.edges`` gives them: of an undirected graph ``(0, 1)`` is one of
    them or ``(1, 0)``, not both.

    Attributes
    ----------
    array : ndarray, shape (m,)
    ends : ndarray of int, shape (m, 2)
        Of every edge, by the places of its ends among the nodes.
    nodes : sequence of hashable
        Names of the nodes, in the graph's order.
    """

    ends: NDArray[np.intp]
    nodes: Sequence[Hashable]

    @property
    def names(self) -> Sequence[Edge]:
        """The edges, by the names of their ends."""
        return edge_names(self.nodes, self.ends)

    @property
    def _what(self) -> str:
        return f"{len(self)} edges"

    def node_means(self) -> NodeValues:
        """Mean over the edges at every node; 0 at a node without edges.

        Where the graph is directed, over the edges that leave the node and those that enter it.
        """
        count, ends = len(self.nodes), self.ends.ravel()
        degree = np.bincount(ends, minlength=count)
        total = np.bincount(ends, weights=np.repeat(self.array, 2), minlength=count)
        return NodeValues(total / np.maximum(degree, 1), self.nodes)


@dataclass(frozen=True, eq=False, repr=False)
class Curvature(EdgeValues):
    """Curvature of every edge of a graph: a mapping by edge, an array, and what it is called.

    What curvature functions return, whatever the graph was: a networkx graph, a `WeightedGraph`,
    an emergent geometry.

    Attributes
    ----------
    array : ndarray, shape (m,)
    ends : ndarray of int, shape (m, 2)
        Of every edge, by the places of its ends among the nodes.
    nodes : sequence of hashable
        Names of the nodes, in the graph's order.
    name : str
        Which curvature it is, as "ollivier_average"; attributes of graphs are called so.
    weight : str or None
        The attribute of edges that was asked for.

    Examples
    --------
    >>> import networkx as nx
    >>> from geomnet.curvature import ollivier
    >>> graph = nx.path_graph(3)
    >>> curvature = ollivier(graph)
    >>> curvature
    Curvature(ollivier, 2 edges, from 0.5 to 0.5)
    >>> curvature[0, 1], curvature.as_dict(), curvature.array
    (0.5, {(0, 1): 0.5, (1, 2): 0.5}, array([0.5, 0.5]))
    >>> curvature.write(graph)
    >>> graph.edges[0, 1]
    {'ollivier': 0.5}
    """

    name: str
    weight: str | None = "weight"

    @classmethod
    def of(
        cls, graph: WeightedGraph, name: str, values: ArrayLike, weight: str | None = "weight"
    ) -> Curvature:
        """A curvature of one's own.

        Parameters
        ----------
        graph : WeightedGraph
        name : str
        values : array_like, shape (m,)
            By edge, in the order of ``graph.edges``.
        weight : str or None, optional

        Raises
        ------
        InputError
            Where there is not one number for each edge.
        """
        array = check_array(f"curvatures[{name!r}]", values, shape=(len(graph.edges),))
        return cls(array, graph.edges, graph.nodes, name, weight)

    def write(self, graph: nx.Graph) -> None:
        """Write it into a networkx graph, as the attribute of edges that its name says.

        Raises
        ------
        InputError
            Where the graph lacks one of the edges.
        """
        for edge in self:
            if not graph.has_edge(*edge):
                raise InputError(f"graph: has no edge {edge!r}, of which there is a {self.name}")
        nx.set_edge_attributes(graph, self, self.name)

    @property
    def _what(self) -> str:
        return f"{self.name}, {len(self)} edges"


def curvature_name(kind: str, weight: str | None) -> str:
    """Name of a curvature: what comes of conductances in place of lengths says so."""
    return f"{kind}_conductance" if weight == "conductance" else kind
