r"""The energy metric: the least effort that moves the sample with a given velocity.

.. math:: \langle v,v\rangle_φ = \min\{|θ|_R^2 : f(φ(x_i),θ) = v_i\} = v^\top K(φ)^{-1}v,
          \qquad K(φ) = k(φ(x_i), φ(x_j)) ⊗ I_d.

Right-invariant: the effort depends on where the points now are, not on where the data began.
Nielsen's circuit cost (Dowling & Nielsen 2008) and LDDMM (Beg et al. 2005) are this metric on
other groups. With :math:`p = K^{-1}v` and :math:`Φ(x,p) = \sum_{ij}(p_i·p_j)\,k(x_i,x_j)` every
derivative comes from the kernel's: :math:`♭v = p`, :math:`q = -∂_xΦ`, :math:`♯ = K`.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval
from numpy.typing import ArrayLike

from ..errors import DomainError, InputError, SingularKernelError
from ..geometry.kernels import (
    FeatureKernel,
    Kernel,
    Matern32Kernel,
)
from ..geometry.space import FunctionSpace
from ..utils.validation import broadcast_pair, check_positive
from .base import Metric
from .energy_form import ChunkedForm, EnergyForm, chunks, factorise
from .kernel_jet import KernelJet, RadialJet, kernel_jet

__all__ = ["EnergyMetric"]


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

    def __init__(
        self, space: FunctionSpace, kernel: Kernel | None = None, nugget: float = 0.0
    ) -> None:
        super().__init__(space)
        kernel = Matern32Kernel() if kernel is None else kernel
        if not isinstance(kernel, Kernel):
            raise InputError(
                f"kernel: expected a Kernel such as gn.Matern32Kernel(), got {kernel!r}"
            )
        self.kernel = kernel.resolve(space.sample.points)
        self._identity = space.identity
        self.nugget = check_positive("nugget", nugget, zero=True)

    def __repr__(self) -> str:
        nugget = f", nugget={self.nugget:g}" if self.nugget else ""
        return f"EnergyMetric({self.kernel!r}{nugget})"

    def gram(self, base_point: ArrayLike) -> Any:
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
            factorise(np.array(one, order="F"), np.abs(one).sum(axis=0).max())
        momentum = anp.linalg.solve(matrix, tangent_vec_b)
        return anp.sum(tangent_vec_a * momentum, axis=(-2, -1))

    def _rank_deficient(self) -> bool:
        if self.nugget or not isinstance(self.kernel, FeatureKernel):
            return False
        n = self.space.shape[0]
        return self.kernel.features(self._identity).shape[-1] < n

    def _check_rank(self) -> None:
        if self._rank_deficient():
            n = self.space.shape[0]
            m = self.kernel.features(self._identity).shape[-1]  # type: ignore[attr-defined]
            raise SingularKernelError(
                f"kernel: {m} features for {n} points, so the kernel matrix is singular "
                "and most maps are out of reach (the geometry is sub-Riemannian); use at least "
                "as many features as points, a radial kernel, or a nugget"
            )

    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Momentum p = K⁻¹v, (..., n, d)."""
        self._check_rank()
        vec, base = broadcast_pair(tangent_vec, base_point)
        shape = vec.shape
        form = self.linearise(vec.reshape((-1, *shape[-2:])), base.reshape((-1, *shape[-2:])))
        return form.flat.reshape(shape)

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Velocity Kp, (..., n, d)."""
        return self.gram(np.asarray(base_point)) @ cotangent_vec

    def quadratic_gradient(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Return −∂_xΦ(x, K⁻¹v), (..., n, d)."""
        self._check_rank()
        vec, base = broadcast_pair(tangent_vec, base_point)
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
        radial = isinstance(jet, RadialJet)
        k, n = point.shape[:2]
        parts: list[Any] = chunks(len(dx), n * int(np.sqrt(k))) if radial else [*range(len(dx))]
        dv, dforce = np.empty(dx.shape), np.empty(dx.shape)
        for part in parts:
            drho = jet.change(dx[part])
            bent = jet.matrix_change(drho, dx[part], momentum)
            dv[part] = jet.matrix @ dp[part] + self.nugget * dp[part] + bent
            dforce[part] = -0.5 * jet.gradient_change(drho, dx[part], momentum, dp[part])
        return dv, dforce

    def linearised_field(
        self, point: np.ndarray, momentum: np.ndarray, dx: np.ndarray, dp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Hamilton's equations and their changes, without a linear system."""
        field = self.hamiltonian_field(point, momentum)
        return *field, *self.hamiltonian_derivative(point, momentum, dx, dp)

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Midpoint rule, by Cholesky factors, (k,)."""
        middle, step = 0.5 * (start + end), end - start
        return np.concatenate(
            [
                EnergyForm(self._jet(middle[part]), self.nugget, step[part]).value
                for part in chunks(len(step), self.space.shape[0])
            ]
        )

    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> ChunkedForm:
        """Return the form with exact derivatives by hand (radial kernels), (k, n, d) arrays."""
        return ChunkedForm(
            [
                EnergyForm(self._jet(base_point[part]), self.nugget, velocity[part])
                for part in chunks(len(velocity), velocity.shape[1])
            ]
        )

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Refuse ends where K is singular, and a changed order of points on the line."""
        self._check_rank()
        for name, points in (("start", start), ("end", end)):
            try:
                EnergyForm(self._jet(points[None]), self.nugget, np.zeros((1, *points.shape)))
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

    def _jet(self, points: np.ndarray) -> KernelJet:
        return kernel_jet(self.kernel, points)


def _pseudo_product(matrix: Any, a: Any, b: ArrayLike) -> np.ndarray:
    """Return aᵀK⁺b, infinite where a or b leave the range of K."""
    inverse = np.linalg.pinv(matrix, rcond=1e-12, hermitian=True)
    value = np.sum(a * (inverse @ b), axis=(-2, -1))
    off = np.zeros(value.shape, dtype=bool)
    for v in (a, b):
        left = v - matrix @ (inverse @ v)
        off |= np.linalg.norm(left, axis=(-2, -1)) > 1e-6 * np.linalg.norm(v, axis=(-2, -1))
    return np.where(off, np.inf, value)
