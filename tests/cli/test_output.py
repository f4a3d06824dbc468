"""Cli output: output, interruptions, results to be read with care."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_common import (
    POINTS,
    QUICK,
    check_report,
    csv,
    environment,
    process,
    refused,
    strict,
    written,
)

import geomnet as gn
from geomnet import studies
from geomnet.geodesics import plan
from geomnet.studies import geodesics as study
from geomnet.utils import files

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
comparison = import_module("geomnet.studies.comparison.study")

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
        plan,
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
