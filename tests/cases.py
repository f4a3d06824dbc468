"""Every member of each family, in one list each: what drives the parametrised tests."""

from collections.abc import Callable
from dataclasses import dataclass

import autograd.numpy as anp
import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.optimize import brentq

import geomnet as gn


def _named(**members):
    return [pytest.param(member, id=name) for name, member in members.items()]


LIKELIHOODS = _named(
    categorical=gn.Categorical(4),
    bernoulli=gn.Bernoulli(3),
    gaussian=gn.Gaussian(0.7, 3),
    heteroscedastic=gn.likelihoods.HeteroscedasticGaussian(2),
)

RADIAL_KERNELS = _named(
    gaussian=gn.GaussianKernel(0.8),
    matern32=gn.Matern32Kernel(1.3),
    matern52=gn.geometry.Matern52Kernel(0.6),
)

# for points of the plane; more features than any test has points
KERNELS = RADIAL_KERNELS + _named(
    features=gn.geometry.FeatureKernel(
        gn.networks.RandomFeatureField(dim=2, width=60, scale=0.8, seed=3)
    )
)

# of one dimension, which is not the number of hidden units or features
FIELDS = _named(
    tanh=gn.TanhField(dim=3, width=5),
    relu=gn.networks.ReLUField(dim=3, width=5),
    linear=gn.networks.LinearField(dim=3),
    random_features=gn.networks.RandomFeatureField(dim=3, width=7, scale=0.9, seed=1),
    function=gn.networks.FunctionField(
        lambda x, theta: theta[0] * anp.sin(x[:, ::-1]) + theta[1] * x,
        dim=3,
        parameters=2,
        lipschitz_bound=lambda theta: abs(theta[0]) + abs(theta[1]),
    ),
)

INTEGRATORS = _named(
    euler=gn.networks.Euler(), midpoint=gn.networks.Midpoint(), rk4=gn.networks.RK4()
)

# -- metrics ----------------------------------------------------------------------------------

# five points of the plane with unequal weights, and a map of them not far from the identity
SPACE = gn.FunctionSpace(
    gn.Sample(
        [[-1.1, 0.3], [0.2, 1.2], [0.9, -0.4], [-0.3, -1.0], [0.1, 0.2]],
        weights=[0.1, 0.15, 0.2, 0.25, 0.3],
    )
)
END = SPACE.identity + 0.35 * np.sin(1.3 * SPACE.identity[:, ::-1] + np.array([0.4, -0.9]))


class Crowd(gn.Metric):
    """A user's metric, from its inner product alone: heavier far out, and for moving as one."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        squares = anp.sum(base_point**2, axis=-1)
        products = anp.sum(tangent_vec_a * tangent_vec_b, axis=-1)
        sums = anp.sum(tangent_vec_a, axis=-2) * anp.sum(tangent_vec_b, axis=-2)
        apart = anp.sum((1 + squares) * products, axis=-1)
        return apart + 0.3 * (1 + anp.mean(squares, axis=-1)) * anp.sum(sums, axis=-1)


def _fisher_rao(likelihood, weight, **options):
    return gn.FisherRaoMetric(SPACE, likelihood, gn.Readout(weight, options.pop("bias")), **options)


_ENERGY = gn.EnergyMetric(SPACE, gn.Matern32Kernel(1.3))
_CATEGORICAL = _fisher_rao(
    gn.Categorical(3), [[1.5, -0.4], [-0.7, 1.1], [0.3, 0.8]], bias=[0.2, -0.1, 0.5], ridge=0.02
)
_BERNOULLI = _fisher_rao(gn.Bernoulli(2), [[2.0, 0.3], [-0.5, 1.2]], bias=[0.1, -0.3], ridge=0.05)

L2_METRICS = _named(l2=gn.L2Metric(SPACE))

ENERGY_METRICS = _named(
    energy_gaussian=gn.EnergyMetric(SPACE, gn.GaussianKernel(0.8)),
    energy_matern32=_ENERGY,
    energy_matern52=gn.EnergyMetric(SPACE, gn.geometry.Matern52Kernel(0.9)),
    energy_features=gn.EnergyMetric(
        SPACE,
        gn.geometry.FeatureKernel(
            gn.networks.RandomFeatureField(dim=2, width=60, scale=0.8, seed=3)
        ),
    ),
    energy_nugget=gn.EnergyMetric(SPACE, gn.GaussianKernel(1.5), nugget=0.1),
    energy_few_features_nugget=gn.EnergyMetric(
        SPACE,
        gn.geometry.FeatureKernel(gn.networks.RandomFeatureField(dim=2, width=3, seed=0)),
        nugget=0.2,
    ),
)

FISHER_RAO_METRICS = _named(
    fisher_rao_categorical=_CATEGORICAL,
    fisher_rao_bernoulli=_BERNOULLI,
    fisher_rao_gaussian=_fisher_rao(
        gn.Gaussian(0.7, 2), [[1.0, 0.2], [-0.4, 0.9]], bias=[0.0, 1.0], ridge=0.1
    ),
    fisher_rao_heteroscedastic=_fisher_rao(
        gn.likelihoods.HeteroscedasticGaussian(1),
        [[1.2, 0.1], [0.3, 0.6]],
        bias=[0.2, 0.1],
        ridge=0.02,
    ),
    # three classes that one direction of the plane decides
    fisher_rao_rank_one=_fisher_rao(
        gn.Categorical(3), [[1.0, 0.5], [-1.0, -0.5], [0.4, 0.2]], bias=[0.0, 0.3, 0.0], ridge=0.05
    ),
)

OTHER_METRICS = _named(
    user=Crowd(SPACE),
    scaled=3.0 * gn.L2Metric(SPACE),
    scaled_fisher_rao=0.5 * _CATEGORICAL,
    sum=2.0 * _CATEGORICAL + _ENERGY,
    sum_of_three=2.0 * gn.L2Metric(SPACE) + _ENERGY + 0.5 * _BERNOULLI,
)

METRICS = L2_METRICS + ENERGY_METRICS + FISHER_RAO_METRICS + OTHER_METRICS

# -- solvers ----------------------------------------------------------------------------------


def _pairs(method, metrics):
    name = type(method).__name__
    return [pytest.param(method, m.values[0], id=f"{name}-{m.id}") for m in metrics]


# every solver with each metric it can do
SOLVERS = (
    _pairs(gn.geodesics.StraightLine(), [m for m in METRICS if m.values[0].structure == "flat"])
    + _pairs(gn.geodesics.PointwiseNewton(), FISHER_RAO_METRICS)
    + _pairs(gn.geodesics.PathNewtonCG(), METRICS)
)

# -- geodesics in closed form -----------------------------------------------------------------


class Sphere(gn.Metric):
    """Unit spheres, by stereographic projection from the north pole: 4|dx|²/(1 + |x|²)²."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        scale = 2 / (1 + anp.sum(base_point**2, axis=-1, keepdims=True))
        return anp.sum(scale**2 * tangent_vec_a * tangent_vec_b, axis=(-2, -1))


