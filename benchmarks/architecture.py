"""Least action within an architecture: swirls reached by tanh networks, and the cost of a gradient.

``python benchmarks/architecture.py`` measures the energy gradient beside a forward pass and beside
autograd's, then fits the swirl with angle 1.5·exp(−r²/2) in six cases, each in a process of its
own on one thread, and writes ``results/architecture.json``; ``--quick`` leaves out the large
cases, which take half an hour on a busy machine.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from common import (
    begin,
    command_line,
    in_process,
    peak_megabytes,
    print_table,
    seconds,
    summary,
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


def repeated(calls: dict[str, Any]) -> dict[str, Any]:
    """Processor times of calls that take turns: wall time counts what others do."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    while any(len(t) < 5 for t in times.values()) or (
        sum(map(sum, times.values())) < BUDGET * len(calls)
    ):
        for name, call in calls.items():
            times[name].append(seconds(call, time.process_time))
    return {name: {"fastest": min(t), **summary(t)} for name, t in times.items()}


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


def number(value: float | None, form: str = ".3g") -> str:
    """Print a number that may be missing."""
    return "-" if value is None else format(value, form)


def show_gradients(gradients: dict[str, dict[str, Any]]) -> None:
    """Print the cost of a gradient."""
    head = "energy gradient|forward ms|energy ms|gradient ms|autograd ms"
    print_table(
        [*head.split("|"), "÷ forward", "÷ energy", "autograd ÷ ours"],
        [
            [
                case,
                *(
                    f"{1e3 * found[key]['fastest']:.2f}" if key in found else "-"
                    for key in ("forward", "energy", "gradient", "autograd")
                ),
                number(found["forward_passes"], ".2f"),
                number(found["energy_values"], ".2f"),
                number(found.get("autograd_over_ours"), ".1f"),
            ]
            for case, found in gradients.items()
        ],
    )
    print()


def show_fits(fits: dict[str, dict[str, Any]]) -> None:
    """Print the swirls that were reached."""
    head = "swirl|end point rms|KKT|energy|bound|gap|iterations|seconds|MB"
    print_table(
        head.split("|"),
        [
            [
                case,
                number(found["endpoint_rms"], ".1e"),
                number(found["kkt_residual"], ".1e"),
                number(found["energy"], ".7g"),
                number(found["lower_bound"], ".7g"),
                "-" if found["gap"] is None else f"{100 * found['gap']:.4f} %",
                str(found["iterations"]),
                number(found["seconds"], ".1f"),
                number(found["peak_megabytes"], ".0f"),
            ]
            for case, found in fits.items()
        ],
    )


def main() -> None:
    """Measure, print and write."""
    run = begin(command_line(__doc__, quick="only the small cases", case=True))
    if run.options.case:
        kind, size, metric_name = run.options.case
        print(json.dumps({"fit": fit, "gradient": gradient}[kind](size, metric_name)))
        return
    cases = [(s, m) for s in PROBLEMS for m in METRICS if s == "small" or not run.options.quick]
    gradients = {f"{s} {m}": in_process("gradient", s, m) for s, m in cases}
    show_gradients(gradients)
    fits = {}
    for size, name in cases:
        found = fits[f"{size} {name}"] = in_process("fit", size, name)
        print(f"{size}, {name}: {found['status']}", file=sys.stderr)
    show_fits(fits)
    content = {"problems": PROBLEMS, "gradients": gradients, "fits": fits}
    run.write_results("architecture.json", content)


if __name__ == "__main__":
    main()
