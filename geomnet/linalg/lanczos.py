r"""Krylov methods for a large positive semidefinite matrix that is known by its products.

Both keep their bases orthogonal to working precision: a product runs a network forward and back
over all data, and costs far more than that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

import numpy as np
from scipy.linalg import eigh, eigh_tridiagonal

from ..errors import ConvergenceError

__all__ = ["largest_eigenpairs", "quadratic_forms"]

WIDTH = 2  # vectors that join at once: residuals at a restart, random ones where a space ends
STEPS = 6  # between looks at what has converged
NEXT = 1e-4  # residual, relative to the least wanted eigenvalue, that tells the next one apart
Apply = Callable[[np.ndarray], np.ndarray]


def largest_eigenpairs(
    apply: Apply,
    side: int,
    k: int,
    rng: np.random.Generator,
    *,
    tolerance: float,
    memory: int,
    max_products: int = 5000,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Largest eigenvalues and eigenvectors by the Lanczos method with thick restarts.

    A Krylov space of one vector holds one eigenvector of an eigenvalue, whatever its multiplicity,
    and outputs that share their inputs make multiple ones. So where the k largest have converged
    they are kept alone, and the next one is sought from random vectors: it is done when that has
    been found, and is not among the k (Wu & Simon 2000).

    Parameters
    ----------
    apply : callable
        From rows (b, side) to their products with the matrix.
    side : int
    k : int
    rng : Generator
        Of the vectors it starts from.
    tolerance : float
        Of the residuals, relative to the largest eigenvalue. Eigenvalues are right to the square
        of it over their gaps.
    memory : int
        Bytes the basis may take; it has room for k + 40 vectors at least.
    max_products : int

    Returns
    -------
    values : ndarray, shape (k,)
        Largest first.
    vectors : ndarray, shape (k, side)
        In rows.
    """
    space = _RitzSpace(apply, side, min(side, max(k + 40, min(8 * k, memory // (16 * side)))))
    fresh, wait = rng.normal(size=(1, side)), 0
    verification = _Verification(k, tolerance)
    while True:
        fresh = space.extend(fresh)
        wait -= 1
        if len(fresh) == 0 and space.filled < side:
            fresh = rng.normal(size=(WIDTH, side))
        if space.filled < min(k + 1, side) or not (wait <= 0 or space.room == 0):
            continue
        wait = STEPS
        values, vectors, errors = space.ritz(min(k + 1, side))
        verdict = _Verdict.FOUND if space.filled == side else verification.judge(values, errors)
        if verdict is _Verdict.FOUND:
            return np.maximum(values[:k], 0.0), vectors[:k]
        if verdict is _Verdict.VERIFY:
            space.keep(k)
            fresh = rng.normal(size=(1, side))
            continue
        if space.products > max_products:
            raise ConvergenceError(
                f"the {k} largest eigenvalues were not found to {tolerance:g} in {max_products} "
                f"products (residual {errors[:k].max() / max(values[0], 1e-300):.1g} of the "
                "largest); ask for fewer",
                (values[:k], vectors[:k]),
            )
        if space.room == 0:
            fresh = space.restart(k)


class _Verdict(Enum):
    """What is to be done after a look at the space."""

    GO_ON = auto()
    VERIFY = auto()  # keep what has converged, and seek the next one from random vectors
    FOUND = auto()


class _Verification:
    """Whether the k largest have converged, and whether none larger was missed.

    The next one comes from random vectors alone: were a larger one left, it were that.
    """

    def __init__(self, k: int, tolerance: float) -> None:
        self.k, self.tolerance = k, tolerance
        self.running, self.total = False, -np.inf

    def judge(self, values: np.ndarray, errors: np.ndarray) -> _Verdict:
        """Judge k + 1 Ritz values, largest first, by the norms of their residuals."""
        k, least = self.k, self.tolerance * max(values[0], 1e-300)
        if errors[:k].max() > least:
            self.running = False
            return _Verdict.GO_ON
        total = float(values[:k].sum())
        if self.running and total - self.total > least:
            self.running = False  # it was among them: there may be others
        elif self.running and errors[-1] <= max(NEXT * values[k - 1], least):
            return _Verdict.FOUND
        if self.running:
            return _Verdict.GO_ON
        self.running, self.total = True, total
        return _Verdict.VERIFY


class _RitzSpace:
    """An orthonormal basis with its images, and the eigenpairs of the matrix restricted to it."""

    def __init__(self, apply: Apply, side: int, most: int) -> None:
        self.apply, self.filled, self.products = apply, 0, 0
        self.basis, self.images = np.empty((2, most, side))
        self.projected = np.zeros((most, most))

    @property
    def room(self) -> int:
        """How many vectors it can still take."""
        return len(self.basis) - self.filled

    def extend(self, rows: np.ndarray) -> np.ndarray:
        """Add what is new in rows (b, side); return their images, to go on with."""
        rows = _orthonormal(rows, self.basis[: self.filled])[: self.room]
        if not len(rows):
            return rows
        place = slice(self.filled, self.filled + len(rows))
        self.basis[place] = rows
        self.images[place] = self.apply(rows)
        self.filled, self.products = place.stop, self.products + len(rows)
        beside = self.images[place] @ self.basis[: self.filled].T
        self.projected[place, : self.filled] = beside
        self.projected[: self.filled, place] = beside.T
        return self.images[place]

    def ritz(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The k largest eigenvalues in the space, their vectors, and the residuals' norms."""
        within = self.projected[: self.filled, : self.filled]
        values, turn = eigh(0.5 * (within + within.T))
        self._values, self._turn = values[::-1], turn[:, ::-1].T
        leading = self._turn[:k]
        vectors = leading @ self.basis[: self.filled]
        residual = leading @ self.images[: self.filled] - self._values[:k, None] * vectors
        scale = max(float(self._values[0]), 1e-300)
        errors = np.linalg.norm(residual / scale, axis=1) * scale
        self._residuals = residual[np.argsort(errors)[: -1 - WIDTH : -1]]
        return self._values[:k], vectors, errors

    def restart(self, k: int) -> np.ndarray:
        """Keep the leading vectors only; return the largest residuals, to go on with."""
        self.keep(max(k, min(self.filled - 8, k + max(8, (self.filled - k) // 3))))
        return np.asarray(self._residuals)

    def keep(self, keep: int) -> None:
        """Keep the leading vectors only."""
        kept = self._turn[:keep]
        self.basis[:keep] = kept @ self.basis[: self.filled]
        self.images[:keep] = kept @ self.images[: self.filled]
        self.projected[...] = 0.0
        self.projected[np.arange(keep), np.arange(keep)] = self._values[:keep]
        self.filled = keep


def _orthonormal(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Orthonormal rows of what is orthogonal to a basis, without what is dependent."""
    found: list[np.ndarray] = []
    for row in rows:
        row = row / max(float(np.abs(row).max()), 1e-300)  # squares of small ones underflow
        size = np.linalg.norm(row)
        for _ in range(2):
            row = row - (row @ basis.T) @ basis
            for other in found:
                row -= (other @ row) * other
        left = np.linalg.norm(row)
        if left > 1e-12 * size:
            found.append(row / left)
    return np.array(found).reshape(-1, rows.shape[1])


def quadratic_forms(
    apply: Apply,
    side: int,
    function: Callable[[np.ndarray], np.ndarray],
    probes: int,
    rng: np.random.Generator,
    *,
    tolerance: float = 0.03,
    max_steps: int = 300,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Quadratic forms :math:`u^\top f(K)u` of random signs u, bracketed by Lanczos quadrature.

    Their mean is an unbiased estimate of tr f(K) (Hutchinson 1990; Ubaru, Chen & Saad 2017). For a
    function whose derivatives alternate in sign, as those of log(1 + x/δ) do, Gauss quadrature is
    an upper bound and Gauss–Radau quadrature with a node at zero a lower one (Golub & Meurant
    1994). Steps are taken until the two are closer than `tolerance` of the spread of the
    forms, or a millionth of their size.

    Parameters
    ----------
    apply : callable
        From rows (probes, side) to their products with the matrix.
    side : int
    function : callable
        f, on eigenvalues, zero at zero.
    probes : int
    rng : Generator
    tolerance : float
    max_steps : int

    Returns
    -------
    lower, upper : ndarray, shape (probes,)
    """
    current = rng.choice([-1.0, 1.0], size=(probes, side)) / np.sqrt(side)
    basis: list[np.ndarray] = []
    diagonal, beside = np.empty((2, probes, max_steps))
    lower, upper = np.empty((2, probes))
    for step in range(min(max_steps, side)):
        basis.append(current)
        moved = apply(current)
        diagonal[:, step] = np.einsum("is,is->i", current, moved)
        for _ in range(2):
            for old in basis:
                moved -= np.einsum("is,is->i", old, moved)[:, None] * old
        beside[:, step] = np.linalg.norm(moved, axis=1)
        # where a Krylov space is exhausted its quadrature is exact, and zeros leave it so
        ended = beside[:, step] <= 1e-12 * diagonal[:, 0]
        beside[ended, step] = 0.0
        for i in range(probes):
            upper[i], lower[i] = _bracket(diagonal[i, : step + 1], beside[i, : step + 1], function)
        width = side * float(np.mean(upper - lower))
        spread = side * float(np.std(upper)) / np.sqrt(probes)
        size = side * float(np.abs(upper).mean())
        if width <= max(tolerance * spread, 1e-6 * size) or ended.all():
            break
        current = moved / np.where(ended, np.inf, beside[:, step])[:, None]
    return side * lower, side * upper


def _bracket(
    diagonal: np.ndarray, beside: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float]:
    """Gauss quadrature of a function, and Gauss–Radau quadrature with a node at zero."""
    nodes, vectors = eigh_tridiagonal(diagonal, beside[:-1])
    gauss = float(np.sum(vectors[0] ** 2 * function(np.maximum(nodes, 0.0))))
    if not beside[-1]:
        return gauss, gauss
    # the last diagonal entry that puts a node at zero: β²(T⁻¹)_mm
    inverse = float(np.sum(vectors[-1] ** 2 / np.maximum(nodes, 1e-16 * nodes[-1])))
    extended = np.append(diagonal, beside[-1] ** 2 * inverse)
    nodes, vectors = eigh_tridiagonal(extended, beside)
    radau = float(np.sum(vectors[0] ** 2 * function(np.maximum(nodes, 0.0))))
    return gauss, min(radau, gauss)
