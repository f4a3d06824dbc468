"""Geodesics in charts: geomnet beside geomstats, SciPy's boundary value solver and GEORCE.

``python benchmarks/charts.py`` takes the problems of ``chart_problems.py``, whose distances are
known in closed form, measures everyone in turn on one thread and writes ``results/charts.json``.
``--full`` adds dimension 100; ``--only sphere2`` takes a part, and writes it where ``--out`` says.

Every error is relative and true. A peer is given the better of two readings: the length it
reports itself, and the length of the curve it returns, which this program integrates without
charging it for the time. geomnet is judged by ``geo.distance`` alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from common import begin, command_line, print_table, summary
from peer import PeerProcess, add_peers, start_peer

os.environ["GEOMSTATS_BACKEND"] = "autograd"  # geomstats reads it when it loads

GOAL = 1e-4
"""Relative error of the length that everyone is asked for."""

LADDERS: dict[str, tuple[Any, ...]] = {
    "SpectralPath": (1e-2, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10),
    "SpectralPath, autograd": (1e-2, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10),
    "PathNewton": (8, 16, 32, 64, 128, 256),
    "PathLBFGS": (8, 16, 32, 64),
    "Shooting": (None,),
    "default": (None,),
    "PathStraightening": (13, 25, 50, 100, 200, 400),
    "LogODESolver": (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8),
    "solve_bvp": (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10),
    "solve_bvp, by hand": (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10),
    "GEORCE": (
        (13, 1e-4),
        (25, 1e-4),
        (50, 1e-4),
        (100, 1e-4),
        (200, 1e-4),
        (200, 1e-6),
        (400, 1e-6),
        (800, 1e-7),
    ),
}
"""Settings of each solver, cheapest first: a tolerance, a number of steps, or both."""

AS_REPORTED = ((400, 1e-6), (800, 1e-6), (1600, 1e-7), (3200, 1e-8), (6400, 1e-8))
"""Settings at which GEORCE is asked for a length that is itself right.

Its rule takes the metric at the start of each step and is of order 1. Its stopping test is not
scale-free: at the authors' 1e-4 it stops on the straight line once the steps are many.
"""

OURS = ("SpectralPath", "SpectralPath, autograd", "PathNewton", "PathLBFGS", "Shooting", "default")
PEERS = ("PathStraightening", "LogODESolver", "solve_bvp", "solve_bvp, by hand", "GEORCE")
ODE_LIMIT = 6
"""LogODESolver is asked up to this dimension: on sphere20 it spends minutes, and then fails."""


@dataclass
class Answer:
    """What one solver made of one problem."""

    solver: str
    setting: Any
    error: float = float("inf")
    own_error: float | None = None
    curve_error: float | None = None
    first: float | None = None
    times: list[float] = field(default_factory=list)
    failure: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Median time in seconds."""
        return statistics.median(self.times)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        kept = {k: v for k, v in vars(self).items() if k == "setting" or v not in (None, {})}
        if self.error == float("inf"):
            kept.pop("error")
        times = kept.pop("times")
        return kept | ({"seconds": summary(times)} if times else {})


