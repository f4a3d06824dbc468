"""The figures of a comparison and of a path of least action, drawn off screen."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from ..studies.comparison.options import LEAST_ACTION, NAMES, PATH_NAMES
from ..studies.comparison.result import Comparison
from ..studies.least_action.study import LeastActionPath
from .fisher import plot_fisher
from .panels import COLOURS, STYLES, new_panels, to_png

__all__ = ["comparison_figures", "plot_least_action"]

N_TRACES = 24


def comparison_figures(comparison: Comparison) -> dict[str, bytes]:
    """Draw all figures: PNG bytes by name, in the order of the report."""
    figures = {"lengths": _lengths(comparison), "speed": _speed(comparison)}
    figures["paths"] = _paths(comparison)
    if any(key in comparison.sensitivity for key in ("width", "ridge")):
        figures["sensitivity"] = _sensitivity(comparison)
    if len(comparison.runs) > 1 and "network" in comparison.lengths:
        figures["seeds"] = _seeds(comparison)
    if comparison.fisher is not None and comparison.fisher.rank:
        figures["fisher"] = plot_fisher(comparison.fisher)
    return {name: to_png(figure) for name, figure in figures.items()}


def plot_least_action(path: LeastActionPath) -> Figure:
    """Draw what complexity buys: loss, accuracy and excess against length, a dot a weight λ.

    Panels whose numbers the path has not (no accuracy, no geodesics) are left out.

    Parameters
    ----------
    path : LeastActionPath

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=40, seed=0)
    >>> path = gn.studies.least_action_path(
    ...     gn.Network(gn.TanhField(dim=4, width=4), depth=3), sample, gn.Categorical(3),
    ...     gn.L2Metric(gn.FunctionSpace(sample)), [0, 0.01, 0.1], epochs=20,
    ... )
    >>> [axis.get_ylabel() for axis in gn.plotting.plot_least_action(path).axes]
    ['task loss', 'accuracy', 'excess (length / distance)', 'λ']
    """
    panels = _panels_of(path)
    figure, axes = new_panels(len(panels), 3.8, 3.5)
    scale = _scale_of(path.weights)
    colours = [_shade(scale, weight) for weight in path.weights.tolist()]
    for axis, (label, rows) in zip(axes, panels.items()):
        _put_against_length(axis, path, rows, colours)
        axis.set_ylabel(label)
        if label.startswith("excess"):
            axis.axhline(1.0, color="#888888", lw=1, zorder=0)
        if len(rows) > 1:
            axis.legend(handles=_handles(rows), frameon=False, fontsize=9)
    bar = figure.colorbar(scale, ax=axes, pad=0.01, aspect=28)
    bar.set_label("λ", rotation=0, labelpad=8)
    metric = re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.4g}", path.metric)
    plain = "; black: λ = 0" if (path.weights == 0).any() else ""
    figure.suptitle(f"least action in {metric}{plain}", fontsize=10)
    return figure


def _panels_of(path: LeastActionPath) -> dict[str, dict[str, np.ndarray]]:
    """Rows of numbers by name, panel by panel; what has no number at all is left out."""
    panels = {
        "task loss": {"trained on": path.losses, "held out": path.heldout_losses},
        "accuracy": {"trained on": path.train_scores, "held out": path.heldout_scores},
        "excess (length / distance)": {"": path.excesses},
    }
    return {
        label: shown
        for label, rows in panels.items()
        if (shown := {name: row for name, row in rows.items() if np.isfinite(row).any()})
    }


def _scale_of(weights: np.ndarray) -> ScalarMappable:
    """A logarithmic scale of the weights above zero, none too pale."""
    positive = weights[weights > 0]
    ends = (positive.min(), positive.max()) if len(positive) else (0.1, 1.0)
    dark = ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0, 0.85, 256)))
    return ScalarMappable(LogNorm(ends[0], max(ends[1], 1.001 * ends[0])), dark)


def _shade(scale: ScalarMappable, weight: float) -> ColorType:
    """Colour of a weight; black for none."""
    if weight <= 0:
        return "#111111"
    red, green, blue, opacity = scale.to_rgba(np.asarray(weight))
    return float(red), float(green), float(blue), float(opacity)


def _put_against_length(
    axis: Axes, path: LeastActionPath, rows: dict[str, np.ndarray], colours: list[ColorType]
) -> None:
    """Rows of numbers against the length of the network: open dots for what was held out."""
    for name, row in rows.items():
        held = name == "held out"
        axis.plot(path.lengths, row, color="#999999", ls="--" if held else "-", lw=1, zorder=1)
        axis.scatter(
            path.lengths,
            row,
            s=34,
            edgecolors=colours,
            facecolors="white" if held else colours,
            zorder=3,
        )
    axis.set_xscale("log")
    axis.set_xlabel("complexity (length of the network)")


def _handles(names: Iterable[str]) -> list[Line2D]:
    """Legend of dots: filled for what was trained on, open for what was held out."""
    return [
        Line2D(
            [],
            [],
            color="#999999",
            ls="--" if name == "held out" else "-",
            lw=1,
            marker="o",
            mec="#555555",
            mfc="white" if name == "held out" else "#555555",
            label=name,
        )
        for name in names
    ]


def _lengths(comparison: Comparison) -> Figure:
    """Bars of every path's length over the distance of its ends, a panel a metric."""
    paths = list(comparison.lengths)
    figure, axes = new_panels(
        len(comparison.geodesics), 3.9, 0.55 + 0.52 * (len(paths) + 1), sharey=True
    )
    for axis, name in zip(axes, comparison.geodesics):
        _put_ratios(axis, comparison, name)
        axis.set_yticks(range(len(paths)), [PATH_NAMES[path] for path in paths])
        axis.invert_yaxis()
    # sharing the axis inverts it once a panel: an even number would undo it
    axes[0].set_ylim(len(paths) - 0.5, -0.5)
    return figure


