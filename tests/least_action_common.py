"""What the tests of least action share."""

import functools

import numpy as np

import geomnet as gn

NETWORK = gn.Network(gn.TanhField(dim=2, width=3), depth=3)


LIKELIHOOD = gn.Categorical(3)


@functools.cache
def sample_of(n=12, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 1.5, size=n)
    points = rng.normal(size=(n, 2))
    labels = (points[:, 0] * points[:, 1] > 0).astype(int) + (points[:, 0] > 1)
    return gn.Sample(points, weights / weights.sum(), labels=labels)
