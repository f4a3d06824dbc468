"""Time against true error of the length, for every solver and peer on every chart problem.

``python benchmarks/work_precision.py`` runs the ladder of settings of each solver in
``charts.py`` in turn on one thread, writes ``results/work_precision.json`` and draws
``docs/_static/work_precision.png``; ``--draw`` draws the figure of the kept results again.
"""

from __future__ import annotations

from typing import Any

from charts import LADDERS, PEERS, Bench, ladder_options
from common import STATIC, Run, begin, new_figure
from peer import PeerProcess, start_peer

SLOW = 5.0
"""Seconds: a solver this slow, or one that failed, climbs its ladder no further."""

STYLES: dict[str, tuple[str, str, str]] = {
    "SpectralPath": ("#1f5fa8", "o", "-"),
    "SpectralPath, autograd": ("#1f5fa8", "o", ":"),
    "PathNewton": ("#2f8f5b", "s", "-"),
    "PathLBFGS": ("#7a4fb0", "v", "-"),
    "Shooting": ("#101010", "*", ""),
    "default": ("#d01c4b", "D", ""),
    "GEORCE": ("#c8641e", "P", "--"),
    "solve_bvp": ("#8c8c8c", "X", "--"),
    "solve_bvp, by hand": ("#8c8c8c", "X", ":"),
    "PathStraightening": ("#b8960c", "^", "--"),
    "LogODESolver": ("#c77cb0", "<", "--"),
}
LABELS = {
    "SpectralPath": "gn.geodesics.SpectralPath",
    "SpectralPath, autograd": "… by autograd",
    "PathNewton": "gn.PathNewton",
    "PathLBFGS": "gn.geodesics.PathLBFGS",
    "Shooting": "gn.Shooting",
    "default": "gn.geodesic, as it comes",
    "GEORCE": "GEORCE, JAX, compiled before",
    "solve_bvp": "SciPy solve_bvp, from G and q",
    "solve_bvp, by hand": "… equation derived by hand",
    "PathStraightening": "geomstats PathStraightening",
    "LogODESolver": "geomstats LogODESolver",
}
FLOOR = 1e-13
"""Errors below are drawn here: the truth has no more digits."""


def measure(name: str, georce: PeerProcess, repeats: int, budget: float) -> dict[str, Any]:
    """Every setting of every solver, in turn."""
    bench = Bench(name, georce)
    settings = []
    for solver, ladder in LADDERS.items():
        if not bench.asked(solver):
            continue
        for setting in ladder:
            answer = bench.call(solver, setting, 0.0)
            if answer.failure and solver in PEERS:
                break
            settings.append((solver, setting))
            if answer.times and answer.median > SLOW:
                break
    for answer in bench.answers.values():
        if not answer.failure and answer.median <= SLOW:
            answer.times.clear()
    for _ in range(repeats):
        for solver, setting in settings:
            if not (times := bench.answers[solver, setting].times) or min(times) <= SLOW:
                bench.call(solver, setting, budget)
    return {
        "problem": name,
        "dim": bench.problem.dim,
        "distance": bench.problem.distance,
        "answers": [a.as_dict() for a in bench.answers.values()],
    }


TITLES = {
    "sphere": "sphere $S^{{{0}}}$",
    "gauss": "normal distributions, {0}-fold",
    "spd": "positive definite {0}×{0}",
    "paraboloid": "paraboloid",
}


def title(row: dict[str, Any]) -> str:
    """Problem in words, and its dimension."""
    name = row["problem"]
    family = name.rstrip("0123456789")
    words = TITLES.get(family, name).format(name[len(family) :]).removesuffix(", 1-fold")
    return f"{words} (dimension {row['dim']})"


def draw_problem(axes: Any, row: dict[str, Any], handles: dict[str, Any]) -> None:
    """Lines of all solvers on one problem; they are added to the handles of the legend."""
    from matplotlib.ticker import FixedLocator, NullLocator

    for solver, (colour, mark, line) in STYLES.items():
        pairs = frontier(
            [
                (max(a["error"], FLOOR), 1e3 * a["seconds"]["median"])
                for a in row["answers"]
                if a["solver"] == solver and not a.get("failure") and a["error"] < 0.5
            ]
        )
        if not pairs:
            continue
        ours = solver not in PEERS
        (handles[solver],) = axes.plot(
            *zip(*pairs),
            mark + line,
            color=colour,
            lw=1.7 if ours else 1.2,
            ms={"*": 9, "D": 6}.get(mark, 4.5),
            mec="white",
            mew=0.4,
            zorder=3 if ours else 2,
            label=LABELS[solver],
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title(row))
    axes.tick_params(labelsize=8, labelbottom=True)
    axes.xaxis.set_major_locator(FixedLocator([1e-2, 1e-5, 1e-8, 1e-11]))
    axes.xaxis.set_minor_locator(NullLocator())


def draw(rows: list[dict[str, Any]], cpu: str) -> Any:
    """One panel a problem, seconds upwards, accuracy to the right."""
    columns = 4
    lines = -(-(len(rows) + 1) // columns)
    figure, grid = new_figure(12.5, 3.05 * lines, lines, columns, sharex=True)
    handles: dict[str, Any] = {}
    for row, axes in zip(rows, grid.flat):
        draw_problem(axes, row, handles)
    grid.flat[0].set_xlim(0.3, FLOOR / 4)
    for axes in grid.flat[len(rows) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("milliseconds", fontsize=9)
    figure.supxlabel("relative error of the length", fontsize=9)
    grid.flat[len(rows)].legend(
        handles=[handles[s] for s in STYLES if s in handles],
        loc="center left",
        title=f"one thread\n{cpu}",
        alignment="left",
    )
    return figure


def frontier(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Settings that no other of the same solver beats in both error and time."""
    kept = [p for p in pairs if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in pairs)]
    return sorted(set(kept), reverse=True)


def measure_all(run: Run) -> None:
    """Measure every problem, write."""
    from chart_problems import LARGE, NINE

    georce = start_peer(run.options, "jax", "georce_jax.py")
    rows = []
    for name in run.options.only or NINE + LARGE:
        rows.append(measure(name, georce, run.options.repeats, run.options.budget))
        print(f"{name} done", flush=True)
    versions = georce.ask(do="versions")
    georce.close()
    run.write_results("work_precision.json", {"rows": rows}, versions)


def main() -> None:
    """Measure, write, draw."""
    parser = ladder_options(__doc__, "jax", repeats=3, budget=0.05)
    parser.add_argument("--draw", action="store_true", help="only draw the kept results")
    run = begin(parser)
    if not run.options.draw:
        measure_all(run)
    kept = run.read_results("work_precision.json")
    figure = draw(kept["rows"], kept["environment"]["cpu"])
    run.save_figure(figure, STATIC / "work_precision.png")


if __name__ == "__main__":
    main()
