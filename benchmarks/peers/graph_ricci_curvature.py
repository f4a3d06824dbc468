"""GraphRicciCurvature, one JSON request a line in, one answer out.

Runs in the peer's own environment; imports nothing of geomnet. It hands edges to a pool of
processes; with one process the caller waits, and processor time is of both.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from curvature_problems import problem  # noqa: E402
from GraphRicciCurvature.FormanRicci import FormanRicci  # noqa: E402
from GraphRicciCurvature.OllivierRicci import OllivierRicci  # noqa: E402

METHODS = {"exact": "OTD", "average": "ATD", "forman": "1d", "augmented": "augmented"}


def processor() -> float:
    """Processor time of this process and of those that have ended."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(w)[:2]) for w in who)


def turn(name: str, quantity: str, processes: int) -> dict:
    """One timed call, from a graph to a graph with curvature on its edges."""
    graph = problem(name)
    wall, spent = time.perf_counter(), processor()
    if quantity in ("exact", "average"):
        made = OllivierRicci(graph, alpha=0.5, method=METHODS[quantity], proc=processes)
        attribute = "ricciCurvature"
    else:
        made, attribute = FormanRicci(graph, method=METHODS[quantity]), "formanCurvature"
    made.compute_ricci_curvature()
    wall, spent = time.perf_counter() - wall, processor() - spent
    curvature = [float(made.G.edges[e][attribute]) for e in graph.edges]
    return {"wall": wall, "processor": spent, "curvature": curvature}


def versions() -> dict[str, str]:
    """Of the peer and what it stands on."""
    return {name: version(name) for name in ("GraphRicciCurvature", "POT", "networkit", "numpy")}


for line in sys.stdin:
    request = json.loads(line)
    answer = versions() if request == {"what": "versions"} else turn(**request)
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
