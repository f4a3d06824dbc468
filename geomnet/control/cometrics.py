"""Cometrics of a path's steps, C_l = ♯_l/2L, in the sparsest form the metric allows."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..geometry.metric import AbstractMetric
from ..geometry.steps import Steps
from ..geometry.structure import Structure

__all__ = ["Cometrics", "cometrics_of", "plain_cometrics"]

DENSE_LIMIT = 512
"""Largest n·d for which cometrics of no known structure are held as dense matrices."""


class Cometrics(ABC):
    """C_l of every step, as matrices (L, ...) of some form.

    Parameters
    ----------
    array : ndarray
    shape : tuple of int
        (n, d) of the states.
    """

    def __init__(self, array: np.ndarray, shape: tuple[int, int]) -> None:
        self.array, self.shape = array, shape

    @property
    def size(self) -> float:
        """Mean of the diagonal."""
        return float(np.mean(np.diagonal(self.array, axis1=-2, axis2=-1)))

    @abstractmethod
    def add_to(self, matrix: np.ndarray, layer: int, factor: float) -> None:
        """Add factor·C_l to a matrix (n·d, n·d), in place."""

    @abstractmethod
    def times(self, layer: int, right: np.ndarray) -> np.ndarray:
        """C_l times a matrix (n·d, k)."""


class PointCometrics(Cometrics):
    """(L, n, d, d): points do not interact."""

    def add_to(self, matrix: np.ndarray, layer: int, factor: float) -> None:
        """Add to the blocks of the points."""
        n, d = self.shape
        index = np.arange(n)
        matrix.reshape(n, d, n, d)[index, :, index, :] += factor * self.array[layer]

    def times(self, layer: int, right: np.ndarray) -> np.ndarray:
        """Multiply point by point."""
        n, d = self.shape
        return (self.array[layer] @ right.reshape(n, d, -1)).reshape(right.shape)


class KernelCometrics(Cometrics):
    """(L, n, n): coordinates do not interact, and are alike."""

    def add_to(self, matrix: np.ndarray, layer: int, factor: float) -> None:
        """Add to the blocks of the coordinates."""
        n, d = self.shape
        split = matrix.reshape(n, d, n, d)
        for a in range(d):
            split[:, a, :, a] += factor * self.array[layer]

    def times(self, layer: int, right: np.ndarray) -> np.ndarray:
        """Multiply coordinate by coordinate."""
        return (self.array[layer] @ right.reshape(self.shape[0], -1)).reshape(right.shape)


class DenseCometrics(Cometrics):
    """(L, n·d, n·d)."""

    def add_to(self, matrix: np.ndarray, layer: int, factor: float) -> None:
        """Add the matrix."""
        matrix += factor * self.array[layer]

    def times(self, layer: int, right: np.ndarray) -> np.ndarray:
        """Multiply by the matrix."""
        return self.array[layer] @ right


def cometrics_of(metric: AbstractMetric, rule: str, states: np.ndarray, steps: Steps) -> Cometrics:
    """Cometrics in the sparsest form the metric allows.

    Past n·d = 512 a diagonal where nothing else is known, estimated by random signs, which leaves
    solutions as they are and costs products.

    Parameters
    ----------
    metric : AbstractMetric
    rule : {"midpoint", "left"}
    states : ndarray, shape (L+1, n, d)
    steps : Steps
        Between the states, by that rule.
    """
    depth, n, d = len(states) - 1, *states.shape[1:]
    shape, scale = (n, d), 1 / (2 * depth)
    if metric.structure in (Structure.FLAT, Structure.POINTWISE):
        fields = [np.broadcast_to(unit, (depth, n, d)) for unit in np.eye(d)]
        array = np.stack([steps.sharp(one) for one in fields], axis=-1)
        return PointCometrics(scale * array, shape)
    gram = metric.gram(states[:-1] if rule == "left" else 0.5 * (states[:-1] + states[1:]))
    if gram is not None:
        return KernelCometrics(scale * gram, shape)
    if n * d <= DENSE_LIMIT:
        units = np.eye(n * d).reshape(-1, 1, n, d)
        columns = [steps.sharp(np.repeat(unit, depth, axis=0)) for unit in units]
        array = np.stack(columns, axis=-1).reshape(depth, n * d, n * d)
        return DenseCometrics(scale * array, shape)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(8, depth, n, d))
    diagonal = np.abs(np.mean([one * steps.sharp(one) for one in signs], axis=0))
    least = 1e-2 * diagonal.mean(axis=(1, 2), keepdims=True)
    return PointCometrics(scale * np.maximum(diagonal, least)[..., None] * np.eye(d), shape)


def plain_cometrics(states: np.ndarray) -> Cometrics:
    """Multiples of the identity, for paths where there is no metric to ask."""
    depth, n, d = len(states) - 1, *states.shape[1:]
    return PointCometrics(np.broadcast_to(np.eye(d), (depth, n, d, d)), (n, d))
