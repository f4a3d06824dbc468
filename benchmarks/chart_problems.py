"""Geodesic problems in charts whose distance is known in closed form.

``problem(name)`` gives the metric matrix, its hand-derived quadratic gradient and the geodesic
acceleration in plain NumPy; ``problem(name, xp)`` the same formulas in ``autograd.numpy`` or
``jax.numpy``, for solvers that differentiate the metric matrix themselves. It imports nothing
but NumPy, so that every peer can read it in its own environment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

NINE = (
    "sphere2",
    "sphere20",
    "half-plane",
    "gauss1",
    "gauss10",
    "spd3",
    "spd5",
    "paraboloid2",
    "paraboloid20",
)
LARGE = ("sphere100", "paraboloid100")


@dataclass(frozen=True)
class Problem:
    """Two ends in a chart, the metric there, and the true distance.

    ``metric_matrix(x)`` takes (..., d) to (..., d, d), ``quadratic_gradient(v, x)`` is
    d/dx of vᵀG(x)v, and ``acceleration(x, v)`` is −Γ(v, v), the right side of the geodesic
    equation; the last two broadcast v against x.
    """

    name: str
    start: np.ndarray
    end: np.ndarray
    distance: float
    metric_matrix: Callable[[Any], Any]
    quadratic_gradient: Callable[[Any, Any], Any]
    acceleration: Callable[[Any, Any], Any]

    @property
    def dim(self) -> int:
        """Dimension of the chart."""
        return len(self.start)

    def acceleration_by_metric(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """−Γ(v, v) from metric matrix and quadratic gradient alone: G⁻¹(q/2 − (v·∂G)v).

        The second term comes from polarising q, which is quadratic in v:
        (v·∂G)v along an axis e is v·(q(v + e) − q(v − e))/4.
        """
        axes = np.eye(self.dim)[:, None]
        mixed = self.quadratic_gradient(v + axes, x) - self.quadratic_gradient(v - axes, x)
        along = np.einsum("jki,ki->kj", mixed, v) / 4
        force = self.quadratic_gradient(v, x) / 2 - along
        return np.linalg.solve(self.metric_matrix(x), force[..., None])[..., 0]


def problem(name: str, xp: Any = np) -> Problem:
    """One problem by name: a family and its size, such as "sphere20" or "spd3"."""
    if name == "half-plane":
        return half_plane(xp)
    family = name.rstrip("0123456789")
    return FAMILIES[family](int(name[len(family) :]), xp)


def dot(xp: Any, a: Any, b: Any) -> Any:
    """Inner products over the last axis, which stays, with length 1."""
    return xp.sum(a * b, axis=-1, keepdims=True)


def sphere(d: int, xp: Any) -> Problem:
    """The unit sphere S^d in stereographic coordinates: G = 4/(1+|x|²)² I."""
    start, end = np.zeros(d), np.zeros(d)
    start[0], start[-1] = -0.9, 0.15
    end[0] = 0.8
    if d > 1:
        end[1] = 0.7

    def lift(x):
        s = x @ x
        return np.append(2 * x, s - 1) / (s + 1)

    eye = np.eye(d)

    def metric_matrix(x):
        return (4 / (1 + dot(xp, x, x)) ** 2)[..., None] * eye

    def quadratic_gradient(v, x):
        return -16 * dot(xp, v, v) / (1 + dot(xp, x, x)) ** 3 * x

    def acceleration(x, v):
        return (4 * dot(xp, x, v) * v - 2 * dot(xp, v, v) * x) / (1 + dot(xp, x, x))

    distance = np.arccos(lift(start) @ lift(end))
    return Problem(
        f"sphere{d}", start, end, distance, metric_matrix, quadratic_gradient, acceleration
    )


def half_plane(xp: Any) -> Problem:
    """The hyperbolic half-plane: G = I/y²."""
    start, end = np.array([-1.0, 0.3]), np.array([1.5, 0.6])
    eye, up = np.eye(2), np.array([0.0, 1.0])

    def metric_matrix(x):
        return (1 / x[..., 1:] ** 2)[..., None] * eye

    def quadratic_gradient(v, x):
        return -2 * dot(xp, v, v) / x[..., 1:] ** 3 * up

    def acceleration(x, v):
        return (2 * v[..., 1:] * v - dot(xp, v, v) * up) / x[..., 1:]

    gap = end - start
    distance = np.arccosh(1 + gap @ gap / (2 * start[1] * end[1]))
    return Problem(
        "half-plane", start, end, distance, metric_matrix, quadratic_gradient, acceleration
    )


def gauss(k: int, xp: Any) -> Problem:
    """k normal distributions, coordinates (μ₁..μ_k, σ₁..σ_k), Fisher metric (dμ² + 2dσ²)/σ²."""
    start = np.repeat([-1.0, 0.4], k)
    end = np.repeat([1.0, 0.6], k)
    eye = np.eye(2 * k)

    def metric_matrix(x):
        inverse = 1 / x[..., k:] ** 2
        return xp.concatenate([inverse, 2 * inverse], axis=-1)[..., None] * eye

    def quadratic_gradient(v, x):
        size = v[..., :k] ** 2 + 2 * v[..., k:] ** 2
        slope = -2 * size / x[..., k:] ** 3
        return xp.concatenate([xp.zeros_like(slope), slope], axis=-1)

    def acceleration(x, v):
        sigma, dmu, dsigma = x[..., k:], v[..., :k], v[..., k:]
        return xp.concatenate([2 * dmu * dsigma, dsigma**2 - dmu**2 / 2], axis=-1) / xp.concatenate(
            [sigma, sigma], axis=-1
        )

    ratio = (2.0**2 / 2 + 0.2**2) / (2 * 0.4 * 0.6)
    distance = np.sqrt(k) * np.sqrt(2) * np.arccosh(1 + ratio)
    return Problem(
        f"gauss{k}", start, end, distance, metric_matrix, quadratic_gradient, acceleration
    )


def spd(n: int, xp: Any) -> Problem:
    """Positive definite n×n matrices in their lower triangle, the metric tr(A⁻¹VA⁻¹V)."""
    rows, columns = np.tril_indices(n)
    d = len(rows)
    basis = np.zeros((d, n, n))
    basis[np.arange(d), rows, columns] = basis[np.arange(d), columns, rows] = 1.0
    fold, beside = basis.reshape(d, n * n), basis.transpose(1, 0, 2).reshape(n, d * n)

    def matrix(x):
        return (x @ fold).reshape((*x.shape[:-1], n, n))

    def coordinates(matrices):
        return matrices.reshape((*matrices.shape[:-2], n * n)) @ fold.T

    def metric_matrix(x):
        # tr(A⁻¹E_a A⁻¹E_b) is the product of F_a = A⁻¹E_a with F_b transposed
        products = (xp.linalg.inv(matrix(x)) @ beside).reshape((*x.shape[:-1], n, d, n))
        products = xp.swapaxes(products, -3, -2)
        left = products.reshape((*x.shape[:-1], d, n * n))
        right = xp.swapaxes(products, -2, -1).reshape((*x.shape[:-1], d, n * n))
        return left @ xp.swapaxes(right, -1, -2)

    def quadratic_gradient(v, x):
        inverse = xp.linalg.inv(matrix(x))
        product = inverse @ matrix(v)
        return -2 * coordinates(product @ inverse @ xp.swapaxes(product, -1, -2))

    def acceleration(x, v):
        velocity = matrix(v)
        return (velocity @ xp.linalg.inv(matrix(x)) @ velocity)[..., rows, columns]

    rng = np.random.default_rng(n)
    ends = []
    for _ in range(2):
        turn, _ = np.linalg.qr(rng.normal(size=(n, n)))
        ends.append((turn * np.exp(rng.uniform(-1, 1, n))) @ turn.T)
    lower = np.linalg.inv(np.linalg.cholesky(ends[0]))
    distance = np.linalg.norm(np.log(np.linalg.eigvalsh(lower @ ends[1] @ lower.T)))
    start, end = (a[rows, columns] for a in ends)
    return Problem(f"spd{n}", start, end, distance, metric_matrix, quadratic_gradient, acceleration)


def paraboloid(d: int, xp: Any) -> Problem:
    """The graph of |x|²: G = I + 4xxᵀ; the ends of d = 2, turned into d dimensions."""
    turn, _ = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))
    plane = np.eye(2) if d == 2 else turn[:2]
    start, end = np.array([-1.0, 0.5]) @ plane, np.array([1.0, 0.7]) @ plane
    eye = np.eye(d)

    def metric_matrix(x):
        return eye + 4 * x[..., :, None] * x[..., None, :]

    def quadratic_gradient(v, x):
        return 8 * dot(xp, x, v) * v

    def acceleration(x, v):
        return -4 * dot(xp, v, v) / (1 + 4 * dot(xp, x, x)) * x

    return Problem(
        f"paraboloid{d}",
        start,
        end,
        paraboloid_distance(),
        metric_matrix,
        quadratic_gradient,
        acceleration,
    )


def paraboloid_distance() -> float:
    """Distance of (−1, .5) and (1, .7) on z = x² + y², by Clairaut's relation.

    With r the distance from the axis, ds² = (1+4r²)dr² + r²dφ² and r² dφ/ds = c. The geodesic
    goes in to its least radius c and out again; with r² = c² + w² its angle and length are
    smooth integrals over w, and c follows from the angle by bisection.
    """
    inner, outer = np.hypot(1.0, 0.5), np.hypot(1.0, 0.7)
    angle = np.arccos((-1.0 * 1.0 + 0.5 * 0.7) / (inner * outer))
    node, weight = np.polynomial.legendre.leggauss(200)

    def integrals(c):
        turned = length = 0.0
        for radius in (inner, outer):
            # w = c sinh(t) spreads the nodes where c is small
            top = np.arcsinh(np.sqrt(radius**2 - c**2) / c)
            t = top * (node + 1) / 2
            w = c * np.sinh(t)
            r2 = c**2 + w**2
            # ds = √(1+4r²) r dr / √(r²−c²) = √(1+4r²) dw, and dφ = c ds / r²
            ds = weight * top / 2 * np.sqrt(1 + 4 * r2) * c * np.cosh(t)
            turned += np.sum(c * ds / r2)
            length += np.sum(ds)
        return turned, length

    low, high = 1e-3, inner * (1 - 1e-12)
    for _ in range(200):
        middle = (low + high) / 2
        # the nearer it passes to the axis, the more it turns per unit of angle left
        if integrals(middle)[0] > angle:
            low = middle
        else:
            high = middle
    return float(integrals((low + high) / 2)[1])


@dataclass(frozen=True)
class Decoder:
    """A tanh network R^d → R^50 with two hidden layers, and two points of its domain.

    ``decoder(x)`` takes (..., d) to (..., 50); the metric is the pullback JᵀJ of the flat one.
    """

    name: str
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    start: np.ndarray
    end: np.ndarray
    distance: float
    xp: Any = np

    def __call__(self, x: Any) -> Any:
        """Image of points."""
        for i, (w, b) in enumerate(self.layers):
            x = (x if i == 0 else self.xp.tanh(x)) @ w + b
        return x

    def metric_matrix(self, x: Any) -> Any:
        """JᵀJ, (..., d, d)."""
        w, b = self.layers[0]
        z, jacobian = x @ w + b, w
        for w, b in self.layers[1:]:
            h = self.xp.tanh(z)
            jacobian = (jacobian * (1 - h**2)[..., None, :]) @ w
            z = h @ w + b
        return jacobian @ self.xp.swapaxes(jacobian, -1, -2)

    def pullback(self, x: np.ndarray, covector: np.ndarray) -> np.ndarray:
        """Jᵀw for w in (..., 50), by hand: what an automatic gradient does in reverse."""
        slopes = []
        for i, (w, b) in enumerate(self.layers[:-1]):
            x = (x if i == 0 else np.tanh(x)) @ w + b
            slopes.append(1 - np.tanh(x) ** 2)
        for (w, _), slope in zip(self.layers[:0:-1], slopes[::-1]):
            covector = (covector @ w.T) * slope
        return covector @ self.layers[0][0].T

    def acceleration(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """−Γ(v, v): the acceleration that leaves none along the image, −(JᵀJ)⁻¹Jᵀf''(v, v)."""
        w, b = self.layers[0]
        z, first, second, jacobian = x @ w + b, v @ w, np.zeros_like(v @ w), w
        for w, b in self.layers[1:]:
            h = np.tanh(z)
            slope = 1 - h**2
            second = (slope * second - 2 * h * slope * first**2) @ w
            first = (slope * first) @ w
            jacobian = (jacobian * slope[..., None, :]) @ w
            z = h @ w + b
        matrix = jacobian @ np.swapaxes(jacobian, -1, -2)
        return -np.linalg.solve(matrix, jacobian @ second[..., None])[..., 0]

    @property
    def dim(self) -> int:
        """Dimension of the domain."""
        return len(self.start)


DECODED = {2: 14.768969470343, 10: 11.008410308359}
"""Distances: |initial velocity| of SciPy's solve_bvp at tolerance 1e-10."""


