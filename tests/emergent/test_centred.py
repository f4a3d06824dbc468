"""The last affine map enters centred over the classes of a softmax, as the definition says."""

import numpy as np
import pytest
from scipy.special import softmax

import geomnet as gn


def test_flows_of_outputs_are_those_of_the_centred_map():
    network, theta = gn.FeedForward.from_arrays([[[2.0], [1.0]]])
    geometry = gn.EmergentGeometry.from_network(network, theta, [[1.0]], gn.Categorical(2))
    p = softmax([2.0, 1.0])
    root = np.sqrt(p)[:, None] * (np.eye(2) - p)  # rootᵀ root is the Fisher matrix
    centred = np.array([0.5, -0.5])
    expected = [np.linalg.norm(root[:, k] * centred[k]) for k in range(2)]
    np.testing.assert_allclose(geometry.flow[1:], expected, rtol=1e-12)
    np.testing.assert_allclose(geometry.flow[1:], [0.2217, 0.2217], atol=5e-5)


@pytest.mark.parametrize("shift", [0.0, 3.0, -50.0])
def test_a_common_shift_of_the_weights_is_not_felt(shift):
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(4, 3)), rng.normal(size=(3, 4))
    points = rng.normal(size=(7, 3))
    found = [
        gn.EmergentGeometry.from_network(
            *gn.FeedForward.from_arrays([first, last + k]), points, gn.Categorical(3)
        )
        for k in (0.0, shift)
    ]
    np.testing.assert_allclose(found[1].gate_fisher, found[0].gate_fisher, rtol=1e-9, atol=1e-12)
