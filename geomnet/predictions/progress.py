r"""Progress along a geodesic of predictions: feet of perpendiculars in constant curvature.

Every likelihood is a product of surfaces of constant curvature κ = 1, 0 or −1 (times a scale), one
factor for each datum (or output of it). Beside a geodesic of unit speed a point of such a factor
has *Fermi coordinates*: its foot φ on the geodesic and its distance δ from it. The distance d to
the point at arc length t then is, with x = t − φ,

.. math:: \sin^2\tfrac d2 = \sin^2\tfrac δ2 + \cos δ\,\sin^2\tfrac x2 \;(κ = 1), \qquad
          d^2 = δ^2 + x^2 \;(κ = 0), \qquad
          \sinh^2\tfrac d2 = \sinh^2\tfrac δ2 + \cosh δ\,\sinh^2\tfrac x2 \;(κ = -1).

A geodesic of the product runs through all factors at once, at s times the length T of each.
Predictions are at most a quarter turn apart on their sphere, so d and d² are convex in s, and the
nearest point is where the slope of their sum changes sign: Newton's method, kept in a bracket.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax

from ..errors import InputError
from ..likelihoods import (
    Bernoulli,
    Categorical,
    Gaussian,
    HeteroscedasticGaussian,
    Likelihood,
)

__all__ = ["Fermi", "Progress", "fermi_coordinates", "ignorance", "nearest", "truth"]

# half of it is the logarithm of less than any float: e^(-SATURATED/2) == 0.0
SATURATED = 2000.0


class Progress(NamedTuple):
    """Where predictions stand along a geodesic.

    Attributes
    ----------
    fraction : ndarray, shape (m,)
        Share s of the geodesic at which it is nearest, in [0, 1].
    distance : ndarray, shape (m,)
        Fisher–Rao distance from that point of it.
    """

    fraction: np.ndarray
    distance: np.ndarray


class Fermi(NamedTuple):
    """Fermi coordinates of predictions beside a geodesic, factor by factor.

    Attributes
    ----------
    foot : ndarray, shape (m, n, f)
        Arc length φ, from the start.
    away : ndarray, shape (m, n, f)
        Distance δ.
    length : ndarray, shape (n, f)
        Length T of the geodesic.
    curvature : int
        κ of every factor.
    scale : float
        What a squared distance in these units is worth.
    """

    foot: np.ndarray
    away: np.ndarray
    length: np.ndarray
    curvature: int
    scale: float

    def squared_distance(self, s: np.ndarray) -> np.ndarray:
        """Squared distances d² to the points at s (m,) of the geodesic, (m, n, f)."""
        return self._distance(self._ahead(s)) ** 2

    def _ahead(self, s: np.ndarray) -> np.ndarray:
        return s[:, None, None] * self.length - self.foot

    def _distance(self, x: np.ndarray) -> np.ndarray:
        if self.curvature == 0:
            return np.hypot(self.away, x)
        if self.curvature > 0:
            square = np.sin(self.away / 2) ** 2 + np.cos(self.away) * np.sin(x / 2) ** 2
            return 2 * np.arcsin(np.sqrt(np.clip(square, 0.0, 1.0)))
        square = np.sinh(self.away / 2) ** 2 + np.cosh(self.away) * np.sinh(x / 2) ** 2
        return 2 * np.arcsinh(np.sqrt(square))

    def slope_and_bend(self, s: np.ndarray, squared: bool) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivative in s of ½d² (or of d), (m, n, f)."""
        x = self._ahead(s)
        d = self._distance(x)
        safe = np.where(d > 0, d, 1.0)
        if self.curvature == 0:
            pull, cot = x / safe, 1 / safe
        elif self.curvature > 0:
            sin = np.where(d > 0, np.sin(d), 1.0)
            pull, cot = np.cos(self.away) * np.sin(x) / sin, np.cos(d) / sin
        else:
            sinh = np.where(d > 0, np.sinh(d), 1.0)
            pull, cot = np.cosh(self.away) * np.sinh(x) / sinh, np.cosh(d) / sinh
        pull = np.clip(np.where(d > 0, pull, 0.0), -1.0, 1.0)  # the cosine of an angle
        across = 1 - pull**2
        if squared:
            # d·cot d tends to 1 on the geodesic itself
            bend = pull**2 + np.where(d > 0, d * cot, 1.0) * across
            return self.length * d * pull, self.length**2 * bend
        return self.length * pull, self.length**2 * cot * across