def decoder(d: int, xp: Any = np) -> Decoder:
    """The decoder of one dimension, the same wherever it is made."""
    rng = np.random.default_rng(d)
    layers = tuple(
        (rng.normal(0, 1.5 / np.sqrt(a), (a, b)), 0.5 * rng.normal(size=b))
        for a, b in itertools.pairwise((d, 64, 64, 50))
    )
    start = rng.normal(size=d)
    start *= 1.2 / np.linalg.norm(start)
    end = 0.3 * rng.normal(size=d) - start
    return Decoder(f"decoder{d}", layers, start, end, DECODED[d], xp)


FAMILIES: dict[str, Callable[[int, Any], Any]] = {
    "sphere": sphere,
    "gauss": gauss,
    "spd": spd,
    "paraboloid": paraboloid,
    "decoder": decoder,
}


def curve_length(one: Any, points: np.ndarray, degree: int = 6) -> float:
    """True length of the polygon through points: Gauss–Legendre quadrature on each segment."""
    node, weight = np.polynomial.legendre.leggauss(degree)
    step = np.diff(points, axis=0)
    place = points[:-1, None] + (node[:, None] + 1) / 2 * step[:, None]
    matrices = one.metric_matrix(place)
    speed = np.sqrt(np.einsum("ki,kqij,kj->kq", step, matrices, step))
    return float(np.sum(speed @ weight) / 2)