class Bench:
    """One problem in everyone's terms."""

    ladders = LADDERS

    def __init__(self, name: str, georce: PeerProcess | None) -> None:
        import autograd.numpy as anp
        from chart_problems import problem

        self.problem, self.differentiable = problem(name), problem(name, anp)
        self.georce = georce
        self.answers: dict[tuple[str, Any], Answer] = {}

    # geomnet ---------------------------------------------------------------------------------

    @cached_property
    def metric(self) -> Any:
        """With the hand-derived quadratic gradient."""
        import geomnet as gn

        one = self.problem
        return gn.ChartMetric(one.metric_matrix, one.dim, one.quadratic_gradient)

    @cached_property
    def autograd_metric(self) -> Any:
        """Only the metric matrix; autograd differentiates it."""
        import geomnet as gn

        return gn.ChartMetric(self.differentiable.metric_matrix, self.problem.dim)

    def geodesic(self, solver: str, setting: Any) -> Any:
        """Run one of our solvers."""
        import geomnet as gn

        start, end = self.problem.start, self.problem.end
        metric = self.autograd_metric if solver.endswith("autograd") else self.metric
        if solver.startswith("SpectralPath"):
            return gn.geodesic(metric, start, end, method=gn.geodesics.SpectralPath(rtol=setting))
        if solver == "default":
            return gn.geodesic(metric, start, end)
        method = getattr(gn.geodesics, solver)()
        if solver == "Shooting":
            return gn.geodesic(metric, start, end, method=method)
        return gn.geodesic(metric, start, end, n_steps=setting, method=method)

    # geomstats -------------------------------------------------------------------------------

    @cached_property
    def geomstats_space(self) -> Any:
        """A vector space of geomstats with the metric of this problem."""
        from geomstats.geometry.euclidean import Euclidean
        from geomstats.geometry.riemannian_metric import RiemannianMetric

        matrix = self.differentiable.metric_matrix

        class Chart(RiemannianMetric):
            def metric_matrix(self, base_point):
                return matrix(base_point)

        space = Euclidean(self.problem.dim, equip=False)
        space.equip_with_metric(Chart)
        return space

    def path_straightening(self, n_nodes: int) -> Callable[[], Any]:
        """Nodes of the discrete geodesic of geomstats."""
        from geomstats.numerics.geodesic import PathStraightening

        solver = PathStraightening(self.geomstats_space, n_nodes=n_nodes)
        return lambda: solver.discrete_geodesic_bvp(self.problem.end, self.problem.start)

    def log_ode(self, tol: float) -> Callable[[], Any]:
        """Solution of geomstats' boundary value problem, as SciPy returns it."""
        from geomstats.numerics.bvp import ScipySolveBVP
        from geomstats.numerics.geodesic import LogODESolver

        solver = LogODESolver(
            self.geomstats_space, n_nodes=10, use_jac=False, integrator=ScipySolveBVP(tol=tol)
        )
        return lambda: solver._solve(self.problem.end, self.problem.start)

    # SciPy -----------------------------------------------------------------------------------

    def solve_bvp(self, tol: float, by_hand: bool = False) -> Callable[[], Any]:
        """SciPy on the geodesic equation: from what geomnet is given, or derived by hand."""
        import numpy as np
        from scipy.integrate import solve_bvp

        one = self.problem
        d, start, end = one.dim, one.start, one.end
        acceleration = one.acceleration if by_hand else one.acceleration_by_metric

        def rates(t, state):
            x, v = state[:d].T, state[d:].T
            return np.concatenate([v, acceleration(x, v)], axis=1).T

        def ends(a, b):
            return np.concatenate([a[:d] - start, b[:d] - end])

        def call():
            t = np.linspace(0, 1, 10)
            line = start[:, None] + (end - start)[:, None] * t
            guess = np.concatenate([line, np.repeat((end - start)[:, None], 10, axis=1)])
            return solve_bvp(rates, ends, t, guess, tol=tol)

        return call

    # measuring -------------------------------------------------------------------------------

    def call(self, solver: str, setting: Any, budget: float) -> Answer:
        """Run a solver until the budget of seconds is spent, at least once; keep every time."""
        key = solver, setting
        known = self.answers.get(key)
        if known is not None and known.failure:
            return known
        answer = self.answers.setdefault(key, Answer(solver, setting))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if solver == "GEORCE":
                self._georce(answer, budget)
            elif solver.startswith(OURS):
                self._ours(answer, budget)
            else:
                self._theirs(answer, budget)
        return answer

    def _repeat(self, answer: Answer, call: Callable[[], Any], budget: float) -> Any:
        spent = 0.0
        while True:
            before = time.perf_counter()
            found = call()
            taken = time.perf_counter() - before
            spent += taken
            if answer.first is None:
                answer.first = taken  # imports, caches
                if taken < budget:
                    continue
            answer.times.append(taken)
            if spent >= budget:
                return found

    def _ours(self, answer: Answer, budget: float) -> None:
        try:
            geo = self._repeat(answer, lambda: self.geodesic(answer.solver, answer.setting), budget)
        except Exception as error:
            if type(error).__module__.startswith("geomnet"):
                answer.failure = str(error)
                return
            raise
        truth = self.problem.distance
        answer.error = abs(geo.distance - truth) / truth
        answer.details = {
            "estimate": geo.error_estimate / truth,
            "iterations": geo.certificate.iterations,
            "method": geo.method,
        }

    def _theirs(self, answer: Answer, budget: float) -> None:
        import numpy as np

        make = {
            "PathStraightening": self.path_straightening,
            "LogODESolver": self.log_ode,
            "solve_bvp": self.solve_bvp,
            "solve_bvp, by hand": lambda tol: self.solve_bvp(tol, by_hand=True),
        }[answer.solver]
        call = make(answer.setting)
        found = self._repeat(answer, call, budget)
        if answer.solver == "PathStraightening":
            self._judge(answer, self._own_length(np.array(found)), np.array(found))
            return
        d, start = self.problem.dim, self.problem.start
        velocity = found.y[d:, 0]
        own = np.sqrt(velocity @ self.problem.metric_matrix(start) @ velocity)
        self._judge(answer, float(own), found.sol(np.linspace(0, 1, 2001))[:d].T, smooth=True)
        if not found.success:
            answer.failure = found.message

    def _georce(self, answer: Answer, budget: float) -> None:
        import numpy as np

        assert self.georce is not None
        n_steps, tol = answer.setting
        told = self.georce.ask(
            do="solve", name=self.problem.name, n_steps=n_steps, tol=tol, budget=budget
        )
        answer.times += told["times"]
        if answer.first is None:
            answer.first = told["first"]
        answer.details = {k: told[k] for k in ("iterations", "gradient_norm")}
        path = np.array(told["path"])
        self._judge(answer, self._own_length(path), path)

    def _own_length(self, path: Any) -> float:
        """Length by the rule of GEORCE and PathStraightening: the metric at each step's start."""
        import numpy as np

        step = np.diff(path, axis=0)
        matrices = self.problem.metric_matrix(path[:-1])
        return float(np.sqrt(np.einsum("ki,kij,kj->k", step, matrices, step)).sum())

    def _judge(self, answer: Answer, own: float, path: Any, smooth: bool = False) -> None:
        from chart_problems import curve_length

        truth = self.problem.distance
        answer.own_error = abs(own - truth) / truth
        length = curve_length(self.problem, path)
        if smooth:  # the curve, not its polygon
            length += (length - curve_length(self.problem, path[::2])) / 3
        answer.curve_error = abs(length - truth) / truth
        answer.error = min(answer.own_error, answer.curve_error)

    def cheapest(self, solver: str, goal: float = GOAL) -> Answer | None:
        """The first setting of a ladder that reaches the goal, called once each."""
        for setting in self.ladders[solver]:
            answer = self.call(solver, setting, 0.0)
            if answer.failure is None and answer.error <= goal:
                return answer
        return None

    def reported(self) -> Answer | None:
        """GEORCE's first setting whose own length reaches the goal."""
        for setting in AS_REPORTED:
            answer = self.call("GEORCE", setting, 0.0)
            if answer.own_error is not None and answer.own_error <= GOAL:
                return answer
            if answer.median > 2:
                break
        return None

    def asked(self, solver: str) -> bool:
        """Whether a solver is asked for this problem at all."""
        return solver != "LogODESolver" or self.problem.dim <= ODE_LIMIT


