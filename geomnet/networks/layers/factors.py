r"""Layer factors: the rows of a network's Jacobian, kept as what they factor into.

For a datum i and a covector r on the output, the row :math:`r\,∂z/∂θ` restricted to an affine map
with weights W (out, in) and bias b is :math:`\sum_s b_s ⊗ (a_s, 1)`: the signals b_s (out,) that r
becomes at the uses s of the map, times the inputs a_s (in,) it is used on. Feed-forward networks
use each map once, a Runge–Kutta layer once a stage. With q covectors a datum the signals have shape
(n, q, out); rows, of length p, are never formed unless asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...utils.arrays import Array

__all__ = ["AffineFactors", "AffineMap", "ExplicitFactors", "Factors", "FixedMap"]


@dataclass(frozen=True)
class AffineMap:
    """Where in θ an affine map lies: W in C order, then the bias.

    Parameters
    ----------
    name : str
        For messages.
    layer : int
        The layer whose parameters it belongs to.
    outputs, inputs : int
    start : int
        Its first place in θ.
    bias : bool
    """

    name: str
    layer: int
    outputs: int
    inputs: int
    start: int
    bias: bool = True

    @property
    def cut(self) -> int:
        """Where W ends."""
        return self.start + self.outputs * self.inputs

    @property
    def stop(self) -> int:
        """Where the map ends."""
        return self.cut + (self.outputs if self.bias else 0)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.stop - self.start

    def split(self, theta: Array) -> tuple[Array, Array | None]:
        """Views of W (..., out, in) and b (..., out) in vectors θ (..., p)."""
        matrix = theta[..., self.start : self.cut]
        matrix = matrix.reshape(*theta.shape[:-1], self.outputs, self.inputs)
        return matrix, theta[..., self.cut : self.stop] if self.bias else None

    def read(self, theta: Array) -> tuple[Array, Array | None]:
        """W (out, in) and b (out,) of θ."""
        return self.split(theta)


@dataclass(frozen=True, eq=False)
class FixedMap:
    """An affine map that is no part of θ."""

    matrix: Array
    offset: Array

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.matrix)

    def read(self, theta: Array) -> tuple[Array, Array | None]:
        """W (out, in) and b (out,)."""
        return self.matrix, self.offset


class Factors(ABC):
    """Rows of a Jacobian, n data by q covectors, for the parameters from `start` to `stop`."""

    layer: int
    start: int
    stop: int
    n: int
    q: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.stop - self.start

    @abstractmethod
    def rows(self) -> Array:
        """The rows themselves, (n, q, size)."""

    @abstractmethod
    def join(self, parts: Sequence[Factors]) -> Factors:
        """Return one of the data of several `parts`, itself the first."""

    @abstractmethod
    def times(self, vector: Array) -> Array:
        """Products with a vector (size,): (n, q)."""

    @abstractmethod
    def squares(self) -> Array:
        """Squared rows, added over the covectors of every datum, added over data: (size,)."""

    @abstractmethod
    def norms(self) -> Array:
        """Squared norms of the rows, added over covectors: (n,)."""

    @abstractmethod
    def add_gram(self, mine: slice, other: Factors, theirs: slice, out: Array) -> None:
        """Add the products of rows of data `mine` with rows of data `theirs` of `other`.

        Parameters
        ----------
        mine, theirs : slice
            Of data.
        other : Factors
            Of the same parameters.
        out : ndarray, shape (n_mine·q, n_theirs·q')
        """


class AffineFactors(Factors):
    """Inputs and signals of one affine map.

    Parameters
    ----------
    map : AffineMap
    inputs : list of ndarray, shape (n, in)
        One for each use of the map.
    signals : list of ndarray, shape (n, q, out)
    """

    def __init__(self, map: AffineMap, inputs: list[Array], signals: list[Array]) -> None:
        self.map, self.inputs, self.signals = map, inputs, signals
        self.layer, self.start, self.stop = map.layer, map.start, map.stop
        self.n, self.q = signals[0].shape[:2]

    def _pairs(self) -> list[tuple[float, int, int]]:
        """Pairs of uses s ≤ t, those of different uses counted twice."""
        uses = range(len(self.inputs))
        return [(1.0 if s == t else 2.0, s, t) for s in uses for t in uses if s <= t]

    def rows(self) -> Array:
        """Signals times inputs."""
        found = np.zeros((self.n, self.q, self.size))
        matrix, offset = replace(self.map, start=0).split(found)
        for a, b in zip(self.inputs, self.signals):
            matrix += b[..., :, None] * a[:, None, None, :]
            if offset is not None:
                offset += b
        return found

    def join(self, parts: Sequence[Factors]) -> AffineFactors:
        """Inputs and signals of all data, use by use."""
        if len(parts) == 1:
            return self
        same = [part for part in parts if isinstance(part, AffineFactors)]
        return AffineFactors(
            self.map,
            [np.concatenate(arrays) for arrays in zip(*(part.inputs for part in same))],
            [np.concatenate(arrays) for arrays in zip(*(part.signals for part in same))],
        )

    def times(self, vector: Array) -> Array:
        """b·(Va + v), added over uses."""
        matrix, offset = replace(self.map, start=0).split(vector)
        found = np.zeros((self.n, self.q))
        for a, b in zip(self.inputs, self.signals):
            moved = a @ matrix.T
            if offset is not None:
                moved += offset
            found += np.matmul(b, moved[:, :, None])[:, :, 0]
        return found

    def squares(self) -> Array:
        """(Σ_a b_s b_t)ᵀ(a_s a_t), added over pairs of uses."""
        found = np.zeros(self.size)
        matrix, offset = replace(self.map, start=0).split(found)
        for weight, s, t in self._pairs():
            signal = weight * np.einsum("iqo,iqo->io", self.signals[s], self.signals[t])
            matrix += signal.T @ (self.inputs[s] * self.inputs[t])
            if offset is not None:
                offset += signal.sum(axis=0)
        return found

    def norms(self) -> Array:
        """(b_s·b_t)(a_s·a_t + 1), added over pairs of uses."""
        found = np.zeros(self.n)
        for weight, s, t in self._pairs():
            signal = np.einsum("iqo,iqo->i", self.signals[s], self.signals[t])
            entry = np.einsum("ik,ik->i", self.inputs[s], self.inputs[t])
            found += weight * signal * (entry + self.map.bias)
        return found

    def add_gram(self, mine: slice, other: Factors, theirs: slice, out: Array) -> None:
        """Products of inputs times products of signals, added over pairs of uses."""
        assert isinstance(other, AffineFactors)
        for a, b in zip(self.inputs, self.signals):
            a, b = a[mine], b[mine].reshape(-1, self.map.outputs)
            for c, d in zip(other.inputs, other.signals):
                c, d = c[theirs], d[theirs].reshape(-1, self.map.outputs)
                entries = a @ c.T
                if self.map.bias:
                    entries += 1.0
                product = (b @ d.T).reshape(len(a), self.q, len(c), other.q)
                product *= entries[:, None, :, None]
                out += product.reshape(out.shape)


class ExplicitFactors(Factors):
    """Rows that factor into nothing: of a function that is known by its derivative only.

    Parameters
    ----------
    layer, start : int
        The layer, and its first place in θ.
    explicit : ndarray, shape (n, q, size)
    """

    def __init__(self, layer: int, start: int, explicit: Array) -> None:
        self.layer, self.start, self._rows = layer, start, explicit
        self.n, self.q, size = explicit.shape
        self.stop = start + size

    def rows(self) -> Array:
        """What was given."""
        return self._rows

    def join(self, parts: Sequence[Factors]) -> ExplicitFactors:
        """Rows of all data."""
        if len(parts) == 1:
            return self
        rows = np.concatenate([part.rows() for part in parts])
        return ExplicitFactors(self.layer, self.start, rows)

    def times(self, vector: Array) -> Array:
        """Products with the rows."""
        return self._rows @ vector

    def squares(self) -> Array:
        """Squares of the rows."""
        found: Array = np.einsum("iqp,iqp->p", self._rows, self._rows)
        return found

    def norms(self) -> Array:
        """Squared norms of the rows."""
        found: Array = np.einsum("iqp,iqp->i", self._rows, self._rows)
        return found

    def add_gram(self, mine: slice, other: Factors, theirs: slice, out: Array) -> None:
        """Products of rows."""
        out += (
            self._rows[mine].reshape(-1, self.size) @ other.rows()[theirs].reshape(-1, self.size).T
        )
