"""Comparison options: seeds, sensitivity, options and the record."""

import itertools
import shlex
import statistics

import numpy as np
import pytest
from comparison_common import QUICK, SMALL, case, flowers, stretched

import geomnet as gn
from geomnet.studies import solving as study

# -- seeds ------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers():
    again = gn.compare("iris", **SMALL)
    for path, lengths in case("trained").lengths.items():
        assert again.lengths[path] == pytest.approx(lengths, rel=1e-6)
    np.testing.assert_allclose(again.fit.theta, case("trained").fit.theta, rtol=1e-6, atol=1e-9)


def test_seeds_repeat_the_comparison_and_report_the_spread():
    several = gn.compare("iris", **QUICK, seed=4, seeds=3)
    singles = [gn.compare("iris", **QUICK, seed=seed) for seed in (4, 5, 6)]
    assert [run["seed"] for run in several.runs] == [4, 5, 6]
    assert several.lengths == singles[0].lengths
    for run, single in zip(several.runs, singles):
        assert run["distance"]["l2"] == pytest.approx(single.geodesics["l2"].distance, rel=1e-9)
        assert run["excess"]["l2"] == pytest.approx(single.excess["l2"], rel=1e-9)
        assert run["heldout_accuracy"] == single.fit.heldout_accuracy
    assert len({single.excess["l2"] for single in singles}) == 3
    for what, values in (
        ("excess", [single.excess["l2"] for single in singles]),
        ("distance", [single.geodesics["l2"].distance for single in singles]),
    ):
        spread = several.spread["l2"]
        assert spread[f"{what}_mean"] == pytest.approx(statistics.mean(values), rel=1e-9)
        assert spread[f"{what}_sd"] == pytest.approx(statistics.stdev(values), rel=1e-6)


def test_one_seed_has_no_spread():
    (run,) = case("trained").runs
    assert run["distance"] == {n: geo.distance for n, geo in case("trained").geodesics.items()}
    assert run["excess"] == case("trained").excess
    spread = case("trained").spread["l2"]
    assert spread["excess_mean"] == case("trained").excess["l2"]
    assert np.isnan(spread["excess_sd"])


def test_problems_of_later_seeds_are_told_with_their_seed(monkeypatch):
    honest, count = study.geodesic, itertools.count()
    monkeypatch.setattr(
        study,
        "geodesic",
        lambda *a, **k: stretched(honest(*a, **k), by=1.5 if next(count) == 1 else 1.0),
    )
    found = gn.compare("iris", **QUICK, seed=7, seeds=2)
    assert not found.ok
    assert all(problem.startswith("seed 8: l2: ") for problem in found.problems)


def test_any_seed_will_do():
    assert gn.compare("moons", **QUICK, seed=2**32, target="swirl").ok


# -- sensitivity ------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "metric"), [("width", "energy"), ("ridge", "fisher-rao")])
def test_the_excess_is_followed_around_the_setting(what, metric):
    found = case("trained")
    row = found.sensitivity[what]
    setting = {
        "width": found.metrics["energy"].kernel.width,
        "ridge": found.metrics["fisher-rao"].ridge,
    }[what]
    assert found.sensitivity["of"] == "network"
    assert row["metric"] == metric
    assert row["value"] == sorted(row["value"])
    middle = len(row["value"]) // 2
    assert row["value"][middle] == pytest.approx(setting)
    assert row["value"][0] < 0.6 * setting
    assert row["value"][-1] > 1.9 * setting
    # the comparison itself took 8 steps, as these do
    assert row["excess"][middle] == pytest.approx(found.excess[metric], rel=1e-4)
    assert all(excess > 1 for excess in row["excess"])


def test_without_a_network_the_straight_line_is_followed():
    found = case("swirl")
    assert found.sensitivity["of"] == "straight line"
    middle = len(found.sensitivity["width"]["value"]) // 2
    line = gn.Curve(found.curves["l2"].states[[0, -1]]).length(found.metrics["energy"])
    expected = line / found.geodesics["energy"].distance
    # the error estimate is the only difference: another start, maybe more steps
    assert found.sensitivity["width"]["excess"][middle] == pytest.approx(expected, rel=1e-2)


