r"""Eigenvalues, log determinants and linear systems of a Fisher matrix.

G = EᵀE with E = √w·RJ of n·q rows, and K = EEᵀ is its dual Gram matrix: both have the same spectrum
beyond zeros. What is small enough is factorised, the smaller of the two; what is not is reached by
Krylov methods in the smaller of the two spaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from scipy.sparse.linalg import LinearOperator, cg

from ..errors import ConvergenceError, InputError
from ..linalg.lanczos import largest_eigenpairs, quadratic_forms
from ..utils.validation import check_choice, check_integer, check_positive

if TYPE_CHECKING:
    from .information import FisherInformation

__all__ = ["Estimate", "Spectrum"]

SMALL = 3000  # side up to which a matrix is decomposed for a few of its eigenvalues
MIDDLE = 12000  # and for all of them, or factorised
ROUNDING = 100 * float(np.finfo(float).eps)  # of the trace: below it eigenvalues are rounding


class Estimate(float):
    """A number with the standard error of its estimate; zero where it is exact."""

    standard_error: float
    method: str

    def __new__(cls, value: float, standard_error: float = 0.0, method: str = "exact") -> Estimate:
        """Make a float that remembers its error."""
        found = super().__new__(cls, value)
        found.standard_error, found.method = standard_error, method
        return found

    def __repr__(self) -> str:
        if not self.standard_error:
            return float.__repr__(self)
        return f"{float(self):.8g} ± {self.standard_error:.2g}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles keep the error."""
        return Estimate, (float(self), self.standard_error, self.method)