def _put_ratios(axis: Axes, comparison: Comparison, name: str) -> None:
    """Bars of one metric, each with its number."""
    paths = list(comparison.lengths)
    ratios = [comparison.ratios(path)[name] for path in paths]
    drawn = [ratio if np.isfinite(ratio) else 0 for ratio in ratios]
    axis.barh(range(len(paths)), drawn, color=[COLOURS[path] for path in paths], height=0.62)
    for y, (path, ratio) in enumerate(zip(paths, ratios)):
        text = f"{ratio:.3f}" if np.isfinite(ratio) else "unknown"
        if path == LEAST_ACTION:
            text += f" of {comparison.geodesics_of(path)[name].distance:.4g}"
        axis.text(max(drawn[y], 0), y, f" {text}", va="center")
    axis.axvline(1.0, color="#888888", lw=1, zorder=0)
    longest = max([ratio for ratio in ratios if np.isfinite(ratio)], default=1.0)
    axis.set_xlim(0, longest * (1.5 if LEAST_ACTION in paths else 1.2))
    axis.set_title(
        f"in {NAMES[name]}: distance {comparison.geodesics[name].distance:.5g}", fontsize=11
    )
    axis.set_xlabel("length / distance")


def _speed(comparison: Comparison) -> Figure:
    """Speed along every path over its mean, a panel a metric."""
    figure, axes = new_panels(len(comparison.geodesics), 3.9, 3.2, sharey=True)
    top = 1.0
    for axis, name in zip(axes, comparison.geodesics):
        for path, curve in comparison.curves.items():
            speed = comparison.speeds[path][name]
            mean = float(np.sum(speed * np.diff(curve.times)))
            if not np.isfinite(mean) or mean == 0:
                continue
            top = max(top, float(np.max(speed / mean)))
            axis.stairs(
                speed / mean,
                curve.times,
                baseline=None,
                color=COLOURS[path],
                ls=STYLES[path],
                lw=2.4 if path == name else 1.5,
            )
        axis.set_title(f"in {NAMES[name]}", fontsize=11)
        axis.set_xlabel("time along the path")
    # room above 1; a path that rushes its last step may leave the panel
    axes[0].set_ylim(0, float(np.clip(1.1 * top, 1.6, 4.0)))
    axes[0].set_ylabel("speed / mean speed")
    handles = [
        Line2D([], [], color=COLOURS[path], ls=STYLES[path], lw=2) for path in comparison.curves
    ]
    labels = [PATH_NAMES[path] for path in comparison.curves]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _paths(comparison: Comparison) -> Figure:
    """Paths of some points in the plane of the principal components of both ends."""
    curves = comparison.curves
    start = comparison.sample.points
    end = next(iter(curves.values())).end
    both = np.concatenate([start, end])
    centre = both.mean(axis=0)
    flat = start.shape[1] == 1
    axes_of = np.linalg.svd(both - centre, full_matrices=False)[2][:2]
    shown = np.linspace(0, len(start) - 1, min(N_TRACES, len(start))).astype(int)
    labels = comparison.sample.labels
    codes = np.zeros(len(start), dtype=int) if labels is None else np.asarray(labels)
    colours = _class_colours(codes)
    figure, axes = new_panels(len(curves), 3.6, 3.7, sharex=True, sharey=True)
    for axis, (name, curve) in zip(axes, curves.items()):
        if flat:
            plane = np.stack(
                [
                    np.broadcast_to(curve.times[:, None], curve.states.shape[:2]),
                    curve.states[..., 0],
                ],
                axis=-1,
            )
        else:
            plane = (curve.states - centre) @ axes_of.T
        axis.scatter(plane[-1, :, 0], plane[-1, :, 1], s=5, color="#dddddd", zorder=0)
        for i in shown:
            axis.plot(*plane[:, i].T, color=colours[i], lw=1.3)
        (first, second), (last_first, last_second) = plane[0, shown].T, plane[-1, shown].T
        axis.scatter(first, second, s=22, facecolors="white", edgecolors=colours[shown], zorder=3)
        axis.scatter(last_first, last_second, s=22, color=colours[shown], zorder=3)
        axis.set_title(PATH_NAMES[name], fontsize=11)
        axis.set_xlabel("time" if flat else "first principal component")
    axes[0].set_ylabel("x" if flat else "second principal component")
    return figure


