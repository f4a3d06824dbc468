"""What gn.gauge.check finds: dependence of every kind, on the nodes it is asked about; faults."""

import re

import numpy as np
import pytest
from gauge_cases import CASES, POINTS, READOUT, node_values, outputs
from scipy.sparse import csr_array

import geomnet as gn
from geomnet import symmetries as gauge

TANH, RELU = CASES["tanh"].given, CASES["relu"].given


def constant(network, theta, readout=None):
    """Something that every move leaves: the map."""
    return outputs(network, theta, readout)


def everywhere(function):
    """A quantity over all nodes, of their outputs on the points, (n, N)."""

    def quantity(network, theta, readout=None):
        return gauge.PerNode(function(node_values(network, theta, readout)), axes=(-1,))

    return quantity


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.permute])
def test_the_map_passes_and_outputs_of_units_do_not(name):
    case = CASES[name]
    report = gauge.check(constant, *case.given, case.readout, tolerance=1e-12)
    assert report, report
    kinds = [kind for kind in ("permute", "rescale", "flip", "split") if getattr(case, kind)]
    if name == "one hidden unit":
        kinds.remove("permute")  # there is one order
    assert list(report.worst) == kinds
    report = gauge.check(everywhere(lambda h: h), *case.given, case.readout, tolerance=1e-12)
    assert set(report.worst) == set(kinds)
    assert {check.kind for check in report.failures} == {"rescale", "flip"} & set(kinds)
    size = gauge.check(everywhere(np.abs), *case.given, case.readout, tolerance=1e-12)
    assert {check.kind for check in size.failures} == {"rescale"} & set(kinds)


@pytest.mark.parametrize(
    ("quantity", "fails"),
    [
        (lambda network, theta: theta[0], {"permute", "rescale", "flip"}),
        (lambda network, theta: theta @ theta, {"rescale", "split", "shift"}),
        (lambda network, theta: len(np.unique(theta)), {"split"}),
        (lambda network, theta: network.n_parameters, {"split"}),
        (lambda network, theta: network.unpack(theta)[0][-1].sum(), {"rescale", "flip", "shift"}),
        (lambda network, theta: network.unpack(theta)[1][-1].sum(), {"shift"}),
        (lambda network, theta: np.std(network.unpack(theta)[1][-1]), set()),
    ],
)
def test_every_kind_of_dependence_is_found(quantity, fails):
    for given, absent in ((TANH, "rescale"), (RELU, "flip")):
        report = gauge.check(quantity, *given, softmax=True, draws=4)
        assert {check.kind for check in report.failures} == fails - {absent}
        assert set(report.worst) == {"permute", "rescale", "flip", "split", "shift"} - {absent}
        assert bool(report) == (not fails - {absent})


def test_a_shift_is_a_move_where_it_is_asked_for():
    for options, kinds in (
        ({}, ["permute", "flip", "split"]),
        ({"softmax": True}, ["permute", "flip", "split", "shift"]),
        ({"kinds": "shift"}, ["shift"]),
        ({"kinds": ("flip", "rescale")}, ["flip"]),
    ):
        assert list(gauge.check(constant, *TANH, **options).worst) == kinds, options
    report = gauge.check(constant, *TANH, softmax=True)
    assert {check.kind for check in report.failures} == {"shift"}
    assert [check.layers for check in report.failures] == [(4,)]


def test_layers_tied_together_are_one_row():
    case = CASES["tanh field, rk4"]
    report = gauge.check(constant, *case.given, case.readout, kinds=("flip",))
    assert [check.layers for check in report.checks] == [(1, 4, 7, 10), (12, 15, 18, 21)]


def test_nodes_are_followed():
    def hidden(network, theta):
        """Squared output weights of the first hidden layer, in an order of its own."""
        weights, _ = network.unpack(theta)
        order = np.argsort(weights[0][:, 0])
        pairs = np.column_stack([np.ones(len(order), dtype=int), order])
        return gauge.PerNode(np.sum(weights[0] ** 2, axis=1)[order], pairs)

    report = gauge.check(hidden, *TANH)
    assert report, report

    def bare(network, theta):
        return hidden(network, theta).values

    with pytest.raises(gn.InputError, match=r"^quantity: the value after split of layer 1 has sh"):
        gauge.check(bare, *TANH)
    assert gauge.check(bare, *TANH, kinds=("permute",), draws=1).checks[1].passed

    def unordered(network, theta):
        weights, _ = network.unpack(theta)
        return np.sum(weights[0] ** 2, axis=1)

    failed = gauge.check(unordered, *TANH, kinds=("permute", "flip")).failures
    assert {(check.kind, check.layers) for check in failed} == {("permute", (1,))}


