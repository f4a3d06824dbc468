"""Data sets arrive merged, standardised and noted, whole or split; bad files are named."""

import pickle

import numpy as np
import pytest
from sklearn import datasets as originals

import geomnet as gn
from geomnet.geometry.datasets import NAMES, load, load_split, standardise, swirl

SIZES = {"digits": 64, "iris": 4, "wine": 13, "breast_cancer": 30, "moons": 2}
CLASSES = {"digits": 10, "iris": 3, "wine": 3, "breast_cancer": 2, "moons": 2}


def original(name, seed=0):
    if name == "moons":
        return originals.make_moons(n_samples=500, noise=0.1, random_state=seed)
    return getattr(originals, f"load_{name}")(return_X_y=True)


def write_csv(folder, text, name="data.csv"):
    path = folder / name
    path.write_text(text)
    return path


def write_npz(folder, name="data.npz", **arrays):
    path = folder / name
    np.savez(path, **arrays)
    return path


def rows(n=12, seed=0):
    """Rows on very different scales."""
    return np.random.default_rng(seed).normal(size=(n, 3)) * [1.0, 50.0, 1e-3] + [0.0, 1e3, 7.0]


# -- named sets -------------------------------------------------------------------------------


def test_the_names_are_all_tested():
    assert set(NAMES) == set(SIZES)


@pytest.mark.parametrize("name", NAMES)
def test_named_sets_are_the_originals_standardised(name):
    sample = load(name)
    points, labels = original(name)
    distinct, counts = np.unique(points, axis=0, return_counts=True)
    assert (sample.n, sample.dim) == (len(distinct), SIZES[name])
    assert len(np.unique(sample.labels)) == CLASSES[name]
    assert sample.name == name
    np.testing.assert_allclose(np.sort(sample.weights), np.sort(counts) / len(points), rtol=1e-12)
    # by hand: the mean and deviation of all rows, duplicates counted
    constant = np.ptp(points, axis=0) == 0
    spread = np.where(constant, 1.0, points.std(axis=0))
    by_hand = np.where(constant, 0.0, (points - points.mean(axis=0)) / spread)
    first = np.sort(np.unique(points, axis=0, return_index=True)[1])
    np.testing.assert_allclose(sample.points, by_hand[first], atol=1e-9)
    np.testing.assert_array_equal(sample.labels, labels[first])


@pytest.mark.parametrize("name", NAMES)
def test_columns_have_mean_zero_and_variance_one_or_are_zero(name):
    sample = load(name, n=70, seed=3)
    assert sample.n == 70
    assert sample.weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(sample.weights @ sample.points, 0, atol=1e-12)
    variance = sample.weights @ sample.points**2
    constant = (sample.points == 0).all(axis=0)
    np.testing.assert_allclose(variance[~constant], 1, rtol=1e-12)
    assert any("standardised" in note for note in sample.notes)
    assert any("70 of" in note for note in sample.notes)
    assert any("constant" in note for note in sample.notes) == constant.any()


def test_merged_duplicates_are_noted():
    assert load("iris").n == 149
    assert load("iris").notes[0].startswith("1 duplicate point")


