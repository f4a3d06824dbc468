"""Discrete Ricci flow: edges of negative curvature grow, those of positive curvature shrink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..utils.validation import check_integer, check_positive
from .ollivier import ollivier
from .result import Curvature, EdgeValues
from .weighted_graph import GraphLike, WeightedGraph, as_weighted_graph

__all__ = ["RicciFlow", "ricci_flow"]

LEAST = 1e-12
"""Length of an edge, as a share of the longest, that is as good as none."""


@dataclass(frozen=True)
class RicciFlow:
    """Where a Ricci flow has come to.

    Attributes
    ----------
    lengths : EdgeValues
    curvature : Curvature
        Ollivier–Ricci curvature with these lengths.
    spreads : ndarray, shape (iterations + 1,)
        Largest curvature less the smallest, at the start and after each iteration.
    converged : bool
        Whether the last spread is below the tolerance.
    """

    lengths: EdgeValues
    curvature: Curvature
    spreads: NDArray[np.float64]
    converged: bool


def ricci_flow(
    graph: GraphLike,
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
        It is not changed.
    iterations : int, default 20
    step : float, default 1
        η.
    tolerance : float, default 1e-4
        Stop when the spread, the largest curvature less the smallest, is below it.
    mode, alpha, weight, n_jobs, base, exp_power
        Of `ollivier`.

    Returns
    -------
    RicciFlow

    Raises
    ------
    InputError
        What `ollivier` refuses.
    ConvergenceError
        Where an edge shrinks to nothing (a curvature of 1/η or more); its `result` is the flow
        after the last iteration that was whole.

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
    >>> from geomnet.curvature import ricci_flow
    >>> flow = ricci_flow(nx.barbell_graph(4, 0), iterations=10)
    >>> max(flow.lengths, key=flow.lengths.get)
    (3, 4)
    """
    iterations = check_integer("iterations", iterations, least=0)
    step = check_positive("step", step)
    tolerance = check_positive("tolerance", tolerance, zero=True)
    arrays, _ = as_weighted_graph(graph, weight)

    def curved(arrays: WeightedGraph) -> Curvature:
        return ollivier(
            arrays, mode=mode, alpha=alpha, n_jobs=n_jobs, base=base, exp_power=exp_power
        )

    component = arrays.components[arrays.edges[:, 0]]
    curvature = curved(arrays)
    spreads = [_spread(curvature)]

    def reached() -> RicciFlow:
        lengths = EdgeValues(arrays.weights, arrays.edges, arrays.nodes)
        return RicciFlow(lengths, curvature, np.array(spreads), spreads[-1] < tolerance)

    for done in range(iterations):
        try:
            moved = _moved(arrays, step * curvature.array, component)
            curvature = curved(moved)
        except ConvergenceError as error:
            raise ConvergenceError(
                f"{error}; this was iteration {done + 1} of {iterations}, and the error's result "
                f"is the flow after {done}",
                reached(),
            ) from None
        arrays = moved
        spreads.append(_spread(curvature))
        if spreads[-1] < tolerance:
            break
    return reached()


def _spread(curvature: Curvature) -> float:
    return float(np.ptp(curvature.array)) if len(curvature) else 0.0


def _moved(graph: WeightedGraph, shrink: np.ndarray, component: np.ndarray) -> WeightedGraph:
    """The lengths after a step, of mean 1 in every component."""
    moved = graph.weights * (1 - shrink)
    if moved.size and moved.min() <= LEAST * moved.max():
        worst = int(np.argmin(moved))
        raise ConvergenceError(
            f"step: the edge {graph.edge_names[worst]!r} has shrunk to nothing; take a smaller "
            "step or fewer iterations, or merge its ends"
        )
    mean = np.bincount(component, moved) / np.maximum(np.bincount(component), 1)
    return graph.with_weights(moved / mean[component])
