"""Wall time and peak memory of whole command-line runs.

``python benchmarks/compare_cli.py`` takes the median of three runs of ``python -m geomnet
compare`` with its defaults and of ``python -m geomnet --help``, each a new process with its
threads as the machine gives them, and writes ``results/compare_cli.json``.
"""

from __future__ import annotations

import argparse
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
    busy_share,
    environment,
    peak_megabytes,
    print_table,
    write_json,
)


def run(arguments: list[str]) -> dict[str, float]:
    """Run one command to its end: wall and CPU seconds, peak memory of it and its children."""
    variables = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    variables["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "geomnet", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            raise SystemExit(f"geomnet {arguments[0]} ended with status {process.returncode}")
    return {
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_megabytes": peak_megabytes(usage),
    }


def main() -> None:
    """Measure in turn, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each command (default 3)")
    arguments = parser.parse_args()
    busy = busy_share()
    runs: dict[str, list[dict[str, float]]] = {"compare": [], "--help": []}
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs["compare"].append(run(["compare", "--out", str(Path(folder) / "out")]))
        runs["--help"].append(run(["--help"]))
    rows: list[dict[str, Any]] = []
    for name, measured in runs.items():
        medians = {key: statistics.median(r[key] for r in measured) for key in measured[0]}
        rows.append({"command": f"python -m geomnet {name}", "median": medians, "runs": measured})
    print_table(
        ["", "wall", "CPU", "peak memory"],
        [
            [
                row["command"],
                f"{row['median']['wall_seconds']:.2f} s",
                f"{row['median']['cpu_seconds']:.2f} s",
                f"{row['median']['peak_megabytes']:.0f} MB",
            ]
            for row in rows
        ],
    )
    write_json(
        "compare_cli.json", {"environment": {**environment(), "busy_before": busy}, "rows": rows}
    )


if __name__ == "__main__":
    main()
