"""Classes: the simplex as part of a sphere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from ..errors import InputError
from ..utils.validation import check_integer
from .base import CERTAIN, Likelihood, SquaredDistance

__all__ = ["Categorical"]


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

    def score_factor(self, z: np.ndarray) -> np.ndarray:
        r"""Return C − 1 rows S with :math:`S^\top S = F`, (..., C−1, C).

        :math:`F = \operatorname{diag}(r)(I - rr^\top)\operatorname{diag}(r)`, r = √p, and a
        reflection takes r to a unit vector: the other rows of the reflection span what I − rrᵀ
        projects on. Reflecting to the most probable class loses no digits.
        """
        z, count = np.asarray(z, dtype=np.float64), self.n_classes
        root = np.exp(0.5 * log_softmax(z, axis=-1))
        top = np.argmax(z, axis=-1)[..., None]
        rows = np.arange(count - 1) + (np.arange(count - 1) >= top)  # all classes but the top one
        own = np.take_along_axis(root, rows, axis=-1)
        root_top = np.take_along_axis(root, top, axis=-1)
        factor = -(own / (1 + root_top))[..., :, None] * (root**2)[..., None, :]
        place = np.broadcast_to(top[..., None, :], (*own.shape, 1))
        np.put_along_axis(factor, place, -(own * root_top)[..., None], axis=-1)
        place = rows[..., None]
        diagonal = np.take_along_axis(factor, place, axis=-1) + own[..., None]
        np.put_along_axis(factor, place, diagonal, axis=-1)
        return factor

    def fisher_product(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return p(v − p·v), v taken relative to the most probable class."""
        return self.fisher_operator(z)(v)

    def fisher_operator(self, z: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The product, p computed once."""
        p = softmax(z, axis=-1)[..., None, :]
        top = np.argmax(z, axis=-1)[..., None, None]

        def product(v: np.ndarray) -> np.ndarray:
            moved = v - np.take_along_axis(v, np.broadcast_to(top, (*v.shape[:-1], 1)), axis=-1)
            moved -= np.sum(p * moved, axis=-1, keepdims=True)
            moved *= p
            return moved

        return product

    def draw(self, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw classes."""
        total = np.cumsum(softmax(z, axis=-1), axis=-1)
        found = (rng.random(len(z))[:, None] > total).sum(axis=-1)
        return np.minimum(found, self.n_classes - 1)

    def fisher_gradient(self, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        r"""Third cumulant: :math:`p_a((v_a-\bar v)^2 - \operatorname{Var}v)`."""
        p = softmax(z, axis=-1)
        moved = v - np.sum(p * v, axis=-1, keepdims=True)
        square = moved**2
        return p * (square - np.sum(p * square, axis=-1, keepdims=True))

    @staticmethod
    def _angle(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Roots of both distributions and the angle between them, without cancellation.

        For near logits the change of log p is Δz − log Σ p e^Δz, small and exact to its digits.
        """
        log_start, log_end = log_softmax(start, axis=-1), log_softmax(end, axis=-1)
        root_start, root_end = np.exp(0.5 * log_start), np.exp(0.5 * log_end)
        step = end - start
        near = np.abs(step).max(axis=-1, keepdims=True) < 1
        small = np.where(near, step, 0.0)
        total = np.sum(root_start**2 * np.expm1(small), axis=-1, keepdims=True)
        change = np.where(
            near, root_start * np.expm1(0.5 * (small - np.log1p(total))), root_end - root_start
        )
        half = 0.5 * np.sqrt(np.sum(change**2, axis=-1))
        return root_start, root_end, 2 * np.arcsin(np.minimum(half, 1.0))

    def squared_distance(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`4\arccos^2\sum_c\sqrt{p_cq_c}`."""
        return 4 * self._angle(start, end)[2] ** 2

    def bhattacharyya(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        r"""Return :math:`-\log\sum_c\sqrt{p_cq_c}`, the Jensen gap of log-sum-exp.

        With q at the middle logits and h half the step, less its mean under q, it is
        :math:`\tfrac12\log(\mathbb E_qe^h\,\mathbb E_qe^{-h})`; every term of
        :math:`\mathbb E_qe^h\,\mathbb E_qe^{-h} - 1 = 4\,\mathbb E_q\sinh^2\tfrac h2
        + \mathbb E_q(e^h-1)\,\mathbb E_q(e^{-h}-1)` is positive, so near logits lose no digits.
        """
        start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        middle, half = 0.5 * (start + end), 0.5 * (end - start)
        q = softmax(middle, axis=-1)
        half = half - np.sum(q * half, axis=-1, keepdims=True)
        near = np.abs(half).max(axis=-1) < 300  # beyond, the exponentials pass every float
        half = np.where(near[..., None], half, 0.0)
        up, down = np.expm1(half), np.expm1(-half)
        squares = np.sum(q * 4 * np.sinh(0.5 * half) ** 2, axis=-1)
        gap = 0.5 * np.log1p(squares + np.sum(q * up, axis=-1) * np.sum(q * down, axis=-1))
        if near.all():
            return gap
        ends = 0.5 * (logsumexp(start, axis=-1) + logsumexp(end, axis=-1))
        return np.where(near, gap, np.maximum(ends - logsumexp(middle, axis=-1), 0.0))

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

    def certain(self, z: np.ndarray) -> np.ndarray:
        """Whether the largest logit is above all others together by 36, for z (n, C): (n,)."""
        top = z.argmax(axis=1)
        others = z.copy()
        others[np.arange(len(z)), top] = -np.inf
        return np.asarray(z.max(axis=1) - logsumexp(others, axis=1) > CERTAIN)

    def gauge_projector(self) -> np.ndarray:
        """Centring: a common shift of the logits changes nothing."""
        return np.eye(self.n_classes) - 1.0 / self.n_classes

    def negative_log_likelihood(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Cross-entropy of class y."""
        return -np.take_along_axis(log_softmax(z, axis=-1), y[..., None], axis=-1)[..., 0]

    def residual(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return p − one-hot(y); p_y − 1 is minus the sum of the others, which loses no digits."""
        p, place = softmax(z, axis=-1), y[..., None]
        np.put_along_axis(p, place, 0.0, axis=-1)
        np.put_along_axis(p, place, -p.sum(axis=-1, keepdims=True), axis=-1)
        return p

    def check_targets(self, y: Any, n: int) -> np.ndarray:
        """Class indices 0..C−1, shape (n,)."""
        y = np.asarray(y)
        if y.shape != (n,):
            raise InputError(f"labels: expected shape {(n,)}, got {y.shape}")
        real = y.dtype.kind in "iufb" and np.isfinite(y).all()
        whole = y.astype(np.int64) if real else None
        if whole is None or (whole != y).any() or whole.min() < 0 or whole.max() >= self.n_classes:
            found = len(np.unique(y.astype(str)))
            mend = (
                f"there are {found} classes, so take Categorical({found})"
                if found > self.n_classes
                else "map other names with numpy.unique(labels, return_inverse=True)[1]"
            )
            raise InputError(f"labels: expected class indices 0..{self.n_classes - 1}; {mend}")
        return whole

    def score(self, z: np.ndarray, y: np.ndarray) -> float:
        """Share of data whose most probable class is theirs."""
        return float(np.mean(np.argmax(z, axis=-1) == y))
