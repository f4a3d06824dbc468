"""What the tests of likelihoods share."""

import numpy as np
import pytest
from cases import LIKELIHOODS

import geomnet as gn

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


LOUD = {"over": "raise", "divide": "raise", "invalid": "raise"}


def parameters(likelihood, *shape, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=(*shape, likelihood.n_parameters))


def extremes(likelihood, size):
    """Pairs of ends as far as float64 has it: saturated classes and coins, far means."""
    c = likelihood.n_parameters
    if isinstance(likelihood, gn.likelihoods.HeteroscedasticGaussian):
        spread = np.where(np.arange(c) < likelihood.dim, size, min(size, 50))
    else:
        spread = np.full(c, size)
    signs = [np.sign(np.sin((i + 1.0) * (np.arange(c) + 1))) for i in range(4)]
    ends = [s * spread for s in signs] + [np.eye(c)[0] * spread, np.zeros(c), -spread]
    return np.array([[a, b] for a in ends for b in ends]).swapaxes(0, 1)
