r"""The Kronecker-factored approximation of a Fisher matrix (Martens & Grosse 2015).

Every affine map's block is replaced by :math:`B ⊗ A`, :math:`B = \sum_iw_iE[bb^\top]` of its
signals, :math:`A = \sum_iw_iaa^\top` of its inputs with a one for the bias; blocks between maps are
dropped. A map used at several stages takes the mean of A and the sum of B over them (the
"expand" setting of Eschenhagen et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..linalg import Estimate, GramOperator
from ..linalg.linear_systems import SolveMethod
from ..linalg.log_determinant import LogDetMethod
from ..linalg.spectrum import SpectralMethod, count_of
from ..networks.layers.factors import AffineFactors, AffineMap
from ..utils.arrays import Array
from ..utils.validation import check_array, check_positive
from .data import FisherData

__all__ = ["KroneckerFisher", "kronecker_factors"]


class _Eigen(NamedTuple):
    """Eigenvalues and eigenvectors, in columns, of A and B of one map."""

    inputs: Array
    input_vectors: Array
    signals: Array
    signal_vectors: Array


@dataclass(eq=False)
class KroneckerFisher(GramOperator):
    r"""Kronecker-factored Fisher matrix, as an operator.

    Its rows are those of the symmetric root, :math:`E = B^{1/2} ⊗ A^{1/2}` map by map. Eigenvalues,
    log determinants and damped systems are exact from those of A and B, unless a method of other
    operators is asked for.

    Attributes
    ----------
    maps : tuple of AffineMap
        The affine maps, in the order of θ.
    inputs : tuple of ndarray, shape (in + 1, in + 1)
        A of every map, the bias last ((in, in) without one).
    signals : tuple of ndarray, shape (out, out)
        B of every map.
    n_parameters : int
    memory_limit : int
        Bytes; what would not fit raises.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 3), "tanh")
    >>> fisher = gn.FisherInformation(network, network.init(0), sample, gn.Categorical(3))
    >>> kronecker = fisher.kfac()
    >>> kronecker
    KroneckerFisher(p=67, maps=2)
    >>> x = kronecker.solve(kronecker.matvec(fisher.theta) + 0.1 * fisher.theta, damping=0.1)
    >>> bool(abs(x - fisher.theta).max() < 1e-10)
    True
    """

    maps: tuple[AffineMap, ...]
    inputs: tuple[Array, ...]
    signals: tuple[Array, ...]
    n_parameters: int
    memory_limit: int = GramOperator.memory_limit

    def __repr__(self) -> str:
        return f"KroneckerFisher(p={self.n_parameters}, maps={len(self.maps)})"

    @property
    def n_columns(self) -> int:
        """Number of parameters, p."""
        return self.n_parameters

    @property
    def n_rows(self) -> int:
        """Rows of the symmetric root, p."""
        return self.n_parameters

    @cached_property
    def _eigen(self) -> list[_Eigen]:
        found = []
        for a, b in zip(self.inputs, self.signals):
            (in_values, in_vectors), (out_values, out_vectors) = map(np.linalg.eigh, (a, b))
            inner, outer = np.maximum(in_values, 0), np.maximum(out_values, 0)
            found.append(_Eigen(inner, in_vectors, outer, out_vectors))
        return found

    @cached_property
    def _roots(self) -> list[tuple[Array, Array]]:
        """Symmetric roots of A and B of every map."""
        return [
            (
                (eigen.input_vectors * np.sqrt(eigen.inputs)) @ eigen.input_vectors.T,
                (eigen.signal_vectors * np.sqrt(eigen.signals)) @ eigen.signal_vectors.T,
            )
            for eigen in self._eigen
        ]

    # -- products ------------------------------------------------------------------------------

    def push(self, directions: Array) -> Array:
        """Products with the symmetric root, (k, p)."""

        def root(index: int, block: Array) -> Array:
            inner, outer = self._roots[index]
            return np.asarray(outer @ block @ inner)

        return self._each(directions, root)

    def pull(self, scores: Array) -> Array:
        """Products with the symmetric root, which is its own adjoint."""
        return self.push(scores)

    def products(self, directions: Array) -> Array:
        """Products B·V·A of every map's part V, (k, p)."""
        return self._each(directions, lambda m, block: self.signals[m] @ block @ self.inputs[m])

    # -- the matrix in parts -------------------------------------------------------------------

    def dense(self) -> Array:
        """The matrix itself, (p, p)."""
        p = self.n_parameters
        self.need(8 * p * p, f"the dense {p}×{p} matrix", "eigvalsh(k) or matvec")
        found = np.zeros((p, p))
        for place, a, b in zip(self.maps, self.inputs, self.signals):
            entries = np.arange(place.outputs * len(a)).reshape(place.outputs, len(a))
            order = entries[:, : place.inputs].reshape(-1)
            if place.bias:
                order = np.concatenate([order, entries[:, -1]])
            part = slice(place.start, place.stop)
            found[part, part] = np.kron(b, a)[np.ix_(order, order)]
        return found

    def dual_gram(self) -> Array:
        """The matrix itself, as its root is symmetric."""
        return self.dense()

    def diag(self) -> Array:
        """Diagonals of B by those of A, (p,)."""
        found = np.empty(self.n_parameters)
        for place, a, b in zip(self.maps, self.inputs, self.signals):
            _write(place, np.outer(np.diag(b), np.diag(a)), found)
        return found

    def trace(self) -> float:
        """Sum of tr A · tr B."""
        return float(sum(np.trace(a) * np.trace(b) for a, b in zip(self.inputs, self.signals)))

    def frobenius(self) -> float:
        """Frobenius norm."""
        squared = [
            (np.linalg.norm(a) * np.linalg.norm(b)) ** 2 for a, b in zip(self.inputs, self.signals)
        ]
        return float(np.sqrt(sum(squared)))

    # -- spectrum, log determinant, inverse ----------------------------------------------------

    def eigvalsh(self, k: int | None = None, method: str = "auto") -> Array:
        """Eigenvalues, largest first: products of those of A and B, (k,), or all p."""
        if method != SpectralMethod.AUTO:
            return super().eigvalsh(k, method)
        count = count_of(self, k)
        parts = [np.outer(eigen.signals, eigen.inputs).reshape(-1) for eigen in self._eigen]
        return np.sort(np.concatenate(parts))[::-1][:count]

    def logdet(
        self, damping: float, relative: bool = False, method: str = "auto", *, probes: int = 8
    ) -> Estimate:
        """Log det(G + δI), or log det(I + G/δ)."""
        damping = check_positive("damping", damping)
        if method not in (LogDetMethod.AUTO, LogDetMethod.EXACT):
            return super().logdet(damping, relative, method, probes=probes)
        found = float(np.sum(np.log1p(self.eigvalsh() / damping)))
        return Estimate(found if relative else found + self.n_parameters * float(np.log(damping)))

    def solve(
        self, b: ArrayLike, damping: float, method: str = "auto", *, tolerance: float = 1e-10
    ) -> Array:
        """Solution of (G + δI)x = b, exactly, from the eigenvectors of A and B."""
        if method != SolveMethod.AUTO:
            return super().solve(b, damping, method, tolerance=tolerance)
        b = check_array("b", b, shape=(self.n_parameters,))
        damping = check_positive("damping", damping)

        def invert(index: int, block: Array) -> Array:
            eigen = self._eigen[index]
            turned = eigen.signal_vectors.T @ block @ eigen.input_vectors
            turned /= np.outer(eigen.signals, eigen.inputs) + damping
            return np.asarray(eigen.signal_vectors @ turned @ eigen.input_vectors.T)

        found: Array = self._each(b[None], invert)[0]
        return found

    # -- map by map ----------------------------------------------------------------------------

    def _each(self, rows: Array, function: Callable[[int, Array], Array]) -> Array:
        """Apply a function to every map's (out, in + 1) block of every row (k, p)."""
        found = np.empty_like(rows)
        for row, to in zip(rows, found):
            for index, place in enumerate(self.maps):
                matrix, offset = place.split(row)
                block = matrix if offset is None else np.column_stack([matrix, offset])
                _write(place, function(index, block), to)
        return found


