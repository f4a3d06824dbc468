"""Gauge moves that a network does not have, and arguments that are none."""

import re

import numpy as np
import pytest
from gauge_cases import CASES, READOUT

import geomnet as gn
from geomnet import symmetries as gauge

TANH, RELU = CASES["tanh"].given, CASES["relu"].given
NETWORK = (*CASES["tanh field, euler"].given,)
ORDER = [0, 1, 2, 4, 3]


def says(message, call, *args, **options):
    with pytest.raises(gn.InputError, match="^" + re.escape(message)):
        call(*args, **options)


def test_ends_do_not_move():
    for move, argument in ((gauge.permute, ORDER), (gauge.rescale, 2.0), (gauge.flip, 0)):
        given = RELU if move is gauge.rescale else TANH
        able = f"layers that {move.__name__} moves: 1, 2, 3"
        says(
            f"layer: 0 is the input, whose coordinates are the data's; {able}",
            move, *given, 0, argument,
        )  # fmt: skip
        says(
            f"layer: 4 is the output, which the likelihood reads in its order and size; {able}",
            move, *given, 4, argument,
        )  # fmt: skip
    says("layer: 4 is the output", gauge.split, *TANH, 4, 0, 0.5)
    says("layer: there is no layer 5; the network's layers of nodes are 0 (input) to 4 (output)",
         gauge.permute, *TANH, 5, ORDER)  # fmt: skip
    says("layer: expected an integer, at least 0; got -1", gauge.permute, *TANH, -1, ORDER)
    says("layer: expected an integer, at least 0; got 'one'", gauge.flip, *TANH, "one", 0)


def test_streams_that_are_held_do_not_move():
    tied = CASES["tied to the input"].given
    says(
        "layer: 2 is tied by skips to the input, whose coordinates are the data's, and stays; "
        "layers that permute moves: 1, 3",
        gauge.permute, *tied, 2, [0, 1, 2, 3],
    )  # fmt: skip
    tied = CASES["tied to the output"].given
    says("layer: 1 is tied by skips to the output, which the likelihood reads, and stays",
         gauge.rescale, *tied, 1, 2.0)  # fmt: skip
    says("layer: 2 is tied by skips to the input", gauge.flip, *NETWORK, 2, 0, READOUT)
    says("layer: 4 is tied by skips to the input", gauge.flip, *NETWORK, 4, 0)
    own = CASES["own field"].given
    for layer in (1, 2):
        says(f"layer: {layer} is tied by skips to the input, whose coordinates are the data's",
             gauge.permute, *own, layer, [1, 0, 2, 3], READOUT)  # fmt: skip
    says("layer: 3 is the output", gauge.permute, *own, 3, [1, 0, 2], READOUT)
    case = CASES["features"]
    says("layer: 1 is computed by fixed features, which are no part of theta; permute moves none",
         gauge.permute, *case.given, 1, range(6), READOUT)  # fmt: skip


def test_activations_let_only_some_moves_through():
    says("layer: 1 has relu units, but only tanh and identity are odd; flip moves none",
         gauge.flip, *RELU, 1, 0)  # fmt: skip
    says("layer: 2 has tanh units, but only relu and identity are homogeneous",
         gauge.rescale, *TANH, 2, 2.0)  # fmt: skip
    says("layer: 2 has silu units", gauge.flip, *CASES["smooth"].given, 2, 0)
    mixed = CASES["tied to a layer of another kind"].given
    says("layer: 1 is one stream with 3, and that has relu units, but only tanh and identity",
         gauge.flip, *mixed, 1, 0)  # fmt: skip
    says("layer: 3 is one stream with 1, and that has tanh units, but only relu and identity",
         gauge.rescale, *mixed, 3, 2.0)  # fmt: skip


