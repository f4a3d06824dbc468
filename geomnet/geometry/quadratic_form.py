"""The quadratic form of a metric at a batch of points, with the derivatives solvers ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Protocol

import numpy as np

__all__ = ["FormByProducts", "QuadraticForm", "unit_vectors"]


class QuadraticForm(Protocol):
    """The form ⟨v, v⟩_m at a batch of points m and vectors v, (k, n, d), with derivatives."""

    value: np.ndarray
    """⟨v, v⟩, (k,)."""

    @property
    def flat(self) -> np.ndarray:
        """♭v = ½∂_v⟨v, v⟩, (k, n, d)."""

    @property
    def gradient(self) -> np.ndarray:
        """Q = ∂_m⟨v, v⟩, (k, n, d)."""

    @property
    def matrix(self) -> np.ndarray:
        """G = ½∂²⟨v, v⟩/∂v∂v, (k, D, D) with D = n·d."""

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of (♭v, q) along (dv, dm), each (k, n, d)."""

    def second_derivatives(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G, C[i, j] = ∂²⟨v, v⟩/∂m_i∂v_j and A = ∂²⟨v, v⟩/∂m∂m, each (k, D, D)."""

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯p at each m, (k, n, d): exactly, or as a positive definite approximation."""

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """λ with (Σ_k ♯_k)λ = r, (n, d)."""


class FormByProducts(ABC):
    """Base of forms that know their derivative along a direction: the matrices follow from it."""

    value: np.ndarray

    @abstractmethod
    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of (♭v, q) along (dv, dm), each (k, n, d)."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the vectors, (k, n, d)."""

    @cached_property
    def matrix(self) -> np.ndarray:
        """G = ½∂²⟨v, v⟩/∂v∂v, (k, D, D)."""
        return self.second_derivatives()[0]

    def second_derivatives(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G, C and A by products with unit vectors, each (k, D, D)."""
        shape = self.shape
        size = int(np.prod(shape[1:]))
        still = np.zeros(shape)
        g, c, a = (np.empty((shape[0], size, size)) for _ in range(3))
        for j in range(size):
            unit = unit_vectors(shape, j)
            flat, gradient = self.derivative(unit, still)
            g[:, :, j], c[:, :, j] = flat.reshape(-1, size), gradient.reshape(-1, size)
            a[:, :, j] = self.derivative(still, unit)[1].reshape(-1, size)
        return g, c, a


def unit_vectors(shape: tuple[int, ...], j: int) -> np.ndarray:
    """The j-th unit vector, at every one of shape[0] points."""
    unit = np.zeros((shape[0], int(np.prod(shape[1:]))))
    unit[:, j] = 1.0
    return unit.reshape(shape)