def test_edges_and_other_axes():
    def both(network, theta):
        values = node_values(network, theta, None)
        return {
            "sparse": gauge.PerNode(csr_array(np.abs(values.T @ values))),
            "by datum": gauge.PerNode(np.abs(values), axes=(1,)),
            "by datum, last": gauge.PerNode(np.abs(values.T), axes=(-2,)),
        }

    report = gauge.check(both, *TANH)
    assert report
    assert {check.name for check in report.checks} == {"sparse", "by datum", "by datum, last"}


def test_the_unit_that_was_split_is_told_from_the_others():
    def sizes(network, theta):
        """Weights into and out of units of layer 1; the total over all of them."""
        weights, _ = network.unpack(theta)
        pairs = [(1, unit) for unit in range(len(weights[0]))]
        squared = np.sum(weights[1] ** 2, axis=0)
        return {
            "into": gauge.PerNode(np.sum(weights[0] ** 2, axis=1), pairs),
            "out": gauge.PerNode(np.sqrt(squared), pairs),
            "share": gauge.PerNode(squared / squared.sum(), pairs),
        }

    report = gauge.check(sizes, *TANH, kinds="split")
    found = {check.name: check for check in report.checks if check.layers == (1,)}
    assert found["into"].passed
    assert found["out"].difference > 0.1
    assert found["out"].elsewhere < 1e-15
    assert found["share"].elsewhere > 0.01
    assert "but for the unit split" in str(report)


def test_nodes_that_come_or_go_are_a_difference():
    def largest(network, theta):
        """The unit with the largest weights, which rescaling makes another."""
        weights, _ = network.unpack(theta)
        unit = int(np.argmax(np.sum(weights[0] ** 2, axis=1)))
        return gauge.PerNode([1.0], [(1, unit)])

    report = gauge.check(largest, *RELU, draws=6)
    failed = {(check.kind, check.layers): check.difference for check in report.failures}
    assert failed == {("rescale", (1,)): np.inf}
    few, more = [(0, 0)], [(0, 0), (0, 1)]
    for before, after in ((few, more), (more, few)):

        def quantity(network, theta, before=before, after=after):
            pairs = before if np.array_equal(theta, TANH[1]) else after
            return gauge.PerNode(np.ones(len(pairs)), pairs)

        report = gauge.check(quantity, *TANH)
        assert [check.difference for check in report.checks] == [np.inf] * 9


def test_spectra_have_no_order_and_their_zeros_do_not_count():
    def gram(network, theta):
        """Of the second hidden layer's outputs, which a split makes larger by a copy."""
        values = network.states(theta, POINTS)[2]
        return values.T @ values

    def spectrum(network, theta):
        return gauge.Spectrum(np.linalg.eigvalsh(gram(network, theta)))

    def turned(network, theta):
        return gauge.Spectrum(spectrum(network, theta).values[::-1])

    for quantity in (spectrum, turned):
        report = gauge.check(quantity, *TANH)
        failed = {(check.kind, check.layers) for check in report.failures}
        assert failed == {("split", (2,))}  # a copy has the other eigenvalues

    def with_zeros(network, theta):
        """Numbers of the map, with more zeros in the wider network, in an order of θ."""
        values = network(theta, POINTS).ravel()
        values = np.append(values, np.zeros(network.widths[2]))
        return np.random.default_rng(int(1e9 * abs(theta @ np.arange(len(theta))))).permutation(
            values
        )

    assert gauge.check(lambda *given: gauge.Spectrum(with_zeros(*given)), *TANH)
    assert not gauge.check(with_zeros, *TANH, kinds=("permute", "flip"))
    assert not gauge.check(lambda *given: gauge.Spectrum(np.abs(given[1])), *TANH, kinds="split")


def test_infinities_are_values():
    def far(network, theta):
        return [np.inf, -np.inf, 1.0, 0.0]

    def here(network, theta):
        return [1.0, np.inf if np.array_equal(theta, TANH[1]) else 1.0]

    assert gauge.check(far, *TANH)
    assert gauge.check(lambda network, theta: 0.0, *TANH)
    assert gauge.check(here, *TANH).worst == {"permute": np.inf, "flip": np.inf, "split": np.inf}


def test_draws_are_those_of_the_seed():
    def quantity(network, theta):
        return theta[3]

    one, two = (gauge.check(quantity, *TANH, seed=4) for _ in range(2))
    assert one == two
    assert one != gauge.check(quantity, *TANH, seed=5)
    more = gauge.check(quantity, *TANH, seed=4, draws=9)
    assert all(a.difference >= 0 for a in more.checks)
    assert gauge.check(quantity, *TANH, tolerance=1e3)
    given = TANH[1].copy()
    gauge.check(quantity, *TANH)
    assert np.array_equal(given, TANH[1])
    assert gauge.check(constant, TANH[0], TANH[1].tolist())


