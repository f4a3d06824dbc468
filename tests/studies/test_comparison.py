"""A comparison measures every path in every metric, keeps its law, and owns up where it fails."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from comparison_common import METRICS, QUICK, case, stretched

import geomnet as gn
from geomnet.geodesics import plan
from geomnet.studies import geodesics as study

# -- lengths, distances, excess ---------------------------------------------------------------


def test_every_path_is_measured_in_every_metric(found):
    paths = [*METRICS, "network"] if found.network is not None else [*METRICS]
    assert list(found.metrics) == list(found.geodesics) == list(METRICS)
    assert list(found.curves) == list(found.lengths) == list(found.speeds) == paths
    for path in paths:
        assert list(found.lengths[path]) == list(found.speeds[path]) == list(METRICS)
        assert all(length > 0 for length in found.lengths[path].values())


def test_all_paths_run_from_the_sample_to_one_target(found):
    ends = [curve.end for curve in found.curves.values()]
    for curve in found.curves.values():
        np.testing.assert_allclose(curve.start, found.sample.points, rtol=0, atol=1e-14)
        np.testing.assert_allclose(curve.end, ends[-1], rtol=0, atol=1e-14)


def test_no_path_is_shorter_than_the_distance_less_its_error(found):
    assert found.ok
    assert found.problems == []
    for path, name in itertools.product(found.curves, METRICS):
        geo = found.geodesics[name]
        assert found.lengths[path][name] >= geo.distance * (1 - 1e-9) - geo.error_estimate


def test_geodesics_are_certified(found):
    for geo in found.geodesics.values():
        assert geo.certificate.converged
        assert geo.certificate.gradient_norm <= geo.certificate.tolerance


def test_no_distance_passes_its_closed_lower_bound(found):
    assert list(found.lower_bounds) == ["fisher-rao"]
    geo = found.geodesics["fisher-rao"]
    assert 0 < found.lower_bounds["fisher-rao"] <= geo.distance + geo.error_estimate


def test_lengths_are_speeds_times_durations(found):
    for path, curve in found.curves.items():
        for name in METRICS:
            total = np.sum(found.speeds[path][name] * np.diff(curve.times))
            assert total == pytest.approx(found.lengths[path][name], rel=1e-12)


def test_excess_is_the_length_of_the_network_over_the_distance():
    found = case("trained")
    for name, geo in found.geodesics.items():
        ratio = found.lengths["network"][name] / geo.distance
        assert found.excess[name] == pytest.approx(ratio, rel=1e-14)
        assert ratio > 1


@pytest.mark.parametrize("name", ["swirl", "unlabelled"])
def test_without_a_network_there_is_no_excess(name):
    assert list(case(name).excess) == list(METRICS)
    assert np.isnan(list(case(name).excess.values())).all()
    assert case(name).as_dict()["network"] is None


def by_hand(metric, states, parts=64):
    """Length of the polygon by the midpoint rule, from a function of velocity and place."""
    total = 0.0
    for start, end in itertools.pairwise(states):
        for k in range(parts):
            place = start + (k + 0.5) / parts * (end - start)
            total += np.sqrt(metric(end - start, place)) / parts
    return total


def test_lengths_are_those_of_the_formulas():
    found = case("trained")
    x, w = found.sample.points, found.sample.weights
    pairs = np.array([np.linalg.norm(a - b) for a, b in itertools.combinations(x, 2)])
    width = np.median(pairs)
    weight, bias = found.fit.readout.weight, found.fit.readout.bias
    centred = weight - weight.mean(axis=0)
    ridge = 1e-4 * np.sum(centred**2) / 3 / np.linalg.matrix_rank(centred)

    def l2(v, at):
        return w @ np.sum(v**2, axis=1)

    def energy(v, at):
        s = np.sqrt(3) * np.linalg.norm(at[:, None] - at[None], axis=-1) / width
        return np.sum(v * np.linalg.solve((1 + s) * np.exp(-s), v))

    def fisher_rao(v, at):
        z = at @ weight.T + bias
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        dz = v @ weight.T
        fisher = np.sum(p * dz**2, axis=1) - np.sum(p * dz, axis=1) ** 2
        return w @ (fisher + ridge * np.sum(v**2, axis=1))

    for name, metric in {"l2": l2, "energy": energy, "fisher-rao": fisher_rao}.items():
        for path, curve in found.curves.items():
            length = by_hand(metric, curve.states)
            assert found.lengths[path][name] == pytest.approx(length, rel=2e-4), (path, name)


@pytest.mark.parametrize("metrics", [("fisher-rao",), ("energy", "l2"), ["l2"], "l2", "energy,l2"])
def test_only_the_metrics_asked_for_in_their_order(metrics):
    names = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    found = gn.compare("iris", **{**QUICK, "target": "swirl", "metrics": metrics})
    assert list(found.geodesics) == list(found.curves) == names
    assert found.as_dict()["metrics"] == found.as_dict()["options"]["metrics"] == names


def test_options_reach_the_metrics():
    options = {"kernel": "matern52", "width": 1.25, "nugget": 0.125, "ridge": 0.0625}
    found = gn.compare(
        "iris", target="swirl", **{**QUICK, "metrics": ("energy", "fisher-rao")}, **options
    )
    energy, fisher = found.metrics["energy"], found.metrics["fisher-rao"]
    assert isinstance(energy.kernel, gn.geometry.Matern52Kernel)
    assert (energy.kernel.width, energy.nugget, fisher.ridge) == (1.25, 0.125, 0.0625)


# -- the law, broken --------------------------------------------------------------------------


def tamper(monkeypatch, change):
    """Have every geodesic of a comparison changed after it was found."""
    honest = study.geodesic
    monkeypatch.setattr(study, "geodesic", lambda *a, **k: change(honest(*a, **k)))


def test_a_shorter_path_is_a_problem_said_by_name(monkeypatch):
    tamper(monkeypatch, stretched)
    found = gn.compare("iris", **{**QUICK, "metrics": ("l2", "energy")})
    assert not found.ok
    for name in ("l2", "energy"):
        said = [problem for problem in found.problems if problem.startswith(f"{name}: ")]
        for path in ("l2", "energy", "network"):
            if found.lengths[path][name] < found.geodesics[name].distance:
                assert any("shorter path" in p and f"the {path} path" in p for p in said)
    assert found.as_dict()["problems"] == found.problems


def test_within_the_error_estimate_no_path_is_shorter(monkeypatch):
    tamper(monkeypatch, lambda geo: stretched(geo, error_estimate=0.6 * geo.distance))
    assert gn.compare("iris", **QUICK).ok


def test_a_length_that_cannot_be_measured_is_a_problem_not_an_end(monkeypatch):
    honest = gn.Curve.step_lengths

    def step_lengths(self, metric, *arguments, **options):
        if isinstance(metric, gn.EnergyMetric) and self.n_steps == QUICK["depth"]:
            raise gn.ConvergenceError("length: points collide on this curve")
        return honest(self, metric, *arguments, **options)

    monkeypatch.setattr(gn.Curve, "step_lengths", step_lengths)
    found = gn.compare("iris", **{**QUICK, "metrics": ("l2", "energy")})
    assert np.isnan(found.lengths["network"]["energy"])
    assert np.isnan(found.excess["energy"])
    assert np.isfinite(found.lengths["network"]["l2"])
    assert np.isfinite(found.lengths["l2"]["energy"])
    (problem,) = found.problems
    assert problem.startswith("energy: ")
    assert "network" in problem
    assert "collide" in problem


# -- geodesics that do not converge -----------------------------------------------------------


def test_a_geodesic_that_does_not_converge_is_kept_and_owned_up_to(monkeypatch):
    monkeypatch.setattr(
        plan,
        "PathNewtonCG",
        functools.partial(gn.geodesics.PathNewtonCG, max_iter=1, max_products=1),
    )
    found = gn.compare("iris", **{**QUICK, "metrics": ("l2", "energy")})
    assert not found.ok
    assert list(found.geodesics) == ["l2", "energy"]
    assert found.geodesics["l2"].certificate.converged
    assert not found.geodesics["energy"].certificate.converged
    assert found.geodesics["energy"].n_steps == 4 * QUICK["steps"]
    assert np.isfinite(found.lengths["network"]["energy"])
    assert found.problems[0].startswith("energy: did not converge")
    assert "steps" in found.problems[0]
    assert not found.as_dict()["certificate"]["energy"]["converged"]


def test_more_steps_are_taken_where_they_are_needed_and_noted(monkeypatch):
    honest, asked = study.geodesic, []

    def needs_sixteen(metric, start, end, n_steps, **options):
        geo = honest(metric, start, end, n_steps=n_steps, **options)
        asked.append(n_steps)
        if n_steps < 16:
            certificate = dataclasses.replace(geo.certificate, converged=False)
            raise gn.ConvergenceError("stop", dataclasses.replace(geo, certificate=certificate))
        return geo

    monkeypatch.setattr(study, "geodesic", needs_sixteen)
    found = gn.compare("iris", **QUICK)
    assert asked == [8, 16]
    assert found.geodesics["l2"].n_steps == 16
    assert found.ok
    assert any("8 steps" in note and "16" in note for note in found.notes)


def test_no_note_of_refinement_where_there_was_none(found):
    if all(geo.n_steps == 8 for geo in found.geodesics.values()):
        assert not any("8 steps" in note for note in found.notes)


def test_a_solver_that_leaves_no_path_ends_the_comparison(monkeypatch):
    def fail(*_, **__):
        raise gn.ConvergenceError("nothing was reached")

    monkeypatch.setattr(study, "geodesic", fail)
    with pytest.raises(gn.ConvergenceError, match="nothing was reached"):
        gn.compare("iris", **QUICK)
