r"""Kernels of the energy metric: radial ones, and those of a network's own features.

A radial kernel is written as a function of the squared distance, :math:`k(x, y) = κ(|x-y|^2)`,
so that its derivatives need no square roots: :math:`∂_x k = 2κ'(ρ)(x-y)`. ``profile`` gives
:math:`κ`, ``profile_slopes`` gives :math:`κ'` and :math:`κ''` with respect to :math:`ρ = r^2`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist

from ..errors import InputError
from ..utils.validation import check_array, check_positive

__all__ = [
    "FeatureKernel",
    "GaussianKernel",
    "Kernel",
    "Matern32Kernel",
    "Matern52Kernel",
    "RadialKernel",
    "median_distance",
    "radial_kernel",
]


LEAST_WIDTH = 1e-70
FEW_DIMENSIONS = 8


def median_distance(points: np.ndarray) -> float:
    """Median distance between two different points of a sample (1 for a single point)."""
    if len(points) < 2:
        return 1.0
    if len(points) > 3000:  # the median of a fixed subset has the digits a width needs
        points = points[np.random.default_rng(0).choice(len(points), 3000, replace=False)]
    return float(np.median(pdist(points))) or 1.0


class Kernel(ABC):
    """A positive definite scalar kernel k on the points of a sample; the metric's is k⊗I."""

    @abstractmethod
    def matrix(self, points: ArrayLike, others: Any = None) -> Any:
        """Kernel matrix of `points`, shape (..., n, d), in ``autograd.numpy``: (..., n, n)."""

    def resolve(self, points: np.ndarray) -> Kernel:
        """Return the kernel with whatever it takes from the sample filled in."""
        return self


def squared_distances(points: Any, others: Any = None) -> Any:
    """Squared distances between points, (..., n, n), in ``autograd.numpy``.

    From differences in few dimensions, where far points would cost digits of near ones; from
    products in many, where that is much the faster.
    """
    own = others is None
    others = points if own else others
    if points.shape[-1] <= FEW_DIMENSIONS:
        return sum(
            (points[..., :, None, c] - others[..., None, :, c]) ** 2
            for c in range(points.shape[-1])
        )
    centre = anp.mean(points, axis=-2, keepdims=True)
    x, y = points - centre, others - centre
    cross = anp.matmul(x, anp.swapaxes(y, -1, -2))
    squares = anp.sum(x * x, axis=-1)[..., :, None] + anp.sum(y * y, axis=-1)[..., None, :]
    rho = anp.maximum(squares - 2 * cross, 0.0)
    return rho * (1 - np.eye(rho.shape[-1])) if own else rho


