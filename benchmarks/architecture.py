"""Least action within an architecture: swirls reached by tanh networks, and the cost of a gradient.

``python benchmarks/architecture.py`` measures the energy gradient beside a forward pass and beside
autograd's, then fits the swirl with angle 1.5·exp(−r²/2) in six cases, each in a process of its
own on one thread, and writes ``results/architecture.json``; ``--small`` leaves out the large
cases, which take half an hour on a busy machine.
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

PROBLEMS: dict[str, dict[str, Any]] = {
    "small": {"dim": 2, "n": 64, "depth": 16, "width": 16},
    "large": {"dim": 8, "n": 256, "depth": 32, "width": 128},
}
METRICS = ("L2", "energy", "Fisher-Rao")
LARGE_ITERATIONS = {"L2": 40, "Fisher-Rao": 40, "energy": 25}
BUDGET = 2.0
"""Seconds spent on each timing of a gradient, but at least five calls."""


def problem(size: str, metric_name: str) -> tuple[Any, Any, Any]:
    """Network, metric and target."""
    import numpy as np

    import geomnet as gn

    dim, n, depth, width = PROBLEMS[size].values()
    points = np.random.default_rng(0).normal(size=(n, dim))
    turn = 1.5 * np.exp(-np.sum(points[:, :2] ** 2, axis=1) / 2)
    target = points.copy()
    target[:, 0] = np.cos(turn) * points[:, 0] - np.sin(turn) * points[:, 1]
    target[:, 1] = np.sin(turn) * points[:, 0] + np.cos(turn) * points[:, 1]
    space = gn.FunctionSpace(points)
    readout = gn.Readout(np.random.default_rng(1).normal(size=(4, dim)))
    metric = {
        "L2": lambda: gn.L2Metric(space),
        "energy": lambda: gn.EnergyMetric(space, gn.Matern32Kernel()),
        "Fisher-Rao": lambda: gn.FisherRaoMetric(space, gn.Categorical(4), readout),
    }[metric_name]()
    return gn.Network(gn.TanhField(dim, width), depth), metric, target


def fit(size: str, metric_name: str) -> dict[str, Any]:
    """Fit one case in this process."""
    import resource

    import numpy as np

    import geomnet as gn

    network, metric, target = problem(size, metric_name)
    method = None
    if size == "large":
        method = gn.control.ArchitectureSQP(max_iter=LARGE_ITERATIONS[metric_name])
    found: dict[str, Any] = {}

    def run():
        try:
            found["geo"] = gn.constrained_geodesic(network, metric, target, method=method)
        except gn.ConvergenceError as error:
            found["geo"] = error.result

    elapsed = seconds(run)
    geo = found["geo"]
    missed = network(geo.theta, metric.space.identity) - target
    return {
        "parameters": network.n_parameters,
        "conditions": int(target.size),
        "endpoint_rms": float(np.sqrt(np.mean(np.sum(missed**2, axis=1)))),
        "kkt_residual": geo.kkt_residual,
        "energy": geo.energy,
        "lower_bound": geo.lower_bound,
        "gap": geo.gap,
        "iterations": geo.iterations,
        "counts": geo.counts,
        "converged": geo.converged,
        "status": geo.status,
        "seconds": elapsed,
        "peak_megabytes": peak_megabytes(resource.getrusage(resource.RUSAGE_SELF)),
    }


def processor_seconds(call: Any) -> float:
    """Processor time of one call: wall time counts what others do on a busy machine."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def repeated(calls: dict[str, Any]) -> dict[str, Any]:
    """Processor times of calls that take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    while any(len(t) < 5 for t in times.values()) or (
        sum(map(sum, times.values())) < BUDGET * len(calls)
    ):
        for name, call in calls.items():
            times[name].append(processor_seconds(call))
    return {
        name: {"calls": len(t), "fastest": min(t), "median": summary(t)["median"]}
        for name, t in times.items()
    }


def gradient(size: str, metric_name: str) -> dict[str, Any]:
    """Time a forward pass, the energy, its gradient by hand and by autograd."""
    import autograd
    import autograd.numpy as anp
    import numpy as np

    import geomnet as gn

    network, metric, _ = problem(size, metric_name)
    action = gn.control.Action(network, metric)
    points, theta = action.points, network.init(0)

    def energy(theta):
        states = [points]
        for layer in theta:
            states.append(network.integrator.step(network.field, states[-1], layer, 1 / len(theta)))
        path = anp.stack(states)
        step = path[1:] - path[:-1]
        return len(theta) * anp.sum(metric.inner_product(step, step, 0.5 * (path[1:] + path[:-1])))

    calls = {
        "forward": lambda: network.states(theta, points),
        "energy": lambda: action.value(theta),
        "gradient": lambda: action.value_and_gradient(theta),
    }
    by_autograd = autograd.grad(energy)
    if metric_name != "Fisher-Rao":  # its steps are the likelihood's closed distances
        calls["autograd"] = lambda: by_autograd(theta)
    found = repeated(calls)
    fastest = {name: timing["fastest"] for name, timing in found.items()}
    found["forward_passes"] = fastest["gradient"] / fastest["forward"]
    found["energy_values"] = fastest["gradient"] / fastest["energy"]
    if "autograd" in calls:
        mine, theirs = action.value_and_gradient(theta)[1], by_autograd(theta)
        found["autograd_over_ours"] = fastest["autograd"] / fastest["gradient"]
        found["difference"] = float(np.abs(mine - theirs).max() / np.abs(theirs).max())
    return found


def in_process(*words: str) -> dict[str, Any]:
    """Run this program for one case in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env={**os.environ, **thread_variables(1)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def number(value: float | None, form: str = ".3g") -> str:
    """Print a number that may be missing."""
    return "-" if value is None else format(value, form)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only the small cases")
    parser.add_argument("--case", nargs=3, metavar=("KIND", "SIZE", "METRIC"))
    options = parser.parse_args()
    run_with_threads(1)
    if options.case:
        kind, size, metric_name = options.case
        print(json.dumps({"fit": fit, "gradient": gradient}[kind](size, metric_name)))
        return
    import geomnet  # noqa: F401 - for the versions

    sizes = ("small",) if options.small else ("small", "large")
    busy = busy_share()
    gradients, fits = {}, {}
    rows = []
    for size in PROBLEMS:
        for name in METRICS:
            found = gradients[f"{size} {name}"] = in_process("--case", "gradient", size, name)
            rows.append(
                [
                    f"{size}, {name}",
                    *(
                        f"{1e3 * found[key]['fastest']:.2f}" if key in found else "-"
                        for key in ("forward", "energy", "gradient", "autograd")
                    ),
                    number(found["forward_passes"], ".2f"),
                    number(found["energy_values"], ".2f"),
                    number(found.get("autograd_over_ours"), ".1f"),
                ]
            )
    head = "energy gradient|forward ms|energy ms|gradient ms|autograd ms"
    print_table([*head.split("|"), "÷ forward", "÷ energy", "autograd ÷ ours"], rows)
    print()
    rows = []
    for size in sizes:
        for name in METRICS:
            found = fits[f"{size} {name}"] = in_process("--case", "fit", size, name)
            rows.append(
                [
                    f"{size}, {name}",
                    number(found["endpoint_rms"], ".1e"),
                    number(found["kkt_residual"], ".1e"),
                    number(found["energy"], ".7g"),
                    number(found["lower_bound"], ".7g"),
                    "-" if found["gap"] is None else f"{100 * found['gap']:.4f} %",
                    str(found["iterations"]),
                    number(found["seconds"], ".1f"),
                    number(found["peak_megabytes"], ".0f"),
                ]
            )
            print(f"{size}, {name}: {found['status']}", file=sys.stderr)
    head = "swirl|end point rms|KKT|energy|bound|gap|iterations|seconds|MB"
    print_table(head.split("|"), rows)
    write_json(
        "architecture.json",
        {
            "problems": PROBLEMS,
            "busy_before": busy,
            "gradients": gradients,
            "fits": fits,
            "environment": environment(),
        },
    )


if __name__ == "__main__":
    main()