def test_a_quantity_may_write_over_what_it_is_given():
    def quantity(network, theta):
        found = network(theta, POINTS)
        theta[:] = 0.0
        return found

    assert gauge.check(quantity, *TANH)


def test_the_fisher_rao_norm_is_geometry_and_the_trace_is_not():
    def fisher(network, theta):
        found = gn.FisherInformation(network, theta, POINTS, gn.Categorical(3))
        return {"norm": found.fisher_rao_norm(), "trace": found.trace()}

    for given, fails in ((TANH, {"split"}), (RELU, {"rescale", "split"})):
        report = gauge.check(fisher, *given, softmax=True)
        assert {(check.name, check.kind) for check in report.failures} == {
            ("trace", kind) for kind in fails
        }


def test_a_report_reads():
    def norm(network, theta):
        return {"whole": np.linalg.norm(theta), "no": 0.0}

    case = CASES["tanh, tied"]
    report = gauge.check(norm, *case.given)
    lines = str(report).splitlines()
    assert lines[0] == "norm: NOT invariant under split"
    assert lines[1].split() == ["move", "layer", "value", "difference"]
    assert lines[2].split()[:5] == ["ok", "permute", "1,", "2", "whole"]
    assert re.fullmatch(r"  FAIL  split    3      whole  \d\.\de-0\d > 1e-09", lines[-2])
    assert lines[-1].split() == ["ok", "split", "3", "no", "0.0e+00", "≤", "1e-09"]
    assert repr(report) == str(report)
    assert [check.passed for check in report.failures] == [False]
    single = str(gauge.check(constant, *case.given))
    assert single.splitlines()[0] == "constant: invariant"
    assert "value" not in single


def raises(error):
    def quantity(network, theta, readout=None):
        raise error

    return quantity


class Narrow:
    """A quantity that knows one width only."""

    def __call__(self, network, theta):
        return gauge.PerNode(np.zeros(22))


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        (3.0, "quantity: expected a function (network, theta), got 3.0"),
        (raises(ZeroDivisionError("by zero")),
         "quantity: raised ZeroDivisionError on the network itself: by zero"),
        (lambda network: 1.0, "quantity: raised TypeError on the network itself"),
        (lambda network, theta: None, "quantity: the value on the network itself is no number"),
        (lambda network, theta: "x", "quantity: the value on the network itself is no number"),
        (lambda network, theta: {"a": np.nan},
         "quantity: value 'a' on the network itself is NaN in 1 places"),
        (lambda network, theta: np.where(theta[0] == TANH[1][0], 1.0, np.nan),
         "quantity: the value on permute of layer 1 is NaN"),
        (lambda network, theta: {theta[0]: 1.0}, "quantity: has values ["),
        (lambda network, theta: theta, "quantity: the value after split of layer 1 has shape ("),
        (lambda network, theta: gauge.PerNode(1.0), "axes: the value on the network itself has sh"),
        (lambda network, theta: gauge.PerNode(theta), "axes: the value on the network itself has "),
        (lambda network, theta: gauge.PerNode([1.0, 2], [(1, 0), (1, 0)]),
         "nodes: a node is there twice in the value on the network itself"),
        (lambda network, theta: gauge.PerNode([1.0], [(1, 5)]), "nodes: has a unit that its layer"),
        (lambda network, theta: gauge.PerNode([1.0], [(5, 0)]), "nodes: its nodes must have"),
        (lambda network, theta: gauge.PerNode([1.0], [1]), "nodes: expected pairs (layer, unit)"),
        (lambda network, theta: gauge.PerNode([1.0], [(1, 0)], axes=(1,)), "axes: the value on"),
        (Narrow(), "axes: the value on split of layer 1 has shape (22,), but 23 nodes"),
    ],
)  # fmt: skip
def test_quantities_that_are_none(quantity, message):
    with pytest.raises(gn.InputError, match="^" + re.escape(message)):
        gauge.check(quantity, *TANH)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws: "),
        ({"tolerance": 0}, "tolerance: "),
        ({"seed": -1}, "seed: "),
        ({"kinds": ("twist",)}, "kinds: unknown 'twist'; choose from permute, rescale, flip"),
        ({"kinds": "rescale"}, "network: has none of these moves"),
        ({"readout": READOUT}, "readout: takes states of 4 units"),
    ],
)
def test_options_that_are_none(options, message):
    with pytest.raises(gn.InputError, match="^" + re.escape(message)):
        gauge.check(constant, *TANH, **options)
    with pytest.raises(gn.InputError, match=r"^network: has none of these moves; gn.gauge.moves"):
        gauge.check(constant, *CASES["linear field"].given, READOUT)