class HalfPlane(gn.Metric):
    """Hyperbolic half-planes, a|dx|²/y² + b dy²/y²: curvature −1/b."""

    def __init__(self, space, across=1.0, up=1.0):
        super().__init__(space)
        self.factors = np.array([across, up])

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        height = base_point[..., 1:]
        return anp.sum(self.factors * tangent_vec_a * tangent_vec_b / height**2, axis=(-2, -1))


ONE_POINT = gn.FunctionSpace([[0.0, 1.0]])
LINE = gn.FunctionSpace([[-1.0], [1.0]])
LANDMARKS = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))

SPHERE_ENDS = ([[-0.9, 0.15]], [[0.8, 0.7]])
HALF_PLANE_ENDS = ([[-1.0, 0.3]], [[1.5, 0.6]])
GAUSSIAN_ENDS = ([[-1.0, 0.4]], [[1.0, 0.6]])


def _sphere_distance(a, b):
    lifts = []
    for x in (np.array(a[0]), np.array(b[0])):
        square = np.sum(x**2)
        lifts.append(np.append(2 * x, square - 1) / (square + 1))
    return np.arccos(lifts[0] @ lifts[1])


def _gaussian_distance(a, b, across, up):
    (m, s), (n, t) = a[0], b[0]
    return np.sqrt(up) * np.arccosh(1 + ((m - n) ** 2 * across / up + (s - t) ** 2) / (2 * s * t))


# metric, ends and distance; the two landmarks' by reference.md
CLOSED = {
    "l2": (gn.L2Metric(LINE), [[-1.0], [1.0]], [[2.0], [5.0]], np.sqrt((9 + 16) / 2)),
    "landmarks_near": (LANDMARKS, [[-1.0], [1.0]], [[-0.25], [0.25]], 1.627540596797),
    "landmarks_close": (LANDMARKS, [[-1.0], [1.0]], [[-0.05], [0.05]], 3.252018283753),
    "sphere": (Sphere(ONE_POINT), *SPHERE_ENDS, _sphere_distance(*SPHERE_ENDS)),
    "half_plane": (
        HalfPlane(ONE_POINT),
        *HALF_PLANE_ENDS,
        _gaussian_distance(*HALF_PLANE_ENDS, 1, 1),
    ),
    "gaussian": (
        HalfPlane(ONE_POINT, across=1.0, up=2.0),
        *GAUSSIAN_ENDS,
        _gaussian_distance(*GAUSSIAN_ENDS, 1, 2),
    ),
}

