"""Every member of each family, in one list each: what drives the parametrised tests."""

import autograd.numpy as anp
import numpy as np
import pytest

import geomnet as gn


def _named(**members):
    return [pytest.param(member, id=name) for name, member in members.items()]


LIKELIHOODS = _named(
    categorical=gn.Categorical(4),
    bernoulli=gn.Bernoulli(3),
    gaussian=gn.Gaussian(0.7, 3),
    heteroscedastic=gn.HeteroscedasticGaussian(2),
)

RADIAL_KERNELS = _named(
    gaussian=gn.GaussianKernel(0.8),
    matern32=gn.Matern32Kernel(1.3),
    matern52=gn.Matern52Kernel(0.6),
)

# for points of the plane; more features than any test has points
KERNELS = RADIAL_KERNELS + _named(
    features=gn.FeatureKernel(gn.RandomFeatureField(dim=2, width=60, scale=0.8, seed=3))
)

# of one dimension, which is not the number of hidden units or features
FIELDS = _named(
    tanh=gn.TanhField(dim=3, width=5),
    relu=gn.ReLUField(dim=3, width=5),
    linear=gn.LinearField(dim=3),
    random_features=gn.RandomFeatureField(dim=3, width=7, scale=0.9, seed=1),
    function=gn.FunctionField(
        lambda x, theta: theta[0] * anp.sin(x[:, ::-1]) + theta[1] * x,
        dim=3,
        parameters=2,
        lipschitz_bound=lambda theta: abs(theta[0]) + abs(theta[1]),
    ),
)

INTEGRATORS = _named(euler=gn.Euler(), midpoint=gn.Midpoint(), rk4=gn.RK4())

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
    energy_matern52=gn.EnergyMetric(SPACE, gn.Matern52Kernel(0.9)),
    energy_features=gn.EnergyMetric(
        SPACE, gn.FeatureKernel(gn.RandomFeatureField(dim=2, width=60, scale=0.8, seed=3))
    ),
    energy_nugget=gn.EnergyMetric(SPACE, gn.GaussianKernel(1.5), nugget=0.1),
    energy_few_features_nugget=gn.EnergyMetric(
        SPACE, gn.FeatureKernel(gn.RandomFeatureField(dim=2, width=3, seed=0)), nugget=0.2
    ),
)

FISHER_RAO_METRICS = _named(
    fisher_rao_categorical=_CATEGORICAL,
    fisher_rao_bernoulli=_BERNOULLI,
    fisher_rao_gaussian=_fisher_rao(
        gn.Gaussian(0.7, 2), [[1.0, 0.2], [-0.4, 0.9]], bias=[0.0, 1.0], ridge=0.1
    ),
    fisher_rao_heteroscedastic=_fisher_rao(
        gn.HeteroscedasticGaussian(1), [[1.2, 0.1], [0.3, 0.6]], bias=[0.2, 0.1], ridge=0.02
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
    _pairs(gn.StraightLine(), [m for m in METRICS if m.values[0].structure == "flat"])
    + _pairs(gn.PointwiseNewton(), FISHER_RAO_METRICS)
    + _pairs(gn.PathNewtonCG(), METRICS)
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