def _class_colours(codes: np.ndarray) -> np.ndarray:
    map_ = matplotlib.colormaps["tab10" if codes.max(initial=0) < 10 else "turbo"]
    if codes.max(initial=0) < 10:
        return map_(codes)
    return map_(codes / codes.max())


def _sensitivity(comparison: Comparison) -> Figure:
    """Excess over kernel widths and ridges."""
    chosen = {"width": "kernel width", "ridge": "ridge ε"}
    found = [key for key in chosen if key in comparison.sensitivity]
    figure, axes = new_panels(len(found), 4.6, 3.2)
    for axis, key in zip(axes, found):
        row = comparison.sensitivity[key]
        values, excess = np.array(row["value"]), np.array(row["excess"], dtype=float)
        colour = COLOURS[row["metric"]]
        axis.plot(values, excess, "o-", color=colour)
        axis.set_xscale("log")
        middle = len(values) // 2
        axis.plot(values[middle], excess[middle], "o", ms=11, mfc="none", mec="#222222")
        axis.annotate(
            "this report",
            (values[middle], excess[middle]),
            xytext=(0, 12),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
        failed = values[~np.isfinite(excess)]
        if len(failed):
            axis.set_xlim(values.min() * 0.8, values.max() * 1.25)
            axis.plot(
                failed,
                np.full(len(failed), 0.04),
                "x",
                color="#888888",
                transform=axis.get_xaxis_transform(),
            )
            axis.set_title("× no geodesic (kernel matrix too ill-conditioned)", fontsize=9)
        axis.margins(y=0.25)
        axis.minorticks_off()
        axis.set_xticks(values, [f"{value:.2g}" for value in values])
        axis.set_xlabel(f"{chosen[key]} ({NAMES[row['metric']]})")
        axis.set_ylabel(f"excess of the {comparison.sensitivity['of']}")
    return figure


def _seeds(comparison: Comparison) -> Figure:
    """Excess of the network for every seed."""
    metrics = list(comparison.geodesics)
    figure, (axis,) = new_panels(1, 5.2, 3.2)
    kinds = {"excess": 0.0}
    if comparison.least_action is not None:
        kinds = {"excess": -0.22, "least_action_excess": 0.22}
    for (k, name), (kind, shift) in itertools.product(enumerate(metrics), kinds.items()):
        values = np.array([run[kind][name] for run in comparison.runs], dtype=float)
        axis.scatter(
            np.full(len(values), k + shift),
            values,
            edgecolors=COLOURS[name],
            facecolors=COLOURS[name] if kind == "excess" else "white",
            alpha=0.75,
            zorder=2,
        )
        axis.hlines(values.mean(), k + shift - 0.16, k + shift + 0.16, color=COLOURS[name], lw=2.5)
    axis.set_xticks(range(len(metrics)), [NAMES[name] for name in metrics])
    axis.set_xlim(-0.6, len(metrics) - 0.4)
    axis.set_ylabel("excess of the network")
    title = f"{len(comparison.runs)} seeds; the bar is the mean"
    if len(kinds) > 1:
        title += "; open: by least action"
    axis.set_title(title, fontsize=10)
    return figure
