r"""The energy metric: the least effort that moves the sample with a given velocity.

.. math:: \langle v,v\rangle_φ = \min\{|θ|_R^2 : f(φ(x_i),θ) = v_i\} = v^\top K(φ)^{-1}v,
          \qquad K(φ) = k(φ(x_i), φ(x_j)) ⊗ I_d.

Right-invariant: the effort depends on where the points now are, not on where the data began.
Nielsen's circuit cost (Dowling & Nielsen 2008) and LDDMM (Beg et al. 2005) are this metric on
other groups. With :math:`p = K^{-1}v` and :math:`Φ(x,p) = \sum_{ij}(p_i·p_j)\,k(x_i,x_j)` every
derivative comes from the kernel's: :math:`♭v = p`, :math:`q = -∂_xΦ`, :math:`♯ = K`.
"""

from __future__ import annotations

import itertools
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval
from scipy.linalg import cholesky, lapack

from ..errors import DomainError, InputError, SingularKernelError
from ..geometry.kernels import (
    FeatureKernel,
    Kernel,
    Matern32Kernel,
    RadialKernel,
    squared_distances,
)
from ..utils.validation import check_positive
from .base import Metric, _broadcast

__all__ = ["EnergyMetric"]

CONDITION_LIMIT = 1e12
"""Kernel matrices past this condition number are refused: their inverse has no digits left."""

CHUNK_BYTES = 2**21
"""Segments whose kernel matrices fill this much are handled together, to stay in cache."""