def newton_iterations(bench: Bench) -> dict[str, Any]:
    """Newton iterations at 100 steps from the straight line to a gradient of 1e-8."""
    import numpy as np

    import geomnet as gn

    one = bench.problem
    method = gn.PathNewton(tol=1e-8)
    line = one.start + np.linspace(0, 1, 101)[:, None] * (one.end - one.start)
    _, solution = method.solve(bench.metric, line)
    return {"iterations": solution.iterations, "gradient_norm": solution.gradient_norm}


def settings_in_turn(
    bench: Bench, chosen: dict[str, Answer | None], reported: Answer | None
) -> list[tuple[str, Any]]:
    """Solvers and settings that are measured: the cheapest that are enough, and fixed ones."""
    wanted = [(a.solver, a.setting) for a in (*chosen.values(), reported) if a is not None]
    for solver in ("SpectralPath", "SpectralPath, autograd"):
        wanted += [(solver, rtol) for rtol in LADDERS[solver] if rtol <= GOAL]
    wanted += [("PathNewton", n) for n in LADDERS["PathNewton"]] + [("default", None)]
    wanted += [("PathStraightening", 100)]
    if bench.asked("LogODESolver"):
        wanted.append(("LogODESolver", 1e-3))  # its default
    return list(dict.fromkeys(wanted))


