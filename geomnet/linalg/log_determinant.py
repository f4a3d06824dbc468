"""Log determinants of a damped operator: exact where it is small, by Lanczos quadrature beyond."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor

from ..utils.validation import check_choice, check_integer, check_positive
from .estimate import Estimate
from .kept import Kept
from .lanczos import quadratic_forms
from .spectrum import (
    MIDDLE,
    Decomposable,
    SpectralMethod,
    apply_smaller,
    eigenvalues,
    matrix_of,
    method_for,
    side_of,
)

__all__ = ["LogDetMethod", "log_determinant"]

ROUNDING = 100 * float(np.finfo(float).eps)  # of the trace: below it eigenvalues are rounding


class LogDetMethod(StrEnum):
    """How a log determinant is found."""

    AUTO = "auto"
    EXACT = "exact"
    STOCHASTIC = "stochastic"


class _Traced(Decomposable, Protocol):
    """An operator that knows its trace."""

    def trace(self) -> float:
        """Trace of G."""


def log_determinant(
    operator: _Traced, kept: Kept, damping: float, relative: bool, method: str, probes: int
) -> Estimate:
    """Log det(G + δI), or of I + G/δ."""
    damping = check_positive("damping", damping)
    chosen = LogDetMethod(check_choice("method", method, tuple(LogDetMethod)))
    probes = check_integer("probes", probes, least=2)
    shift = 0.0 if relative else operator.n_columns * float(np.log(damping))
    small = kept.values is not None or (
        method_for(operator, SpectralMethod.AUTO, MIDDLE) is not SpectralMethod.LANCZOS
    )
    if chosen is LogDetMethod.EXACT or (chosen is LogDetMethod.AUTO and small):
        return Estimate(_exact(operator, kept, damping) + shift)
    lower, upper = quadratic_forms(
        lambda block: apply_smaller(operator, block),
        side_of(operator),
        lambda x: np.log1p(x / damping),
        probes,
        operator.generator(1),
    )
    forms, width = 0.5 * (lower + upper), 0.5 * float(np.mean(upper - lower))
    error = float(np.hypot(np.std(forms, ddof=1) / np.sqrt(probes), width))
    return Estimate(float(np.mean(forms)) + shift, error, f"Lanczos quadrature, {probes} probes")


def _exact(operator: _Traced, kept: Kept, damping: float) -> float:
    """Log det(I + G/δ), from eigenvalues where a factor would lose digits."""
    trace = operator.trace()
    dual = operator.n_rows < operator.n_columns
    smaller = SpectralMethod.GRAM if dual else SpectralMethod.DENSE
    if kept.values is None and ROUNDING * trace < damping < trace:
        matrix = matrix_of(operator, smaller)
        matrix /= damping
        matrix[np.diag_indices_from(matrix)] += 1.0
        factor, _ = cho_factor(matrix, overwrite_a=True, check_finite=False)
        return 2 * float(np.sum(np.log(np.diag(factor))))
    if kept.values is None:
        eigenvalues(operator, kept, None, smaller)
    assert kept.values is not None
    return float(np.sum(np.log1p(kept.values / damping)))
