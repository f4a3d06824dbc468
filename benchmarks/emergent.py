"""Cost of the emergent geometry against the number of nodes, to 2000 nodes and 400 000 edges.

``python benchmarks/emergent.py`` takes tanh networks of nine layers, ten classes and 1000 random
data on one thread, each size in a process of its own, and writes ``results/emergent.json`` and
``.png``; ``--quick`` takes the small ones once and writes nothing.
"""

from __future__ import annotations

import json
import resource
from typing import Any

from common import (
    RESULTS,
    begin,
    command_line,
    in_process,
    new_figure,
    peak_megabytes,
    print_table,
    seconds,
    summary,
)

SIZES = (125, 250, 500, 1000, 2000)
DATA = 1000
FITTED = 3
"""The largest sizes, of which exponents are taken."""

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


def solve(nodes: int) -> dict[str, Any]:
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


def measure(sizes: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """All sizes in turn."""
    rounds = [[in_process(str(nodes)) for nodes in sizes] for _ in range(repeats)]
    rows = []
    for runs in zip(*rounds):
        taken = {key: summary([run["seconds"][key] for run in runs]) for key in NAMES}
        rows.append({**runs[0], "seconds": taken})
    return rows


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Exponents of seconds ~ nodesᵇ over the largest sizes."""
    import numpy as np

    late = rows[-FITTED:]
    nodes = np.log([row["nodes"] for row in late])
    return {
        key: float(np.polyfit(nodes, np.log([medians(row)[key] for row in late]), 1)[0])
        for key in NAMES
    }


def medians(row: dict[str, Any]) -> dict[str, float]:
    """Median seconds of a size."""
    return {key: row["seconds"][key]["median"] for key in NAMES}


def show(rows: list[dict[str, Any]]) -> None:
    """Print what was found."""
    print_table(
        ["nodes", "edges", *NAMES, "total", "peak MB"],
        [
            [
                str(row["nodes"]),
                str(row["edges"]),
                *(f"{value:.3g}" for value in medians(row).values()),
                f"{sum(medians(row).values()):.3g}",
                f"{row['peak MB']:.0f}",
            ]
            for row in rows
        ],
    )


def draw(rows: list[dict[str, Any]], slopes: dict[str, float]) -> Any:
    """Seconds against nodes, log-log, and peak memory."""
    colours = ("#222222", "#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44")
    figure, ((times, memory),) = new_figure(9.2, 4.2, columns=2, width_ratios=(2, 1))
    nodes = [row["nodes"] for row in rows]
    for (key, name), colour in zip(NAMES.items(), colours):
        values = [medians(row)[key] for row in rows]
        times.loglog(nodes, values, "o-", ms=4, color=colour, label=f"{name} ({slopes[key]:.1f})")
    times.set_ylabel("seconds, one thread")
    times.legend(title=f"(slope from {nodes[-FITTED]} nodes)")
    memory.semilogx(nodes, [row["peak MB"] for row in rows], "o-", ms=4, color="#222222")
    memory.set_ylabel("peak memory of the process, MB")
    memory.set_ylim(0)
    for axis in (times, memory):
        axis.set_xlabel("nodes")
        axis.set_xticks(nodes, map(str, nodes), minor=False)
        axis.minorticks_off()
    return figure


def main() -> None:
    """Measure, print, draw, write."""
    run = begin(command_line(__doc__, repeats=3, quick="small sizes once", case=True))
    if run.options.case:
        print(json.dumps(solve(int(run.options.case[0]))))
        return
    quick = run.options.quick
    rows = measure(SIZES[:3] if quick else SIZES, 1 if quick else run.options.repeats)
    show(rows)
    slopes = fit(rows)
    run.save_figure(draw(rows, slopes), RESULTS / "emergent.png")
    run.write_results("emergent.json", {"rows": rows, "slopes": slopes})


if __name__ == "__main__":
    main()
