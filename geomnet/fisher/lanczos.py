r"""Krylov methods for a large positive semidefinite matrix that is known by its products.

Both keep their bases orthogonal to working precision: a product runs a network forward and back
over all data, and costs far more than that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh, eigh_tridiagonal, qr

from ..errors import ConvergenceError

__all__ = ["largest_eigenpairs", "quadratic_forms"]

Apply = Callable[[np.ndarray], np.ndarray]


def largest_eigenpairs(
    apply: Apply,
    side: int,
    k: int,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-12,
    max_products: int = 5000,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Largest eigenvalues and eigenvectors by a block Krylov method with restarts.

    The block Lanczos method (Golub & Underwood 1977) with full orthogonalisation and thick
    restarts (Wu & Simon 2000). A block finds eigenvalues of a multiplicity up to its size, which
    outputs that share their inputs make.

    Parameters
    ----------
    apply : callable
        From rows (b, side) to their products with the matrix.
    side : int
    k : int
    rng : Generator
        Of the first block.
    tolerance : float
        Of the residuals, relative to the largest eigenvalue; eigenvalues are right to its square.
    max_products : int

    Returns
    -------
    values : ndarray, shape (k,)
        Largest first.
    vectors : ndarray, shape (k, side)
        In rows.
    """
    block = max(1, min(BLOCK, side))
    most = min(side, max(8 * k, k + 12 * block))
    basis = np.empty((most, side))
    images = np.empty((most, side))
    filled, products = 0, 0
    fresh = rng.normal(size=(block, side))
    while True:
        fresh = _orthonormal(fresh, basis[:filled])[: most - filled]
        if len(fresh):
            place = slice(filled, filled + len(fresh))
            basis[place] = fresh
            images[place] = apply(fresh)
            products += len(fresh)
            filled = place.stop
        if not (filled == most or len(fresh) == 0 or filled % (4 * block) < block):
            fresh = images[place]
            continue
        projected = basis[:filled] @ images[:filled].T
        values, turn = eigh(0.5 * (projected + projected.T))
        values, turn = values[::-1], turn[:, ::-1]
        if filled >= k:
            leading = turn[:, :k].T
            ritz = leading @ basis[:filled]
            residual = leading @ images[:filled] - values[:k, None] * ritz
            error = float(np.linalg.norm(residual, axis=1).max())
            if error <= tolerance * max(values[0], 1e-300) or filled == side or len(fresh) == 0:
                return np.maximum(values[:k], 0.0), ritz
            if products > max_products:
                raise ConvergenceError(
                    f"the {k} largest eigenvalues were not found to {tolerance:g} in {products} "
                    f"products (residual {error / values[0]:.1g} of the largest); ask for fewer",
                    (values[:k], ritz),
                )
        if filled == most:  # keep the leading half, and go on from the last block's image
            keep = min(filled - block, k + max(block, (most - k) // 3))
            fresh = images[filled - len(fresh) : filled].copy() if len(fresh) else fresh
            kept = turn[:, :keep].T
            basis[:keep] = kept @ basis[:filled]
            images[:keep] = kept @ images[:filled]
            filled = keep
        else:
            fresh = images[place]


BLOCK = 4


def _orthonormal(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Orthonormal rows of what is orthogonal to a basis, without what is dependent."""
    size = np.linalg.norm(rows)
    for _ in range(2):
        rows = rows - (rows @ basis.T) @ basis
    q, r, _ = qr(rows.T, mode="economic", pivoting=True)
    rank = int(np.sum(np.abs(np.diag(r)) > 1e-13 * size))
    found = q[:, :rank].T
    return found - (found @ basis.T) @ basis if rank else found


def quadratic_forms(
    apply: Apply,
    side: int,
    function: Callable[[np.ndarray], np.ndarray],
    probes: int,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-3,
    max_steps: int = 200,
) -> np.ndarray:
    r"""Quadratic forms :math:`u^\top f(K)u` of random signs u, by Lanczos quadrature.

    Their mean is an unbiased estimate of tr f(K) (Hutchinson 1990; Golub & Meurant 1994; Ubaru,
    Chen & Saad 2017). Steps are taken until the quadrature moves by less than `tolerance` of the
    spread of the forms, or a millionth of their size.

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
    ndarray, shape (probes,)
    """
    current = rng.choice([-1.0, 1.0], size=(probes, side)) / np.sqrt(side)
    basis: list[np.ndarray] = []
    diagonal, beside = np.empty((2, probes, max_steps))
    forms = np.full(probes, np.inf)
    for step in range(min(max_steps, side)):
        basis.append(current)
        moved = apply(current)
        diagonal[:, step] = np.einsum("is,is->i", current, moved)
        for _ in range(2):
            for old in basis:
                moved -= np.einsum("is,is->i", old, moved)[:, None] * old
        beside[:, step] = np.linalg.norm(moved, axis=1)
        last, forms = forms, np.empty(probes)
        for i in range(probes):
            nodes, vectors = eigh_tridiagonal(diagonal[i, : step + 1], beside[i, :step])
            forms[i] = side * np.sum(vectors[0] ** 2 * function(np.maximum(nodes, 0.0)))
        change = float(np.abs(forms - last).max())
        spread = float(np.std(forms)) / np.sqrt(probes)
        if change <= max(tolerance * spread, 1e-6 * float(np.abs(forms).mean())):
            return forms
        if (beside[:, step] <= 1e-12 * diagonal[:, 0]).any():
            return forms  # a Krylov space is exhausted: its quadrature is exact
        current = moved / beside[:, step, None]
    return forms
