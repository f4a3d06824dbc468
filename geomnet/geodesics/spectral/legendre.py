r"""Integrated Legendre polynomials: smooth paths with fixed ends.

.. math:: γ(t) = (1-t)a + tb + \sum_{j=1}^{p-1} c_jφ_j(t), \qquad
    φ_j(t) = \int_0^t \sqrt{2j+1}\,P_j(2s-1)\,ds = \frac{P_{j+1} - P_{j-1}}{2\sqrt{2j+1}}(2t-1).

The φ_j vanish at both ends, and their derivatives are orthonormal on [0, 1], and orthogonal to the
line's: in a constant metric the coefficients are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander

__all__ = ["Basis", "basis", "evaluate", "reported"]


@dataclass(frozen=True)
class Basis:
    """The p − 1 functions at Gauss nodes, with the products that Hessians are made of."""

    times: np.ndarray
    """Gauss nodes in [0, 1], (Q,)."""
    weights: np.ndarray
    values: np.ndarray
    """φ_j at the nodes, (Q, p−1)."""
    slopes: np.ndarray
    """φ_j' at the nodes, (Q, p−1)."""
    both: np.ndarray
    """φ_j, then φ_j', (2Q, p−1)."""
    pulls: np.ndarray
    """Weighted 2φ_j' and φ_j, transposed: what ♭u and q make gradients of, (2, p−1, Q)."""
    products: np.ndarray
    """Weighted 2φ'φ', φφ' and φφ of every pair, (3, (p−1)², Q)."""


@lru_cache
def basis(degree: int) -> Basis:
    """Basis of degree p at 3p/2 + 2 Gauss nodes."""
    nodes, weights = leggauss(degree + degree // 2 + 2)
    times, weights = 0.5 * (nodes + 1), 0.5 * weights
    values, slopes = functions(degree, times)

    def pairs(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.einsum("q,qi,qj->ijq", weights, left, right).reshape(-1, len(times))

    return Basis(
        times,
        weights,
        values,
        slopes,
        both=np.concatenate([values, slopes]),
        pulls=np.stack([2 * slopes.T * weights, values.T * weights]),
        products=np.stack(
            [2 * pairs(slopes, slopes), pairs(values, slopes), pairs(values, values)]
        ),
    )


def functions(degree: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """φ_j and φ_j' of degree up to p at times (Q,), each (Q, p−1)."""
    legendre = legvander(2 * times - 1, degree)
    norms = np.sqrt(2 * np.arange(1, degree) + 1)
    return (legendre[:, 2:] - legendre[:, :-2]) / (2 * norms), legendre[:, 1:-1] * norms


def evaluate(
    start: np.ndarray, end: np.ndarray, coefficients: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points and velocities of a path with coefficients (p−1, ...) at times (k,): (k, ...)."""
    return _combine(start, end, coefficients, times, *functions(len(coefficients) + 1, times))


def reported(
    start: np.ndarray, end: np.ndarray, coefficients: np.ndarray, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points at n_steps + 1 uniform times, ends exact, and velocities there."""
    times, values, slopes = _uniform(len(coefficients) + 1, n_steps)
    path, velocity = _combine(start, end, coefficients, times, values, slopes)
    path[0], path[-1] = start, end
    return path, velocity


@lru_cache
def _uniform(degree: int, n_steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times = np.linspace(0.0, 1.0, n_steps + 1)
    return times, *functions(degree, times)


def _combine(
    start: np.ndarray,
    end: np.ndarray,
    coefficients: np.ndarray,
    times: np.ndarray,
    values: np.ndarray,
    slopes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    t = times[(..., *[None] * start.ndim)]
    return (
        (1 - t) * start + t * end + np.tensordot(values, coefficients, axes=1),
        end - start + np.tensordot(slopes, coefficients, axes=1),
    )
