"""geomnet's geodesics where geomstats asks for a solver of logarithms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import check_batches
from .problem import Method
from .result import Geodesic
from .solve import geodesic_batch

__all__ = ["LogSolver"]


@dataclass
class LogSolver:
    """A geomstats ``log_solver``: ``space.metric.log_solver = gn.LogSolver(space)``.

    It reads ``space.metric`` when called, so the space may be equipped anew. Of geomstats 2.8's
    own metrics only those without a closed logarithm ask a solver: Beta, Gamma, Dirichlet,
    ``FisherRaoMetric``, ``PullbackMetric`` (and, in matrix coordinates, Stiefel and elastic
    ones, which this solver refuses). All others answer ``log`` by a formula.

    Parameters
    ----------
    space : FunctionSpace, or a geomstats space in vector coordinates
    method : method object, optional
        Chosen by the metric's structure when None.
    n_steps : int

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[0.0], [1.0]]).equip_with_metric(gn.L2Metric)
    >>> gn.LogSolver(space).log([[1.0], [2.0]], [[0.0], [1.0]]).round(12).tolist()
    [[1.0], [1.0]]
    """

    space: Any
    method: Method | None = None
    n_steps: int = 16
    solves_bvp: ClassVar[bool] = True

    def _solve(self, point: Any, base_point: Any) -> tuple[list[Geodesic], tuple[int, ...]]:
        ends, starts = check_batches(self.space.shape, point=point, base_point=base_point)
        found = geodesic_batch(
            self.space.metric, starts, ends, n_steps=self.n_steps, method=self.method
        )
        return found, ends.shape

    def log(self, point: Any, base_point: Any) -> np.ndarray:
        """Initial velocity of the geodesic from `base_point` to `point`, of their shape."""
        found, shape = self._solve(point, base_point)
        return np.reshape([geo.initial_velocity for geo in found], shape)

    def geodesic_bvp(self, point: Any, base_point: Any) -> Callable[[Any], np.ndarray]:
        """Return the geodesic from `base_point` to `point` as a function of time in [0, 1].

        Times (k,) give (..., k, n, d) or (..., k, d), as geomstats has it.
        """
        found, shape = self._solve(point, base_point)
        batch = shape[: len(shape) - len(self.space.shape)]

        def path(t: Any) -> np.ndarray:
            times = np.atleast_1d(np.asarray(t, dtype=np.float64))
            states = np.stack([geo(times) for geo in found])
            return states.reshape(*batch, len(times), *self.space.shape)

        return path
