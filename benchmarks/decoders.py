"""Geodesics of decoders R^2 → R^50 and R^10 → R^50: geomnet beside stochman, GEORCE and SciPy.

``python benchmarks/decoders.py`` measures everyone in turn on one thread and writes
``results/decoders.json``; ``--only decoder2`` takes a part, and writes it where
``--out`` says. The true distances come from SciPy's boundary value solver at tolerance 1e-10, with
derivatives of the network taken by hand. Errors are relative; a peer is given the better of its
own length and the true length of the curve it returns, which is not charged.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

from charts import GOAL, Answer, Bench, ladder_options
from common import begin, print_table
from peer import PeerProcess, start_peer

STEPS = (8, 16, 32, 64, 128)
GRIDS = ((5, 20), (10, 50), (20, 100), (40, 200))
"""Nodes of the spline, and points at which its energy is taken."""

LADDERS: dict[str, tuple[Any, ...]] = {
    "PathNewton": STEPS,
    "PathNewton, autograd": STEPS,
    "SpectralPath": (1e-2, 1e-3, 1e-4, 1e-6, 1e-8),
    "SpectralPath, autograd": (1e-2, 1e-3, 1e-4, 1e-6, 1e-8),
    "default": (None,),
    "stochman, its L-BFGS": GRIDS,
    "stochman, strong Wolfe": GRIDS,
    "stochman, Adam": GRIDS,
    "solve_bvp, by hand": (1e-1, 1e-2, 1e-3, 1e-4, 1e-6),
    "GEORCE": ((25, 1e-4), (50, 1e-4), (100, 1e-4), (200, 1e-4), (200, 1e-6), (400, 1e-6)),
}
MINE = ("PathNewton", "PathNewton, autograd", "SpectralPath", "SpectralPath, autograd", "default")
OPTIMISERS = {"its L-BFGS": "lbfgs", "strong Wolfe": "wolfe", "Adam": "adam"}


class DecoderBench(Bench):
    """One decoder in everyone's terms."""

    ladders = LADDERS

    def __init__(self, name: str, georce: PeerProcess, stochman: PeerProcess) -> None:
        super().__init__(name, georce)
        self.stochman = stochman

    @cached_property
    def metric(self) -> Any:
        """Chords of the image; the pullback Jᵀw by hand, two lines for such a network."""
        import geomnet as gn

        return gn.ImmersionMetric(self.problem, pullback=self.problem.pullback)

    @cached_property
    def autograd_metric(self) -> Any:
        """The network alone."""
        import geomnet as gn

        return gn.ImmersionMetric(self.differentiable)

    def geodesic(self, solver: str, setting: Any) -> Any:
        """Run one of our solvers."""
        import geomnet as gn

        start, end = self.problem.start, self.problem.end
        if solver == "default":
            return gn.geodesic(self.autograd_metric, start, end)
        metric = self.autograd_metric if solver.endswith("autograd") else self.metric
        if solver.startswith("SpectralPath"):
            return gn.geodesic(metric, start, end, method=gn.geodesics.SpectralPath(rtol=setting))
        return gn.geodesic(metric, start, end, n_steps=setting, method=gn.PathNewton())

    def call(self, solver: str, setting: Any, budget: float) -> Answer:
        """As in charts.py, and stochman."""
        if not solver.startswith("stochman"):
            return super().call(solver, setting, budget)
        import numpy as np

        answer = self.answers.setdefault((solver, setting), Answer(solver, setting))
        nodes, grid = setting
        told = self.stochman.ask(
            do="solve",
            dim=self.problem.dim,
            num_nodes=nodes,
            eval_grid=grid,
            optimiser=OPTIMISERS[solver.partition(", ")[2]],
            budget=budget,
        )
        answer.times += told["times"]
        answer.details = {"converged": told["converged"]}
        self._judge(answer, told["own_length"], np.array(told["path"]), smooth=True)
        return answer


def measure_decoder(
    name: str, georce: PeerProcess, stochman: PeerProcess, repeats: int, budget: float
) -> dict[str, Any]:
    """Everyone on one decoder, in turn."""
    bench = DecoderBench(name, georce, stochman)
    for solver, settings in LADDERS.items():
        for setting in settings:
            bench.call(solver, setting, 0.0)  # warm up
    for answer in bench.answers.values():
        answer.times.clear()
    for _ in range(repeats):
        for solver, setting in list(bench.answers):
            bench.call(solver, setting, budget)
    done = [a for a in bench.answers.values() if a.times]
    rows = []
    for answer in done:
        row = answer.as_dict()
        if answer.solver not in MINE:
            # the fastest of ours whose error is no larger than the peer's
            enough = [a for a in done if a.solver in MINE and a.error <= answer.error]
            if enough:
                best = min(enough, key=lambda a: a.median)
                row["ratio"] = answer.median / best.median
                row["ratio_to"] = f"{best.solver}, {best.setting}"
        rows.append(row)
    failed = [a.as_dict() for a in bench.answers.values() if not a.times]
    best = {}
    for solver in LADDERS:
        reached = [a for a in done if a.solver == solver and a.error <= GOAL and not a.failure]
        best[solver] = min(reached, key=lambda a: a.median).as_dict() if reached else None
    return {
        "decoder": f"{bench.problem.dim} → 50",
        "distance": bench.problem.distance,
        "rows": rows + failed,
        "to_goal": best,
    }


def show(result: dict[str, Any]) -> None:
    """Print what was found."""
    print(f"\ndecoder {result['decoder']}, distance {result['distance']:.9f}\n")
    table = []
    for row in result["rows"]:
        if "error" not in row:
            table.append([f"{row['solver']}, {row['setting']}", row["failure"][:60], "", "", ""])
            continue
        reached = result["to_goal"][row["solver"]]
        star = " *" if reached and reached["setting"] == row["setting"] else ""
        table.append(
            [
                f"{row['solver']}, {row['setting']}{star}",
                f"{1e3 * row['seconds']['median']:.3g}",
                f"{row['error']:.1e}",
                f"{row['ratio']:.3g}" if "ratio" in row else "",
                row.get("ratio_to", ""),
            ]
        )
    print_table(["solver, setting", "ms", "error", "× time", "of geomnet's, error ≤"], table)
    print(f"\n* the cheapest setting whose error is at most {GOAL:.0e}.")


def main() -> int:
    """Measure, print, write; fail where geomnet's default answer is wrong."""
    run = begin(ladder_options(__doc__, "jax", "stochman", repeats=5, budget=0.1))
    options = run.options
    georce = start_peer(options, "jax", "georce_jax.py")
    stochman = start_peer(options, "stochman", "stochman_spline.py")
    results = []
    for name in options.only or ("decoder2", "decoder10"):
        results.append(measure_decoder(name, georce, stochman, options.repeats, options.budget))
        show(results[-1])
    versions = {**georce.ask(do="versions"), **stochman.ask(do="versions")}
    for process in (georce, stochman):
        process.close()
    run.write_results("decoders.json", {"goal": GOAL, "decoders": results}, versions)
    wrong = [
        r["decoder"] for r in results if not (r["to_goal"]["default"] or {}).get("error", 1) <= 1e-5
    ]
    if wrong:
        print(f"gn.geodesic is wrong on {', '.join(wrong)}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
