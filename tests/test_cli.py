"""The command line: reports for good input; for bad input one line, a status, and no trace."""

import functools
import json
import os
import pickle
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import geomnet as gn
from geomnet import studies
from geomnet.cli import main
from geomnet.geodesics import solve
from geomnet.reports import writer
from geomnet.studies import solving as study
from geomnet.studies.comparison.compare import Options
from geomnet.utils import files

PACKAGE = Path(gn.__file__).parent
SMALL = ("--n", "30", "--depth", "3", "--steps", "8")
QUICK = ("--n", "20", "--depth", "2", "--steps", "8", "--metrics", "l2")
PARTS = {"report.html", "results.json", "paths.npz", "figures"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _sketches(monkeypatch):
    """In this process, figures are not drawn: what is tested is that they are written."""
    monkeypatch.setattr(
        writer, "comparison_figures", lambda _: {"lengths": b"bars", "paths": b"lines"}
    )


@pytest.fixture
def run(capsys):
    """Run the command line in this process: its status, and what it wrote to both streams."""

    def call(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:
            status = stop.code or 0
        return (status, *capsys.readouterr())

    return call


def environment(**changes):
    """Environment of a process that runs the package under test, plainly."""
    found = {k: v for k, v in os.environ.items() if k not in ("PYTHONUNBUFFERED", "PYTHONWARNINGS")}
    path = [str(PACKAGE.parent), *filter(None, [found.get("PYTHONPATH")])]
    # one thread each: the other core has tests of its own
    found |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**found, "PYTHONPATH": os.pathsep.join(path), **changes}


def process(*words, options=(), **changes):
    """Run the command line in a process of its own."""
    command = [sys.executable, *options, "-m", "geomnet", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment(**changes)
    )


def refused(result, says):
    """One line on stderr, status 2, nothing on stdout, no file written."""
    status, output, error = result
    assert status == 2, error
    assert output == ""
    assert len(error.splitlines()) == 1, error
    assert error.startswith("geomnet")
    assert "Traceback" not in error
    message = error.partition(" error: ")[2].strip()
    for word in [says] if isinstance(says, str) else says:
        assert word in message, message
    assert written("geomnet-compare") == {}
    return message


def written(folder):
    """Bytes of every file below a folder."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def strict(path):
    """Parse a JSON file as the standard has it: no NaN, no Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=refuse)


