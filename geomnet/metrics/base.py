r"""The contract of a metric on function space: one method owed, the rest derived.

A metric gives :math:`\langle u, v\rangle_φ` on ``(n, d)`` arrays. From this one method, written
in ``autograd.numpy``, come ♭, ♯, :math:`q = ∂_φ\langle v,v\rangle`, steps of a path with exact
second derivatives, geodesics, exponential and logarithm, and so all of geomstats' learning.
Built-in metrics override what they can derive by hand.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import autograd
import autograd.numpy as anp
import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike

from ..errors import ConvergenceError, InputError
from ..geodesics.initial_value.hamiltonian import exponential
from ..geodesics.initial_value.rays import both_ways
from ..geodesics.problem import Method
from ..geodesics.result import Geodesic
from ..geodesics.solve import geodesic_batch
from ..geometry.metric import AbstractMetric, Space
from ..geometry.quadratic_form import QuadraticForm
from ..linalg.conjugate_gradients import conjugate_gradients
from ..utils.autodiff import gradient
from ..utils.threads import blas_threads
from ..utils.validation import broadcast_pair, check_array, check_batches, check_positive
from .autograd_form import DENSE_LIMIT, AutogradForm

__all__ = ["Metric"]


class Metric(AbstractMetric, RiemannianMetric):
    r"""A Riemannian metric on a function space.

    A subclass owes :meth:`inner_product`, in ``autograd.numpy``; everything else follows, and
    may be overridden for speed.

    Parameters
    ----------
    space : FunctionSpace

    Attributes
    ----------
    structure : Structure
        What solvers may exploit: ``FLAT`` for a constant metric, ``COUPLED`` where nothing is
        known.
    n_steps : int
        Steps of the paths behind :meth:`log`, :meth:`dist` (16; a multiple of 4).
    method : object or None
        The solver behind them; chosen by `structure` when None.

    Examples
    --------
    A metric of one's own, heavier away from the origin:

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> class Weighted(gn.Metric):
    ...     def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
    ...         weight = 1 + anp.sum(base_point**2, axis=-1, keepdims=True)
    ...         return anp.sum(weight * tangent_vec_a * tangent_vec_b, axis=(-2, -1))
    >>> metric = Weighted(gn.FunctionSpace([[0.0, 0.0]]))
    >>> geo = gn.geodesic(metric, [[-1.0, 0.5]], [[1.0, 0.5]], n_steps=16)
    >>> geo.certificate.converged
    True
    """

    n_steps: int = 16
    method: Method | None = None

    combined: ClassVar[Callable[[Sequence[tuple[float, Metric]]], Metric]]
    """Makes a sum of multiples: ``ScaledSum``, a metric itself, puts itself here."""

    def __init__(self, space: Space) -> None:
        if not isinstance(getattr(space, "shape", None), tuple) or not hasattr(space, "dim"):
            raise InputError(
                f"space: expected a gn.FunctionSpace, got {type(space).__name__}; make one with "
                "gn.FunctionSpace(points)"
            )
        super().__init__(space=space)

    @property
    def space(self) -> Space:
        """The space the metric lives on."""
        space: Space = self._space
        return space

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    # -- owed ---------------------------------------------------------------------------------

    @abstractmethod
    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Inner product of tangent vectors at a base point.

        Parameters
        ----------
        tangent_vec_a, tangent_vec_b, base_point : array_like, shape (..., n, d)
            Leading axes broadcast.

        Returns
        -------
        ndarray, shape (...)
        """

    # -- derived: musical isomorphisms and derivatives ----------------------------------------

    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        r"""Covector :math:`♭v = ½∂_v\langle v,v\rangle_φ`, (..., n, d)."""
        v, base = broadcast_pair(tangent_vec, base_point)
        return autograd.grad(lambda v: 0.5 * anp.sum(self.inner_product(v, v, base)))(v)

    def quadratic_gradient(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        r"""Derivative :math:`q = ∂_φ\langle v,v\rangle_φ` at fixed v, (..., n, d)."""
        v, base = broadcast_pair(tangent_vec, base_point)
        return gradient(lambda base: anp.sum(self.inner_product(v, v, base)), base)

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Vector ♯p, the inverse of :meth:`flat`, (..., n, d).

        By dense matrices up to n·d = 512, by conjugate gradients beyond.
        """
        p, base = broadcast_pair(cotangent_vec, base_point)
        shape, state = p.shape, self.space.shape
        p, base = p.reshape((-1, *state)), base.reshape((-1, *state))
        if p[0].size <= DENSE_LIMIT:
            dense = self.dense(base)
            out = np.linalg.solve(dense, p.reshape(len(p), -1, 1))
        else:
            with blas_threads(state[0]):
                out = np.stack(
                    [
                        conjugate_gradients(partial(self.flat, base_point=b), r)
                        for r, b in zip(p, base)
                    ]
                )
        return out.reshape(shape)

    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> QuadraticForm:
        """Return ⟨v, v⟩_φ with first and second derivatives at (k, n, d) arrays."""
        return AutogradForm(self, velocity, base_point)

    # -- derived: exponential, logarithm, distance --------------------------------------------

    def exp(
        self, tangent_vec: ArrayLike, base_point: ArrayLike, n_steps: int | None = None
    ) -> np.ndarray:
        """Exponential map, by Hamilton's equations: the end of a :func:`ray`.

        Parameters
        ----------
        tangent_vec, base_point : array_like, shape (..., n, d) or (..., d)
            Broadcast against each other.
        n_steps : int, optional
            Fixed number of Runge–Kutta steps of order 4; by default order 8, in as many steps as an
            error of 1e-11 for each takes.

        Returns
        -------
        ndarray, shape (..., n, d) or (..., d)

        Raises
        ------
        DomainError
            Where the geodesic leaves the metric's domain on the way.
        """
        vec, base = check_batches(self.space.shape, tangent_vec=tangent_vec, base_point=base_point)
        with blas_threads(self.space.shape[0]):
            return exponential(self, vec, base, n_steps)

    def geodesic(
        self, initial_point: Any, end_point: Any = None, initial_tangent_vec: Any = None
    ) -> Callable[[Any], np.ndarray]:
        """Geodesic as a function of time, in the shapes of geomstats.

        Parameters
        ----------
        initial_point : array_like, shape (..., n, d) or (..., d)
        end_point : array_like, likewise, optional
            Reached at time 1; the function is then for times in [0, 1].
        initial_tangent_vec : array_like, likewise, optional
            Velocity at time 0; the function is then for any times.

        Returns
        -------
        callable
            From times, a number or (k,), to points (..., k, n, d) or (..., k, d).

        Raises
        ------
        InputError
            Where neither or both of `end_point` and `initial_tangent_vec` are given.
        """
        if (end_point is None) == (initial_tangent_vec is None):
            raise InputError("end_point: give it or initial_tangent_vec, and not both")
        shape = self.space.shape
        if end_point is None:
            start, vec = check_batches(
                shape, initial_point=initial_point, initial_tangent_vec=initial_tangent_vec
            )
            return both_ways(self, start, vec)
        starts, ends = check_batches(shape, initial_point=initial_point, end_point=end_point)
        found = self._map_pairs(lambda geo: geo, starts, ends)
        batch = starts.shape[: starts.ndim - len(shape)]

        def path(t: ArrayLike) -> np.ndarray:
            times = np.atleast_1d(check_array("t", t))
            points = np.stack([geo(times) for geo in found])
            return points.reshape(*batch, len(times), *shape)

        return path

    def log(self, point: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Logarithm: initial velocity of the geodesic over [0, 1], (..., n, d).

        The discrete path's momentum at its start, extrapolated from two step counts (order 4).
        Equal ends give zero. A velocity is harder to know than a distance, whose error is that
        of the path squared: where ``exp(log(y)) = y`` must hold to many digits, raise
        ``metric.n_steps`` or set ``metric.method = gn.Shooting()``.
        """
        ends, starts = check_batches(self.space.shape, point=point, base_point=base_point)
        return self._map_pairs(lambda geo: geo.initial_velocity, starts, ends).reshape(ends.shape)

    def dist(self, point_a: ArrayLike, point_b: ArrayLike) -> np.ndarray:
        """Geodesic distance, broadcasting (n, d) against (k, n, d) both ways, (...).

        The length of the geodesic that the straight line leads to. Where several join two points
        it need not be the shortest: see ``starts`` of :func:`geomnet.geodesic`.
        """
        starts, ends = check_batches(self.space.shape, point_a=point_a, point_b=point_b)
        return self._map_pairs(lambda geo: geo.distance, starts, ends).reshape(
            ends.shape[: ends.ndim - len(self.space.shape)]
        )

    def squared_dist(self, point_a: ArrayLike, point_b: ArrayLike) -> np.ndarray:
        """Square of :meth:`dist`."""
        return self.dist(point_a, point_b) ** 2

    def dist_pairwise(self, points: ArrayLike, n_jobs: int = 1) -> np.ndarray:
        """Matrix of distances between k points, over `n_jobs` processes: (k, k)."""
        points = check_array("points", points, shape=(None, *self.space.shape))
        rows, cols = np.triu_indices(len(points), 1)
        matrix = np.zeros((len(points), len(points)))
        if len(rows):
            found = self._map_pairs(lambda geo: geo.distance, points[rows], points[cols], n_jobs)
            matrix[rows, cols] = matrix[cols, rows] = found
        return matrix

    def _map_pairs(
        self, read: Callable[[Geodesic], Any], starts: np.ndarray, ends: np.ndarray, n_jobs: int = 1
    ) -> np.ndarray:
        """Read every geodesic between two batches of points."""
        try:
            found = geodesic_batch(
                self, starts, ends, n_steps=self.n_steps, method=self.method, n_jobs=n_jobs
            )
        except ConvergenceError as error:
            raise ConvergenceError(
                f"{error} (here by metric.n_steps, now {self.n_steps}, and metric.method)",
                error.result,
            ) from None
        return np.array([read(geo) for geo in found])

    # -- algebra ------------------------------------------------------------------------------

    def __mul__(self, scalar: Any) -> Metric:
        """Scale the metric (not the distance) by a positive number."""
        if not np.isscalar(scalar):
            return NotImplemented
        return Metric.combined([(check_positive("scalar", scalar), self)])

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Metric:
        """Add two metrics on the same space."""
        if not isinstance(other, Metric):
            return NotImplemented
        return Metric.combined([(1.0, self), (1.0, other)])
