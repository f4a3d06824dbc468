"""Curvature of nodes and links from effective resistances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..utils.validation import check_choice
from .effective_conductance import effective_conductances
from .result import Curvature, EdgeValues, NodeValues
from .weighted_graph import GraphLike, Weighted, WeightedGraph, as_weighted_graph

__all__ = ["ResistanceCurvature", "resistance_curvature"]

FOSTER = 1e-8
"""Largest error of Foster's sum, as a share of it, that passes for rounding."""


@dataclass(frozen=True)
class ResistanceCurvature:
    r"""Effective resistances of the edges, and the curvatures they give.

    Attributes
    ----------
    nodes : NodeValues
        :math:`p_i = 1 - \tfrac12\sum_jc_{ij}R_{ij}`; they sum to the number of connected
        components.
    edges : Curvature
        :math:`\kappa_{ij} = 2(p_i + p_j)/R_{ij}`.
    resistances : EdgeValues
        :math:`R_{ij}` of every edge.
    """

    nodes: NodeValues
    edges: Curvature
    resistances: EdgeValues


def resistance_curvature(
    graph: GraphLike, *, weight: str | None = "weight", kind: str | None = None
) -> ResistanceCurvature:
    r"""Resistance curvature of every node and every edge.

    The edges are resistors. With conductances :math:`c_{ij}` and effective resistances
    :math:`R_{ij}`, a node has the curvature :math:`p_i = 1 - \tfrac12\sum_jc_{ij}R_{ij}` and an
    edge :math:`\kappa_{ij} = 2(p_i + p_j)/R_{ij}`. Here :math:`c_{ij}R_{ij}` is the share of
    spanning trees, weighed by their conductances, that use the edge, so that by Foster's theorem
    :math:`\sum c_{ij}R_{ij}` is the number of nodes less that of connected components.

    Parameters
    ----------
    graph : networkx.Graph, networkx.DiGraph, WeightedGraph or EmergentGeometry
        Resistors have no direction: where the graph has, edges both ways lie in parallel.
    weight : str or None, default "weight"
        The edge attribute; see `WeightedGraph.from_networkx`.
    kind : {"length", "conductance"}, optional
        What the attribute is. A length is a resistance, so that the conductance is one over it:
        the default, as everywhere in this module. "conductance" takes it as it stands, for weights
        that say how strong an edge is. A geometry has both, and its conductances are the default;
        `kind="length"` takes its lengths.

    Returns
    -------
    ResistanceCurvature
        The curvature of the edges is called "resistance", of lengths that were asked for
        "resistance_length". An isolated node has curvature 1.

    Raises
    ------
    InputError
        For an unknown kind, loops, multigraphs, weights not above zero, and weights that span so
        many decades (some 290) that Foster's sum is not met.

    Notes
    -----
    Units: p has none, κ is one over a resistance. Connected components do not see each other.
    Nodes are eliminated without a subtraction, so that resistances keep their digits where
    clusters are tight, as a Ricci flow leaves them: n² numbers and some 3n³ products for n nodes.

    References
    ----------
    Devriendt & Lambiotte (2022), J. Phys. Complex. 3, 025008. Foster (1949), Reissner Anniversary
    Volume, 333, for the theorem. Grassmann, Taksar & Heyman (1985), Oper. Res. 33, 1107, for
    elimination without subtraction.

    Examples
    --------
    >>> import networkx as nx
    >>> from geomnet.curvature import resistance_curvature
    >>> path = resistance_curvature(nx.path_graph(3))
    >>> {node: round(p, 12) for node, p in path.nodes.items()}
    {0: 0.5, 1: 0.0, 2: 0.5}
    >>> {edge: round(kappa, 12) for edge, kappa in path.edges.items()}
    {(0, 1): 1.0, (1, 2): 1.0}
    """
    if kind is not None:
        check_choice("kind", kind, ("length", "conductance"))
    if isinstance(graph, Weighted):
        weight, kind = _of_geometry(weight, kind)
    arrays, weight = as_weighted_graph(graph, weight)
    weights = arrays.weights
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # of lengths as parts of the longest one over them is no overflow
        conductance = weights if kind == "conductance" else weights.max(initial=0.0) / weights
        relative = relative_resistances(arrays, conductance)
    _check_foster(arrays, relative)
    resistance = relative / weights if kind == "conductance" else relative * weights
    used = np.bincount(arrays.edges.ravel(), np.repeat(relative, 2), minlength=arrays.n_nodes)
    nodes = np.asarray(1 - 0.5 * used, dtype=np.float64)
    edges = 2 * nodes[arrays.edges].sum(axis=1) / resistance
    name = "resistance_length" if kind == "length" else "resistance"
    return ResistanceCurvature(
        NodeValues(nodes, arrays.nodes),
        Curvature(edges, arrays.edges, arrays.nodes, name, weight),
        EdgeValues(resistance, arrays.edges, arrays.nodes),
    )


def _of_geometry(weight: str | None, kind: str | None) -> tuple[str | None, str | None]:
    """Weights of a geometry, whose names say what they are."""
    weight = (kind or "conductance") if weight == "weight" else weight
    if kind is not None and kind != weight:
        raise InputError(
            f"kind: the {weight} of an emergent geometry is no {kind}; leave one of weight and "
            "kind out"
        )
    return weight, weight


def relative_resistances(
    graph: WeightedGraph, conductances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Effective resistance of every edge times its conductance, at most 1, shape (m,)."""
    relative = np.empty(len(graph.edges))
    place = np.empty(graph.n_nodes, dtype=np.intp)
    of_edge = graph.components[graph.edges[:, 0]]
    for own in _groups(of_edge):
        nodes = np.unique(graph.edges[own])
        place[nodes] = np.arange(len(nodes))
        u, v = place[graph.edges[own]].T
        network = np.zeros((len(nodes), len(nodes)))
        np.add.at(network, (u, v), conductances[own])
        network += network.T
        relative[own] = conductances[own] / effective_conductances(network)[u, v]
    return relative


def _check_foster(graph: WeightedGraph, relative: np.ndarray) -> None:
    """Raise where the relative resistances do not sum to what Foster's theorem says."""
    expected = graph.n_nodes - len(np.unique(graph.components))
    if not abs(relative.sum() - expected) <= FOSTER * max(expected, 1):
        decades = np.ptp(np.log10(graph.weights))
        raise InputError(
            f"weights: relative resistances sum to {relative.sum():.12g}, by Foster's theorem to "
            f"{expected}: weights that span {decades:.0f} decades are beyond floating point; "
            "merge the ends of the shortest edges, or drop the longest"
        )


def _groups(labels: np.ndarray) -> list[np.ndarray]:
    """Places of every label that occurs."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if labels.size else []
