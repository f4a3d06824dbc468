"""Curvature of weighted graphs beside GraphRicciCurvature, and of a net of 400 000 edges.

``python benchmarks/curvature.py`` takes turns with the peer on one core and writes
``results/curvature.json``; ``--quick`` takes one turn each and writes nothing. Both sides start
from a networkx graph and end with a curvature for every edge; "arrays" starts from and ends with
arrays, as one does who asks for several curvatures of one graph. Distances are computed anew.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import busy_share, environment, print_table, run_with_threads, write_json
from peer import PeerProcess, peer_python

QUANTITIES = ("exact", "average", "forman", "augmented")
SHORT = 0.05
"""Seconds below which calls are repeated within a turn."""


def calls(quantity: str) -> Callable[[Any], Any]:
    """Our function of a graph."""
    from geomnet.curvature import forman, ollivier

    if quantity == "forman":
        return forman
    if quantity == "augmented":
        return lambda graph: forman(graph, "augmented")
    return lambda graph: ollivier(graph, quantity)


def timed(call: Callable[[], Any]) -> dict[str, Any]:
    """Wall and processor time of a call, the mean of as many as fill a moment, and its answer."""
    count, spent, wall = 0, time.process_time(), time.perf_counter()
    while count == 0 or time.perf_counter() - wall < SHORT:
        found = call()
        count += 1
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    return {"wall": wall / count, "processor": spent / count, "answer": found}


def fresh(graph: Any) -> Any:
    """The same arrays, without the distances kept from an earlier call."""
    graph.__dict__.pop("distances", None)
    return graph


def compare(peer: PeerProcess, name: str, quantity: str, turns: int) -> dict[str, Any]:
    """Both sides in turn on one graph."""
    import numpy as np
    from curvature_problems import problem

    from geomnet.curvature import WeightedGraph

    graph = problem(name)
    arrays = WeightedGraph.from_networkx(graph)
    call = calls(quantity)
    found: dict[str, list[dict[str, Any]]] = {"peer": [], "graph": [], "arrays": []}
    if len(graph) < 1000:
        calls("average")(graph)  # what loads late is loaded
    for _ in range(turns):
        found["peer"].append(peer.ask(name=name, quantity=quantity, processes=1))
        found["graph"].append(timed(lambda: call(graph).as_dict()))
        found["arrays"].append(timed(lambda: call(fresh(arrays))))
    theirs = np.array(found["peer"][0].pop("curvature"))
    ours = np.array(list(found["graph"][0]["answer"].values()))
    row: dict[str, Any] = {
        "problem": name,
        "nodes": len(graph),
        "edges": graph.number_of_edges(),
        "quantity": quantity,
        "difference": float(np.abs(theirs - ours).max()),
    }
    for who, taken in found.items():
        row[who] = {
            clock: statistics.median(one[clock] for one in taken) for clock in ("wall", "processor")
        } | {"turns": [{c: one[c] for c in ("wall", "processor")} for one in taken]}
    for who in ("graph", "arrays"):
        row[f"ratio, {who}"] = {
            clock: row["peer"][clock] / row[who][clock] for clock in ("wall", "processor")
        }
    return row


def bounds(name: str) -> dict[str, Any]:
    """The bounds beside the exact curvature."""
    import numpy as np
    from curvature_problems import problem
    from scipy.stats import spearmanr

    from geomnet.curvature import WeightedGraph, ollivier

    arrays = WeightedGraph.from_networkx(problem(name))
    exact = timed(lambda: ollivier(fresh(arrays)).array)
    row: dict[str, Any] = {"problem": name, "exact": exact["processor"]}
    for mode, sign in (("bound", 1), ("upper", -1)):
        one = timed(lambda mode=mode: ollivier(fresh(arrays), mode).array)
        gap = sign * (exact["answer"] - one["answer"])
        row[mode] = {
            "processor": one["processor"],
            "times exact": exact["processor"] / one["processor"],
            "rank correlation": float(spearmanr(one["answer"], exact["answer"])[0]),
            "smallest gap": float(gap.min()),
            "mean gap": float(np.mean(gap)),
        }
    return row


def cores(peer: PeerProcess, name: str, turns: int) -> list[dict[str, Any]]:
    """Wall time of the exact curvature on one and two processes, medians of turns."""
    from curvature_problems import problem

    from geomnet.curvature import WeightedGraph, ollivier

    arrays = WeightedGraph.from_networkx(problem(name))
    ollivier(fresh(arrays), n_jobs=2)  # the pool is made
    rows = []
    for count in (1, 2):
        ours, theirs = [], []
        for _ in range(turns):
            begin = time.perf_counter()
            ollivier(fresh(arrays), n_jobs=count)
            ours.append(time.perf_counter() - begin)
            theirs.append(peer.ask(name=name, quantity="exact", processes=count)["wall"])
        rows.append(
            {
                "processes": count,
                "geomnet": statistics.median(ours),
                "peer": statistics.median(theirs),
            }
        )
    return rows


def large(n: int = 2000, m: int = 400_000) -> list[dict[str, Any]]:
    """A layered net of n nodes and m edges, from arrays."""
    import numpy as np

    from geomnet.curvature import WeightedGraph, forman, ollivier, resistance_curvature

    rng = np.random.default_rng(0)
    ends = np.linspace(0, n, 6).astype(int)
    pairs = [
        np.stack(np.meshgrid(np.arange(a, b), np.arange(b, c)), axis=-1).reshape(-1, 2)
        for a, b, c in zip(ends, ends[1:], ends[2:])
    ]
    edges = np.concatenate(pairs)
    edges = edges[np.sort(rng.permutation(len(edges))[:m])]
    graph = WeightedGraph(n, edges, rng.uniform(0.1, 1.0, len(edges)))
    work = {
        "distances": lambda: graph.distances,
        "average": lambda: ollivier(graph, "average"),
        "bound": lambda: ollivier(graph, "bound"),
        "upper": lambda: ollivier(graph, "upper"),
        "forman": lambda: forman(graph),
        "augmented": lambda: forman(graph, "augmented"),
        "resistance": lambda: resistance_curvature(graph),
    }
    rows = []
    for name, call in work.items():
        begin = time.perf_counter()
        call()
        rows.append({"quantity": name, "wall": time.perf_counter() - begin})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    return [{"nodes": n, "edges": len(edges), "peak MB": peak / 1e6}, *rows]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one turn each; writes nothing")
    parser.add_argument("--peer-python", type=Path, help="an interpreter that has the peer")
    options = parser.parse_args()
    run_with_threads(1)
    from curvature_problems import NAMES

    busy = busy_share()
    peer = PeerProcess(options.peer_python or peer_python("curvature"), "graph_ricci_curvature.py")
    turns = 1 if options.quick else 3
    rows = []
    for name in NAMES:
        for quantity in QUANTITIES:
            row = compare(peer, name, quantity, turns)
            rows.append(row)
            print(name, quantity, f"{row['difference']:.0e}", flush=True)
    many = cores(peer, "layered", turns)
    bounded = [bounds(name) for name in NAMES if name.startswith("layered")]
    net = large()
    versions = peer.ask(what="versions")
    peer.close()
    head = ["graph", "edges", "", "peer ms", "ours", "arrays", "×", "× arrays", "difference"]
    table = [
        [
            row["problem"],
            str(row["edges"]),
            row["quantity"],
            *(f"{1e3 * row[who]['processor']:.4g}" for who in ("peer", "graph", "arrays")),
            *(f"{row[f'ratio, {who}']['processor']:.3g}" for who in ("graph", "arrays")),
            f"{row['difference']:.0e}",
        ]
        for row in rows
    ]
    print("\nprocessor time\n")
    print_table(head, table)
    for one in (*bounded, *many, *net):
        print(one)
    if not options.quick:
        write_json(
            "curvature.json",
            {
                "environment": environment(),
                "peer": versions,
                "busy": busy,
                "comparisons": rows,
                "bounds": bounded,
                "processes": many,
                "large net": net,
            },
        )


if __name__ == "__main__":
    main()
