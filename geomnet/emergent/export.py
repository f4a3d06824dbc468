"""The geometry as a graph: of networkx, as arrays, and in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import networkx as nx
import numpy as np

from ..curvature import WeightedGraph
from ..errors import InputError
from ..utils.files import write_whole
from ..utils.validation import check_choice
from .capacity import horizon, planck_length
from .relations import Relation, checked_lengths, relation_or_default

if TYPE_CHECKING:
    from .geometry import EmergentGeometry

__all__ = ["to_networkx", "to_weighted_graph", "write_graph"]


def to_networkx(geometry: EmergentGeometry, relation: Relation | None = None) -> nx.DiGraph:
    """The geometry as a directed graph, from inputs to outputs.

    Node attributes are ``layer``, ``unit``, ``fisher`` (the diagonal of the gate Fisher matrix),
    ``flow``, ``time`` (of the layer), ``planck_length`` and ``horizon``; edge attributes
    ``weight``, ``fisher``, ``conductance`` and ``length``, that of the relation between its ends,
    and the curvatures computed so far by their names, as ``ollivier`` or ``forman``.

    Parameters
    ----------
    geometry : EmergentGeometry
    relation : Relation, optional
        Of the lengths; ``CausalLength()`` by default.

    Returns
    -------
    networkx.DiGraph
        Its nodes are numbers, as the geometry's arrays have them.
    """
    # networkx gives these defaults to what it reads from GraphML: with them it reads back equal
    graph = nx.DiGraph(n=geometry.n, node_default={}, edge_default={})
    columns = {
        "layer": geometry.layer,
        "unit": geometry.unit,
        "fisher": np.diag(geometry.gate_fisher),
        "flow": geometry.flow,
        "time": geometry.time[geometry.layer],
        "planck_length": planck_length(geometry),
        "horizon": horizon(geometry),
    }
    rows = zip(*(values.tolist() for values in columns.values()))
    graph.add_nodes_from((i, dict(zip(columns, row))) for i, row in enumerate(rows))
    lengths = checked_lengths(relation, geometry)
    source, target = geometry.edges.T
    attributes = {
        "weight": geometry.weight.data,
        "fisher": geometry.edge_fisher.data,
        "conductance": geometry.conductance.data,
        "length": lengths[source, target],
    }
    for name, values in geometry.curvatures.items():
        if name in attributes or np.shape(values) != source.shape:
            raise InputError(
                f"curvatures: {name!r} must be one number for each of {len(source)} edges, by a "
                f"name other than {', '.join(attributes)}"
            )
        attributes[name] = np.asarray(values)
    rows = zip(*(column.tolist() for column in attributes.values()))
    graph.add_edges_from(
        (i, j, dict(zip(attributes, row)))
        for i, j, row in zip(source.tolist(), target.tolist(), rows)
    )
    return graph


def to_weighted_graph(
    geometry: EmergentGeometry, weight: str = "length", relation: Relation | None = None
) -> WeightedGraph:
    """The edges as arrays, without directions, as :meth:`EmergentGeometry.weighted_graph` says."""
    check_choice("weight", weight, ("length", "conductance"))
    if weight == "conductance":
        return WeightedGraph(geometry.n_nodes, geometry.edges, geometry.conductance.data)
    relation = relation_or_default(relation)
    lengths = checked_lengths(relation, geometry)[tuple(geometry.edges.T)]
    if (none := np.flatnonzero(lengths == 0)).size:
        ends = tuple(geometry.edges[none[0]].tolist())
        raise InputError(
            f"geometry: {none.size} of {len(lengths)} edges have no length, first {ends}, as for "
            f"{relation} their ends are copies; curvature needs lengths, so take another relation "
            "or weight='conductance'"
        )
    return WeightedGraph(geometry.n_nodes, geometry.edges, lengths)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, for JSON."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"graph: JSON has no {type(value).__name__}")


def write_graph(graph: Any, path: Any, form: str | None = None) -> None:
    """Write a graph as GraphML or JSON (node-link), whole or not at all.

    ``networkx.read_graphml(path, node_type=int)`` and
    ``networkx.node_link_graph(json.load(file), edges="edges")`` read it back equal. The time of a
    dead layer is −∞, which JSON has no number for: it stands there as ``-Infinity``, which Python
    reads and strict parsers do not.

    Parameters
    ----------
    graph : networkx.Graph or EmergentGeometry
        A geometry as its ``to_networkx()`` has it.
    path : path-like
    form : {"graphml", "json"}, optional
        By the path's ending if not given.
    """
    if hasattr(graph, "to_networkx"):
        graph = graph.to_networkx()
    if not isinstance(graph, nx.Graph):
        raise InputError(
            f"graph: expected a networkx graph or an EmergentGeometry, got {type(graph).__name__}"
        )
    path = Path(path)
    form = check_choice("form", form or path.suffix.lstrip(".").lower(), ("graphml", "json"))
    if form == "json":
        text = json.dumps(nx.node_link_data(graph, edges="edges"), default=_plain)
    else:
        text = "\n".join(nx.generate_graphml(graph))

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    write_whole(path, write)
