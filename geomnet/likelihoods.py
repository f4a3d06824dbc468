r"""Likelihoods p(y|z): Fisher factor, closed Fisher–Rao distance and geodesic, loss.

For parameters :math:`z \in \mathbb R^C` the Fisher matrix is
:math:`F(z) = \mathbb E_y[∂_z\log p\,∂_z\log p^\top] = S^\top S`. The Riemannian metric it
defines has a closed geometry for every family here (Rao 1945; Atkinson & Mitchell 1981):

=========================  =======================================  ==========================
family                     parameters z                             geometry
=========================  =======================================  ==========================
``Categorical(C)``         logits, modulo a common shift            sphere of radius 2, by 2√p
``Bernoulli(dim)``         logits                                   intervals of length π
``Gaussian(sigma, dim)``   means                                    Euclidean / σ
``HeteroscedasticGaussian``  means and log σ                        hyperbolic planes, K = −1/2
=========================  =======================================  ==========================

Products of independent outputs add squared distances. All methods take leading axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from scipy.special import log_softmax, softmax

from .errors import InputError, check_integer, check_positive

__all__ = [
    "Bernoulli",
    "Categorical",
    "Gaussian",
    "HeteroscedasticGaussian",
    "Likelihood",
    "SquaredDistance",
]


class SquaredDistance(NamedTuple):
    """A squared distance D(z, z') with all its first and second derivatives.

    Shapes: value (...), gradients (..., C), Hessians (..., C, C); ``mixed`` is ∂²D/∂z∂z'.
    """

    value: np.ndarray
    gradient_start: np.ndarray
    gradient_end: np.ndarray
    hessian_start: np.ndarray
    mixed: np.ndarray
    hessian_end: np.ndarray


class Likelihood(ABC):
    """A family of distributions p(y|z) of the targets y, given parameters z."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Length C of z."""

    @abstractmethod
    def fisher_factor(self, z: Any) -> Any:
        r"""Return S with :math:`S^\top S = F(z)`, (..., q, C), in ``autograd.numpy``."""

    @abstractmethod
    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        r"""Return :math:`∂_z\langle v, v\rangle_z = ∂_z(v^\top F(z)v)`, (..., C)."""

    @abstractmethod
    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Closed squared Fisher–Rao distance, (...)."""

    @abstractmethod
    def squared_distance_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        """Squared distance with its first and second derivatives."""

    @abstractmethod
    def geodesic(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Closed geodesic at `times` in [0, 1]: (T, ..., C)."""

    @abstractmethod
    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return −log p(y|z), (...)."""

    @abstractmethod
    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return ∂(−log p(y|z))/∂z, (..., C)."""

    @abstractmethod
    def check_targets(self, y: Any, n: int) -> np.ndarray:
        """Return targets of `n` data in the form the loss takes, or say what is wrong."""

    def fisher_matrix(self, z: np.ndarray) -> np.ndarray:
        """Fisher matrix F(z), (..., C, C)."""
        factor = self.fisher_factor(z)
        return np.swapaxes(factor, -1, -2) @ factor

    def distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Closed Fisher–Rao distance between the distributions at `start` and `end`, (...)."""
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        return np.sqrt(self.squared_distance(start, end))

    def gauge_projector(self) -> np.ndarray | None:
        """Projector on the directions of z that change p (None where all do), (C, C)."""
        return None

    def score(self, z: np.ndarray, y: np.ndarray) -> float | None:
        """Share of targets predicted right, where that makes sense."""
        return None


@dataclass(frozen=True)
class Categorical(Likelihood):
    r"""Classes 0..C−1 with logits z, :math:`p = \operatorname{softmax} z`.

    :math:`F = \operatorname{diag}p - pp^\top` is singular along the common shift of the logits.
    Through :math:`2\sqrt p` the simplex is part of a sphere of radius 2:
    :math:`d = 2\arccos\sum_c\sqrt{p_cq_c}`.

    Parameters
    ----------
    n_classes : int

    Examples
    --------
    Uniform to one-hot on ten classes is :math:`2\arccos 10^{-1/2}`:

    >>> import numpy as np, geomnet as gn
    >>> one_hot = np.where(np.arange(10) == 0, 80.0, 0.0)
    >>> round(float(gn.Categorical(10).distance(np.zeros(10), one_hot)), 6)
    2.498092
    """

    n_classes: int

    def __post_init__(self) -> None:
        check_integer("n_classes", self.n_classes, least=2)

    @property
    def n_parameters(self) -> int:
        """Number of logits, C."""
        return self.n_classes

    def fisher_factor(self, z: Any) -> Any:
        r"""Return :math:`S = \operatorname{diag}\sqrt p\,(I - 1p^\top)`, (..., C, C)."""
        z = z - anp.max(z, axis=-1, keepdims=True)
        # √p as an exponential: the root of an underflown p has no derivative
        root = anp.exp(z / 2) / anp.sqrt(anp.sum(anp.exp(z), axis=-1, keepdims=True))
        p = root**2
        return root[..., :, None] * (anp.eye(self.n_classes) - p[..., None, :])

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        r"""Third cumulant: :math:`p_a((v_a-\bar v)^2 - \operatorname{Var}v)`."""
        p = softmax(z, axis=-1)
        moved = v - np.sum(p * v, axis=-1, keepdims=True)
        square = moved**2
        return p * (square - np.sum(p * square, axis=-1, keepdims=True))

    @staticmethod
    def _angle(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Roots of both distributions and the angle between them, without cancellation."""
        root_start = np.exp(0.5 * log_softmax(start, axis=-1))
        root_end = np.exp(0.5 * log_softmax(end, axis=-1))
        half = 0.5 * np.sqrt(np.sum((root_start - root_end) ** 2, axis=-1))
        return root_start, root_end, 2 * np.arcsin(np.minimum(half, 1.0))

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`4\arccos^2\sum_c\sqrt{p_cq_c}`."""
        return 4 * self._angle(start, end)[2] ** 2

    def squared_distance_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        r"""Derivatives of :math:`f(ρ) = 4\arccos^2ρ`, :math:`ρ = \sum\sqrt{p_cq_c}`, by hand."""
        s, t, angle = self._angle(start, end)
        p, q, rho, both = s * s, t * t, np.cos(angle), s * t
        # f' = -8 θ/sin θ, f'' = 8 (1 - θ cot θ)/sin²θ, with their limits at θ = 0
        small = angle < 1e-3
        theta = np.where(small, 1.0, angle)
        sin = np.sin(theta)
        slope = -8 * np.where(small, 1 + angle**2 / 6, theta / sin)
        bend = 8 * np.where(small, 1 / 3 + 2 * angle**2 / 15, (1 - theta / np.tan(theta)) / sin**2)
        slope, bend = slope[..., None, None], bend[..., None, None]
        half_start = 0.5 * (both - p * rho[..., None])  # ∂ρ/∂z
        half_end = 0.5 * (both - q * rho[..., None])
        eye = np.eye(self.n_classes)

        def second(p, half):
            # ∂²ρ/∂z_a∂z_b = ½[½ both_a (δ_ab − p_b) − p_a(δ_ab − p_b)ρ − p_a ∂_bρ]
            diagonal = 0.5 * both - p * rho[..., None]
            outer = (0.5 * both - p * rho[..., None])[..., :, None] * p[..., None, :]
            return 0.5 * (
                diagonal[..., :, None] * eye - outer - p[..., :, None] * half[..., None, :]
            )

        mixed = 0.25 * (
            both[..., :, None] * eye
            - both[..., :, None] * q[..., None, :]
            - p[..., :, None] * both[..., None, :]
            + p[..., :, None] * q[..., None, :] * rho[..., None, None]
        )

        def outer(a, b):
            return a[..., :, None] * b[..., None, :]

        return SquaredDistance(
            4 * angle**2,
            slope[..., 0] * half_start,
            slope[..., 0] * half_end,
            bend * outer(half_start, half_start) + slope * second(p, half_start),
            bend * outer(half_start, half_end) + slope * mixed,
            bend * outer(half_end, half_end) + slope * second(q, half_end),
        )

    def geodesic(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Great circle through √p, as centred logits."""
        log_s, log_t = 0.5 * log_softmax(start, axis=-1), 0.5 * log_softmax(end, axis=-1)
        angle = self._angle(start, end)[2][..., None]
        times = np.asarray(times, dtype=float).reshape((-1,) + (1,) * np.ndim(start))
        tiny = angle < 1e-8
        sin = np.where(tiny, 1.0, np.sin(angle))
        with np.errstate(divide="ignore"):
            left = np.log(np.where(tiny, 1 - times, np.sin((1 - times) * angle) / sin))
            right = np.log(np.where(tiny, times, np.sin(times * angle) / sin))
        z = 2 * np.logaddexp(left + log_s, right + log_t)
        return z - z.mean(axis=-1, keepdims=True)

    def gauge_projector(self) -> np.ndarray:
        """Centring: a common shift of the logits changes nothing."""
        return np.eye(self.n_classes) - 1.0 / self.n_classes

    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Cross-entropy of class y."""
        return -np.take_along_axis(log_softmax(z, axis=-1), y[..., None], axis=-1)[..., 0]

    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return p − one-hot(y)."""
        p = softmax(z, axis=-1)
        np.put_along_axis(
            p, y[..., None], np.take_along_axis(p, y[..., None], axis=-1) - 1, axis=-1
        )
        return p

    def check_targets(self, y: Any, n: int) -> np.ndarray:
        """Class indices 0..C−1, shape (n,)."""
        y = np.asarray(y)
        if y.shape != (n,):
            raise InputError(f"labels: expected shape {(n,)}, got {y.shape}")
        real = y.dtype.kind in "iufb" and np.isfinite(y).all()
        whole = y.astype(np.int64) if real else None
        if whole is None or (whole != y).any() or whole.min() < 0 or whole.max() >= self.n_classes:
            raise InputError(
                f"labels: expected class indices 0..{self.n_classes - 1}; "
                "map other names with numpy.unique(labels, return_inverse=True)"
            )
        return whole

    def score(self, z: np.ndarray, y: np.ndarray) -> float:
        """Share of data whose most probable class is theirs."""
        return float(np.mean(np.argmax(z, axis=-1) == y))


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    r"""Independent coins with logits z, :math:`p = 1/(1+e^{-z})`.

    Through :math:`ψ = 2\arctan e^{z/2} \in (0, π)` each is an interval: :math:`d = |ψ-ψ'|`.

    Parameters
    ----------
    dim : int
        Number of coins.

    Examples
    --------
    >>> import geomnet as gn
    >>> round(float(gn.Bernoulli().distance([-10.0], [10.0])), 3)
    3.115
    """

    dim: int = 1

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, least=1)

    @property
    def n_parameters(self) -> int:
        """Number of coins."""
        return self.dim

    @staticmethod
    def _arc_speed(z: Any) -> Any:
        """Return ψ' = √(p(1−p)) = 1/(2 cosh(z/2))."""
        decay = anp.exp(-anp.abs(z) / 2)
        return decay / (1 + decay**2)

    @staticmethod
    def _arc_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return ψ(end) − ψ(start) = 2 arctan(sinh((end−start)/4)/cosh((end+start)/4))."""
        near, far = (end - start) / 4, np.abs(end + start) / 4
        # both over exp(far): |near| may pass far, so the larger exponent is divided out
        top = np.maximum(np.abs(near), far)
        sinh = 0.5 * (np.exp(near - top) - np.exp(-near - top))
        cosh = 0.5 * (np.exp(far - top) + np.exp(-far - top))
        small = np.abs(near) < 1e-3
        return 2 * np.arctan2(
            np.where(small, np.sinh(np.where(small, near, 0.0)) * np.exp(-top), sinh), cosh
        )

    def fisher_factor(self, z: Any) -> Any:
        """Return S = diag √(p(1−p)), (..., dim, dim)."""
        return self._arc_speed(z)[..., :, None] * anp.eye(self.dim)

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return p(1−p)(1−2p)v²."""
        return -np.tanh(z / 2) * self._arc_speed(z) ** 2 * v**2

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return Σ(ψ − ψ')²."""
        return np.sum(self._arc_between(start, end) ** 2, axis=-1)

    def squared_distance_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        """Derivatives of (ψ(z) − ψ(z'))², by hand."""
        arc = self._arc_between(start, end)
        s, t = self._arc_speed(start), self._arc_speed(end)
        eye = np.eye(self.dim)
        second_start = 2 * s**2 + arc * np.tanh(start / 2) * s  # −2·arc·ψ''
        second_end = 2 * t**2 - arc * np.tanh(end / 2) * t
        return SquaredDistance(
            np.sum(arc**2, axis=-1),
            -2 * arc * s,
            2 * arc * t,
            second_start[..., None] * eye,
            (-2 * s * t)[..., None] * eye,
            second_end[..., None] * eye,
        )

    def geodesic(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Uniform motion in ψ."""
        times = np.asarray(times, dtype=float).reshape((-1,) + (1,) * np.ndim(start))

        def log_arcs(z):
            """Logarithms of ψ and π − ψ; the smaller one may be less than any float."""
            low = np.exp(-np.minimum(np.abs(z), 700) / 2)
            small = np.log(2 * np.arctan(low) / low) - np.abs(z) / 2
            large = np.log(np.pi - 2 * np.arctan(low))
            return np.where(z > 0, large, small), np.where(z > 0, small, large)

        def log_tan(start, end):
            """Return log tan of half the arc at each time, capped at a quarter turn."""
            with np.errstate(divide="ignore"):
                log_arc = np.logaddexp(np.log(1 - times) + start, np.log(times) + end)
            half = np.exp(np.clip(log_arc, -700, np.log(np.pi / 2))) / 2
            return np.log(np.tan(half) / half) + np.minimum(log_arc, np.log(np.pi / 2)) - np.log(2)

        (up, down), (up_end, down_end) = log_arcs(start), log_arcs(end)
        return 2 * (log_tan(up, up_end) - log_tan(down, down_end))

    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Sum of log(1+e^z) − yz over the coins."""
        return np.sum(np.logaddexp(0, z) - y * z, axis=-1)

    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return p − y."""
        return 0.5 * (1 + np.tanh(z / 2)) - y

    def check_targets(self, y: Any, n: int) -> np.ndarray:
        """Zeros and ones, shape (n, dim); (n,) is taken for one coin."""
        y = np.asarray(y)
        if self.dim == 1 and y.shape == (n,):
            y = y[:, None]
        if y.shape != (n, self.dim):
            raise InputError(f"labels: expected shape {(n, self.dim)}, got {y.shape}")
        if y.dtype.kind not in "iufb" or not np.isin(y, (0, 1)).all():
            raise InputError("labels: a Bernoulli likelihood takes zeros and ones")
        return y.astype(np.float64)

    def score(self, z: np.ndarray, y: np.ndarray) -> float:
        """Share of coins whose likelier side came up."""
        return float(np.mean((z > 0) == (y > 0.5)))


class _RealTargets(Likelihood):
    """Likelihoods of real vectors y of length ``dim``."""

    dim: int

    def check_targets(self, y: Any, n: int) -> np.ndarray:
        """Real numbers, shape (n, dim); (n,) is taken for one output."""
        y = np.asarray(y)
        if self.dim == 1 and y.shape == (n,):
            y = y[:, None]
        if y.shape != (n, self.dim):
            raise InputError(f"targets: expected shape {(n, self.dim)}, got {y.shape}")
        if y.dtype.kind not in "iufb" or not np.isfinite(y).all():
            raise InputError("targets: a Gaussian likelihood takes finite real numbers")
        return y.astype(np.float64)


@dataclass(frozen=True)
class Gaussian(_RealTargets):
    r"""Independent normal outputs with means z and one fixed σ: flat, :math:`d = |z-z'|/σ`.

    Parameters
    ----------
    sigma : float
        Standard deviation.
    dim : int
        Number of outputs.

    Examples
    --------
    >>> import geomnet as gn
    >>> float(gn.Gaussian(sigma=0.5, dim=2).distance([0.0, 0.0], [3.0, 4.0]))
    10.0
    """

    sigma: float = 1.0
    dim: int = 1

    def __post_init__(self) -> None:
        check_positive("sigma", self.sigma)
        check_integer("dim", self.dim, least=1)

    @property
    def n_parameters(self) -> int:
        """Number of outputs."""
        return self.dim

    def fisher_factor(self, z: Any) -> Any:
        """Return S = I/σ."""
        return anp.ones((*z.shape[:-1], 1, 1)) * anp.eye(self.dim) / self.sigma

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Zero: the geometry is flat and z its affine coordinate."""
        return np.zeros(np.broadcast_shapes(np.shape(z), np.shape(v)))

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`|z-z'|^2/σ^2`."""
        return np.sum((end - start) ** 2, axis=-1) / self.sigma**2

    def squared_distance_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        r"""Derivatives of :math:`|z-z'|^2/σ^2`."""
        step = 2 * (end - start) / self.sigma**2
        hessian = np.broadcast_to(2 * np.eye(self.dim) / self.sigma**2, (*step.shape, self.dim))
        return SquaredDistance(
            self.squared_distance(start, end), -step, step, hessian, -hessian, hessian
        )

    def geodesic(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Straight line."""
        times = np.asarray(times, dtype=float).reshape((-1,) + (1,) * np.ndim(start))
        return (1 - times) * start + times * end

    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Squared error over 2σ², with its constant."""
        return np.sum(
            0.5 * ((z - y) / self.sigma) ** 2 + 0.5 * np.log(2 * np.pi * self.sigma**2), axis=-1
        )

    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return (z − y)/σ²."""
        return (z - y) / self.sigma**2


@dataclass(frozen=True)
class HeteroscedasticGaussian(_RealTargets):
    r"""Independent normal outputs with means μ and own spreads, :math:`z = (μ, \log σ)`.

    :math:`ds^2 = \sum dμ^2/σ^2 + 2\,d(\log σ)^2`: hyperbolic planes of curvature −1/2,
    :math:`d = \sqrt2\,\operatorname{arccosh}(1 + (Δμ^2/2 + Δσ^2)/(2σσ'))`.

    Parameters
    ----------
    dim : int
        Number of outputs; z holds ``dim`` means, then ``dim`` logarithms of σ.

    Examples
    --------
    >>> import numpy as np, geomnet as gn
    >>> start, end = [-1.0, np.log(0.4)], [1.0, np.log(0.6)]
    >>> round(float(gn.HeteroscedasticGaussian().distance(start, end)), 6)
    3.312341
    """

    dim: int = 1

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, least=1)

    @property
    def n_parameters(self) -> int:
        """Means and log spreads: 2·dim."""
        return 2 * self.dim

    def fisher_factor(self, z: Any) -> Any:
        """Return S = diag(1/σ, √2)."""
        rates = anp.concatenate(
            [anp.exp(-z[..., self.dim :]), anp.sqrt(2.0) * anp.ones(z[..., : self.dim].shape)],
            axis=-1,
        )
        return rates[..., :, None] * anp.eye(2 * self.dim)

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return (0, −2(v_μ/σ)²)."""
        slope = -2 * (v[..., : self.dim] * np.exp(-z[..., self.dim :])) ** 2
        return np.concatenate([np.zeros_like(slope), slope], axis=-1)

    def _coshes(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, ...]:
        """C = cosh τ − 1 per output, its two terms, and the differences they are made of."""
        k = self.dim
        shift = end[..., :k] - start[..., :k]
        turn = end[..., k:] - start[..., k:]
        decay = 0.25 * np.exp(-start[..., k:] - end[..., k:])
        return shift, turn, decay, decay * shift**2 + 2 * np.sinh(turn / 2) ** 2

    @staticmethod
    def _tau(c: np.ndarray) -> np.ndarray:
        """Return arccosh(1+c) without cancellation."""
        return np.log1p(c + np.sqrt(c * (c + 2)))

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`\sum 2\operatorname{arccosh}^2(1+c)`."""
        return np.sum(2 * self._tau(self._coshes(start, end)[3]) ** 2, axis=-1)

    def squared_distance_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        r"""Derivatives of :math:`F(c) = 2\operatorname{arccosh}^2(1+c)`, by hand."""
        k = self.dim
        shift, turn, decay, c = self._coshes(start, end)
        tau = self._tau(c)
        small = tau < 1e-3
        safe = np.where(small, 1.0, tau)
        sinh = np.sinh(safe)
        slope = 4 * np.where(small, 1 - tau**2 / 6, safe / sinh)
        bend = 4 * np.where(small, -1 / 3 + 2 * tau**2 / 15, (1 - safe / np.tanh(safe)) / sinh**2)
        linear, square = 2 * decay * shift, decay * shift**2
        # gradient and Hessian of c in (μ, λ, μ', λ') of one output
        first = np.stack(
            [-linear, -square - np.sinh(turn), linear, -square + np.sinh(turn)], axis=-1
        )
        second = np.zeros((*c.shape, 4, 4))
        second[..., 0, 0] = second[..., 2, 2] = 2 * decay
        second[..., 0, 2] = second[..., 2, 0] = -2 * decay
        second[..., 0, 1] = second[..., 1, 0] = linear
        second[..., 0, 3] = second[..., 3, 0] = linear
        second[..., 2, 1] = second[..., 1, 2] = -linear
        second[..., 2, 3] = second[..., 3, 2] = -linear
        second[..., 1, 1] = second[..., 3, 3] = square + np.cosh(turn)
        second[..., 1, 3] = second[..., 3, 1] = square - np.cosh(turn)
        gradient = slope[..., None] * first
        hessian = (
            bend[..., None, None] * first[..., :, None] * first[..., None, :]
            + slope[..., None, None] * second
        )

        def spread(block):
            """Scatter per-output 2×2 blocks into (2k, 2k)."""
            out = np.zeros((*block.shape[:-3], 2 * k, 2 * k))
            index = np.arange(k)
            for a in range(2):
                for b in range(2):
                    out[..., index + a * k, index + b * k] = block[..., a, b]
            return out

        def flat(part):
            return np.concatenate([part[..., 0], part[..., 1]], axis=-1)

        return SquaredDistance(
            np.sum(2 * tau**2, axis=-1),
            flat(gradient[..., :2]),
            flat(gradient[..., 2:]),
            spread(hessian[..., :2, :2]),
            spread(hessian[..., :2, 2:]),
            spread(hessian[..., 2:, 2:]),
        )

    def geodesic(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        r"""Half-circle of the half-plane :math:`(μ/\sqrt2, σ)`, on the hyperboloid."""
        k = self.dim
        times = np.asarray(times, dtype=float).reshape((-1,) + (1,) * np.ndim(start))

        def lift(z):
            # hyperboloid coordinates of (x, σ): u = 1/σ, x/σ, (x² + σ²)/σ
            x, lam = z[..., :k] / np.sqrt(2), z[..., k:]
            return np.stack([np.exp(-lam), x * np.exp(-lam), x**2 * np.exp(-lam) + np.exp(lam)])

        tau = self._tau(self._coshes(start, end)[3])
        tiny = tau < 1e-8
        sinh = np.where(tiny, 1.0, np.sinh(tau))
        left = np.where(tiny, 1 - times, np.sinh((1 - times) * tau) / sinh)
        right = np.where(tiny, times, np.sinh(times * tau) / sinh)
        a, b = lift(start), lift(end)
        point = left * a[:, None] + right * b[:, None]
        return np.concatenate([np.sqrt(2) * point[1] / point[0], -np.log(point[0])], axis=-1)

    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Squared error over 2σ² plus log σ, with its constant."""
        mean, log_sigma = z[..., : self.dim], z[..., self.dim :]
        return np.sum(
            0.5 * ((y - mean) * np.exp(-log_sigma)) ** 2 + log_sigma + 0.5 * np.log(2 * np.pi),
            axis=-1,
        )

    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return ((μ − y)/σ², 1 − ((y − μ)/σ)²)."""
        mean, log_sigma = z[..., : self.dim], z[..., self.dim :]
        scaled = (y - mean) * np.exp(-log_sigma)
        return np.concatenate([-scaled * np.exp(-log_sigma), 1 - scaled**2], axis=-1)
