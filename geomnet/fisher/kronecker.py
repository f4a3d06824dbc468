r"""The Kronecker-factored approximation of a Fisher matrix (Martens & Grosse 2015).

Every affine map's block is replaced by :math:`B ⊗ A`, :math:`B = \sum_iw_iE[bb^\top]` of its
signals, :math:`A = \sum_iw_iaa^\top` of its inputs with a one for the bias; blocks between maps are
dropped. A map used at several stages takes the mean of A and the sum of B over them (the
"expand" setting of Eschenhagen et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..networks.layers.factors import AffineFactors, AffineMap
from ..utils.validation import check_array, check_positive
from .data import FisherData

__all__ = ["KroneckerFisher", "kronecker_factors"]


@dataclass(frozen=True, eq=False)
class KroneckerFisher:
    """Kronecker-factored Fisher matrix.

    Attributes
    ----------
    maps : tuple of AffineMap
        The affine maps, in the order of θ.
    inputs : tuple of ndarray, shape (in + 1, in + 1)
        A of every map, the bias last ((in, in) without one).
    signals : tuple of ndarray, shape (out, out)
        B of every map.
    n_parameters : int
    """

    maps: tuple[AffineMap, ...]
    inputs: tuple[np.ndarray, ...]
    signals: tuple[np.ndarray, ...]
    n_parameters: int

    def __repr__(self) -> str:
        return f"KroneckerFisher(p={self.n_parameters}, maps={len(self.maps)})"

    def trace(self) -> float:
        """Sum of tr A · tr B."""
        return float(sum(np.trace(a) * np.trace(b) for a, b in zip(self.inputs, self.signals)))

    def frobenius(self) -> float:
        """Frobenius norm."""
        squared = [
            (np.linalg.norm(a) * np.linalg.norm(b)) ** 2 for a, b in zip(self.inputs, self.signals)
        ]
        return float(np.sqrt(sum(squared)))

    @cached_property
    def _eigen(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        found = []
        for a, b in zip(self.inputs, self.signals):
            (in_values, in_vectors), (out_values, out_vectors) = map(np.linalg.eigh, (a, b))
            found.append(
                (np.maximum(in_values, 0), in_vectors, np.maximum(out_values, 0), out_vectors)
            )
        return found

    def eigvalsh(self) -> np.ndarray:
        """All eigenvalues, largest first: products of those of A and B, (p,)."""
        parts = [np.outer(out, inner).reshape(-1) for inner, _, out, _ in self._eigen]
        return np.sort(np.concatenate(parts))[::-1]

    def logdet(self, damping: float, relative: bool = False) -> float:
        """Log det(G + δI), or log det(I + G/δ)."""
        damping = check_positive("damping", damping)
        found = float(np.sum(np.log1p(self.eigvalsh() / damping)))
        return found if relative else found + self.n_parameters * float(np.log(damping))

    def matvec(self, v: ArrayLike) -> np.ndarray:
        """Product with a vector (p,)."""
        v = check_array("v", v, shape=(self.n_parameters,))
        return self._apply(v, lambda m, block: self.signals[m] @ block @ self.inputs[m])

    def solve(self, b: ArrayLike, damping: float) -> np.ndarray:
        """Solution of (G + δI)x = b, exactly, from the eigenvectors of A and B."""
        b = check_array("b", b, shape=(self.n_parameters,))
        damping = check_positive("damping", damping)

        def invert(index: int, block: np.ndarray) -> np.ndarray:
            inner, in_vectors, out, out_vectors = self._eigen[index]
            turned = out_vectors.T @ block @ in_vectors
            turned /= np.outer(out, inner) + damping
            return out_vectors @ turned @ in_vectors.T

        return self._apply(b, invert)

    def dense(self) -> np.ndarray:
        """The matrix itself, (p, p)."""
        found = np.zeros((self.n_parameters, self.n_parameters))
        for place, a, b in zip(self.maps, self.inputs, self.signals):
            entries = np.arange(place.outputs * len(a)).reshape(place.outputs, len(a))
            order = entries[:, : place.inputs].reshape(-1)
            if place.bias:
                order = np.concatenate([order, entries[:, -1]])
            part = slice(place.start, place.stop)
            found[part, part] = np.kron(b, a)[np.ix_(order, order)]
        return found

    def _apply(self, v: np.ndarray, function: Any) -> np.ndarray:
        """Apply a function to every map's (out, in + 1) block of a vector."""
        found = np.empty_like(v)
        for index, place in enumerate(self.maps):
            matrix, offset = place.split(v)
            block = matrix if offset is None else np.column_stack([matrix, offset])
            block = function(index, block)
            to_matrix, to_offset = place.split(found)
            to_matrix[...] = block[:, : place.inputs]
            if to_offset is not None:
                to_offset[...] = block[:, -1]
        return found


def kronecker_factors(data: FisherData, n_parameters: int) -> KroneckerFisher:
    """Kronecker factors of a Fisher matrix."""
    found: dict[int, tuple[AffineMap, np.ndarray, np.ndarray]] = {}
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
    return KroneckerFisher(maps, inputs_of, signals_of, n_parameters)