def _write(place: AffineMap, block: Array, to: Array) -> None:
    """Write a map's block (out, in + 1) to where it lies in a vector (p,)."""
    matrix, offset = place.split(to)
    matrix[...] = block[:, : place.inputs]
    if offset is not None:
        offset[...] = block[:, -1]


def kronecker_factors(data: FisherData, n_parameters: int, memory_limit: int) -> KroneckerFisher:
    """Kronecker factors of a Fisher matrix."""
    found: dict[int, tuple[AffineMap, Array, Array]] = {}
    for part, index in data.chunks():
        weights = data.sample.weights[part, None]
        for factors in data.each_factor(index):
            if not isinstance(factors, AffineFactors):
                raise InputError(
                    "network: Kronecker factors are of affine maps, and this network is known by "
                    "its Jacobian only; take blocks() or diag()"
                )
            place, uses = factors.map, len(factors.inputs)
            if place.start not in found:
                width = place.inputs + place.bias
                found[place.start] = place, np.zeros((width, width)), np.zeros((place.outputs,) * 2)
            _, inputs, signals = found[place.start]
            for a, b in zip(factors.inputs, factors.signals):
                a = np.column_stack([a, np.ones(len(a))]) if place.bias else a
                inputs += a.T @ (a * weights) / uses
                flat = b.reshape(-1, place.outputs)
                signals += flat.T @ flat
    maps, inputs_of, signals_of = zip(*(found[start] for start in sorted(found)))
    return KroneckerFisher(maps, inputs_of, signals_of, n_parameters, memory_limit)
