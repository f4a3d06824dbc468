"""Damped systems (G + δI)x = b: by Cholesky factors of the smaller matrix, or by products."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

from ..errors import ConvergenceError, InputError
from ..utils.arrays import Array
from .spectrum import MIDDLE, Decomposable, SpectralMethod, matrix_of, method_for

__all__ = ["DampedSystem", "SolveMethod"]

Cholesky: TypeAlias = tuple[Array, bool]  # of scipy: the triangle, and whether it is the lower


class SolveMethod(StrEnum):
    """How a damped system is solved."""

    AUTO = "auto"
    CHOLESKY = "cholesky"
    CG = "cg"


class _Preconditioned(Decomposable, Protocol):
    """An operator with what conjugate gradients ask besides."""

    def trace(self) -> float:
        """Trace of G."""

    def matvec(self, v: ArrayLike) -> Array:
        """Product with a vector."""

    def preconditioner(self, damping: float) -> Callable[[Array], Array]:
        """An approximate inverse of G + δI."""


class DampedSystem:
    """Solver of damped systems of one operator; the last factor is kept.

    Parameters
    ----------
    operator : GramOperator
    """

    def __init__(self, operator: _Preconditioned) -> None:
        self.operator = operator
        self._factor: tuple[float, bool, Cholesky] | None = None

    def solve(self, b: Array, damping: float, method: SolveMethod, tolerance: float) -> Array:
        """Solution of (G + δI)x = b."""
        operator = self.operator
        large = method_for(operator, SpectralMethod.AUTO, MIDDLE) is SpectralMethod.LANCZOS
        if method is SolveMethod.CG or (method is SolveMethod.AUTO and large):
            return self._conjugate_gradients(b, damping, tolerance)
        dual, factor = self._cholesky(damping)
        if not dual:
            return np.asarray(cho_solve(factor, b))

        # Woodbury: (G + δ)⁻¹ = (1 − Eᵀ(K + δ)⁻¹E)/δ; one correction mends what cancels
        def invert(b: Array) -> Array:
            inner = cho_solve(factor, operator.push(b[None])[0])
            return np.asarray((b - operator.pull(inner[None])[0]) / damping)

        x = invert(b)
        return x + invert(b - operator.matvec(x) - damping * x)

    def _cholesky(self, damping: float) -> tuple[bool, Cholesky]:
        """Cholesky factor of the smaller matrix plus δ: (whether it is the Gram matrix, factor)."""
        kept = self._factor  # another thread may put its own there
        if kept is None or kept[0] != damping:
            dual = self.operator.n_rows < self.operator.n_columns
            smaller = SpectralMethod.GRAM if dual else SpectralMethod.DENSE
            matrix = matrix_of(self.operator, smaller)
            matrix[np.diag_indices_from(matrix)] += damping
            try:
                factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
            except LinAlgError:
                raise InputError(
                    f"damping: G + {damping:g} is singular to rounding; take it above 1e-14 times "
                    f"the trace of G, {1e-14 * self.operator.trace():.1g}"
                ) from None
            self._factor = damping, dual, factor
            return dual, factor
        return kept[1:]

    def _conjugate_gradients(self, b: Array, damping: float, tolerance: float) -> Array:
        """Solve by products, with the operator's own preconditioner."""
        operator, shape = self.operator, (self.operator.n_columns,) * 2
        precondition = LinearOperator(shape, operator.preconditioner(damping))
        damped = LinearOperator(shape, lambda v: operator.matvec(v) + damping * v)
        x, left = cg(damped, b, rtol=tolerance, maxiter=2000, M=precondition)
        if left:
            raise ConvergenceError(
                f"conjugate gradients for (G + {damping:g})x = b stopped after {left} products; "
                "take a larger damping",
                x,
            )
        return np.asarray(x)
