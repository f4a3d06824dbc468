"""The picture of curvature: of all edges, by the layers they join."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, SymmetricalLogLocator

from ..curvature import Curvature, forman, ollivier, resistance_curvature
from ..emergent import EmergentGeometry
from ..emergent.export import edge_values
from ..errors import InputError
from .artists import check_geometry, layer_ticks
from .node_colours import curvature_in_words
from .panels import new_panels

__all__ = ["curvature_of", "plot_curvature", "put_curvature"]

KINDS: dict[str, Callable[[EmergentGeometry], Curvature]] = {
    "ollivier": ollivier,
    "ollivier_average": lambda geometry: ollivier(geometry, mode="average"),
    "ollivier_bound": lambda geometry: ollivier(geometry, mode="bound"),
    "ollivier_upper": lambda geometry: ollivier(geometry, mode="upper"),
    "forman": forman,
    "forman_augmented": lambda geometry: forman(geometry, method="augmented"),
    "resistance": lambda geometry: resistance_curvature(geometry).edges,
}
NEXT, OVER, DARK = "#4477aa", "#ee6677", "#222222"
MOST_DOTS = 300
"""Of a pair of layers; of more edges as many quantiles are drawn."""
WIDE = 50.0
"""Times its median size, a range of curvatures that only a logarithm can show."""
MOST_TICKS = 5
"""Of either sign, on an axis that is logarithmic away from zero."""
LEGEND = "ring and line: medians; bars: half and 90 % of edges"
SPREAD = 0.3
"""Width of a cloud of dots, in layers."""


def curvature_of(geometry: EmergentGeometry, kind: str | Curvature) -> Curvature:
    """Curvature of every edge: the one given, or that of a kind, computed."""
    if isinstance(kind, Curvature):
        edge_values(geometry, kind)
        return kind
    if kind not in KINDS:
        raise InputError(f"kind: unknown {kind!r}; choose from {', '.join(KINDS)}")
    return KINDS[kind](geometry)


def plot_curvature(
    geometry: EmergentGeometry, kind: str | Curvature = "ollivier_average"
) -> Figure:
    """Draw the curvature of all edges against depth, by the layers they join.

    Dots are edges (of more than 300 between two layers their quantiles), thick bars hold the
    middle half of them, thin bars nine tenths, the ring is the median. The line joins the medians
    of the edges from layer to layer. Means are left to the title: short edges can be curved by
    orders of magnitude more than others, and one or two make the mean. Where they do the axis is
    logarithmic away from zero, and its label says from where.

    Parameters
    ----------
    geometry : EmergentGeometry
    kind : str or Curvature
        "ollivier", "ollivier_average", "ollivier_bound", "ollivier_upper", "forman",
        "forman_augmented" or "resistance", which are computed, or a curvature of the geometry's
        edges, as ``gn.ollivier(geometry)`` is.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Raises
    ------
    InputError
        Where the kind is unknown or a curvature of other edges, and where edges have no length,
        their ends being copies.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_curvature
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> plot_curvature(geometry, "forman").axes[0].get_ylabel()
    'Forman curvature'
    """
    check_geometry(geometry)
    width = float(np.clip(2.4 + 1.1 * len(geometry.names), 5.2, 12))
    figure, (axis,) = new_panels(1, width, 3.8)
    put_curvature(axis, geometry, curvature_of(geometry, kind), width)
    return figure


def put_curvature(
    axis: Axes, geometry: EmergentGeometry, curvature: Curvature, room: float
) -> None:
    """Draw curvature on an axis."""
    layer_ticks(axis, geometry.names, room)
    axis.set_xlim(-0.2, len(geometry.names) - 0.8)
    axis.set_xlabel("layer")
    name = curvature_in_words(curvature.name)
    axis.set_ylabel(name)
    if not len(geometry.edges):
        axis.set_title("no edges", fontsize=10)
        return
    values = curvature.array
    pairs, pair = np.unique(geometry.layer[geometry.edges], axis=0, return_inverse=True)
    pair = pair.reshape(-1)
    medians = []
    for number, (start, end) in enumerate(pairs):
        found = np.sort(values[pair == number])
        at, over = (start + end) / 2, end - start > 1
        _put_distribution(axis, at, found, OVER if over else NEXT, min(3.5, 18 * room / len(pairs)))
        if not over:
            medians.append((at, np.median(found)))
    # skips are nearly copies, and edges so short can be curved by orders of magnitude more
    middle = float(np.median(np.abs(values)))
    if np.abs(values).max() > WIDE * max(middle, 0.1):
        linear = 10.0 ** np.ceil(np.log10(max(middle, 0.1)))
        _bend(axis, values, linear)
        axis.set_ylabel(f"{name}\n(linear within ±{linear:g}, logarithmic beyond)")
    if medians:
        axis.plot(*np.transpose(medians), color=DARK, lw=1, zorder=2)
    axis.axhline(0.0, color="#888888", lw=1, ls="--", zorder=0)
    axis.set_xlabel("layer\n" + fill(LEGEND, int(17 * room)), fontsize=9)
    title = f"{len(values)} edges: median {np.median(values):.3g}, mean {values.mean():.3g}"
    if (np.diff(pairs, axis=1) > 1).any():
        title += "; red: over layers"
    axis.set_title(title, fontsize=10)


def _bend(axis: Axes, values: np.ndarray, linear: float) -> None:
    """A scale that is linear within ±`linear`, and has its ticks on both sides of that."""
    axis.set_yscale("symlog", linthresh=linear)
    least, most = min(values.min(), 0.0), max(values.max(), 0.0)
    decades = int(np.log10(max(-least, most, linear) / linear))
    powers = linear * 10.0 ** np.arange(decades + 1)
    powers = powers[:: -(-len(powers) // MOST_TICKS)]
    half = [linear / 2] if len(powers) < MOST_TICKS else []
    ticks = np.array([*-powers[::-1], *(-v for v in half), 0.0, *half, *powers])
    ticks = ticks[(ticks >= least) & (ticks <= most)]
    axis.yaxis.set_major_locator(FixedLocator(ticks))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}".replace("-", "−")))
    axis.yaxis.set_minor_locator(
        SymmetricalLogLocator(base=10, linthresh=linear, subs=range(2, 10))
    )


def _put_distribution(axis: Axes, at: float, found: np.ndarray, colour: str, thick: float) -> None:
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
