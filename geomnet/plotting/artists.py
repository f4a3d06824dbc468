"""What pictures of an emergent geometry share: nodes, scales, names of layers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..emergent import EmergentGeometry, Relation
from ..emergent.relations import relation_or_default
from ..errors import InputError
from .mds import Places
from .node_colours import FENCE, NodeColours

__all__ = [
    "LARGEST",
    "check_geometry",
    "layer_ticks",
    "put_beyond",
    "put_nodes",
    "put_scale",
    "title_of",
    "view",
]

LARGEST, SMALLEST = 150.0, 14.0
"""Areas of the nodes with the most flow and with the least, in points squared."""
FAINT, FAR = 0.05, 3.0
"""Share of the flow that may be left out of view, and how many times wider the view of all has to
be for that."""


def check_geometry(geometry: object) -> None:
    """A geometry, or an error."""
    if not isinstance(geometry, EmergentGeometry):
        raise InputError(
            "geometry: expected an EmergentGeometry as from_network gives it, got "
            f"{type(geometry).__name__}"
        )


def layer_ticks(axis: Axes, names: tuple[str, ...], room: float) -> None:
    """Names of the layers, as many as so many inches take; the last is always there."""
    short = len(names) > 1.25 * room
    step, last = -(-len(names) // max(2, int(1.6 * room))), len(names) - 1
    shown = [*range(0, last - step + 1, step), last]
    labels = [names[k].removeprefix("layer ") if short else names[k] for k in shown]
    axis.set_xticks(shown, labels)


def view(values: np.ndarray, flow: np.ndarray) -> tuple[float, float]:
    """What a coordinate's axis shows: all of it, or without a few weak nodes far away.

    Where next to nothing flows distances are those of rounding or of clipping, and where little
    flows resistances are large; both can dwarf all others. Quartiles, by flow, and fences about
    them say what is far.
    """
    order = np.argsort(values)
    passed = np.cumsum(flow[order]) / flow.sum()
    shares = (FAINT / 2, 0.25, 0.75, 1 - FAINT / 2)
    low, left, right, high = values[order][np.searchsorted(passed, shares)]
    reach = FENCE * (right - left)
    inside = values[(values >= min(low, left - reach)) & (values <= max(high, right + reach))]
    if np.ptp(values) > FAR * np.ptp(inside) > 0:
        return float(inside.min()), float(inside.max())
    return float(values.min()), float(values.max())


def put_nodes(
    axis: Axes,
    geometry: EmergentGeometry,
    colours: NodeColours,
    x: np.ndarray,
    y: np.ndarray,
    nodes: np.ndarray,
    largest: float,
) -> None:
    """Nodes as dots whose areas are proportional to flow, none too small to see, large ones first.

    Small dots lie on large ones, which would hide them.
    """
    nodes = nodes[np.argsort(-geometry.flow[nodes], kind="stable")]
    size = largest * geometry.flow / geometry.flow.max()
    axis.scatter(
        x[nodes],
        y[nodes],
        s=np.maximum(size, SMALLEST)[nodes],
        c=colours.rgba[nodes],
        edgecolors=colours.edges[nodes],
        linewidths=0.5,
        zorder=3,
    )


def put_beyond(
    axis: Axes, colours: NodeColours, x: np.ndarray, y: np.ndarray, nodes: np.ndarray
) -> None:
    """Nodes out of view as triangles at the axis' edge, where they would leave it."""
    limits = [np.array(axis.get_xlim()), np.array(axis.get_ylim())]
    for node in nodes.tolist():
        place = np.array([x[node], y[node]])
        inside = np.array([np.clip(v, *ends) for v, ends in zip(place, limits)])
        out = (place - inside) / np.ptp(limits, axis=1)
        far = int(np.argmax(np.abs(out)))
        axis.plot(
            *inside,
            marker=("<>", "v^")[far][int(out[far] > 0)],
            ms=5,
            color=colours.rgba[node],
            mec="#555555",
            mew=0.4,
            clip_on=False,
            zorder=4,
        )


def put_scale(figure: Figure, axes: list[Axes], colours: NodeColours, slender: int = 28) -> None:
    """A colour bar, or a legend of the categories."""
    if not colours.categories:
        bar = figure.colorbar(
            colours.scale, ax=axes, pad=0.01, aspect=slender, extend=colours.extend
        )
        bar.set_label(colours.label)
        return
    shades = map(to_hex, colours.scale.to_rgba(np.arange(len(colours.categories))))
    handles = [
        Line2D([], [], ls="", marker="o", color=shade, label=name)
        for shade, name in zip(shades, colours.categories)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def title_of(
    places: Places, relation: Relation | None, flow: np.ndarray, beyond: np.ndarray
) -> str:
    """Which distances are drawn, and how truly."""
    name = type(relation_or_default(relation)).__name__
    title = f"distances: {name}"
    if np.isfinite(places.truth):
        title += f"; drawn against true ones within layers: correlation {places.truth:.2f}"
    if places.n_parts > 1:
        title += f"\n{places.n_parts} parts at infinite distance, drawn apart"
    if count := int(beyond.sum()):
        share = 100 * flow[beyond].sum() / flow.sum()
        title += (
            f"\n{count} node{'s' if count > 1 else ''} with {share:.2g} % of the flow far outside: "
            "triangles"
        )
    return title