def test_the_draw_belongs_to_the_seed():
    one, same, other = (load("wine", n=30, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.points, same.points)
    np.testing.assert_array_equal(one.labels, same.labels)
    assert (one.points != other.points).any()
    assert (load("moons", seed=1).points != load("moons", seed=2).points).any()


@pytest.mark.parametrize("n", [None, 149, 150, 10_000])
def test_all_points_are_taken_where_there_are_no_more(n):
    sample, heldout = load_split("iris", n=n)
    assert heldout is None
    np.testing.assert_array_equal(sample.points, load("iris").points)
    assert any("fewer than" in note for note in sample.notes) == (n is not None and n > 149)


# -- splits and standardising -----------------------------------------------------------------


def test_a_split_is_of_the_rows_and_on_the_scale_of_the_sample(tmp_path):
    raw, weights = rows(), np.arange(1.0, 13.0) / 78
    target = np.sin(raw)
    path = write_npz(tmp_path, points=raw, labels=np.arange(12), weights=weights, target=target)
    sample, heldout = load_split(path, n=7, seed=4)
    assert sorted([*sample.labels, *heldout.labels]) == list(range(12))
    assert sample.n == 7
    share = weights[sample.labels] / weights[sample.labels].sum()
    mean = sum(w * x for w, x in zip(share, raw[sample.labels]))
    spread = np.sqrt(sum(w * (x - mean) ** 2 for w, x in zip(share, raw[sample.labels])))
    np.testing.assert_allclose(sample.weights, share, rtol=1e-12)
    for part in (sample, heldout):
        np.testing.assert_allclose(part.points, (raw[part.labels] - mean) / spread, atol=1e-10)
        np.testing.assert_allclose(part.target, (target[part.labels] - mean) / spread, atol=1e-9)
        assert part.weights.sum() == pytest.approx(1.0)


def test_a_given_target_moves_with_its_rows(tmp_path):
    raw, shift = np.concatenate([rows(), rows()[:3]]), np.array([1.0, 50.0, 1e-3])
    path = write_npz(tmp_path, points=raw, labels=np.arange(15))
    sample, _ = load_split(path, n=8, target=raw + shift)
    drawn = raw[sample.labels]
    spread = np.sqrt(sample.weights @ (drawn - sample.weights @ drawn) ** 2)
    moved = (sample.target - sample.points) * spread
    np.testing.assert_allclose(moved, np.broadcast_to(shift, (8, 3)), rtol=1e-9)


def test_standardising_is_done_by_weighted_moments():
    sample = gn.Sample([[0.0], [4.0]], weights=[0.75, 0.25])
    (standard,) = standardise(sample)
    # mean 1, variance ¾·1 + ¼·9 = 3
    np.testing.assert_allclose(standard.points.ravel(), [-1 / np.sqrt(3), 3 / np.sqrt(3)])


def test_standardising_twice_is_standardising_once():
    once = standardise(gn.Sample(rows()))[0]
    np.testing.assert_allclose(standardise(once)[0].points, once.points, atol=1e-12)


@pytest.mark.parametrize("unit", [1e-30, 1e-14, 1e-6, 1e9, 1e30])
def test_standardising_does_not_depend_on_units(unit):
    expected = standardise(gn.Sample(rows()))[0].points
    np.testing.assert_allclose(standardise(gn.Sample(unit * rows()))[0].points, expected, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9, 1e-20])
def test_constant_columns_become_zero(value):
    raw = rows()
    raw[:, 1] = value
    moved = raw + 1.0
    sample, other = standardise(gn.Sample(raw, target=moved), gn.Sample(moved))
    assert (sample.points[:, 1] == 0).all()
    assert (other.points[:, 1] == 0).all()
    assert sample.points[:, 0].std() == pytest.approx(1.0)
    assert "1 constant column" in sample.notes[-1]
    # a target may leave the constant: it does so by its own unit
    np.testing.assert_allclose(sample.target[:, 1], 1.0, atol=1e-6)


# -- the swirl --------------------------------------------------------------------------------


def test_swirl_turns_the_leading_plane_and_nothing_else():
    points = np.random.default_rng(0).normal(size=(40, 4)) * [3.0, 2.0, 0.1, 0.05]
    moved = swirl(points, angle=1.2, width=0.8)
    centre = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - centre)
    before, after = (points - centre) @ axes.T, (moved - centre) @ axes.T
    np.testing.assert_allclose(after[:, 2:], before[:, 2:], atol=1e-13)
    radius = np.linalg.norm(before[:, :2], axis=1)
    np.testing.assert_allclose(np.linalg.norm(after[:, :2], axis=1), radius, rtol=1e-12)
    turn = np.angle((after[:, 0] + 1j * after[:, 1]) / (before[:, 0] + 1j * before[:, 1]))
    scaled = radius / before[:, 0].std()
    np.testing.assert_allclose(np.abs(turn), 1.2 * np.exp(-(scaled**2) / (2 * 0.8**2)), atol=1e-12)
    assert len(set(np.sign(turn[np.abs(turn) > 1e-9]))) == 1


def test_swirl_is_joined_to_the_identity_and_inverted_by_turning_back():
    points = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_allclose(swirl(points, angle=0.0), points, atol=1e-14)
    # turning by a twice is turning by 2a: the radius, and so the angle, is kept
    centre = points.mean(axis=0)
    whole, half = swirl(points, angle=1.0) - centre, swirl(points, angle=0.5) - centre
    start = points - centre
    as_complex = [x[:, 0] + 1j * x[:, 1] for x in (start, half, whole)]
    np.testing.assert_allclose(as_complex[1] ** 2 / as_complex[0], as_complex[2], atol=1e-10)


def test_swirl_in_one_dimension_is_monotone():
    points = np.linspace(-5, 5, 50)[:, None]
    moved = swirl(points, angle=1.5)
    assert (np.diff(moved, axis=0) > 0).all()
    np.testing.assert_allclose(moved, points + 0.75 * np.tanh(points), atol=1e-12)


