"""A comparison measures every path in every metric, keeps its law, and owns up where it fails."""

import dataclasses
import functools
import itertools
import shlex
import statistics

import numpy as np
import pytest
from sklearn import datasets as originals

import geomnet as gn
from geomnet.geodesics import solve
from geomnet.studies import solving as study

METRICS = ("l2", "energy", "fisher-rao")
SMALL = {"n": 30, "depth": 3, "steps": 8}
QUICK = {"n": 20, "depth": 2, "steps": 8, "metrics": ("l2",)}


def flowers(n=30, seed=0):
    return gn.datasets.load("iris", n=n, seed=seed)


@functools.cache
def case(name):
    """One comparison of each kind, made once."""
    if name == "trained":
        return gn.compare("iris", **SMALL)
    if name == "swirl":
        return gn.compare("iris", target="swirl", **SMALL)
    if name == "least action":
        return gn.compare("iris", least_action=1e-2, **SMALL)
    return gn.compare(gn.Sample(flowers().points, name="unlabelled"), **SMALL)


@pytest.fixture(params=["trained", "swirl", "unlabelled"])
def found(request):
    return case(request.param)


def write_npz(folder, name="data.npz", **arrays):
    path = folder / name
    np.savez(path, **arrays)
    return path


def write_csv(folder, header, *columns, name="data.csv"):
    path = folder / name
    lines = [",".join(map(str, row)) for row in zip(*columns)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


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


def stretched(geo, by=1.5, **certificate):
    return dataclasses.replace(
        geo,
        distance=by * geo.distance,
        certificate=dataclasses.replace(geo.certificate, **certificate),
    )


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
        solve,
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


# -- targets ----------------------------------------------------------------------------------


def test_the_trained_target_is_what_the_network_computes():
    found = case("trained")
    assert found.network.depth == SMALL["depth"]
    states = found.network.states(found.fit.theta, found.sample)
    np.testing.assert_array_equal(found.network_curve.states, states)
    assert found.metrics["fisher-rao"].readout is found.fit.readout
    assert isinstance(found.metrics["fisher-rao"].likelihood, gn.Categorical)
    assert found.network.is_invertible(found.fit.theta)
    assert any("diffeomorphism" in note for note in found.notes)


def test_the_swirl_is_that_of_the_sample(found):
    if found.network is None:
        np.testing.assert_array_equal(
            found.curves["l2"].end, gn.datasets.swirl(found.sample.points)
        )
        assert found.fit is None


def raw_table():
    """Ten different rows, two of them twice, on two scales; each row knows its name."""
    x = np.random.default_rng(5).normal(size=(10, 2)) * [1.0, 40.0] + [3.0, -200.0]
    rows = [0, 1, 2, 1, 3, 4, 5, 6, 0, 7, 8, 9]
    target = np.stack([x[:, 0] + 0.3 * np.sin(x[:, 0]), 1.1 * x[:, 1] + x[:, 0]], axis=1)
    return x, target, np.array(rows)


def check_moved_with_its_points(found, x, target, counts):
    """The sample and its target by hand: merged, drawn, then standardised by the drawn points."""
    row = found.sample.labels  # names sort as the rows do, and none is missing
    weights = counts[row] / counts[row].sum()
    mean = weights @ x[row]
    spread = np.sqrt(weights @ (x[row] - mean) ** 2)
    assert len(set(row)) == found.sample.n == 7
    np.testing.assert_allclose(found.sample.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(found.sample.points, (x[row] - mean) / spread, atol=1e-10)
    end = (target[row] - mean) / spread
    np.testing.assert_allclose(found.curves["l2"].end, end, atol=1e-9)
    distance = np.sqrt(weights @ np.sum((end - found.sample.points) ** 2, axis=1))
    assert found.geodesics["l2"].distance == pytest.approx(distance, rel=1e-9)
    held = found.heldout.labels
    assert sorted([*row, *held]) == list(range(10))
    np.testing.assert_allclose(found.heldout.points, (x[held] - mean) / spread, atol=1e-10)


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_a_target_from_a_file_moves_with_its_points(tmp_path, where):
    x, target, rows = raw_table()
    names = np.array([f"row {i}" for i in rows])
    if where == "beside":
        data = write_csv(tmp_path, "a,b,name", *x[rows].T, names)
        path = write_npz(tmp_path, target=target[rows])
        options = {"target": str(path), "label_column": "name"}
    else:
        data = write_npz(tmp_path, points=x[rows], target=target[rows], labels=names)
        options = {"target": str(data)}
    found = gn.compare(data, **{**QUICK, "n": 7}, **options)
    assert "file" in found.target_name
    assert found.network is None
    check_moved_with_its_points(found, x, target, np.bincount(rows).astype(float))
    notes = " ".join(found.sample.notes)
    assert "2 duplicate" in notes
    assert "7 of 10" in notes
    assert "standardised" in notes


def test_weights_of_a_file_are_used(tmp_path):
    x, target, rows = raw_table()
    share = np.arange(1.0, 13.0) ** 2
    names = np.array([f"row {i}" for i in rows])
    data = write_npz(
        tmp_path, points=x[rows], target=target[rows], labels=names, weights=share / share.sum()
    )
    found = gn.compare(data, **{**QUICK, "n": 7}, target=str(data))
    check_moved_with_its_points(found, x, target, np.bincount(rows, weights=share))


@pytest.mark.parametrize(
    ("labels", "target", "says"),
    [
        (True, False, "network"),
        (True, True, "network"),
        (False, True, "file"),
        (False, False, "swirl"),
    ],
)
def test_the_default_target_is_the_best_the_data_allows(tmp_path, labels, target, says):
    x = flowers(20)
    arrays = {"points": x.points}
    arrays |= {"labels": x.labels} if labels else {}
    arrays |= {"target": x.points + 0.5} if target else {}
    found = gn.compare(write_npz(tmp_path, **arrays), **QUICK)
    assert says in found.target_name
    assert (found.network is not None) == (says == "network")


def test_a_target_of_another_kind_can_be_asked_for():
    whole = flowers(20)
    sample = gn.Sample(whole.points, labels=whole.labels, target=whole.points + 0.5)
    assert "swirl" in gn.compare(sample, target="swirl", **QUICK).target_name
    unlabelled = gn.Sample(whole.points, target=whole.points + 0.5)
    assert "swirl" in gn.compare(unlabelled, target="swirl", **QUICK).target_name


@pytest.mark.parametrize("shift", [0.0, 1e-18])
def test_a_target_that_moves_nothing_is_refused(shift):
    x = flowers(12).points
    with pytest.raises(gn.InputError, match=r"^target: "):
        gn.compare(gn.Sample(x, target=x + shift), **QUICK)


# -- readouts without a network ---------------------------------------------------------------


def test_without_labels_fisher_rao_repeats_l2_and_says_so():
    found = case("unlabelled")
    assert isinstance(found.metrics["fisher-rao"].likelihood, gn.Gaussian)
    factor = np.sqrt(1 + found.metrics["fisher-rao"].ridge)
    assert factor == pytest.approx(1, abs=1e-3)
    for lengths in found.lengths.values():
        assert lengths["fisher-rao"] == pytest.approx(factor * lengths["l2"], rel=1e-7)
    distances = {name: geo.distance for name, geo in found.geodesics.items()}
    assert distances["fisher-rao"] == pytest.approx(factor * distances["l2"], rel=1e-9)
    assert any("repeats L2" in note and "label" in note for note in found.notes)


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("data", ["iris", "breast_cancer"])
def test_with_labels_an_untrained_target_is_read_by_logistic_regression(data):
    options = {**QUICK, "n": 40, "metrics": ("fisher-rao",)}
    found = case("swirl") if data == "iris" else gn.compare(data, target="swirl", **options)
    metric, sample = found.metrics["fisher-rao"], found.sample
    classes = np.unique(sample.labels)
    assert metric.likelihood == gn.Categorical(len(classes))
    p = softmax(metric.readout(found.curves["fisher-rao"].end))
    hit = np.eye(len(classes))[sample.labels]
    # where the bias is free, the mean prediction is the share of each class
    np.testing.assert_allclose(sample.weights @ p, sample.weights @ hit, atol=2e-3)
    assert np.mean(p.argmax(axis=1) == sample.labels) > 0.8
    assert any("logistic regression" in note for note in found.notes)
    assert not any("repeats L2" in note for note in found.notes)


def test_a_trained_network_needs_neither_note():
    notes = " ".join(case("trained").notes)
    assert "logistic" not in notes
    assert "repeats L2" not in notes


# -- labels -----------------------------------------------------------------------------------


def test_classes_may_be_strings(tmp_path):
    x, y = originals.load_iris(return_X_y=True)
    options = {**QUICK, "label_column": "kind", "metrics": ("l2", "fisher-rao")}
    found = []
    for names in ([0, 1, 2], sorted(["Äpfel", "a 'b'", "<i>"])):  # one order: the same classes
        labels = [names[k] for k in y]
        data = write_csv(tmp_path, "a,b,c,d,kind", *x.T, labels, name=f"{names[0]}.csv")
        found.append(gn.compare(data, **options))
    assert found[0].as_dict()["data"]["classes"] == 3
    assert found[0].lengths == found[1].lengths
    assert found[0].fit.heldout_accuracy == found[1].fit.heldout_accuracy


def test_one_class_cannot_be_trained_on_but_swirled(tmp_path):
    data = write_csv(tmp_path, "a,b,kind", *flowers(20).points[:, :2].T, ["one"] * 20)
    with pytest.raises(gn.InputError, match=r"^labels: .*swirl"):
        gn.compare(data, label_column="kind", **QUICK)
    options = {**QUICK, "metrics": ("l2", "fisher-rao")}
    found = gn.compare(data, label_column="kind", target="swirl", **options)
    assert isinstance(found.metrics["fisher-rao"].likelihood, gn.Gaussian)


@pytest.mark.parametrize(
    "labels",
    [
        np.linspace(0.0, 1.0, 30),
        np.arange(30),
        np.array([f"flower {i}" for i in range(30)]),
        np.arange(30) // 1.5,
    ],
    ids=["numbers", "row numbers", "names", "most differ"],
)
def test_labels_that_are_no_classes_are_refused(labels):
    with pytest.raises(gn.InputError, match=r"^labels: .*no classes"):
        gn.compare(gn.Sample(flowers(30).points, labels=labels), **QUICK)


@pytest.mark.parametrize("labels", [[0, 1], [2.5, 7.5, 2.5, 7.5], list("abcabc")])
def test_few_points_may_have_few_classes(labels):
    found = gn.compare(gn.Sample(flowers(len(labels)).points, labels=labels), **QUICK)
    assert found.as_dict()["data"]["classes"] == len(set(labels))
    assert found.ok


@pytest.mark.parametrize("target", ["trained", "swirl"])
def test_a_class_that_was_not_drawn_is_still_a_class(tmp_path, target):
    x = flowers(30).points
    labels = np.array(["common", "frequent"] * 14 + ["rare"] * 2)
    data = write_npz(tmp_path, points=x, labels=labels)
    drawn = (gn.datasets.load(data, n=20, seed=seed).labels for seed in itertools.count())
    seed = next(k for k, names in enumerate(drawn) if "rare" not in names)
    options = {**QUICK, "metrics": ("l2", "fisher-rao"), "seed": seed}
    found = gn.compare(data, target=target, **options)
    assert found.ok
    assert found.metrics["fisher-rao"].likelihood == gn.Categorical(3)
    p = softmax(found.metrics["fisher-rao"].readout(found.curves["l2"].end))
    assert (p[:, 2] < 0.2).all()
    assert set(found.heldout.labels) >= {2}


def test_accuracies_are_shares_of_right_predictions():
    found = case("trained")
    network = found.as_dict()["network"]
    for part, accuracy in ((found.sample, "train_accuracy"), (found.heldout, "heldout_accuracy")):
        z = found.fit.readout(found.network(found.fit.theta, part.points))
        right = np.mean(z.argmax(axis=1) == part.labels)
        assert network[accuracy] == getattr(found.fit, accuracy) == pytest.approx(right)
    assert found.sample.n + found.heldout.n == 149
    assert found.as_dict()["data"]["heldout"] == found.heldout.n


def test_where_all_points_are_taken_none_are_held_out():
    whole = flowers(15)
    found = gn.compare(gn.Sample(whole.points, labels=whole.labels), **QUICK)
    assert found.heldout is None
    assert found.fit.heldout_accuracy is None
    assert found.as_dict()["data"]["heldout"] == 0
    assert found.runs[0]["heldout_accuracy"] is None


# -- samples of one's own ---------------------------------------------------------------------


def test_a_sample_is_taken_whole_and_as_it_is():
    rng = np.random.default_rng(2)
    x, weights = 100 + 7 * rng.normal(size=(25, 3)), rng.uniform(1, 2, size=25)
    sample = gn.Sample(x, weights=weights / weights.sum(), labels=x[:, 0] > 100, name="mine")
    found = gn.compare(sample, **{**QUICK, "n": 5})
    np.testing.assert_array_equal(found.sample.points, x)
    np.testing.assert_array_equal(found.sample.weights, sample.weights)
    assert found.sample.name == found.as_dict()["data"]["name"] == "mine"
    assert found.as_dict()["data"]["classes"] == 2


def test_duplicates_of_a_sample_are_merged():
    x = flowers(12).points
    sample = gn.Sample(np.concatenate([x, x[:3]]), labels=np.arange(15) % 3 % 2)
    found = gn.compare(sample, target="swirl", **QUICK)
    assert found.sample.n == 12
    np.testing.assert_allclose(found.sample.weights[:3], 2 / 15)


def test_a_sample_takes_its_target_from_a_file_too(tmp_path):
    x = flowers(12).points
    moved = x + np.array([1.0, 0, 0, 0])
    path = write_npz(tmp_path, target=moved)
    for own in (None, x - 1.0):
        found = gn.compare(gn.Sample(x, target=own), target=str(path), **QUICK)
        np.testing.assert_allclose(found.curves["l2"].end, moved)
    for wrong in ("missing.npz", "swril"):
        with pytest.raises(gn.InputError, match=rf"^target: .*{wrong}"):
            gn.compare(gn.Sample(x, target=x + 1.0), target=wrong, **QUICK)


def test_what_repeats_a_comparison_of_ones_own_sample_is_python():
    sample = flowers(12)
    again = gn.compare(sample, target="swirl", **QUICK).as_dict()["command"]
    assert not again.startswith("geomnet compare")
    repeated = eval(again.removeprefix("geomnet."), {"compare": gn.compare, "sample": sample})
    assert repeated.as_dict()["command"] == again


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
        solve,
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
