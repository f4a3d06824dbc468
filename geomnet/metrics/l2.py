"""The flat metric: weighted mean square of the velocity."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike

from ..geometry.quadratic_form import FormByProducts, QuadraticForm
from ..geometry.space import FunctionSpace
from ..geometry.structure import Structure
from ..utils.validation import broadcast_pair, check_batches
from .base import Metric

__all__ = ["L2Metric"]


class L2Metric(Metric):
    r"""The L2 metric :math:`\langle u,v\rangle = \sum_i w_i\,u_i\cdot v_i`.

    Flat: geodesics are straight lines, and every formula is closed. It is the free oracle of
    all others.

    Parameters
    ----------
    space : FunctionSpace
        Its sample gives the weights.

    Examples
    --------
    >>> import geomnet as gn
    >>> metric = gn.L2Metric(gn.FunctionSpace([[0.0, 0.0], [1.0, 0.0]]))
    >>> float(metric.dist([[0.0, 0.0], [1.0, 0.0]], [[3.0, 4.0], [4.0, 4.0]]))
    5.0
    """

    structure = Structure.FLAT

    def __init__(self, space: FunctionSpace) -> None:
        super().__init__(space)
        self._weights = space.sample.weights[:, None]

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any = None) -> Any:
        """Weighted sum of products, (...); the base point gives leading axes only."""
        product = anp.sum(self._weights * tangent_vec_a * tangent_vec_b, axis=(-2, -1))
        return product + anp.zeros(np.shape(base_point)[:-2])

    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike | None = None) -> np.ndarray:
        """Return w·v."""
        return self._weights * _over(tangent_vec, base_point)

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike | None = None) -> np.ndarray:
        """Return p/w."""
        return _over(cotangent_vec, base_point) / self._weights

    def quadratic_gradient(
        self, tangent_vec: ArrayLike, base_point: ArrayLike | None = None
    ) -> np.ndarray:
        """Zero."""
        return np.zeros(_over(tangent_vec, base_point).shape)

    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> QuadraticForm:
        """Return the constant form."""
        return _ConstantForm(self, velocity)

    def exp(
        self, tangent_vec: ArrayLike, base_point: ArrayLike, n_steps: int | None = None
    ) -> np.ndarray:
        """Return φ + v."""
        vec, base = check_batches(self.space.shape, tangent_vec=tangent_vec, base_point=base_point)
        return base + vec

    def log(self, point: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Return the difference of the maps."""
        end, start = check_batches(self.space.shape, point=point, base_point=base_point)
        return end - start

    def dist(self, point_a: ArrayLike, point_b: ArrayLike) -> np.ndarray:
        """Norm of the difference."""
        start, end = check_batches(self.space.shape, point_a=point_a, point_b=point_b)
        step = end - start
        return np.sqrt(self.inner_product(step, step))


def _over(vec: ArrayLike, base_point: ArrayLike | None) -> np.ndarray:
    """Give a vector the leading axes of its base point, where there is one."""
    vec = np.asarray(vec, dtype=np.float64)
    return vec if base_point is None else broadcast_pair(vec, base_point)[0]


class _ConstantForm(FormByProducts):
    """The same form at every point."""

    def __init__(self, metric: L2Metric, velocity: np.ndarray) -> None:
        self._weights = metric._weights
        self.flat = metric.flat(velocity)
        self.value = np.sum(velocity * self.flat, axis=(-2, -1))
        self.gradient = np.zeros_like(velocity)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.flat.shape

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._weights * dv, np.zeros_like(dm)

    def sharp(self, p: np.ndarray) -> np.ndarray:
        return p / self._weights

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        return r * self._weights / len(self.value)
