"""Every member of each family, in one list each: what drives the parametrised tests."""

import autograd.numpy as anp
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
