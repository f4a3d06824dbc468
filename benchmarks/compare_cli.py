"""Wall time and peak memory of whole command-line runs.

``python benchmarks/compare_cli.py`` takes the median of three runs of ``python -m geomnet
compare`` with its defaults and of ``python -m geomnet --help``, each a new process with its
threads as the machine gives them, and writes ``results/compare_cli.json``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    VARIABLES,
    begin,
    command_line,
    peak_megabytes,
    print_table,
    summary,
)


def process(*arguments: str) -> dict[str, float]:
    """Run one command to its end: wall and CPU seconds, peak memory of it and its children."""
    variables = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    variables["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryFile() as output:
        before = time.perf_counter()
        started = subprocess.Popen(
            [sys.executable, "-m", "geomnet", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
        )
        _, status, usage = os.wait4(started.pid, 0)
        wall = time.perf_counter() - before
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            raise SystemExit(f"geomnet {arguments[0]} ended with status {started.returncode}")
    return {
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_megabytes": peak_megabytes(usage),
    }


def main() -> None:
    """Measure in turn, print, write."""
    run = begin(command_line(__doc__, repeats=3), threads=None)
    runs: dict[str, list[dict[str, float]]] = {"compare": [], "--help": []}
    for _ in range(run.options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs["compare"].append(process("compare", "--out", str(Path(folder) / "out")))
        runs["--help"].append(process("--help"))
    rows: list[dict[str, Any]] = []
    for name, measured in runs.items():
        row: dict[str, Any] = {"command": f"python -m geomnet {name}"}
        for clock in ("wall_seconds", "cpu_seconds"):
            row[clock] = summary([one[clock] for one in measured])
        rows.append(row | {"peak_megabytes": [one["peak_megabytes"] for one in measured]})
    show(rows)
    run.write_results("compare_cli.json", {"rows": rows})


def show(rows: list[dict[str, Any]]) -> None:
    """Print what was found."""
    print_table(
        ["", "wall", "CPU", "peak memory"],
        [
            [
                row["command"],
                f"{row['wall_seconds']['median']:.2f} s",
                f"{row['cpu_seconds']['median']:.2f} s",
                f"{statistics.median(row['peak_megabytes']):.0f} MB",
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
