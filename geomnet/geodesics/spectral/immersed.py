r"""Polynomial paths in the metric of an immersion, differentiated in its image.

The image F(t) = f(γ(t)) is interpolated at n + 1 Legendre–Gauss–Lobatto nodes of [0, 1] and its
derivative D F taken at Gauss nodes, so that

.. math:: E = \int|\dot F|^2dt = \sum_g w_g|(DF)_g|^2, \qquad
    \frac{∂E}{∂γ(t_q)} = J_q^\top Λ_q, \quad Λ = 2D^\top wDF,

asks f for its values and one pullback only. The Hessian in the nodes is
:math:`2K_{qr}J_q^\top J_r + δ_{qr}\,Λ_q\cdot∂^2f`, with :math:`K = D^\top wD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial.legendre import Legendre, legder, legval, legvander

from ...geometry.metric import ImmersedMetric
from .legendre import Basis, basis, functions
from .polynomial_paths import PolynomialPaths, Selection

__all__ = ["ImmersedPaths"]


@dataclass(frozen=True)
class Grid:
    """Lobatto nodes for paths of one degree."""

    times: np.ndarray
    """In [0, 1], ends included, (n+1,)."""
    weights: np.ndarray
    values: np.ndarray
    """φ_j there, (n+1, p−1)."""
    slopes: np.ndarray
    """φ_j' there."""
    to_speed: np.ndarray
    """D: from values at the nodes to derivatives at the basis' Gauss nodes, (Q, n+1)."""
    coupling: np.ndarray
    """K = DᵀwD, (n+1, n+1)."""


@lru_cache
def grid(degree: int) -> Grid:
    """Nodes for paths of degree p: as many as the basis has Gauss nodes, and one more."""
    b = basis(degree)
    n = len(b.times)
    nodes = np.concatenate([[-1.0], np.sort(Legendre.basis(n).deriv().roots().real), [1.0]])
    weights = 1.0 / (n * (n + 1) * legval(nodes, np.eye(n + 1)[n]) ** 2)
    # Legendre coefficients of the interpolant, and their derivative at the Gauss nodes
    to_coefficients = np.linalg.inv(legvander(nodes, n))
    to_speed = 2 * legvander(2 * b.times - 1, n - 1) @ legder(to_coefficients)
    times = 0.5 * (nodes + 1)
    values, slopes = functions(degree, times)
    coupling = to_speed.T @ (b.weights[:, None] * to_speed)
    return Grid(times, weights, values, slopes, to_speed, coupling)


class ImmersedPaths(PolynomialPaths):
    """In the metric an immersion pulls back."""

    def at(self, items: Selection, c: np.ndarray) -> ImmersedPaths:
        """Evaluate a selection at other coefficients."""
        return ImmersedPaths(self.metric, self.starts[items], self.deltas[items], c, self.basis)

    def __init__(
        self,
        metric: ImmersedMetric,
        starts: np.ndarray,
        deltas: np.ndarray,
        c: np.ndarray,
        b: Basis,
    ) -> None:
        super().__init__(starts, deltas, c, b)
        self.metric = metric
        self.grid = grid(c.shape[1] + 1)
        self.points = starts[:, None] + self.grid.times[:, None] * deltas[:, None]
        self.points += self.grid.values @ c
        images = metric(self.points.reshape(-1, self.size))
        self.velocity = self.grid.to_speed @ images.reshape(self.count, len(self.grid.times), -1)
        self.squared_speed = np.sum(self.velocity**2, axis=-1)

    @cached_property
    def _covectors(self) -> np.ndarray:
        """Λ = 2DᵀwDF, (B, n+1, ·)."""
        return 2 * self.grid.to_speed.T @ (self.basis.weights[:, None] * self.velocity)

    def _flat(self, array: np.ndarray) -> np.ndarray:
        """Interior nodes of all paths in one axis: at the ends every φ_j is zero."""
        return array[:, 1:-1].reshape(-1, array.shape[-1])

    @cached_property
    def gradient(self) -> np.ndarray:
        """Σ_q φ_j(t_q)J_qᵀΛ_q, (B, (p−1)·d)."""
        pulled = self.metric.pull_back(self._flat(self.points), self._flat(self._covectors))
        pulled = pulled.reshape(self.count, -1, self.size)
        return (self.grid.values[1:-1].T @ pulled).reshape(self.count, -1)

    @cached_property
    def _jacobians(self) -> np.ndarray:
        """J at all nodes, (B, n+1, D, d)."""
        found = self.metric.jacobian(self.points.reshape(-1, self.size))
        return found.reshape(self.count, len(self.grid.times), *found.shape[1:])

    @cached_property
    def hessians(self) -> np.ndarray:
        """∂²E/∂c∂c, (B, (p−1)·d, (p−1)·d)."""
        bends = self.metric.bends(self._flat(self.points), self._flat(self._covectors))
        inner = self._jacobians[:, 1:-1]
        nodes, phi = inner.shape[1], self.grid.values[1:-1]
        rows = inner.transpose(0, 1, 3, 2).reshape(self.count, nodes * self.size, -1)
        gram = rows @ rows.transpose(0, 2, 1)
        gram = gram.reshape(self.count, nodes, self.size, nodes, self.size)
        gram *= 2 * self.grid.coupling[1:-1, None, 1:-1, None]
        q = np.arange(nodes)
        gram[:, q, :, q] += bends.reshape(self.count, nodes, self.size, self.size).transpose(
            1, 0, 2, 3
        )
        half = np.tensordot(gram, phi, axes=(3, 0))  # (B, q, d, d, k)
        found = np.tensordot(half, phi, axes=(1, 0))  # (B, d, d, k, j)
        size = phi.shape[1] * self.size
        return found.transpose(0, 4, 1, 3, 2).reshape(self.count, size, size)

    @cached_property
    def _matrices(self) -> np.ndarray:
        """JᵀJ at all nodes, (B, n+1, d, d)."""
        return self._jacobians.transpose(0, 1, 3, 2) @ self._jacobians

    @cached_property
    def stiffness(self) -> np.ndarray:
        """Σ_q 2w_qφ_j'φ_k'J_qᵀJ_q."""
        slopes = self.grid.slopes
        found = np.einsum(
            "q,qj,qk,bqxy->bjxky",
            2 * self.grid.weights,
            slopes,
            slopes,
            self._matrices,
            optimize=True,
        )
        size = slopes.shape[1] * self.size
        return found.reshape(self.count, size, size)

    def mean_matrix(self, i: int) -> np.ndarray:
        """Lobatto quadrature of JᵀJ."""
        return np.tensordot(self.grid.weights, self._matrices[i], axes=1)
