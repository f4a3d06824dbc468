"""Predictions that are certain to all digits are said to be."""

import warnings

import numpy as np
import pytest

import geomnet as gn

POINTS = np.random.default_rng(0).normal(size=(30, 4))


@pytest.mark.parametrize("likelihood", [gn.Categorical(3), gn.Bernoulli(3)])
def test_unscaled_data_are_told(likelihood):
    network = gn.FeedForward((4, 6, 3), "relu")
    theta = network.init(seed=0)
    with pytest.warns(UserWarning, match=r"^sample: the network is certain of \d+ of 30 .*scaled"):
        gn.FisherInformation(network, theta, 1e6 * POINTS, likelihood)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gn.FisherInformation(network, theta, POINTS, likelihood)


def test_certain_is_what_rounding_says():
    z = np.array([[0.0, 36.0, 0.0], [0.0, 37.0, -5.0], [0.0, 0.0, 0.0], [900.0, 0.0, 0.0]])
    np.testing.assert_array_equal(gn.Categorical(3).certain(z), [False, True, False, True])
    z = np.array([[36.0], [-37.0], [0.0], [800.0]])
    np.testing.assert_array_equal(gn.Bernoulli().certain(z), [False, True, False, True])
    assert not gn.Gaussian(1.0, 3).certain(np.full((2, 3), 1e9)).any()
