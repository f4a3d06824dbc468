"""The landscape: nodes of a network where their emergent distances put them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.sparse import csr_array

from ..emergent import EmergentGeometry, Relation
from ..emergent.relations import relation_or_default
from ..utils.validation import check_integer
from .artists import (
    LARGEST,
    check_geometry,
    layer_ticks,
    put_beyond,
    put_nodes,
    put_scale,
    title_of,
    view,
)
from .mds import places_of
from .node_colours import Colour, node_colours
from .node_names import Labels, names_of, put_names, width_of

__all__ = ["plot_landscape", "put_landscape", "strongest"]

EDGES, MOST_EDGES = 2, 120
"""How many edges into and out of every node are drawn unless asked for otherwise, and how many
between two layers: more are a grey cloud."""
BOW = 0.06
"""How far edges that pass over layers are bowed, relative to what all nodes take."""
MANY = 40
"""Lines between two layers that can all be dark and thick."""
BINS, STEP, WIDTH = 64, 4.4, 0.6
"""Nodes of a layer in the same of so many heights are set side by side, so many points apart, but
within this share of the way from layer to layer."""


def plot_landscape(
    geometry: EmergentGeometry,
    colour: Colour = "flow",
    relation: Relation | None = None,
    *,
    edges: int | None = None,
    labels: Labels | None = None,
) -> Figure:
    r"""Draw nodes by layer, at heights whose differences stand for emergent distances.

    Heights are one direction of a classical scaling of all distances, that along which nodes of a
    layer lie farthest apart; all layers share it. One direction is not the whole geometry: the
    title says how well drawn distances follow the true ones. Areas are proportional to flow, but
    for dots that would be too small to see. Lines are the edges of largest conductance, their
    width and darkness proportional to it. Few outputs have their numbers beside them. Nodes of
    little flow that are far outside are triangles at the edge, and the title counts them.

    Parameters
    ----------
    geometry : EmergentGeometry
    colour : str, Curvature, or array_like of shape (N,)
        "flow", "fisher", "planck_length", "horizon", "time", "capacity" (what a node holds of it),
        a curvature of the edges (mean over a node's), as ``gn.ollivier(geometry)``, or values.
        Values far out (three interquartile ranges beyond a quartile) have the colour of their end.
    relation : Relation, optional
        Of the distances; the default relation's if not given. Parts at infinite distance are drawn
        above each other.
    edges : int, optional
        How many edges into and out of every node are drawn, the strongest; by default 2, but of
        them no more than 120 between two layers.
    labels : sequence of str, or dict of int to sequence of str, optional
        Names of the outputs, or of the units of layers by the layer's number (0 the inputs, −1 the
        outputs), one for every unit. Of more than 28 nodes those with the most flow are named.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Raises
    ------
    InputError
        Where the colour is unknown, or has not one value for each node; where there is not one
        name for each unit.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_landscape
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> figure = plot_landscape(geometry, colour="planck_length")
    >>> len(figure.axes[0].collections[-1].get_offsets())
    23
    """
    check_geometry(geometry)
    columns = len(geometry.names)
    figure = Figure(
        figsize=(float(np.clip(2.4 + 1.5 * columns, 6.4, 12)), 4.8), layout="constrained"
    )
    put_landscape(figure, figure.subplots(), geometry, colour, relation, edges, labels)
    return figure


def put_landscape(
    figure: Figure,
    axis: Axes,
    geometry: EmergentGeometry,
    colour: Colour,
    relation: Relation | None,
    edges: int | None = None,
    labels: Labels | None = None,
) -> None:
    """Draw the landscape on an axis."""
    if edges is not None:
        edges = check_integer("edges", edges, least=0)
    named = names_of(geometry, labels)
    colours = node_colours(geometry, colour)
    distances = relation_or_default(relation).distances(geometry)
    places = places_of(distances, geometry.layer, geometry.flow, 1)
    columns = len(geometry.names)
    y = places.coordinates[:, 0]
    ends = view(y, geometry.flow)
    tall = ends[1] - ends[0] or 1.0
    point = columns / (58 * figure.get_figwidth())
    height = np.floor(BINS * (y - ends[0]) / tall)
    x = geometry.layer + _side_by_side(height, geometry.layer, geometry.flow, STEP * point)
    words = _put_edges(axis, geometry, x, y, edges, ends)
    put_nodes(axis, geometry, colours, x, y, np.arange(geometry.n_nodes), _room(geometry))
    put_names(axis, geometry, named, x, y, ends, point)
    layer_ticks(axis, geometry.names, figure.get_figwidth() - 1.5)
    axis.set_xlabel(f"layer   (areas: flow{words})", fontsize=9)
    axis.set_ylabel("emergent distance")
    room = max(0.06 * columns, 0.05 + np.abs(x - geometry.layer).max())
    left, right = (point * width_of(named.get(number, [])) for number in (0, columns - 1))
    axis.set_xlim(-room - left * (0 in named), columns - 1 + room + right)
    axis.set_ylim(ends[0] - 0.06 * tall, ends[1] + 0.06 * tall)
    axis.spines[["top", "right"]].set_visible(False)
    put_scale(figure, [axis], colours)
    beyond = (y < ends[0]) | (y > ends[1])
    put_beyond(axis, colours, x, y, np.flatnonzero(beyond))
    axis.set_title(title_of(places, relation, geometry.flow, beyond), fontsize=10)


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
    axis: Axes,
    geometry: EmergentGeometry,
    x: np.ndarray,
    y: np.ndarray,
    most: int | None,
    ends: tuple[float, float],
) -> str:
    """The strongest edges of every node; those that pass over layers are bowed.

    Returns
    -------
    str
        What the lines are, in words that follow others.
    """
    source, target, strength = strongest(geometry.conductance, EDGES if most is None else most)
    if not len(source):
        return ""
    order = np.argsort(strength)  # the strongest on top
    source, target, strength = source[order], target[order], strength[order]
    words = "; lines: strongest conductances"
    pairs, pair = np.unique(geometry.layer[[source, target]], axis=1, return_inverse=True)
    if most is None:
        kept = _last_of_each(pair.reshape(-1), MOST_EDGES)
        if len(kept) < len(source):
            words += f", at most {MOST_EDGES} between two layers"
        source, target, strength = source[kept], target[kept], strength[kept]
    share = strength / strength.max()
    faint = min(1.0, np.sqrt(MANY * pairs.shape[1] / len(share)))
    run = np.linspace(0, 1, 15)[:, None]
    over = geometry.layer[target] - geometry.layer[source] > 1
    outwards = np.where(y[source] + y[target] < sum(ends), -1, 1)
    bow = np.where(over, BOW * (ends[1] - ends[0]) * outwards, 0.0)
    lines_x = x[source] + run * (x[target] - x[source])
    lines_y = y[source] + run * (y[target] - y[source]) + 4 * run * (1 - run) * bow
    colours = np.zeros((len(share), 4))
    colours[:, :3] = 0.35
    colours[:, 3] = (0.1 + 0.7 * share) * faint
    axis.add_collection(
        LineCollection(
            list(np.stack([lines_x.T, lines_y.T], axis=2)),
            colors=colours,
            linewidths=0.4 + 2.2 * share * faint,
            zorder=1,
        )
    )
    return words


def _last_of_each(group: np.ndarray, most: int) -> np.ndarray:
    """Places of the last so many of every group, in order."""
    kept = [np.flatnonzero(group == number)[-most:] for number in np.unique(group)]
    return np.sort(np.concatenate(kept))


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