def check_report(folder):
    """The report is there, whole, and nothing else is."""
    folder = Path(folder)
    assert {path.name for path in folder.iterdir()} == PARTS
    assert (folder / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    with np.load(folder / "paths.npz") as archive:
        assert "points" in archive.files
    return strict(folder / "results.json")


POINTS = np.random.default_rng(0).normal(size=(12, 2))


def csv(name, text):
    Path(name).write_text(text)
    return name


def npz(name, **arrays):
    np.savez(name, **arrays)
    return name


# -- good input -------------------------------------------------------------------------------


def test_a_run_ends_with_the_table_and_the_report_and_no_warning(tmp_path):
    done = process("compare", "iris", *SMALL, options=("-W", "error::RuntimeWarning"))
    assert (done.returncode, done.stderr) == (0, "")
    results = check_report(tmp_path / "geomnet-compare")
    assert results["metrics"] == ["l2", "energy", "fisher-rao"]
    assert results["options"]["n"] == results["data"]["n"] == 30
    for path, lengths in results["length"].items():
        for length in lengths.values():
            assert f"{length:.6g}" in done.stdout, path
    assert str(Path("geomnet-compare", "report.html")) in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("data", [None, "iris", "wine", "breast_cancer", "moons"])
def test_every_named_set_runs_digits_by_default(run, data):
    status, _, error = run("compare", *filter(None, [data]), *QUICK)
    assert (status, error) == (0, "")
    results = check_report("geomnet-compare")
    assert results["data"]["name"] == (data or "digits")
    assert results["options"]["target"] is None
    assert "network" in results["paths"]


def test_a_csv_file_with_labels(run):
    lines = "\n".join(f"{a},{b},{('even', 'odd')[k % 2]}" for k, (a, b) in enumerate(POINTS))
    csv("mine.csv", f"a,b,kind\n{lines}\n")
    status, _, error = run("compare", "mine.csv", "--label-column", "kind", *QUICK, "--out", "x/y")
    assert (status, error) == (0, "")
    results = check_report("x/y")
    assert results["data"]["classes"] == 2
    assert results["network"]["heldout_accuracy"] is None
    assert any("fewer" in note for note in results["data"]["notes"])


def test_a_file_with_a_target_of_another_file(run):
    csv("mine.csv", "a,b\n" + "\n".join(f"{a},{b}" for a, b in POINTS) + "\n")
    npz("to.npz", target=POINTS + np.array([POINTS[:, 0].std(), 0.0]))
    status, _, error = run("compare", "mine.csv", "--target", "to.npz", *QUICK)
    assert (status, error) == (0, "")
    # every point moves by one standard deviation of its column
    assert check_report("geomnet-compare")["distance"]["l2"] == pytest.approx(1.0, rel=1e-9)


def test_without_labels_the_report_says_what_fisher_rao_is(run):
    npz("mine.npz", points=POINTS)
    options = ("--metrics", "l2,fisher-rao", "--steps", "8")
    assert run("compare", "mine.npz", *options)[::2] == (0, "")
    assert any("repeats L2" in note for note in check_report("geomnet-compare")["notes"])
    assert "repeats L2" in Path("geomnet-compare/report.html").read_text(encoding="utf-8")


def test_seeds_are_summed_up(run):
    status, output, _ = run("compare", "iris", *QUICK, "--seeds", "2")
    assert status == 0
    assert "2 seeds" in output
    assert len(check_report("geomnet-compare")["runs"]) == 2


@pytest.mark.parametrize("metric", [None, "l2", "fisher-rao"])
def test_least_action_is_measured_beside_the_network(run, metric):
    words = ["--least-action", "0.01", *(["--action-metric", metric] if metric else [])]
    status, output, error = run("compare", "iris", *QUICK, *words)
    assert (status, error) == (0, "")
    results = check_report("geomnet-compare")
    assert results["paths"] == ["l2", "network", "least-action"]
    least = results["least_action"]
    assert (least["weight"], least["metric"]) == (0.01, metric or "energy")
    assert least["action_energy"] < least["plain_energy"]
    assert least["excess"]["l2"] == pytest.approx(
        results["length"]["least-action"]["l2"] / least["distance"]["l2"]
    )
    assert least["excess"]["l2"] >= 1
    for value in (results["length"]["least-action"]["l2"], least["distance"]["l2"]):
        assert f"{value:.6g}" in output
    assert "least-action network: trained with 0.01 ×" in output
    assert shlex.split(results["command"])[-len(words) :] == words


def test_an_earlier_report_is_replaced(run):
    for seed in ("1", "2"):
        assert run("compare", "iris", *QUICK, "--seed", seed)[0] == 0
        assert check_report("geomnet-compare")["seed"] == int(seed)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(run, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    status, output, error = run("compare", "iris", *QUICK)
    assert status == 0
    assert ("training" in error) == ("comparing" in error) == terminal
    assert "comparing" not in output


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data": "iris", "target": "swirl", "metrics": ("energy", "l2"), "kernel": "gaussian"},
        {"width": 1e-3, "nugget": 1e-6, "ridge": 3e-5, "n": 7, "depth": 2, "steps": 12},
        {"data": "a 'b' \"c\" $d.csv", "label_column": "--n", "seed": 5, "seeds": 3},
        {"data": "<i>.npz", "target": "-t o.npz", "label_column": " "},
        {"least_action": 1e-05, "action_metric": "fisher-rao", "target": "trained"},
        {"least_action": 0.0},
    ],
)
def test_the_command_of_a_report_asks_for_the_same(run, monkeypatch, options):
    asked = {}

    def capture(data, **given):
        asked.update(given, data=data)
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "compare", capture)
    wanted = Options(**options)
    words = shlex.split(wanted.command())
    assert words[:2] == ["geomnet", "compare"]
    assert run(*words[1:])[0] == 130
    assert Options(**asked) == wanted


def test_the_command_of_a_file_that_looks_like_an_option():
    assert shlex.split(Options(data="-x.csv").command())[2] == "./-x.csv"


# -- help and version -------------------------------------------------------------------------