class Spectrum:
    """Solver for one Fisher matrix; what it has factorised it keeps.

    Parameters
    ----------
    fisher : FisherInformation
    """

    def __init__(self, fisher: FisherInformation) -> None:
        self.fisher = fisher
        self.p = fisher.n_parameters
        self.rows = fisher._data.n * fisher._data.q
        self.side = min(self.p, self.rows)
        """Size of the smaller of G and K."""
        self._values: np.ndarray | None = None
        self._factor: tuple[float, bool, Any] | None = None

    # -- eigenvalues ---------------------------------------------------------------------------

    def _method(self, method: str, most: int) -> str:
        check_choice("method", method, ("auto", "gram", "dense", "lanczos"))
        if method != "auto":
            return method
        if self.side > most or 3 * 8 * self.side**2 > self.fisher.memory_limit:
            return "lanczos"
        return "gram" if self.rows < self.p else "dense"

    def _matrix(self, method: str) -> np.ndarray:
        return self.fisher.dual_gram() if method == "gram" else self.fisher.dense()

    def eigvalsh(self, k: int | None, method: str) -> np.ndarray:
        """Eigenvalues, largest first: those asked for, or all p."""
        count = self.p if k is None else check_integer("k", k, least=1)
        if count > self.p:
            raise InputError(f"k: G has {self.p} eigenvalues, {k} were asked for")
        if self._values is not None and method == "auto":
            return self._values[:count].copy()
        few = k is not None and 10 * k < self.side
        method = self._method(method, SMALL if few else MIDDLE)
        if method == "lanczos":
            if k is None:
                raise InputError(
                    f"k: all eigenvalues of a matrix of side {self.side} take long and "
                    f"{3 * 8 * self.side**2} bytes; give k, the number of largest ones, or "
                    "method='gram' or 'dense' with a memory_limit above that"
                )
            values, _ = self._krylov(min(k, self.side), vectors=False)
            return np.concatenate([self._above_rounding(values), np.zeros(count - len(values))])
        values = eigh(self._matrix(method), eigvals_only=True, overwrite_a=True, driver="evd")
        found = np.zeros(self.p)
        found[: len(values)] = self._above_rounding(values[::-1])[: self.p]
        self._values = found
        return found[:count].copy()

    def _above_rounding(self, values: np.ndarray) -> np.ndarray:
        """Eigenvalues, largest first, with zeros for those that are rounding of the largest."""
        return np.where(values > self.side * np.finfo(float).eps * values[0], values, 0.0)

    def eigsh(self, k: int, method: str) -> tuple[np.ndarray, np.ndarray]:
        """Largest eigenvalues, largest first, and eigenvectors in columns."""
        k = check_integer("k", k, least=1)
        if k > self.side:
            raise InputError(f"k: the rank of G is at most {self.side}, {k} were asked for")
        self.fisher._need(8 * self.p * k, f"{k} eigenvectors of {self.p} entries", "a smaller k")
        method = self._method(method, SMALL if 10 * k < self.side else MIDDLE)
        if method == "lanczos":
            values, found = self._krylov(k, vectors=True)
            assert found is not None
            return values, found
        matrix = self._matrix(method)
        side = len(matrix)
        values, vectors = eigh(matrix, subset_by_index=(side - k, side - 1), overwrite_a=True)
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        if method == "gram":
            vectors = self._to_parameters(values, vectors)
        return values, vectors

    def _to_parameters(self, values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Eigenvectors of G from those of K, Eᵀu/√λ; of zero eigenvalues, what completes them."""
        pulled = self.fisher.pull(np.ascontiguousarray(vectors.T)).T
        # products of columns are off by ε·λ₁/λ; QR gives back what they lose
        if values[-1] > 1e-3 * values[0]:
            return pulled / np.sqrt(values)
        return np.linalg.qr(pulled / np.sqrt(np.maximum(values, 1e-300)))[0]

    def _apply(self, block: np.ndarray) -> np.ndarray:
        """Products of the smaller matrix with rows (k, side)."""
        fisher = self.fisher
        if self.p <= self.rows:
            return fisher.products(block)
        return fisher.push(fisher.pull(block))

    def _krylov(self, k: int, vectors: bool) -> tuple[np.ndarray, np.ndarray | None]:
        basis = 16 * self.side * min(self.side, k + 40)
        self.fisher._need(basis, f"a Krylov basis for {k} eigenvalues", "a smaller k")
        values, rows = largest_eigenpairs(
            self._apply,
            self.side,
            k,
            self.fisher.generator(1),
            tolerance=1e-10 if vectors else 1e-7,
            memory=self.fisher.memory_limit // 4,
        )
        if not vectors:
            return values, None
        if self.p > self.rows:
            return values, self._to_parameters(values, rows.T)
        return values, rows.T

    # -- log determinant -----------------------------------------------------------------------

    def logdet(self, damping: float, relative: bool, method: str, probes: int) -> Estimate:
        """Log det(G + δI), or of I + G/δ."""
        damping = check_positive("damping", damping)
        check_choice("method", method, ("auto", "exact", "stochastic"))
        probes = check_integer("probes", probes, least=2)
        shift = 0.0 if relative else self.p * float(np.log(damping))
        small = self._values is not None or self._method("auto", MIDDLE) != "lanczos"
        if method == "exact" or (method == "auto" and small):
            return Estimate(self._exact_logdet(damping) + shift)
        lower, upper = quadratic_forms(
            self._apply,
            self.side,
            lambda x: np.log1p(x / damping),
            probes,
            self.fisher.generator(1),
        )
        forms, width = 0.5 * (lower + upper), 0.5 * float(np.mean(upper - lower))
        error = float(np.hypot(np.std(forms, ddof=1) / np.sqrt(probes), width))
        return Estimate(
            float(np.mean(forms)) + shift, error, f"Lanczos quadrature, {probes} probes"
        )

    def _exact_logdet(self, damping: float) -> float:
        """Log det(I + G/δ), from eigenvalues where a factor would lose digits."""
        trace = self.fisher.trace()
        if self._values is None and ROUNDING * trace < damping < trace:
            matrix = self._matrix("gram" if self.rows < self.p else "dense")
            matrix /= damping
            matrix[np.diag_indices_from(matrix)] += 1.0
            factor, _ = cho_factor(matrix, overwrite_a=True, check_finite=False)
            return 2 * float(np.sum(np.log(np.diag(factor))))
        if self._values is None:
            self.eigvalsh(None, "gram" if self.rows < self.p else "dense")
        assert self._values is not None
        return float(np.sum(np.log1p(self._values / damping)))

    # -- linear systems ------------------------------------------------------------------------

    def _cholesky(self, damping: float) -> tuple[bool, Any]:
        """Cholesky factor of the smaller matrix plus δ: (whether it is the Gram matrix, factor)."""
        kept = self._factor  # another thread may put its own there
        if kept is None or kept[0] != damping:
            dual = self.rows < self.p
            matrix = self._matrix("gram" if dual else "dense")
            matrix[np.diag_indices_from(matrix)] += damping
            try:
                factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
            except LinAlgError:
                raise InputError(
                    f"damping: G + {damping:g} is singular to rounding; take it above 1e-14 times "
                    f"the trace of G, {1e-14 * self.fisher.trace():.1g}"
                ) from None
            self._factor = damping, dual, factor
            return dual, factor
        return kept[1:]

    def solve(self, b: np.ndarray, damping: float, method: str, tolerance: float) -> np.ndarray:
        """Solution of (G + δI)x = b."""
        fisher = self.fisher
        large = self._method("auto", MIDDLE) == "lanczos"
        if method == "cg" or (method == "auto" and large):
            return self._conjugate_gradients(b, damping, tolerance)
        dual, factor = self._cholesky(damping)
        if not dual:
            return cho_solve(factor, b)

        # Woodbury: (G + δ)⁻¹ = (1 − Eᵀ(K + δ)⁻¹E)/δ; one correction mends what cancels
        def invert(b: np.ndarray) -> np.ndarray:
            inner = cho_solve(factor, fisher.push(b[None])[0])
            return (b - fisher.pull(inner[None])[0]) / damping

        x = invert(b)
        return x + invert(b - fisher.matvec(x) - damping * x)

    def _conjugate_gradients(self, b: np.ndarray, damping: float, tolerance: float) -> np.ndarray:
        """Solve by products, preconditioned by the Kronecker approximation where there is one."""
        fisher = self.fisher
        try:
            kronecker = fisher.kfac()
        except InputError:
            scale = 1 / (fisher.diag() + damping)
            precondition = LinearOperator(fisher.shape, lambda v: scale * v)
        else:
            precondition = LinearOperator(fisher.shape, lambda v: kronecker.solve(v, damping))
        operator = LinearOperator(fisher.shape, lambda v: fisher.matvec(v) + damping * v)
        x, left = cg(operator, b, rtol=tolerance, maxiter=2000, M=precondition)
        if left:
            raise ConvergenceError(
                f"conjugate gradients for (G + {damping:g})x = b stopped after {left} products; "
                "take a larger damping",
                x,
            )
        return x
