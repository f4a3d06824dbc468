"""The figure of a network's Fisher information: its spectrum, and how its layers share it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..studies.comparison.fisher_summary import FisherSummary
from .panels import COLOURS, new_panels

__all__ = ["plot_fisher"]

COLOUR = COLOURS["fisher-rao"]
MOST_TICKS = 12


def plot_fisher(summary: FisherSummary) -> Figure:
    """Draw the spectrum, and how the layers share the trace and the information length.

    Parameters
    ----------
    summary : FisherSummary
        Of a Fisher matrix that is not zero.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, (spectrum, traces, norms) = new_panels(3, 3.9, 3.2)
    values = summary.eigenvalues
    ranks = np.arange(1, len(values) + 1)
    spectrum.loglog(ranks, values, ".-" if len(values) <= 60 else "-", color=COLOUR, lw=1.8)
    few = summary.directions(0.9)
    late = few**2 > len(values)  # in the right half of the panel: its words go below the curve
    spectrum.plot(few, values[few - 1], "o", ms=9, mfc="none", mec="#222222")
    spectrum.annotate(
        "90 % of the trace\nin the first" + f" {few}" * (few > 1),
        (few, values[few - 1]),
        xytext=(-8, -8) if late else (6, 6),
        textcoords="offset points",
        ha="right" if late else "left",
        va="top" if late else "bottom",
        fontsize=9,
    )
    # what lies below is many decades deep, and moves no prediction that anyone could see
    spectrum.set_ylim(max(values[-1], 1e-8 * values[0]) / 2, 9 * values[0])
    spectrum.xaxis.set_major_formatter("{x:g}")
    spectrum.xaxis.set_minor_formatter(NullFormatter())
    spectrum.set_xlabel("number of the eigenvalue")
    spectrum.set_title("eigenvalues", fontsize=11)
    for axis, heights, title in (
        (traces, summary.layer_traces, "trace, by layer"),
        (norms, summary.layer_norms, "information length, by layer"),
    ):
        _bars(axis, heights, summary.layers)
        axis.set_title(title, fontsize=11)
    return figure


def _bars(axis: Axes, heights: np.ndarray, names: tuple[str, ...]) -> None:
    """Bars of the layers, the share of each above it where there is room."""
    axis.bar(np.arange(len(names)), heights, color=COLOUR, width=0.72)
    if len(names) <= MOST_TICKS:
        for x, height in enumerate(heights):
            text = f"{100 * height / max(heights.sum(), 1e-300):.0f} %"
            axis.text(x, height, text, ha="center", va="bottom", fontsize=8)
    step, last = -(-len(names) // MOST_TICKS), len(names) - 1
    shown = [*range(0, last - step + 1, step), last]
    labels = {"readout": "out"}
    axis.set_xticks(shown, [labels.get(names[k], names[k].removeprefix("layer ")) for k in shown])
    axis.set_xlabel("layer")
