"""First pictures of an emergent geometry: spectrum, time, and both with landscape and curvature."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..curvature import Curvature
from ..emergent import EmergentGeometry, Relation, capacity, efficiency, robustness
from ..errors import InputError
from .artists import check_geometry, layer_ticks
from .curvature import curvature_of, put_curvature
from .landscape import put_landscape
from .node_colours import Colour
from .node_names import Labels
from .panels import COLOURS, new_panels

__all__ = ["plot_geometry", "plot_spectrum", "plot_time"]

COLOUR = COLOURS["fisher-rao"]
GREY = "#888888"
ROOM = 3.4
"""Width of a small panel, in inches."""
NO_LENGTH = "Some edges join copies of a node: they have no length, and so no curvature."
FLOOR = 1e-4
"""Of the largest eigenvalue, or of 1/n where that is less: what is smaller is not drawn."""


def plot_geometry(
    geometry: EmergentGeometry,
    colour: Colour = "flow",
    relation: Relation | None = None,
    *,
    labels: Labels | None = None,
    curvature: Curvature | None = None,
) -> Figure:
    """Draw a geometry at first sight: landscape, spectrum, time and curvature.

    Parameters
    ----------
    geometry, colour, relation, labels
        As :func:`plot_landscape` takes them.
    curvature : Curvature, optional
        Of the geometry's edges; average Ollivier curvature of the default relation's lengths if
        not given.

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_geometry
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> [axis.get_ylabel() for axis in plot_geometry(geometry).axes[:3]]
    ['emergent distance', 'eigenvalue of normalised gate Fisher', 'emergent time']
    """
    check_geometry(geometry)
    figure = Figure(figsize=(11.5, 7.6), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(1.35, 1))
    top = figure.add_subplot(grid[0, :])
    below = [figure.add_subplot(grid[1, k]) for k in range(3)]
    for axis in below:
        axis.spines[["top", "right"]].set_visible(False)
    put_landscape(figure, top, geometry, colour, relation, labels=labels)
    _put_spectrum(below[0], geometry)
    _put_time(below[1], geometry, ROOM)
    if curvature is not None or _all_have_lengths(geometry):
        kind = "ollivier_average" if curvature is None else curvature
        put_curvature(below[2], geometry, curvature_of(geometry, kind), ROOM)
    else:
        below[2].set_title("no curvature", fontsize=10)
        below[2].text(0.5, 0.5, fill(NO_LENGTH, 34), ha="center", va="center", fontsize=9)
        below[2].set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    return figure


def _all_have_lengths(geometry: EmergentGeometry) -> bool:
    """Whether no edge joins copies, whose distance is zero."""
    try:
        geometry.weighted_graph()
    except InputError:
        return False
    return True


def plot_spectrum(geometry: EmergentGeometry) -> Figure:
    r"""Draw the eigenvalues of :math:`\mathcal K`, and what n data can hold in them.

    The capacity :math:`½\log\det(I + n\mathcal K)` is a sum over eigenvalues λ. At λ = 1/n, the
    line, a direction holds ½ log 2 nats, half a bit; above it ½ log n more for every factor n,
    below it no more than nλ/2.

    Parameters
    ----------
    geometry : EmergentGeometry

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_spectrum
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> plot_spectrum(geometry).axes[0].get_title()[:8]
    'capacity'
    """
    check_geometry(geometry)
    figure, (axis,) = new_panels(1, 5.2, 3.8)
    _put_spectrum(axis, geometry)
    return figure


def plot_time(geometry: EmergentGeometry) -> Figure:
    r"""Draw emergent time :math:`½\log\operatorname{tr}(G_l\operatorname{Cov}h_l)` against depth.

    Lines join layers that edges join, thick ones those of a residual network's skips. A layer whose
    nodes never change has time −∞; it is left out, and the title says so.

    Parameters
    ----------
    geometry : EmergentGeometry

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_time
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> len(plot_time(geometry).axes[0].lines[-1].get_xdata())
    4
    """
    check_geometry(geometry)
    width = float(np.clip(2.4 + 0.7 * len(geometry.names), 5.2, 10))
    figure, (axis,) = new_panels(1, width, 3.4)
    _put_time(axis, geometry, width)
    return figure


def _put_spectrum(axis: Axes, geometry: EmergentGeometry) -> None:
    values, line = geometry.spectrum, 1 / geometry.n
    held = int(np.sum(values > line))
    shown = values > FLOOR * min(values[0], line)
    number = np.arange(1, len(values) + 1)
    style = ".-" if shown.sum() <= 150 else "-"
    axis.semilogy(number[shown], values[shown], style, color=COLOUR, lw=1.5, ms=5)
    axis.set_ylim(bottom=min(values[shown].min() / 2, line / 4))
    axis.axhline(line, color=GREY, lw=1, ls="--", zorder=0)
    late = 2 * held > shown.sum()  # eigenvalues cross the line on the right: its words go left
    axis.annotate(
        f"1/n = {line:.3g}: half a bit",
        (0.02 if late else 1, line),
        xycoords=("axes fraction", "data"),
        xytext=(0, -4 if late else 3),
        textcoords="offset points",
        ha="left" if late else "right",
        va="top" if late else "bottom",
        fontsize=8.5,
        color="#555555",
    )
    axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_xlabel(f"number of the eigenvalue ({held} of {len(values)} above 1/n)")
    axis.set_ylabel("eigenvalue of normalised gate Fisher")
    axis.set_title(
        f"capacity {capacity(geometry):.3g} nats, efficiency {efficiency(geometry):.2f}, "
        f"robustness {robustness(geometry):.2g}",
        fontsize=9.5,
    )


def _put_time(axis: Axes, geometry: EmergentGeometry, room: float) -> None:
    layers = np.arange(len(geometry.names))
    known = np.isfinite(geometry.time)
    pairs = np.unique(geometry.layer[geometry.edges], axis=0).reshape(-1, 2)
    skips = bool((np.diff(pairs) > 1).any())
    for start, end in pairs.tolist():
        side = skips and end - start == 1
        axis.plot([start, end], geometry.time[[start, end]], color=COLOUR, lw=0.6 if side else 1.6)
    axis.plot(layers[known], geometry.time[known], "o", color=COLOUR, ms=5)
    layer_ticks(axis, geometry.names, room)
    axis.set_xlabel("layer")
    axis.set_ylabel("emergent time")
    axis.margins(x=0.05, y=0.12)
    title = "time against depth"
    if not known.all():
        names = ", ".join(geometry.names[k] for k in layers[~known])
        title += "\n" + fill(f"−∞, for nothing changes there: {names}", int(13 * room))
    axis.set_title(title, fontsize=10)