def test_swirl_of_a_single_point_is_the_point():
    np.testing.assert_array_equal(swirl([[1.0, 2.0]]), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("points", {"points": [1.0, 2.0]}),
        ("points", {"points": [[np.nan, 1.0]]}),
        ("width", {"width": 0.0}),
        ("width", {"width": -1.0}),
        ("angle", {"angle": np.nan}),
    ],
)
def test_bad_swirls_are_refused_by_argument(argument, options):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        swirl(**{"points": np.eye(3), **options})


# -- files ------------------------------------------------------------------------------------


def test_a_csv_file_is_its_columns_standardised(tmp_path):
    path = write_csv(tmp_path, "a,b\n0,10\n1,30\n2,20\n", name="three.csv")
    for given in (path, str(path)):
        sample = load(given)
        expected = (np.array([[0, 10], [1, 30], [2, 20]]) - [1, 20]) / np.sqrt([2 / 3, 200 / 3])
        np.testing.assert_allclose(sample.points, expected, rtol=1e-12)
        assert sample.name == "three"
        assert sample.labels is None


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("cat,dog,cat", ["cat", "dog", "cat"]),
        ("1,0,1", [1, 0, 1]),
        ("True,False,True", [True, False, True]),
        ("0.5,-1.5,0.25", [0.5, -1.5, 0.25]),
    ],
    ids=["text", "integers", "booleans", "numbers"],
)
def test_labels_of_a_csv_file_keep_their_kind(tmp_path, column, expected):
    lines = [f"{x},{label}" for x, label in zip((1, 2, 4), column.split(","))]
    sample = load(write_csv(tmp_path, "x,kind\n" + "\n".join(lines)), label_column="kind")
    assert sample.labels.tolist() == expected
    assert sample.dim == 1


def test_duplicate_rows_of_a_csv_file_are_merged(tmp_path):
    sample = load(write_csv(tmp_path, "a,b\n0,1\n2,5\n0,1\n0,1\n"))
    assert sample.n == 2
    np.testing.assert_allclose(sample.weights, [0.75, 0.25])


def test_an_npz_file_brings_all_it_holds(tmp_path):
    path = write_npz(
        tmp_path,
        points=np.array([[0, 1], [2, 3]]),
        labels=np.array(["a", "b"]),
        weights=np.array([0.25, 0.75]),
        target=np.array([[0.0, 1.0], [2.0, 3.0]]),
        unrelated=np.zeros(7),
    )
    sample = load(path)
    assert sample.labels.tolist() == ["a", "b"]
    np.testing.assert_allclose(sample.weights, [0.25, 0.75])
    np.testing.assert_allclose(sample.target, sample.points)
    assert sample.name == "data"


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("missing.csv", r"no file '.*missing\.csv'"),
        ("missing.npz", r"no file '.*missing\.npz'"),
        ("irises", r"known data set \(digits, iris"),
        ("folder.csv", "no file"),
        ("data.parquet", "neither a CSV nor an NPZ"),
    ],
)
def test_what_is_no_data_is_named(tmp_path, data, says):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "data.parquet").write_text("x")
    with pytest.raises(gn.InputError, match=f"^data: .*{says}"):
        load(tmp_path / data if "." in data else data)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a readable CSV"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n1,x\n", "column 'b' holds text"),
        ("a,b\n1,2\n1,\n3,4\n", "column 'b', row 3"),
        ("a,b\n1,2\n1,nan\n", "column 'b', row 3"),
        ("a,b\n-inf,2\n1,3\n", "column 'a', row 2"),
        ("a,b\n1,2\n1,2,3\n", "not a readable CSV"),
        ("a,b\n1,2,3\n4,5,6\n", "data.csv"),
    ],
    ids=["empty", "header", "text", "gap", "nan", "infinite", "one long row", "long rows"],
)
def test_bad_csv_files_are_named(tmp_path, text, says):
    with pytest.raises(gn.InputError, match=says) as caught:
        load(write_csv(tmp_path, text))
    assert "data.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_csv_file_of_bytes_is_named(tmp_path):
    (tmp_path / "data.csv").write_bytes(b"\xff\xfe\x00\x81\n\x00")
    with pytest.raises(gn.InputError, match=r"data\.csv: not a readable CSV"):
        load(tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", r"no column 'kind'; it has a, b"),
        ("a,kind\n1,x\n2,\n", r"1 labels are missing in 'kind'"),
    ],
)
def test_a_bad_label_column_is_named(tmp_path, text, says):
    with pytest.raises(gn.InputError, match=f"^label_column: .*{says}"):
        load(write_csv(tmp_path, text), label_column="kind")


