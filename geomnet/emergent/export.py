"""The geometry as a graph of networkx, and in files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import networkx as nx
import numpy as np

from ..curvature import Curvature
from ..errors import InputError
from ..utils.files import write_whole
from ..utils.validation import check_choice
from .capacity import horizon, planck_length
from .geometry import EmergentGeometry
from .relations import Relation, checked_lengths

__all__ = ["edge_values", "to_networkx", "write_graph"]


def to_networkx(
    geometry: EmergentGeometry,
    relation: Relation | None = None,
    curvatures: Iterable[Curvature] = (),
) -> nx.DiGraph:
    """The geometry as a directed graph, from inputs to outputs.

    Node attributes are ``layer``, ``unit``, ``fisher`` (the diagonal of the gate Fisher matrix),
    ``flow``, ``time`` (of the layer), ``planck_length`` and ``horizon``; edge attributes
    ``weight``, ``fisher``, ``conductance`` and ``length``, that of the relation between its ends,
    and the curvatures given by their names, as ``ollivier`` or ``forman``.

    Parameters
    ----------
    geometry : EmergentGeometry
    relation : Relation, optional
        Of the lengths; ``CausalLength()`` by default.
    curvatures : iterable of Curvature
        Of the geometry, as ``gn.ollivier(geometry)`` returns them.

    Returns
    -------
    networkx.DiGraph
        Its nodes are numbers, as the geometry's arrays have them.

    Raises
    ------
    InputError
        For a curvature of other edges, and for one whose name an attribute has.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> graph = gn.emergent.to_networkx(geometry, curvatures=[gn.forman(geometry)])
    >>> sorted(graph.edges[0, 4])
    ['conductance', 'fisher', 'forman', 'length', 'weight']
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
    for curvature in curvatures:
        values = edge_values(geometry, curvature, taken=tuple(attributes))
        attributes[curvature.name] = values
    rows = zip(*(column.tolist() for column in attributes.values()))
    graph.add_edges_from(
        (i, j, dict(zip(attributes, row)))
        for i, j, row in zip(source.tolist(), target.tolist(), rows)
    )
    return graph


def edge_values(
    geometry: EmergentGeometry, curvature: Curvature, taken: tuple[str, ...] = ()
) -> np.ndarray:
    """A curvature as an array, (E,), or an error: where it is of other edges, or its name taken."""
    if not isinstance(curvature, Curvature):
        raise InputError(
            "curvatures: expected what gn.ollivier(geometry) and its like return, got "
            f"{type(curvature).__name__}"
        )
    if curvature.name in taken or not np.array_equal(curvature.ends, geometry.edges):
        other = f", by a name other than {', '.join(taken)}" if taken else ""
        raise InputError(
            f"curvatures: {curvature.name!r} must be one number for each of {len(geometry.edges)} "
            f"edges of the geometry{other}"
        )
    return curvature.array


def _plain(value: object) -> object:
    """NumPy's numbers as Python's, for JSON."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"graph: JSON has no {type(value).__name__}")


def write_graph(
    graph: nx.Graph | EmergentGeometry, path: str | PathLike[str], form: str | None = None
) -> None:
    """Write a graph as GraphML or JSON (node-link), whole or not at all.

    ``networkx.read_graphml(path, node_type=int)`` and
    ``networkx.node_link_graph(json.load(file), edges="edges")`` read it back equal. The time of a
    dead layer is −∞, which JSON has no number for: it stands there as ``-Infinity``, which Python
    reads and strict parsers do not.

    Parameters
    ----------
    graph : networkx.Graph or EmergentGeometry
        A geometry as :func:`to_networkx` has it.
    path : path-like
    form : {"graphml", "json"}, optional
        By the path's ending if not given.
    """
    if isinstance(graph, EmergentGeometry):
        graph = to_networkx(graph)
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