@dataclass(frozen=True)
class RadialKernel(Kernel):
    r"""Base of kernels :math:`k(x,y) = κ(|x-y|^2)`; a subclass gives κ and its two slopes.

    Parameters
    ----------
    width : float, optional
        Length scale. Default: the median distance between the sample's points. A width taken
        from the sample breaks right invariance: fix it to compare samples.
    """

    width: float | None = None
    name: ClassVar[str] = "radial"

    def __post_init__(self) -> None:
        if self.width is not None:
            width = check_positive("width", self.width)
            if width < LEAST_WIDTH:
                raise InputError(
                    f"width: expected at least {LEAST_WIDTH:g}, so that its powers are numbers; "
                    f"got {width!r}"
                )
            object.__setattr__(self, "width", width)

    @abstractmethod
    def profile(self, rho: Any) -> Any:
        r"""Return :math:`κ(ρ)` at squared distances ρ, in ``autograd.numpy``."""

    @abstractmethod
    def profile_slopes(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`κ'(ρ), κ''(ρ)`; at ρ = 0, κ'' may be any finite number."""

    def resolve(self, points: np.ndarray) -> RadialKernel:
        """Fill in the width, where none was given, by the median distance of the points."""
        return self if self.width is not None else replace(self, width=median_distance(points))

    def matrix(self, points: ArrayLike, others: Any = None) -> Any:
        """Kernel matrix, (..., n, n)."""
        return self.profile(squared_distances(points, others))

    @property
    def _width(self) -> float:
        if self.width is None:
            raise InputError("width: this kernel has none yet; give one, or resolve it on a sample")
        return self.width


def _root(rho: Any) -> Any:
    """Square root that autograd can differentiate at zero, with value and slope zero there."""
    positive = rho > 0
    return anp.where(positive, anp.sqrt(anp.where(positive, rho, 1.0)), 0.0)


@dataclass(frozen=True)
class GaussianKernel(RadialKernel):
    r"""Gaussian kernel :math:`k = e^{-r^2/2\,\text{width}^2}` (analytic; badly conditioned).

    Examples
    --------
    >>> import geomnet as gn
    >>> float(gn.GaussianKernel(width=1.0).profile(2.0).round(6))
    0.367879
    """

    name: ClassVar[str] = "gaussian"

    def profile(self, rho: Any) -> Any:
        r"""Return :math:`e^{-ρ/2w^2}`."""
        return anp.exp(-rho / (2 * self._width**2))

    def profile_slopes(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`-κ/2w^2` and :math:`κ/4w^4`."""
        scale = 2 * self._width**2
        value = np.exp(-rho / scale)
        return value / -scale, value / scale**2


@dataclass(frozen=True)
class Matern32Kernel(RadialKernel):
    r"""Matérn kernel of smoothness 3/2: :math:`k = (1+s)e^{-s}`, :math:`s = \sqrt3\,r/ℓ`.

    The default: points cannot collide at finite distance, and its matrix stays invertible where
    the Gaussian's does not.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, eq. (4.17).
    """

    name: ClassVar[str] = "matern32"

    def profile(self, rho: Any) -> Any:
        r"""Return :math:`(1+s)e^{-s}`."""
        s = np.sqrt(3) / self._width * _root(rho)
        return (1 + s) * anp.exp(-s)

    def profile_slopes(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`-\frac{3}{2ℓ^2}e^{-s}` and :math:`\frac{9}{4ℓ^4}e^{-s}/s`."""
        width = self._width
        s = (np.sqrt(3) / width) * np.sqrt(rho)
        decay = np.exp(-s)
        inverse = np.divide(1.0, s, out=np.zeros_like(s), where=s > 0)
        return (-1.5 / width**2) * decay, (2.25 / width**4) * decay * inverse


@dataclass(frozen=True)
class Matern52Kernel(RadialKernel):
    r"""Matérn kernel of smoothness 5/2: :math:`k = (1+s+s^2/3)e^{-s}`, :math:`s=\sqrt5\,r/ℓ`.

    Source: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, eq. (4.17).
    """

    name: ClassVar[str] = "matern52"

    def profile(self, rho: Any) -> Any:
        r"""Return :math:`(1+s+s^2/3)e^{-s}`."""
        s = np.sqrt(5) / self._width * _root(rho)
        return (1 + s + s**2 / 3) * anp.exp(-s)

    def profile_slopes(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`-\frac{5}{6ℓ^2}(1+s)e^{-s}` and :math:`\frac{25}{12ℓ^4}e^{-s}`."""
        width = self._width
        s = (np.sqrt(5) / width) * np.sqrt(rho)
        decay = np.exp(-s)
        return (-5 / (6 * width**2)) * (1 + s) * decay, (25 / (12 * width**4)) * decay


_RADIAL = {kind.name: kind for kind in (Matern32Kernel, Matern52Kernel, GaussianKernel)}


def radial_kernel(name: str, width: float | None = None) -> RadialKernel:
    """Make a radial kernel by its name: ``matern32``, ``matern52`` or ``gaussian``.

    Raises
    ------
    InputError
        For an unknown name; for ``matern12``, whose points collide at finite distance, so that
        its paths may leave the diffeomorphisms.
    """
    if name == "matern12":
        raise InputError(
            "kernel: matern12 is refused, its points collide at finite distance and geodesics "
            "leave the diffeomorphisms; use matern32"
        )
    if name not in _RADIAL:
        raise InputError(f"kernel: unknown {name!r}; choose from {', '.join(_RADIAL)}")
    return _RADIAL[name](width)


@dataclass(frozen=True, eq=False)
class FeatureKernel(Kernel):
    r"""Kernel of a field linear in its parameters: :math:`k(x,y) = Ψ(x)R^{-1}Ψ(y)^\top`.

    For a field :math:`f(x, Θ) = Ψ(x)Θ` with effort :math:`\operatorname{tr}Θ^\top RΘ` the least
    effort that moves the sample with velocity :math:`v` is :math:`v^\top(ΨR^{-1}Ψ^\top)^{-1}v`:
    the energy metric of that architecture. Its rank is at most the number of features; with
    fewer features than points the geometry is sub-Riemannian.

    Parameters
    ----------
    field : object
        Anything with ``features(points)`` in ``autograd.numpy``, from (..., n, d) to (..., n, m):
        :class:`~geomnet.RandomFeatureField`, or your own.
    effort : array_like, shape (m,) or (m, m), optional
        The matrix :math:`R`, or its diagonal; the identity by default.

    Examples
    --------
    >>> import geomnet as gn
    >>> field = gn.networks.RandomFeatureField(dim=2, width=50, seed=0)
    >>> space = gn.FunctionSpace([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> metric = gn.EnergyMetric(space, kernel=gn.geometry.FeatureKernel(field))
    >>> bool(metric.norm(space.identity, space.identity) > 0)
    True
    """

    field: Any
    effort: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not callable(getattr(self.field, "features", None)):
            raise InputError(
                f"field: {self.field!r} has no method features(points); the energy metric of a "
                "field needs one that is linear in its parameters"
            )
        root = None
        if self.effort is not None:
            effort = check_array("effort", self.effort)
            full = np.diag(effort) if effort.ndim == 1 else effort
            if full.ndim != 2 or full.shape[0] != full.shape[1] or not np.allclose(full, full.T):
                raise InputError("effort: must be a symmetric matrix, or its diagonal")
            try:
                # R⁻¹ = L⁻ᵀL⁻¹, so whitened features are ΨL⁻ᵀ
                root = np.linalg.inv(np.linalg.cholesky(full)).T
            except np.linalg.LinAlgError:
                raise InputError("effort: must be positive definite") from None
        object.__setattr__(self, "_root", root)

    def features(self, points: ArrayLike) -> Any:
        """Whitened features :math:`ΨL^{-⊤}`, whose products are the kernel: (..., n, m)."""
        features = self.field.features(points)
        root = self._root  # type: ignore[attr-defined]
        return features if root is None else anp.matmul(features, root)

    def matrix(self, points: ArrayLike, others: Any = None) -> Any:
        """Kernel matrix, (..., n, n)."""
        left = self.features(points)
        right = left if others is None else self.features(others)
        return anp.matmul(left, anp.swapaxes(right, -1, -2))