def take_turns(bench: Bench, wanted: list[tuple[str, Any]], repeats: int, budget: float) -> None:
    """Everyone in turn; of those that take seconds once is enough."""
    for answer in bench.answers.values():
        answer.times.clear()
    for _ in range(repeats):
        for key in wanted:
            known = bench.answers.get(key)
            if known is None or not known.times or min(known.times) <= 3:
                bench.call(*key, budget)


def beside_ours(answer: Answer, ours: dict[str, list[Answer]]) -> dict[str, Any]:
    """A peer's answer, and its time over that of the fastest of ours at no larger error."""
    told = answer.as_dict()
    if not answer.times:
        return told
    for key, mine in (("analytic", "SpectralPath"), ("autograd", "SpectralPath, autograd")):
        # nor at one larger than the goal
        enough = [a for a in ours[mine] if a.times and a.error <= min(answer.error, GOAL)]
        if enough:
            best = min(enough, key=lambda a: a.median)
            told[f"ratio_{key}"] = answer.median / best.median
            told[f"ratio_{key}_setting"] = best.setting
    return told


def best_of_ours(ours: dict[str, list[Answer]]) -> dict[str, Any]:
    """The fastest setting of each of our solvers that reaches the goal."""
    reached = {solver: [a for a in ours[solver] if a.error <= GOAL] for solver in OURS[:3]}
    return {
        solver: min(answers, key=lambda a: a.median).as_dict()
        for solver, answers in reached.items()
        if answers
    }


def measure_problem(name: str, georce: PeerProcess, repeats: int, budget: float) -> dict[str, Any]:
    """Everyone on one problem, in turn."""
    bench = Bench(name, georce)
    chosen: dict[str, Answer | None] = {}
    for solver in ("SpectralPath", "SpectralPath, autograd", *PEERS):
        chosen[solver] = bench.cheapest(solver) if bench.asked(solver) else None
    reported = bench.reported()
    wanted = settings_in_turn(bench, chosen, reported)
    take_turns(bench, wanted, repeats, budget)
    ours = {s: [bench.answers[k] for k in wanted if k[0] == s] for s in OURS}
    peers = {solver: chosen[solver] for solver in PEERS}
    peers["PathStraightening, 100 nodes"] = bench.answers["PathStraightening", 100]
    if bench.asked("LogODESolver"):
        peers["LogODESolver, default"] = bench.answers["LogODESolver", 1e-3]
    return {
        "problem": name,
        "dim": bench.problem.dim,
        "distance": bench.problem.distance,
        "answers": [a.as_dict() for a in bench.answers.values() if a.times or a.failure],
        "newton": newton_iterations(bench),
        "peers": {s: None if a is None else beside_ours(a, ours) for s, a in peers.items()},
        "ours": best_of_ours(ours),
        "default": bench.answers["default", None].as_dict(),
        "georce_as_reported": reported.as_dict() if reported else None,
    }


def milliseconds(answer: dict[str, Any] | None) -> str:
    """Median of an answer in words."""
    if answer is None:
        return "–"
    return "fails" if answer.get("failure") else f"{1e3 * answer['seconds']['median']:.3g}"


def ratios(answer: dict[str, Any] | None) -> str:
    """Peer's time over ours in words, autograd's in brackets."""
    if answer is None:
        return "–"
    by_hand, autograd = (
        f"{answer[key]:.3g}" if key in answer else "?"
        for key in ("ratio_analytic", "ratio_autograd")
    )
    return f"{by_hand} ({autograd}){', fails' if answer.get('failure') else ''}"


