"""Comparison least action: least action."""

import functools
import itertools

import numpy as np
import pytest
from comparison_common import METRICS, QUICK, SMALL, case, flowers, stretched

import geomnet as gn
from geomnet.geodesics import plan
from geomnet.studies import geodesics as study

# -- least action -----------------------------------------------------------------------------


def test_the_network_itself_is_compared_as_without():
    found, plain = case("least action"), case("trained")
    np.testing.assert_array_equal(found.fit.theta, plain.fit.theta)
    assert found.excess == plain.excess
    for path in plain.lengths:
        assert found.lengths[path] == plain.lengths[path]
    assert plain.least_action is None
    assert plain.least_action_excess == {}
    assert plain.as_dict()["least_action"] is None


def test_the_least_action_network_is_trained_likewise():
    found = case("least action")
    least = found.least_action
    assert (least.weight, least.metric) == (1e-2, "energy")
    again = gn.train(
        found.network,
        found.sample,
        gn.Categorical(3),
        heldout=found.heldout,
        max_step_lipschitz=0.7,
        action=found.metrics["energy"],
        weight=1e-2,
    )
    np.testing.assert_array_equal(least.fit.theta, again.theta)
    assert least.fit.action_energy < 0.8 * least.plain_energy
    squared = found.metrics["energy"].squared_step(
        found.network_curve.states[:-1], found.network_curve.states[1:]
    )
    assert least.plain_energy == pytest.approx(3 * squared.sum())


def test_the_least_action_network_has_its_own_map_and_distance():
    found = case("least action")
    least = found.least_action
    assert list(found.curves) == list(found.lengths) == [*METRICS, "network", "least-action"]
    np.testing.assert_array_equal(
        found.curves["least-action"].states, found.network.states(least.fit.theta, found.sample)
    )
    assert np.abs(least.curve.end - found.network_curve.end).max() > 0.01
    assert list(least.geodesics) == list(METRICS)
    for name, geo in least.geodesics.items():
        np.testing.assert_allclose(geo.path[0], found.sample.points, atol=1e-14)
        np.testing.assert_allclose(geo.path[-1], least.curve.end, atol=1e-14)
        assert geo.certificate.converged
        length = found.lengths["least-action"][name]
        assert found.least_action_excess[name] == pytest.approx(length / geo.distance)
        assert length < found.lengths["network"][name]
        assert length >= geo.distance * (1 - 1e-9) - geo.error_estimate
    assert found.geodesics_of("least-action") is least.geodesics
    for path in (*METRICS, "network"):
        assert found.geodesics_of(path) is found.geodesics
    closed = found.lower_bounds_of("least-action")["fisher-rao"]
    assert 0 < closed < least.geodesics["fisher-rao"].distance


def test_least_action_is_explained():
    notes = " ".join(case("least action").notes)
    assert "0.01 times the energy of its path in the energy metric" in notes
    assert f"{case('least action').least_action.plain_energy:.4g}" in notes
    assert "by the trained network's readout" in notes


def test_a_weight_of_zero_is_the_same_network_and_needs_no_new_geodesics(monkeypatch):
    honest, count = study.geodesic, itertools.count()

    def counted(*args, **options):
        next(count)
        return honest(*args, **options)

    monkeypatch.setattr(study, "geodesic", counted)
    found = gn.compare("iris", least_action=0, **QUICK)
    np.testing.assert_array_equal(found.least_action.fit.theta, found.fit.theta)
    assert found.lengths["least-action"] == found.lengths["network"]
    assert found.least_action_excess == found.excess
    assert found.least_action.geodesics["l2"] is found.geodesics["l2"]
    assert next(count) == 1


def test_the_action_need_not_be_among_the_metrics_compared():
    found = gn.compare("iris", least_action=1e-2, action_metric="fisher-rao", **QUICK)
    assert list(found.metrics) == ["l2"]
    least = found.least_action
    assert least.metric == "fisher-rao"
    # the metric reads the first network's predictions: the second keeps that readout
    np.testing.assert_array_equal(least.fit.readout.weight, found.fit.readout.weight)
    np.testing.assert_array_equal(least.fit.readout.bias, found.fit.readout.bias)
    metric = gn.FisherRaoMetric(
        gn.FunctionSpace(found.sample), gn.Categorical(3), found.fit.readout
    )
    states = least.curve.states
    energy = 2 * metric.squared_step(states[:-1], states[1:]).sum()
    assert least.fit.action_energy == pytest.approx(energy)
    assert energy < least.plain_energy
    assert any("keeps the other's readout" in note for note in found.notes)


def test_the_law_holds_the_least_action_network_to_its_own_distance(monkeypatch):
    honest = study.geodesic

    def stretched_for_it(metric, start, end, **options):
        geo = honest(metric, start, end, **options)
        size = np.abs(end - start).max()
        return stretched(geo, by=3) if size < 0.9 * sizes["network"] else geo

    plain = case("least action")
    sizes = {"network": np.abs(plain.network_curve.end - plain.sample.points).max()}
    assert np.abs(plain.least_action.curve.end - plain.sample.points).max() < 0.9 * sizes["network"]
    monkeypatch.setattr(study, "geodesic", stretched_for_it)
    found = gn.compare("iris", least_action=1e-2, **{**SMALL, "metrics": ("l2",)})
    (problem,) = found.problems
    assert problem.startswith("l2: a shorter path")
    assert "the least-action path" in problem
    assert not found.ok


def test_a_least_action_geodesic_that_does_not_converge_is_named(monkeypatch):
    monkeypatch.setattr(
        plan,
        "PathNewtonCG",
        functools.partial(gn.geodesics.PathNewtonCG, max_iter=1, max_products=1),
    )
    found = gn.compare("iris", least_action=1e-3, **{**QUICK, "metrics": ("energy",)})
    assert not found.least_action.geodesics["energy"].certificate.converged
    assert any(p.startswith("least-action energy: did not converge") for p in found.problems)


def test_least_action_over_seeds():
    found = gn.compare("iris", least_action=1e-2, seeds=2, **QUICK)
    assert len(found.runs) == 2
    assert found.runs[0]["least_action_excess"] == found.least_action_excess
    ratios = [run["least_action_excess"]["l2"] for run in found.runs]
    assert found.spread["l2"]["least_action_excess_mean"] == pytest.approx(np.mean(ratios))
    assert found.spread["l2"]["least_action_distance_sd"] > 0
    assert "least_action_excess_mean" not in case("trained").spread["l2"]


@pytest.mark.parametrize(
    ("says", "options"),
    [
        ("least_action: .*at least zero", {"least_action": -1e-3}),
        ("least_action: .*nan", {"least_action": np.nan}),
        ("least_action: .*'1'", {"least_action": "1"}),
        ("least_action: .*'swirl'", {"least_action": 1, "target": "swirl"}),
        ("action_metric: .*'l3'", {"least_action": 1, "action_metric": "l3"}),
        ("action_metric: .*least_action", {"action_metric": "l2"}),
    ],
)
def test_bad_least_action_is_refused(says, options):
    with pytest.raises(gn.InputError, match=f"^{says}"):
        gn.compare("iris", **QUICK, **options)


def test_least_action_needs_a_network():
    with pytest.raises(gn.InputError, match=r"^least_action: .*labels"):
        gn.compare(gn.Sample(flowers().points), least_action=1, **SMALL)
