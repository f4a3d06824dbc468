r"""Sums of multiples of metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.steps import Steps, SumOfSteps
from ..geometry.structure import Structure
from ..linalg.conjugate_gradients import conjugate_gradients
from ..utils.threads import blas_threads
from ..utils.validation import broadcast_pair
from .autograd_form import DENSE_LIMIT
from .base import Metric

__all__ = ["ScaledSum"]


class ScaledSum(Metric):
    r"""The metric :math:`\sum_j a_j\langle\cdot,\cdot\rangle_j`; write ``a * m1 + m2``.

    Parameters
    ----------
    terms : sequence of (float, Metric)
        Positive factors, and metrics on one space; sums among them are flattened.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[0.0], [1.0]])
    >>> (4.0 * gn.L2Metric(space)).dist([[0.0], [1.0]], [[1.0], [2.0]]).round(12)
    np.float64(2.0)
    """

    terms: list[tuple[float, Metric]]

    def __init__(self, terms: Sequence[tuple[float, Metric]]) -> None:
        flat: list[tuple[float, Metric]] = []
        for a, metric in terms:
            inner: list[tuple[float, Metric]] = [(1.0, metric)]
            if isinstance(metric, ScaledSum):
                inner = metric.terms
            flat += [(a * b, m) for b, m in inner]
        shapes = {m.space.shape for _, m in flat}
        if len(shapes) > 1:
            raise InputError(f"metrics: their spaces differ in shape, {sorted(shapes)}")
        super().__init__(flat[0][1].space)
        self.terms = flat
        constant = all(m.structure is Structure.FLAT for _, m in flat)
        self.structure = Structure.FLAT if constant else Structure.COUPLED

    def __repr__(self) -> str:
        return " + ".join(f"{a:g}*{m!r}" if a != 1 else repr(m) for a, m in self.terms)

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Sum of the terms."""
        return sum(
            a * m.inner_product(tangent_vec_a, tangent_vec_b, base_point) for a, m in self.terms
        )

    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Sum of the terms."""
        return np.sum([a * m.flat(tangent_vec, base_point) for a, m in self.terms], axis=0)

    def quadratic_gradient(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Sum of the terms."""
        return np.sum(
            [a * m.quadratic_gradient(tangent_vec, base_point) for a, m in self.terms], axis=0
        )

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Exact for one term; else as in the base class, preconditioned by the stiffest term."""
        if len(self.terms) == 1:
            a, metric = self.terms[0]
            return metric.sharp(cotangent_vec, base_point) / a
        p, base = broadcast_pair(cotangent_vec, base_point)
        shape, state = p.shape, self.space.shape
        if np.prod(state) <= DENSE_LIMIT:
            return super().sharp(p, base)
        pairs = zip(p.reshape((-1, *state)), base.reshape((-1, *state)))
        with blas_threads(state[0]):
            return np.stack(
                [
                    conjugate_gradients(
                        partial(self.flat, base_point=b), r, self._preconditioner(b)
                    )
                    for r, b in pairs
                ]
            ).reshape(shape)

    def _preconditioner(self, base_point: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
        """♯ of the term that is nearest to the sum's: the least of the traces of ♯_j♭, probed."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=base_point.shape)
        image = self.flat(signs, base_point)
        closed = [(a, m) for a, m in self.terms if type(m).sharp is not Metric.sharp]
        if not closed:
            return None
        a, metric = min(
            closed, key=lambda term: np.vdot(signs, term[1].sharp(image, base_point)) / term[0]
        )
        return lambda r: metric.sharp(r, base_point) / a

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Sum of the terms' squared steps."""
        return np.sum([a * m.squared_step(start, end) for a, m in self.terms], axis=0)

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Sum of the terms' steps."""
        return SumOfSteps([(a, m.steps(start, end)) for a, m in self.terms])

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:
        """Check every term."""
        for _, metric in self.terms:
            metric.check_ends(start, end)


Metric.combined = ScaledSum
