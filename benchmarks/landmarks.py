"""Landmarks in the plane: fifty, beside jaxgeometry's ``Log``; two hundred and a thousand alone.

``python benchmarks/landmarks.py`` makes the peer's environment where it is missing, measures
both in turn on one thread, checks the answers and writes ``results/landmarks.json``. The larger
cases run in processes of their own and go to ``results/landmarks_larger.json`` (``--larger``:
only these; jaxgeometry is not asked, it took seconds for fifty landmarks to a worse error).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from typing import Any

from common import (
    begin,
    busy_share,
    command_line,
    in_process,
    peak_megabytes,
    print_table,
    seconds,
    summary,
)
from peer import PeerProcess, add_peers, start_peer

WIDTH = 0.2
TRUTH = 1.64107849467
"""Shooting on Hamilton's equations (SciPy's DOP853, tolerance 1e-12, end met to 2e-13)."""

OURS = (8, 20, 40, 80)
"""Step counts; 40 is what the ratio is taken of."""

PEERS: dict[str, dict[str, Any]] = {
    "as in its notebook": {"n_steps": 100, "compiled": False},
    "compiled": {"n_steps": 100, "compiled": True},
    "compiled, float32": {"n_steps": 100, "compiled": True, "single": True},
    "compiled, 400 steps": {"n_steps": 400, "compiled": True},
    "compiled, 1600 steps": {"n_steps": 1600, "compiled": True},
    "compiled, 10 RK4 steps": {"n_steps": 10, "compiled": True, "integrator": "rk4"},
    "compiled, 100 RK4 steps": {"n_steps": 100, "compiled": True, "integrator": "rk4"},
}
SLOW_PEERS = {
    "compiled, velocity form": {"n_steps": 100, "compiled": True, "form": "velocity"},
}
REFERENCE = "compiled"

LARGER: dict[str, dict[str, Any]] = {
    "200 on the circle, Matérn-5/2, 0.2": {
        "n": 200,
        "shape": "circle",
        "kernel": "Matern52Kernel",
        "width": 0.2,
        "n_steps": 20,
    },
    "200 in the disc, Gaussian, 0.15": {
        "n": 200,
        "shape": "disc",
        "kernel": "GaussianKernel",
        "width": 0.15,
        "n_steps": 40,
    },
    "1000 in the disc, Matérn-3/2, 0.2": {
        "n": 1000,
        "shape": "disc",
        "kernel": "Matern32Kernel",
        "width": 0.2,
        "n_steps": 20,
    },
    "1000 in the disc, Matérn-5/2, 0.2": {
        "n": 1000,
        "shape": "disc",
        "kernel": "Matern52Kernel",
        "width": 0.2,
        "n_steps": 20,
    },
}
"""A Gaussian of width 0.2 is singular for 200 points on the circle and for 1000 in the disc."""

UNREACHED: dict[str, dict[str, Any]] = {
    "200 on the circle, Gaussian, 0.05": {
        "n": 200,
        "shape": "circle",
        "kernel": "GaussianKernel",
        "width": 0.05,
        "n_steps": 20,
    },
    "1000 in the disc, Gaussian, 0.08": {
        "n": 1000,
        "shape": "disc",
        "kernel": "GaussianKernel",
        "width": 0.08,
        "n_steps": 20,
    },
}
"""Widths scaled to the spacing, a few per cent of the way the points go: asked with --full."""

PATIENCE = 600
"""Seconds after which a case counts as unreached."""


def image(points: Any) -> Any:
    """Where a turn, a stretch and a bend take points of the plane."""
    import numpy as np

    x, y = points.T
    a = 0.6 * np.exp(-(x**2 + y**2) / 1.5)
    cos, sin = np.cos(a), np.sin(a)
    return np.stack(
        [1.3 * (cos * x - sin * y) + 0.2, 0.8 * (sin * x + cos * y) + 0.15 * x**2], axis=1
    )


def landmarks(n: int = 50, shape: str = "circle") -> tuple[Any, Any]:
    """Points of the unit circle, or spread over the disc along a golden spiral; their images."""
    import numpy as np

    k = np.arange(n)
    if shape == "circle":
        radius, angle = np.ones(n), 2 * np.pi * k / n
    else:
        radius, angle = np.sqrt((k + 0.5) / n), np.pi * (1 + np.sqrt(5)) * (k + 0.5)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points, image(points)


def solve_larger(
    n: int, shape: str, kernel: str, width: float, n_steps: int, repeats: int
) -> dict[str, Any]:
    """Solve one of the larger cases in this process; the truth is a solve at twice the steps."""
    import resource

    import geomnet as gn

    x, y = landmarks(n, shape)
    metric = gn.EnergyMetric(gn.FunctionSpace(x), kernel=getattr(gn.geometry, kernel)(width=width))
    found: list[Any] = []

    def run(steps):
        found[:] = [gn.geodesic(metric, x, y, n_steps=steps)]

    try:
        times = [seconds(lambda: run(n_steps)) for _ in range(repeats)]
    except gn.ConvergenceError as error:
        return {"failure": str(error)}
    peak = peak_megabytes(resource.getrusage(resource.RUSAGE_SELF))
    (geo,) = found
    run(2 * n_steps)
    (finer,) = found
    return {
        "seconds": summary(times),
        "peak_megabytes": peak,
        "distance": geo.distance,
        "error_estimate": geo.error_estimate,
        "truth": finer.distance,
        "truth_estimate": finer.error_estimate,
        "error": abs(geo.distance - finer.distance),
        "certificate": geo.certificate.as_dict(),
    }


def measure_larger(full: bool) -> list[dict[str, Any]]:
    """Each larger case in a new process."""
    rows = []
    for name, options in {**LARGER, **(UNREACHED if full else {})}.items():
        print(f"{name} …", flush=True)
        row = {"what": name, **options, "busy_before": busy_share()}
        try:
            row.update(in_process(name, timeout=PATIENCE))
        except subprocess.TimeoutExpired:
            row["failure"] = f"not done after {PATIENCE} s"
        rows.append(row)
    return rows


def show_larger(rows: list[dict[str, Any]]) -> None:
    """Print the larger cases."""
    head = ["", "steps", "median", "peak memory", "distance", "error", "estimate", "products"]
    table = []
    for row in rows:
        if "failure" in row:
            table.append([row["what"], str(row["n_steps"]), row["failure"][:60], *[""] * 5])
            continue
        table.append(
            [
                row["what"],
                str(row["n_steps"]),
                f"{row['seconds']['median']:.2f} s",
                f"{row['peak_megabytes']:.0f} MB",
                f"{row['distance']:.7f}",
                f"{row['error']:.1e}",
                f"{row['error_estimate']:.1e}",
                str(row["certificate"]["hessian_products"]),
            ]
        )
    print()
    print_table(head, table)
    print("\nThe error is against a solve at twice the steps.")


def counted_method(gn: Any, tol: float) -> tuple[Any, list[Any]]:
    """The default method, and a list to which it adds its solution at every step count."""
    solutions: list[Any] = []

    class Counted(gn.geodesics.PathNewtonCG):
        def solve(self, metric, path):
            state, solution = super().solve(metric, path)
            solutions.append(solution)
            return state, solution

    return Counted(tol=tol), solutions


def counts(gn: Any, metric: Any, x: Any, y: Any) -> list[dict[str, Any]]:
    """Gradients and Hessian products to a gradient norm of 1e-8, and what they give."""
    rows = []
    for n in (20, 40, 80):
        method, solutions = counted_method(gn, tol=1e-8)
        geo = gn.geodesic(metric, x, y, n_steps=n, method=method)
        cold = gn.geodesics.PathNewtonCG(tol=1e-8)
        _, line = cold.solve(metric, cold.guess(metric, x, y, n))
        spent = [s.gradient_evaluations + s.hessian_products for s in solutions]
        rows.append(
            {
                "n_steps": n,
                "length": geo.length,
                "length_error": abs(geo.length - TRUTH),
                "distance": geo.distance,
                "distance_error": abs(geo.distance - TRUTH),
                "error_estimate": geo.certificate.error_estimate,
                "gradient_norm": geo.certificate.gradient_norm,
                "gradient_evaluations": geo.certificate.gradient_evaluations,
                "hessian_products": geo.certificate.hessian_products,
                "lanczos_products": geo.certificate.lanczos_products,
                "spent_at_quarter_half_and_all_steps": spent,
                "spent_in_units_of_all_steps": spent[0] / 4 + spent[1] / 2 + spent[2],
                "from_straight_line": {
                    "gradient_evaluations": line.gradient_evaluations,
                    "hessian_products": line.hessian_products,
                    "gradient_norm": line.gradient_norm,
                },
            }
        )
    return rows


def check_kernel(metric: Any, x: Any, p: Any, v: Any, told: dict[str, Any], tol: float) -> dict:
    """Both must have the same Hamiltonian ½pᵀKp and the same squared norm vᵀK⁻¹v at the start."""
    import numpy as np

    mine = {
        "hamiltonian": 0.5 * float(np.vdot(p, metric.sharp(p, x))),
        "squared_norm": float(metric.inner_product(v, v, x)),
    }
    for name, value in mine.items():
        if not math.isclose(value, told[name], rel_tol=tol):
            raise SystemExit(f"not the same metric: {name} is {value} here, {told[name]} there")
    return {name: {"geomnet": mine[name], "jaxgeometry": told[name]} for name in mine}


def start_both(
    options: argparse.Namespace, metric: Any, x: Any, y: Any
) -> tuple[dict[bool, PeerProcess], dict[str, Any], dict[str, Any]]:
    """The peer in double and in single precision, what it says in double, and the check."""
    import numpy as np

    p, v = np.random.default_rng(0).normal(size=x.shape), y - x
    processes = {}
    for single in (True, False):  # what double precision says is kept
        process = processes[single] = start_peer(
            options, "jaxgeometry", "jaxgeometry_landmarks.py", double=not single
        )
        told = process.ask(
            do="problem",
            points=x.tolist(),
            target=y.tolist(),
            width=WIDTH,
            momentum=p.tolist(),
            velocity=v.tolist(),
        )
        same = check_kernel(metric, x, p, v, told, 1e-2 if single else 1e-10)
    return processes, told, same


class Turns:
    """Everyone's calls, the first of each apart: it compiles."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Any], dict[str, Any]] = {}

    def add(self, who: str, what: Any, taken: float, **found: Any) -> None:
        """Note a call."""
        row = self.rows.setdefault((who, what), {"times": []})
        row.update(found)
        if "first" in row:
            row["times"].append(taken)
        else:
            row["first"] = taken

    def finish(self, who: str) -> dict[Any, dict[str, Any]]:
        """Rows of one side, with a summary of the times and the error."""
        done = {}
        for (name, what), row in self.rows.items():
            if name == who:
                row = done[what] = dict(row)
                row["seconds"] = summary(row.pop("times"))
                row["error"] = abs(row["distance"] - TRUTH)
        return done


