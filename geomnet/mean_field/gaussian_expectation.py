r"""Gaussian averages of an activation: :math:`I_φ[a, b] = E[φ(u)φ(v)]`, to rounding.

u and v are normal with mean zero, variance a each and covariance :math:`b \ge 0`. They share a
part and have one each of their own, :math:`u = \sqrt{a-b}\,x + \sqrt b\,z` and
:math:`v = \sqrt{a-b}\,y + \sqrt b\,z`, so that

.. math:: I_φ[a, b] = \int Dz \left(\int Dx\; φ(\sqrt{a-b}\,x + \sqrt b\,z)\right)^2,

Dz the standard normal measure: a square, two integrals deep instead of three. Both are taken by
Gauss-Legendre on panels that end at the kinks of φ, where polynomials lose their convergence,
and that shrink towards them: the inner integral, a convolution, has lost the kink, but bends
within :math:`\sqrt{(a-b)/b}` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

__all__ = ["Linearise", "mean_products"]

Linearise = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
"""Values and slopes of an activation at u, which may be written over; None stands for one."""

_REACH = 10.0  # in standard deviations; what lies beyond weighs 1e-23
_RULES = ((16, 20), (13, 23))  # points a panel, panels; the second, elsewhere, tells the error
_BISECTIONS = 3
_BATCH = 2**18  # values of φ held at once


@cache
def _legendre(order: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(order)


def _breaks(centres: np.ndarray, finest: float, bisections: int, panels: int) -> np.ndarray:
    """Ends of panels, (..., k+1), that shrink by halves to `finest` at `centres` (..., c)."""
    width = 2 * _REACH / panels
    halvings = max(0, int(np.ceil(-np.log2(max(finest, 1e-13)))))
    graded = width * finest * 2.0 ** np.arange(halvings)
    offsets = np.concatenate([-graded[::-1], [0.0], graded])
    near = (centres[..., None] + offsets).reshape(*centres.shape[:-1], -1)
    even = np.linspace(-_REACH, _REACH, panels + 1)
    even = np.broadcast_to(even, (*centres.shape[:-1], len(even)))
    ends = np.sort(np.clip(np.concatenate([even, near], axis=-1), -_REACH, _REACH), axis=-1)
    for _ in range(bisections):
        halved = np.empty((*ends.shape[:-1], 2 * ends.shape[-1] - 1))
        halved[..., ::2], halved[..., 1::2] = ends, (ends[..., 1:] + ends[..., :-1]) / 2
        ends = halved
    return ends


def _rule(ends: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of the standard normal measure on panels."""
    nodes, weights = _legendre(order)
    half = (ends[..., 1:, None] - ends[..., :-1, None]) / 2
    points = half * nodes + (ends[..., 1:, None] + ends[..., :-1, None]) / 2
    mass = half * weights * np.exp(-(points**2) / 2) / np.sqrt(2 * np.pi)
    shape = (*ends.shape[:-1], -1)
    return points.reshape(shape), mass.reshape(shape)


def _squares(
    linearise: Linearise,
    a: float,
    b: float,
    kinks: np.ndarray,
    bisections: int,
    order: int,
    panels: int,
) -> tuple[np.ndarray, np.ndarray]:
    """:math:`I_φ` and :math:`I_{φ'}` by one rule, (2,), and what the last panels add to them."""
    own, shared = np.sqrt(a - b), np.sqrt(b)
    # a steeper activation than the named ones shows when panels are refined
    grain = 8.0**-bisections
    if shared == 0:
        z, mass = np.zeros(1), np.ones(1)
    else:
        # where u has no part of its own, nothing smooths φ: only its own scale is left, one
        bend = own if own > 0 else 1.0
        finest = min(1.0, grain * bend / shared)
        z, mass = _rule(_breaks(kinks / shared, finest, bisections, panels), order)
    squares = np.empty((2, len(z)))
    if own == 0:
        values, slopes = linearise(shared * z)
        squares[0], squares[1] = values**2, 1.0 if slopes is None else slopes**2
    finest, start = min(1.0, grain / max(own, 1e-300)), 0
    while own > 0 and start < len(z):
        # the kink of φ lies at another x for every z
        probe = _breaks((kinks - shared * z[start, None]) / own, finest, bisections, panels)
        stop = start + max(1, _BATCH // (order * len(probe)))
        centres = (kinks - shared * z[start:stop, None]) / own
        x, weights = _rule(_breaks(centres, finest, bisections, panels), order)
        values, slopes = linearise(own * x + shared * z[start:stop, None])
        squares[0, start:stop] = np.sum(weights * values, axis=-1) ** 2
        squares[1, start:stop] = 1.0 if slopes is None else np.sum(weights * slopes, axis=-1) ** 2
        start = stop
    terms = mass * squares
    return terms.sum(axis=-1), terms[:, np.abs(z) > _REACH - 1].sum(axis=-1)


def mean_products(
    linearise: Linearise,
    variance: float,
    covariance: float,
    kinks: tuple[float, ...] = (0.0,),
    tolerance: float = 1e-13,
) -> tuple[float, float, float]:
    r"""Return :math:`I_φ[a, b]`, :math:`I_{φ'}[a, b]`, and the relative error of the worse.

    Panels are bisected until two rules, of unequal panels and numbers of points, agree to the
    tolerance, at most three times. The error returned is their difference, which tells the worse
    one's, or the share of the tenth standard deviation, where φ grows so fast that what lies
    beyond is missed.

    Parameters
    ----------
    linearise : callable
        u to (φ(u), φ'(u)); a slope of None stands for one.
    variance : float
        a.
    covariance : float
        b, with 0 ≤ b ≤ a. At b = a the average is :math:`E[φ(u)^2]`.
    kinks : tuple of float
        Where φ is not smooth.
    tolerance : float
        Relative; for averages that cancel, to 1e-16 of those at b = a.

    Examples
    --------
    A line: :math:`I_φ[a, b] = b`, and its slope is one.

    >>> values, slopes, _ = mean_products(lambda u: (u, None), 2.0, 0.5)
    >>> round(values, 12), round(slopes, 12)
    (0.5, 1.0)
    """
    a, b = float(variance), min(float(covariance), float(variance))
    places = np.array(sorted({0.0, *kinks}))  # curved activations bend most around zero
    whole, _ = _squares(linearise, a, a, places, 0, *_RULES[0])
    for bisections in range(_BISECTIONS + 1):
        (fine, tail), (coarse, _) = (
            _squares(linearise, a, b, places, bisections, *rule) for rule in _RULES
        )
        # an average that cancels is zero to the rounding of what cancels
        scale = np.maximum(fine, 1e-16 * whole + 1e-300)
        error = float(np.max(np.maximum(np.abs(fine - coarse), tail) / scale))
        if error <= tolerance:
            break
    return float(fine[0]), float(fine[1]), error
