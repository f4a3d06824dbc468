"""A graph as arrays: what every curvature reads, made once from a networkx graph."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, compress
from typing import Protocol, TypeAlias, runtime_checkable

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ..errors import InputError
from ..utils.validation import check_array, check_choice
from .attributes import not_positive, read_attribute
from .distances import shortest_path_lengths

__all__ = ["GraphLike", "Weighted", "WeightedGraph", "as_weighted_graph", "edge_names"]


class WeightedGraph:
    """Edges with positive weights, as arrays.

    Every curvature takes one in place of a networkx graph. It keeps the shortest path lengths it
    was asked for, so that several curvatures of one graph share them. Do not change its arrays.

    Parameters
    ----------
    n_nodes : int
    edges : array_like of int, shape (m, 2)
        Ends of every edge, numbered from zero; tail first where the graph is directed. Each edge
        once, no loops.
    weights : array_like, shape (m,), optional
        Positive; lengths, unless a function says otherwise. 1 by default.
    directed : bool, default False
    node_weights : array_like, shape (n_nodes,), optional
        Positive; read by `forman` alone. 1 by default.
    nodes : sequence of hashable, optional
        Names of the nodes; 0, 1, … by default.

    Attributes
    ----------
    nodes : list
    edges : ndarray of int, shape (m, 2)
    weights : ndarray, shape (m,)
    node_weights : ndarray, shape (n_nodes,)
    directed : bool

    Raises
    ------
    InputError
        For ends that are no nodes, loops, an edge given twice, weights not positive and finite.

    Examples
    --------
    >>> from geomnet.curvature import WeightedGraph, forman
    >>> path = WeightedGraph(3, [(0, 1), (1, 2)])
    >>> path
    WeightedGraph(nodes=3, edges=2)
    >>> forman(path).array
    array([1., 1.])
    """

    def __init__(
        self,
        n_nodes: int,
        edges: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        directed: bool = False,
        node_weights: ArrayLike | None = None,
        nodes: Iterable[Hashable] | None = None,
    ) -> None:
        self.nodes: list[Hashable] = list(range(n_nodes) if nodes is None else nodes)
        if len(self.nodes) != n_nodes:
            raise InputError(f"nodes: expected {n_nodes} names, got {len(self.nodes)}")
        self.edges = _check_edges(edges, n_nodes)
        self.directed = bool(directed)
        count = len(self.edges)
        self.weights = check_array(
            "weights", np.ones(count) if weights is None else weights, shape=(count,)
        )
        self.node_weights = check_array(
            "node_weights", np.ones(n_nodes) if node_weights is None else node_weights,
            shape=(n_nodes,),
        )  # fmt: skip
        if not np.all(self.weights > 0):
            raise not_positive("weights", self.weights, self.edge_names)
        if not np.all(self.node_weights > 0):
            raise not_positive("node_weights", self.node_weights, self.nodes)
        self._check_simple()

    @classmethod
    def from_networkx(
        cls, graph: nx.Graph, weight: str | None = "weight", node_weight: str | None = None
    ) -> WeightedGraph:
        """Read a networkx graph.

        Parameters
        ----------
        graph : networkx.Graph or networkx.DiGraph
        weight : str or None, default "weight"
            The edge attribute to read. None stands for 1 on every edge, and so does "weight" where
            no edge has it, **whatever other attributes edges have**; another name that no edge has,
            or one that only some have, is an error.
        node_weight : str or None, optional
            The node attribute to read, one that all nodes have; None stands for 1.

        Raises
        ------
        InputError
            For multigraphs, attributes that are missing or no numbers, and what the class refuses.
        """
        if not isinstance(graph, nx.Graph):
            raise InputError(
                "graph: expected a networkx graph, a WeightedGraph or an emergent geometry, got a "
                f"{type(graph).__name__}"
            )
        if graph.is_multigraph():
            simple = f"nx.{'DiGraph' if graph.is_directed() else 'Graph'}(graph)"
            raise InputError(
                f"graph: a {type(graph).__name__} may have parallel edges, which have no one "
                f"length; take {simple}, which keeps one of each"
            )
        nodes, tail, head, datas = _read_edges(graph)
        ends = np.stack([tail, head], axis=1)
        found: list[object] = [None] * len(tail)
        if weight:
            found = [data.get(weight) for data in datas]

        def names() -> list[tuple[Hashable, Hashable]]:
            return edge_names(nodes, ends)

        sizes = _read_sizes(graph, nodes, node_weight) if node_weight else None
        lengths = read_attribute("weight", weight, found, names, default="weight")
        if lengths is not None and not np.all(lengths > 0):
            advice = ""
            if weight == "weight" and "length" in graph.edges[names()[0]]:
                advice = "edges have an attribute 'length' too: weight='length'"
            raise not_positive("weight", lengths, names(), advice)
        return cls(
            len(nodes),
            ends,
            lengths,
            directed=graph.is_directed(),
            node_weights=sizes,
            nodes=nodes,
        )

    def __repr__(self) -> str:
        kind = ", directed=True" if self.directed else ""
        return f"WeightedGraph(nodes={self.n_nodes}, edges={len(self.edges)}{kind})"

    @property
    def edge_names(self) -> list[tuple[Hashable, Hashable]]:
        """The edges by the names of their ends, in order."""
        return edge_names(self.nodes, self.edges)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @cached_property
    def adjacency(self) -> csr_array:
        """Sparse weights; symmetric unless the graph is directed."""
        return self.matrix(self.weights)

    def matrix(self, values: np.ndarray) -> csr_array:
        """Sparse matrix with a value for every edge, both ways unless the graph is directed."""
        tail, head = self.edges.T
        if not self.directed:
            tail, head, values = np.r_[tail, head], np.r_[head, tail], np.r_[values, values]
        return csr_array((values, (tail, head)), shape=(self.n_nodes, self.n_nodes))

    @cached_property
    def distances(self) -> np.ndarray:
        """Shortest path lengths between all nodes; infinite where there is no path."""
        return shortest_path_lengths(self.adjacency, self.directed)

    @cached_property
    def components(self) -> np.ndarray:
        """Number of the connected component of every node (weakly connected where directed)."""
        return connected_components(self.adjacency, directed=False)[1]

    def with_weights(self, weights: np.ndarray) -> WeightedGraph:
        """The same edges with other weights."""
        return WeightedGraph(
            self.n_nodes,
            self.edges,
            weights,
            directed=self.directed,
            node_weights=self.node_weights,
            nodes=self.nodes,
        )

    def _check_simple(self) -> None:
        tail, head = self.edges.T
        loops = np.flatnonzero(tail == head)
        if loops.size:
            raise InputError(
                f"graph: {loops.size} edges are loops, first at {self.nodes[tail[loops[0]]]!r}; an "
                "edge needs two ends: graph.remove_edges_from(list(nx.selfloop_edges(graph)))"
            )
        if not self.directed:
            tail, head = np.minimum(tail, head), np.maximum(tail, head)
        key = np.sort(tail * self.n_nodes + head)
        if np.any(key[1:] == key[:-1]):
            raise InputError("edges: an edge is given twice; give each once")


def edge_names(
    nodes: Sequence[Hashable], ends: NDArray[np.intp]
) -> list[tuple[Hashable, Hashable]]:
    """Edges by the names of their ends, in order."""
    tails, heads = ends.T.tolist()
    at = nodes.__getitem__
    return list(zip(map(at, tails), map(at, heads)))


def _read_edges(
    graph: nx.Graph,
) -> tuple[list[Hashable], NDArray[np.intp], NDArray[np.intp], Iterable[Mapping[str, object]]]:
    """Nodes; tails, heads and attributes of the edges, each once, in the order of the graph's."""
    nodes, near = list(graph), [at for _, at in graph.adjacency()]
    heads: list[Hashable] = list(chain.from_iterable(near))
    datas: Iterable[Mapping[str, object]] = chain.from_iterable(at.values() for at in near)
    place = dict(zip(nodes, range(len(nodes))))
    head = np.fromiter(map(place.__getitem__, heads), dtype=np.intp, count=len(heads))
    tail = np.repeat(np.arange(len(nodes)), [len(at) for at in near])
    if not graph.is_directed():
        # every edge is at both its ends: as networkx, take it where it is met first
        first = head >= tail
        head, tail, datas = head[first], tail[first], compress(datas, first.tolist())
    return nodes, tail, head, datas


