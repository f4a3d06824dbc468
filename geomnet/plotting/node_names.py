"""Names of nodes beside their dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

from ..emergent import EmergentGeometry
from ..errors import InputError
from ..utils.validation import check_integer

__all__ = ["Labels", "names_of", "put_names", "width_of"]

Labels: TypeAlias = Sequence[str] | Mapping[int, Sequence[str]]
"""Names of the outputs, or of the units of layers by the layer's number."""

MOST_NUMBERS, MOST_NAMES = 16, 28
"""How many outputs are numbered, and how many nodes of a layer named, those with the most flow."""
HEIGHT = 0.035
"""Of a name, relative to what all nodes take."""
GAP, LETTER = 11.0, 4.6
"""From a dot to its name, and the width of a letter, in points."""
LONGEST = 24
"""Letters of a name that are drawn."""


def names_of(geometry: EmergentGeometry, labels: Labels | None) -> dict[int, list[str]]:
    """Names of the units by layer: those given, and the numbers of few outputs.

    Parameters
    ----------
    geometry : EmergentGeometry
    labels : sequence of str, mapping of int to sequence of str, or None
        As :func:`plot_landscape` takes them.

    Returns
    -------
    dict of int to list of str
        By layer, one name for every unit, dead ones too.
    """
    last = len(geometry.names) - 1
    named: dict[int, list[str]] = {}
    if 1 < len(geometry.in_layer(last)) <= MOST_NUMBERS:
        named[last] = [str(unit) for unit in range(_units(geometry, last))]
    if labels is None:
        return named
    for layer, names in (labels if isinstance(labels, Mapping) else {last: labels}).items():
        number = check_integer("labels", layer, least=-last - 1)
        if number > last:
            raise InputError(f"labels: expected layers of 0 to {last}, got {number}")
        number %= last + 1
        units = _units(geometry, number)
        if isinstance(names, str) or np.ndim(names) != 1:
            raise InputError(
                f"labels: expected {units} names for {geometry.names[number]}, got {names!r}"
            )
        if len(names) != units:
            raise InputError(
                f"labels: expected {units} names for {geometry.names[number]}, one for each unit, "
                f"got {len(names)}"
            )
        named[number] = [str(name) for name in names]
    return named


def _units(geometry: EmergentGeometry, layer: int) -> int:
    """How many units a layer has, dead ones counted."""
    dead = [unit for at, unit in geometry.dead if at == layer]
    return int(max([*geometry.unit[geometry.in_layer(layer)], *dead], default=-1)) + 1


def width_of(names: list[str]) -> float:
    """What the longest of some names takes beside a dot, in points."""
    return GAP + LETTER * min(LONGEST, max(map(len, names), default=0))


def put_names(
    axis: Axes,
    geometry: EmergentGeometry,
    named: dict[int, list[str]],
    x: np.ndarray,
    y: np.ndarray,
    ends: tuple[float, float],
    point: float,
) -> None:
    """Names right of their layer, of inputs left; close ones make room, lines lead to their dots.

    Parameters
    ----------
    axis, geometry, named
    x, y : ndarray, shape (N,)
        Where dots are.
    ends : tuple of float
        Lowest and highest that is in view.
    point : float
        One point, in units of the axis across.
    """
    tall = ends[1] - ends[0] or 1.0
    for layer, names in named.items():
        nodes = geometry.in_layer(layer)
        nodes = nodes[np.argsort(-geometry.flow[nodes], kind="stable")][:MOST_NAMES]
        if not len(nodes):
            continue
        dots = np.clip(y[nodes], *ends)
        nodes, dots = nodes[order := np.argsort(dots, kind="stable")], dots[order]
        # the nearest heights in least squares that are a line apart
        up = HEIGHT * tall * np.arange(len(nodes))
        heights = isotonic_regression(dots - up).x + up
        # those of many do not hang out below or above
        heights += max(0.0, ends[0] - heights[0]) - max(0.0, heights[-1] - ends[1])
        sides = x[geometry.in_layer(layer)]
        left = layer == 0
        at = sides.min() - GAP * point if left else sides.max() + GAP * point
        for node, dot, height in zip(nodes.tolist(), dots.tolist(), heights.tolist()):
            if abs(height - dot) > HEIGHT * tall / 4 or abs(at - x[node]) > 1.3 * GAP * point:
                axis.plot([x[node], at], [dot, height], color="#aaaaaa", lw=0.5, zorder=1)
            axis.annotate(
                f"{names[geometry.unit[node]]:.{LONGEST}}",
                (at, height),
                xytext=(-1 if left else 1, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center_baseline",
                fontsize=8,
                color="#444444",
            )
