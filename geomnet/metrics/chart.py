r"""A metric in coordinates, given by its matrix: :math:`\langle u,v\rangle_x = u^\top G(x)v`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.matrix_mechanics import MatrixMechanics
from ..geometry.metric_matrix import MetricMatrix
from ..geometry.space import ChartSpace
from ..utils.validation import check_batches, check_positive
from .base import Metric

__all__ = ["ChartMetric"]


class ChartMetric(MatrixMechanics, Metric):
    r"""The Riemannian metric with matrix G(x) on a chart of R^d.

    Parameters
    ----------
    metric_matrix : callable
        G, from points (k, d) to symmetric positive definite matrices (k, d, d). Written in
        ``autograd.numpy`` it is all that is needed; in plain NumPy its derivatives are taken by
        differences of order 4. A function of one point, from (d,) to (d, d), works too, but is
        called once for every point, some fifty times as slow.
    dim : int
    quadratic_gradient : callable, optional
        ``quadratic_gradient(v, base_point)`` = :math:`∂_x(v^\top G(x)v)` at fixed v, from two
        (k, d) arrays to (k, d): what makes solvers several times faster than autograd does. Where
        it broadcasts leading axes of `v` against `base_point`, it is faster still.
    domain : callable, optional
        From points (k, d) to booleans (k,), where the chart is not all of R^d: solvers then never
        leave it, and name an end that does.

    Raises
    ------
    DomainError
        Where a path meets a point at which G is not finite or not positive definite, by name.
    InputError
        Where G is not symmetric, or not of its shape.

    Examples
    --------
    The hyperbolic half-plane, curvature −1; the distance is arccosh(1 + ‖a − b‖²/2a₂b₂):

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> half_plane = gn.ChartMetric(
    ...     lambda x: anp.eye(2) / x[..., 1, None, None] ** 2,
    ...     dim=2,
    ...     domain=lambda x: x[..., 1] > 0,
    ... )
    >>> geo = gn.geodesic(half_plane, [-1.0, 0.3], [1.5, 0.6])
    >>> abs(geo.distance - anp.arccosh(1 + (2.5**2 + 0.3**2) / (2 * 0.3 * 0.6))) < 1e-10
    np.True_
    """

    def __init__(
        self,
        metric_matrix: Callable[[Any], Any],
        dim: int,
        quadratic_gradient: Callable[[Any, Any], Any] | None = None,
        *,
        domain: Callable[[Any], Any] | None = None,
    ) -> None:
        self.matrix = MetricMatrix(metric_matrix, dim, quadratic_gradient, domain)
        super().__init__(ChartSpace(self.matrix.dim, domain))

    def metric_matrix(self, base_point: Any) -> Any:
        """Matrices G at points (..., d), (..., d, d): the contract of geomstats."""
        (points,) = check_batches(self.space.shape, base_point=base_point)
        matrices = self.matrix(points.reshape(-1, self.matrix.dim))
        return matrices.reshape(*points.shape, self.matrix.dim)

    def __mul__(self, scalar: Any) -> Any:
        """Scale the metric (not the distance) by a positive number."""
        if not np.isscalar(scalar):
            return NotImplemented
        return _combine([(check_positive("scalar", scalar), self)])

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        """Add two metrics; of two on charts the sum is one too, its matrix G + G'."""
        if not isinstance(other, ChartMetric):
            return super().__add__(other)
        return _combine([(1.0, self), (1.0, other)])

    def __repr__(self) -> str:
        return f"ChartMetric(dim={self.matrix.dim})"


def _combine(terms: list[tuple[float, ChartMetric]]) -> ChartMetric:
    """The metric with matrix Σ_j a_jG_j, where all of the G_j are defined."""
    matrices = [(a, metric.matrix) for a, metric in terms]
    dims = {m.dim for _, m in matrices}
    if len(dims) > 1:
        raise InputError(f"metrics: their charts differ in dimension, {sorted(dims)}")
    gradients = [(a, m.gradient) for a, m in matrices if m.gradient is not None]
    domains = [m.domain for _, m in matrices if m.domain is not None]

    def gradient(v: ArrayLike, x: Any) -> Any:
        return np.sum([a * np.asarray(q(v, x)) for a, q in gradients], axis=0)

    def domain(x: Any) -> Any:
        return np.all([inside(x) for inside in domains], axis=0)

    return ChartMetric(
        lambda x: sum(a * m.raw(x) for a, m in matrices),
        dims.pop(),
        gradient if len(gradients) == len(matrices) else None,
        domain=domain if domains else None,
    )
