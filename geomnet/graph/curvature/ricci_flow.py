"""Discrete Ricci flow: edges of negative curvature grow, those of positive curvature shrink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError, check_integer, check_positive
from .ollivier import ollivier
from .weighted_graph import WeightedGraph, as_weighted_graph

__all__ = ["RicciFlow", "ricci_flow"]


@dataclass(frozen=True)
class RicciFlow:
    """Where a Ricci flow has come to.

    Attributes
    ----------
    lengths : dict or ndarray
        Of the edges.
    curvature : dict or ndarray
        Ollivier–Ricci curvature with these lengths.
    spreads : ndarray, shape (iterations + 1,)
        Largest curvature less the smallest, at the start and after each iteration.
    converged : bool
        Whether the last spread is below the tolerance.
    """

    lengths: Any
    curvature: Any
    spreads: np.ndarray
    converged: bool


def ricci_flow(
    graph: Any,
    iterations: int = 20,
    step: float = 1.0,
    *,
    tolerance: float = 1e-4,
    mode: str = "exact",
    alpha: float = 0.5,
    weight: str | None = "weight",
    n_jobs: int = 1,
    base: float = np.e,
    exp_power: float = 2.0,
) -> RicciFlow:
    r"""Move the lengths of edges by Ollivier–Ricci flow.

    Every iteration takes :math:`l_e \leftarrow l_e(1 - \eta\,\kappa_e)`, with η the step, and then
    scales the lengths of each connected component so that their mean is 1. Curvature evens out:
    edges between communities, whose curvature is negative, grow, and the others shrink.

    Parameters
    ----------
    graph : networkx.Graph, networkx.DiGraph, WeightedGraph or EmergentGeometry
        It is not changed, and nothing is entered in it.
    iterations : int, default 20
    step : float, default 1
        η.
    tolerance : float, default 1e-4
        Stop when all curvatures of the graph lie within it.
    mode, alpha, weight, n_jobs, base, exp_power
        Of `ollivier`.

    Returns
    -------
    RicciFlow
        Dicts by edge; arrays for a `WeightedGraph` or a geometry.

    Raises
    ------
    InputError
        Where an edge shrinks to nothing (a curvature of 1/η or more), and what `ollivier` refuses.

    Notes
    -----
    As GraphRicciCurvature's `compute_ricci_flow`, without surgery; that one flows the largest
    component alone, where here each component flows as if it were alone. The first curvature is
    that of the lengths as given, which are not scaled.

    References
    ----------
    Ni et al. (2019), Sci. Rep. 9, 9984.

    Examples
    --------
    >>> import networkx as nx
    >>> from geomnet.graph.curvature import ricci_flow
    >>> flow = ricci_flow(nx.barbell_graph(4, 0), iterations=10)
    >>> max(flow.lengths, key=flow.lengths.get)
    (3, 4)
    """
    iterations = check_integer("iterations", iterations, least=0)
    step = check_positive("step", step)
    tolerance = check_positive("tolerance", tolerance, zero=True)
    arrays, as_array = as_weighted_graph(graph, weight)
    options: dict[str, Any] = {
        "mode": mode,
        "alpha": alpha,
        "n_jobs": n_jobs,
        "base": base,
        "exp_power": exp_power,
    }
    component = arrays.components[arrays.edges[:, 0]]
    edges_of = np.bincount(component, minlength=1)
    curvature = ollivier(arrays, **options)
    spreads = [_spread(curvature)]
    for _ in range(iterations):
        arrays = _moved(arrays, step * curvature)
        scale = edges_of / np.maximum(
            np.bincount(component, arrays.weights, len(edges_of)), np.finfo(float).tiny
        )
        arrays = arrays.with_weights(arrays.weights * scale[component])
        curvature = ollivier(arrays, **options)
        spreads.append(_spread(curvature))
        if spreads[-1] < tolerance:
            break
    converged = spreads[-1] < tolerance
    if as_array:
        return RicciFlow(arrays.weights, curvature, np.array(spreads), converged)
    names = arrays.edge_names
    return RicciFlow(
        dict(zip(names, arrays.weights.tolist())),
        dict(zip(names, curvature.tolist())),
        np.array(spreads),
        converged,
    )


def _spread(curvature: np.ndarray) -> float:
    return float(np.ptp(curvature)) if curvature.size else 0.0


def _moved(graph: WeightedGraph, shrink: np.ndarray) -> WeightedGraph:
    moved = graph.weights * (1 - shrink)
    if moved.size and moved.min() <= 1e-12 * moved.max():
        worst = int(np.argmin(moved))
        raise InputError(
            f"step: the edge {graph.edge_names[worst]!r} has shrunk to nothing; take a smaller "
            "step or fewer iterations, or merge its ends"
        )
    return graph.with_weights(moved)
