"""Cost of one path-energy gradient and one Hessian product against the number of points.

``python benchmarks/energy_scaling.py`` takes digits in 64 dimensions at 16 steps on one thread,
fits slopes to the fastest calls and writes ``results/energy_scaling.json`` and ``.png``;
``--full`` goes to 1797.
"""

from __future__ import annotations

from typing import Any

from common import (
    RESULTS,
    begin,
    command_line,
    cpu_model,
    new_figure,
    print_table,
    seconds,
    summary,
)

SIZES = (32, 64, 128, 256, 512, 1024)
ALL = 1797
N_STEPS = 16
FIT_FROM = 128
BUDGET = 0.7
"""Seconds spent on each figure in a round, but at least two calls."""

QUANTITIES = {
    "gradient": "energy and gradient",
    "first_product": "first Hessian product (inverses)",
    "product": "Hessian product",
}


def repeated(call: Any) -> list[float]:
    """Timings of a call, after one to warm up."""
    call()
    times = [seconds(call)]
    while len(times) < 2 or (sum(times) < BUDGET and len(times) < 200):
        times.append(seconds(call))
    return times


def measure_size(n: int) -> dict[str, list[float]]:
    """Timings of one round at one number of points."""
    import numpy as np

    import geomnet as gn

    sample = gn.datasets.load("digits", n=n, seed=0)
    space = gn.FunctionSpace(sample)
    metric = gn.EnergyMetric(space)
    x = space.identity
    t = np.linspace(0, 1, N_STEPS + 1)[:, None, None]
    path = (1 - t) * x + t * gn.datasets.swirl(x)
    direction = np.random.default_rng(0).normal(size=(N_STEPS - 1, *x.shape))
    energy = gn.geometry.PathEnergy(metric)

    def gradient():
        return energy.linearise(path).gradient

    both: list[float] = []

    def first_product():
        state = energy.linearise(path)
        _ = state.gradient
        both.append(seconds(lambda: state.hessian_product(direction)))

    gradient_times = repeated(gradient)
    repeated(first_product)
    state = energy.linearise(path)
    product_times = repeated(lambda: state.hessian_product(direction))
    return {"gradient": gradient_times, "first_product": both[1:], "product": product_times}


def slopes(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Exponents of seconds ~ nᵇ: over the larger sizes, and from the last size but one."""
    import numpy as np

    found = {}
    for name in QUANTITIES:
        n = np.array([row["n"] for row in rows], dtype=float)
        y = np.array([row[name]["fastest"] for row in rows])
        large = n >= FIT_FROM
        found[name] = {
            "fit_from": FIT_FROM,
            "fitted": float(np.polyfit(np.log(n[large]), np.log(y[large]), 1)[0]),
            "last": float(np.log(y[-1] / y[-2]) / np.log(n[-1] / n[-2])),
        }
    return found


def draw(rows: list[dict[str, Any]], fits: dict[str, Any], cpu: str) -> Any:
    """Log-log lines with their exponents, and guides of n² and n³."""
    import numpy as np
    from matplotlib.ticker import NullLocator

    n = np.array([row["n"] for row in rows], dtype=float)
    figure, ((axes,),) = new_figure(6.6, 4.6)
    for (name, label), mark, colour in zip(
        QUANTITIES.items(), "os^", ("#1f5fa8", "#c8641e", "#2f8f5b")
    ):
        values = [row[name]["fastest"] for row in rows]
        label = f"{label}: $n^{{{fits[name]['fitted']:.2f}}}$"
        axes.loglog(n, values, mark + "-", color=colour, ms=5, lw=1.6, label=label)
    top = max(rows[-1][name]["fastest"] for name in QUANTITIES)
    low = rows[-1]["product"]["fastest"]
    guide = n[-3:]
    for power, level in ((3, top * 3), (2, low / 1.8)):
        axes.loglog(guide, level * (guide / n[-1]) ** power, "--", color="0.6", lw=1)
        axes.annotate(
            f"$n^{power}$",
            (n[-1], level),
            textcoords="offset points",
            xytext=(6, 0),
            va="center",
            color="0.4",
        )
    axes.set_xticks(n, [f"{int(v)}" for v in n])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("points n")
    axes.set_ylabel("seconds")
    axes.set_title(f"Path energy, digits in 64 dimensions, {N_STEPS} steps, one thread ({cpu})")
    axes.set_xlim(n[0] / 1.15, n[-1] * 1.35)
    axes.legend(title=f"slope fitted from n = {FIT_FROM}")
    return figure


def measure(sizes: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """All sizes in turn, so that a busy moment of the machine spoils no size."""
    times: dict[int, dict[str, list[float]]] = {n: {q: [] for q in QUANTITIES} for n in sizes}
    for k in range(repeats):
        for n in sizes:
            for name, found in measure_size(n).items():
                times[n][name] += found
        print(f"round {k + 1} of {repeats} done", flush=True)
    return [
        {"n": n, **{q: {"fastest": min(t), **summary(t)} for q, t in found.items()}}
        for n, found in times.items()
    ]


def show(rows: list[dict[str, Any]], fits: dict[str, Any]) -> None:
    """Print what was found."""
    print()
    print_table(
        ["points", *QUANTITIES.values()],
        [[str(row["n"]), *(f"{row[name]['fastest']:.5f} s" for name in QUANTITIES)] for row in rows]
        + [
            ["slope, fitted", *(f"{fits[name]['fitted']:.2f}" for name in QUANTITIES)],
            ["slope, last two", *(f"{fits[name]['last']:.2f}" for name in QUANTITIES)],
        ],
    )


def main() -> None:
    """Measure, fit, draw, write."""
    parser = command_line(__doc__, repeats=3)
    parser.add_argument("--full", action="store_true", help="also all 1797 digits (5 GB)")
    run = begin(parser)
    rows = measure(SIZES + ((ALL,) if run.options.full else ()), run.options.repeats)
    fits = slopes(rows)
    show(rows, fits)
    run.save_figure(draw(rows, fits, cpu_model()), RESULTS / "energy_scaling.png")
    problem = f"digits, 64 dimensions, {N_STEPS} steps, Matérn-3/2 kernel"
    run.write_results("energy_scaling.json", {"problem": problem, "rows": rows, "slopes": fits})


if __name__ == "__main__":
    main()