def take_turns(
    wanted: dict[str, Any], repeats: int, metric: Any, processes: dict[bool, PeerProcess]
) -> Turns:
    """One round to warm up, and so many that count."""
    import geomnet as gn

    x, y = landmarks()
    turns = Turns()
    for repeat in range(repeats + 1):
        for name, options in wanted.items():
            for n in OURS if name == REFERENCE else (40,):
                before = time.perf_counter()
                geo = gn.geodesic(metric, x, y, n_steps=n)
                taken = time.perf_counter() - before
                turns.add("geomnet", n, taken, distance=geo.distance, estimate=geo.error_estimate)
            if name in SLOW_PEERS and repeat > 1:
                continue
            request = {"form": "hamiltonian", "integrator": "euler", **options}
            single = request.pop("single", False)
            answer = processes[single].ask(do="solve", **request)
            turns.add("jaxgeometry", name, answer.pop("seconds"), **answer)
        print(f"round {repeat} of {repeats} done", flush=True)
    return turns


def add_ratios(row: dict[str, Any], ours: dict[int, dict[str, Any]]) -> None:
    """The peer's time and error over ours at 40 steps, and over our fastest at no larger error."""

    def median(row: dict[str, Any]) -> float:
        return row["seconds"]["median"]

    row["time_ratio"] = median(row) / median(ours[40])
    row["error_ratio"] = row["error"] / ours[40]["error"]
    enough = [n for n, mine in ours.items() if mine["error"] <= row["error"]]
    cheapest = min(enough, key=lambda n: median(ours[n]))
    row["at_no_larger_error"] = {
        "n_steps": cheapest,
        "time_ratio": median(row) / median(ours[cheapest]),
    }


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """Everything, in turn, and the peer's versions."""
    before = time.perf_counter()
    import geomnet as gn

    x, y = landmarks()
    metric = gn.EnergyMetric(gn.FunctionSpace(x), kernel=gn.GaussianKernel(width=WIDTH))
    ready = time.perf_counter() - before

    wanted = {**PEERS, **(SLOW_PEERS if options.full else {})}
    processes, told, same = start_both(options, metric, x, y)
    turns = take_turns(wanted, options.repeats, metric, processes)
    versions = processes[False].ask(do="versions")
    for process in processes.values():
        process.close()

    ours, theirs = turns.finish("geomnet"), turns.finish("jaxgeometry")
    rows = []
    for n, row in sorted(ours.items()):
        rows.append({"who": "geomnet", "what": f"{n} steps", "n_steps": n, **row})
    for name, row in theirs.items():
        add_ratios(row, ours)
        rows.append({"who": "jaxgeometry", "what": name, "options": wanted[name], **row})
    return {
        "problem": "50 landmarks, Gaussian kernel exp(-r²/2σ²), σ = 0.2",
        "truth": TRUTH,
        "repeats": options.repeats,
        "import_seconds": {"geomnet": ready, "jaxgeometry": told["import_seconds"]},
        "same_metric": same,
        "rows": rows,
        "counts": counts(gn, metric, x, y),
    }, versions