# -- charts in closed form --------------------------------------------------------------------


@dataclass(frozen=True)
class Chart:
    """A metric matrix whose distances are known: formulas by hand, in autograd.numpy."""

    dim: int
    matrix: Callable
    gradient: Callable  # q(v, x) = ∂_x(vᵀG(x)v)
    start: np.ndarray
    end: np.ndarray
    between: Callable  # distance of any two points
    draw: Callable  # a point, from a generator
    domain: Callable | None = None

    @property
    def distance(self):
        return self.between(self.start, self.end)

    def metric(self, derivatives="given", **options):
        """The chart metric, its derivatives by hand, by autograd, or hidden from autograd."""
        matrix, gradient = self.matrix, self.gradient if derivatives == "given" else None
        if derivatives == "finite differences":

            def matrix(x):
                return np.asarray(self.matrix(np.asarray(x, dtype=float)))

        return gn.ChartMetric(matrix, self.dim, gradient, domain=self.domain, **options)

    def pairs(self, count, seed=0):
        """Ends of `count` pairs, (count, d) each."""
        rng = np.random.default_rng(seed)
        return tuple(np.stack([self.draw(rng) for _ in range(count)]) for _ in range(2))


def _square(x):
    return anp.sum(x**2, axis=-1, keepdims=True)


def lift(x):
    """Point of the sphere over one of its stereographic chart."""
    square = x @ x
    return np.append(2 * x, square - 1) / (square + 1)


def sphere_chart(d):
    """Unit sphere, stereographic: 4|dx|²/(1 + |x|²)²."""
    start, end = np.zeros(d), np.zeros(d)
    start[0], start[-1] = -0.9, 0.15
    end[0], end[1] = 0.8, 0.7

    def between(a, b):
        a, b = lift(a), lift(b)
        return 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))

    def draw(rng):  # the lower hemisphere is convex
        x = rng.normal(size=d)
        return x / np.linalg.norm(x) * rng.uniform(0.1, 0.95)

    return Chart(
        d,
        lambda x: (4 / (1 + _square(x)) ** 2)[..., None] * anp.eye(d),
        lambda v, x: -16 * x * _square(v) / (1 + _square(x)) ** 3,
        start,
        end,
        between,
        draw,
    )


def half_plane_chart():
    """Hyperbolic plane of curvature −1: |dx|²/y²."""

    def between(a, b):
        return np.arccosh(1 + (a - b) @ (a - b) / (2 * a[1] * b[1]))

    return Chart(
        2,
        lambda x: (1 / x[..., 1:] ** 2)[..., None] * anp.eye(2),
        lambda v, x: -2 * _square(v) / x[..., 1:] ** 3 * anp.array([0.0, 1.0]),
        np.array([-1.0, 0.3]),
        np.array([1.5, 0.6]),
        between,
        lambda rng: np.array([rng.normal(), np.exp(0.6 * rng.normal())]),
        lambda x: x[..., 1] > 0,
    )


def gauss_chart(k):
    """Products of k normal distributions, (μ, σ) each: (dμ² + 2dσ²)/σ²."""

    def twice(x):
        return anp.reshape(anp.stack([x, x], axis=-1), (*anp.shape(x)[:-1], 2 * k))

    def matrix(x):
        return (twice(1 / x[..., 1::2] ** 2) * anp.array([1.0, 2.0] * k))[..., None] * anp.eye(
            2 * k
        )

    def gradient(v, x):
        pull = -2 * (v[..., ::2] ** 2 + 2 * v[..., 1::2] ** 2) / x[..., 1::2] ** 3
        return twice(pull) * anp.array([0.0, 1.0] * k)

    def between(a, b):
        pairs = zip(a.reshape(k, 2), b.reshape(k, 2))
        return np.sqrt(sum(_gaussian_distance(p[None], q[None], 1, 2) ** 2 for p, q in pairs))

    def draw(rng):
        return np.stack([0.7 * rng.normal(size=k), np.exp(0.4 * rng.normal(size=k))], 1).reshape(-1)

    start, end = np.array([-1.0, 0.4] * k), np.array([1.0, 0.6] * k)
    return Chart(
        2 * k, matrix, gradient, start, end, between, draw, lambda x: (x[..., 1::2] > 0).all(-1)
    )


