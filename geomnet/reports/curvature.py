"""The picture of curvature: of all edges, by the layers they join."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import InputError
from ..graph import EmergentGeometry, forman, ollivier, resistance_curvature
from .drawing import new_panels
from .emergent_marks import check_geometry, layer_ticks
from .node_colours import curvature_in_words

__all__ = ["curvature_of", "draw_curvature", "put_curvature"]

KINDS = {
    "ollivier": lambda geometry: ollivier(geometry),
    "ollivier_average": lambda geometry: ollivier(geometry, mode="average"),
    "ollivier_bound": lambda geometry: ollivier(geometry, mode="bound"),
    "forman": lambda geometry: forman(geometry),
    "forman_augmented": lambda geometry: forman(geometry, method="augmented"),
    "resistance": lambda geometry: resistance_curvature(geometry).edges,
}
NEXT, OVER, DARK = "#4477aa", "#ee6677", "#222222"
MOST_DOTS = 300
"""Of a pair of layers; of more edges as many quantiles are drawn."""
WIDE = 50.0
"""Times its median size, a range of curvatures that only a logarithm can show."""
SPREAD = 0.3
"""Width of a cloud of dots, in layers."""


def curvature_of(geometry: EmergentGeometry, kind: str) -> np.ndarray:
    """Curvature of every edge: the one in ``geometry.curvatures``, else computed and kept."""
    if kind in geometry.curvatures:
        return geometry.curvatures[kind]
    if kind not in KINDS:
        known = ", ".join(dict.fromkeys([*KINDS, *geometry.curvatures]))
        raise InputError(f"kind: unknown {kind!r}; choose from {known}")
    return KINDS[kind](geometry)


def draw_curvature(geometry: EmergentGeometry, kind: str = "ollivier_average") -> Figure:
    """Draw the curvature of all edges against depth, by the layers they join.

    Dots are edges (of more than 300 between two layers their quantiles), thick bars hold the
    middle half of them, thin bars nine tenths, the ring is the median. The line joins the means
    of the edges from layer to layer.

    Parameters
    ----------
    geometry : EmergentGeometry
    kind : str
        "ollivier", "ollivier_average", "ollivier_bound", "forman", "forman_augmented",
        "resistance", or another name in ``geometry.curvatures``. Computed, and kept there, where
        it is not there.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.reports import draw_curvature
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> draw_curvature(geometry, "forman").axes[0].get_ylabel()
    'Forman curvature'
    """
    check_geometry(geometry)
    width = float(np.clip(2.4 + 1.1 * len(geometry.names), 5.2, 12))
    figure, (axis,) = new_panels(1, width, 3.8)
    put_curvature(axis, geometry, kind, width)
    return figure


def put_curvature(axis: Any, geometry: EmergentGeometry, kind: str, room: float) -> None:
    """Draw curvature on an axis."""
    layer_ticks(axis, geometry.names, room)
    axis.set_xlim(-0.2, len(geometry.names) - 0.8)
    axis.set_xlabel("layer")
    axis.set_ylabel(curvature_in_words(kind))
    if not len(geometry.edges):
        axis.set_title("no edges", fontsize=10)
        return
    values = curvature_of(geometry, kind)
    pairs, pair = np.unique(geometry.layer[geometry.edges], axis=0, return_inverse=True)
    pair = pair.reshape(-1)
    means = []
    for number, (start, end) in enumerate(pairs):
        found = np.sort(values[pair == number])
        at, over = (start + end) / 2, end - start > 1
        _put_distribution(axis, at, found, OVER if over else NEXT, min(3.5, 18 * room / len(pairs)))
        if not over:
            means.append((at, found.mean()))
    # skips are nearly copies, and edges so short can be curved by orders of magnitude more
    middle = float(np.median(np.abs(values)))
    if np.abs(values).max() > WIDE * max(middle, 0.1):
        axis.set_yscale("symlog", linthresh=10.0 ** np.ceil(np.log10(max(middle, 0.1))))
    if means:
        axis.plot(*np.transpose(means), color=DARK, lw=1, zorder=2)
    axis.axhline(0.0, color="#888888", lw=1, ls="--", zorder=0)
    title = f"curvature of {len(values)} edges, mean {values.mean():.3g}"
    if (np.diff(pairs, axis=1) > 1).any():
        title += "; red: over layers"
    axis.set_title(title, fontsize=10)


def _put_distribution(axis: Any, at: float, found: np.ndarray, colour: str, thick: float) -> None:
    """Dots of edges, quantiles over them."""
    dots = found
    if len(found) > MOST_DOTS:
        dots = np.quantile(found, np.linspace(0, 1, MOST_DOTS))
    # multiples of the golden ratio fill a strip evenly
    aside = SPREAD * (np.arange(len(dots)) * 0.6180339887498949 % 1 - 0.5)
    axis.scatter(at + aside, dots, s=6, color=colour, alpha=0.25, linewidths=0, zorder=1)
    low, left, middle, right, high = np.quantile(found, (0.05, 0.25, 0.5, 0.75, 0.95))
    axis.plot([at, at], [low, high], color=colour, lw=thick / 3, zorder=3)
    axis.plot([at, at], [left, right], color=colour, lw=thick, solid_capstyle="butt", zorder=3)
    axis.plot(at, middle, "o", ms=thick + 0.5, mfc="white", mec=colour, mew=thick / 3, zorder=4)