def nearest(fermi: Fermi, weights: np.ndarray, average: str = "square") -> Progress:
    """Nearest points of a geodesic of the product, for all m predictions at once.

    Parameters
    ----------
    fermi : Fermi
    weights : ndarray, shape (n,)
    average : {"square", "arc"}
        Whether the weighted mean of d² or of d is least there.
    """

    def derivatives(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slope, bend = fermi.slope_and_bend(s, average == "square")
        return slope.sum(axis=-1) @ weights, bend.sum(axis=-1) @ weights

    m = len(fermi.foot)
    low, high = np.zeros(m), np.ones(m)
    at_start = derivatives(low)[0] >= 0
    at_end = ~at_start & (derivatives(high)[0] <= 0)
    s = np.where(at_start, 0.0, np.where(at_end, 1.0, 0.5))
    done = at_start | at_end
    for iteration in range(200):
        if done.all():
            break
        slope, bend = derivatives(s)
        low, high = np.where(slope <= 0, s, low), np.where(slope >= 0, s, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = s - slope / bend
        # where arcs have kinks Newton's steps may creep: every third halves the bracket
        newton = (step > low) & (step < high) & (iteration % 3 < 2)
        new = np.where(newton, step, 0.5 * (low + high))
        ended = (high - low < 1e-15) | (newton & (np.abs(new - s) < 1e-15))
        s, done = np.where(done, s, new), done | ended
    square = fermi.scale * (fermi.squared_distance(s).sum(axis=-1) @ weights)
    return Progress(s, np.sqrt(square))


def fermi_coordinates(
    likelihood: Likelihood, z: np.ndarray, start: np.ndarray, end: np.ndarray
) -> Fermi:
    """Fermi coordinates of predictions z (m, n, C) beside the geodesic from start to end (n, C)."""
    return _fermi(likelihood, z, start, end)


@singledispatch
def _fermi(likelihood: Any, z: np.ndarray, start: np.ndarray, end: np.ndarray) -> Fermi:
    raise InputError(f"likelihood: progress is known for those of geomnet, not for {likelihood!r}")


@_fermi.register
def _(likelihood: Categorical, z: np.ndarray, start: np.ndarray, end: np.ndarray) -> Fermi:
    root, first, last = (np.exp(0.5 * log_softmax(a, axis=-1)) for a in (z, start, end))
    length = likelihood.distance(start, end) / 2
    # the unit vector at the start towards the end; any, zero included, where they are one
    side = last - first * np.sum(first * last, axis=-1, keepdims=True)
    side -= first * np.sum(first * side, axis=-1, keepdims=True)
    size = np.sqrt(np.sum(side**2, axis=-1, keepdims=True))
    side = np.divide(side, size, out=np.zeros_like(side), where=size > 0)
    along, across = np.einsum("mnc,nc->mn", root, first), np.einsum("mnc,nc->mn", root, side)
    root -= along[..., None] * first
    root -= across[..., None] * side
    away = np.arctan2(np.sqrt(np.sum(root**2, axis=-1)), np.hypot(along, across))
    foot = np.arctan2(across, along)
    return Fermi(foot[..., None], away[..., None], length[..., None], 1, 4.0)


@_fermi.register
def _(likelihood: Bernoulli, z: np.ndarray, start: np.ndarray, end: np.ndarray) -> Fermi:
    # the arc ψ - π/2, exact at a half and at certainty
    arcs = [2 * np.arctan(np.tanh(a / 4)) for a in (z, start, end)]
    return _straight(*arcs)


@_fermi.register
def _(likelihood: Gaussian, z: np.ndarray, start: np.ndarray, end: np.ndarray) -> Fermi:
    return _straight(z / likelihood.sigma, start / likelihood.sigma, end / likelihood.sigma)


def _straight(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> Fermi:
    """Lines, one for each coordinate."""
    sign = np.where(end >= start, 1.0, -1.0)
    return Fermi(sign * (point - start), np.zeros_like(point), np.abs(end - start), 0, 1.0)


@_fermi.register
def _(
    likelihood: HeteroscedasticGaussian, z: np.ndarray, start: np.ndarray, end: np.ndarray
) -> Fermi:
    k = likelihood.dim

    def disc(a: np.ndarray) -> tuple[np.ndarray, ...]:
        """Points of the unit disc with the start at its centre; 1 - |u|²; distance from there."""
        x = (a[..., :k] - start[..., :k]) / np.sqrt(2) * np.exp(-start[..., k:])
        turn = a[..., k:] - start[..., k:]
        top, bottom = x + 1j * np.expm1(turn), x + 1j * (np.exp(turn) + 1)
        away = 2 * np.arcsinh(0.5 * np.abs(top) * np.exp(-0.5 * turn))
        return top / bottom, 4 * np.exp(turn) / np.abs(bottom) ** 2, away

    (u, rim, _), (far, _, length) = disc(z), disc(end)
    size = np.abs(far)
    u = u * np.divide(far.conj(), size, out=np.ones_like(far), where=size > 0)
    foot = 0.5 * np.log1p(4 * u.real / np.abs(1 - u) ** 2)
    return Fermi(foot, np.abs(np.arcsinh(2 * u.imag / rim)), length, -1, 2.0)


def ignorance(likelihood: Likelihood, n: int) -> np.ndarray:
    """Parameters of the predictions that know nothing: every class or side alike, (n, C)."""
    if not isinstance(likelihood, (Categorical, Bernoulli)):
        raise InputError(
            f"start: {likelihood!r} has no uniform distribution; give the parameters to start "
            "from, such as those of the first checkpoint"
        )
    return np.zeros((n, likelihood.n_parameters))


@singledispatch
def truth(likelihood: Any, targets: np.ndarray) -> np.ndarray:
    """Parameters of the predictions that are certain of the targets, (n, C)."""
    raise InputError(
        f"end: {likelihood!r} is never certain of its targets: that is infinitely far away; "
        "give the parameters to end at, such as those of the last checkpoint"
    )


@truth.register
def _(likelihood: Categorical, targets: np.ndarray) -> np.ndarray:
    return SATURATED * (targets[:, None] == np.arange(likelihood.n_classes))


@truth.register
def _(likelihood: Bernoulli, targets: np.ndarray) -> np.ndarray:
    return SATURATED * (2 * targets - 1)


@truth.register
def _(likelihood: Gaussian, targets: np.ndarray) -> np.ndarray:
    return targets
