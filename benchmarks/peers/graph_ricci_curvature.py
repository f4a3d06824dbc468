"""GraphRicciCurvature.

Runs in the peer's own environment; imports nothing of geomnet. It hands edges to a pool of
processes; with one process the caller waits, and processor time is of both.
"""

from __future__ import annotations

from protocol import serve

# isort: split
import resource
import time

from curvature_problems import problem
from GraphRicciCurvature.FormanRicci import FormanRicci
from GraphRicciCurvature.OllivierRicci import OllivierRicci

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


if __name__ == "__main__":
    serve(("GraphRicciCurvature", "POT", "networkit", "numpy"), {"turn": turn})
