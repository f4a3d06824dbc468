"""The command line: ``geomnet compare``. Nothing numeric is imported before it is needed."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from ._version import __version__

__all__ = ["main"]

DESCRIPTION = "Differential geometry on network function space."
COMPARE = """\
Train a residual network on a data sample, read it as a curve of maps from the identity to the map
it learned, find the least-complexity path between the same two ends in each metric, and report how
each metric judges each path, with certificates.

DATA is digits, iris, wine, breast_cancer or moons, or a file: a CSV (header, numeric columns,
optionally a label column) or an NPZ (points; optionally labels, weights, target).
"""


class _Parser(argparse.ArgumentParser):
    """Errors in one line, exit status 2."""

    def error(self, message: str) -> NoReturn:
        said = " ".join(message.split())
        self.exit(2, f"{self.prog}: error: {said}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="geomnet", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"geomnet {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    compare = commands.add_parser(
        "compare",
        help="compare metrics on the path of a trained network",
        description=COMPARE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.set_defaults(run=_compare)
    add = compare.add_argument
    add("data", nargs="?", default="digits", metavar="DATA", help="data set or file (digits)")
    add(
        "--target",
        metavar="trained|swirl|FILE.npz",
        help="the map to reach: what a network learns (default with labels), an analytic swirl, "
        "or the array 'target' of a file, one row a row of the data",
    )
    add(
        "--metrics",
        default="l2,energy,fisher-rao",
        metavar="LIST",
        help="comma-separated metrics (l2,energy,fisher-rao)",
    )
    add(
        "--kernel",
        default="matern32",
        metavar="matern32|matern52|gaussian",
        help="kernel of the energy metric (matern32)",
    )
    add("--width", type=float, metavar="W", help="its width (the sample's median distance)")
    add("--nugget", type=float, default=0.0, metavar="V", help="added to its diagonal (0)")
    add("--ridge", type=float, metavar="E", help="ridge of Fisher-Rao (1e-4 of its size at 0)")
    add("--n", type=int, default=256, help="points drawn at random; the rest are held out (256)")
    add("--depth", type=int, default=8, help="layers of the network (8)")
    add("--steps", type=int, default=16, help="steps of the paths, a multiple of 4 from 8 on (16)")
    add("--seed", type=int, default=0, help="seed of the draw and the training (0)")
    add("--seeds", type=int, default=1, metavar="K", help="repeat over K seeds (1)")
    add(
        "--least-action",
        type=float,
        metavar="L",
        help="train a second network likewise, with L times the energy of its path added to its "
        "loss, and measure it beside the first (try 1e-4)",
    )
    add(
        "--action-metric",
        metavar="energy|l2|fisher-rao",
        help="metric of that energy (energy); with fisher-rao the second network keeps the "
        "readout of the first",
    )
    add("--label-column", metavar="NAME", help="column of a CSV that holds the labels")
    add(
        "--out",
        type=Path,
        default=Path("geomnet-compare"),
        metavar="DIR",
        help="folder for report.html, results.json, paths.npz and figures (geomnet-compare)",
    )
    return parser


def _compare(arguments: argparse.Namespace) -> int:
    from .reports import check_folder, table, write_report
    from .studies import compare
    from .studies.comparison.options import Options

    options = {
        name: getattr(arguments, name)
        for name in Options.__dataclass_fields__
        if name not in ("data", "metrics")
    }
    metrics = tuple(name.strip() for name in arguments.metrics.split(",") if name.strip())
    Options(data=arguments.data, metrics=metrics, **options)  # bad options end here, at once
    check_folder(arguments.out, make=False)
    comparison = compare(arguments.data, metrics=metrics, **options)
    report = write_report(comparison, arguments.out)
    print(table(comparison))
    for note in comparison.notes[1:]:  # the first is said by the table's head
        print(f"\nnote: {note}")
    print(f"\nreport: {report}", flush=True)
    for problem in comparison.problems:
        print(f"geomnet: WARNING: {problem}", file=sys.stderr)
    return 0 if comparison.ok else 1


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0: all is well; 1: the report came out, but a geodesic did not converge or a shorter path was
    found; 2: unusable input, said in one line; 130: interrupted.
    """
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without arrows, say
    try:
        from .errors import GeomnetError

        try:
            return arguments.run(arguments)
        except GeomnetError as error:
            return _fail(str(error))
    except KeyboardInterrupt:
        # on a terminal, below the ^C
        print("\n" * sys.stderr.isatty() + "geomnet: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _fail("n: not enough memory for so many points; take a smaller n")


def _fail(message: str) -> int:
    print("geomnet: error: " + " ".join(message.split()), file=sys.stderr)
    return 2