class EnergyMetric(Metric):
    r"""The energy metric :math:`\langle u,v\rangle_φ = u^\top(K(φ)+νI)^{-1}v` of a kernel.

    The sample's weights do not enter.

    Parameters
    ----------
    space : FunctionSpace
    kernel : Kernel, optional
        ``Matern32Kernel()`` by default; a radial kernel without a width takes the median
        distance of the sample's points. ``FeatureKernel(field)`` is the effort of an
        architecture linear in its parameters.
    nugget : float
        Added to the diagonal of K; zero unless asked for. It lets points pass through each
        other, so the metric is then no longer one of diffeomorphisms.

    Raises
    ------
    SingularKernelError
        At a point where the condition of K passes 1e12.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[-1.0], [1.0]])
    >>> metric = gn.EnergyMetric(space, kernel=gn.GaussianKernel(width=1.0))
    >>> geo = gn.geodesic(metric, space.identity, [[-0.25], [0.25]], n_steps=32)
    >>> round(geo.distance, 5)
    1.62754
    """

    structure: ClassVar[str] = "coupled"

    def __init__(self, space: Any, kernel: Kernel | None = None, nugget: float = 0.0) -> None:
        super().__init__(space)
        kernel = Matern32Kernel() if kernel is None else kernel
        if not isinstance(kernel, Kernel):
            raise InputError(
                f"kernel: expected a Kernel such as gn.Matern32Kernel(), got {kernel!r}"
            )
        self.kernel = kernel.resolve(space.sample.points)
        self.nugget = check_positive("nugget", nugget, zero=True)

    def __repr__(self) -> str:
        nugget = f", nugget={self.nugget:g}" if self.nugget else ""
        return f"EnergyMetric({self.kernel!r}{nugget})"

    def gram(self, base_point: Any) -> Any:
        """Kernel matrix K(φ) + νI at base points, (..., n, n), in ``autograd.numpy``."""
        matrix = self.kernel.matrix(base_point)
        return matrix + self.nugget * anp.eye(matrix.shape[-1]) if self.nugget else matrix

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Return aᵀK⁻¹b, (...).

        A feature kernel with fewer features than points has K⁺ on its range; off the range the
        squared norm is infinite (no parameters make such a velocity).
        """
        matrix = self.gram(base_point)
        if self._rank_deficient():
            return _pseudo_product(matrix, tangent_vec_a, tangent_vec_b)
        for one in getval(matrix).reshape(-1, *matrix.shape[-2:]):
            _factorise(np.array(one, order="F"), np.abs(one).sum(axis=0).max())
        momentum = anp.linalg.solve(matrix, tangent_vec_b)
        return anp.sum(tangent_vec_a * momentum, axis=(-2, -1))

    def _rank_deficient(self) -> bool:
        if self.nugget or not isinstance(self.kernel, FeatureKernel):
            return False
        n = self.space.shape[0]
        return self.kernel.features(self.space.identity).shape[-1] < n

    def _check_rank(self) -> None:
        if self._rank_deficient():
            n = self.space.shape[0]
            m = self.kernel.features(self.space.identity).shape[-1]  # type: ignore[attr-defined]
            raise SingularKernelError(
                f"kernel: {m} features for {n} points, so the kernel matrix is singular "
                "and most maps are out of reach (the geometry is sub-Riemannian); use at least "
                "as many features as points, a radial kernel, or a nugget"
            )

    def flat(self, tangent_vec: Any, base_point: Any) -> np.ndarray:
        """Momentum p = K⁻¹v, (..., n, d)."""
        self._check_rank()
        vec, base = _broadcast(tangent_vec, base_point)
        shape = vec.shape
        form = self.linearise(vec.reshape((-1, *shape[-2:])), base.reshape((-1, *shape[-2:])))
        return form.flat.reshape(shape)

    def sharp(self, cotangent_vec: Any, base_point: Any) -> np.ndarray:
        """Velocity Kp, (..., n, d)."""
        return self.gram(np.asarray(base_point)) @ cotangent_vec

    def quadratic_gradient(self, tangent_vec: Any, base_point: Any) -> np.ndarray:
        """Return −∂_xΦ(x, K⁻¹v), (..., n, d)."""
        self._check_rank()
        vec, base = _broadcast(tangent_vec, base_point)
        shape = vec.shape
        form = self.linearise(vec.reshape((-1, *shape[-2:])), base.reshape((-1, *shape[-2:])))
        return form.gradient.reshape(shape)

    def hamiltonian_field(
        self, point: np.ndarray, momentum: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Velocity Kp and force −½∂_xΦ(x, p): no linear system to solve."""
        point, momentum = np.asarray(point), np.asarray(momentum)
        shape = np.broadcast_shapes(point.shape, momentum.shape)
        x = np.broadcast_to(point, shape).reshape((-1, *shape[-2:]))
        p = np.broadcast_to(momentum, shape).reshape(x.shape)
        jet = self._jet(x)
        velocity = jet.matrix @ p + self.nugget * p
        return velocity.reshape(shape), -0.5 * jet.gradient(p).reshape(shape)

    def hamiltonian_derivative(
        self, point: np.ndarray, momentum: np.ndarray, dx: np.ndarray, dp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Changes of velocity and force along m changes (m, k, n, d) of k states (k, n, d)."""
        jet = self._jet(point)
        jet.prepare(momentum)
        radial = isinstance(jet, _RadialJet)
        k, n = point.shape[:2]
        parts: list[Any] = _chunks(len(dx), n * int(np.sqrt(k))) if radial else [*range(len(dx))]
        dv, dforce = np.empty(dx.shape), np.empty(dx.shape)
        for part in parts:
            drho = jet.change(dx[part])
            bent = jet.matrix_change(drho, dx[part], momentum)
            dv[part] = jet.matrix @ dp[part] + self.nugget * dp[part] + bent
            dforce[part] = -0.5 * jet.gradient_change(drho, dx[part], momentum, dp[part])
        return dv, dforce

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Midpoint rule, by Cholesky factors, (k,)."""
        middle, step = 0.5 * (start + end), end - start
        return np.concatenate(
            [
                _EnergyForm(self, step[part], middle[part]).value
                for part in _chunks(len(step), self.space.shape[0])
            ]
        )

    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> _ChunkedForm:
        """Return the form with exact derivatives by hand (radial kernels), (k, n, d) arrays."""
        return _ChunkedForm(
            [
                _EnergyForm(self, velocity[part], base_point[part])
                for part in _chunks(len(velocity), velocity.shape[1])
            ]
        )

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Refuse ends where K is singular, and a changed order of points on the line."""
        self._check_rank()
        for name, points in (("start", start), ("end", end)):
            try:
                _EnergyForm(self, np.zeros((1, *points.shape)), points[None])
            except SingularKernelError as error:
                equal = len(np.unique(points, axis=0)) < len(points)
                cause = "two of its points are equal, which no diffeomorphism does; " * equal
                raise SingularKernelError(f"{name}: {cause}{error}", error.condition) from None
        if start.shape[1] == 1 and not self.nugget:
            order = np.argsort(start[:, 0])
            if (np.diff(end[order, 0]) <= 0).any():
                raise DomainError(
                    "end: on a line it changes the order of the points, which no diffeomorphism "
                    "joined to the identity does; add a dimension, or use another metric"
                )

    def _jet(self, points: np.ndarray) -> Any:
        if isinstance(self.kernel, RadialKernel):
            return _RadialJet(self.kernel, points)
        return _AutogradJet(self.kernel, points)


def _chunks(k: int, n: int) -> list[slice]:
    size = max(1, CHUNK_BYTES // (8 * n * n))
    return [slice(i, min(i + size, k)) for i in range(0, k, size)] or [slice(0, 0)]


def _pseudo_product(matrix: Any, a: Any, b: Any) -> np.ndarray:
    """Return aᵀK⁺b, infinite where a or b leave the range of K."""
    inverse = np.linalg.pinv(matrix, rcond=1e-12, hermitian=True)
    value = np.sum(a * (inverse @ b), axis=(-2, -1))
    off = np.zeros(value.shape, dtype=bool)
    for v in (a, b):
        left = v - matrix @ (inverse @ v)
        off |= np.linalg.norm(left, axis=(-2, -1)) > 1e-6 * np.linalg.norm(v, axis=(-2, -1))
    return np.where(off, np.inf, value)


class _RadialJet:
    """Kernel matrices at (k, n, d) points with the derivatives of Φ(x, p), by hand."""

    def __init__(self, kernel: RadialKernel, points: np.ndarray) -> None:
        self.kernel = kernel
        self.x = points - points.mean(axis=-2, keepdims=True)
        self._rho = rho = np.asarray(squared_distances(self.x))
        self.matrix = kernel.profile(rho)

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        slopes = self.kernel.profile_slopes(self._rho)
        del self._rho
        return slopes

    def _laplacian(self, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ_j W_aj (x_a − x_j)."""
        return weights.sum(axis=-1)[..., None] * x - weights @ x

    def gradient(self, p: np.ndarray) -> np.ndarray:
        """∂_xΦ = 4 Σ_j (p_a·p_j) κ'(ρ_aj)(x_a − x_j)."""
        products = p @ np.swapaxes(p, -1, -2)
        return 4 * self._laplacian(products * self._slopes[0], self.x)

    def prepare(self, p: np.ndarray) -> None:
        """Hold (p_a·p_j)κ' and (p_a·p_j)κ'' for the Hessian products at p."""
        products = p @ np.swapaxes(p, -1, -2)
        first, second = self._slopes
        self._first = products * first
        self._second = products * second

    def change(self, dx: np.ndarray) -> np.ndarray:
        """δρ_aj = 2 (x_a − x_j)·(δx_a − δx_j) along dx."""
        cross = self.x @ np.swapaxes(dx, -1, -2)
        own = np.sum(self.x * dx, axis=-1)
        drho = cross + np.swapaxes(cross, -1, -2)
        np.subtract(own[..., :, None], drho, out=drho)
        drho += own[..., None, :]
        drho *= 2
        return drho

    def matrix_change(self, drho: np.ndarray, dx: np.ndarray, p: np.ndarray) -> np.ndarray:
        """δK p."""
        return (self._slopes[0] * drho) @ p

    def gradient_change(
        self, drho: np.ndarray, dx: np.ndarray, p: np.ndarray, dp: np.ndarray
    ) -> np.ndarray:
        """Change of ∂_xΦ along (dx, dp)."""
        weights = dp @ np.swapaxes(p, -1, -2)
        weights = weights + np.swapaxes(weights, -1, -2)
        weights *= self._slopes[0]
        drho *= self._second
        weights += drho
        return 4 * (self._laplacian(weights, self.x) + self._laplacian(self._first, dx))


class _AutogradJet:
    """The same for any kernel, by autograd on Φ(x, p) = Σ p_i·p_j k(x_i, x_j)."""

    def __init__(self, kernel: Kernel, points: np.ndarray) -> None:
        self.kernel, self.x = kernel, points
        self.matrix = np.asarray(kernel.matrix(points))

    def _phi(self, x: Any, p: Any) -> Any:
        return anp.sum(p * anp.matmul(self.kernel.matrix(x), p))

    def gradient(self, p: np.ndarray) -> np.ndarray:
        return autograd.grad(self._phi, 0)(self.x, p)

    def prepare(self, p: np.ndarray) -> None:
        pass

    def change(self, dx: np.ndarray) -> None:
        return None

    def matrix_change(self, drho: None, dx: np.ndarray, p: np.ndarray) -> np.ndarray:
        # ∂_p of (∂_xΦ·dx) is 2 δK p
        return 0.5 * autograd.grad(lambda p: anp.sum(autograd.grad(self._phi, 0)(self.x, p) * dx))(
            p
        )

    def gradient_change(
        self, drho: None, dx: np.ndarray, p: np.ndarray, dp: np.ndarray
    ) -> np.ndarray:
        def along(x):
            gradient_x, gradient_p = (autograd.grad(self._phi, i)(x, p) for i in (0, 1))
            return anp.sum(gradient_x * dx) + anp.sum(gradient_p * dp)

        return autograd.grad(along)(self.x)


class _EnergyForm:
    """vᵀK(m)⁻¹v for a chunk of segments, with derivatives."""

    def __init__(self, metric: EnergyMetric, velocity: np.ndarray, base: np.ndarray) -> None:
        self.jet = metric._jet(base)
        matrix = self.jet.matrix
        if metric.nugget:
            index = np.arange(matrix.shape[-1])
            matrix[..., index, index] += metric.nugget
        # LAPACK reads the transpose of C order: its lower triangle is our upper
        self._factors = matrix.copy()
        self.flat = np.empty_like(velocity)
        sizes = np.abs(matrix).sum(axis=-1).max(axis=-1)
        for k in range(len(matrix)):
            _factorise(self._factors[k].T, sizes[k])
            self.flat[k] = lapack.dpotrs(self._factors[k].T, velocity[k], lower=1)[0]
        self.value = np.sum(velocity * self.flat, axis=(-2, -1))

    @cached_property
    def gradient(self) -> np.ndarray:
        return -self.jet.gradient(self.flat)

    @cached_property
    def _inverses(self) -> np.ndarray:
        """Explicit inverses, in place of the factors: products with them are one BLAS call."""
        for factor in self._factors:
            lapack.dpotri(factor.T, lower=1, overwrite_c=1)
            # only one triangle is written; mirror it
            np.copyto(factor, factor.T, where=_below(len(factor)))
        self.jet.prepare(self.flat)
        return self._factors

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inverses = self._inverses
        drho = self.jet.change(dm)
        dp = inverses @ (dv - self.jet.matrix_change(drho, dm, self.flat))
        return dp, -self.jet.gradient_change(drho, dm, self.flat, dp)

    def sharp(self, p: np.ndarray) -> np.ndarray:
        return self.jet.matrix @ p


@lru_cache(maxsize=4)
def _below(n: int) -> np.ndarray:
    """Mask of the entries below the diagonal."""
    return np.tri(n, k=-1, dtype=bool)


def _factorise(matrix: np.ndarray, size: float) -> None:
    """Cholesky factor of a Fortran-ordered matrix, in place; refuse past the condition limit."""
    _, info = lapack.dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
    condition = np.inf
    if info == 0:
        inverse_condition, _ = lapack.dpocon(matrix, size, uplo="L")
        condition = 1 / inverse_condition if inverse_condition > 0 else np.inf
    if not condition <= CONDITION_LIMIT:
        raise SingularKernelError(
            f"kernel matrix of condition {condition:.1e} (limit {CONDITION_LIMIT:.0e}): points "
            "lie too close for this kernel; use a rougher kernel (matern32), a smaller width, "
            "fewer points, or a nugget",
            condition,
        )


class _ChunkedForm:
    """Forms of successive chunks of segments, read as one."""

    def __init__(self, forms: list[_EnergyForm]) -> None:
        self.forms = forms
        ends = np.cumsum([0] + [len(form.value) for form in forms])
        self._parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.value = np.concatenate([form.value for form in forms])

    @property
    def flat(self) -> np.ndarray:
        return np.concatenate([form.flat for form in self.forms])

    @property
    def gradient(self) -> np.ndarray:
        return np.concatenate([form.gradient for form in self.forms])

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        changes = [
            form.derivative(dv[part], dm[part]) for form, part in zip(self.forms, self._parts)
        ]
        return (
            np.concatenate([dflat for dflat, _ in changes]),
            np.concatenate([dgradient for _, dgradient in changes]),
        )

    def sharp(self, p: np.ndarray) -> np.ndarray:
        return np.concatenate([form.sharp(p[part]) for form, part in zip(self.forms, self._parts)])

    @cached_property
    def _sum_factor(self) -> np.ndarray:
        total = np.sum([form.jet.matrix.sum(axis=0) for form in self.forms], axis=0)
        return cholesky(total, lower=True)

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        return lapack.dpotrs(self._sum_factor, r, lower=1)[0]
