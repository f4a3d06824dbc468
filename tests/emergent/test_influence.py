"""Derivatives of the emergent geometry in the weights of the data."""

import autograd.numpy as anp
import numpy as np
import pytest
from emergent_cases import (
    FIELDS,
    NETWORKS,
    POINTS,
    SAMPLE,
    WEIGHTS,
    dense,
    feed_forward,
    geometry_of,
)
from fisher_cases import close

import geomnet as gn
from geomnet.errors import InputError

CASES = {name: NETWORKS[name] for name in ("tanh, residual", "long skip", "midpoint")} | FIELDS
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
CHANGE = np.random.default_rng(8).normal(size=9)
CHANGE -= CHANGE.mean()
NAMES = (
    "gate_fisher", "flow", "conductance", "edge_fisher", "normalised", "activation", "sensitivity",
)  # fmt: skip


def reweighed(case, change, step):
    return geometry_of(case, gn.Sample(POINTS, WEIGHTS + step * change))


def difference(case, change, quantity, step=1e-4):
    """Central differences, of fourth order."""
    far, near = (
        (quantity(reweighed(case, change, s)) - quantity(reweighed(case, change, -s))) / (2 * s)
        for s in (2 * step, step)
    )
    return (4 * near - far) / 3


@each_case
def test_derivative_is_the_limit_of_differences(case):
    found = geometry_of(case).derivative(CHANGE)
    for name in (*NAMES, "time"):
        expected = difference(case, CHANGE, lambda g, name=name: dense(getattr(g, name)))
        close(dense(getattr(found, name)), expected, 1e-9)


def test_of_linear_arrays_the_derivative_is_the_difference():
    case, other = NETWORKS["tanh"], np.random.default_rng(9).dirichlet(np.ones(9))
    one, two = geometry_of(case), geometry_of(case, gn.Sample(POINTS, other))
    found = one.derivative(other - WEIGHTS)
    for name in ("gate_fisher", "flow", "conductance", "edge_fisher", "sensitivity"):
        close(dense(getattr(found, name)), dense(getattr(two, name)) - dense(getattr(one, name)))


@each_case
@pytest.mark.parametrize("name", ["capacity", "robustness", "efficiency", "time"])
def test_influence_is_the_derivative_towards_each_datum(case, name):
    geometry = geometry_of(case)
    found = np.atleast_2d(geometry.influence(name))
    for datum in range(9):
        towards = np.eye(9)[datum] - WEIGHTS
        expected = difference(case, towards, lambda g: np.atleast_1d(getattr(g, name)))
        close(found[:, datum], expected, 1e-8, scale=np.abs(found).max())
    np.testing.assert_allclose(found @ WEIGHTS, 0, atol=1e-12 * np.abs(found).max())


ORACLES = {
    "capacity": lambda g: anp.linalg.slogdet(anp.eye(len(g.flow)) + 9 * g.normalised)[1] / 2,
    "robustness": lambda g: anp.linalg.eigh(g.normalised)[0][-1] ** -0.5,
    "time": lambda g: g.time,
}


@each_case
@pytest.mark.parametrize("name", ORACLES)
def test_by_hand_as_by_autograd(case, name):
    geometry = geometry_of(case)
    close(geometry.influence(ORACLES[name]), geometry.influence(name), 1e-10)


@each_case
def test_functions_of_one_s_own(case):
    geometry = geometry_of(case)
    quantities = {
        "edges": lambda g: anp.stack([g.conductance[:5], anp.sqrt(g.edge_fisher[:5])]),
        "length": lambda g: -anp.log(anp.abs(g.cosine[0, 5]) + anp.abs(g.activation[4, 6])),
    }
    for quantity in quantities.values():
        found = geometry.influence(quantity)

        def taken(one, quantity=quantity):
            class Arrays:
                conductance, edge_fisher = one.conductance.data, one.edge_fisher.data
                cosine, activation = one.cosine, one.activation

            return quantity(Arrays)

        expected = difference(case, np.eye(9)[3] - WEIGHTS, taken)
        close(found[..., 3], expected, 1e-8, scale=np.abs(found).max())


def test_chunks_and_dead_nodes_do_not_matter():
    network, theta, _ = feed_forward("relu", True)
    matrices, biases = network.unpack(theta.copy())
    biases[1][2] = -50.0  # never on
    case = (*gn.FeedForward.from_arrays(matrices, biases, "relu"), None)
    points = np.random.default_rng(5).normal(size=(1500, 4))
    whole, chunked = (
        geometry_of(case, gn.Sample(points), memory_limit=limit) for limit in (2**31, 2**20)
    )
    assert whole.dead == ((2, 2),)
    for name in ("capacity", "time"):
        close(chunked.influence(name), whole.influence(name), 1e-12)
    change = np.cos(np.arange(1500.0))
    close(chunked.derivative(change).flow, whole.derivative(change).flow)


def test_functions_see_the_geometry_s_own_arrays():
    network, theta, _ = feed_forward("relu", True)
    matrices, biases = network.unpack(theta.copy())
    biases[1][2] = -50.0  # never on
    matrices[0][1], biases[0][1] = 0.0, 1.0  # never changes
    case = (*gn.FeedForward.from_arrays(matrices, biases, "relu"), None)
    geometry, seen = geometry_of(case), {}

    def look(arrays):
        for name in ("time", "activation", "sensitivity", "normalised", "cosine", "flow"):
            value = getattr(arrays, name)
            seen[name] = np.asarray(getattr(value, "_value", value))
        return arrays.time

    close(geometry.influence(look), geometry.influence("time"), 1e-10)
    for name, value in seen.items():
        close(value, getattr(geometry, name), 1e-12)


def test_of_times_without_an_end_the_derivative_is_zero():
    network = gn.FeedForward((4, 5, 3), "relu")
    theta = np.append(np.zeros(network.n_parameters - 3), [1.0, 0.0, -1.0])
    geometry = geometry_of((network, theta, None))
    assert (geometry.time == -np.inf).all()
    assert (geometry.derivative(CHANGE).time == 0).all()
    assert (geometry.influence("time") == 0).all()


@pytest.mark.parametrize("found", [None, {"a": 1.0}, "flow", True, 1j, np.zeros(0)])
def test_functions_must_return_numbers(found):
    with pytest.raises(InputError, match=r"^quantity: must return a number or an array"):
        geometry_of(NETWORKS["tanh"]).influence(lambda g: found)


def test_what_has_no_derivative_says_so():
    geometry = geometry_of(NETWORKS["tanh"])
    with pytest.raises(InputError, match=r"^quantity: unknown 'volume'"):
        geometry.influence("volume")
    with pytest.raises(InputError, match=r"^quantity: autograd cannot run"):
        geometry.influence(lambda g: np.linalg.cond(g.nothing))
    with pytest.raises(InputError, match=r"^quantity: has no finite derivative"):
        geometry.influence(lambda g: anp.sqrt(g.flow[0] - g.flow[0]))
    with pytest.raises(InputError, match=r"^change: "):
        geometry.derivative(np.ones(4))
    mixed = geometry.mix(geometry_of(NETWORKS["tanh"], SAMPLE), 0.5)
    for coarse in (mixed, geometry.merge_copies()):
        with pytest.raises(InputError, match=r"^geometry: .* data are not known"):
            coarse.influence("capacity")
        with pytest.raises(InputError, match=r"^geometry: .* data are not known"):
            coarse.derivative(CHANGE)