def show_times(rows: list[dict[str, Any]]) -> None:
    """Print everyone's time to the goal."""
    print(f"\nMilliseconds to a relative error of {GOAL:.0e} of the length, one thread\n")
    head = ["", "geomnet", "…autograd", "…Newton", "…default", "P.Str.", "(100)", "LogODE", "bvp"]
    head += ["by hand", "GEORCE", "(first)", "as reported"]
    names = ("PathStraightening", "PathStraightening, 100 nodes", *PEERS[1:])
    table = []
    for row in rows:
        georce = row["peers"]["GEORCE"]
        table.append(
            [
                f"{row['problem']} ({row['dim']})",
                *(milliseconds(row["ours"].get(solver)) for solver in OURS[:3]),
                milliseconds(row["default"]),
                *(milliseconds(row["peers"][name]) for name in names),
                f"{1e3 * georce['first']:.0f}" if georce else "–",
                milliseconds(row["georce_as_reported"]),
            ]
        )
    print_table(head, table)
    print("\n–: no setting tried reaches it (LogODESolver: not asked above dimension 6).")


def show_ratios(rows: list[dict[str, Any]]) -> None:
    """Print peers' times over ours."""
    print("\nPeer's time over geomnet's, at no larger error than the peer's: hand-derived gradient")
    print("(autograd's in brackets)\n")
    names = ("PathStraightening, 100 nodes", "PathStraightening", "LogODESolver, default")
    names += ("LogODESolver", "solve_bvp", "solve_bvp, by hand", "GEORCE")
    print_table(
        ["", "P.Str. 100", "P.Str.", "LogODE as is", "LogODE", "bvp", "bvp by hand", "GEORCE"],
        [[row["problem"], *(ratios(row["peers"].get(name)) for name in names)] for row in rows],
    )


def show_defaults(rows: list[dict[str, Any]]) -> None:
    """Print Newton's iterations, and what geomnet says by itself."""
    print("\nPathNewton from the straight line at 100 steps to 1e-8, and gn.geodesic as it comes\n")
    table = []
    for row in rows:
        told, newton = row["default"], row["newton"]
        cells = [row["problem"], str(newton["iterations"]), f"{newton['gradient_norm']:.0e}"]
        if told.get("failure"):
            table.append([*cells, told["failure"], "", "", ""])
            continue
        estimate = told["details"]["estimate"]
        bounds = "yes" if estimate >= told["error"] else "NO"
        cells += [f"{told['error']:.1e}", f"{estimate:.1e}", bounds, milliseconds(told)]
        table.append(cells)
    print_table(["", "iterations", "gradient", "error", "estimate", "bounds", "ms"], table)


def show(rows: list[dict[str, Any]]) -> None:
    """Print what was found."""
    show_times(rows)
    show_ratios(rows)
    show_defaults(rows)


def ladder_options(
    description: str | None, *peers: str, repeats: int, budget: float
) -> argparse.ArgumentParser:
    """Options of the benchmarks that climb ladders of settings."""
    parser = command_line(description, repeats=repeats)
    add_peers(parser, *peers)
    parser.add_argument(
        "--only", nargs="+", metavar="PROBLEM", help="some problems; writes nothing without --out"
    )
    parser.add_argument(
        "--budget", type=float, default=budget, help=f"seconds a turn (default {budget})"
    )
    return parser


def main() -> int:
    """Measure, print, write; fail where geomnet's default answer is wrong."""
    parser = ladder_options(__doc__, "jax", repeats=5, budget=0.1)
    parser.add_argument("--full", action="store_true", help="also dimension 100")
    run = begin(parser)
    options = run.options
    from chart_problems import LARGE, NINE

    georce = start_peer(options, "jax", "georce_jax.py")
    rows = []
    for name in options.only or NINE + (LARGE if options.full else ()):
        rows.append(measure_problem(name, georce, options.repeats, options.budget))
        print(f"{name} done", flush=True)
    versions = georce.ask(do="versions")
    georce.close()
    show(rows)
    run.write_results("charts.json", {"goal": GOAL, "rows": rows}, versions)
    wrong = [row["problem"] for row in rows if not row["default"].get("error", 1) <= 1e-8]
    if wrong:
        print(f"gn.geodesic is wrong on {', '.join(wrong)}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
