"""The emergent geometry of a network beside what one writes for it with torch.func.

``python benchmarks/scores.py`` takes the two networks of the Fisher benchmark on all digits, one
thread, float64, turns with the peer, and writes ``results/scores.json``. Its side computes the gate
Fisher matrix, flow and conductance; ours these, edge Fisher, times, activations and sensitivities
too, and returns a geometry.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from common import busy_share, environment, print_table, run_with_threads, write_json
from peer import PeerProcess, peer_python

TURNS = 5
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
    peer.ask(layers=layers, points=given.points.tolist())
    network, theta = gn.FeedForward.from_arrays(weights, biases, "tanh", given.skips)

    def ours() -> Any:
        return gn.EmergentGeometry.from_network(network, theta, given.points, gn.Categorical(10))

    geometry, theirs = ours(), peer.ask(chunk=CHUNKS[0], answer=True)
    alive = np.cumsum([0, *network.widths])[geometry.layer] + geometry.unit
    gram = np.array(theirs.pop("gate_fisher"))[np.ix_(alive, alive)]
    apart = np.abs(gram - geometry.gate_fisher).max() / np.abs(gram).max()
    flow = np.array(theirs["flow"])[alive]
    apart = max(apart, np.abs(flow - geometry.flow).max() / flow.max())
    times: dict[str, list[float]] = {"geomnet": [], **{f"chunks of {c}": [] for c in CHUNKS}}
    for _ in range(turns):
        begin = time.process_time()
        ours()
        times["geomnet"].append(time.process_time() - begin)
        for chunk in CHUNKS:
            times[f"chunks of {chunk}"].append(peer.ask(chunk=chunk)["processor"])
    medians = {who: statistics.median(taken) for who, taken in times.items()}
    best = min(value for who, value in medians.items() if who != "geomnet")
    return {
        "network": name,
        "nodes": geometry.n_nodes,
        "edges": len(geometry.edges),
        "difference": float(apart),
        "seconds": times,
        "medians": medians,
        "ratio": best / medians["geomnet"],
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torch-python", type=Path, help="an interpreter that has torch")
    parser.add_argument("--quick", action="store_true", help="one turn; writes nothing")
    options = parser.parse_args()
    run_with_threads(1)
    busy = busy_share()
    python = options.torch_python or peer_python("fisher", dependencies=True)
    peer = PeerProcess(python, "torch_scores.py")
    rows = [compare(peer, name, 1 if options.quick else TURNS) for name in ("mlp", "residual")]
    peer.close()
    print_table(
        ["network", "nodes", "edges", *rows[0]["medians"], "×", "difference"],
        [
            [
                row["network"],
                str(row["nodes"]),
                str(row["edges"]),
                *(f"{1e3 * value:.4g} ms" for value in row["medians"].values()),
                f"{row['ratio']:.3g}",
                f"{row['difference']:.0e}",
            ]
            for row in rows
        ],
    )
    if not options.quick:
        write_json("scores.json", {"environment": environment(), "busy": busy, "rows": rows})


if __name__ == "__main__":
    main()
