"""Fisher information of two networks: geomnet beside nngeometry, curvlinops, BackPACK, torch.func.

``python benchmarks/fisher.py`` measures everyone in turn on one thread in float64 and writes
``results/fisher.json`` and ``.md``; ``--full`` adds the dense matrix of the residual network,
``--quick`` takes one short turn each and writes nothing. The networks are a tanh MLP 64-64-64-10
and a residual one of 16 blocks of width 32, the data all 1797 digits, the likelihood categorical.

A ratio is given only where both answers agree. geomnet's first call makes the object, and so pays
the forward pass that peers pay in theirs; where a peer is made once and asked again, so is geomnet.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from common import Run, begin, busy_share, command_line, print_table, seconds, summary
from peer import PeerProcess, add_peers, start_peer

COLUMNS = 16
SPARED = 3.0
"""Seconds from which a call is not warmed up."""
ENOUGH = 8.0
"""Seconds after which a participant takes no further turn."""
MOST_NUMBERS = 10**7
"""Answers above this size are compared at a hundred thousand places."""

REFERENCE = {
    "trace": 24.50548198145139,
    "trace of KFAC": 24.56619777933684,
    "λ₁": 3.95997214762,
    "λ₂": 2.91396693463,
    "λ₃": 2.06177511442,
    "rank, n=100": 900.0,
    "Frobenius norm, n=100": 6.4914702163646,
    "log det(I + 100G), n=100": 291.028768,
    "trace of the NTK, n=100": 27834.727067685,
}
"""Of the MLP, on which nngeometry, curvlinops and BackPACK agree."""


@dataclass(frozen=True)
class Quantity:
    """Something everyone computes.

    `again` tells that geomnet keeps what makes a second call cheaper, and is measured so too.
    """

    name: str
    n: int
    ours: str
    peers: tuple[str, ...]
    again: bool = False
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


QUANTITIES = (
    Quantity(
        "G·v",
        1797,
        "matvec",
        ("curvlinops_matvec", "nngeometry_matvec", "torch_matvec", "torch_kept_matvec"),
        again=True,
    ),
    Quantity(f"G·V, {COLUMNS} columns", 1797, "matmat", ("curvlinops_matmat",), again=True),
    Quantity(
        "20 largest eigenvalues",
        1797,
        "top20",
        ("curvlinops_top20", "curvlinops_top20 1e-6", "torch_kept_top20"),
    ),
    Quantity("diagonal", 1797, "diag", ("nngeometry_diag", "backpack_diag")),
    Quantity("trace", 1797, "trace", ("nngeometry_trace", "backpack_trace")),
    Quantity("KFAC factors", 1797, "kfac", ("nngeometry_kfac", "curvlinops_kfac", "backpack_kfac")),
    Quantity("blocks of layers", 1797, "blocks", ("nngeometry_blocks",)),
    Quantity("dense G", 1797, "dense", ("nngeometry_dense",)),
    Quantity(
        "NTK Gram matrix",
        100,
        "ntk",
        ("nngeometry_ntk", "torch_ntk", "torch_tutorial_ntk", "torch_products_ntk"),
    ),
    Quantity(
        "whole spectrum", 100, "spectrum", ("nngeometry_spectrum", "nngeometry_gram_spectrum")
    ),
)
SLOW = {("mlp", "dense"), ("mlp", "blocks"), ("residual", "blocks"), ("residual", "dense")}
"""Where a peer takes from ten seconds to minutes; not in a quick run."""
ONLY_AGAIN = ("torch_kept_matvec",)
"""Has made its forward pass before it is timed."""
CANNOT = {("residual", "backpack_kfac"): "KFLR does not go through sums"}


class Ours:
    """One network on one set of points; the public methods are the calls to time.

    Each makes the object anew, unless ``again`` has kept one.
    """

    def __init__(self, name: str, n: int) -> None:
        import numpy as np
        from fisher_problems import CLASSES, problem

        import geomnet as gn

        one = problem(name)
        self._network, self._theta = gn.FeedForward.from_arrays(
            one.weights, one.biases, "tanh", one.skips
        )
        self._sample = gn.Sample(one.points[:n])
        self._likelihood, self._unit = gn.Categorical(CLASSES), gn.Gaussian(1.0, CLASSES)
        self._vectors = np.random.default_rng(1).normal(size=(one.n_parameters, COLUMNS))
        self._kept: Any = None

    def keep(self, kept: bool) -> None:
        """Whether calls are asked of one object."""
        self._kept = self._make() if kept else None

    def _make(self, likelihood: Any = None) -> Any:
        import geomnet as gn

        if self._kept is not None:
            return self._kept
        return gn.FisherInformation(
            self._network,
            self._theta,
            self._sample,
            likelihood or self._likelihood,
            memory_limit=12 * 2**30,
        )

    def matvec(self) -> Any:
        """fisher.matvec(v)"""
        return self._make().matvec(self._vectors[:, 0])

    def matmat(self) -> Any:
        """fisher.matmat(V)"""
        return self._make().matmat(self._vectors)

    def top20(self) -> Any:
        """fisher.eigvalsh(20)"""
        return self._make().eigvalsh(20)

    def diag(self) -> Any:
        """fisher.diag()"""
        return self._make().diag()

    def trace(self) -> Any:
        """fisher.trace()"""
        return self._make().trace()

    def kfac(self) -> Any:
        """fisher.kfac()"""
        return self._make().kfac()

    def blocks(self) -> Any:
        """fisher.blocks()"""
        return self._make().blocks()

    def dense(self) -> Any:
        """fisher.dense()"""
        return self._make().dense()

    def ntk(self) -> Any:
        """n · FisherInformation(…, Gaussian(1, 10)).dual_gram()"""
        return len(self._sample) * self._make(self._unit).dual_gram()

    def spectrum(self) -> Any:
        """fisher.eigvalsh()"""
        return self._make().eigvalsh()


def comparable(found: Any, peer: str) -> Any:
    """Our answer in the form in which a peer gives it."""
    import numpy as np

    if peer.endswith("_kfac"):
        # Kronecker factors are fixed up to a scale: each times the trace of the other is
        width = None if peer.startswith("backpack") else 0  # BackPACK leaves the bias out
        pairs = [(a if width == 0 else a[:-1, :-1], b) for a, b in zip(found.inputs, found.signals)]
        return np.concatenate(
            [(np.trace(b) * a).ravel() for a, b in pairs]
            + [(np.trace(a) * b).ravel() for a, b in pairs]
        )
    if isinstance(found, list):
        found = np.concatenate([block.ravel() for block in found])
    return np.asarray(found)


def difference(ours: Any, theirs: Any) -> float:
    """Largest difference relative to the largest number."""
    import numpy as np

    if ours.size > MOST_NUMBERS:
        ours = ours.ravel()[:: ours.size // 10**5]
    count = min(len(ours), len(theirs)) if ours.ndim == theirs.ndim == 1 else None
    if count is not None and len(ours) != len(theirs):  # a spectrum without its zeros
        if np.abs(ours[count:]).max(initial=0) > 1e-12 * np.abs(ours).max():
            return float("inf")
        ours, theirs = ours[:count], theirs[:count]
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


class Row:
    """One quantity of one network, everyone in turn."""

    def __init__(self, network: str, quantity: Quantity, files: Path, peers: PeerProcess) -> None:
        self.network, self.quantity, self.files, self.peers = network, quantity, files, peers
        self.times: dict[str, list[float]] = {}
        self.says: dict[str, str] = {}
        self.differences: dict[str, float] = {}
        self.failures = {c: why for (k, c), why in CANNOT.items() if k == network}

    @cached_property
    def ours(self) -> Ours:
        """Our side."""
        return Ours(self.network, self.quantity.n)

    @property
    def players(self) -> list[str]:
        """Everyone who can."""
        mine = ["first", "again"] if self.quantity.again else ["first"]
        return mine + [c for c in self.quantity.peers if c not in self.failures]

    def turn(self, player: str, repeats: int, answer: bool = False) -> list[float]:
        """Let one of them work; with `answer`, peers write theirs."""
        if player in ("first", "again"):
            self.ours.keep(player == "again")
            work: Callable[[], Any] = getattr(self.ours, self.quantity.ours)
            self.says[player] = str(work.__doc__)
            times = [seconds(work) for _ in range(repeats)]
            self.ours.keep(False)
            return times
        call, _, tol = player.partition(" ")
        told = self.peers.ask(
            do="call",
            network=str(self.files / f"{self.network}.npz"),
            n=self.quantity.n,
            call=call,
            repeats=repeats,
            options={"tol": float(tol)} if tol else {},
            file=str(self.files / "answer.npy") if answer else None,
        )
        self.says[player] = told["says"] + (f", tol={tol}" if tol else "")
        return told["times"]

    def compare(self) -> dict[str, float]:
        """One call of everyone, which warms up too, and how far the answers are apart."""
        import numpy as np

        before = time.perf_counter()
        found = getattr(self.ours, self.quantity.ours)()
        estimates = dict.fromkeys(("first", "again"), time.perf_counter() - before)
        for peer in self.players:
            if peer in estimates:
                continue
            (estimates[peer],) = self.turn(peer, 1, answer=True)
            theirs = np.load(self.files / "answer.npy")
            self.differences[peer] = difference(comparable(found, peer), theirs)
        return estimates

    def measure(self, turns: int, budget: float) -> None:
        """Turns, until a participant has had enough of them or of time."""
        estimates = self.compare()
        for player in self.players:
            if player not in ("first", "again") and estimates[player] > SPARED:
                self.times[player] = [estimates[player]]  # the call that was compared counts
        for _ in range(turns):
            for player in self.players:
                spent = self.times.setdefault(player, [])
                if sum(spent) + (estimates[player] if spent else 0.0) > ENOUGH:
                    continue
                repeats = max(1, min(50, int(budget / estimates[player])))
                spent += self.turn(player, repeats)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        median = {player: statistics.median(times) for player, times in self.times.items()}
        rows = []
        for player in self.players:
            row = {
                "who": player,
                "says": self.says[player],
                "seconds": summary(self.times[player]),
            }
            if player in self.differences:
                row["difference"] = self.differences[player]
                if self.differences[player] <= 1e-9:
                    if player not in ONLY_AGAIN:
                        row["ratio"] = median[player] / median["first"]
                    if "again" in median:
                        row["ratio_again"] = median[player] / median["again"]
            rows.append(row)
        return {
            "network": self.network,
            "quantity": self.quantity.name,
            "n": self.quantity.n,
            "rows": rows,
            "failures": {c: w for c, w in self.failures.items() if c in self.quantity.peers},
        }


def write_networks(files: Path) -> None:
    """Networks, points and vectors for the peers."""
    import numpy as np
    from fisher_problems import problem

    for name in ("mlp", "residual"):
        one = problem(name)
        layers = range(len(one.weights))
        np.savez(
            files / f"{name}.npz",
            points=one.points,
            vectors=np.random.default_rng(1).normal(size=(one.n_parameters, COLUMNS)),
            skips=np.array([one.skips.get(i, np.nan) for i in layers]),
            **{f"w{i}": one.weights[i] for i in layers},
            **{f"b{i}": one.biases[i] for i in layers},
        )


def check_reference() -> dict[str, float]:
    """Relative distance of geomnet from numbers known beforehand."""
    import numpy as np

    whole, few = Ours("mlp", 1797), Ours("mlp", 100)
    values = whole.top20()
    small = few._make()
    eigenvalues = few.spectrum()
    found = {
        "trace": whole.trace(),
        "trace of KFAC": whole.kfac().trace(),
        "λ₁": values[0],
        "λ₂": values[1],
        "λ₃": values[2],
        "rank, n=100": float(np.sum(eigenvalues > 1e-13 * eigenvalues[0])),
        "Frobenius norm, n=100": small.frobenius(),
        "log det(I + 100G), n=100": small.logdet(0.01, relative=True),
        "trace of the NTK, n=100": float(np.trace(few.ntk())),
    }
    return {name: abs(found[name] / value - 1) for name, value in REFERENCE.items()}


def show(row: dict[str, Any]) -> None:
    """Print what was found."""
    print(f"\n{row['network']}: {row['quantity']}, n={row['n']}\n", flush=True)
    table = []
    for one in row["rows"]:
        ours = one["who"] in ("first", "again")
        table.append(
            [
                f"geomnet, {one['who']}" if ours else one["who"],
                f"{1e3 * one['seconds']['median']:.4g}",
                f"{one['ratio']:.3g}" if "ratio" in one else "",
                f"{one['ratio_again']:.3g}" if "ratio_again" in one else "",
                f"{one['difference']:.0e}" if "difference" in one else "",
                one["says"],
            ]
        )
    print_table(["", "ms", "× first", "× again", "difference", "call"], table)
    for call, why in row["failures"].items():
        print(f"{call}: {why}")


LIBRARIES = {
    "curvlinops": "curvlinops",
    "nngeometry": "nngeometry",
    "backpack": "BackPACK",
    "torch": "torch.func",
}


def digits(number: float, count: int = 3) -> str:
    """A number to so many digits, without powers of ten."""
    return f"{number:.{count}g}" if number < 10**count else f"{float(f'{number:.{count}g}'):.0f}"


TITLES = {
    "mlp": "MLP 64-64-64-10, tanh, 8970 parameters, 1797 digits:",
    "residual": "Residual network, 16 blocks of width 32, 19 306 parameters, 1797 digits:",
}


def markdown(rows: list[dict[str, Any]], network: str) -> str:
    """The table of the README: milliseconds, and in brackets the peer's time over geomnet's.

    Where geomnet is asked again, so are the peers, and the ratio is to that.
    """

    def cell(row: dict[str, Any], library: str) -> str:
        found = []
        for one in row["rows"]:
            if one["who"].startswith(library):
                ratio = one.get("ratio_again", one.get("ratio"))
                times = f" ({digits(ratio, 2)})" if ratio is not None else ""
                found.append(f"{digits(1e3 * one['seconds']['median'])}{times}")
        return ", ".join(found) or "–"

    lines = [
        "| | first call | again | " + " | ".join(LIBRARIES.values()) + " |",
        "|---|--:|--:|" + "--:|" * len(LIBRARIES),
    ]
    for row in rows:
        if row["network"] == network:
            median = {one["who"]: digits(1e3 * one["seconds"]["median"]) for one in row["rows"]}
            cells = [
                f"**{median['first']}**",
                f"**{median['again']}**" if "again" in median else "",
            ]
            cells += [cell(row, library) for library in LIBRARIES]
            n = "" if row["n"] == 1797 else f", n={row['n']}"
            lines.append(f"| {row['quantity']}{n} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tables(rows: list[dict[str, Any]]) -> str:
    """The tables of the README, a network each."""
    networks = dict.fromkeys(row["network"] for row in rows)
    return "\n\n".join(f"{TITLES[network]}\n\n{markdown(rows, network)}" for network in networks)


def chosen(options: argparse.Namespace) -> list[tuple[str, Quantity]]:
    """Networks and quantities of this run."""
    skipped = SLOW if options.quick else set() if options.full else {("residual", "dense")}
    return [
        (network, quantity)
        for network in TITLES
        for quantity in QUANTITIES
        if (network, quantity.ours) not in skipped
        and options.network in (None, network)
        and (not options.only or quantity.ours in options.only)
    ]


def measure(run: Run) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Everyone in turn, and the peers' versions."""
    options = run.options
    turns, budget = (1, 0.0) if options.quick else (options.repeats, options.budget)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_networks(Path(folder))
        peers = start_peer(options, "fisher", "fisher_torch.py")
        for network, quantity in chosen(options):
            row = Row(network, quantity, Path(folder), peers)
            row.measure(turns, budget)
            rows.append(row.as_dict())
            show(rows[-1])
        versions = peers.ask(do="versions")
        peers.close()
    return rows, versions


