"""The command line: reports for good input; for bad input one line, a status, and no trace."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_common import POINTS, QUICK, check_report, csv, npz, process, refused

import geomnet as gn
from geomnet import studies
from geomnet.studies.comparison.compare import Options

SMALL = ("--n", "30", "--depth", "3", "--steps", "8")


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
