"""geomnet's geodesics where geomstats asks for a solver, of logarithms or of exponentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..utils.validation import check_batches, check_integer, check_positive
from .as_metric import as_metric
from .initial_value.rays import both_ways, ray
from .plan import check_method
from .problem import Method
from .result import Geodesic
from .solve import geodesic_batch

__all__ = ["ExpSolver", "LogSolver"]


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

    def __post_init__(self) -> None:
        _check_space(self.space)
        check_integer("n_steps", self.n_steps, least=8, multiple_of=4)
        if self.method is not None:
            check_method(self.method)

    def _solve(
        self, point: ArrayLike, base_point: ArrayLike
    ) -> tuple[list[Geodesic], tuple[int, ...]]:
        ends, starts = check_batches(self.space.shape, point=point, base_point=base_point)
        found = geodesic_batch(
            self.space.metric, starts, ends, n_steps=self.n_steps, method=self.method
        )
        return found, ends.shape

    def log(self, point: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Initial velocity of the geodesic from `base_point` to `point`, of their shape."""
        found, shape = self._solve(point, base_point)
        return np.reshape([geo.initial_velocity for geo in found], shape)

    def geodesic_bvp(self, point: ArrayLike, base_point: ArrayLike) -> Callable[[Any], np.ndarray]:
        """Return the geodesic from `base_point` to `point` as a function of time in [0, 1].

        Times (k,) give (..., k, n, d) or (..., k, d), as geomstats has it.
        """
        found, shape = self._solve(point, base_point)
        batch = shape[: len(shape) - len(self.space.shape)]

        def path(t: ArrayLike) -> np.ndarray:
            times = np.atleast_1d(np.asarray(t, dtype=np.float64))
            states = np.stack([geo(times) for geo in found])
            return states.reshape(*batch, len(times), *self.space.shape)

        return path


@dataclass
class ExpSolver:
    """A geomstats ``exp_solver``: ``space.metric.exp_solver = gn.geodesics.ExpSolver(space)``.

    Exponentials are the ends of rays (:func:`geomnet.ray`), of order 8; geomstats' own default is
    Euler's method.

    Parameters
    ----------
    space : FunctionSpace, or a geomstats space in vector coordinates
    rtol : float
        Of a ray's steps.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomstats.information_geometry.gamma import GammaDistributions
    >>> space = GammaDistributions()
    >>> space.metric.log_solver = gn.LogSolver(space)
    >>> space.metric.exp_solver = gn.geodesics.ExpSolver(space)
    >>> log = space.metric.log([3.0, 1.0], [1.0, 2.0])
    >>> space.metric.exp(log, [1.0, 2.0]).round(5).tolist()
    [3.0, 1.0]
    """

    space: Any
    rtol: float = 1e-10
    solves_ivp: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_space(self.space)
        check_positive("rtol", self.rtol)

    def exp(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """End at time 1 of the geodesics from `base_point` with velocity `tangent_vec`."""
        return ray(self.space.metric, base_point, tangent_vec, rtol=self.rtol).end

    def geodesic_ivp(
        self, tangent_vec: ArrayLike, base_point: ArrayLike
    ) -> Callable[[Any], np.ndarray]:
        """Return the geodesic as a function of times (k,), of either sign: (..., k, d)."""
        vec, base = check_batches(self.space.shape, tangent_vec=tangent_vec, base_point=base_point)
        return both_ways(as_metric(self.space.metric, base), base, vec)


def _check_space(space: Any) -> None:
    if not isinstance(getattr(space, "shape", None), tuple) or not hasattr(space, "belongs"):
        raise InputError(
            f"space: expected a space with a metric, such as gn.FunctionSpace or one of geomstats, "
            f"got {type(space).__name__}"
        )
