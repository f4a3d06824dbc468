"""Gauge moves: the map stays, nodes go where they say, and moves compose."""

import numpy as np
import pytest
from fisher_cases import close
from gauge_cases import CASES, FROM_FIVE, PAIRS, POINTS, READOUT, layer_sizes, node_values, outputs

import geomnet as gn
from geomnet import symmetries as gauge


def random_move(case, kind, layer, seed=0):
    """A move of that kind, and by what the outputs of its layer are multiplied."""
    rng = np.random.default_rng([seed, layer])
    size = layer_sizes(*case.given, case.readout)[layer]
    given = (*case.given, layer)
    if kind == "permute":
        return gauge.permute(*given, rng.permutation(size), case.readout), np.ones(size)
    if kind == "rescale":
        factors = np.exp(rng.normal(size=size))
        return gauge.rescale(*given, factors, case.readout), factors
    if kind == "flip":
        units = np.flatnonzero(rng.random(size) < 0.6)
        return gauge.flip(*given, units, case.readout), 1.0 - 2 * np.isin(np.arange(size), units)
    unit, share = int(rng.integers(size)), rng.uniform(0.1, 0.9)
    return gauge.split(*given, unit, share, case.readout), np.ones(size)


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", CASES)
def test_which_moves_a_network_has(name):
    case = CASES[name]
    found = gauge.moves(case.network, case.readout)
    assert found == {kind: getattr(case, kind) for kind in found}
    assert list(found) == ["permute", "rescale", "flip", "split", "shift"]


@pytest.mark.parametrize(("name", "kind", "layer"), PAIRS)
def test_a_move_leaves_the_map_and_takes_nodes_along(name, kind, layer):
    case = CASES[name]
    given = (*case.given, case.readout)
    for seed in range(3):
        moved, factors = random_move(case, kind, layer, seed)
        close(outputs(*moved), outputs(*given))
        assert moved.theta.ndim == case.theta.ndim
        assert moved.sizes == tuple(layer_sizes(*moved))
        assert moved.sizes_before == tuple(layer_sizes(*given))
        before, after = node_values(*given), node_values(*moved)
        old = moved.nodes[moved.nodes >= 0]
        assert set(old) == set(range(before.shape[1]))
        assert not after[:, moved.nodes < 0].any()
        expected = np.split(before[:, old], np.cumsum(moved.sizes_before)[:-1], axis=1)
        found = np.split(after, np.cumsum(moved.sizes)[:-1], axis=1)
        if kind == "split":
            close(after[:, moved.nodes >= 0], before[:, old])
            continue
        close(found[layer], expected[layer] * factors)
        for number, (one, two) in enumerate(zip(expected, found)):
            tied = number in getattr(case, kind) and not np.allclose(one, two, 1e-12, 1e-12)
            close(two, one * factors if tied else one)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.shift])
def test_a_shift_moves_all_logits_alike(name):
    case = CASES[name]
    given = (*case.given, case.readout)
    values, sizes = node_values(*given), layer_sizes(*given)
    last = values[:, sum(sizes[:-2]) : sum(sizes[:-1])]
    c = np.random.default_rng(0).normal(size=last.shape[1])
    bias = 0.0 if name == "no biases" else 0.7
    moved = gauge.shift(*case.given, c, bias, readout=case.readout)
    before, after = outputs(*given), outputs(*moved)
    size = 1.0
    if not case.readout and getattr(case.network, "skips", ()):
        size = {k: s for k, _, s in case.network.skips}.get(case.network.depth - 1, 1.0)
    close(after, before + size * (last @ c + bias)[:, None])
    close(softmax(after), softmax(before))
    assert np.abs(after - before).max() > 0.1
    back = gauge.shift(moved.network, moved.theta, -c, -bias, moved.readout)
    close(back.theta, case.theta)
    if case.readout is not None:
        close(back.readout.weight, case.readout.weight)
        close(back.readout.bias, case.readout.bias)
    assert np.array_equal(moved.nodes, np.arange(sum(sizes)))


@pytest.mark.parametrize(("name", "kind", "layer"), [p for p in PAIRS if p[1] != "split"])
def test_moves_compose(name, kind, layer):
    case = CASES[name]
    size = layer_sizes(*case.given, case.readout)[layer]
    rng = np.random.default_rng(1)
    move = getattr(gauge, kind)
    if kind == "permute":
        first, second = rng.permutation(size), rng.permutation(size)
        both, undo = first[second], np.argsort(first)
    elif kind == "rescale":
        first, second = np.exp(rng.normal(size=(2, size)))
        both, undo = first * second, 1 / first
    else:
        first, second = (np.flatnonzero(rng.random(size) < 0.5) for _ in range(2))
        both, undo = np.setxor1d(first, second), first
    once = move(*case.given, layer, first, case.readout)
    twice = move(once.network, once.theta, layer, second, once.readout)
    at_once = move(*case.given, layer, both, case.readout)
    close(twice.theta, at_once.theta)
    assert np.array_equal(once.nodes[twice.nodes], at_once.nodes)
    back = move(once.network, once.theta, layer, undo, once.readout)
    assert back.network == case.network
    exact = 1e-15 if kind == "rescale" else 0.0
    np.testing.assert_allclose(back.theta, case.theta, rtol=exact)
    if case.readout is not None:
        np.testing.assert_allclose(back.readout.weight, case.readout.weight, rtol=exact)
    assert np.array_equal(once.nodes[back.nodes], np.arange(len(back.nodes)))