def different(reference: dict[str, float], rows: list[dict[str, Any]]) -> list[str]:
    """Numbers and calls whose answers are not what they should be."""
    wrong = [name for name, distance in reference.items() if distance > 1e-8]
    return wrong + [
        f"{row['network']}, {one['who']}"
        for row in rows
        for one in row["rows"]
        if one.get("difference", 0) > 1e-9
    ]


def fisher_options() -> argparse.ArgumentParser:
    """Options."""
    parser = command_line(__doc__, repeats=5, quick="a minute")
    add_peers(parser, "fisher")
    parser.add_argument(
        "--only", nargs="+", metavar="CALL", help="some of geomnet's calls; writes as --quick does"
    )
    parser.add_argument("--network", choices=TITLES, help="one network; writes as --quick does")
    parser.add_argument("--budget", type=float, default=0.2, help="seconds a turn (default 0.2)")
    parser.add_argument("--full", action="store_true", help="also the largest dense matrix")
    return parser


def main() -> int:
    """Measure, print, write; fail where answers differ."""
    run = begin(fisher_options())
    reference = check_reference()
    print("relative distance from known numbers")
    for name, distance in reference.items():
        print(f"  {name}: {distance:.0e}")
    rows, versions = measure(run)
    print(f"\n{tables(rows)}")
    run.write_text("fisher.md", f"{tables(rows)}\n")
    content = {"busy_after": busy_share(), "reference": reference, "rows": rows}
    run.write_results("fisher.json", content, versions)
    wrong = different(reference, rows)
    if wrong:
        print(f"answers differ: {', '.join(wrong)}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
