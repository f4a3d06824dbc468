"""Gauge moves leave the emergent geometry as it is, and raw weights and gradients not."""

import numpy as np
import pytest
from emergent_cases import FIELDS, NETWORKS, RELU, SAMPLE, SOFTMAX, dense, geometry_of, naive, same
from fisher_cases import close
from scipy.sparse import csr_array

import geomnet as gn
from geomnet import symmetries as gauge

CASES = (
    NETWORKS
    | FIELDS
    | {
        "relu": RELU,
        "relu, wide": (
            (network := gn.FeedForward((4, 12, 12, 3), "relu")),
            network.init(seed=1) - 0.3 * (np.arange(network.n_parameters) % 5 == 0),
            None,
        ),
    }
)
RELATIONS = {
    relation.__name__: relation()
    for relation in (
        gn.emergent.CausalLength,
        gn.emergent.CorrelationLength,
        gn.emergent.ActivationInformation,
        gn.emergent.FisherAngle,
        gn.emergent.FisherChord,
        gn.emergent.FlowResistance,
    )
}
CURVATURES = ("exact", "average", "bound", "forman")
NUMBERS = ("time", "capacity", "robustness", "efficiency")
ARRAYS = ("gate_fisher", "normalised", "conductance", "edge_fisher", "flow", "planck_length")


def distances(geometry, relations=RELATIONS):
    return {
        name: gauge.PerNode(geometry.distance_matrix(relation), geometry)
        for name, relation in relations.items()
    }


def scores(geometry, names=ARRAYS):
    return {name: gauge.PerNode(getattr(geometry, name), geometry) for name in names}


def numbers(geometry):
    found = {name: getattr(geometry, name) for name in NUMBERS}
    return found | {"spectrum": gauge.Spectrum(geometry.spectrum)}


def influences(geometry):
    return {f"influence on {name}": geometry.influence(name) for name in NUMBERS}


def curvatures(geometry):
    """Of all edges, as matrices over nodes."""
    graph, ends = geometry.weighted_graph(), tuple(geometry.edges.T)
    found = {mode: gn.ollivier(graph, mode=mode) for mode in ("exact", "average", "bound")}
    found["forman"] = gn.forman(graph)
    shape = (geometry.n_nodes, geometry.n_nodes)
    return {
        name: gauge.PerNode(csr_array((values, ends), shape=shape), geometry)
        for name, values in found.items()
    }


def measure(*parts):
    """A quantity of a network's geometry."""

    def quantity(*given):
        geometry = geometry_of((*given, None)[:3])
        return {name: value for part in parts for name, value in part(geometry).items()}

    return quantity


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_the_geometry_feels_a_move(name):
    network, theta, readout = CASES[name]
    report = gauge.check(
        measure(distances, scores, numbers, influences, curvatures), network, theta, readout,
        softmax=True, kinds=("permute", "rescale", "flip", "shift"),
    )  # fmt: skip
    assert report, report
    kinds = [kind for kind, layers in gauge.moves(network, readout).items() if layers]
    assert [*report.worst] == [kind for kind in kinds if kind != "split"]
    names = {check.name for check in report.checks}
    assert {*RELATIONS, *ARRAYS, *NUMBERS, *CURVATURES, "spectrum"} <= names
    assert {f"influence on {name}" for name in NUMBERS} <= names


@pytest.mark.parametrize("name", CASES)
def test_a_split_leaves_relations_and_what_the_network_holds(name):
    network, theta, readout = CASES[name]
    if not gauge.moves(network, readout)["split"]:
        with pytest.raises(gn.InputError, match=r"^network: has none of these moves"):
            gauge.check(measure(numbers), network, theta, readout, kinds="split")
        return
    kept = {name: RELATIONS[name] for name in RELATIONS if name != "FlowResistance"}

    def merged(geometry):
        one = geometry.merge_copies()
        return scores(one) | curvatures(one) | distances(one)

    report = gauge.check(
        measure(merged, lambda g: distances(g, kept), numbers, influences),
        network, theta, readout, kinds="split", draws=3,
    )  # fmt: skip
    roots = ("FisherAngle", "FisherChord")  # of 1 − |cos|: half the digits where it vanishes
    failures = [check for check in report.failures if check.name not in roots]
    assert not failures, report
    assert all(check.difference < 1e-7 for check in report.failures)
    report = gauge.check(measure(scores), network, theta, readout, kinds="split")
    assert {check.name for check in report.failures} == set(ARRAYS)
    assert max(check.elsewhere for check in report.checks) < 1e-12
    flow = {"FlowResistance": RELATIONS["FlowResistance"]}
    report = gauge.check(measure(lambda g: distances(g, flow)), network, theta, readout,
                         kinds="split")  # fmt: skip
    assert not report  # a unit that is two takes its current in two halves
    assert max(check.elsewhere for check in report.checks) < 1e-9


