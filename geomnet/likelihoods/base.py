"""The contract of a likelihood p(y|z), and its closed squared distance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError

CERTAIN = -float(np.log(np.finfo(float).eps))
"""Log odds from which on 1 − p is rounding: 36.04."""

__all__ = ["Likelihood", "SquaredDistance"]


class SquaredDistance(NamedTuple):
    """A squared distance D(z, z') with all its first and second derivatives.

    Shapes: value (...), gradients (..., C), Hessians (..., C, C); ``mixed`` is ∂²D/∂z∂z'.
    """

    value: np.ndarray
    gradient_start: np.ndarray
    gradient_end: np.ndarray
    hessian_start: np.ndarray
    mixed: np.ndarray
    hessian_end: np.ndarray


class Likelihood(ABC):
    """A family of distributions p(y|z) of the targets y, given parameters z."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Length C of z."""

    @abstractmethod
    def fisher_factor(self, z: Any) -> Any:
        r"""Return S with :math:`S^\top S = F(z)`, (..., q, C), in ``autograd.numpy``."""

    @abstractmethod
    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        r"""Return :math:`∂_z\langle v, v\rangle_z = ∂_z(v^\top F(z)v)`, (..., C)."""

    @abstractmethod
    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Closed squared Fisher–Rao distance, (...)."""

    @abstractmethod
    def squared_distance_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        """Squared distance with its first and second derivatives."""

    @abstractmethod
    def geodesic(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Closed geodesic at `times` in [0, 1]: (T, ..., C)."""

    @abstractmethod
    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return −log p(y|z), (...)."""

    @abstractmethod
    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return ∂(−log p(y|z))/∂z, (..., C)."""

    @abstractmethod
    def check_targets(self, y: Any, n: int) -> np.ndarray:
        """Return targets of `n` data in the form the loss takes, or say what is wrong."""

    def score_factor(self, z: np.ndarray) -> np.ndarray:
        r"""Return S of as few rows as F has rank, :math:`S^\top S = F(z)`, (..., q, C)."""
        return np.asarray(self.fisher_factor(z))

    def fisher_product(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Products F(z)v of vectors (..., k, C) for parameters z (..., C)."""
        return v @ self.fisher_matrix(z)

    def fisher_operator(self, z: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """:meth:`fisher_product` at z (..., C), for many products there."""
        return partial(self.fisher_product, z)

    def draw(self, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw targets y from p(y|z), for z (n, C)."""
        raise InputError(
            f"likelihood: {type(self).__name__} has no draw(z, rng), which Monte Carlo needs; "
            "write one, or take kind='true'"
        )

    def fisher_matrix(self, z: np.ndarray) -> np.ndarray:
        """Fisher matrix F(z), (..., C, C)."""
        factor = self.fisher_factor(z)
        return np.swapaxes(factor, -1, -2) @ factor

    def distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Closed Fisher–Rao distance between the distributions at `start` and `end`, (...)."""
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        return np.sqrt(self.squared_distance(start, end))

    def bhattacharyya(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Closed Bhattacharyya distance :math:`-\log\int\sqrt{p(y|z)\,p(y|z')}\,dy`, (...).

        It adds up over independent outputs and data, has no triangle inequality, and is an eighth
        of the squared Fisher–Rao distance where both are small (Bhattacharyya 1943).
        """
        raise InputError(
            f"likelihood: {self!r} has no closed Bhattacharyya distance; give it a method "
            'bhattacharyya(start, end), or take kind="fisher_rao"'
        )

    def gauge_projector(self) -> np.ndarray | None:
        """Projector on the directions of z that change p (None where all do), (C, C)."""
        return None

    def certain(self, z: np.ndarray) -> np.ndarray:
        """Whether predictions are certain to all digits, 1 − p < 2.2e-16, for z (n, C): (n,)."""
        return np.zeros(len(z), dtype=bool)

    def score(self, z: np.ndarray, y: np.ndarray) -> float | None:
        """Share of targets predicted right, where that makes sense."""
        return None
