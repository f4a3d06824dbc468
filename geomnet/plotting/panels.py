"""What all figures share: colours, panels, and PNG bytes made off screen."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..studies.comparison.options import LEAST_ACTION, NETWORK

__all__ = ["COLOURS", "STYLES", "new_panels", "to_png"]

COLOURS = {
    "l2": "#4477aa",
    "energy": "#ee6677",
    "fisher-rao": "#228833",
    NETWORK: "#222222",
    LEAST_ACTION: "#aa3377",
}
STYLES = {"l2": "-", "energy": "-", "fisher-rao": "-", NETWORK: "--", LEAST_ACTION: "-."}


def to_png(figure: Figure) -> bytes:
    """Draw a figure as PNG."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": "geomnet"})
    return buffer.getvalue()


def new_panels(
    count: int, width: float, height: float, *, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels side by side, each so wide, without a frame above and right."""
    figure = Figure(figsize=(width * count, height), layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False, sharex=sharex, sharey=sharey)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes
