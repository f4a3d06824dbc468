"""The contract of a map (θ, x) ↦ z at one θ: its values on data, and products with ∂z/∂θ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from .layers.factors import Factors

__all__ = ["LinearisedModel"]


class LinearisedModel(ABC):
    """A map (θ, x) ↦ z on n data at one θ, with its derivative in θ.

    Attributes
    ----------
    output : ndarray, shape (n, C)
        Likelihood parameters z of the data.
    """

    output: np.ndarray

    @abstractmethod
    def jvp(self, directions: np.ndarray) -> np.ndarray:
        """Change of z along directions (k, p): (n, k, C)."""

    @abstractmethod
    def vjp(self, covectors: np.ndarray) -> np.ndarray:
        """Pull covectors on z (n, k, C) back to θ, summed over the data: (k, p)."""

    @abstractmethod
    def factors(self, covectors: np.ndarray) -> list[Factors]:
        """Rows r·∂z/∂θ of every datum for its q covectors (n, q, C), by parts of θ."""

    def each_factor(self, covectors: np.ndarray) -> Iterator[Factors]:
        """The same one by one, in any order, for who needs no two of them at once."""
        yield from self.factors(covectors)