def show(result: dict[str, Any]) -> None:
    """Print what was found."""
    print(f"\n{result['problem']}; distance {result['truth']}\n")
    head = ["", "first call", "median", "distance", "error", "× time", "× error", "× time, error ≤"]
    table = []
    for row in result["rows"]:
        ratios = [""] * 3
        if row["who"] != "geomnet":
            fair = row["at_no_larger_error"]
            ratios = [
                f"{row['time_ratio']:.1f}",
                f"{row['error_ratio']:.3g}",
                f"{fair['time_ratio']:.1f} ({fair['n_steps']})",
            ]
        table.append(
            [
                f"{row['who']}, {row['what']}",
                f"{row['first']:.3f} s",
                f"{row['seconds']['median']:.4f} s",
                f"{row['distance']:.9f}",
                f"{row['error']:.1e}",
                *ratios,
            ]
        )
    print_table(head, table)
    print("\n× is the peer over geomnet at 40 steps; the last column over geomnet at the step")
    print("count in brackets, the fastest whose error is no larger than the peer's.\n")
    table = [
        [
            str(row["n_steps"]),
            f"{row['length']:.7f}",
            f"{row['length_error']:.1e}",
            f"{row['distance_error']:.1e}",
            f"{row['gradient_evaluations']} + {row['hessian_products']}",
            f"{row['spent_in_units_of_all_steps']:.1f}",
            f"{row['from_straight_line']['gradient_evaluations']} + "
            f"{row['from_straight_line']['hessian_products']}",
        ]
        for row in result["counts"]
    ]
    head = ["steps", "length", "error", "distance error", "last level", "all levels", "cold"]
    print_table(head, table)
    print("\nGradients + Hessian products to a gradient norm of 1e-8: at the last of the three")
    print("step counts, at all three in units of the last, and from the straight line alone.")


def main() -> int:
    """Measure, print, write; fail where geomnet's answer is wrong."""
    parser = command_line(__doc__, repeats=5, case=True)
    add_peers(parser, "jaxgeometry")
    parser.add_argument(
        "--full", action="store_true", help="also Log in velocity form, over a minute a call"
    )
    parser.add_argument("--larger", action="store_true", help="only 200 and 1000 landmarks")
    run = begin(parser)
    if run.options.case:
        case = {**LARGER, **UNREACHED}[run.options.case[0]]
        print(json.dumps(solve_larger(**case, repeats=3 if case["n"] < 1000 else 1)))
        return 0
    rows = measure_larger(run.options.full)
    show_larger(rows)
    run.write_results("landmarks_larger.json", {"rows": rows})
    if run.options.larger:
        return 0
    result, versions = measure(run.options)
    show(result)
    run.write_results("landmarks.json", result, versions)
    mine = next(row for row in result["rows"] if row.get("n_steps") == 40)
    if mine["error"] > 1e-6:
        print("geomnet's distance at 40 steps is wrong", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
