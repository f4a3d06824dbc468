r"""The contract of a metric on function space: one method owed, the rest derived.

A metric gives :math:`\langle u, v\rangle_φ` on ``(n, d)`` arrays. From this one method, written
in ``autograd.numpy``, come ♭, ♯, :math:`q = ∂_φ\langle v,v\rangle`, steps of a path with exact
second derivatives, geodesics, exponential and logarithm, and so all of geomstats' learning.
Built-in metrics override what they can derive by hand.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import autograd
import autograd.numpy as anp
import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from scipy.linalg import cho_factor, cho_solve

from ..errors import ConvergenceError, DomainError, InputError
from ..geodesics.initial_value.hamiltonian import exponential
from ..geodesics.initial_value.rays import both_ways
from ..geodesics.solve import geodesic_batch
from ..geometry.steps import MidpointSteps, QuadraticForm, Steps, SumOfSteps
from ..utils.autodiff import gradient
from ..utils.threads import blas_threads
from ..utils.validation import check_array, check_batches, check_positive

__all__ = ["Metric", "ScaledSum"]

DENSE_LIMIT = 512
"""Largest n·d for which a metric without its own ♯ is handled by dense matrices."""


class Metric(RiemannianMetric):
    r"""A Riemannian metric on a function space.

    A subclass owes :meth:`inner_product`, in ``autograd.numpy``; everything else follows, and
    may be overridden for speed.

    Parameters
    ----------
    space : FunctionSpace

    Attributes
    ----------
    structure : {"flat", "pointwise", "coupled"}
        What solvers may exploit: a constant metric; no coupling between the sample's points;
        neither.
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

    structure: ClassVar[str] = "coupled"
    n_steps: int = 16
    method: Any = None

    def __init__(self, space: Any) -> None:
        if not isinstance(getattr(space, "shape", None), tuple) or not hasattr(space, "dim"):
            raise InputError(
                f"space: expected a gn.FunctionSpace, got {type(space).__name__}; make one with "
                "gn.FunctionSpace(points)"
            )
        super().__init__(space=space)

    @property
    def space(self) -> Any:
        """The function space the metric lives on."""
        return self._space

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

    def flat(self, tangent_vec: Any, base_point: Any) -> np.ndarray:
        r"""Covector :math:`♭v = ½∂_v\langle v,v\rangle_φ`, (..., n, d)."""
        v, base = _broadcast(tangent_vec, base_point)
        return autograd.grad(lambda v: 0.5 * anp.sum(self.inner_product(v, v, base)))(v)

    def quadratic_gradient(self, tangent_vec: Any, base_point: Any) -> np.ndarray:
        r"""Derivative :math:`q = ∂_φ\langle v,v\rangle_φ` at fixed v, (..., n, d)."""
        v, base = _broadcast(tangent_vec, base_point)
        return gradient(lambda base: anp.sum(self.inner_product(v, v, base)), base)

    def sharp(self, cotangent_vec: Any, base_point: Any) -> np.ndarray:
        """Vector ♯p, the inverse of :meth:`flat`, (..., n, d).

        By dense matrices up to n·d = 512, by conjugate gradients beyond.
        """
        p, base = _broadcast(cotangent_vec, base_point)
        shape, state = p.shape, self.space.shape
        p, base = p.reshape((-1, *state)), base.reshape((-1, *state))
        if p[0].size <= DENSE_LIMIT:
            dense = self._dense(base)
            out = np.linalg.solve(dense, p.reshape(len(p), -1, 1))
        else:
            with blas_threads(state[0]):
                out = np.stack(
                    [
                        conjugate_gradients(lambda v, b=b: self.flat(v, b), r)
                        for r, b in zip(p, base)
                    ]
                )
        return out.reshape(shape)

    def _dense(self, base_points: np.ndarray) -> np.ndarray:
        """Matrices of the metric at (k, n, d) base points: (k, nd, nd)."""
        size = base_points[0].size
        basis = np.eye(size).reshape(size, 1, *base_points.shape[1:])
        rows = self.flat(np.broadcast_to(basis, (size, *base_points.shape)), base_points[None])
        return np.moveaxis(rows.reshape(size, len(base_points), size), 0, 1)

    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> QuadraticForm:
        """Return ⟨v, v⟩_φ with first and second derivatives at (k, n, d) arrays."""
        return AutogradForm(self, velocity, base_point)

    # -- derived: steps of a path -------------------------------------------------------------

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Squared length of the steps from `start` to `end`, (k, n, d): midpoint rule, (k,).

        One of a subclass's own must keep its digits for small steps: lengths of curves subdivide.
        """
        u = end - start
        return np.asarray(self.inner_product(u, u, 0.5 * (start + end)))

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Squared steps with their derivatives, for solvers."""
        return MidpointSteps(self.linearise(end - start, 0.5 * (start + end)))

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Raise a DomainError where no geodesic can join the ends."""

    def hamiltonian_field(
        self, point: np.ndarray, momentum: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""Velocity :math:`♯p` and force :math:`\dot p = ½q(φ, ♯p)` of Hamilton's equations."""
        velocity = self.sharp(momentum, point)
        return velocity, 0.5 * self.quadratic_gradient(velocity, point)

    # -- derived: exponential, logarithm, distance --------------------------------------------

    def exp(self, tangent_vec: Any, base_point: Any, n_steps: int | None = None) -> np.ndarray:
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

        def path(t: Any) -> np.ndarray:
            times = np.atleast_1d(check_array("t", t))
            points = np.stack([geo(times) for geo in found])
            return points.reshape(*batch, len(times), *shape)

        return path

    def log(self, point: Any, base_point: Any) -> np.ndarray:
        """Logarithm: initial velocity of the geodesic over [0, 1], (..., n, d).

        The discrete path's momentum at its start, extrapolated from two step counts (order 4).
        Equal ends give zero. A velocity is harder to know than a distance, whose error is that
        of the path squared: where ``exp(log(y)) = y`` must hold to many digits, raise
        ``metric.n_steps`` or set ``metric.method = gn.Shooting()``.
        """
        ends, starts = check_batches(self.space.shape, point=point, base_point=base_point)
        return self._map_pairs(lambda geo: geo.initial_velocity, starts, ends).reshape(ends.shape)

    def dist(self, point_a: Any, point_b: Any) -> np.ndarray:
        """Geodesic distance, broadcasting (n, d) against (k, n, d) both ways, (...).

        The length of the geodesic that the straight line leads to. Where several join two points
        it need not be the shortest: see ``starts`` of :func:`geomnet.geodesic`.
        """
        starts, ends = check_batches(self.space.shape, point_a=point_a, point_b=point_b)
        return self._map_pairs(lambda geo: geo.distance, starts, ends).reshape(
            ends.shape[: ends.ndim - len(self.space.shape)]
        )

    def squared_dist(self, point_a: Any, point_b: Any) -> np.ndarray:
        """Square of :meth:`dist`."""
        return self.dist(point_a, point_b) ** 2

    def dist_pairwise(self, points: Any, n_jobs: int = 1) -> np.ndarray:
        """Matrix of distances between k points, over `n_jobs` processes: (k, k)."""
        points = check_array("points", points, shape=(None, *self.space.shape))
        rows, cols = np.triu_indices(len(points), 1)
        matrix = np.zeros((len(points), len(points)))
        if len(rows):
            found = self._map_pairs(lambda geo: geo.distance, points[rows], points[cols], n_jobs)
            matrix[rows, cols] = matrix[cols, rows] = found
        return matrix

    def _map_pairs(
        self, read: Any, starts: np.ndarray, ends: np.ndarray, n_jobs: int = 1
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

    def __mul__(self, scalar: Any) -> ScaledSum:
        """Scale the metric (not the distance) by a positive number."""
        if not np.isscalar(scalar):
            return NotImplemented
        return ScaledSum([(check_positive("scalar", scalar), self)])

    __rmul__ = __mul__

    def __add__(self, other: Any) -> ScaledSum:
        """Add two metrics on the same space."""
        if not isinstance(other, Metric):
            return NotImplemented
        return ScaledSum([(1.0, self), (1.0, other)])


class ScaledSum(Metric):
    r"""The metric :math:`\sum_j a_j\langle\cdot,\cdot\rangle_j`; write ``a * m1 + m2``.

    Parameters
    ----------
    terms : sequence of (float, Metric)
        Positive factors, and metrics on one space; sums among them are flattened.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[0.0], [1.0]])
    >>> (4.0 * gn.L2Metric(space)).dist([[0.0], [1.0]], [[1.0], [2.0]]).round(12)
    np.float64(2.0)
    """

    terms: list[tuple[float, Metric]]

    def __init__(self, terms: Any) -> None:
        flat: list[tuple[float, Metric]] = []
        for a, metric in terms:
            inner: list[tuple[float, Metric]] = [(1.0, metric)]
            if isinstance(metric, ScaledSum):
                inner = metric.terms
            flat += [(a * b, m) for b, m in inner]
        shapes = {m.space.shape for _, m in flat}
        if len(shapes) > 1:
            raise InputError(f"metrics: their spaces differ in shape, {sorted(shapes)}")
        super().__init__(flat[0][1].space)
        self.terms = flat

    @property
    def structure(self) -> str:  # type: ignore[override]
        """Flat where all terms are, else coupled."""
        return "flat" if all(m.structure == "flat" for _, m in self.terms) else "coupled"

    def __repr__(self) -> str:
        return " + ".join(f"{a:g}*{m!r}" if a != 1 else repr(m) for a, m in self.terms)

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Sum of the terms."""
        return sum(
            a * m.inner_product(tangent_vec_a, tangent_vec_b, base_point) for a, m in self.terms
        )

    def flat(self, tangent_vec: Any, base_point: Any) -> np.ndarray:
        """Sum of the terms."""
        return np.sum([a * m.flat(tangent_vec, base_point) for a, m in self.terms], axis=0)

    def quadratic_gradient(self, tangent_vec: Any, base_point: Any) -> np.ndarray:
        """Sum of the terms."""
        return np.sum(
            [a * m.quadratic_gradient(tangent_vec, base_point) for a, m in self.terms], axis=0
        )

    def sharp(self, cotangent_vec: Any, base_point: Any) -> np.ndarray:
        """Exact for one term; else as in the base class, preconditioned by the stiffest term."""
        if len(self.terms) == 1:
            a, metric = self.terms[0]
            return metric.sharp(cotangent_vec, base_point) / a
        p, base = _broadcast(cotangent_vec, base_point)
        shape, state = p.shape, self.space.shape
        if np.prod(state) <= DENSE_LIMIT:
            return super().sharp(p, base)
        pairs = zip(p.reshape((-1, *state)), base.reshape((-1, *state)))
        with blas_threads(state[0]):
            return np.stack(
                [
                    conjugate_gradients(lambda v, b=b: self.flat(v, b), r, self._preconditioner(b))
                    for r, b in pairs
                ]
            ).reshape(shape)

    def _preconditioner(self, base_point: np.ndarray) -> Any:
        """♯ of the term that is nearest to the sum's: the least of the traces of ♯_j♭, probed."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=base_point.shape)
        image = self.flat(signs, base_point)
        closed = [(a, m) for a, m in self.terms if type(m).sharp is not Metric.sharp]
        if not closed:
            return None
        a, metric = min(
            closed, key=lambda term: np.vdot(signs, term[1].sharp(image, base_point)) / term[0]
        )
        return lambda r: metric.sharp(r, base_point) / a

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Sum of the terms' squared steps."""
        return np.sum([a * m.squared_step(start, end) for a, m in self.terms], axis=0)

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Sum of the terms' steps."""
        return SumOfSteps([(a, m.steps(start, end)) for a, m in self.terms])

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Check every term."""
        for _, metric in self.terms:
            metric.check_ends(start, end)


class AutogradForm:
    """The quadratic form of any metric, its derivatives by autograd.

    The cometric is dense up to n·d = 512; beyond, the preconditioner takes the inverse of a
    diagonal estimated with random signs (Bekas, Kokiopoulou & Saad 2007), which leaves the
    solution as it is and only costs products.
    """

    def __init__(self, metric: Metric, velocity: np.ndarray, base_point: np.ndarray) -> None:
        self.metric, self.v, self.m = metric, velocity, base_point
        self.value = np.asarray(metric.inner_product(velocity, velocity, base_point))
        if self.value.shape != (len(velocity),):
            raise InputError(
                f"inner_product: for ({len(velocity)}, n, d) arrays it must return shape "
                f"({len(velocity)},), got {self.value.shape}; sum over axes (-2, -1)"
            )
        if self.value.dtype == object or not np.isfinite(self.value).all():
            raise DomainError("inner_product: returned NaN or infinity at a point of the path")
        if (self.value < 0).any():
            raise DomainError(
                f"inner_product: negative at a point of the path ({self.value.min():.3g}); a "
                "Riemannian metric is positive definite"
            )

    @cached_property
    def flat(self) -> np.ndarray:
        """♭v."""
        return self.metric.flat(self.v, self.m)

    @cached_property
    def gradient(self) -> np.ndarray:
        """Q = ∂_m⟨v, v⟩."""
        return self.metric.quadratic_gradient(self.v, self.m)

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reverse over reverse: the gradient of (∇h)·(dv, dm) with h = ⟨v, v⟩."""
        inner = self.metric.inner_product

        def slope(v, m):
            dh_v = autograd.grad(lambda v: anp.sum(inner(v, v, m)))(v)
            dh_m = gradient(lambda m: anp.sum(inner(v, v, m)), m)
            return anp.sum(dh_v * dv) + anp.sum(dh_m * dm)

        along_v = gradient(lambda v: slope(v, self.m), self.v)
        along_m = gradient(lambda m: slope(self.v, m), self.m)
        return 0.5 * along_v, along_m

    @cached_property
    def _cometrics(self) -> np.ndarray:
        size = self.v[0].size
        if size <= DENSE_LIMIT:
            dense = self.metric._dense(self.m)
            try:
                np.linalg.cholesky(dense)
            except np.linalg.LinAlgError:
                raise DomainError(
                    "inner_product: not positive definite at a point of the path"
                ) from None
            return np.linalg.inv(dense)
        rng = np.random.default_rng(0)
        total = np.zeros_like(self.m)
        for _ in range(4):
            signs = rng.choice([-1.0, 1.0], size=self.m.shape)
            total += signs * self.metric.flat(signs, self.m)
        mean = np.abs(total / 4)
        inner = tuple(range(1, mean.ndim))
        return 1.0 / np.maximum(mean, 1e-3 * mean.mean(axis=inner, keepdims=True))

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯p, dense or diagonal."""
        cometrics = self._cometrics
        if cometrics.shape == p.shape and p[0].size > DENSE_LIMIT:
            return cometrics * p
        return (cometrics @ p.reshape(len(p), -1, 1)).reshape(p.shape)

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the summed cometrics."""
        total = self._cometrics.sum(axis=0)
        if r.size > DENSE_LIMIT:
            return r / total
        return cho_solve(cho_factor(total), r.reshape(-1)).reshape(r.shape)


def _broadcast(vec: Any, base_point: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give a vector and its base point the same leading axes."""
    vec, base = np.asarray(vec, dtype=np.float64), np.asarray(base_point, dtype=np.float64)
    if vec.shape != base.shape:
        vec, base = np.broadcast_arrays(vec, base)
    return np.array(vec), np.array(base)


def conjugate_gradients(
    product: Any, right: np.ndarray, precondition: Any = None, rtol: float = 1e-12
) -> np.ndarray:
    """Solve A x = right for a symmetric positive definite `product`.

    Raises
    ------
    ConvergenceError
        When 10·size products do not suffice.
    """
    solve = precondition or (lambda r: r)
    x, r = np.zeros_like(right), right.copy()
    z = solve(r)
    d, rz = z.copy(), np.vdot(r, z)
    goal = rtol * np.linalg.norm(right)
    for _ in range(10 * right.size + 1):
        if np.linalg.norm(r) <= goal:
            return x
        ad = product(d)
        curvature = np.vdot(d, ad)
        if not curvature > 0:
            raise DomainError("inner_product: not positive definite at the base point")
        alpha = rz / curvature
        x += alpha * d
        r -= alpha * ad
        z = solve(r)
        rz, old = np.vdot(r, z), rz
        d = z + (rz / old) * d
    raise ConvergenceError(
        f"sharp: conjugate gradients stopped at residual {np.linalg.norm(r):.1e}; the metric is "
        "too ill-conditioned here, override sharp with a direct solve",
        x,
    )
