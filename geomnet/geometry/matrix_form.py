"""The quadratic form of a metric matrix, with its derivatives."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ..errors import DomainError
from .metric_matrix import MetricMatrix, place

__all__ = ["MatrixForm"]


class MatrixForm:
    """The form ⟨v, v⟩_x of a metric matrix at (k, d) arrays, with its derivatives."""

    def __init__(self, metric: MetricMatrix, velocity: np.ndarray, base_point: np.ndarray) -> None:
        self.metric, self.v, self.m = metric, velocity, base_point
        self.matrix = metric(base_point)
        self.flat = (self.matrix @ velocity[:, :, None])[:, :, 0]
        self.value = (self.flat * velocity).sum(axis=1)
        try:
            self._factors = np.linalg.cholesky(self.matrix)
        except np.linalg.LinAlgError:
            values = np.linalg.eigvalsh(self.matrix)[:, 0]
            worst = int(np.argmin(values))
            raise DomainError(
                f"metric_matrix: not positive definite at {place(base_point, worst)}, where its "
                f"lowest eigenvalue is {values[worst]:.3g}"
            ) from None

    @cached_property
    def gradient(self) -> np.ndarray:
        """Q = ∂_x⟨v, v⟩, (k, d)."""
        if "_derivatives" in self.__dict__:
            q = self._derivatives[0]
        else:
            q = self.metric.quadratic_gradient(self.v, self.m)
        if not np.isfinite(q).all():
            bad = ~np.isfinite(q).all(axis=1)
            raise DomainError(f"quadratic_gradient: NaN or infinite at {place(self.m, bad)}")
        return q

    @cached_property
    def _derivatives(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.metric.derivatives_at(self.v, self.m)

    def second_derivatives(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """G, C and A, each (k, d, d)."""
        return self.matrix, *self._derivatives[1:]

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G dv + ½Cᵀdm and C dv + A dm."""
        _, mixed, curvature = self._derivatives
        dv, dm = dv[:, :, None], dm[:, :, None]
        flat = self.matrix @ dv + 0.5 * np.swapaxes(mixed, 1, 2) @ dm
        return flat[:, :, 0], (mixed @ dv + curvature @ dm)[:, :, 0]

    @cached_property
    def _cometrics(self) -> np.ndarray:
        inverse = np.linalg.inv(self._factors)
        return np.swapaxes(inverse, 1, 2) @ inverse

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯p = G⁻¹p."""
        return (self._cometrics @ p[:, :, None])[:, :, 0]

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the summed cometrics."""
        return cho_solve(cho_factor(self._cometrics.sum(axis=0)), r)
