"""What the tests of metrics share."""

import numpy as np
from cases import (
    SPACE,
)


def places(*batch, seed=0):
    rng = np.random.default_rng(seed)
    return SPACE.identity + 0.1 * rng.normal(size=(*batch, *SPACE.shape))


def vectors(*batch, seed=1):
    return np.random.default_rng(seed).normal(size=(*batch, *SPACE.shape))
