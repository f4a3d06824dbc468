"""The quadratic form of a metric known by its inner product, its derivatives by autograd."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve

from ..errors import DomainError, InputError
from ..geometry.metric import AbstractMetric
from ..geometry.quadratic_form import FormByProducts
from ..utils.autodiff import gradient

__all__ = ["DENSE_LIMIT", "AutogradForm"]

DENSE_LIMIT = 512
"""Largest n·d for which a metric without its own ♯ is handled by dense matrices."""


class AutogradForm(FormByProducts):
    """The quadratic form of any metric, its derivatives by autograd.

    The cometric is dense up to n·d = 512; beyond, the preconditioner takes the inverse of a
    diagonal estimated with random signs (Bekas, Kokiopoulou & Saad 2007), which leaves the
    solution as it is and only costs products.
    """

    def __init__(
        self, metric: AbstractMetric, velocity: np.ndarray, base_point: np.ndarray
    ) -> None:
        self.metric, self.v, self.m = metric, velocity, base_point
        self.value = np.asarray(metric.inner_product(velocity, velocity, base_point))
        if self.value.shape != (len(velocity),):
            raise InputError(
                f"inner_product: for ({len(velocity)}, n, d) arrays it must return shape "
                f"({len(velocity)},), got {self.value.shape}; sum over axes (-2, -1)"
            )
        if self.value.dtype == object or not np.isfinite(self.value).all():
            raise DomainError("inner_product: returned NaN or infinity at a point of the path")
        if (self.value < 0).any():
            raise DomainError(
                f"inner_product: negative at a point of the path ({self.value.min():.3g}); a "
                "Riemannian metric is positive definite"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the velocity."""
        return self.v.shape

    @cached_property
    def flat(self) -> np.ndarray:
        """♭v."""
        return self.metric.flat(self.v, self.m)

    @cached_property
    def gradient(self) -> np.ndarray:
        """Q = ∂_m⟨v, v⟩."""
        return self.metric.quadratic_gradient(self.v, self.m)

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reverse over reverse: the gradient of (∇h)·(dv, dm) with h = ⟨v, v⟩."""
        inner = self.metric.inner_product

        def slope(v: ArrayLike, m: Any) -> Any:
            dh_v = autograd.grad(lambda v: anp.sum(inner(v, v, m)))(v)
            dh_m = gradient(lambda m: anp.sum(inner(v, v, m)), m)
            return anp.sum(dh_v * dv) + anp.sum(dh_m * dm)

        along_v = gradient(lambda v: slope(v, self.m), self.v)
        along_m = gradient(lambda m: slope(self.v, m), self.m)
        return 0.5 * along_v, along_m

    @cached_property
    def _cometrics(self) -> np.ndarray:
        size = self.v[0].size
        if size <= DENSE_LIMIT:
            dense = self.metric.dense(self.m)
            try:
                np.linalg.cholesky(dense)
            except np.linalg.LinAlgError:
                raise DomainError(
                    "inner_product: not positive definite at a point of the path"
                ) from None
            return np.linalg.inv(dense)
        rng = np.random.default_rng(0)
        total = np.zeros_like(self.m)
        for _ in range(4):
            signs = rng.choice([-1.0, 1.0], size=self.m.shape)
            total += signs * self.metric.flat(signs, self.m)
        mean = np.abs(total / 4)
        inner = tuple(range(1, mean.ndim))
        return 1.0 / np.maximum(mean, 1e-3 * mean.mean(axis=inner, keepdims=True))

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯p, dense or diagonal."""
        cometrics = self._cometrics
        if cometrics.shape == p.shape and p[0].size > DENSE_LIMIT:
            return cometrics * p
        return (cometrics @ p.reshape(len(p), -1, 1)).reshape(p.shape)

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the summed cometrics."""
        total = self._cometrics.sum(axis=0)
        if r.size > DENSE_LIMIT:
            return r / total
        return cho_solve(cho_factor(total), r.reshape(-1)).reshape(r.shape)
