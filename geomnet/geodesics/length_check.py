r"""The length of a path where its solver did not look.

A solver sees the metric at its own nodes only: eight Gauss nodes at degree 4, N midpoints. What is
narrower than the gaps between them is missed, and a solver that saw nothing sees nothing to
doubt. So every path of a chart is measured once more at places of its own, far denser.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import DomainError
from ..geometry.metric import AbstractMetric

__all__ = ["dense_steps", "measure", "measured"]

FINEST = 256
"""Steps of the finest of four measurements: with their midpoints, 512 places along the path."""

LEVELS = 4

PLACES = 250_000
"""Entries of metric matrices that one measurement of a path is worth."""

TOGETHER = 2_000_000
"""Entries of metric matrices that are asked for in one call."""


def dense_steps(size: int) -> int:
    """Uniform steps in which a path of `size` coordinates is measured; fewer for large matrices."""
    steps = FINEST
    while steps > FINEST // 4 and 2 * steps * size * size > PLACES:
        steps //= 2
    return steps


def measured(metric: AbstractMetric) -> bool:
    """Whether a metric's paths are measured: those of coordinates, whose steps cost little."""
    return metric.structure.in_coordinates


def measure(metric: AbstractMetric, paths: np.ndarray) -> np.ndarray:
    """Lengths of smooth paths (B, K+1, d), (B,): chords of K, K/2, K/4, K/8 steps, by Romberg.

    Infinite where a path meets a place that is none of the metric's.
    """
    count, knots, size = paths.shape
    together = max(1, TOGETHER // (2 * knots * size * size))
    if count > together:
        parts = [measure(metric, paths[i : i + together]) for i in range(0, count, together)]
        return np.concatenate(parts)
    levels = [paths[:, :: 2**level] for level in reversed(range(LEVELS))]
    try:
        with np.errstate(all="ignore"):
            squared = np.asarray(
                metric.squared_step(
                    np.concatenate([path[:, :-1].reshape(-1, size) for path in levels]),
                    np.concatenate([path[:, 1:].reshape(-1, size) for path in levels]),
                )
            )
    except DomainError:
        if count == 1:
            return np.array([np.inf])
        return np.concatenate([measure(metric, path[None]) for path in paths])
    # a step of no or negative length is no step of a metric, unless the path stands still there
    speeds = np.where(squared >= 0, np.sqrt(np.maximum(squared, 0.0)), np.inf)
    splits = np.cumsum([count * (path.shape[1] - 1) for path in levels])[:-1]
    return _romberg([part.reshape(count, -1).sum(axis=1) for part in np.split(speeds, splits)])


def _romberg(row: list[np.ndarray]) -> np.ndarray:
    """Extrapolate lengths of rising step counts; infinite where they are not finite."""
    for order in range(1, LEVELS):
        with np.errstate(invalid="ignore"):
            row = [fine + (fine - coarse) / (4.0**order - 1) for coarse, fine in pairwise(row)]
    return np.where(np.isfinite(row[0]), row[0], np.inf)
