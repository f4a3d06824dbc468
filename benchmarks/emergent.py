"""Cost of the emergent geometry against the number of nodes, to 2000 nodes and 400 000 edges.

``python benchmarks/emergent.py`` takes tanh networks of nine layers, ten classes and 1000 random
data on one thread, each size in a process of its own, and writes ``results/emergent.json`` and
``.png``; ``--quick`` takes the small ones once and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from typing import Any

from common import (
    RESULTS,
    busy_share,
    environment,
    peak_megabytes,
    print_table,
    run_with_threads,
    seconds,
    write_json,
)

SIZES = (125, 250, 500, 1000, 2000)
DATA = 1000
ROUNDS = 3
FIT_FROM = 500
NAMES = {
    "geometry": "geometry from 1000 data",
    "distances": "distances",
    "average": "average Ollivier curvature",
    "forman": "Forman curvature",
    "capacity": "capacity",
    "influence": "influence of all data",
}


def widths_of(nodes: int) -> tuple[int, ...]:
    """Nine layers of inputs and hidden units, equal but for the last, and ten outputs."""
    width = round(0.1135 * nodes)
    return (*[width] * 8, nodes - 10 - 8 * width, 10)


def measure(nodes: int) -> dict[str, Any]:
    """Seconds of everything once, and the peak memory of this process."""
    import numpy as np

    import geomnet as gn

    network = gn.FeedForward(widths_of(nodes), "tanh")
    theta = network.init(seed=0)
    points = np.random.default_rng(0).normal(size=(DATA, network.dim))
    made: list[Any] = []
    small = gn.FeedForward((2, 3, 2))  # what loads late is loaded
    gn.EmergentGeometry.from_network(small, small.init(seed=0), [[1.0, 2.0]], gn.Categorical(2))

    def geometry() -> None:
        made[:] = [gn.EmergentGeometry.from_network(network, theta, points, gn.Categorical(10))]

    found: dict[str, Any] = {"geometry": seconds(geometry)}
    one = made[0]
    found |= {
        "distances": seconds(lambda: gn.emergent.distance_matrix(one)),
        "average": seconds(lambda: gn.ollivier(one, "average")),
        "forman": seconds(lambda: gn.forman(one)),
        "capacity": seconds(lambda: gn.emergent.capacity(one)),
        "influence": seconds(lambda: gn.emergent.influence(one, "capacity")),
    }
    peak = peak_megabytes(resource.getrusage(resource.RUSAGE_SELF))
    return {"nodes": one.n_nodes, "edges": len(one.edges), "peak MB": peak, "seconds": found}


def in_a_process(nodes: int) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", str(nodes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def draw(rows: list[dict[str, Any]], slopes: dict[str, float]) -> None:
    """Seconds against nodes, log-log, and peak memory."""
    from matplotlib.figure import Figure

    colours = ("#222222", "#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44")
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    times, memory = figure.subplots(1, 2, width_ratios=(2, 1))
    nodes = [row["nodes"] for row in rows]
    for (key, name), colour in zip(NAMES.items(), colours):
        values = [row["seconds"][key] for row in rows]
        times.loglog(nodes, values, "o-", ms=4, color=colour, label=f"{name} ({slopes[key]:.1f})")
    times.set_ylabel("seconds, one thread")
    times.legend(fontsize=8, title="(slope from 500 nodes)", title_fontsize=8)
    memory.semilogx(nodes, [row["peak MB"] for row in rows], "o-", ms=4, color="#222222")
    memory.set_ylabel("peak memory of the process, MB")
    memory.set_ylim(0)
    for axis in (times, memory):
        axis.set_xlabel("nodes")
        axis.set_xticks(nodes, map(str, nodes), minor=False)
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "emergent.png", dpi=130)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes once; writes nothing")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    run_with_threads(1)
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    import numpy as np

    busy = busy_share()
    sizes = SIZES[:3] if options.quick else SIZES
    rounds = [
        [in_a_process(nodes) for nodes in sizes] for _ in range(1 if options.quick else ROUNDS)
    ]
    rows = []
    for runs in zip(*rounds):
        taken = {key: statistics.median(run["seconds"][key] for run in runs) for key in NAMES}
        rows.append({**runs[0], "seconds": taken})
    head = ["nodes", "edges", *NAMES, "total", "peak MB"]
    print_table(
        head,
        [
            [
                str(row["nodes"]),
                str(row["edges"]),
                *(f"{row['seconds'][key]:.3g}" for key in NAMES),
                f"{sum(row['seconds'].values()):.3g}",
                f"{row['peak MB']:.0f}",
            ]
            for row in rows
        ],
    )
    if options.quick:
        return
    late = [row for row in rows if row["nodes"] >= FIT_FROM]
    slopes = {
        key: float(
            np.polyfit(
                np.log([row["nodes"] for row in late]),
                np.log([row["seconds"][key] for row in late]),
                1,
            )[0]
        )
        for key in NAMES
    }
    draw(rows, slopes)
    write_json(
        "emergent.json",
        {"environment": environment(), "busy": busy, "rows": rows, "slopes": slopes},
    )


if __name__ == "__main__":
    main()