@pytest.mark.parametrize("share", [0.3, 0.01, 0.9])
def test_a_split_merged_is_what_it_was(share):
    case = CASES["tied to the output"]
    moved = gauge.split(*case.given, 2, 1, share)
    assert moved.network.widths == (4, 3, 6, 5, 3)
    assert moved.network.skips == case.network.skips
    weights, biases = moved.network.unpack(moved.theta)
    w, b = case.network.unpack(case.theta)
    assert np.array_equal(weights[1], np.vstack([w[1], w[1][1]]))
    assert np.array_equal(biases[1], np.append(b[1], b[1][1]))
    close(weights[2][:, [1, 5]], np.outer(w[2][:, 1], [share, 1 - share]))
    merged = weights[2][:, :5].copy()
    merged[:, 1] += weights[2][:, 5]
    close(merged, w[2])
    for k in (0, 3):
        assert np.array_equal(weights[k], w[k])
        assert np.array_equal(biases[k], b[k])


def test_a_split_of_a_block_leaves_the_other_blocks_a_dead_unit():
    case = CASES["tanh field, euler"]
    moved = gauge.split(*case.given, 3, 2, 0.25, case.readout)
    assert moved.network.field == gn.TanhField(4, 6)
    assert moved.readout is case.readout
    w, b, a, c = moved.network.field.unpack(moved.theta[0])
    for new, old in zip((w, b, a, c), case.network.field.unpack(case.theta[0])):
        assert np.array_equal(new[tuple(map(slice, old.shape))], old)
    assert not np.concatenate([w[-1], b[-1:], a[:, -1]]).any()
    _, _, a, _ = moved.network.field.unpack(moved.theta[1])
    close(a[:, [2, 5]], np.outer(case.network.field.unpack(case.theta[1])[2][:, 2], [0.25, 0.75]))
    # input, hidden, state, hidden, state, outputs: 4 5 4 5 4 3
    assert moved.nodes.tolist() == [*range(9), -1, *range(9, 18), 15, *range(18, 25)]


def test_splits_add_up():
    case = CASES["relu"]
    moved = gauge.split(*case.given, 1, 0, 0.5)
    again = gauge.split(moved.network, moved.theta, 1, 5, 0.5)
    assert again.network.widths[1] == 7
    close(outputs(*again), outputs(*case.given, None))
    copies = np.flatnonzero(moved.nodes[again.nodes] == 4)
    assert copies.tolist() == [4, 9, 10]


def test_tied_layers_move_together():
    case = CASES["relu, one stream"]
    for kind, argument in (("permute", [4, 2, 0, 1, 3]), ("rescale", [1.0, 2, 3, 4, 5])):
        thetas = [getattr(gauge, kind)(*case.given, k, argument).theta for k in (1, 2, 3)]
        assert np.array_equal(thetas[:2], thetas[1:])
    case = CASES["relu field, midpoint"]
    one, other = (gauge.rescale(*case.given, k, 2.0, READOUT).theta for k in (1, 3))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, gauge.rescale(*case.given, 5, 2.0, READOUT).theta)


def test_what_is_given_stays():
    case = CASES["with a readout"]
    theta, weight = case.theta.copy(), FROM_FIVE.weight.copy()
    gauge.rescale(*case.given, 4, 3.0, FROM_FIVE)
    gauge.split(*case.given, 1, 0, 0.5, FROM_FIVE)
    gauge.shift(*case.given, np.ones(5), 1.0, FROM_FIVE)
    assert np.array_equal(theta, case.theta)
    assert np.array_equal(weight, FROM_FIVE.weight)
    case = CASES["tanh field, bare"]
    for move, argument in ((gauge.flip, [1]), (gauge.permute, [1, 0, 2, 3, 4])):
        stacked = move(*case.given, 1, argument)
        flat = move(case.network, case.theta.reshape(-1), 1, argument)
        assert flat.theta.shape == (case.theta.size,)
        assert np.array_equal(flat.theta, stacked.theta.reshape(-1))
    assert gauge.split(*case.given, 1, 0, 0.5).theta.shape == (2, 6 * 9 + 4)
    network, theta, readout = gauge.flip(*case.given, 1, 0)
    assert network is case.network
    assert readout is None
    close(outputs(network, theta, readout, 2 * POINTS), outputs(*case.given, None, 2 * POINTS))


def test_nodes_of_two_geometries_match_where_some_are_dead():
    class Found:
        def __init__(self, pairs):
            self.layer, self.unit = np.array(pairs).T

    case = CASES["tanh"]  # layers of 4, 5, 5, 5, 3
    moved = gauge.permute(*case.given, 1, [2, 0, 1, 4, 3])
    before = Found([(0, 3), (1, 0), (1, 2), (1, 3), (4, 0)])
    after = Found([(0, 3), (1, 0), (1, 1), (1, 2), (4, 0)])
    old, new = moved.match(before, after)  # units 2, 0, 1 of layer 1 are at 0, 1, 2
    assert np.array_equal([old, new], [[0, 1, 2, 4], [0, 2, 1, 4]])
    moved = gauge.split(*case.given, 1, 2, 0.5)
    old, new = moved.match(Found([(1, 2), (2, 0)]), Found([(1, 5), (2, 0), (1, 2)]))
    assert np.array_equal([old, new], [[0, 1], [2, 1]])
    with pytest.raises(gn.InputError, match=r"^after: has a unit that its layer has not"):
        moved.match(before, Found([(1, 6)]))
    with pytest.raises(gn.InputError, match=r"^before: its nodes must have layers from 0 to 4"):
        moved.match(Found([(5, 0)]), after)
