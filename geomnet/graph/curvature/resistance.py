"""Curvature of nodes and links from effective resistances."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ...errors import InputError, check_choice
from .weighted_graph import WeightedGraph, as_weighted_graph, is_geometry, keep_curvature

__all__ = ["ResistanceCurvature", "effective_resistances", "resistance_curvature"]


@dataclass(frozen=True)
class ResistanceCurvature:
    r"""Effective resistances of the edges, and the curvatures they give.

    Attributes
    ----------
    nodes : dict or ndarray
        :math:`p_i = 1 - \tfrac12\sum_jc_{ij}R_{ij}`; they sum to the number of connected
        components.
    edges : dict or ndarray
        :math:`\kappa_{ij} = 2(p_i + p_j)/R_{ij}`.
    resistances : dict or ndarray
        :math:`R_{ij}` of every edge.
    """

    nodes: Any
    edges: Any
    resistances: Any


def resistance_curvature(
    graph: Any, *, weight: str | None = "weight", kind: str | None = None
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
        Dicts by node and by edge; arrays for a `WeightedGraph` or a geometry, which keeps the last
        curvature of its edges as `curvatures["resistance"]`. An isolated node has curvature 1.

    Raises
    ------
    InputError
        For an unknown kind, loops, multigraphs, weights not above zero.

    Notes
    -----
    Units: p has none, κ is one over a resistance. Connected components do not see each other.
    One dense factorisation: n² numbers and n³/3 products for n nodes.

    References
    ----------
    Devriendt & Lambiotte (2022), J. Phys. Complex. 3, 025008. Foster (1949), Reissner Anniversary
    Volume, 333, for the theorem.

    Examples
    --------
    >>> import networkx as nx
    >>> from geomnet.graph.curvature import resistance_curvature
    >>> path = resistance_curvature(nx.path_graph(3))
    >>> {node: round(p, 12) for node, p in path.nodes.items()}
    {0: 0.5, 1: 0.0, 2: 0.5}
    >>> {edge: round(kappa, 12) for edge, kappa in path.edges.items()}
    {(0, 1): 1.0, (1, 2): 1.0}
    """
    if kind is not None:
        check_choice("kind", kind, ("length", "conductance"))
    if is_geometry(graph):
        weight, kind = _of_geometry(weight, kind)
    arrays, as_array = as_weighted_graph(graph, weight)
    conductance = arrays.weights if kind == "conductance" else 1 / arrays.weights
    resistance = effective_resistances(arrays, conductance)
    relative = conductance * resistance
    nodes = 1 - 0.5 * np.bincount(
        arrays.edges.ravel(), np.repeat(relative, 2), minlength=arrays.n_nodes
    )
    edges = 2 * nodes[arrays.edges].sum(axis=1) / resistance
    if as_array:
        keep_curvature(graph, "resistance", edges)
        return ResistanceCurvature(nodes, edges, resistance)
    names = arrays.edge_names
    at_nodes: dict[Hashable, float] = dict(zip(arrays.nodes, nodes.tolist()))
    return ResistanceCurvature(
        at_nodes, dict(zip(names, edges.tolist())), dict(zip(names, resistance.tolist()))
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


def effective_resistances(graph: WeightedGraph, conductances: np.ndarray) -> np.ndarray:
    """Effective resistance between the ends of every edge.

    Parameters
    ----------
    graph : WeightedGraph
    conductances : ndarray, shape (m,)
        Of the edges.

    Returns
    -------
    ndarray, shape (m,)
    """
    resistance = np.empty(len(graph.edges))
    place = np.empty(graph.n_nodes, dtype=np.intp)
    of_edge = graph.components[graph.edges[:, 0]]
    for own in _groups(of_edge):
        nodes = np.unique(graph.edges[own])
        place[nodes] = np.arange(len(nodes))
        u, v = place[graph.edges[own]].T
        laplacian = np.zeros((len(nodes), len(nodes)))
        np.subtract.at(laplacian, (u, v), conductances[own])
        laplacian += laplacian.T
        np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
        # with the last node grounded the matrix is positive definite, R = g_uu + g_vv − 2 g_uv
        potentials = np.zeros_like(laplacian)
        grounded = cho_factor(laplacian[:-1, :-1], lower=True, check_finite=False)
        potentials[:-1, :-1] = cho_solve(grounded, np.eye(len(nodes) - 1), check_finite=False)
        at = np.diag(potentials)
        resistance[own] = at[u] + at[v] - potentials[u, v] - potentials[v, u]
    return resistance


def _groups(labels: np.ndarray) -> list[np.ndarray]:
    """Places of every label that occurs."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if labels.size else []
