"""What every benchmark does at its beginning and end: options, threads, timing, results, figures.

It imports nothing heavy, so that a benchmark's parent process stays small: Linux counts the
memory of the process that starts another into the other's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
STATIC = ROOT / "docs" / "_static"
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PACKAGES = ("numpy", "scipy", "scikit-learn", "autograd", "threadpoolctl")
PARTIAL = ("quick", "only", "network")
"""Options by which a run measures a part."""
LINE = 400
"""Characters of JSON that go on one line: a record of a solver fits."""
STYLE = {
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.titlesize": 9.5,
    "grid.color": "0.92",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8,
}

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the checkout is what is measured


# options and threads -------------------------------------------------------------------------


def command_line(
    description: str | None,
    *,
    repeats: int | None = None,
    quick: str | None = None,
    case: bool = False,
) -> argparse.ArgumentParser:
    """Options of a benchmark: --out, and --repeats, --quick and the hidden --case on request."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of what is written (default: its own place)"
    )
    if repeats is not None:
        parser.add_argument(
            "--repeats",
            type=int,
            default=repeats,
            metavar="N",
            help=f"turns everyone takes (default {repeats})",
        )
    if quick is not None:
        parser.add_argument(
            "--quick", action="store_true", help=f"{quick}; writes nothing without --out"
        )
    if case:
        parser.add_argument("--case", nargs="+", help=argparse.SUPPRESS)
    return parser


@dataclass(frozen=True)
class Run:
    """One run of a benchmark: its options, and how busy the machine was when it began."""

    options: argparse.Namespace
    threads: int | None
    busy: float | None

    def place(self, usual: Path) -> Path | None:
        """Where a file goes: to --out, else to its usual place, or nowhere of a partial run."""
        if self.options.out is not None:
            self.options.out.mkdir(parents=True, exist_ok=True)
            return self.options.out / usual.name
        return None if any(getattr(self.options, name, None) for name in PARTIAL) else usual

    def write_text(self, name: str, text: str) -> None:
        """Write a file of results, whole or not at all."""
        path = self.place(RESULTS / name)
        if path is None:
            return
        part = path.with_name(name + ".tmp")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
        print(f"\nwrote {path.name}")

    def write_results(
        self, name: str, content: dict[str, Any], peers: dict[str, str] | None = None
    ) -> None:
        """Write results below the surroundings in which they were measured."""
        where = environment()
        if self.threads is not None:
            where["threads"] = self.threads
        where["busy_before"] = self.busy
        if peers is not None:
            where["peer_versions"] = peers
        self.write_text(name, readable({"environment": where, **content}) + "\n")

    def read_results(self, name: str) -> dict[str, Any]:
        """Results that were written before."""
        return json.loads(((self.options.out or RESULTS) / name).read_text(encoding="utf-8"))

    def save_figure(self, figure: Any, usual: Path, dpi: int = 150) -> None:
        """Save a figure as PNG, without the name of the program that drew it."""
        path = self.place(usual)
        if path is not None:
            figure.savefig(path, dpi=dpi, metadata={"Software": None})
            print(f"\nwrote {path.name}")


def begin(parser: argparse.ArgumentParser, threads: int | None = 1) -> Run:
    """Read the options, start anew with so many BLAS threads, and see how busy the machine is.

    Without a number threads stay as the machine gives them. A case has got its own from
    ``in_process``.
    """
    options = parser.parse_args()
    if getattr(options, "case", None):
        return Run(options, threads, None)
    if threads is not None:
        run_with_threads(threads)
    return Run(options, threads, busy_share())


def thread_variables(n: int) -> dict[str, str]:
    """Environment variables that give every BLAS library n threads."""
    return dict.fromkeys(VARIABLES, str(n))


def run_with_threads(n: int) -> None:
    """Start this program anew with n BLAS threads: the libraries read them when they load."""
    wanted = thread_variables(n)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **wanted})


def in_process(*case: str, threads: int = 1, timeout: float | None = None) -> dict[str, Any]:
    """What this program prints for a case, in a process of its own."""
    answer = subprocess.run(
        [sys.executable, sys.argv[0], "--case", *case],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout,
        env={**os.environ, **thread_variables(threads)},
    )
    return json.loads(answer.stdout)


# timing and memory ---------------------------------------------------------------------------


def seconds(call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Wall time of one call, or its time on another clock; its answer is freed afterwards."""
    before = clock()
    answer = call()
    taken = clock() - before
    del answer
    return taken


def summary(times: list[float]) -> dict[str, Any]:
    """Median, quartiles and count of timings."""
    several = times if len(times) > 1 else times * 2  # of one alone no quartiles are taken
    first, _, third = statistics.quantiles(several, method="inclusive")
    return {"median": statistics.median(times), "quartiles": [first, third], "count": len(times)}


def busy_share(sample: float = 1.0) -> float | None:
    """Share of the processor that others use, over a second; None where it cannot be read."""
    stat = Path("/proc/stat")

    def read():
        return [int(word) for word in stat.read_text().partition("\n")[0].split()[1:9]]

    try:
        before = read()
        time.sleep(sample)
        spent = [b - a for a, b in zip(before, read())]
    except OSError:
        return None
    return round(1 - (spent[3] + spent[4]) / max(sum(spent), 1), 2)


def peak_megabytes(usage: Any) -> float:
    """Peak resident memory of a ``resource`` usage, in MB (10⁶ bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 1e6


# surroundings --------------------------------------------------------------------------------


def cpu_model() -> str:
    """Name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries that have loaded, and their threads."""
    if "numpy" not in sys.modules:
        return []
    from threadpoolctl import threadpool_info

    return [
        {key: pool[key] for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]


def environment() -> dict[str, Any]:
    """Processor and versions; call it after the libraries have loaded."""
    from geomnet import __version__

    versions = {"geomnet": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    found = {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }
    return found | ({"blas": libraries} if (libraries := blas()) else {})


# results and figures -------------------------------------------------------------------------


def readable(value: Any, indent: int = 0) -> str:
    """JSON in which everything that fits a line is on one."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + len(line) <= LINE or not isinstance(value, (dict, list)):
        return line
    if isinstance(value, dict):
        first, last = "{}"
        items = [
            f"{json.dumps(key, ensure_ascii=False)}: {readable(one, indent + 1)}"
            for key, one in value.items()
        ]
    else:
        first, last = "[]"
        items = [readable(one, indent + 1) for one in value]
    inner = ",\n".join(" " * (indent + 1) + item for item in items)
    return f"{first}\n{inner}\n{' ' * indent}{last}"


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print columns, the first flush left, the others flush right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def new_figure(
    width: float, height: float, lines: int = 1, columns: int = 1, **options: Any
) -> tuple[Any, Any]:
    """A figure of so many inches in the style of all, and its axes in an array."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update(STYLE)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(lines, columns, squeeze=False, **options)
