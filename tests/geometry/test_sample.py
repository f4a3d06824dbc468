"""A sample checks what it is given, keeps it, and merges equal points without changing means."""

import dataclasses

import numpy as np
import pytest

import geomnet as gn

POINTS = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


def test_the_default_weights_are_equal():
    sample = gn.Sample(POINTS)
    np.testing.assert_array_equal(sample.weights, [1 / 3] * 3)
    assert (sample.n, sample.dim, len(sample)) == (3, 2, 3)
    assert sample.labels is None
    assert sample.target is None


def test_integers_become_float64():
    sample = gn.Sample([[0, 1], [2, 3]], weights=np.float32([0.5, 0.5]), target=[[1, 2], [3, 4]])
    assert sample.points.dtype == sample.target.dtype == sample.weights.dtype == np.float64


def test_what_is_given_is_kept():
    labels = np.array(["a", "b", "a"])
    sample = gn.Sample(
        POINTS, [0.5, 0.3, 0.2], labels=labels, target=np.ones((3, 2)), name="s", notes=["drawn"]
    )
    np.testing.assert_array_equal(sample.points, POINTS)
    np.testing.assert_array_equal(sample.weights, [0.5, 0.3, 0.2])
    np.testing.assert_array_equal(sample.labels, labels)
    np.testing.assert_array_equal(sample.target, np.ones((3, 2)))
    assert sample.notes == ("drawn",)
    assert repr(sample) == "Sample(name='s', n=3, dim=2, classes=2, target)"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("points", [1.0, 2.0]),
        ("points", [[[1.0]]]),
        ("points", np.zeros((0, 2))),
        ("points", np.zeros((3, 0))),
        ("points", [[0.0, np.nan], [1.0, 2.0], [3.0, 4.0]]),
        ("points", [["a", "b"], ["c", "d"], ["e", "f"]]),
        ("points", [[0.0, 1.0], [2.0], [3.0, 4.0]]),
        ("weights", [0.5, 0.5]),
        ("weights", [0.5, 0.5, 0.0]),
        ("weights", [0.8, 0.4, -0.2]),
        ("weights", [1.0, 1.0, 1.0]),
        ("weights", [0.5, 0.25, 0.25 + 1e-6]),
        ("weights", [0.5, 0.5, np.nan]),
        ("labels", [0, 1]),
        ("labels", [[0], [1], [2]]),
        ("labels", [0.0, 1.0, np.nan]),
        ("target", [[0.0, 1.0]]),
        ("target", np.zeros((3, 3))),
        ("target", np.full((3, 2), np.inf)),
    ],
)
def test_bad_input_is_refused_by_name(argument, value):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.Sample(**{"points": POINTS, argument: value})


def test_a_sample_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        gn.Sample(POINTS).weights = np.ones(3)


def test_replace_checks_anew():
    sample = gn.Sample(POINTS, name="s")
    assert sample.replace(name="t").name == "t"
    assert sample.name == "s"
    with pytest.raises(gn.InputError, match=r"^weights: "):
        sample.replace(points=[[0.0, 1.0]])


def test_notes_are_added_in_order():
    sample = gn.Sample(POINTS, notes=("first",))
    assert sample.noted("second", "third").notes == ("first", "second", "third")
    assert sample.notes == ("first",)


def test_a_part_keeps_the_ratios_of_its_weights():
    sample = gn.Sample(POINTS, [0.5, 0.2, 0.3], labels=["a", "b", "c"], target=np.array(POINTS) + 1)
    part = sample.take([2, 0])
    np.testing.assert_allclose(part.weights, [0.375, 0.625], rtol=1e-15)
    np.testing.assert_array_equal(part.points, [POINTS[2], POINTS[0]])
    np.testing.assert_array_equal(part.target, np.array([POINTS[2], POINTS[0]]) + 1)
    assert part.labels.tolist() == ["c", "a"]
    np.testing.assert_array_equal(
        sample.take(np.array([True, False, True])).points, part.points[::-1]
    )


def drawn_with_duplicates(seed=0, n=40):
    """Draw a weighted sample of few places, with labels and targets that belong to the place."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(9, 2))
    index = rng.integers(0, 9, size=n)
    weights = rng.uniform(0.1, 1, size=n)
    return gn.Sample(
        places[index], weights / weights.sum(), labels=index, target=np.sin(places)[index]
    )


@pytest.mark.parametrize("seed", range(3))
def test_merging_changes_no_mean(seed):
    sample = drawn_with_duplicates(seed)
    merged = sample.merge_duplicates()
    assert merged.n == len({tuple(x) for x in sample.points})
    for moment in (np.ones_like, np.sin, np.square):
        np.testing.assert_allclose(
            merged.weights @ moment(merged.points),
            sample.weights @ moment(sample.points),
            atol=1e-14,
        )


def test_merging_keeps_the_order_of_first_appearance_and_what_belongs_to_it():
    sample = drawn_with_duplicates()
    merged = sample.merge_duplicates()
    first = {}
    for i, point in enumerate(map(tuple, sample.points)):
        first.setdefault(point, i)
    order = list(first.values())
    np.testing.assert_array_equal(merged.points, sample.points[order])
    np.testing.assert_array_equal(merged.labels, sample.labels[order])
    np.testing.assert_array_equal(merged.target, sample.target[order])
    for point, weight in zip(merged.points, merged.weights):
        same = [w for x, w in zip(sample.points, sample.weights) if (x == point).all()]
        assert weight == pytest.approx(sum(same), rel=1e-14)


def test_merging_is_reported_and_done_once():
    sample = gn.Sample([[0.0], [1.0], [0.0], [0.0]], notes=("kept",))
    merged = sample.merge_duplicates()
    assert merged.notes[0] == "kept"
    assert merged.notes[1].startswith("2 duplicate points")
    assert merged.merge_duplicates() is merged


def test_the_two_zeros_are_one_point():
    assert gn.Sample([[0.0, 1.0], [-0.0, 1.0]]).merge_duplicates().n == 1


def test_noisy_labels_are_settled_by_weight_and_noted():
    points = [[0.0], [0.0], [0.0], [1.0]]
    merged = gn.Sample(points, [0.3, 0.2, 0.2, 0.3], labels=["a", "b", "b", "c"]).merge_duplicates()
    assert merged.labels.tolist() == ["b", "c"]
    assert any("different labels" in note for note in merged.notes)
    agreed = gn.Sample(points, labels=["a", "a", "a", "c"]).merge_duplicates()
    assert not any("different labels" in note for note in agreed.notes)


def test_equal_points_with_two_targets_are_refused_by_their_rows():
    points = [[1.0], [0.0], [2.0], [0.0]]
    with pytest.raises(gn.InputError, match=r"^target: points 1 and 3 "):
        gn.Sample(points, target=[[1.0], [0.0], [2.0], [5.0]]).merge_duplicates()
