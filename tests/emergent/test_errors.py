"""Emergent geometry: what is refused, and what is only said."""

import json

import networkx as nx
import numpy as np
import pytest
from emergent_cases import FIELDS, NETWORKS, SAMPLE, SOFTMAX, geometry_of

import geomnet as gn
from geomnet.emergent import (
    CorrelationLength,
    EmergentGeometry,
    FlowResistance,
    Relation,
    write_graph,
)
from geomnet.errors import InputError


def test_dead_networks():
    network = gn.FeedForward((4, 5, 3), "relu")
    zeros = np.zeros(network.n_parameters)
    with pytest.raises(InputError, match="network: all of its nodes are dead"):
        geometry_of((network, zeros, None))
    theta = np.append(zeros[:-3], [1.0, 0.0, -1.0])  # the outputs' biases alone
    geometry = geometry_of((network, theta, None))
    assert geometry.layer.tolist() == [2, 2]
    assert geometry.unit.tolist() == [0, 2]
    assert len(geometry.dead) == 10
    assert (geometry.time == -np.inf).all()
    with pytest.warns(UserWarning, match=r"within 2 parts only; .* infinite"):
        assert np.isinf(geometry.distance_matrix(FlowResistance())[0, 1])


def test_parts_that_nothing_joins_are_infinitely_far_apart():
    blocks = np.kron(np.eye(2), [[1.0, 2.0], [-1.0, 1.0]])
    network, theta = gn.FeedForward.from_arrays([blocks, blocks])
    geometry = EmergentGeometry.from_network(network, theta, SAMPLE, gn.Gaussian(1.0, 4))
    part = geometry.unit // 2
    with pytest.warns(UserWarning, match=r"^distances: FlowResistance\(\) .* 2 parts"):
        between = geometry.distance_matrix(FlowResistance())
    assert (np.isinf(between) == (part[:, None] != part)).all()
    assert np.isfinite(geometry.distance_matrix()).all()  # logarithms of cosines are cut off
    kappa = gn.ollivier(geometry.weighted_graph())
    assert np.isfinite(kappa).all()


def test_one_layer_and_one_unit():
    one = gn.FeedForward((4, 3))
    geometry = geometry_of((one, one.init(seed=0), None))
    assert geometry.names == ("input", "output")
    assert len(geometry.edges) == 12
    assert geometry.time[0] == pytest.approx(geometry.time[1], rel=1e-12)  # nothing lost between
    network, theta = gn.FeedForward.from_arrays([[[1.0]], [[2.0]]])
    chain = EmergentGeometry.from_network(network, theta, SAMPLE.points[:, :1], gn.Gaussian(1.0, 1))
    assert chain.distance_matrix()[1, 2] == 0  # a linear map of one number: copies
    with pytest.raises(InputError, match=r"^geometry: 1 of 2 edges have no length, first \(1, 2\)"):
        chain.weighted_graph()
    assert len(chain.weighted_graph("conductance").edges) == 2


class Negative(Relation):
    def lengths(self, geometry):
        return -geometry.cosine


def test_bad_input(tmp_path):
    geometry = geometry_of(NETWORKS["tanh"])
    for relation in ("angle", CorrelationLength, Negative()):
        with pytest.raises(InputError, match=r"^relation: "):
            geometry.distance_matrix(relation)
    for relation in ("angle", CorrelationLength):
        with pytest.raises(InputError, match=r"^relation: "):
            geometry.to_networkx(relation)
    for partition, fault in (
        (np.zeros(23, int), "several layers"),
        (np.zeros(22, int), "one integer for each of 23"),
        (np.arange(23.0), "one integer for each of 23"),
    ):
        with pytest.raises(InputError, match=rf"^partition: .*{fault}"):
            geometry.coarse_grain(partition)
    with pytest.raises(InputError, match=r"^form: unknown 'gml'"):
        write_graph(geometry.to_networkx(), tmp_path / "graph.gml")
    with pytest.raises(InputError, match=r"^network: expected a gn.FeedForward .* got function"):
        EmergentGeometry.from_network(
            lambda t, x: x @ t.reshape(4, 3), np.ones(12), SAMPLE, SOFTMAX
        )
    with pytest.raises(InputError, match=r"^n: "):
        geometry_of(NETWORKS["tanh"], n=0)
    with pytest.raises(InputError, match=r"^tolerance: "):
        geometry.merge_copies(0.0)