def check() -> None:
    """Compare every formula with central differences, and the truth with a fine path."""
    rng = np.random.default_rng(0)
    for name in (*NINE, "sphere5", "paraboloid5"):
        one = problem(name)
        x = one.start + 0.3 * (one.end - one.start)
        v = rng.normal(size=one.dim)
        eps = 1e-5
        steps = eps * np.eye(one.dim)
        form = np.einsum("kij,i,j->k", one.metric_matrix(x + steps), v, v)
        form -= np.einsum("kij,i,j->k", one.metric_matrix(x - steps), v, v)
        q = one.quadratic_gradient(v, x)
        along = (one.metric_matrix(x + eps * v) - one.metric_matrix(x - eps * v)) / (2 * eps)
        a = np.linalg.solve(one.metric_matrix(x), q / 2 - along @ v)
        gaps = (
            abs(form / (2 * eps) - q).max() / abs(q).max(),
            abs(a - one.acceleration(x, v)).max() / abs(a).max(),
            abs(a - one.acceleration_by_metric(x[None], v[None])[0]).max() / abs(a).max(),
        )
        words = " ".join(f"{gap:.0e}" for gap in gaps)
        print(f"{name:14} dim {one.dim:3d}  distance {one.distance:.12f}  gaps {words}")


if __name__ == "__main__":
    check()
