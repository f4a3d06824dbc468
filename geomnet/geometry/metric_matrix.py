r"""A metric given by its matrix: :math:`\langle u,v\rangle_x = u^\top G(x)v` in coordinates.

What solvers need besides G is :math:`q(x,v) = ∂_x(v^\top G(x)v)`: the user's own, or autograd's,
or central differences of G where autograd cannot look inside. Newton's method takes the second
derivatives from it. With :math:`h(x,v) = v^\top Gv`:

- :math:`C_{ij} = ∂^2h/∂x_i∂v_j`, exact by polarising q, which is quadratic in v:
  :math:`q(x, v+e_j) - q(x, v-e_j) = 2\,C_{\cdot j}`;
- :math:`A = ∂^2h/∂x∂x = ∂_xq`, by central differences of q. They are good to ten digits, and decide
  only how fast Newton's method converges, never what it converges to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np

from ..errors import DomainError, InputError
from ..utils.autodiff import gradient as autograd_gradient
from ..utils.validation import check_integer

__all__ = ["SLOPE", "MetricMatrix", "coordinate_scale", "place"]

SLOPE = 6e-6
"""Step of central differences of q, relative to the coordinates: (3 ulp)^(1/3)."""

TOGETHER = 4096
"""Numbers up to which one call of a user's q is cheaper than two that do less."""

STENCIL = 2e-3
"""Step of the fourth-order differences of G, relative to the coordinates: about ulp^(1/5)."""


ROUGH = 1e-6
"""Error of a difference of order 2 of G, relative to G, at which that of order 4 has no digits."""

SHORTENINGS = 4
"""How often a step may be shortened, a hundredfold at most each time."""