@pytest.mark.parametrize("name", ["tanh", "relu", "tanh, residual", "residual", "rk4", "euler"])
def test_raw_weights_and_parameters_are_no_geometry(name):
    network, theta, readout = CASES[name]

    def raw(*given):
        geometry = geometry_of((*given, None)[:3])
        outgoing = dense(geometry.weight).sum(axis=1)
        sensitivity = np.sqrt(np.diag(geometry.sensitivity))
        return {
            "weights": gauge.PerNode(outgoing, geometry),
            "sensitivity": gauge.PerNode(sensitivity, geometry),
            "norm": np.linalg.norm(given[1]),
        }

    report = gauge.check(raw, network, theta, readout)
    failed = {(check.kind, check.name) for check in report.failures}
    everything = ("weights", "sensitivity", "norm")
    assert {kind for kind, _ in failed} == {"flip", "rescale", "split"} & set(report.worst)
    if "flip" in report.worst:  # signs are seen by the weights alone
        assert {name for kind, name in failed if kind == "flip"} == {"weights"}
    if "rescale" in report.worst:
        assert {("rescale", name) for name in everything} <= failed
    if "split" in report.worst:
        assert {("split", name) for name in everything} <= failed
    assert report.worst["permute"] < 1e-12
    assert max(report.worst.values()) > 0.1


@pytest.mark.parametrize(
    ("name", "skips"), [("tanh", {}), ("relu", {}), ("tanh, residual", {1: (1, 0.25)})]
)
def test_raw_gradients_are_no_geometry(name, skips):
    network, theta, _ = CASES[name]

    def gradients(network, theta):
        return gauge.PerNode(naive(network, theta, skips)[-1], axes=(1,))

    kinds = ("permute", "flip", "rescale")
    report = gauge.check(gradients, network, theta, kinds=kinds, draws=1)
    assert report.worst["permute"] < 1e-12
    assert max(report.worst.values()) > 0.1
    assert not report


def test_a_split_unit_is_two_with_shares_of_its_scores():
    for name in ("tanh", "relu"):
        network, theta, _ = CASES[name]
        one = geometry_of(CASES[name])
        unit = int(one.unit[one.layer == 1][2])
        moved = gauge.split(network, theta, 1, unit, 0.3)
        two = geometry_of(moved)
        old, new = moved.match(one, two)
        assert np.array_equal(old, np.arange(one.n_nodes))
        copy = np.setdiff1d(np.arange(two.n_nodes), new)
        assert len(copy) == 1
        here = int(np.flatnonzero((one.layer == 1) & (one.unit == unit))[0])
        pair = [new[here], copy[0]]
        assert np.array_equal(two.distance_matrix()[tuple(pair)], 0.0)
        between = two.distance_matrix()
        close(between[pair[1], new], between[pair[0], new], 1e-9)
        shares = np.array([0.3, 0.7])
        close(two.flow[pair], one.flow[here] * shares)
        close(np.diag(two.gate_fisher)[pair], one.gate_fisher[here, here] * shares**2)
        close(two.planck_length[pair], one.planck_length[here] / shares)
        assert two.n_nodes == one.n_nodes + 1
        close(two.spectrum[:-1], one.spectrum)
        same(two.merge_copies(), one, names=("layer", *ARRAYS))
        close(two.merge_copies().planck_length, one.planck_length)
        assert one.merge_copies().n_nodes == one.n_nodes


def test_dead_units_of_other_blocks_are_left_out():
    network, theta, readout = CASES["euler"]
    moved = gauge.split(network, theta, 1, 0, 0.4, readout)
    two = geometry_of(moved)
    assert two.dead == ((3, 5),)
    one = geometry_of(CASES["euler"])
    old, new = moved.match(one, two)
    assert len(old) == one.n_nodes
    close(two.gate_fisher[np.ix_(new, new)][8:, 8:], one.gate_fisher[8:, 8:])


def test_a_shift_is_no_gauge_of_other_likelihoods():
    network, theta, _ = CASES["tanh"]

    def flow(likelihood):
        def quantity(network, theta):
            found = gn.EmergentGeometry.from_network(network, theta, SAMPLE, likelihood)
            return gauge.PerNode(found.flow, found)

        return quantity

    assert gauge.check(flow(SOFTMAX), network, theta, kinds="shift")
    assert not gauge.check(flow(gn.Gaussian(1.0, 3)), network, theta, kinds="shift")


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS)
def test_distances_are_closed_where_copies_are_merged(relation):
    one = geometry_of(CASES["tanh"])
    merged = one.merge_copies()
    assert merged.n_nodes == one.n_nodes
    close(merged.distance_matrix(relation), one.distance_matrix(relation))