def test_only_labels_are_no_data(tmp_path):
    with pytest.raises(gn.InputError, match=r"data\.csv: no rows of numbers"):
        load(write_csv(tmp_path, "kind\nx\ny\n"), label_column="kind")


def test_a_label_column_is_for_csv_files(tmp_path):
    for data in ("iris", write_npz(tmp_path, points=np.eye(2), labels=[0, 1])):
        with pytest.raises(gn.InputError, match=r"^label_column: "):
            load(data, label_column="kind")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": np.eye(2)}, "no array 'points'.* holds x"),
        ({}, "holds nothing"),
        ({"points": np.eye(2)[0]}, "^points: "),
        ({"points": np.full((2, 2), np.nan)}, "^points: "),
        ({"points": np.array([["a", "b"]])}, "^points: "),
        ({"points": np.eye(2), "weights": [1.0, 1.0]}, "^weights: .*sum to one"),
        ({"points": np.eye(2), "weights": [1.5, -0.5]}, "^weights: .*positive"),
        ({"points": np.eye(2), "weights": [0.5, 0.25, 0.25]}, "^weights: "),
        ({"points": np.eye(2), "labels": [0, 1, 2]}, "^labels: "),
        ({"points": np.eye(2), "labels": [0.0, np.nan]}, "^labels: "),
        ({"points": np.eye(2), "target": np.eye(3)}, "^target: "),
        ({"points": np.zeros((2, 2)), "target": np.eye(2)}, "^target: points 0 and 1 are equal"),
    ],
)
def test_bad_npz_files_are_named(tmp_path, arrays, says):
    with pytest.raises(gn.InputError, match=says):
        load(write_npz(tmp_path, **arrays))


class Bomb:
    """Unpickling it is the failure the test looks for."""

    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


@pytest.mark.parametrize("name", ["points", "labels", "target"])
def test_pickled_arrays_are_refused_unopened(tmp_path, name):
    bombs = np.empty(2, dtype=object)
    bombs[:] = Bomb()
    path = write_npz(tmp_path, **{"points": np.eye(2), name: bombs})
    with pytest.raises(gn.InputError, match=f"{name}.*pickled"):
        load(path)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", pickle.dumps(Bomb()), b"PK\x03\x04 broken"],
    ids=["empty", "text", "pickle", "broken"],
)  # fmt: skip
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(gn.InputError, match=r"data\.npz: "):
        load(tmp_path / "data.npz")


def test_a_bare_array_is_refused(tmp_path):
    with open(tmp_path / "data.npz", "wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(gn.InputError, match=r"data\.npz: .*bare array"):
        load(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("n", {"n": 0}),
        ("n", {"n": 2.5}),
        ("n", {"n": True}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": "x"}),
        ("target", {"target": np.zeros((3, 4))}),
    ],
)
def test_bad_arguments_are_refused_by_name(argument, options):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        load_split("iris", **options)


def test_equal_rows_with_two_targets_are_refused():
    points, _ = original("iris")
    with pytest.raises(gn.InputError, match=r"^target: points 101 and 142 are equal"):
        load_split("iris", target=points + np.arange(150)[:, None])


# -- tables without a header ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.5,1.5\n2,3\n4,7\n5,1\n", "its first line is all numbers"),
        ("1,1\n2,3\n4,7\n", "its first line is all numbers"),
        ("\n1.5,1.5\n2,3\n4,7\n", "its first line is all numbers"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.9,versicolor\n", "holds '5.1', a value"),
        ("5,3,setosa\n4,3,setosa\n6,2,versicolor\n", "holds 'setosa', a value"),
        ('-1,"a, b"\n2,c\n3,d\n', "holds '-1', a value"),
    ],
)
def test_a_first_row_of_data_is_never_taken_for_names(tmp_path, text, said):
    path = tmp_path / "table.csv"
    path.write_text(text)
    label = None if said.startswith("its first line is") else "label"
    with pytest.raises(gn.InputError, match=f"{said}.*no header"):
        gn.datasets.load(path, label_column=label)


@pytest.mark.parametrize(
    ("text", "dim"),
    [
        ("a,a\n1,2\n3,4\n5,7\n", 2),
        ("2019,2020,x\n1,2,3\n3,4,5\n5,7,9\n", 3),
        ("1e,b\n1,2\n3,4\n", 2),
    ],
)
def test_names_that_look_odd_are_names(tmp_path, text, dim):
    path = tmp_path / "table.csv"
    path.write_text(text)
    sample = gn.datasets.load(path)
    assert (sample.n, sample.dim) == (text.count("\n") - 1, dim)