class MetricMatrix:
    """The matrix of a metric in coordinates, with its derivatives, checked where it is used.

    Parameters
    ----------
    function : callable
        G, from points (k, d) to matrices (k, d, d); one that takes single points works too, at
        the cost of a call for every point.
    dim : int
    gradient : callable, optional
        q(v, x) = ∂_x(vᵀG(x)v), from two (k, d) arrays to (k, d).
    domain : callable, optional
        From points (k, d) to booleans (k,): whether they lie in the chart.
    autodiff : bool
        Whether autograd may be tried where no `gradient` is given.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        dim: int,
        gradient: Callable[[Any, Any], Any] | None = None,
        domain: Callable[[Any], Any] | None = None,
        autodiff: bool = True,
    ) -> None:
        for name, value in (
            ("metric_matrix", function),
            ("quadratic_gradient", gradient),
            ("domain", domain),
        ):
            if not callable(value) and (value is not None or name == "metric_matrix"):
                raise InputError(f"{name}: expected a function, got {value!r}")
        self.function, self.gradient, self.domain = function, gradient, domain
        self.dim = check_integer("dim", dim, least=1)
        self._eye = np.eye(self.dim)[:, None, :]
        self.autodiff = autodiff
        self._batched: bool | None = None
        self._broadcasts = True
        self._compared = gradient is None
        self._differentiable: bool | None = None if autodiff else False

    # -- the matrix ---------------------------------------------------------------------------

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Matrices at points (k, d), finite and symmetric: (k, d, d)."""
        if self.domain is not None:
            inside = np.asarray(self.domain(points), dtype=bool)
            if inside.shape != (len(points),):
                raise InputError(
                    f"domain: for points of shape {points.shape} it must return ({len(points)},) "
                    f"booleans, got shape {inside.shape}"
                )
            if not inside.all():
                raise DomainError(f"{place(points, ~inside)} lies outside the chart's domain")
        with np.errstate(all="ignore"):
            matrices = np.asarray(self.raw(points))
            if matrices.dtype != np.float64:
                matrices = self._convert(matrices)
            skew = np.abs(matrices - matrices.transpose(0, 2, 1)).max(initial=0.0)
        if not skew <= 1e-8 * np.abs(matrices).max(initial=0.0):  # NaN fails too
            self._refuse(matrices, points)
        return matrices

    def _convert(self, matrices: np.ndarray) -> np.ndarray:
        if matrices.dtype == object or matrices.dtype.kind not in "fiub":
            raise InputError(
                f"metric_matrix: returned an array of dtype {matrices.dtype}, expected real numbers"
            )
        if matrices.dtype.kind == "f" and matrices.dtype.itemsize < 8:
            raise InputError(
                f"metric_matrix: returned {matrices.dtype}, good to few digits, where derivatives "
                "need float64; compute in double precision"
            )
        return matrices.astype(np.float64)

    def _refuse(self, matrices: np.ndarray, points: np.ndarray) -> None:
        """Name the point at which a matrix is not finite, or not symmetric."""
        finite = np.isfinite(matrices).all(axis=(1, 2))
        if not finite.all():
            raise DomainError(f"metric_matrix: NaN or infinite at {place(points, ~finite)}")
        skew = np.abs(matrices - np.swapaxes(matrices, 1, 2)).max(axis=(1, 2))
        bad = skew > 1e-8 * np.abs(matrices).max(axis=(1, 2))
        if bad.any():
            raise InputError(
                f"metric_matrix: not symmetric at {place(points, bad)}, entries differ by "
                f"{skew[bad][0]:.3g}; return (G + Gᵀ)/2 if that is what was meant"
            )

    def raw(self, points: Any) -> Any:
        """The user's function on points (k, d), arrays or autograd's boxes: (k, d, d)."""
        if self._batched is None:
            self._batched = self._probe(np.asarray(autograd.tracer.getval(points)))
        if self._batched:
            return self.function(points)
        return anp.stack([self.function(points[i]) for i in range(len(points))])

    def _probe(self, points: np.ndarray) -> bool:
        """Whether the function takes batches; the first point, told apart, is the witness."""
        d = self.dim
        batch = np.repeat(points[:1], 3, axis=0)
        # told apart in every coordinate, where the first is zero too
        moves = 1e-3 * np.where(batch[0], batch[0], np.abs(batch[0]).max() or 1.0)
        batch[1:] += moves * np.arange(1, 3)[:, None]
        with np.errstate(all="ignore"):
            try:
                found = np.asarray(self.function(batch))
                alone = np.asarray(self.function(batch[:1]))
                shapes = (found.shape, alone.shape) == ((3, d, d), (1, d, d))
                if shapes and np.allclose(found[:1], alone, rtol=1e-10, atol=0, equal_nan=True):
                    return True
            except (ArithmeticError, IndexError, TypeError, ValueError, AssertionError):
                pass
            single = np.asarray(self.function(points[0]))
        if single.shape != (d, d):
            raise InputError(
                f"metric_matrix: for points of shape (k, {d}) it must return (k, {d}, {d}), or "
                f"for one point ({d}, {d}); got {single.shape} for one point"
            )
        return False

    # -- its derivatives ----------------------------------------------------------------------

    @property
    def derivatives(self) -> str:
        """Where q comes from: "given", "autograd" or "finite differences" (known once used)."""
        if self.gradient is not None:
            return "given"
        return "finite differences" if self._differentiable is False else "autograd"

    @property
    def remarks(self) -> str:
        """What a user may want to know about cost and accuracy, for results."""
        said = []
        if self._batched is False:
            said.append("metric_matrix takes one point at a time, which is slow")
        if self.derivatives == "finite differences":
            said.append("derivatives of the metric by finite differences")
        return "; ".join(said)

    def quadratic_gradient(self, v: np.ndarray, points: np.ndarray) -> np.ndarray:
        """q(v, x) at (k, d) arrays, or with `v` of shape (j, k, d) at points (k, d)."""
        with np.errstate(all="ignore"):
            if self.gradient is not None:
                return self._given(v, points)
            v = np.ascontiguousarray(v)
            shape = v.shape
            if points.shape != shape:
                points = np.broadcast_to(points, shape)
            v, points = v.reshape(-1, self.dim), points.reshape(-1, self.dim)
            if self._differentiable is None:
                self._differentiable = self._try_autograd(points[:1])
            q = self._by_autograd if self._differentiable else self._by_differences
            return q(v, points).reshape(shape)

    def _given(self, v: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The user's q; where its arguments do not broadcast, points are repeated for it."""
        assert self.gradient is not None
        if not self._compared:
            self._compared = True
            self._compare(points)
        if v.ndim > 2 and self._broadcasts:
            try:
                q = np.asarray(self.gradient(v, points[None]))
                if q.shape == v.shape:
                    return q
            except (IndexError, TypeError, ValueError):
                pass
            self._broadcasts = False
        tiled = points if v.shape == points.shape else np.broadcast_to(points, v.shape)
        flat = (-1, self.dim)
        q = np.asarray(self.gradient(v.reshape(flat), tiled.reshape(flat)))
        if q.dtype == object or q.shape != (v.size // self.dim, self.dim):
            raise InputError(
                f"quadratic_gradient: for (k, {self.dim}) arrays it must return (k, {self.dim}), "
                f"got {q.dtype} of shape {q.shape}"
            )
        return q.reshape(v.shape)

    def _compare(self, points: np.ndarray) -> None:
        """Hold the user's q against differences, once: a wrong one gives wrong geodesics.

        At three points, all of which must disagree: at a kink of the metric even a right one does.
        """
        points = points.reshape(-1, self.dim)
        points = points[np.linspace(0, len(points) - 1, 3).astype(int)]
        v = np.random.default_rng(0).normal(size=points.shape)
        found, expected = self._given(v, points), self._by_differences(v, points)
        scale = np.abs(expected).max(axis=1) + np.abs(self.raw(points)).max(axis=(1, 2))
        error = np.abs(found - expected).max(axis=1) / scale
        if np.isfinite(error).all() and (error > 1e-4).all():
            raise InputError(
                f"quadratic_gradient: at {place(points, 0)} it differs from ∂_x(vᵀG(x)v) by "
                f"{error[0]:.1g} of its size; it takes (v, base_point), in this order"
            )

    def _by_autograd(self, v: np.ndarray, points: np.ndarray) -> np.ndarray:
        return autograd_gradient(
            lambda x: anp.sum(anp.matmul(self.raw(x), v[:, :, None])[:, :, 0] * v), points
        )

    def _try_autograd(self, point: np.ndarray) -> bool:
        """Whether autograd sees through the function: it must agree with differences, once."""
        v = np.random.default_rng(0).normal(size=point.shape)
        try:
            found = np.asarray(self._by_autograd(v, point))
        except Exception:
            return False  # whatever a function does that autograd cannot follow
        if found.shape != point.shape or found.dtype != np.float64:
            return False
        expected = self._by_differences(v, point)
        scale = np.abs(expected).max() + np.abs(self.raw(point)).max()
        return bool(np.abs(found - expected).max() <= 1e-4 * scale)

    def tensor(self, points: np.ndarray) -> np.ndarray:
        """∂_iG by differences of order 4, (d, k, d, d).

        Those of order 2 that come with them tell where a step is too long for G; it is shortened
        there.
        """
        steps = STENCIL * coordinate_scale(points)
        slopes, rough = self._slopes(points, steps)
        for _ in range(SHORTENINGS):
            where = np.flatnonzero((rough > ROUGH).any(axis=1))
            if not len(where):
                break
            # the difference of both orders is of order 2
            factor = np.sqrt(np.clip(0.1 * ROUGH / np.maximum(rough[where], 1e-300), 1e-4, 1.0))
            steps[where] *= factor
            slopes[:, where], rough[where] = self._slopes(points[where], steps[where])
        return slopes

    def _slopes(self, points: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """∂_iG of order 4, (d, k, d, d), and how far those of order 2 are off, (k, d)."""
        d, count = self.dim, len(points)
        moves = np.array([-2.0, -1.0, 1.0, 2.0])
        shifted = np.broadcast_to(points, (4, d, *points.shape)).copy()
        for i in range(d):
            shifted[:, i, :, i] += moves[:, None] * steps[:, i]
        matrices = np.asarray(self.raw(shifted.reshape(-1, d))).reshape(4, d, count, d, d)
        width = steps.T[:, :, None, None]
        near = 0.5 * (matrices[2] - matrices[1]) / width
        far = 0.25 * (matrices[3] - matrices[0]) / width
        found = (4 * near - far) / 3
        # where G hardly changes over a step there is nothing to mend
        change = np.abs(found - near) * width
        size = np.abs(matrices).max(axis=(0, 3, 4))
        off = np.where(np.isfinite(change), change, np.inf).max(axis=(2, 3)) / size
        return found, np.where(np.isfinite(off), off, np.inf).T

    def _by_differences(self, v: np.ndarray, points: np.ndarray) -> np.ndarray:
        return np.einsum("ka,ikab,kb->ki", v, self.tensor(points), v)

    def derivatives_at(
        self, v: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return q, C and A of h = vᵀGv at (k, d) arrays: (k, d), and (k, d, d) twice."""
        with np.errstate(all="ignore"):
            if self.derivatives == "finite differences":
                q = self.quadratic_gradient(v, points)
                mixed, curvature = self._seconds_by_differences(v, points)
            else:
                q, mixed, curvature = self._by_polarising(v, points)
        # a neighbour outside the chart costs speed of convergence only
        if not np.isfinite(curvature).all():
            curvature = np.where(np.isfinite(curvature), curvature, 0.0)
        return q, mixed, 0.5 * (curvature + curvature.transpose(0, 2, 1))

    def _by_polarising(
        self, v: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """From q at v ± e_j, at x ± e_j and at (v, x), in one call.

        Where there is much to compute, two: a q that broadcasts does the work at x once.
        """
        d, k = self.dim, len(points)
        size = np.abs(v).max() or 1.0
        steps = SLOPE * coordinate_scale(points)
        units, moves = size * self._eye, steps * self._eye
        vectors, places = np.empty((2, 4 * d + 1, k, d))
        vectors[:d], vectors[d : 2 * d], vectors[2 * d :] = v + units, v - units, v
        places[: 2 * d], places[2 * d : 3 * d], places[3 * d : -1] = (
            points,
            points + moves,
            points - moves,
        )
        places[-1] = points
        if self.gradient is None or vectors.size <= TOGETHER:
            flat = (-1, d)
            q = self.quadratic_gradient(vectors.reshape(flat), places.reshape(flat))
            q = q.reshape(vectors.shape)
            around, shifted, here = q[: 2 * d], q[2 * d : -1], q[-1]
        else:
            q = self.quadratic_gradient(np.concatenate([vectors[: 2 * d], v[None]]), points)
            around, here = q[:-1], q[-1]
            flat = (-1, d)
            shifted = self.quadratic_gradient(
                vectors[2 * d : -1].reshape(flat), places[2 * d : -1].reshape(flat)
            ).reshape(2 * d, k, d)
        mixed = (around[:d] - around[d:]).transpose(1, 2, 0) / (2 * size)
        curvature = (shifted[:d] - shifted[d:]).transpose(1, 2, 0) / (2 * steps[:, None, :])
        return here, mixed, curvature

    def _seconds_by_differences(
        self, v: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        d, k = self.dim, len(points)
        mixed = 2 * np.einsum("ikab,kb->kia", self.tensor(points), v)
        steps = STENCIL * coordinate_scale(points)
        moves = np.eye(d)[:, None, :] * steps
        rows, cols = np.triu_indices(d)
        signs = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])
        shifted = (
            points
            + signs[:, 0, None, None, None] * moves[rows]
            + signs[:, 1, None, None, None] * moves[cols]
        )
        matrices = np.asarray(self.raw(shifted.reshape(-1, d))).reshape(4, -1, k, d, d)
        values = np.einsum("sjkab,ka,kb->sjk", matrices, v, v)
        second = (values[0] - values[1] - values[2] + values[3]) / (
            4 * steps.T[rows] * steps.T[cols]
        )
        curvature = np.empty((k, d, d))
        curvature[:, rows, cols] = curvature[:, cols, rows] = second.T
        return mixed, curvature


def coordinate_scale(points: np.ndarray) -> np.ndarray:
    """Size of every coordinate, (k, d): its own, or a hundredth of the largest of all."""
    size = np.abs(points)
    return np.maximum(size, 0.01 * size.max() or 1.0)


def place(points: np.ndarray, which: Any) -> str:
    """Name the first point of a selection."""
    chosen = points[which].reshape(-1, points.shape[1])[0]
    if len(chosen) > 6:
        head = ", ".join(f"{x:.6g}" for x in chosen[:6])
        return f"x = [{head}, … {len(chosen)} numbers]"
    return "x = [" + ", ".join(f"{x:.6g}" for x in chosen) + "]"
