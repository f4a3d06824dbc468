"""Normal outputs: of fixed spread (flat) and of their own (hyperbolic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np

from ..errors import InputError
from ..utils.validation import check_integer, check_positive
from .base import Likelihood, SquaredDistance

__all__ = ["Gaussian", "HeteroscedasticGaussian"]


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

    def fisher_product(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return v/σ²."""
        return v / self.sigma**2

    def draw(self, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw y ~ N(z, σ²)."""
        return z + self.sigma * rng.normal(size=np.shape(z))

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Zero: the geometry is flat and z its affine coordinate."""
        return np.zeros(np.broadcast_shapes(np.shape(z), np.shape(v)))

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`|z-z'|^2/σ^2`."""
        return np.sum((end - start) ** 2, axis=-1) / self.sigma**2

    def bhattacharyya(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`|z-z'|^2/(8σ^2)`."""
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        return self.squared_distance(start, end) / 8

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
    >>> round(float(gn.likelihoods.HeteroscedasticGaussian().distance(start, end)), 6)
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

    def draw(self, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw y ~ N(μ, σ²)."""
        mean, log_sigma = z[..., : self.dim], z[..., self.dim :]
        return mean + np.exp(log_sigma) * rng.normal(size=mean.shape)

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

    def bhattacharyya(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`\sum\tfrac{Δμ^2}{4(σ^2+σ'^2)} + \tfrac12\log\cosh(Δ\log σ)`."""
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        k = self.dim
        log_spread = 0.5 * np.logaddexp(2 * start[..., k:], 2 * end[..., k:])
        shift = (end[..., :k] - start[..., :k]) * np.exp(-log_spread)
        turn = np.abs(end[..., k:] - start[..., k:])
        near = turn < 1
        log_cosh = np.where(
            near,
            np.log1p(2 * np.sinh(0.5 * np.where(near, turn, 0.0)) ** 2),
            turn + np.log1p(np.exp(-2 * turn)) - np.log(2),
        )
        return np.sum(0.25 * shift**2 + 0.5 * log_cosh, axis=-1)

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
