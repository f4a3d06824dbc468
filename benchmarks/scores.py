"""The emergent geometry of a network beside what one writes for it with torch.func.

``python benchmarks/scores.py`` takes the two networks of the Fisher benchmark on all digits, one
thread, float64, turns with the peer, and writes ``results/scores.json``. Its side computes the gate
Fisher matrix, flow and conductance; ours these, edge Fisher, times, activations and sensitivities
too, and returns a geometry.
"""

from __future__ import annotations

import time
from typing import Any

from common import begin, command_line, print_table, seconds, summary
from peer import PeerProcess, add_peers, start_peer

CHUNKS = (128, 450, 1797)
"""Data a chunk of the peer; the quickest counts."""


def compare(peer: PeerProcess, name: str, turns: int) -> dict[str, Any]:
    """Both sides in turn on one network."""
    import numpy as np
    from fisher_problems import problem

    import geomnet as gn

    given = problem(name)
    weights, biases = list(given.weights), list(given.biases)
    # centred over classes, as the geometry reads it: the same predictions
    weights[-1], biases[-1] = weights[-1] - weights[-1].mean(axis=0), biases[-1] - biases[-1].mean()
    layers = [
        (w.tolist(), b.tolist(), given.skips.get(k))
        for k, (w, b) in enumerate(zip(weights, biases))
    ]
    peer.ask(do="load", layers=layers, points=given.points.tolist())
    network, theta = gn.FeedForward.from_arrays(weights, biases, "tanh", given.skips)

    def ours() -> Any:
        return gn.EmergentGeometry.from_network(network, theta, given.points, gn.Categorical(10))

    geometry, theirs = ours(), peer.ask(do="turn", chunk=CHUNKS[0], answer=True)
    alive = np.cumsum([0, *network.widths])[geometry.layer] + geometry.unit
    gram = np.array(theirs.pop("gate_fisher"))[np.ix_(alive, alive)]
    apart = np.abs(gram - geometry.gate_fisher).max() / np.abs(gram).max()
    flow = np.array(theirs["flow"])[alive]
    apart = max(apart, np.abs(flow - geometry.flow).max() / flow.max())
    times: dict[str, list[float]] = {"geomnet": [], **{f"chunks of {c}": [] for c in CHUNKS}}
    for _ in range(turns):
        times["geomnet"].append(seconds(ours, time.process_time))
        for chunk in CHUNKS:
            times[f"chunks of {chunk}"].append(peer.ask(do="turn", chunk=chunk)["processor"])
    kept = {who: summary(taken) for who, taken in times.items()}
    best = min(one["median"] for who, one in kept.items() if who != "geomnet")
    return {
        "network": name,
        "nodes": geometry.n_nodes,
        "edges": len(geometry.edges),
        "difference": float(apart),
        "seconds": kept,
        "ratio": best / kept["geomnet"]["median"],
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print what was found."""
    print_table(
        ["network", "nodes", "edges", *rows[0]["seconds"], "×", "difference"],
        [
            [
                row["network"],
                str(row["nodes"]),
                str(row["edges"]),
                *(f"{1e3 * one['median']:.4g} ms" for one in row["seconds"].values()),
                f"{row['ratio']:.3g}",
                f"{row['difference']:.0e}",
            ]
            for row in rows
        ],
    )


def main() -> None:
    """Run it."""
    parser = command_line(__doc__, repeats=5, quick="one turn")
    add_peers(parser, "fisher")
    run = begin(parser)
    peer = start_peer(run.options, "fisher", "torch_scores.py")
    turns = 1 if run.options.quick else run.options.repeats
    rows = [compare(peer, name, turns) for name in ("mlp", "residual")]
    versions = peer.ask(do="versions")
    peer.close()
    show(rows)
    run.write_results("scores.json", {"rows": rows}, versions)


if __name__ == "__main__":
    main()