def test_help_in_a_process_of_its_own():
    done = process("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "compare" in done.stdout


def test_version(run):
    assert run("--version") == (0, f"geomnet {gn.__version__}\n", "")


def test_help_names_every_option(run):
    status, output, error = run("compare", "--help")
    assert (status, error) == (0, "")
    for name in (*Options.__dataclass_fields__, "out"):
        assert f"--{name.replace('_', '-')}" in output or name == "data"
    for word in ("DATA", "digits", "trained|swirl", "matern32|matern52|gaussian", "CSV", "NPZ"):
        assert word in output
    assert output.isascii()  # any terminal can show it


# -- bad options ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--steps 0", ["steps: ", "multiple of 4", "at least 8", "got 0"]),
        ("--steps 10", ["steps: ", "multiple of 4", "got 10"]),
        ("--steps 4", ["steps: ", "at least 8"]),
        ("--steps -8", ["steps: ", "got -8"]),
        ("--n -5", ["n: ", "at least 2", "got -5"]),
        ("--n 0", ["n: ", "at least 2"]),
        ("--n 1", ["n: ", "at least 2"]),
        ("--depth 0", ["depth: ", "at least 1"]),
        ("--depth -1", ["depth: ", "at least 1"]),
        ("--seeds 0", ["seeds: ", "at least 1"]),
        ("--seed -1", ["seed: ", "at least 0"]),
        ("--width 0", ["width: ", "above zero"]),
        ("--width -2.5", ["width: ", "above zero", "-2.5"]),
        ("--width nan", ["width: ", "finite"]),
        ("--width inf", ["width: ", "finite"]),
        ("--width 1e-300", ["width: ", "at least"]),
        ("--ridge -1", ["ridge: ", "above zero"]),
        ("--ridge 0", ["ridge: ", "above zero"]),
        ("--ridge 1e-300", ["ridge: ", "at least"]),
        ("--nugget -1", ["nugget: ", "at least zero"]),
        ("--nugget nan", ["nugget: ", "finite"]),
        ("--metrics l2,l3", ["metrics: ", "'l3'", "l2, energy, fisher-rao"]),
        ("--metrics ,", ["metrics: ", "l2, energy, fisher-rao"]),
        ("--metrics l2,energy,l2", ["metrics: ", "twice"]),
        ("--kernel cauchy", ["kernel: ", "'cauchy'", "matern32, matern52, gaussian"]),
        ("--target swril", ["target: ", "'swril'", "trained, swirl", "NPZ"]),
        ("--target missing.npz", ["target: ", "missing.npz"]),
        ("--label-column kind", ["label_column: ", "iris", "CSV"]),
        ("--n many", ["--n", "many"]),
        ("--n 2.5", ["--n", "2.5"]),
        ("--n 1e3", ["--n", "1e3"]),
        ("--width wide", ["--width", "wide"]),
        ("--seed", ["--seed", "argument"]),
        ("--least-action -1", ["least_action: ", "at least zero", "-1"]),
        ("--least-action nan", ["least_action: ", "finite"]),
        ("--least-action little", ["--least-action", "little"]),
        ("--least-action", ["--least-action", "argument"]),
        ("--least-action 1 --target swirl", ["least_action: ", "'swirl'"]),
        ("--least-action 1 --action-metric l3", ["action_metric: ", "'l3'", "fisher-rao"]),
        ("--action-metric l2", ["action_metric: ", "least_action"]),
        ("--colour blue", ["--colour"]),
        ("another", ["another"]),
    ],
)
def test_a_bad_option_is_named_with_the_mend(run, words, says):
    refused(run("compare", "iris", *words.split()), says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], ["COMMAND", "geomnet --help"]),
        (["--colour"], ["COMMAND", "geomnet --help"]),
        (["compute"], ["compute", "compare"]),
        (["compare", "iris", "--n"], ["--n", "geomnet compare --help"]),
        (["compare", "iris", "--colour\nblue\r\n"], ["--colour blue"]),
        (["compare", "a\nb.csv"], ["no file"]),
    ],
)
def test_errors_of_the_parser_are_one_line_too(run, words, says):
    refused(run(*words), says)


def test_a_bad_option_in_a_process_of_its_own():
    done = process("compare", "iris", "--steps", "10")
    refused((done.returncode, done.stdout, done.stderr), "steps: ")


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


# -- output -----------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["taken", "taken/below", "x" * 300])
def test_a_folder_that_cannot_be_written_is_named_before_the_work(run, monkeypatch, out):
    Path("taken").write_text("kept")
    monkeypatch.setattr(studies, "compare", lambda *_, **__: pytest.fail("the work was begun"))
    status, output, error = run("compare", "iris", "--out", out)
    assert (status, output) == (2, "")
    assert len(error.splitlines()) == 1
    assert "out: " in error
    assert out in error
    assert "another" in error
    assert Path("taken").read_text() == "kept"


def test_bad_input_leaves_an_earlier_report_alone(run):
    assert run("compare", "iris", *QUICK, "--out", "out")[0] == 0
    before = written("out")
    assert run("compare", "missing.csv", "--out", "out")[0] == 2
    assert run("compare", "iris", "--steps", "10", "--out", "out")[0] == 2
    assert written("out") == before


