"""Independent coins: intervals of length π."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from scipy.special import expit

from ..errors import InputError
from ..utils.validation import check_integer
from .base import CERTAIN, Likelihood, SquaredDistance

__all__ = ["Bernoulli"]


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

    def fisher_product(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return p(1−p)v."""
        return v * (self._arc_speed(z) ** 2)[..., None, :]

    def draw(self, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw zeros and ones."""
        return (rng.random(np.shape(z)) < 0.5 * (1 + np.tanh(np.asarray(z) / 2))).astype(float)

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return p(1−p)(1−2p)v²."""
        return -np.tanh(z / 2) * self._arc_speed(z) ** 2 * v**2

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return Σ(ψ − ψ')²."""
        return np.sum(self._arc_between(start, end) ** 2, axis=-1)

    def certain(self, z: np.ndarray) -> np.ndarray:
        """Whether all logits are 36 or more away from zero, for z (n, C): (n,)."""
        return np.asarray((np.abs(z) > CERTAIN).all(axis=1))

    def bhattacharyya(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`\sum\tfrac12\log(1 + (\sinh δ/\cosh s)^2)` per coin.

        :math:`δ = (z'-z)/4`, :math:`s = (z'+z)/4`: sinh δ/cosh s is the tangent of half the arc.
        """
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        half, middle = np.abs(end - start) / 4, np.abs(end + start) / 4
        with np.errstate(divide="ignore"):
            # in logarithms: either hyperbolic function may pass every float
            log_tan = half + np.log(-np.expm1(-2 * half)) - middle - np.log1p(np.exp(-2 * middle))
        return np.sum(0.5 * np.logaddexp(0.0, 2 * log_tan), axis=-1)

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
        """Return p − y, as (1 − y)p − y(1 − p): p near y loses no digits."""
        return (1 - y) * expit(z) - y * expit(-np.asarray(z))

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