def spd_chart(n):
    """Positive definite matrices by their lower triangle: tr(A⁻¹VA⁻¹V)."""
    rows, cols = np.tril_indices(n)
    d = len(rows)
    units = np.zeros((d, n, n))
    units[np.arange(d), rows, cols] = units[np.arange(d), cols, rows] = 1.0

    def full(x):
        return anp.tensordot(x, units, axes=1)

    def matrix(x):
        left = anp.matmul(anp.linalg.inv(full(x))[..., None, :, :], units)
        right = anp.swapaxes(left, -1, -2)
        flat = (*anp.shape(x)[:-1], d, n * n)
        return anp.matmul(anp.reshape(left, flat), anp.swapaxes(anp.reshape(right, flat), -1, -2))

    def gradient(v, x):
        inverse = np.linalg.inv(full(x))
        product = inverse @ full(v) @ inverse @ full(v) @ inverse
        return -2 * np.tensordot(product, units, axes=([-2, -1], [1, 2]))

    def between(a, b):
        values = eigh(full(b), full(a), eigvals_only=True)
        return np.sqrt(np.sum(np.log(values) ** 2))

    def draw(rng):
        turn = np.linalg.qr(rng.normal(size=(n, n)))[0]
        return ((turn * np.exp(rng.uniform(-1, 1, size=n))) @ turn.T)[rows, cols]

    rng = np.random.default_rng(n)
    return Chart(d, matrix, gradient, draw(rng), draw(rng), between, draw)


def paraboloid_chart(d):
    """Graph of |x|²: I + 4xxᵀ; every d-dimensional problem lies in a plane through the axis."""
    turn = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]
    plane = np.eye(2) if d == 2 else turn[:2]

    def draw(rng):
        x = rng.normal(size=d)
        return x / np.linalg.norm(x) * rng.uniform(0.1, 1.0)

    return Chart(
        d,
        lambda x: anp.eye(d) + 4 * x[..., :, None] * x[..., None, :],
        lambda v, x: 8 * anp.sum(x * v, axis=-1, keepdims=True) * v,
        np.array([-1.0, 0.5]) @ plane,
        np.array([1.0, 0.7]) @ plane,
        paraboloid_distance,
        draw,
    )


def paraboloid_distance(a, b):
    """Distance on the graph of |x|² by Clairaut's relation r²dφ/ds = c.

    With r² = c² + w², ds = √(1+4r²) dw and dφ = c ds/r²: along the geodesic w rises, from s at
    the nearer end to the axis; negative if the geodesic passes its least radius c on the way.
    """
    low, high = sorted([np.linalg.norm(a), np.linalg.norm(b)])
    left, right = a / np.linalg.norm(a), b / np.linalg.norm(b)
    angle = 2 * np.arctan2(np.linalg.norm(left - right), np.linalg.norm(left + right))
    node, weight = np.polynomial.legendre.leggauss(300)

    def integrals(s):
        c = np.sqrt((low - s) * (low + s))
        first, last = np.arcsinh(s / c), np.arcsinh(np.hypot(s, np.sqrt(high**2 - low**2)) / c)
        square = (c * np.cosh(0.5 * (first + last) + 0.5 * (last - first) * node)) ** 2
        ds = 0.5 * (last - first) * weight * np.sqrt((1 + 4 * square) * square)  # w = c sinh t
        return np.array([np.sum(c * ds / square), np.sum(ds)])

    inside = (1 - 1e-14) * low
    s = brentq(lambda s: integrals(s)[0] - angle, -inside, inside, xtol=1e-15 * low, rtol=1e-14)
    return integrals(s)[1]


# the nine of reference.md, each with its ends, and the means to draw others
CHARTS = {
    "sphere2": sphere_chart(2),
    "sphere20": sphere_chart(20),
    "half_plane": half_plane_chart(),
    "gauss1": gauss_chart(1),
    "gauss10": gauss_chart(10),
    "spd3": spd_chart(3),
    "spd5": spd_chart(5),
    "paraboloid2": paraboloid_chart(2),
    "paraboloid20": paraboloid_chart(20),
}
SMALL_CHARTS = {name: chart for name, chart in CHARTS.items() if chart.dim <= 6}
DERIVATIVES = ("given", "autograd", "finite differences")


def tangled_chart():
    """No symmetry at all: 1.5 I + BBᵀ with B_ij = sin(w_ij·x + b_ij); distances are not known."""
    rng = np.random.default_rng(7)
    w, b = 0.8 * rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 3))

    def angles(x):
        return anp.tensordot(x, w, axes=([-1], [2])) + b

    def matrix(x):
        root = anp.sin(angles(x))
        return 1.5 * anp.eye(3) + anp.matmul(root, anp.swapaxes(root, -1, -2))

    def gradient(v, x):
        image = np.einsum("...ij,...i->...j", np.sin(angles(x)), v)
        return 2 * np.einsum("...j,...i,...ij,ijk->...k", image, v, np.cos(angles(x)), w)

    start, end = np.array([-0.8, 0.3, 0.5]), np.array([0.9, -0.2, 1.1])
    return Chart(3, matrix, gradient, start, end, None, lambda rng: rng.normal(size=3))


ALL_CHARTS = {**CHARTS, "tangled": tangled_chart()}