def _read_sizes(graph: nx.Graph, nodes: list[Hashable], node_weight: str) -> np.ndarray | None:
    """Weights of the nodes, above zero; None where there are no nodes."""
    found = [graph.nodes[node].get(node_weight) for node in nodes]
    sizes = read_attribute("node_weight", node_weight, found, lambda: nodes)
    if sizes is not None and not np.all(sizes > 0):
        raise not_positive("node_weight", sizes, nodes)
    return sizes


@runtime_checkable
class Weighted(Protocol):
    """What has edges of more than one kind of weight, as an emergent geometry has."""

    def weighted_graph(self, weight: str = "length") -> WeightedGraph:
        """The edges with their lengths or their conductances, without directions."""


GraphLike: TypeAlias = nx.Graph | WeightedGraph | Weighted
"""What curvature is of."""


def as_weighted_graph(
    graph: GraphLike, weight: str | None = "weight", node_weight: str | None = None
) -> tuple[WeightedGraph, str | None]:
    """The graph as arrays, and which weight they hold.

    An emergent geometry has no attribute "weight", since raw weights are no geometry; its lengths
    take their place.
    """
    if isinstance(graph, WeightedGraph):
        return graph, weight
    if not isinstance(graph, Weighted):
        return WeightedGraph.from_networkx(graph, weight, node_weight), weight
    if node_weight is not None:
        raise InputError(
            "node_weight: an emergent geometry has no attributes of nodes; give its networkx "
            "graph, or a WeightedGraph with node_weights"
        )
    asked = "length" if weight == "weight" else weight
    chosen = check_choice("weight", asked, ("length", "conductance"))
    return graph.weighted_graph(chosen), chosen


def _check_edges(edges: ArrayLike, n_nodes: int) -> NDArray[np.intp]:
    array = np.asarray(edges)
    if array.size == 0:
        return np.empty((0, 2), dtype=np.intp)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise InputError(
            f"edges: expected whole numbers of shape (m, 2), got {array.dtype} of shape "
            f"{array.shape}"
        )
    if array.min() < 0 or array.max() >= n_nodes:
        raise InputError(
            f"edges: ends lie between {array.min()} and {array.max()}, but the nodes are numbered "
            f"0 to {n_nodes - 1}"
        )
    return array.astype(np.intp, copy=False)
