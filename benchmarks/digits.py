"""Time and peak memory of the energy geodesic between digits and a smooth map of them.

``python benchmarks/digits.py`` takes 256 digits in 64 dimensions at 16 steps on one thread;
``--full`` also all 1797 (minutes). Each case is a process of its own; the result is
``results/digits.json``.
"""

from __future__ import annotations

import json
import time
from typing import Any

from common import (
    begin,
    blas,
    busy_share,
    command_line,
    in_process,
    peak_megabytes,
    print_table,
    seconds,
    summary,
)

CASES = {256: 5, 1797: 1}
"""Points, and how often they are solved."""

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

    before_calls = time.process_time()
    times = [seconds(run) for _ in range(repeats)]
    cpu = (time.process_time() - before_calls) / repeats
    after = resource.getrusage(resource.RUSAGE_SELF)
    (geo,) = found
    return {
        "n": n,
        "dim": x.shape[1],
        "n_steps": N_STEPS,
        "seconds": summary(times),
        "cpu_seconds": cpu,
        "peak_megabytes": peak_megabytes(after),
        "peak_megabytes_before": before,
        "distance": geo.distance,
        "length": geo.length,
        "certificate": geo.certificate.as_dict(),
        "blas": blas(),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print what was found."""
    print()
    columns = "digits,median,CPU,peak memory,distance,error ≤,gradients,products"
    print_table(
        columns.split(","),
        [
            [
                str(row["n"]),
                f"{row['seconds']['median']:.2f} s",
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


def main() -> None:
    """Measure, print, write."""
    parser = command_line(__doc__, case=True)
    parser.add_argument("--full", action="store_true", help="also all 1797 digits")
    run = begin(parser)
    if run.options.case:
        n = int(run.options.case[0])
        print(json.dumps(solve(n, CASES[n])))
        return
    rows = []
    for n in CASES:
        if n <= 256 or run.options.full:
            print(f"{n} digits …", flush=True)
            rows.append({"threads": 1, "busy_before": busy_share(), **in_process(str(n))})
    show(rows)
    problem = "digits to swirl(x) + 0.3 tanh(xA/8), A standard normal, Matérn-3/2 kernel"
    run.write_results("digits.json", {"problem": problem, "rows": rows})


if __name__ == "__main__":
    main()
