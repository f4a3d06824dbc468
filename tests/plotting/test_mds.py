"""Where nodes are drawn, and which edges: against naive searches."""

import numpy as np
import pytest
from fisher_cases import close
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from geomnet.plotting.landscape import strongest
from geomnet.plotting.mds import places_of

RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(11).bit_generator.state


def test_nothing_is_drawn_farther_apart_than_it_is():
    layer, mass = np.repeat([0, 1, 2], 10), RNG.uniform(0.1, 1, 30)
    true = cdist(*(2 * [RNG.normal(size=(30, 6))]))
    for dimension in (1, 2, 3):
        places = places_of(true, layer, mass, dimension)
        found = places.coordinates
        assert (cdist(found, found) <= true + 1e-12).all()
        drawn, wanted, weight = [], [], []
        for i in range(30):
            for j in range(i):
                if layer[i] == layer[j]:
                    drawn.append(np.linalg.norm(found[i] - found[j]))
                    wanted.append(true[i, j])
                    weight.append(mass[i] * mass[j])
        moments = np.cov(drawn, wanted, aweights=weight)
        close(places.truth, moments[0, 1] / np.sqrt(moments[0, 0] * moments[1, 1]))
    # all of six directions lose nothing
    found = places_of(true, layer, mass, 6).coordinates
    close(cdist(found, found), true, 1e-9)


def test_the_direction_drawn_is_the_one_in_which_layers_are_widest():
    layer, mass = np.repeat([0, 1], 20), RNG.uniform(0.1, 1, 40)
    points = RNG.normal(size=(40, 3)) * [1, 3, 0.5] + 50 * layer[:, None] * [0, 0, 1]
    places = places_of(cdist(points, points), layer, mass, 1).coordinates[:, 0]

    def spread(heights):
        means = [np.average(heights[layer == k], weights=mass[layer == k]) for k in (0, 1)]
        return mass @ (heights - np.take(means, layer)) ** 2

    tried = RNG.normal(size=(500, 3))
    tried /= np.linalg.norm(tried, axis=1, keepdims=True)
    most = max(spread(points @ direction) for direction in tried)
    assert most <= spread(places) < 1.05 * most


@pytest.mark.parametrize("most", [0, 1, 3])
def test_the_strongest_edges_of_every_node(most):
    matrix = RNG.uniform(size=(9, 9)) * (RNG.uniform(size=(9, 9)) < 0.6)
    wanted = set()
    for one in range(9):
        out = [(one, k) for k in range(9)]
        into = [(k, one) for k in range(9)]
        for edges in (out, into):
            best = sorted(edges, key=lambda edge: -matrix[edge])[:most]
            wanted |= {edge for edge in best if matrix[edge] > 0}
    rows, columns = np.indices((9, 9)).reshape(2, -1)
    explicit = csr_array((matrix.ravel(), (rows, columns)))  # zeros are stored, and are no edges
    assert explicit.nnz == 81
    source, target, strength = strongest(explicit, most)
    assert set(zip(source.tolist(), target.tolist())) == wanted
    np.testing.assert_array_equal(strength, matrix[source, target])


def test_parts_are_placed_one_by_one_and_stacked():
    points, layer = RNG.normal(size=(12, 1)), np.repeat([0, 1], 6)
    part = np.array([0, 0, 0, 1, 2, 2] * 2)
    true = np.where(part[:, None] == part, cdist(points, points), np.inf)
    places = places_of(true, layer, np.ones(12), 1)
    assert places.n_parts == 3
    np.testing.assert_array_equal(places.part, np.array([0, 0, 0, 2, 1, 1] * 2))  # by size
    heights = places.coordinates
    inside = np.isfinite(true)
    close(cdist(heights, heights)[inside], true[inside], 1e-9)
    for lower in (1, 2):
        assert heights[places.part == lower].max() < heights[places.part == lower - 1].min()


def test_places_of_one_node_and_of_copies():
    assert places_of(np.zeros((1, 1)), np.zeros(1, int), np.ones(1), 2).coordinates.tolist() == [
        [0, 0]
    ]
    places = places_of(np.zeros((4, 4)), np.array([0, 0, 1, 1]), np.ones(4), 1)
    assert not places.coordinates.any()
    assert np.isnan(places.truth)


def test_what_is_out_of_proportion_takes_no_digits_from_the_others():
    points, layer = RNG.normal(size=(20, 2)), np.repeat([0, 1], 10)
    mass = np.where(np.arange(20) == 3, 1e-30, 1.0)
    true = cdist(points, points)
    rest = np.arange(20) != 3
    alone = places_of(true[np.ix_(rest, rest)], layer[rest], mass[rest], 2).coordinates
    true[3, rest] = true[rest, 3] = 1e30
    before = true.copy()
    found = places_of(true, layer, mass, 2).coordinates
    np.testing.assert_array_equal(true, before)
    close(cdist(found[rest], found[rest]), cdist(alone, alone), 1e-6)
    assert np.isfinite(found).all()