def test_splits():
    says("layer: 2 is tied by skips to 1, 3, and a copy of one unit has no skip; split moves none",
         gauge.split, *CASES["relu, one stream"].given, 2, 0, 0.5)  # fmt: skip
    says("layer: 1 is tied by skips to 2, and a copy of one unit has no skip; layers that split "
         "moves: 3", gauge.split, *CASES["tanh, tied"].given, 1, 0, 0.5)  # fmt: skip
    says("unit: layer 1 has units 0 to 4, got 5", gauge.split, *TANH, 1, 5, 0.5)
    says("unit: expected an integer", gauge.split, *TANH, 1, 0.5, 0.5)
    for share in (0, 1, -0.1, 1.5):
        says("share: expected a number between 0 and 1", gauge.split, *TANH, 1, 0, share)
    says("share: ", gauge.split, *TANH, 1, 0, np.nan)

    class Own(gn.TanhField):
        pass

    own = gn.Network(Own(3, 4), 2)
    assert gauge.moves(own)["split"] == ()
    says("layer: 1 belongs to Own, which cannot be made wider", gauge.split, own, own.init(), 1, 0,
         0.5)  # fmt: skip
    gauge.permute(own, own.init(), 1, [1, 0, 2, 3])


@pytest.mark.parametrize(
    "order", [[0, 1, 2, 3], [0, 1, 2, 3, 3], [1, 2, 3, 4, 5], [0.0, 1, 2, 3, 4], 3, [[0, 1]], "ab"]
)
def test_orders_that_are_no_permutations(order):
    says("order: expected each of 0 to 4 once, as layer 1 has 5 units", gauge.permute, *TANH, 1,
         order)  # fmt: skip


@pytest.mark.parametrize("units", [5, -1, [0, 0], [0.5], [True, False, True, True, True], "a"])
def test_units_that_are_none(units):
    says("units: expected some of 0 to 4, none twice, as layer 1 has 5 units", gauge.flip, *TANH,
         1, units)  # fmt: skip


def test_no_unit_is_a_flip_too():
    assert np.array_equal(gauge.flip(*TANH, 1, []).theta, TANH[1])


def test_factors():
    for factors in (0.0, -2.0, [1, 1, -1, 1, 1]):
        says("factors: must be above zero", gauge.rescale, *RELU, 1, factors)
    says("factors: expected one number, or one for each of the 5 units of layer 1; got shape (4,)",
         gauge.rescale, *RELU, 1, [1, 2, 3, 4])  # fmt: skip
    says("factors: 1 of its 1 entries are NaN", gauge.rescale, *RELU, 1, np.inf)


def test_shifts():
    says("network: its last layer is tanh, not linear; its outputs are no logits",
         gauge.shift, *CASES["outputs of tanh"].given, np.ones(5))  # fmt: skip
    says("network: has one output, and shifting it changes what it predicts",
         gauge.shift, *CASES["one output"].given, np.ones(5))  # fmt: skip
    says("readout: a gn.Network has no logits but its readout's; give it",
         gauge.shift, *NETWORK, np.ones(4))  # fmt: skip
    says("bias: the last layer has none, so it cannot be shifted; got 0.1",
         gauge.shift, *CASES["no biases"].given, np.ones(5), 0.1)  # fmt: skip
    says("weights: expected shape (5,), got (4,)", gauge.shift, *TANH, np.ones(4))


def test_what_is_no_network():
    for call in (
        lambda network, theta: gauge.permute(network, theta, 1, [0]),
        lambda network, theta: gauge.moves(network),
        lambda network, theta: gauge.check(lambda n, t: 1.0, network, theta),
    ):
        says("network: the nodes of a function are not known", call, lambda theta, x: x, np.ones(3))
        says("network: expected a gn.FeedForward", call, "network", np.ones(3))
    says("theta: expected shape", gauge.permute, TANH[0], np.ones(3), 1, ORDER)
    says("readout: expected a gn.Readout", gauge.permute, *TANH, 1, ORDER, np.ones((3, 3)))
    says("readout: takes states of 4 units", gauge.permute, *TANH, 1, ORDER, READOUT)
