"""Attributes of nodes as colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm, ListedColormap, LogNorm, Normalize
from numpy.typing import ArrayLike

from ..curvature import Curvature
from ..emergent import EmergentGeometry, capacity_shares, horizon, planck_length
from ..emergent.export import edge_values
from ..errors import InputError
from ..utils.validation import check_array

__all__ = ["Colour", "NodeColours", "curvature_in_words", "node_colours"]

Colour: TypeAlias = str | Curvature | ArrayLike
"""What colours nodes: the name of an attribute, a curvature, or a value for each of them."""

HORIZON = ("#999999", "#d55e00")
"""Of nodes that can be seen, and of those behind a horizon."""


@dataclass(frozen=True)
class NodeColours:
    """Values of nodes and the scale that colours them.

    Attributes
    ----------
    values : ndarray, shape (N,)
    scale : ScalarMappable
    label : str
        Name and unit.
    categories : tuple of str
        Names of the values 0, 1, … where there are only so many; then a legend stands for the bar.
    """

    values: np.ndarray
    scale: ScalarMappable
    label: str
    categories: tuple[str, ...] = ()

    @property
    def extend(self) -> str:
        """At which ends values pass the scale, as a colour bar says it."""
        least, most = np.array(self.scale.get_clim(), dtype=float).tolist()
        slack = 1e-9 * (most - least)
        shown = self.values[np.isfinite(self.values)]
        below, above = (shown < least - slack).any(), (shown > most + slack).any()
        return "both" if below and above else "min" if below else "max" if above else "neither"

    @property
    def rgba(self) -> np.ndarray:
        """Colours, (N, 4)."""
        return self.scale.to_rgba(self.values)

    @property
    def edges(self) -> np.ndarray:
        """Colours of the dots' edges, (N,): dark around what is pale, else white."""
        bright = self.rgba[:, :3] @ (0.2126, 0.7152, 0.0722)
        return np.where(bright > PALE, "#555555", "#ffffff")


ATTRIBUTES: dict[str, tuple[Callable[[EmergentGeometry], np.ndarray], str]] = {
    "flow": (lambda geometry: geometry.flow, "flow E|s|"),
    "fisher": (lambda geometry: np.diag(geometry.gate_fisher), "gate Fisher E|s|²"),
    "planck_length": (
        planck_length,
        "Planck length (of the factor 1 + ε of a node)",
    ),
    "horizon": (horizon, "horizon"),
    "time": (lambda geometry: geometry.time[geometry.layer], "emergent time"),
    "capacity": (capacity_shares, "share of the capacity (nats)"),
}
DEPTH = 1e3
"""Range of a logarithmic scale; what is fainter has the colour of its end."""
FENCE = 3.0
"""Interquartile ranges beyond a quartile: what lies farther out has the colour of its end, for
else a value or two would take all colours from the others (the outer fences of Tukey 1977)."""
PALE = 0.7
"""Brightness from which a colour needs an edge to be seen on white."""
LOGARITHMIC = ("flow", "fisher", "planck_length")
CURVATURES = {
    "ollivier": "Ollivier curvature",
    "ollivier_average": "average Ollivier curvature",
    "ollivier_bound": "lower bound of Ollivier curvature",
    "ollivier_upper": "upper bound of Ollivier curvature",
    "forman": "Forman curvature",
    "forman_augmented": "augmented Forman curvature",
    "resistance": "resistance curvature",
}


def node_colours(geometry: EmergentGeometry, colour: Colour) -> NodeColours:
    """Read the argument `colour`: the name of an attribute, a curvature, or values."""
    if isinstance(colour, Curvature):
        return _curvature_colours(geometry, colour)
    if not isinstance(colour, str):
        values = check_array("colour", colour, shape=(geometry.n_nodes,))
        return NodeColours(values, _scale(values), "")
    if colour not in ATTRIBUTES:
        raise InputError(
            f"colour: unknown {colour!r}; choose from {', '.join(ATTRIBUTES)}, or give a "
            f"curvature, as gn.ollivier(geometry) is, or one number for each of "
            f"{geometry.n_nodes} nodes"
        )
    read, label = ATTRIBUTES[colour]
    values = np.asarray(read(geometry), dtype=float)
    if colour == "horizon":
        scale = ScalarMappable(Normalize(0, 1), ListedColormap(HORIZON))
        names = ("can be estimated", "behind a horizon, n E|s|² < 1")
        return NodeColours(values, scale, label, names)
    scale = _scale(values, colour in LOGARITHMIC, finer=colour == "planck_length")
    return NodeColours(values, scale, label)


def _curvature_colours(geometry: EmergentGeometry, curvature: Curvature) -> NodeColours:
    """Means of a curvature over the edges of every node; about zero where it has two signs."""
    edge_values(geometry, curvature)
    values = curvature.node_means().array
    label = f"{curvature_in_words(curvature.name)}, mean of a node's edges"
    least, most = _within_fences(values)
    if max(least, -most) > (most - least) > 0:
        return NodeColours(values, _scale(values), label)  # far from zero: no sign to show
    spread = _within_fences(np.abs(values))[1] or 1.0
    scale = ScalarMappable(CenteredNorm(0.0, spread), matplotlib.colormaps["PuOr_r"])
    return NodeColours(values, scale, label)


def curvature_in_words(name: str) -> str:
    """Name of a curvature, of one's own as it is."""
    return CURVATURES.get(name, name.replace("_", " "))


def _within_fences(values: np.ndarray) -> tuple[float, float]:
    """The least and the largest value that are not far out."""
    left, right = np.quantile(values, (0.25, 0.75)) if len(values) else (0.0, 0.0)
    reach = FENCE * (right - left) or np.inf  # half of them alike: no measure of the others
    inside = values[(values >= left - reach) & (values <= right + reach)]
    return float(inside.min(initial=left)), float(inside.max(initial=right))


def _scale(values: np.ndarray, logarithmic: bool = False, finer: bool = False) -> ScalarMappable:
    """A scale over the finite values, none far out; darker is more, or finer."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if finite.size and not logarithmic:
        low, high = _within_fences(finite)
    if high <= low:  # all alike: the middle of the scale
        low, high = (low / 2, 2 * high) if logarithmic and low > 0 else (low - 0.5, high + 0.5)
    norm = Normalize(low, high)
    if logarithmic and low > 0:
        norm = (
            LogNorm(low, min(high, DEPTH * low)) if finer else LogNorm(max(low, high / DEPTH), high)
        )
    # what is palest would be lost on white
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.94, 256))
    return ScalarMappable(norm, ListedColormap(shades if finer else shades[::-1]))
