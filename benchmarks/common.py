"""What the benchmarks share: threads, timing, the environment, results.

It imports nothing heavy, so that a benchmark's parent process stays small: Linux counts the
memory of the process that starts another into the other's peak.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PACKAGES = ("numpy", "scipy", "scikit-learn", "autograd", "threadpoolctl")

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # the checkout is what is measured


def thread_variables(n: int) -> dict[str, str]:
    """Environment variables that give every BLAS library n threads."""
    return dict.fromkeys(VARIABLES, str(n))


def run_with_threads(n: int) -> None:
    """Start this program anew with n BLAS threads: the libraries read them when they load."""
    wanted = thread_variables(n)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **wanted})


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def summary(times: list[float]) -> dict[str, Any]:
    """Every timing, and their median."""
    return {"seconds": times, "median": statistics.median(times)}


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


def cpu_model() -> str:
    """Name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment() -> dict[str, Any]:
    """Processor, threads and versions; call it after the libraries have loaded."""
    from geomnet import __version__

    versions = {"geomnet": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    found: dict[str, Any] = {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_info

        found["blas"] = [
            {key: pool[key] for key in ("internal_api", "version", "architecture", "num_threads")}
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ]
    return found


def write_json(name: str, content: dict[str, Any]) -> Path:
    """Write ``results/name``, whole or not at all."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    part = path.with_name(name + ".tmp")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
    print(f"\nwrote {path.relative_to(ROOT)}")
    return path


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print columns, the first flush left, the others flush right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip())
