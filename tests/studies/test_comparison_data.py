"""Comparison data: targets, readouts without a network, labels, samples of one's own."""

import itertools

import numpy as np
import pytest
from comparison_common import QUICK, SMALL, case, flowers
from sklearn import datasets as originals

import geomnet as gn


def write_npz(folder, name="data.npz", **arrays):
    path = folder / name
    np.savez(path, **arrays)
    return path


def write_csv(folder, header, *columns, name="data.csv"):
    path = folder / name
    lines = [",".join(map(str, row)) for row in zip(*columns)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


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
