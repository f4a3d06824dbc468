"""Metrics answered by their matrix: what solvers ask of a chart."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError, InputError
from .matrix_form import MatrixForm
from .metric import AbstractMetric
from .metric_matrix import MetricMatrix, place
from .structure import Structure

__all__ = ["MatrixMechanics"]

WAY = 1e-4
"""Step of the differences of q in the metric, over the way gone in a unit of time."""

WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12
"""Of the difference of order 4 at −2, −1, 1, 2 steps."""


class MatrixMechanics(AbstractMetric):
    """What solvers ask of a metric, answered by its ``matrix``, a :class:`MetricMatrix`."""

    structure = Structure.CHART
    matrix: MetricMatrix

    def dense(self, base_points: np.ndarray) -> np.ndarray:
        """The matrices at points (k, d), (k, d, d)."""
        return np.asarray(self.matrix(base_points))

    @property
    def remarks(self) -> str:
        """The matrix's own."""
        return self.matrix.remarks

    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> MatrixForm:
        """Return ⟨v, v⟩ with its derivatives at (k, d) arrays."""
        return MatrixForm(self.matrix, velocity, base_point)

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Inner product uᵀG(x)v, (...)."""
        covector = self._times(base_point, tangent_vec_b)
        return anp.sum(tangent_vec_a * covector, axis=-1)

    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Covector Gv, (..., d)."""
        return np.asarray(self._times(base_point, tangent_vec))

    def _times(self, base_point: ArrayLike, v: ArrayLike) -> Any:
        d = self.matrix.dim
        base = anp.reshape(anp.array(base_point), (-1, d))
        matrices = anp.reshape(self.matrix.raw(base), (*anp.shape(base_point)[:-1], d, d))
        return anp.matmul(matrices, anp.expand_dims(v, -1))[..., 0]

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Vector G⁻¹p, (..., d)."""
        p, base = np.broadcast_arrays(cotangent_vec, base_point)
        flat = (-1, self.matrix.dim)
        matrices = self.matrix(base.reshape(flat))
        return np.linalg.solve(matrices, p.reshape(*flat, 1)).reshape(p.shape)

    def quadratic_gradient(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Derivative q = ∂_x(vᵀGv), (..., d)."""
        v, base = np.broadcast_arrays(tangent_vec, base_point)
        flat = (-1, self.matrix.dim)
        return self.matrix.quadratic_gradient(v.reshape(flat), base.reshape(flat)).reshape(v.shape)

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Squared length of steps by the midpoint rule, (k,)."""
        points = self.points
        u = points.difference(start, end)
        form = self.matrix(points.midpoint(start, end)) @ u[:, :, None]
        return np.einsum("ka,ka->k", form[:, :, 0], u)

    def momentum(self, velocity: np.ndarray, point: np.ndarray) -> np.ndarray:
        """♭v by the form, which looks whether the matrix is one of a metric."""
        return self.linearise(velocity, point).flat

    def linearised_field(
        self, point: np.ndarray, momentum: np.ndarray, dx: np.ndarray, dp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Hamilton's equations of k states (k, d), and of m changes (m, k, d) of each."""
        return linearised_hamiltonian(self.matrix, point, momentum, dx, dp)

    def barrier(self, path: np.ndarray) -> str:
        """Say where along a path the metric grows beyond all bounds, if it does."""
        share = np.linspace(0.0, 1.0, 16, endpoint=False)[:, None, None]
        points = (path[:-1] + share * np.diff(path, axis=0)).reshape(-1, self.matrix.dim)
        along = np.linspace(0.0, 1.0, 1001)[:, None]
        points = np.concatenate([points, (1 - along) * path[0] + along * path[-1]])
        with np.errstate(all="ignore"):
            traces = np.trace(np.asarray(self.matrix.raw(points)), axis1=1, axis2=2)
            ends = np.trace(np.asarray(self.matrix.raw(path[[0, -1]])), axis1=1, axis2=2)
        worst = int(np.argmax(np.where(np.isfinite(traces), traces, np.inf)))
        if not traces[worst] <= 1e4 * ends.max():
            return (
                f"; the metric grows without bound at {place(points, worst)}, as it does where a "
                "chart ends: are both ends on one side? give gn.ChartMetric its domain"
            )
        return ""

    def check_pairs(self, starts: np.ndarray, ends: np.ndarray) -> None:
        """Raise where the metric is not one at an end of many, all looked at in one call."""
        self.check_ends(starts, ends)

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Raise where the metric is not one at an end, by name; ends may be many, (..., d)."""
        dim = self.matrix.dim
        try:
            both = np.concatenate([start.reshape(-1, dim), end.reshape(-1, dim)])
            self.linearise(both, both)
        except (DomainError, InputError):
            for name, point in (("start", start), ("end", end)):
                points = point.reshape(-1, dim)
                try:
                    self.linearise(points, points)
                except (DomainError, InputError) as error:
                    raise type(error)(f"{name}: {error}") from None
            raise


def linearised_hamiltonian(
    matrix: MetricMatrix, x: np.ndarray, p: np.ndarray, dx: np.ndarray, dp: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rates by dense G, C and A, from one call of q.

    Cv is exact by polarisation; A = ∂_xq takes differences of order 4 in an orthonormal frame,
    whose steps stay small against the metric where coordinates do not tell how near the chart's
    edge is. What is left is smooth in x, and does not disturb the integrator.
    """
    k, d = x.shape
    lower = np.linalg.cholesky(matrix(x))
    inverse = np.linalg.inv(lower)
    v = np.einsum("kba,kbc,kc->ka", inverse, inverse, p)
    speed = np.sqrt(np.sum(p * v, axis=-1))
    size = np.abs(v).max() or 1.0
    units = size * np.eye(d)[:, None, :]
    # rows of the inverse are orthonormal vectors; none may move coordinates by much of their size
    reach = np.maximum(1.0, np.abs(x).max(axis=1) / np.abs(inverse).max(axis=(1, 2)))
    steps = WAY * np.minimum(np.where(speed > 0, speed, 1.0), reach)[:, None]
    moves = np.swapaxes(inverse, 0, 1) * steps
    shifted = x + np.array([-2.0, -1.0, 1.0, 2.0])[:, None, None, None] * moves
    q = matrix.quadratic_gradient(
        np.concatenate([v[None], v + units, v - units, np.broadcast_to(v, (4 * d, k, d))]).reshape(
            -1, d
        ),
        np.concatenate([np.broadcast_to(x, (1 + 2 * d, k, d)), shifted.reshape(-1, k, d)]).reshape(
            -1, d
        ),
    ).reshape(1 + 6 * d, k, d)
    mixed = np.moveaxis(q[1 : d + 1] - q[d + 1 : 2 * d + 1], 0, -1) / (2 * size)
    slopes = np.tensordot(WEIGHTS, q[2 * d + 1 :].reshape(4, d, k, d), axes=1) / steps
    curvature = np.moveaxis(slopes, 0, -1) @ np.swapaxes(lower, 1, 2)
    curvature = 0.5 * (curvature + np.swapaxes(curvature, 1, 2))
    left, right = (np.moveaxis(y, 0, -1) for y in (dx, dp))
    bent = inverse @ (right - 0.5 * np.swapaxes(mixed, 1, 2) @ left)
    dv = np.swapaxes(inverse, 1, 2) @ bent
    dforce = 0.5 * (mixed @ dv + curvature @ left)
    return v, 0.5 * q[0], np.moveaxis(dv, -1, 0), np.moveaxis(dforce, -1, 0)
