r"""Derivatives of a kernel's quadratic form :math:`Φ(x,p) = \sum_{ij}(p_i·p_j)\,k(x_i,x_j)`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np

from ..geometry.kernels import Kernel, RadialKernel, squared_distances

__all__ = ["KernelJet", "RadialJet", "kernel_jet"]


class KernelJet(ABC):
    """Kernel matrices at (k, n, d) points with the derivatives of Φ(x, p)."""

    matrix: np.ndarray
    """K, (k, n, n)."""

    @abstractmethod
    def gradient(self, p: np.ndarray) -> np.ndarray:
        """∂_xΦ."""

    @abstractmethod
    def prepare(self, p: np.ndarray) -> None:
        """Hold what the changes at p share."""

    @abstractmethod
    def change(self, dx: np.ndarray) -> np.ndarray | None:
        """What both changes along dx share."""

    @abstractmethod
    def matrix_change(self, shared: Any, dx: np.ndarray, p: np.ndarray) -> np.ndarray:
        """δK p."""

    @abstractmethod
    def gradient_change(
        self, shared: Any, dx: np.ndarray, p: np.ndarray, dp: np.ndarray
    ) -> np.ndarray:
        """Change of ∂_xΦ along (dx, dp)."""


def kernel_jet(kernel: Kernel, points: np.ndarray) -> KernelJet:
    """By hand for radial kernels, by autograd for any other."""
    if isinstance(kernel, RadialKernel):
        return RadialJet(kernel, points)
    return AutogradJet(kernel, points)


class RadialJet(KernelJet):
    """Kernel matrices at (k, n, d) points with the derivatives of Φ(x, p), by hand."""

    def __init__(self, kernel: RadialKernel, points: np.ndarray) -> None:
        self.kernel = kernel
        self.x = points - points.mean(axis=-2, keepdims=True)
        self._rho = rho = np.asarray(squared_distances(self.x))
        self.matrix = kernel.profile(rho)

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        slopes = self.kernel.profile_slopes(self._rho)
        del self._rho
        return slopes

    def _laplacian(self, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ_j W_aj (x_a − x_j)."""
        return weights.sum(axis=-1)[..., None] * x - weights @ x

    def gradient(self, p: np.ndarray) -> np.ndarray:
        """∂_xΦ = 4 Σ_j (p_a·p_j) κ'(ρ_aj)(x_a − x_j)."""
        products = p @ np.swapaxes(p, -1, -2)
        return 4 * self._laplacian(products * self._slopes[0], self.x)

    def prepare(self, p: np.ndarray) -> None:
        """Hold (p_a·p_j)κ' and (p_a·p_j)κ'' for the Hessian products at p."""
        products = p @ np.swapaxes(p, -1, -2)
        first, second = self._slopes
        self._first = products * first
        self._second = products * second

    def change(self, dx: np.ndarray) -> np.ndarray:
        """δρ_aj = 2 (x_a − x_j)·(δx_a − δx_j) along dx."""
        cross = self.x @ np.swapaxes(dx, -1, -2)
        own = np.sum(self.x * dx, axis=-1)
        drho = cross + np.swapaxes(cross, -1, -2)
        np.subtract(own[..., :, None], drho, out=drho)
        drho += own[..., None, :]
        drho *= 2
        return drho

    def matrix_change(self, shared: np.ndarray, dx: np.ndarray, p: np.ndarray) -> np.ndarray:
        """δK p."""
        return (self._slopes[0] * shared) @ p

    def gradient_change(
        self, shared: np.ndarray, dx: np.ndarray, p: np.ndarray, dp: np.ndarray
    ) -> np.ndarray:
        """Change of ∂_xΦ along (dx, dp)."""
        weights = dp @ np.swapaxes(p, -1, -2)
        weights = weights + np.swapaxes(weights, -1, -2)
        weights *= self._slopes[0]
        shared *= self._second
        weights += shared
        return 4 * (self._laplacian(weights, self.x) + self._laplacian(self._first, dx))


class AutogradJet(KernelJet):
    """The same for any kernel, by autograd on Φ(x, p) = Σ p_i·p_j k(x_i, x_j)."""

    def __init__(self, kernel: Kernel, points: np.ndarray) -> None:
        self.kernel, self.x = kernel, points
        self.matrix = np.asarray(kernel.matrix(points))

    def _phi(self, x: Any, p: Any) -> Any:
        return anp.sum(p * anp.matmul(self.kernel.matrix(x), p))

    def gradient(self, p: np.ndarray) -> np.ndarray:
        """∂_xΦ."""
        return autograd.grad(self._phi, 0)(self.x, p)

    def prepare(self, p: np.ndarray) -> None:
        """Nothing."""

    def change(self, dx: np.ndarray) -> None:
        """Nothing."""

    def matrix_change(self, shared: None, dx: np.ndarray, p: np.ndarray) -> np.ndarray:
        """δK p."""
        # ∂_p of (∂_xΦ·dx) is 2 δK p
        return 0.5 * autograd.grad(lambda p: anp.sum(autograd.grad(self._phi, 0)(self.x, p) * dx))(
            p
        )

    def gradient_change(
        self, shared: None, dx: np.ndarray, p: np.ndarray, dp: np.ndarray
    ) -> np.ndarray:
        """Change of ∂_xΦ along (dx, dp)."""

        def along(x: Any) -> Any:
            gradient_x, gradient_p = (autograd.grad(self._phi, i)(x, p) for i in (0, 1))
            return anp.sum(gradient_x * dx) + anp.sum(gradient_p * dp)

        return autograd.grad(along)(self.x)
