"""Cli data: bad data, singular kernels."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from cli_common import POINTS, QUICK, csv, npz, refused

# -- bad data ---------------------------------------------------------------------------------

BAD_CSV = {
    "empty": ("", ["bad.csv", "not a readable CSV"]),
    "header only": ("a,b\n", ["bad.csv", "no rows"]),
    "text": ("a,b\n1,2\n3,x\n5,6\n", ["bad.csv", "'b'", "text", "label column"]),
    "no number": ("a,b\n1,2\n3,\n5,6\n", ["bad.csv", "'b'", "row 3", "drop or impute"]),
    "NaN": ("a,b\n1,2\nnan,3\n5,6\n", ["bad.csv", "'a'", "row 3", "drop or impute"]),
    "infinite": ("a,b\n1,2\n-inf,3\n5,6\n", ["bad.csv", "'a'", "row 3", "infinite"]),
    "ragged": ("a,b\n1,2\n1,2,3\n", ["bad.csv", "not a readable CSV"]),
    "more fields": ("a,b\n1,2,3\n4,5,6\n", ["bad.csv", "fields", "header"]),
    "one point": ("a,b\n1,2\n", ["points: ", "two"]),
    "equal points": ("a,b\n1,2\n1,2\n1,2\n", ["points: ", "two"]),
}


@pytest.mark.parametrize("kind", BAD_CSV)
def test_a_bad_csv_file_is_named(run, kind):
    text, says = BAD_CSV[kind]
    refused(run("compare", csv("bad.csv", text), "--steps", "8"), says)


def test_no_such_column(run):
    csv("mine.csv", "a,b\n1,2\n3,4\n")
    refused(
        run("compare", "mine.csv", "--label-column", "kind"), ["label_column: ", "'kind'", "a, b"]
    )


def test_labels_that_are_missing(run):
    csv("mine.csv", "a,b,kind\n1,2,x\n3,4,\n5,7,y\n")
    refused(run("compare", "mine.csv", "--label-column", "kind"), ["label_column: ", "1 ", "drop"])


@pytest.mark.parametrize(
    ("labels", "says"), [(np.zeros(12, int), "the same"), (np.arange(12), "no classes")]
)
def test_labels_to_train_on_are_some_classes(run, labels, says):
    npz("mine.npz", points=POINTS, labels=labels)
    refused(run("compare", "mine.npz", *QUICK), ["labels: ", says])


def test_labels_are_asked_for_where_a_network_is_to_be_trained(run):
    npz("mine.npz", points=POINTS)
    refused(run("compare", "mine.npz", "--target", "trained"), ["target: ", "labels", "swirl"])


def test_least_action_needs_labels(run):
    npz("mine.npz", points=POINTS)
    refused(run("compare", "mine.npz", "--least-action", "1"), ["least_action: ", "labels"])


BAD_NPZ = {
    "no points": ({"x": POINTS}, ["bad.npz", "'points'", "holds x"]),
    "nothing": ({}, ["bad.npz", "nothing"]),
    "one point": ({"points": POINTS[:1]}, ["points: ", "two"]),
    "no point": ({"points": POINTS[:0]}, ["points: ", "(0, 2)"]),
    "one axis": ({"points": POINTS[0]}, ["points: ", "2 axes"]),
    "text": ({"points": np.array([["a", "b"]])}, ["points: ", "real numbers"]),
    "complex": ({"points": POINTS * 1j}, ["points: ", "real numbers"]),
    "NaN": ({"points": np.where(POINTS > 1, np.nan, POINTS)}, ["points: ", "drop or impute"]),
    "negative weights": (
        {"points": POINTS[:3], "weights": [1.5, -0.25, -0.25]},
        ["weights: ", "positive", "-0.25"],
    ),
    "zero weights": ({"points": POINTS[:2], "weights": [1.0, 0.0]}, ["weights: ", "positive"]),
    "weights of another sum": (
        {"points": POINTS[:3], "weights": [0.5, 0.5, 0.5]},
        ["weights: ", "sum to one", "1.5", "divide"],
    ),
    "too few weights": ({"points": POINTS, "weights": [0.5, 0.5]}, ["weights: ", "shape (12,)"]),
    "too few labels": ({"points": POINTS, "labels": [0, 1]}, ["labels: ", "shape (12,)"]),
    "target of another shape": (
        {"points": POINTS, "target": POINTS.T},
        ["target: ", "expected shape (12, 2)", "got (2, 12)"],
    ),
    "target of numbers that are none": (
        {"points": POINTS, "target": np.where(POINTS > 1, np.inf, POINTS)},
        ["target: ", "infinite"],
    ),
    "equal points with different targets": (
        {"points": [[0, 0], [1, 1], [0, 0]], "target": [[0, 0], [1, 1], [0, 1]]},
        ["target: ", "points 0 and 2 are equal", "no diffeomorphism"],
    ),
    "different points with equal targets": (
        {"points": [[0, 0], [1, 1], [2, 0]], "target": [[0, 0], [1, 1], [0, 0]]},
        ["end: ", "two of its points are equal", "diffeomorphism"],
    ),
    "a changed order on the line": (
        {"points": [[0], [1], [2]], "target": [[0], [3], [2]]},
        ["end: ", "order of the points", "diffeomorphism", "another metric"],
    ),
    "a target that moves nothing": (
        {"points": POINTS, "target": POINTS},
        ["target: ", "leaves every point"],
    ),
}


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_a_bad_npz_file_is_named(run, kind):
    arrays, says = BAD_NPZ[kind]
    refused(run("compare", npz("bad.npz", **arrays), "--steps", "8"), says)


def test_another_metric_takes_a_changed_order(run):
    npz("line.npz", points=[[0], [1], [2]], target=[[0], [3], [2]])
    for metrics in ("l2", "fisher-rao"):
        assert run("compare", "line.npz", "--metrics", metrics, "--steps", "8")[0] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.csv", b"\xff\xfe\x00\x81\n\x00"),
        ("bad.csv", bytes(range(256))),
        ("bad.npz", b""),
        ("bad.npz", b"no archive"),
        ("bad.npz", b"PK\x03\x04 broken off"),
        ("bad.npz", pickle.dumps([1, 2])),
        ("bad.parquet", b"PAR1"),
        ("bad", b"1,2\n"),
    ],
)
@pytest.mark.parametrize("role", ["data", "target"])
def test_a_file_that_is_something_else_is_named(run, name, content, role):
    Path(name).write_bytes(content)
    words = ["compare", name] if role == "data" else ["compare", "iris", "--target", name]
    refused(run(*words, *QUICK), name)


@pytest.mark.parametrize("name", ["folder.csv", "folder.npz", "folder"])
@pytest.mark.parametrize("role", ["data", "target"])
def test_a_folder_is_no_file(run, name, role):
    Path(name).mkdir()
    words = ["compare", name] if role == "data" else ["compare", "iris", "--target", name]
    refused(run(*words, *QUICK), [f"{role}: ", name])


@pytest.mark.parametrize(
    "name", ["missing.csv", "missing.npz", "no/folder.csv", "irises", "x" * 300, "x" * 300 + ".csv"]
)
def test_a_missing_file_is_named(run, name):
    refused(run("compare", name, *QUICK), ["data: ", name])


def test_an_unknown_set_is_told_the_known_ones(run):
    says = ["digits", "iris", "wine", "breast_cancer", "moons"]
    refused(run("compare", "irises"), ["data: ", "'irises'", *says])


@pytest.mark.parametrize("name", ["missing.npz", "no/folder.npz", "x" * 300 + ".npz"])
def test_a_missing_target_is_named(run, name):
    refused(run("compare", "iris", "--target", name), ["target: ", name])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"target": POINTS[:, :1]}, ["target: ", "(12, 2)", "(12, 1)"]),
        ({"target": POINTS[:5]}, ["target: ", "(12, 2)", "(5, 2)"]),
        ({"points": POINTS}, ["to.npz", "'target'", "holds points"]),
        ({"target": POINTS.astype(str)}, ["target: ", "real numbers"]),
        ({"target": np.full((12, 2), np.nan)}, ["target: ", "24"]),
        ({"target": POINTS}, ["target: ", "leaves every point"]),
    ],
)
def test_a_target_that_does_not_fit_is_named(run, arrays, says):
    npz("mine.npz", points=POINTS)
    npz("to.npz", **arrays)
    refused(run("compare", "mine.npz", "--target", "to.npz", *QUICK), says)


class Payload:
    """Unpickling it leaves a mark."""

    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


@pytest.mark.parametrize("name", ["points", "labels", "weights", "target"])
def test_pickled_objects_are_never_unpickled(run, name):
    objects = np.empty(12, dtype=object)
    objects[:] = Payload()
    npz("trap.npz", **{"points": POINTS, name: objects})
    refused(run("compare", "trap.npz", *QUICK), ["trap.npz", f"'{name}'", "pickled", "plain"])
    if name == "target":
        refused(run("compare", "iris", "--target", "trap.npz", *QUICK), ["trap.npz", "pickled"])
    Path("trap.npz").write_bytes(pickle.dumps(Payload()))
    refused(run("compare", "trap.npz", *QUICK), "trap.npz")
    assert not Path("unpickled").exists()
    pickle.loads(Path("trap.npz").read_bytes())  # the trap works
    assert Path("unpickled").exists()


def test_numbers_too_large_to_square_are_numbers(run):
    npz("huge.npz", points=1e300 * POINTS)
    status, _, error = run("compare", "huge.npz", *QUICK)
    assert (status, error) == (0, "")


def test_any_seed_will_do(run):
    assert run("compare", "moons", *QUICK, "--seed", 2**40)[::2] == (0, "")


# -- singular kernels -------------------------------------------------------------------------


def test_a_gaussian_kernel_on_iris_is_told_its_condition_and_the_mends(run):
    words = ("--kernel", "gaussian", "--target", "swirl", "--metrics", "energy")
    message = refused(
        run("compare", "iris", *words),
        ["kernel", "condition", "1e+12", "matern32", "smaller width", "fewer points", "nugget"],
    )
    condition = float(message.partition("of condition ")[2].split()[0])
    assert condition > 1e12


MENDS = {
    "a rougher kernel": ("--kernel", "matern32"),
    "a smaller width": ("--width", "0.2"),
    "fewer points": ("--n", "5"),
    "a nugget": ("--nugget", "0.01"),
}


@pytest.mark.parametrize("mend", [None, *MENDS])
def test_the_mends_of_a_singular_kernel_mend_it(run, mend):
    csv("line.csv", "x\n" + "\n".join(map(str, range(25))) + "\n")
    words = ("compare", "line.csv", "--metrics", "energy", "--steps", "8", "--kernel", "gaussian")
    if mend is None:
        refused(run(*words), "condition")
    else:
        assert run(*words, *MENDS[mend])[::2] == (0, "")


def test_points_too_close_are_singular_in_any_kernel(run):
    npz("close.npz", points=np.concatenate([POINTS, POINTS[:1] + 1e-13]))
    refused(run("compare", "close.npz", "--steps", "8"), ["condition", "too close", "nugget"])
