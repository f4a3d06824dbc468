"""Curvature of weighted graphs beside GraphRicciCurvature, and of a net of 400 000 edges.

``python benchmarks/curvature.py`` takes turns with the peer on one core and writes
``results/curvature.json``; ``--quick`` takes one turn each and writes nothing. Both sides start
from a networkx graph and end with a curvature for every edge; "arrays" starts from and ends with
arrays, as one does who asks for several curvatures of one graph. Distances are computed anew.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

from common import begin, command_line, peak_megabytes, print_table, seconds, summary
from peer import PeerProcess, add_peers, start_peer

QUANTITIES = ("exact", "average", "forman", "augmented")
CLOCKS = ("wall", "processor")
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
        found["peer"].append(peer.ask(do="turn", name=name, quantity=quantity, processes=1))
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
        row[who] = {clock: summary([one[clock] for one in taken]) for clock in CLOCKS}
    for who in ("graph", "arrays"):
        row[f"ratio, {who}"] = {
            clock: row["peer"][clock]["median"] / row[who][clock]["median"] for clock in CLOCKS
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
    """Wall time of the exact curvature on one and two processes."""
    from curvature_problems import problem

    from geomnet.curvature import WeightedGraph, ollivier

    arrays = WeightedGraph.from_networkx(problem(name))
    ollivier(fresh(arrays), n_jobs=2)  # the pool is made
    rows = []
    for count in (1, 2):
        ours, theirs = [], []
        for _ in range(turns):
            ours.append(seconds(lambda count=count: ollivier(fresh(arrays), n_jobs=count)))
            told = peer.ask(do="turn", name=name, quantity="exact", processes=count)
            theirs.append(told["wall"])
        rows.append({"processes": count, "geomnet": summary(ours), "peer": summary(theirs)})
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
    rows = [{"quantity": name, "wall": seconds(call)} for name, call in work.items()]
    peak = peak_megabytes(resource.getrusage(resource.RUSAGE_SELF))
    return [{"nodes": n, "edges": len(edges), "peak MB": peak}, *rows]


def show(found: dict[str, Any]) -> None:
    """Print what was found."""
    head = ["graph", "edges", "", "peer ms", "ours", "arrays", "×", "× arrays", "difference"]
    print("\nprocessor time\n")
    print_table(
        head,
        [
            [
                row["problem"],
                str(row["edges"]),
                row["quantity"],
                *(
                    f"{1e3 * row[who]['processor']['median']:.4g}"
                    for who in ("peer", "graph", "arrays")
                ),
                *(f"{row[f'ratio, {who}']['processor']:.3g}" for who in ("graph", "arrays")),
                f"{row['difference']:.0e}",
            ]
            for row in found["comparisons"]
        ],
    )
    for one in (*found["bounds"], *found["processes"], *found["large net"]):
        print(one)


def main() -> None:
    """Run it."""
    parser = command_line(__doc__, repeats=3, quick="one turn each")
    add_peers(parser, "curvature")
    run = begin(parser)
    from curvature_problems import NAMES

    peer = start_peer(run.options, "curvature", "graph_ricci_curvature.py")
    turns = 1 if run.options.quick else run.options.repeats
    rows = []
    for name in NAMES:
        for quantity in QUANTITIES:
            row = compare(peer, name, quantity, turns)
            rows.append(row)
            print(name, quantity, f"{row['difference']:.0e}", flush=True)
    found = {
        "comparisons": rows,
        "bounds": [bounds(name) for name in NAMES if name.startswith("layered")],
        "processes": cores(peer, "layered", turns),
        "large net": large(),
    }
    versions = peer.ask(do="versions")
    peer.close()
    show(found)
    run.write_results("curvature.json", found, versions)


if __name__ == "__main__":
    main()
