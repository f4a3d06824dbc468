"""Maps of the layers: where two coordinates put the nodes of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..errors import InputError, check_integer
from ..graph import EmergentGeometry
from ..graph.relations import Relation, relation_or_default
from .emergent_marks import LARGEST, check_geometry, put_nodes, put_scale, title_of, view
from .node_colours import node_colours
from .places import places_of

__all__ = ["draw_layers"]


def draw_layers(
    geometry: EmergentGeometry,
    colour: Any = "flow",
    relation: Relation | None = None,
    *,
    nearest: int = 2,
    layers: Any = None,
) -> Figure:
    """Draw every layer as a map, in two coordinates that all layers share.

    As :func:`draw_landscape`, with the two directions along which nodes of a layer lie farthest
    apart, both in one unit; a line joins a node to those nearest to it in its layer, by the true
    distance.

    Parameters
    ----------
    geometry, colour, relation
        As :func:`draw_landscape` takes them.
    nearest : int
        How many of its nearest nodes every node is joined to; 0 for no lines.
    layers : sequence of int, optional
        Which to draw; all of them by default.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.reports import draw_layers
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> [axis.get_title() for axis in draw_layers(geometry, layers=[1, 2]).axes][:2]
    ['layer 1', 'layer 2']
    """
    check_geometry(geometry)
    nearest = check_integer("nearest", nearest, least=0)
    shown = _shown(geometry, layers)
    colours = node_colours(geometry, colour)
    distances = relation_or_default(relation).distances(geometry)
    places = places_of(distances, geometry.layer, geometry.flow, 2)
    columns = min(len(shown), 6)
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(max(2.3 * columns, 4.6) + 0.9, 2.5 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axis in grid.flat[len(shown) :]:
        axis.remove()
    axes = list(grid.flat[: len(shown)])
    x, y = places.coordinates.T[::-1]
    ends = [view(line, geometry.flow) for line in (x, y)]
    half = 0.54 * max(high - low for low, high in ends) or 0.5
    for (low, high), set_limits in zip(ends, (axes[0].set_xlim, axes[0].set_ylim)):
        set_limits((low + high) / 2 - half, (low + high) / 2 + half)
    beyond = np.any([abs(v - sum(e) / 2) > half for v, e in zip((x, y), ends)], axis=0)
    beyond &= np.isin(geometry.layer, shown)
    for axis, number in zip(axes, shown):
        nodes = geometry.in_layer(number)
        pairs = _nearest(distances[np.ix_(nodes, nodes)], nearest)
        ends = np.stack([x[nodes], y[nodes]], axis=1)[pairs]
        axis.add_collection(LineCollection(ends, colors="#bbbbbb", linewidths=0.8, zorder=1))
        put_nodes(axis, geometry, colours, x, y, nodes, LARGEST)
        axis.set_title(geometry.names[number], fontsize=11)
        axis.set_aspect("equal")
        axis.spines[["top", "right"]].set_visible(False)
    put_scale(figure, axes, colours, 28 * rows)
    figure.supxlabel("emergent distance, second direction", fontsize=10)
    figure.supylabel("first direction", fontsize=10)
    figure.suptitle(title_of(places, relation, geometry.flow, beyond), fontsize=10)
    return figure


def _nearest(distances: np.ndarray, most: int) -> np.ndarray:
    """Pairs of nodes one of which is among the nearest of the other, (pairs, 2)."""
    away = distances.copy()
    np.fill_diagonal(away, np.inf)
    near = np.argsort(away, axis=1, kind="stable")[:, : min(most, len(away) - 1)]
    pairs = np.stack([np.repeat(np.arange(len(away)), near.shape[1]), near.ravel()], axis=1)
    return pairs[np.isfinite(away[pairs[:, 0], pairs[:, 1]])]


def _shown(geometry: EmergentGeometry, layers: Any) -> list[int]:
    count = len(geometry.names)
    if layers is None:
        return list(range(count))
    shown = [check_integer("layers", number, least=0) for number in layers]
    if not shown or max(shown) >= count:
        raise InputError(f"layers: expected some of 0 to {count - 1}, got {list(layers)!r}")
    return shown
