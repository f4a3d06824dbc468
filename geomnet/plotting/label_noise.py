"""The figure of a study of label noise: every measure against the share of random labels."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..studies.comparison.options import NETWORK
from ..studies.label_noise.result import LabelNoiseStudy
from .panels import COLOURS

__all__ = ["plot_label_noise"]

DARK, GREEN, GREY = COLOURS[NETWORK], COLOURS["fisher-rao"], "#999999"

PANELS: dict[str, dict[str, tuple[str, str, str]]] = {
    "accuracy": {
        "test_accuracies": (DARK, "-", "held out, true labels"),
        "train_accuracies": (GREY, "--", "trained on"),
    },
    "training loss": {"train_losses": (GREY, "--", "")},
    "layer path": {
        "lengths": (DARK, "--", "length"),
        "chords": (GREEN, "-", "chord"),
    },
    "length / chord": {"excesses": (GREEN, "-", "")},
    "θᵀGθ": {"fisher_rao_norms": (GREEN, "-", "")},
    "tr G": {"traces": (GREEN, "-", "")},
    "Σ log λ": {"log_volumes": (GREEN, "-", "")},
    "effective dimension": {"effective_dimensions": (GREEN, "-", "")},
}
"""Measures of every panel, each with its colour, line and name."""
LOGARITHMIC = ("training loss", "tr G")


def plot_label_noise(study: LabelNoiseStudy) -> Figure:
    """Draw every measure against the share of random labels: mean, standard error, each network.

    Measures of the Fisher metric are green, as in the other figures. Without held-out data there
    is no test accuracy; a panel without any number is left out.

    Parameters
    ----------
    study : LabelNoiseStudy

    Returns
    -------
    matplotlib.figure.Figure
        Made without pyplot; ``.savefig`` writes it.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.plotting import plot_label_noise
    >>> from geomnet.studies.label_noise import label_noise_study
    >>> sample = gn.datasets.load("iris", n=40, seed=0)
    >>> network = gn.FeedForward((4, 6, 6, 3), skips={1: 0.5})
    >>> figure = plot_label_noise(label_noise_study(sample, network, [0, 1], seeds=2, epochs=20))
    >>> [axis.get_title() for axis in figure.axes][:3]
    ['accuracy', 'training loss', 'layer path']
    """
    if not isinstance(study, LabelNoiseStudy):
        raise InputError(f"study: expected a LabelNoiseStudy, got {type(study).__name__}")
    panels = {
        title: shown
        for title, rows in PANELS.items()
        if (shown := {n: style for n, style in rows.items() if np.isfinite(study.mean(n)).any()})
    }
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.9 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
    for axis in grid.flat[len(panels) :]:
        axis.remove()
    for axis, (title, rows) in zip(grid.flat, panels.items()):
        for name, style in rows.items():
            _measure(axis, study, name, *style)
        axis.set_title(title, fontsize=11)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelbottom=True)
        if title in LOGARITHMIC:
            axis.set_yscale("log")
        if len(rows) > 1:
            axis.legend(frameon=False, fontsize=9)
    figure.supxlabel("share of random labels", fontsize=10)
    count = len(study.seeds)
    figure.suptitle(
        f"{study.network}, {count} seed{'s' if count > 1 else ''}: mean, standard error, and "
        "every network",
        fontsize=10,
    )
    return figure


def _measure(
    axis: Axes, study: LabelNoiseStudy, name: str, colour: str, line: str, label: str
) -> None:
    """One measure: dots of the networks, means with their standard errors."""
    values = getattr(study, name)
    axis.scatter(
        np.repeat(study.noises, values.shape[1]),
        values.ravel(),
        s=9,
        color=colour,
        alpha=0.35,
        linewidths=0,
    )
    axis.errorbar(
        study.noises,
        study.mean(name),
        np.nan_to_num(study.standard_error(name)),
        color=colour,
        ls=line,
        lw=1.5,
        marker="o",
        ms=4,
        mfc="white" if line == "--" else colour,
        capsize=2.5,
        label=label,
    )
