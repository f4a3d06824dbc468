"""Time and peak memory of the energy geodesic between digits and a smooth map of them.

``python benchmarks/digits.py`` takes 256 digits in 64 dimensions at 16 steps on one thread;
``--full`` also all 1797 (minutes). Each case is a process of its own; the result is
``results/digits.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from common import (
    busy_share,
    environment,
    peak_megabytes,
    print_table,
    run_with_threads,
    seconds,
    summary,
    thread_variables,
    write_json,
)

CASES = {  # name: points, threads, repeats
    "256": (256, 1, 5),
    "1797": (1797, 1, 1),
}
N_STEPS = 16


def solve(n: int, repeats: int) -> dict[str, Any]:
    """Solve one case in this process."""
    import resource

    import numpy as np

    import geomnet as gn

    rng = np.random.default_rng(0)
    space = gn.FunctionSpace(gn.datasets.load("digits", n=n, seed=0))
    x = space.identity
    y = gn.datasets.swirl(x) + 0.3 * np.tanh(x @ rng.normal(size=(64, 64)) / 8)
    metric = gn.EnergyMetric(space)
    before = peak_megabytes(resource.getrusage(resource.RUSAGE_SELF))
    found: list[Any] = []

    def run():
        found[:] = [gn.geodesic(metric, x, y, n_steps=N_STEPS)]

    begin = time.process_time()
    times = [seconds(run) for _ in range(repeats)]
    cpu = (time.process_time() - begin) / repeats
    after = resource.getrusage(resource.RUSAGE_SELF)
    (geo,) = found
    return {
        "n": n,
        "dim": x.shape[1],
        "n_steps": N_STEPS,
        **summary(times),
        "cpu_seconds": cpu,
        "peak_megabytes": peak_megabytes(after),
        "peak_megabytes_before": before,
        "distance": geo.distance,
        "length": geo.length,
        "certificate": geo.certificate.as_dict(),
        "environment": environment(),
    }


def run_case(name: str) -> dict[str, Any]:
    """Solve one case in a new process."""
    threads = CASES[name][1]
    busy = busy_share()
    answer = subprocess.run(
        [sys.executable, __file__, "--case", name],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **thread_variables(threads)},
    )
    return {"threads": threads, "busy_before": busy, **json.loads(answer.stdout)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also all 1797 digits")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case is not None:
        n, threads, repeats = CASES[arguments.case]
        run_with_threads(threads)
        print(json.dumps(solve(n, repeats)))
        return
    rows = []
    for name, (n, threads, _) in CASES.items():
        if n <= 256 or arguments.full:
            print(f"{n} digits, threads: {threads} …", flush=True)
            rows.append(run_case(name))
    places = [row.pop("environment") for row in rows]
    where = {key: value for key, value in places[0].items() if key != "blas"}
    for row, place in zip(rows, places):
        row["blas"] = place["blas"]
    print()
    columns = "digits,threads,median,CPU,peak memory,distance,error ≤,gradients,products"
    print_table(
        columns.split(","),
        [
            [
                str(row["n"]),
                str(row["threads"]),
                f"{row['median']:.2f} s",
                f"{row['cpu_seconds']:.2f} s",
                f"{row['peak_megabytes']:.0f} MB",
                f"{row['distance']:.6f}",
                f"{row['certificate']['error_estimate']:.1e}",
                str(row["certificate"]["gradient_evaluations"]),
                str(row["certificate"]["hessian_products"]),
            ]
            for row in rows
        ],
    )
    write_json(
        "digits.json",
        {
            "problem": "digits to swirl(x) + 0.3 tanh(xA/8), A standard normal, Matérn-3/2 kernel",
            "environment": where,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
