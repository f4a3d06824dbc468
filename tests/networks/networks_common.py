"""What the tests of networks share."""

import numpy as np
import pytest
from cases import FIELDS

each_field = pytest.mark.parametrize("field", FIELDS)


def cloud(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)