def test_bad_input_leaves_no_folder_behind(run):
    assert run("compare", "missing.csv", "--out", "a/b")[0] == 2
    assert list(Path().iterdir()) == []


def test_a_terminal_without_arrows_gets_the_table(tmp_path):
    done = process("compare", "iris", *QUICK, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    results = check_report(tmp_path / "geomnet-compare")
    assert f"{results['distance']['l2']:.6g}" in done.stdout


def test_a_reader_who_leaves_early_is_no_error(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "geomnet", "compare", "iris", *QUICK]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment())
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
    check_report(tmp_path / "geomnet-compare")


def test_a_file_whose_name_is_no_text(tmp_path):
    name = os.fsdecode(b"caf\xe9.csv")
    csv(name, "a,b\n" + "\n".join(f"{a},{b}" for a, b in POINTS) + "\n")
    done = process("compare", name, *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert check_report(tmp_path / "geomnet-compare")["data"]["name"].startswith("caf")


# -- interruptions ----------------------------------------------------------------------------


def test_an_interruption_is_one_line(run, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "compare", interrupt)
    status, output, error = run("compare", "iris", *QUICK)
    assert (status, output) == (130, "")
    assert len(error.splitlines()) == 1
    assert "interrupted" in error
    assert written("geomnet-compare") == {}


@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_interruption_of_the_writing_leaves_whole_files(run, monkeypatch, at):
    replace, done = os.replace, []

    def interrupt(source, target):
        if len(done) == at:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", interrupt)
    status, _, error = run("compare", "iris", *QUICK)
    assert status == 130
    assert len(error.splitlines()) == 1
    found = written("geomnet-compare")
    assert set(found) == {Path(target) for target in done}
    if Path("geomnet-compare/results.json") in found:
        strict("geomnet-compare/results.json")


INTERRUPTED = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
from geomnet.cli import main
from importlib import import_module
comparison = import_module("geomnet.studies.comparison.compare")

train = comparison.train

def endless(*arguments, **options):
    Path("training").touch()
    return train(*arguments, **{**options, "epochs": 10**7})

comparison.train = endless
sys.exit(main(sys.argv[1:]))
"""


def test_a_real_interruption_of_the_work(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "compare", "iris", *QUICK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        for _ in range(3000):
            if (tmp_path / "training").exists() or child.poll() is not None:
                break
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        output, error = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, output) == (130, "")
    assert error.splitlines() == ["geomnet: interrupted"]
    assert list(written(tmp_path)) == [tmp_path / "training"]


def test_too_little_memory_is_said_in_a_line(run, monkeypatch):
    def fill(*_, **__):
        raise MemoryError

    monkeypatch.setattr(studies, "compare", fill)
    refused(run("compare", "iris"), ["n: ", "memory", "smaller"])


# -- results to be read with care -------------------------------------------------------------


def test_a_geodesic_that_does_not_converge_is_reported_with_its_remedy(run, monkeypatch):
    monkeypatch.setattr(
        solve,
        "PathNewtonCG",
        functools.partial(gn.geodesics.PathNewtonCG, max_iter=1, max_products=1),
    )
    words = ("--n", "20", "--depth", "2", "--steps", "8", "--metrics", "l2,energy")
    status, output, error = run("compare", "iris", *words)
    assert status == 1
    assert "Traceback" not in error
    assert all(line.startswith("geomnet: WARNING: ") for line in error.splitlines())
    assert "energy: did not converge" in error
    assert "--steps" in error
    assert "NO" in output
    results = check_report("geomnet-compare")
    assert [results["certificate"][name]["converged"] for name in ("l2", "energy")] == [True, False]
    assert results["distance"]["l2"] > 0
    page = Path("geomnet-compare/report.html").read_text(encoding="utf-8")
    assert "NOT converge" in page
    assert "Remedy" in page


def test_a_shorter_path_is_said_loudly(run, monkeypatch):
    honest = study.geodesic

    def too_long(*arguments, **options):
        geo = honest(*arguments, **options)
        object.__setattr__(geo, "distance", 2 * geo.distance)
        return geo

    monkeypatch.setattr(study, "geodesic", too_long)
    status, output, error = run("compare", "iris", *QUICK)
    assert status == 1
    assert "l2: a shorter path was found" in error
    assert "only local" in error
    assert "report.html" in output
    assert check_report("geomnet-compare")["problems"]
    page = Path("geomnet-compare/report.html").read_text(encoding="utf-8")
    assert "a shorter path was found" in page