def test_only_what_was_compared_is_followed():
    assert set(gn.compare("iris", **QUICK).sensitivity) == {"of"}


def test_a_setting_without_a_geodesic_is_no_number(tmp_path):
    x = np.linspace(-1, 1, 9)
    sample = gn.Sample(x[:, None], target=(x + 0.1 * np.sin(3 * x))[:, None])
    options = {**QUICK, "metrics": ("energy",), "kernel": "gaussian"}
    widest = next(  # the widest kernel, roughly, that this sample bears
        width
        for width in 1.5 ** -np.arange(20.0)
        if np.linalg.cond(gn.GaussianKernel(width).matrix(sample.points)) < 1e10
    )
    found = gn.compare(sample, width=widest, **options)
    excess = found.sensitivity["width"]["excess"]
    assert np.isfinite(excess[2])
    assert np.isnan(excess[-1])
    assert found.ok


# -- options and the record -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("n", {"n": 1}),
        ("n", {"n": -5}),
        ("n", {"n": 2.5}),
        ("depth", {"depth": 0}),
        ("steps", {"steps": 0}),
        ("steps", {"steps": 10}),
        ("steps", {"steps": 4}),
        ("seed", {"seed": -1}),
        ("seeds", {"seeds": 0}),
        ("metrics", {"metrics": ()}),
        ("metrics", {"metrics": ("l2", "l3")}),
        ("metrics", {"metrics": ("l2", "l2")}),
        ("kernel", {"kernel": "cauchy"}),
        ("kernel", {"kernel": None}),
        ("width", {"width": 0.0}),
        ("width", {"width": 1e-300}),
        ("width", {"width": np.inf}),
        ("nugget", {"nugget": -1.0}),
        ("nugget", {"nugget": np.nan}),
        ("ridge", {"ridge": 0.0}),
        ("ridge", {"ridge": 1e-300}),
        ("target", {"target": "swril"}),
        ("target", {"target": "missing.npz"}),
        ("label_column", {"label_column": "kind"}),
        ("options", {"colour": "blue"}),
        ("data", {"data": "irises"}),
        ("data", {"data": None}),
    ],
)
def test_bad_options_are_refused_by_name(argument, options):
    given = {**QUICK, "data": "iris", "metrics": ("l2", "energy", "fisher-rao"), **options}
    with pytest.raises(gn.InputError, match=f"^{argument}: ") as caught:
        gn.compare(**given)
    assert "\n" not in str(caught.value)


def test_trained_needs_labels():
    with pytest.raises(gn.InputError, match=r"^target: .*label.*swirl"):
        gn.compare(gn.Sample(flowers(12).points), target="trained", **QUICK)


def test_one_point_is_no_comparison():
    with pytest.raises(gn.InputError, match=r"^points: .*two"):
        gn.compare(gn.Sample([[1.0, 2.0], [1.0, 2.0]]), **QUICK)


def test_the_record_repeats_the_comparison():
    record = case("trained").as_dict()["options"]
    again = gn.compare(record.pop("data"), **record)
    assert again.lengths["network"] == pytest.approx(case("trained").lengths["network"], rel=1e-6)


def test_the_command_names_what_is_not_the_default():
    words = shlex.split(case("trained").as_dict()["command"])
    assert words[:3] == ["geomnet", "compare", "iris"]
    given = dict(zip(words[3::2], words[4::2]))
    assert given == {"--n": "30", "--depth": "3", "--steps": "8"}


def test_a_comparison_shows_what_it_found():
    shown = repr(case("trained"))
    assert "iris" in shown
    assert f"{case('trained').excess['l2']:.3f}" in shown
    assert "ok=True" in shown
    assert any("within one metric" in note for note in case("trained").notes)
