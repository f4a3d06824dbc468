"""Maps of the layers: where two coordinates put the nodes of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..emergent import EmergentGeometry, Relation
from ..emergent.relations import relation_or_default
from ..errors import InputError
from ..utils.validation import check_integer
from .artists import (
    LARGEST,
    check_geometry,
    put_beyond,
    put_nodes,
    put_scale,
    title_of,
    view,
)
from .mds import places_of
from .node_colours import Colour, node_colours

__all__ = ["plot_layers"]

MOST_COLUMNS, MARGIN = 6, 1.16
SPECK, SPECKS = 1 / 6, 0.25
"""Part of a shared map across which a layer is a speck, and share of layers that may be."""


def plot_layers(
    geometry: EmergentGeometry,
    colour: Colour = "flow",
    relation: Relation | None = None,
    *,
    nearest: int = 2,
    layers: Sequence[int] | None = None,
    shared: bool | None = None,
) -> Figure:
    """Draw every layer as a map, in two coordinates that all layers share.

    As :func:`plot_landscape`, with the two directions along which nodes of a layer lie farthest
    apart, both in one unit; a line joins a node to those nearest to it in its layer, by the true
    distance.

    Parameters
    ----------
    geometry, colour, relation
        As :func:`plot_landscape` takes them.
    nearest : int
        How many of its nearest nodes every node is joined to; 0 for no lines.
    layers : sequence of int, optional
        Which to draw; all of them by default.
    shared : bool, optional
        Whether all maps show the same stretch of both coordinates, so that layers can be compared
        in place and size. If not, each shows its own, in its own scale, and the title says so. By
        default they do unless a quarter of the layers would be specks, less than a sixth of the
        map across.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_layers
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> [axis.get_title() for axis in plot_layers(geometry, layers=[1, 2]).axes][:2]
    ['layer 1', 'layer 2']
    """
    check_geometry(geometry)
    nearest = check_integer("nearest", nearest, least=0)
    shown = _shown(geometry, layers)
    if shared not in (None, True, False):
        raise InputError(f"shared: expected True, False or None, got {shared!r}")
    colours = node_colours(geometry, colour)
    distances = relation_or_default(relation).distances(geometry)
    places = places_of(distances, geometry.layer, geometry.flow, 2)
    x, y = places.coordinates.T[::-1]
    frames = {number: _frame(x, y, geometry.flow, geometry.in_layer(number)) for number in shown}
    common = _frame(x, y, geometry.flow, np.flatnonzero(np.isin(geometry.layer, shown)))
    if shared is None:
        sizes = np.array([half for _, _, half in frames.values() if half])
        shared = not len(sizes) or bool(np.mean(sizes < SPECK * common[2]) < SPECKS)
    figure, axes, rows = _grid(len(shown), shared)
    unseen = np.zeros(geometry.n_nodes, dtype=bool)
    for axis, number in zip(axes, shown):
        nodes = geometry.in_layer(number)
        mid_x, mid_y, half = common if shared else frames[number]
        half = MARGIN * (half or common[2] or 0.5)
        axis.set(xlim=(mid_x - half, mid_x + half), ylim=(mid_y - half, mid_y + half))
        out = nodes[(np.abs(x[nodes] - mid_x) > half) | (np.abs(y[nodes] - mid_y) > half)]
        unseen[out] = True
        pairs = _nearest(distances[np.ix_(nodes, nodes)], nearest)
        ends = np.stack([x[nodes], y[nodes]], axis=1)[pairs]
        axis.add_collection(LineCollection(list(ends), colors="#bbbbbb", linewidths=0.8, zorder=1))
        put_nodes(axis, geometry, colours, x, y, nodes, LARGEST)
        put_beyond(axis, colours, x, y, out)
        axis.set_title(geometry.names[number], fontsize=11)
        _finish(axis, shared)
    put_scale(figure, axes, colours, 28 * rows)
    figure.supxlabel("emergent distance, second direction", fontsize=10)
    figure.supylabel("first direction", fontsize=10)
    title = title_of(places, relation, geometry.flow, unseen)
    figure.suptitle(title + ("" if shared else "\neach layer in its own scale"), fontsize=10)
    return figure


def _grid(count: int, shared: bool) -> tuple[Figure, list[Axes], int]:
    """A figure of so many maps, in rows as full as can be: figure, axes, number of rows."""
    columns = min(MOST_COLUMNS, count)
    rows = -(-count // columns)
    columns = -(-count // rows)  # the last row as full as can be
    figure = Figure(figsize=(max(2.3 * columns, 4.6) + 0.9, 2.5 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared)
    for axis in grid.flat[count:]:
        axis.remove()
    axes = list(grid.flat[:count])
    for axis in axes[-columns:]:
        axis.tick_params(labelbottom=True)
    return figure, axes, rows


def _finish(axis: Axes, shared: bool) -> None:
    """One unit for both directions; ticks that leave room where every map has its own."""
    axis.set_aspect("equal")
    axis.spines[["top", "right"]].set_visible(False)
    if not shared:
        axis.locator_params(nbins=3)
        axis.tick_params(labelsize=8)


def _frame(
    x: np.ndarray, y: np.ndarray, flow: np.ndarray, nodes: np.ndarray
) -> tuple[float, float, float]:
    """Middle of the square that shows nodes, and half of its side."""
    if not len(nodes):
        return 0.0, 0.0, 0.0
    (left, right), (low, high) = (view(line[nodes], flow[nodes]) for line in (x, y))
    return (left + right) / 2, (low + high) / 2, max(right - left, high - low) / 2


def _nearest(distances: np.ndarray, most: int) -> np.ndarray:
    """Pairs of nodes one of which is among the nearest of the other, (pairs, 2)."""
    away = distances.copy()
    np.fill_diagonal(away, np.inf)
    near = np.argsort(away, axis=1, kind="stable")[:, : min(most, len(away) - 1)]
    pairs = np.stack([np.repeat(np.arange(len(away)), near.shape[1]), near.ravel()], axis=1)
    return pairs[np.isfinite(away[pairs[:, 0], pairs[:, 1]])]


def _shown(geometry: EmergentGeometry, layers: Sequence[int] | None) -> list[int]:
    count = len(geometry.names)
    if layers is None:
        return list(range(count))
    shown = [check_integer("layers", number, least=0) for number in layers]
    if not shown or max(shown) >= count:
        raise InputError(f"layers: expected some of 0 to {count - 1}, got {list(layers)!r}")
    return shown
