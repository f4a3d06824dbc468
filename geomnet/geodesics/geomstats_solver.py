"""geomnet's geodesics where geomstats asks for a solver of logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import check_batches
from .problem import Method
from .solve import geodesic

__all__ = ["LogSolver"]


@dataclass
class LogSolver:
    """A geomstats ``log_solver``: ``space.metric.log_solver = gn.LogSolver(space)``.

    It reads ``space.metric`` when called, so the space may be equipped anew.

    Parameters
    ----------
    space : FunctionSpace
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

    def log(self, point: Any, base_point: Any) -> np.ndarray:
        """Initial velocity of the geodesic from `base_point` to `point`, (..., n, d)."""
        shape = self.space.shape
        ends, starts = check_batches(shape, point=point, base_point=base_point)
        found = [
            geodesic(
                self.space.metric,
                a,
                b,
                n_steps=self.n_steps,
                method=self.method,
                certify_index=False,
            ).initial_velocity
            for a, b in zip(starts.reshape((-1, *shape)), ends.reshape((-1, *shape)))
        ]
        return np.reshape(found, ends.shape)
