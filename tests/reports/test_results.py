"""A report holds every number, path and picture of a comparison, whole, escaped and alone."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from reports_common import METRICS, SMALL, strict

import geomnet as gn
from geomnet.reports import to_json

PATHS = [*METRICS, "network"]


# -- results.json -----------------------------------------------------------------------------

NUMBER = (int, float)


CERTIFICATE = {
    "converged": bool,
    "gradient_norm": float,
    "speed_variation": float,
    "error_estimate": float,
    "observed_order": (float, type(None)),
    "locally_shortest": (bool, type(None)),
    "gradient_evaluations": int,
    "hessian_products": int,
}


NETWORK = {
    "depth": int,
    "parameters": int,
    "train_accuracy": float,
    "heldout_accuracy": (float, type(None)),
}


TOP = {
    "metrics": list,
    "paths": list,
    "length": dict,
    "distance": dict,
    "excess": dict,
    "certificate": dict,
    "network": (dict, type(None)),
    "least_action": (dict, type(None)),
    "fisher": (dict, type(None)),
    "data": dict,
    "options": dict,
    "seconds": float,
    "version": str,
    "seed": int,
}


def check_types(found, expected):
    for key, kind in expected.items():
        assert isinstance(found[key], kind), (key, found[key])
        assert kind is bool or not isinstance(found[key], bool) or bool in np.atleast_1d(kind), key


def test_the_results_have_the_keys_and_types_promised(report):
    results = report.results
    check_types(results, TOP)
    names = list(report.comparison.geodesics)
    assert results["metrics"] == names
    assert results["paths"] == list(report.comparison.curves)
    assert ("network" in results["paths"]) == (results["network"] is not None)
    assert (results["fisher"] is None) == (results["network"] is None)
    assert set(results["length"]) == set(results["paths"])
    for lengths in results["length"].values():
        check_types(lengths, dict.fromkeys(names, float))
        assert set(lengths) == set(names)
    for key in ("distance", "excess", "certificate"):
        assert set(results[key]) == set(names)
    check_types(results["distance"], dict.fromkeys(names, float))
    for certificate in results["certificate"].values():
        check_types(certificate, CERTIFICATE)
    if results["network"] is not None:
        check_types(results["network"], NETWORK)
    assert results["version"] == gn.__version__
    assert results["seed"] == report.comparison.options.seed


def test_the_results_are_those_of_the_comparison(trained):
    found, results = trained.comparison, trained.results
    assert results["length"] == found.lengths
    assert results["distance"] == {name: geo.distance for name, geo in found.geodesics.items()}
    for name in METRICS:
        ratio = results["length"]["network"][name] / results["distance"][name]
        assert results["excess"][name] == pytest.approx(ratio, rel=1e-12)
        geo = found.geodesics[name]
        assert results["certificate"][name]["gradient_norm"] == geo.certificate.gradient_norm
    assert results["network"]["depth"] == SMALL["depth"]
    assert results["network"]["train_accuracy"] == found.fit.train_accuracy
    assert results["data"]["n"] == SMALL["n"]
    assert results["options"]["steps"] == SMALL["steps"]
    assert results["options"]["metrics"] == METRICS


def test_parameters_are_all_that_was_trained(trained):
    fit = trained.comparison.fit
    total = fit.theta.size + fit.readout.weight.size + fit.readout.bias.size
    assert trained.results["network"]["parameters"] == total


def test_what_is_no_number_is_null(unlabelled, trained):
    assert set(unlabelled.results["excess"].values()) == {None}
    assert unlabelled.results["network"] is None
    assert trained.results["spread"]["l2"]["excess_sd"] is None  # of one seed


def test_seeds_are_all_recorded(seeds):
    assert [run["seed"] for run in seeds.results["runs"]] == [0, 1]
    assert seeds.results["spread"]["l2"]["excess_sd"] > 0


def test_the_results_of_least_action_are_those_of_the_comparison(least):
    found, results = least.comparison, least.results["least_action"]
    assert (results["weight"], results["metric"]) == (1e-2, "energy")
    assert results["distance"] == {n: g.distance for n, g in found.least_action.geodesics.items()}
    assert results["excess"] == found.least_action_excess
    for name in METRICS:
        ratio = least.results["length"]["least-action"][name] / results["distance"][name]
        assert results["excess"][name] == pytest.approx(ratio, rel=1e-12)
        check_types(results["certificate"][name], CERTIFICATE)
    assert results["action_energy"] == found.least_action.fit.action_energy
    assert results["plain_energy"] > results["action_energy"]
    check_types(results, {"loss": float, "train_accuracy": float, "heldout_accuracy": float})
    assert 0 < results["lower_bound"]["fisher-rao"] < results["distance"]["fisher-rao"]
    assert least.results["paths"][-1] == "least-action"
    # it bought a shorter path with a larger loss
    assert results["loss"] > least.results["network"]["loss"]


# -- JSON of numbers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("-inf"), np.array(np.nan)],
)
def test_numbers_that_are_not_finite_are_null(value):
    assert strict(to_json({"x": value})) == {"x": None}
    assert strict(to_json([1.0, [value]])) == [1.0, [None]]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3),
        (np.uint8(200), 200),
        (np.bool_(True), True),
        (np.str_("ε"), "ε"),
        (np.arange(3), [0, 1, 2]),
        (np.array([[0.5, np.nan]]), [[0.5, None]]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", "b"]), ["a", "b"]),
        ((1, (2, None)), [1, [2, None]]),
        ({np.int64(1): {"k": (np.float64(2.0),)}}, {"1": {"k": [2.0]}}),
        (Path("a") / "b", str(Path("a") / "b")),
        (True, True),
        (None, None),
        ("Fisher–Rao", "Fisher–Rao"),
        (5e-324, 5e-324),
        (1 / 3, 1 / 3),
    ],
)
def test_numpy_becomes_plain(value, plain):
    back = strict(to_json({"value": value}))["value"]
    assert back == plain
    assert type(back) is type(plain)


def test_json_keeps_letters_and_ends_its_line():
    text = to_json({"name": "Matérn"})
    assert "Matérn" in text
    assert text.endswith("}\n")


# -- paths.npz --------------------------------------------------------------------------------


def test_the_archive_holds_every_path_with_its_times(report):
    found = report.comparison
    for name, curve in found.curves.items():
        key = name.replace("-", "_")
        np.testing.assert_array_equal(report.arrays[f"path_{key}"], curve.states)
        np.testing.assert_array_equal(report.arrays[f"times_{key}"], curve.times)
    paths = [key for key in report.arrays if key.startswith("path_")]
    assert len(paths) == len(report.results["paths"])
    np.testing.assert_array_equal(report.arrays["points"], found.sample.points)
    np.testing.assert_array_equal(report.arrays["weights"], found.sample.weights)
    assert ("labels" in report.arrays) == (found.sample.labels is not None)
    assert ("theta" in report.arrays) == (found.network is not None)


def test_the_network_can_be_rebuilt_from_the_archive(trained):
    arrays, results = trained.arrays, trained.results
    depth, per_layer = arrays["theta"].shape
    dim = arrays["points"].shape[1]
    width = next(
        width
        for width in itertools.count(1)
        if gn.TanhField(dim=dim, width=width).n_parameters >= per_layer
    )
    network = gn.Network(gn.TanhField(dim=dim, width=width), depth=depth)
    assert network.parameters_shape == arrays["theta"].shape
    states = network.states(arrays["theta"], arrays["points"])
    np.testing.assert_allclose(states, arrays["path_network"], rtol=1e-12, atol=1e-12)
    readout = gn.Readout(arrays["readout_weight"], arrays["readout_bias"])
    right = np.mean(readout(states[-1]).argmax(axis=1) == arrays["labels"])
    assert right == pytest.approx(results["network"]["train_accuracy"])
    total = arrays["theta"].size + readout.weight.size + readout.bias.size
    assert total == results["network"]["parameters"]


def test_the_least_action_network_can_be_rebuilt_from_the_archive(least):
    arrays, found = least.arrays, least.comparison
    states = found.network.states(arrays["theta_least_action"], arrays["points"])
    np.testing.assert_array_equal(states, arrays["path_least_action"])
    readout = gn.Readout(arrays["readout_weight_least_action"], arrays["readout_bias_least_action"])
    right = np.mean(readout(states[-1]).argmax(axis=1) == arrays["labels"])
    assert right == pytest.approx(least.results["least_action"]["train_accuracy"])
    assert (arrays["theta"] != arrays["theta_least_action"]).any()


def test_lengths_can_be_measured_anew_from_the_archive(trained):
    arrays = trained.arrays
    space = gn.FunctionSpace(gn.Sample(arrays["points"], weights=arrays["weights"]))
    readout = gn.Readout(arrays["readout_weight"], arrays["readout_bias"])
    metrics = {
        "l2": gn.L2Metric(space),
        "energy": gn.EnergyMetric(space, gn.Matern32Kernel()),
        "fisher-rao": gn.FisherRaoMetric(space, gn.Categorical(3), readout),
    }
    for path, name in itertools.product(PATHS, METRICS):
        key = path.replace("-", "_")
        curve = gn.Curve(arrays[f"path_{key}"], arrays[f"times_{key}"])
        expected = trained.results["length"][path][name]
        assert curve.length(metrics[name]) == pytest.approx(expected, rel=1e-6)
