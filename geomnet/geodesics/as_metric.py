"""Metrics as solvers take them: geomnet's own as they are, geomstats' read by their matrix."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.matrix_mechanics import MatrixMechanics
from ..geometry.metric import AbstractMetric
from ..geometry.metric_matrix import MetricMatrix

__all__ = ["GeomstatsChart", "as_metric"]


class GeomstatsChart(MatrixMechanics):
    """A geomstats metric in vector coordinates, read through its ``metric_matrix``.

    Under geomstats' autograd backend derivatives are autograd's, under its numpy backend
    differences of order 4.

    Parameters
    ----------
    metric : geomstats RiemannianMetric
        Its space has points (d,), d its dimension.
    """

    def __init__(self, metric: RiemannianMetric) -> None:
        import geomstats.backend as gs

        self.source, self._space = metric, metric._space
        dim = self._space.shape[0]

        def matrices(points: Any) -> Any:
            try:
                found = metric.metric_matrix(points)
            except NotImplementedError:
                return _from_products(metric, points, dim)
            # a constant metric may be given once for all points
            return found + 0 * points[..., :1, None] if found.ndim < points.ndim + 1 else found

        self.matrix = MetricMatrix(matrices, dim, autodiff=gs.__name__.endswith("autograd"))

    @property
    def space(self) -> Any:
        """The space of geomstats."""
        return self._space

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Raise where an end is no point of the space, or the metric is not one there."""
        for name, point in (("start", start), ("end", end)):
            points = point.reshape(-1, self.matrix.dim)
            inside = np.atleast_1d(self.space.belongs(points))
            if not inside.all():
                raise InputError(
                    f"{name}: {points[~inside][0].tolist()} does not belong to {self.space!r}"
                )
        super().check_ends(start, end)

    def __repr__(self) -> str:
        return f"{type(self.source).__name__} of geomstats"


class _Kept:
    """A chart kept on the metric it reads, and left behind where that is copied or pickled."""

    def __init__(self, chart: GeomstatsChart | None = None) -> None:
        self.chart = chart

    def __reduce__(self) -> Any:
        return _Kept, ()


def _from_products(metric: RiemannianMetric, points: ArrayLike, dim: int) -> Any:
    """Matrix of a metric that only knows inner products, from those of unit vectors."""
    units = np.eye(dim)
    rows = [[metric.inner_product(u, v, points) for v in units] for u in units]
    return anp.stack([anp.stack(row, axis=-1) for row in rows], axis=-2)


def as_metric(metric: Any, point: ArrayLike) -> AbstractMetric:
    """Return a metric that solvers can use, or say why there is none."""
    if isinstance(metric, AbstractMetric):
        metric.adopt(point)
        return metric
    if isinstance(metric, type):
        raise InputError(
            f"metric: expected a metric, got the class {metric.__name__}; make one, such as "
            "gn.L2Metric(space)"
        )
    if not isinstance(metric, RiemannianMetric):
        raise InputError(f"metric: expected a gn.Metric such as gn.L2Metric(space), got {metric!r}")
    known = metric.__dict__.get("_geomnet", _Kept()).chart
    # a shallow copy carries the chart of the metric it was copied from
    if known is not None and known.source is metric and known.space is metric._space:
        return known
    chart = _read(metric, point)
    metric._geomnet = _Kept(chart)
    return chart


def _read(metric: RiemannianMetric, point: ArrayLike) -> GeomstatsChart:
    """Read a geomstats metric in vector coordinates, looked at once."""
    name, space = type(metric).__name__, metric._space
    if len(space.shape) != 1 or space.shape[0] != space.dim:
        raise InputError(
            f"metric: {name} has points of shape {space.shape} for a space of dimension "
            f"{space.dim}; a geodesic needs vector coordinates, as many as dimensions (an "
            "intrinsic space, or gn.ChartMetric with a matrix of your own)"
        )
    chart = GeomstatsChart(metric)
    try:
        probe = np.asarray(point, dtype=np.float64).reshape(space.shape)
        chart.matrix.raw(probe[None])
    except NotImplementedError:
        raise InputError(
            f"metric: {name} of geomstats gives neither metric_matrix nor inner_product; write "
            "it as a gn.ChartMetric"
        ) from None
    except (TypeError, ValueError):
        pass  # the point is at fault, and will be named
    return chart
