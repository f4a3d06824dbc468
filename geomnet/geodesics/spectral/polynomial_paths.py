r"""Batches of polynomial paths of one degree: energy, gradient and Hessian in their coefficients.

The paths are those of :mod:`~geomnet.geodesics.spectral.legendre`. :class:`PolynomialPaths`
says what a solver asks of them; how the energy is had depends on the metric: by its form at Gauss
nodes here, by images of the path in :mod:`~geomnet.geodesics.spectral.immersed`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ...geometry.metric import AbstractMetric
from .legendre import Basis

__all__ = ["FormPaths", "PolynomialPaths", "Selection"]

Selection = slice | list[int] | np.ndarray
"""Which paths of a batch."""


class PolynomialPaths(ABC):
    """Paths (1−t)a + tb + Σ c_jφ_j(t), B at once, in some metric.

    Parameters
    ----------
    starts, deltas : ndarray, shape (B, D)
        Starts a and differences b − a.
    c : ndarray, shape (B, p-1, D)
    b : Basis
    """

    squared_speed: np.ndarray
    """⟨γ̇, γ̇⟩ at the Gauss nodes of the basis' ``weights``, (B, Q)."""

    def __init__(self, starts: np.ndarray, deltas: np.ndarray, c: np.ndarray, b: Basis) -> None:
        self.starts, self.deltas, self.basis = starts, deltas, b
        self.coefficients = c
        self.count, self.size = starts.shape

    @abstractmethod
    def at(self, items: Selection, c: np.ndarray) -> PolynomialPaths:
        """Evaluate a selection at other coefficients."""

    @cached_property
    def energy(self) -> np.ndarray:
        """∫⟨γ̇, γ̇⟩dt, (B,)."""
        return self.squared_speed @ self.basis.weights

    @property
    @abstractmethod
    def gradient(self) -> np.ndarray:
        """∂E/∂c, (B, (p−1)·D)."""

    @property
    @abstractmethod
    def hessians(self) -> np.ndarray:
        """∂²E/∂c∂c, (B, (p−1)·D, (p−1)·D)."""

    @property
    @abstractmethod
    def stiffness(self) -> np.ndarray:
        """M: the Hessian with the metric held fixed."""

    @abstractmethod
    def mean_matrix(self, i: int) -> np.ndarray:
        """∫G dt along a path, (D, D)."""

    def gradient_norm(self, i: int) -> float:
        """√(gᵀM⁻¹g/E)."""
        g = self.gradient[i]
        factor, failed = dpotrf(self.stiffness[i], lower=1)
        square = np.inf if failed else g @ dpotrs(factor, g, lower=1)[0]
        return math.sqrt(max(float(square), 0.0) / float(self.energy[i]))

    def speed(self, i: int) -> np.ndarray:
        """Speed at the nodes, (Q,)."""
        return np.sqrt(np.maximum(self.squared_speed[i], 0.0))

    def tail(self, i: int) -> float:
        """Speed of the last two coefficients against the whole: what is cut off is smaller."""
        last = self.coefficients[i, -2:]
        square = float(np.vdot(last @ self.mean_matrix(i), last))
        return math.sqrt(max(square, 0.0) / float(self.energy[i]))


class FormPaths(PolynomialPaths):
    """In a metric with a quadratic form: its value and derivatives at Gauss nodes."""

    def __init__(
        self,
        metric: AbstractMetric,
        starts: np.ndarray,
        deltas: np.ndarray,
        c: np.ndarray,
        b: Basis,
    ) -> None:
        super().__init__(starts, deltas, c, b)
        self.metric = metric
        nodes = len(b.times)
        moved = b.both @ c
        points = starts[:, None] + b.times[:, None] * deltas[:, None] + moved[:, :nodes]
        speeds = deltas[:, None] + moved[:, nodes:]
        shape = (-1, *metric.space.shape)
        self.form = metric.linearise(speeds.reshape(shape), points.reshape(shape))
        self.squared_speed = self.form.value.reshape(self.count, nodes)

    def at(self, items: Selection, c: np.ndarray) -> FormPaths:
        """Evaluate a selection at other coefficients."""
        return FormPaths(self.metric, self.starts[items], self.deltas[items], c, self.basis)

    @cached_property
    def gradient(self) -> np.ndarray:
        """∂E/∂c, (B, (p−1)·D)."""
        shape = (self.count, -1, self.size)
        to_speed, to_point = self.basis.pulls
        found = to_speed @ self.form.flat.reshape(shape)
        found += to_point @ self.form.gradient.reshape(shape)
        return found.reshape(self.count, -1)

    def _assemble(self, products: np.ndarray, matrices: np.ndarray) -> np.ndarray:
        """Σ_q products[jk, q] matrices[q] as matrices of (jα, kβ), (B, (p−1)·D, (p−1)·D)."""
        m, d = self.basis.slopes.shape[1], self.size
        blocks = products @ matrices.reshape(self.count, -1, d * d)
        blocks = blocks.reshape(self.count, m, m, d, d).transpose(0, 1, 3, 2, 4)
        return blocks.reshape(self.count, m * d, m * d)

    @cached_property
    def hessians(self) -> np.ndarray:
        """∂²E/∂c∂c, (B, (p−1)·D, (p−1)·D)."""
        _, c, a = self.form.second_derivatives()
        across = self._assemble(self.basis.products[1], c)
        found = self._assemble(self.basis.products[2], a)
        found += self.stiffness
        found += across
        found += across.transpose(0, 2, 1)
        return found

    @cached_property
    def stiffness(self) -> np.ndarray:
        """M: the Hessian with the metric held fixed."""
        return self._assemble(self.basis.products[0], self.form.matrix)

    def mean_matrix(self, i: int) -> np.ndarray:
        """Quadrature of G."""
        matrices = self.form.matrix.reshape(self.count, len(self.basis.times), -1)[i]
        return (self.basis.weights @ matrices).reshape(self.size, self.size)
