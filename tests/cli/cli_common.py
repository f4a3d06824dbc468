"""What the tests of cli share."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import geomnet as gn

PACKAGE = Path(gn.__file__).parent


QUICK = ("--n", "20", "--depth", "2", "--steps", "8", "--metrics", "l2")


PARTS = {"report.html", "results.json", "paths.npz", "figures"}


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
