r"""Eigenvalues and eigenvectors of an operator G = EᵀE.

What is small enough is decomposed, the smaller of G and its dual :math:`K = EE^\top`; what is not
is reached by Krylov methods in the smaller of the two spaces.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np
from scipy.linalg import eigh

from ..errors import InputError
from ..utils.arrays import Array
from ..utils.validation import check_choice, check_integer
from .kept import Kept
from .lanczos import largest_eigenpairs

__all__ = [
    "MIDDLE",
    "Decomposable",
    "SpectralMethod",
    "apply_smaller",
    "count_of",
    "eigenpairs",
    "eigenvalues",
    "matrix_of",
    "method_for",
    "side_of",
]

SMALL = 3000  # side up to which a matrix is decomposed for a few of its eigenvalues
MIDDLE = 12000  # and for all of them, or factorised


class SpectralMethod(StrEnum):
    """How eigenvalues are found."""

    AUTO = "auto"
    GRAM = "gram"
    DENSE = "dense"
    LANCZOS = "lanczos"


class Decomposable(Protocol):
    """What is asked of an operator: its sizes, both products, and both matrices."""

    memory_limit: int

    @property
    def n_columns(self) -> int:
        """Side p of G."""

    @property
    def n_rows(self) -> int:
        """Side m of K."""

    def push(self, directions: Array) -> Array:
        """Products Ev, (k, p) to (k, m)."""

    def pull(self, scores: Array) -> Array:
        """Products Eᵀu, (k, m) to (k, p)."""

    def products(self, directions: Array) -> Array:
        """Products Gv, (k, p) to (k, p)."""

    def dense(self) -> Array:
        """G."""

    def dual_gram(self) -> Array:
        """K."""

    def generator(self, *stream: int) -> np.random.Generator:
        """A generator, anew."""

    def need(self, size: int, what: str, instead: str) -> None:
        """Raise where something does not fit into memory."""


def side_of(operator: Decomposable) -> int:
    """Size of the smaller of G and K."""
    return min(operator.n_columns, operator.n_rows)


def method_for(operator: Decomposable, method: str, most: int) -> SpectralMethod:
    """The method asked for, or the one that fits the size."""
    chosen = SpectralMethod(check_choice("method", method, tuple(SpectralMethod)))
    if chosen is not SpectralMethod.AUTO:
        return chosen
    side = side_of(operator)
    if side > most or 3 * 8 * side**2 > operator.memory_limit:
        return SpectralMethod.LANCZOS
    dual = operator.n_rows < operator.n_columns
    return SpectralMethod.GRAM if dual else SpectralMethod.DENSE


def matrix_of(operator: Decomposable, method: SpectralMethod) -> Array:
    """The matrix that a method decomposes."""
    return operator.dual_gram() if method is SpectralMethod.GRAM else operator.dense()


def apply_smaller(operator: Decomposable, block: Array) -> Array:
    """Products of the smaller matrix with rows (k, side)."""
    if operator.n_columns <= operator.n_rows:
        return operator.products(block)
    return operator.push(operator.pull(block))


def count_of(operator: Decomposable, k: int | None) -> int:
    """How many eigenvalues are asked for: all p, or k of them."""
    p = operator.n_columns
    count = p if k is None else check_integer("k", k, least=1)
    if count > p:
        raise InputError(f"k: G has {p} eigenvalues, {k} were asked for")
    return count


def eigenvalues(operator: Decomposable, kept: Kept, k: int | None, method: str) -> Array:
    """Eigenvalues, largest first: those asked for, or all p."""
    p, side = operator.n_columns, side_of(operator)
    count = count_of(operator, k)
    if kept.values is not None and method == SpectralMethod.AUTO:
        return kept.values[:count].copy()
    few = k is not None and 10 * k < side
    chosen = method_for(operator, method, SMALL if few else MIDDLE)
    if chosen is SpectralMethod.LANCZOS:
        if k is None:
            raise InputError(
                f"k: all eigenvalues of a matrix of side {side} take long and "
                f"{3 * 8 * side**2} bytes; give k, the number of largest ones, or "
                "method='gram' or 'dense' with a memory_limit above that"
            )
        values, _ = _krylov(operator, min(k, side), vectors=False)
        return np.concatenate([_above_rounding(values, side), np.zeros(count - len(values))])
    matrix = matrix_of(operator, chosen)
    values = eigh(matrix, eigvals_only=True, overwrite_a=True, driver="evd")
    found = np.zeros(p)
    found[: len(values)] = _above_rounding(values[::-1], side)[:p]
    kept.values = found
    return found[:count].copy()


def _above_rounding(values: Array, side: int) -> Array:
    """Eigenvalues, largest first, with zeros for those that are rounding of the largest."""
    return np.where(values > side * np.finfo(float).eps * values[0], values, 0.0)


def eigenpairs(operator: Decomposable, k: int, method: str) -> tuple[Array, Array]:
    """Largest eigenvalues, largest first, and eigenvectors in columns."""
    k, side = check_integer("k", k, least=1), side_of(operator)
    if k > side:
        raise InputError(f"k: the rank of G is at most {side}, {k} were asked for")
    p = operator.n_columns
    operator.need(8 * p * k, f"{k} eigenvectors of {p} entries", "a smaller k")
    chosen = method_for(operator, method, SMALL if 10 * k < side else MIDDLE)
    if chosen is SpectralMethod.LANCZOS:
        values, found = _krylov(operator, k, vectors=True)
        assert found is not None
        return values, found
    matrix = matrix_of(operator, chosen)
    size = len(matrix)
    values, vectors = eigh(matrix, subset_by_index=(size - k, size - 1), overwrite_a=True)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    if chosen is SpectralMethod.GRAM:
        vectors = _to_columns(operator, values, vectors)
    return values, vectors


def _to_columns(operator: Decomposable, values: Array, vectors: Array) -> Array:
    """Eigenvectors of G from those of K, Eᵀu/√λ; of zero eigenvalues, what completes them."""
    pulled = operator.pull(np.ascontiguousarray(vectors.T)).T
    # products of columns are off by ε·λ₁/λ; QR gives back what they lose
    if values[-1] > 1e-3 * values[0]:
        return np.asarray(pulled / np.sqrt(values))
    return np.linalg.qr(pulled / np.sqrt(np.maximum(values, 1e-300)))[0]


def _krylov(operator: Decomposable, k: int, vectors: bool) -> tuple[Array, Array | None]:
    """Largest eigenvalues, and eigenvectors of G in columns where asked for, by Lanczos."""
    side = side_of(operator)
    basis = 16 * side * min(side, k + 40)
    operator.need(basis, f"a Krylov basis for {k} eigenvalues", "a smaller k")
    values, rows = largest_eigenpairs(
        lambda block: apply_smaller(operator, block),
        side,
        k,
        operator.generator(1),
        tolerance=1e-10 if vectors else 1e-7,
        memory=operator.memory_limit // 4,
    )
    if not vectors:
        return values, None
    if operator.n_columns > operator.n_rows:
        return values, _to_columns(operator, values, rows.T)
    return values, rows.T
