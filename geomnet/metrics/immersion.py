r"""The metric an immersion pulls back, and the chordal energy of paths in it.

An immersion :math:`f: \mathbb R^d → \mathbb R^D` (a decoder) carries the Euclidean metric of its
image back to coordinates, :math:`\langle u,v\rangle_z = (J(z)u)\cdot(J(z)v)`. A step is measured by
its chord, :math:`s(x,y) = |f(y) - f(x)|^2`, which needs no Jacobian for the energy and one pullback
:math:`J^\top w` for its gradient. The length of a polygon of chords is at most that of the curve,
and tends to it at order 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve

from ..errors import DomainError, InputError
from ..geometry.metric import ImmersedMetric
from ..geometry.metric_matrix import SLOPE, coordinate_scale
from ..geometry.space import ChartSpace
from ..geometry.steps import Steps
from ..utils.validation import check_batches, check_integer, check_positive
from .base import Metric

__all__ = ["ImmersionMetric"]


class ImmersionMetric(ImmersedMetric, Metric):
    r"""The pullback metric of an immersion, with chordal steps.

    Parameters
    ----------
    immersion : callable
        f, from points (k, d) to (k, D), in ``autograd.numpy``.
    dim : int, optional
        Dimension d of the chart; taken from the first point seen by default.
    pullback : callable, optional
        ``pullback(points, covectors)`` = :math:`J(z)^\top w`, from (k, d) and (k, D) to (k, d): the
        vector–Jacobian product, which autograd supplies otherwise. With it, `immersion` need not
        be written in ``autograd.numpy`` (a decoder of another library, say) for geodesics and
        lengths.

    Notes
    -----
    Newton's method takes the Jacobian, and second derivatives contracted with a chord, from
    central differences of f and of the pullback, in one batch; they decide how fast it
    converges, not what it converges to.

    Examples
    --------
    A paraboloid as a graph:

    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> paraboloid = gn.ImmersionMetric(
    ...     lambda z: anp.concatenate([z, anp.sum(z**2, axis=-1, keepdims=True)], axis=-1)
    ... )
    >>> geo = gn.geodesic(paraboloid, [-1.0, 0.5], [1.0, 0.7], n_steps=64)
    >>> geo.certificate.converged
    True
    """

    def __init__(
        self,
        immersion: Callable[[Any], Any],
        dim: int | None = None,
        pullback: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        for name, value in (("immersion", immersion), ("pullback", pullback)):
            if not callable(value) and (value is not None or name == "immersion"):
                raise InputError(f"{name}: expected a function, got {value!r}")
        self.immersion, self._pullback = immersion, pullback
        self._compared = False
        self._chart: ChartSpace | None = None
        if dim is not None:
            self._live_on(ChartSpace(check_integer("dim", dim, least=1)))

    def _live_on(self, chart: ChartSpace) -> None:
        """Take a chart for the metric's space."""
        self._chart = chart
        super().__init__(chart)

    def adopt(self, point: ArrayLike) -> None:
        """Take the dimension of the chart from a point, where none was given."""
        if self._chart is None:
            shape = np.shape(point)
            if not shape or not shape[-1]:
                raise InputError(f"point: expected coordinates, (..., d), got shape {shape}")
            self._live_on(ChartSpace(shape[-1]))

    @property
    def space(self) -> ChartSpace:
        """The chart."""
        if self._chart is None:
            raise InputError("dim: give gn.ImmersionMetric(immersion, dim) the chart's dimension")
        return self._chart

    def __repr__(self) -> str:
        dim = "" if self._chart is None else f"dim={self._chart.dim}"
        return f"ImmersionMetric({dim})"

    def __mul__(self, scalar: Any) -> Any:
        """Scale the metric (not the distance): the immersion √c·f."""
        if not np.isscalar(scalar):
            return NotImplemented
        root = np.sqrt(check_positive("scalar", scalar))
        f, pull = self.immersion, self._pullback
        return ImmersionMetric(
            lambda z: root * f(z),
            None if self._chart is None else self._chart.dim,
            None if pull is None else lambda z, w: root * pull(z, w),
        )

    __rmul__ = __mul__

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Images of points (k, d), finite: (k, D)."""
        with np.errstate(all="ignore"):
            images = np.asarray(self.immersion(points))
        if images.ndim != 2 or len(images) != len(points) or images.dtype.kind not in "fiu":
            raise InputError(
                f"immersion: for points of shape {points.shape} it must return numbers of shape "
                f"({len(points)}, D), got {images.dtype} of shape {images.shape}"
            )
        if images.dtype.kind == "f" and images.dtype.itemsize < 8:
            raise InputError(
                f"immersion: returns {images.dtype}, good to few digits, where derivatives need "
                "float64; compute in double precision (model.double() in PyTorch)"
            )
        if not np.isfinite(images).all():
            bad = points[~np.isfinite(images).all(axis=1)][0]
            raise DomainError(f"immersion: NaN or infinite at z = {np.round(bad, 6).tolist()}")
        return images

    def pull_back(self, points: np.ndarray, covectors: np.ndarray) -> np.ndarray:
        """Jᵀw, (k, d)."""
        with np.errstate(all="ignore"):
            if self._pullback is not None:
                found = np.asarray(self._pullback(points, covectors))
            else:
                found = autograd.grad(lambda z: anp.sum(self.immersion(z) * covectors))(points)
        if found.shape != points.shape:
            raise InputError(
                f"pullback: for points of shape {points.shape} it must return that shape, got "
                f"{found.shape}"
            )
        return found

    def _compare(self, points: np.ndarray) -> None:
        """Hold the user's pullback against differences of f, once: all depends on it."""
        jacobians = self.jacobian(points)
        covectors = np.random.default_rng(0).normal(size=jacobians.shape[:2])
        expected = np.einsum("kDd,kD->kd", jacobians, covectors)
        error = np.abs(self.pull_back(points, covectors) - expected).max(axis=1)
        error /= np.abs(jacobians).max(axis=(1, 2)) * np.sqrt(covectors.shape[1])
        if (error > 1e-4).all():  # at a corner even a right one differs
            raise InputError(
                f"pullback: at z = {np.round(points[0], 6).tolist()} it differs from Jᵀw by "
                f"{error[0]:.1g} of its size; it takes (points, covectors), in this order"
            )

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """(Ju)·(Jv), (...); by autograd through f twice."""
        push_a = self._push(tangent_vec_a, base_point)
        push_b = push_a if tangent_vec_b is tangent_vec_a else self._push(tangent_vec_b, base_point)
        return anp.sum(push_a * push_b, axis=-1)

    def _push(self, v: ArrayLike, base_point: ArrayLike) -> Any:
        """Jv: the gradient in w of (Jᵀw)·v, which is linear in w."""
        shape = np.broadcast_shapes(np.shape(v), np.shape(base_point))
        flat = (-1, shape[-1])
        base = anp.reshape(base_point + anp.zeros(shape), flat)
        v = anp.reshape(v + anp.zeros(shape), flat)
        images = self.immersion(base)

        def pulled(w: Any) -> Any:
            back = autograd.grad(lambda z: anp.sum(self.immersion(z) * w))(base)
            return anp.sum(back * v)

        found = autograd.grad(pulled)(np.zeros(np.shape(images)))
        return anp.reshape(found, (*shape[:-1], -1))

    def metric_matrix(self, base_point: Any) -> np.ndarray:
        """Matrices JᵀJ at points (..., d), good to ten digits: (..., d, d)."""
        (points,) = check_batches(self.space.shape, base_point=base_point)
        jacobians = self.jacobian(points.reshape(-1, points.shape[-1]))
        matrices = np.swapaxes(jacobians, 1, 2) @ jacobians
        return matrices.reshape(*points.shape, points.shape[-1])

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """J at points (k, d) by central differences, good to ten digits: (k, D, d)."""
        shifted, width = _shifted(points)
        images = self(shifted).reshape(2, *width.shape[:2], -1)
        return np.moveaxis((images[0] - images[1]) / width, 0, -1)

    def bends(self, points: np.ndarray, covectors: np.ndarray) -> np.ndarray:
        """w·∂²f at points (k, d), by central differences of the pullback: (k, d, d)."""
        shifted, width = _shifted(points)
        tiled = np.tile(covectors, (2 * points.shape[1], 1))
        pulled = self.pull_back(shifted, tiled).reshape(2, *width.shape[:2], -1)
        found = np.moveaxis((pulled[0] - pulled[1]) / width, 0, -1)
        return 0.5 * (found + np.swapaxes(found, 1, 2))

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """(JᵀJ)⁻¹p, (..., d)."""
        p, base = np.broadcast_arrays(cotangent_vec, base_point)
        jacobians = self.jacobian(np.asarray(base, dtype=np.float64).reshape(-1, p.shape[-1]))
        gram = np.swapaxes(jacobians, 1, 2) @ jacobians
        return np.linalg.solve(gram, p.reshape(-1, p.shape[-1], 1)).reshape(p.shape)

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Squared chords ‖f(end) − f(start)‖², (k,)."""
        return np.sum((self(end) - self(start)) ** 2, axis=-1)

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Squared chords with their derivatives."""
        return _Chords(self, start, end)

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Raise where f is no immersion at an end, or two ends have one image."""
        images = self(np.stack([start, end]))
        if self._pullback is not None and not self._compared:
            self._compare(np.stack([start, end]))
            self._compared = True
        if np.array_equal(images[0], images[1]) and not np.array_equal(start, end):
            raise DomainError(
                "end: the immersion takes both ends to one point; chords cannot see a path "
                "between them"
            )
        for name, point in (("start", start), ("end", end)):
            sizes = np.linalg.svd(self.jacobian(point[None])[0], compute_uv=False)
            if len(sizes) < len(point) or sizes[-1] <= 1e-7 * sizes[0]:
                raise DomainError(
                    f"{name}: the immersion's Jacobian has no full rank near z = "
                    f"{np.round(point, 6).tolist()}"
                )


class _Chords(Steps):
    """Squared chords of an immersion between the states of a path.

    Where each step begins at the end of the one before, images and Jacobians of the states between
    are computed once, and what chords pull back there is one covector, 2(Δ_k − Δ_{k+1}).
    """

    def __init__(self, metric: ImmersionMetric, start: np.ndarray, end: np.ndarray) -> None:
        self.metric, self.start, self.end = metric, start, end
        self.joined = np.array_equal(start[1:], end[:-1])
        if self.joined:
            self.nodes = np.concatenate([start, end[-1:]])
            self.chord = np.diff(metric(self.nodes), axis=0)
        else:
            self.nodes = np.concatenate([start, end])
            images = metric(self.nodes)
            self.chord = images[len(start) :] - images[: len(start)]
        self.squared = np.sum(self.chord**2, axis=-1)

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """−2J(x)ᵀΔ and 2J(y)ᵀΔ with the chord Δ."""
        both = np.concatenate([self.start, self.end])
        back = self.metric.pull_back(both, np.concatenate([self.chord, self.chord]))
        return -2 * back[: len(self.start)], 2 * back[len(self.start) :]

    def along_path(self) -> np.ndarray:
        """Gradient at the states between steps, 2Jᵀ(Δ_k − Δ_{k+1})."""
        if not self.joined:
            return super().along_path()
        return 2 * self.metric.pull_back(self.nodes[1:-1], self.chord[:-1] - self.chord[1:])

    @cached_property
    def _jacobians(self) -> np.ndarray:
        """Jacobians at all nodes, (·, D, d)."""
        return self.metric.jacobian(self.nodes)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Jacobians at starts and at ends, each (k, D, d)."""
        count = len(self.start)
        jacobians = self._jacobians
        return jacobians[:count], jacobians[1:] if self.joined else jacobians[count:]

    @cached_property
    def _blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at_x, at_y = self._ends
        across = np.swapaxes(at_x, 1, 2)
        return (
            2 * (across @ at_x - self.metric.bends(self.start, self.chord)),
            -2 * across @ at_y,
            2 * (np.swapaxes(at_y, 1, 2) @ at_y + self.metric.bends(self.end, self.chord)),
        )

    def blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """2J(x)ᵀJ(x) − 2Δ·∂²f(x), −2J(x)ᵀJ(y), 2J(y)ᵀJ(y) + 2Δ·∂²f(y)."""
        return self._blocks

    @cached_property
    def _along(self) -> tuple[np.ndarray, np.ndarray]:
        jacobians = self._jacobians
        across = np.swapaxes(jacobians, 1, 2)
        bends = self.metric.bends(self.nodes[1:-1], self.chord[:-1] - self.chord[1:])
        return (
            4 * across[1:-1] @ jacobians[1:-1] + 2 * bends,
            -2 * across[1:-2] @ jacobians[2:-1],
        )

    def blocks_along_path(self) -> tuple[np.ndarray, np.ndarray]:
        """4JᵀJ + 2(Δ_k − Δ_{k+1})·∂²f on the diagonal, −2JᵀJ' above it."""
        return self._along if self.joined else super().blocks_along_path()

    def hessian_product(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Products with the blocks."""
        xx, xy, yy = self._blocks
        dx, dy = dx[:, :, None], dy[:, :, None]
        return (xx @ dx + xy @ dy)[:, :, 0], (np.swapaxes(xy, 1, 2) @ dx + yy @ dy)[:, :, 0]

    def frozen(self) -> np.ndarray:
        """2JᵀJ, the mean of both ends: positive definite wherever f is an immersion."""
        at_x, at_y = self._ends
        return np.swapaxes(at_x, 1, 2) @ at_x + np.swapaxes(at_y, 1, 2) @ at_y

    @cached_property
    def _cometrics(self) -> np.ndarray:
        frozen = 0.5 * self.frozen()
        values = np.linalg.eigvalsh(frozen)
        if (values[:, 0] <= 1e-14 * values[:, -1]).any():
            worst = int(np.argmin(values[:, 0] / values[:, -1]))
            raise DomainError(
                "immersion: its Jacobian has no full rank near z = "
                f"{np.round(self.start[worst], 6).tolist()}; it is no immersion there"
            )
        return np.linalg.inv(frozen)

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """(JᵀJ)⁻¹p."""
        return (self._cometrics @ p[:, :, None])[:, :, 0]

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the summed cometrics."""
        return cho_solve(cho_factor(self._cometrics.sum(axis=0)), r)


def _shifted(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points moved forth and back along every axis, (2d·k, d), and how far apart, (d, k, 1)."""
    d = points.shape[1]
    steps = SLOPE * coordinate_scale(points)
    moves = np.eye(d)[:, None, :] * steps
    shifted = np.concatenate([points + moves, points - moves]).reshape(-1, d)
    return shifted, 2 * steps.T[:, :, None]