class Given(Relation):
    def __init__(self, lengths):
        self.given = lengths

    def lengths(self, geometry):
        return self.given


@pytest.mark.parametrize(
    ("lengths", "fault"),
    [
        (np.triu(np.ones((23, 23)), 1), "not symmetric"),
        (np.ones((23, 23)), "not zero on the diagonal"),
        (np.full((23, 23), np.nan), "below zero or NaN"),
        (np.zeros((5, 5)), r"of shape \(5, 5\)"),
        (np.zeros((23, 23), complex), "got complex128"),
        (None, "got object"),
    ],
)
def test_relations_must_give_lengths(lengths, fault):
    geometry = geometry_of(NETWORKS["tanh"])
    for use in (geometry.distance_matrix, geometry.to_networkx):
        with pytest.raises(InputError, match=rf"^relation: .*{fault}"):
            use(Given(lengths))


def test_curvatures_must_be_of_the_edges():
    geometry = geometry_of(NETWORKS["tanh"])
    for name, values in (("short", np.ones(3)), ("weight", np.ones(len(geometry.edges)))):
        geometry.curvatures[name] = values
        with pytest.raises(InputError, match=rf"^curvatures: '{name}' must be one number"):
            geometry.to_networkx()
        del geometry.curvatures[name]


def test_only_geometries_of_one_network_mix():
    network, theta, _ = NETWORKS["tanh"]
    geometry, other = geometry_of(NETWORKS["tanh"]), theta.copy()
    other[20] += 1.0  # a bias: the weights are the same
    logistic = gn.FeedForward(network.widths, "logistic")
    widths, twice = network.widths, geometry_of((network, theta, None))
    assert geometry.mix(twice, 0.5).n == 18
    skips = [gn.FeedForward(widths, "tanh", True, {1: scale}) for scale in (0.1, 3.0)]
    one, two = (geometry_of((skip, theta, None)) for skip in skips)
    with pytest.raises(InputError, match=r"^other: is of another network"):
        one.mix(two, 0.5)
    with pytest.raises(InputError, match=r"^other: is of another network"):
        geometry_of(FIELDS["own field"]).mix(geometry_of(FIELDS["own field, rk4"]), 0.5)
    for wrong in (
        geometry_of((network, other, None)),
        geometry_of((logistic, theta, None)),
        geometry_of(NETWORKS["euler"]),
        EmergentGeometry.from_network(network, theta, SAMPLE, gn.Gaussian(1.0, 3)),
    ):
        with pytest.raises(InputError, match=r"^other: is of another network"):
            geometry.mix(wrong, 0.5)
    for wrong in (geometry.merge_copies(), network):
        with pytest.raises(InputError, match=r"^other: expected a geometry"):
            geometry.mix(wrong, 0.5)
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(InputError, match=r"^share: "):
            geometry.mix(geometry, share)


def test_a_geometry_is_written_as_its_graph(tmp_path):
    geometry = geometry_of(NETWORKS["tanh"])
    write_graph(geometry, tmp_path / "a.json")
    write_graph(geometry.to_networkx(), tmp_path / "b.json")
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    with pytest.raises(InputError, match=r"^graph: expected a networkx graph or an Emergent"):
        write_graph(np.eye(3), tmp_path / "c.json")
    numbered = nx.Graph([(np.int64(0), np.int64(1), {"weight": np.float32(2.0)})])
    write_graph(numbered, tmp_path / "d.json")
    read = nx.node_link_graph(json.loads((tmp_path / "d.json").read_text()), edges="edges")
    assert list(read.edges(data="weight")) == [(0, 1, 2.0)]
