r"""Positive semidefinite operators G = EᵀE that are known by products with E and its adjoint.

E has m rows and p columns; with both small G is a matrix, and with either small so is the smaller
of G (p, p) and its dual :math:`K = EE^\top` (m, m), which have one spectrum beyond zeros. A
subclass owes the two products; all else follows, within a budget of memory, and is overridden where
there is a faster way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from weakref import proxy

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator

from ..errors import InputError
from ..utils.arrays import Array
from ..utils.validation import check_array, check_choice, check_positive
from .estimate import Estimate
from .kept import Kept
from .linear_systems import DampedSystem, SolveMethod
from .log_determinant import log_determinant
from .spectrum import eigenpairs, eigenvalues

__all__ = ["GramOperator"]


class GramOperator(ABC):
    r"""The operator G = EᵀE, its spectrum, log determinant and damped inverse.

    Attributes
    ----------
    n_columns, n_rows : int
        p and m.
    memory_limit : int
        Bytes; what would not fit raises.
    """

    memory_limit: int = 2 * 2**30

    # -- owed ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """Side p of G."""

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """Number m of rows of E."""

    @abstractmethod
    def push(self, directions: Array) -> Array:
        """Products Ev of directions (k, p): (k, m)."""

    @abstractmethod
    def pull(self, scores: Array) -> Array:
        """The adjoint of :meth:`push`: from (k, m) to (k, p)."""

    # -- derived, and overridden where there is a faster way -----------------------------------

    def products(self, directions: Array) -> Array:
        """Products with the rows of a matrix (k, p): (k, p)."""
        return self.pull(self.push(directions))

    def dense(self) -> Array:
        """G itself, (p, p)."""
        p = self.n_columns
        self.need(8 * p * p, f"the dense {p}×{p} matrix", "eigvalsh(k) or matvec")
        return self.products(np.eye(p))

    def dual_gram(self) -> Array:
        """The dual K = EEᵀ, (m, m)."""
        m = self.n_rows
        self.need(8 * m * m, f"the dual Gram matrix of {m} rows", "eigvalsh(k)")
        return self.push(self.pull(np.eye(m)))

    def trace(self) -> float:
        """Trace of G."""
        return float(np.trace(self._smaller()))

    def diag(self) -> Array:
        """Diagonal of G, (p,)."""
        return np.ascontiguousarray(np.diag(self.dense()))

    def frobenius(self) -> float:
        """Frobenius norm of G."""
        return float(np.linalg.norm(self._smaller()))

    def preconditioner(self, damping: float) -> Callable[[Array], Array]:
        """An approximate inverse of G + δI, for conjugate gradients: by the diagonal."""
        scale = 1 / (self.diag() + damping)
        return lambda v: scale * v

    def generator(self, *stream: int) -> np.random.Generator:
        """A generator, anew: what is drawn does not depend on what was drawn before."""
        return np.random.default_rng([0, *stream] if stream else 0)

    def _smaller(self) -> Array:
        """The smaller of G and K."""
        return self.dual_gram() if self.n_rows < self.n_columns else self.dense()

    # -- as a matrix ---------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """(p, p)."""
        return self.n_columns, self.n_columns

    @property
    def rank_bound(self) -> int:
        """The rank is at most min(p, m)."""
        return min(self.n_columns, self.n_rows)

    def matvec(self, v: ArrayLike) -> Array:
        """Product Gv with a vector (p,)."""
        v = check_array("v", v, shape=(self.n_columns,))
        found: Array = self.products(v[None])[0]
        return found

    def matmat(self, vectors: ArrayLike) -> Array:
        """Products with the columns of a matrix (p, k), as many in one pass as memory allows."""
        vectors = check_array("vectors", vectors, shape=(self.n_columns, None))
        return np.ascontiguousarray(self.products(np.ascontiguousarray(vectors.T)).T)

    def __matmul__(self, vectors: ArrayLike) -> Array:
        """Product with a vector (p,) or a matrix (p, k)."""
        return self.matvec(vectors) if np.ndim(vectors) == 1 else self.matmat(vectors)

    def linear_operator(self) -> LinearOperator:
        """G as an operator of ``scipy.sparse.linalg``."""
        return LinearOperator(
            self.shape,
            matvec=lambda v: self.matvec(np.reshape(v, -1)),
            rmatvec=lambda v: self.matvec(np.reshape(v, -1)),
            matmat=self.matmat,
            rmatmat=self.matmat,
            dtype=np.float64,
        )

    def norm(self, v: ArrayLike) -> float:
        """Length √(vᵀGv) of a vector (p,)."""
        v = check_array("v", v, shape=(self.n_columns,))
        return float(np.linalg.norm(self.push(v[None])))

    # -- spectrum, log determinant, inverse ----------------------------------------------------

    @cached_property
    def _kept(self) -> Kept:
        """What was decomposed once."""
        return Kept()

    @cached_property
    def _system(self) -> DampedSystem:
        """The solver of damped systems; it lives as long as this."""
        return DampedSystem(proxy(self))

    def __getstate__(self) -> dict[str, object]:
        """What copies and pickles take: all but what solvers keep."""
        return {name: v for name, v in self.__dict__.items() if name not in ("_kept", "_system")}

    def eigvalsh(self, k: int | None = None, method: str = "auto") -> Array:
        """Eigenvalues of G, largest first.

        Parameters
        ----------
        k : int, optional
            How many; all p by default. Those that are zero to rounding are zero.
        method : {"auto", "gram", "dense", "lanczos"}
            From the dual Gram matrix, from G, or by a block Krylov method from products. auto:
            Gram where m < p, else dense, where these are small, else Lanczos.

        Returns
        -------
        ndarray, shape (k,)
        """
        return eigenvalues(self, self._kept, k, method)

    def eigsh(self, k: int, method: str = "auto") -> tuple[Array, Array]:
        """Largest eigenvalues (k,), largest first, with eigenvectors in the columns of (p, k)."""
        return eigenpairs(self, k, method)

    def logdet(
        self,
        damping: float,
        relative: bool = False,
        method: str = "auto",
        *,
        probes: int = 8,
    ) -> Estimate:
        r"""Log determinant :math:`\log\det(G + δI)`.

        Parameters
        ----------
        damping : float
            δ > 0.
        relative : bool
            :math:`\log\det(I + G/δ)` instead, which is p log δ less.
        method : {"auto", "exact", "stochastic"}
            Exact from the smaller of G and the dual Gram matrix. Stochastic: Lanczos quadrature
            from random probes (Ubaru, Chen & Saad 2017); auto takes it where that is too large.
        probes : int
            Of the stochastic estimate.

        Returns
        -------
        Estimate
            A float, with its ``standard_error`` (zero where exact).
        """
        return log_determinant(self, self._kept, damping, relative, method, probes)

    def log_volume(self, k: int) -> float:
        r""":math:`\sum_{i\le k}\log λ_i`, the (negative) log volume of the ellipsoid of G.

        Twice the logarithm of the volume of the ellipsoid :math:`v^\top Gv \le 1` in the k
        directions that matter, with its sign turned and up to a constant (Wu, Zhu & E 2017).
        """
        values = self.eigvalsh(k)
        rank = int(np.sum(values > 0))
        if rank < len(values):
            raise InputError(
                f"k: eigenvalue {rank + 1} of G is zero to rounding; take k at most {rank}"
            )
        return float(np.sum(np.log(values)))

    def solve(
        self, b: ArrayLike, damping: float, method: str = "auto", *, tolerance: float = 1e-10
    ) -> Array:
        """Solution of (G + δI)x = b, (p,): the natural gradient, of a gradient b.

        Parameters
        ----------
        b : array_like, shape (p,)
        damping : float
            δ > 0.
        method : {"auto", "cholesky", "cg"}
            Factorise the smaller of G and the dual Gram matrix, or take conjugate gradients
            scaled by the diagonal; auto factorises where that is small.
        tolerance : float
            Of the residual of conjugate gradients, relative to b.

        Raises
        ------
        ConvergenceError
            Where conjugate gradients do not get there; the error carries what they reached.
        """
        b = check_array("b", b, shape=(self.n_columns,))
        chosen = SolveMethod(check_choice("method", method, tuple(SolveMethod)))
        return self._system.solve(b, check_positive("damping", damping), chosen, tolerance)

    # -- memory --------------------------------------------------------------------------------

    def need(self, size: int, what: str, instead: str) -> None:
        """Raise where something of a size in bytes does not fit into memory."""
        if size > self.memory_limit:
            raise InputError(
                f"memory_limit: {what} takes {size} bytes ({size / 2**30:.3g} GiB), more than "
                f"{self.memory_limit}; raise memory_limit, or take {instead}"
            )
