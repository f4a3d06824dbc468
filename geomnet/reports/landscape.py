"""The landscape: nodes of a network where their emergent distances put them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression
from scipy.sparse import csr_array

from ..errors import check_integer
from ..graph import EmergentGeometry
from ..graph.relations import Relation, relation_or_default
from .emergent_marks import (
    LARGEST,
    check_geometry,
    layer_ticks,
    put_nodes,
    put_scale,
    title_of,
    view,
)
from .node_colours import node_colours
from .places import places_of

__all__ = ["draw_landscape", "put_landscape", "strongest"]

MOST_NUMBERS, NUMBER_HEIGHT = 16, 0.035
"""How many outputs are numbered; height of a number, relative to what all nodes take."""
BOW = 0.06
"""How far edges that pass over layers are bowed, relative to what all nodes take."""
MANY = 500
"""Lines that can all be dark."""
BINS, STEP, WIDTH = 64, 3.6, 0.6
"""Nodes of a layer in the same of so many heights are set side by side, so many points apart, but
within this share of the way from layer to layer."""


def draw_landscape(
    geometry: EmergentGeometry,
    colour: Any = "flow",
    relation: Relation | None = None,
    *,
    edges: int = 2,
) -> Figure:
    r"""Draw nodes by layer, at heights whose differences stand for emergent distances.

    Heights are one direction of a classical scaling of all distances, that along which nodes of a
    layer lie farthest apart; all layers share it. One direction is not the whole geometry: the
    title says how well drawn distances follow the true ones. Areas are proportional to flow, and
    lines are the edges of largest conductance, their width and darkness proportional to it. Few
    outputs have their numbers beside them.

    Parameters
    ----------
    geometry : EmergentGeometry
    colour : str or array_like, shape (N,)
        "flow", "fisher", "planck_length", "horizon", "time", "capacity" (what a node holds of it),
        the name of a curvature in ``geometry.curvatures`` (mean over a node's edges), or values.
    relation : Relation, optional
        Of the distances; the default relation's if not given. Parts at infinite distance are drawn
        above each other.
    edges : int
        How many edges into and out of every node are drawn, the strongest.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Raises
    ------
    InputError
        Where the colour is unknown, or has not one value for each node.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.reports import draw_landscape
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> figure = draw_landscape(geometry, colour="planck_length")
    >>> len(figure.axes[0].collections[-1].get_offsets())
    23
    """
    check_geometry(geometry)
    columns = len(geometry.names)
    figure = Figure(
        figsize=(float(np.clip(2.4 + 1.5 * columns, 6.4, 12)), 4.8), layout="constrained"
    )
    put_landscape(figure, figure.subplots(), geometry, colour, relation, edges)
    return figure


def put_landscape(
    figure: Any,
    axis: Any,
    geometry: EmergentGeometry,
    colour: Any,
    relation: Relation | None,
    edges: int = 2,
) -> None:
    """Draw the landscape on an axis."""
    edges = check_integer("edges", edges, least=0)
    colours = node_colours(geometry, colour)
    distances = relation_or_default(relation).distances(geometry)
    places = places_of(distances, geometry.layer, geometry.flow, 1)
    columns = len(geometry.names)
    y = places.coordinates[:, 0]
    ends = view(y, geometry.flow)
    tall = ends[1] - ends[0] or 1.0
    step = STEP * columns / (58 * figure.get_figwidth())
    height = np.floor(BINS * (y - ends[0]) / tall)
    x = geometry.layer + _side_by_side(height, geometry.layer, geometry.flow, step)
    _put_edges(axis, geometry, x, y, edges, ends)
    put_nodes(axis, geometry, colours, x, y, np.arange(geometry.n_nodes), _room(geometry))
    _number_outputs(axis, geometry, x, y, tall)
    layer_ticks(axis, geometry.names, figure.get_figwidth() - 1.5)
    axis.set_xlabel("layer   (areas: flow; lines: strongest conductances)", fontsize=9)
    axis.set_ylabel("emergent distance")
    room = max(0.06 * columns, 0.05 + np.abs(x - geometry.layer).max())
    axis.set_xlim(-room, columns - 1 + 1.6 * room)
    axis.set_ylim(ends[0] - 0.06 * tall, ends[1] + 0.06 * tall)
    axis.spines[["top", "right"]].set_visible(False)
    put_scale(figure, [axis], colours)
    beyond = (y < ends[0]) | (y > ends[1])
    axis.set_title(title_of(places, relation, geometry.flow, beyond), fontsize=10)


def _number_outputs(
    axis: Any, geometry: EmergentGeometry, x: np.ndarray, y: np.ndarray, tall: float
) -> None:
    """Numbers of the outputs beside them, where they are few; close ones make room."""
    nodes = geometry.in_layer(len(geometry.names) - 1)
    if not 1 < len(nodes) <= MOST_NUMBERS:
        return
    nodes = nodes[np.argsort(y[nodes], kind="stable")]
    # the nearest heights in least squares that are a line apart
    up = NUMBER_HEIGHT * tall * np.arange(len(nodes))
    heights = isotonic_regression(y[nodes] - up).x + up
    for node, height in zip(nodes.tolist(), heights.tolist()):
        axis.annotate(
            str(geometry.unit[node]),
            (x[nodes].max(), height),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="#555555",
        )


def _side_by_side(
    height: np.ndarray, layer: np.ndarray, flow: np.ndarray, step: float
) -> np.ndarray:
    """Steps aside for nodes of a layer at nearly one height, the most flow in the middle."""
    aside = np.zeros(len(height))
    groups = [
        np.flatnonzero((layer == number) & (height == h))
        for number in np.unique(layer)
        for h in np.unique(height[layer == number])
    ]
    step = min(step, WIDTH / max(map(len, groups)))
    for nodes in groups:
        nodes = nodes[np.argsort(-flow[nodes], kind="stable")]
        turn = np.arange(len(nodes))
        aside[nodes] = step * ((turn + 1) // 2) * np.where(turn % 2, 1, -1)
    return aside


def _room(geometry: EmergentGeometry) -> float:
    """Largest area, smaller where columns are crowded."""
    crowd = np.bincount(geometry.layer).max()
    return LARGEST * float(np.clip(32 / crowd, 0.2, 1.0))


def _put_edges(
    axis: Any,
    geometry: EmergentGeometry,
    x: np.ndarray,
    y: np.ndarray,
    most: int,
    ends: tuple[float, float],
) -> None:
    """The strongest edges of every node; those that pass over layers are bowed."""
    source, target, strength = strongest(geometry.conductance, most)
    if not len(source):
        return
    order = np.argsort(strength)  # the strongest on top
    source, target = source[order], target[order]
    share = strength[order] / strength.max()
    run = np.linspace(0, 1, 15)[:, None]
    over = geometry.layer[target] - geometry.layer[source] > 1
    outwards = np.where(y[source] + y[target] < sum(ends), -1, 1)
    bow = np.where(over, BOW * (ends[1] - ends[0]) * outwards, 0.0)
    lines_x = x[source] + run * (x[target] - x[source])
    lines_y = y[source] + run * (y[target] - y[source]) + 4 * run * (1 - run) * bow
    colours = np.zeros((len(share), 4))
    colours[:, :3] = 0.35
    colours[:, 3] = (0.1 + 0.7 * share) * min(1.0, np.sqrt(MANY / len(share)))
    axis.add_collection(
        LineCollection(
            list(np.stack([lines_x.T, lines_y.T], axis=2)),
            colors=colours,
            linewidths=0.4 + 2.2 * share,
            zorder=1,
        )
    )


def strongest(conductance: csr_array, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges that are among the `most` strongest into or out of one of their ends.

    Returns
    -------
    source, target, strength : ndarray
        Edges without conductance are not among them.
    """
    edges = conductance.tocoo()
    kept = edges.data > 0
    source, target, strength = edges.row[kept], edges.col[kept], edges.data[kept]
    chosen = np.zeros(len(source), dtype=bool)
    for ends in (source, target):
        order = np.lexsort((-strength, ends))
        start = np.searchsorted(ends[order], ends[order])
        chosen[order[np.arange(len(order)) - start < most]] = True
    return source[chosen], target[chosen], strength[chosen]
