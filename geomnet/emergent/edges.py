r"""From moments of scores to the arrays of a geometry: what is dead is left out, edges are one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from ..errors import InputError
from ..networks import Nodes
from .relations import cosines
from .scores import Moments

__all__ = [
    "Edges",
    "alive_nodes",
    "common",
    "constant_nodes",
    "covariance",
    "emergent_time",
]

TINY = np.finfo(float).tiny
ROUNDING = 16 * np.finfo(float).eps
"""Standard deviation below which an output is constant, relative to its root mean square."""


class Edges:
    """The edges between nodes that are alive, each once, and where edge sets have their parts.

    Parameters
    ----------
    nodes : Nodes
    alive : ndarray of bool, shape (nodes,)
    moments : Moments
        An edge that carries nothing is none.

    Attributes
    ----------
    ends : ndarray of int, shape (E, 2)
        Numbers among the nodes alive, sorted.
    """

    def __init__(self, nodes: Nodes, alive: np.ndarray, moments: Moments) -> None:
        self.count = int(alive.sum())
        number = np.where(alive, np.cumsum(alive) - 1, -1)
        keys = []
        for edges, strength in zip(nodes.edges, moments.conductance):
            source = number[nodes.layers[edges.source].nodes]
            target = number[nodes.layers[edges.target].nodes]
            if edges.coefficient is None:
                source, target = np.broadcast_arrays(source[None, :], target[:, None])
            kept = (source >= 0) & (target >= 0) & (strength > 0)
            keys.append(np.where(kept, source * self.count + target, -1).ravel())
        found, place = np.unique(np.concatenate([[-1], *keys]), return_inverse=True)
        self.ends = np.stack(np.divmod(found[1:], max(self.count, 1)), axis=1)
        cuts = np.cumsum([1, *map(len, keys)])
        self.places = [place[a:b] for a, b in pairwise(cuts)]  # 0: no edge

    def gather(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Values by edge sets as one value for each edge, (E,); parallel edges add."""
        total = np.zeros(len(self.ends) + 1)
        for place, part in zip(self.places, parts):
            total += np.bincount(place, np.ravel(part), minlength=len(total))
        return total[1:]

    def spread(self, values: np.ndarray, like: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The transpose of `gather`: values of edges by edge sets, shaped like others."""
        padded = np.append(0.0, values)
        return tuple(padded[place].reshape(part.shape) for place, part in zip(self.places, like))

    def matrix(self, values: np.ndarray) -> csr_array:
        """A value for each edge as a sparse matrix, from row to column, entries in order."""
        starts = np.searchsorted(self.ends[:, 0], np.arange(self.count + 1))
        columns = np.ascontiguousarray(self.ends[:, 1])
        return csr_array((values, columns, starts), shape=(self.count, self.count), copy=True)


def alive_nodes(moments: Moments) -> np.ndarray:
    """Whether something flows through a node, (nodes,)."""
    alive = np.diag(moments.gate_fisher) > TINY
    if not alive.any():
        raise InputError(
            "network: all of its nodes are dead; no datum moves a prediction through any"
        )
    return alive


def covariance(moments: Moments) -> np.ndarray:
    """Covariance of the nodes' outputs, exactly zero for those that never change."""
    found = moments.covariance.copy()
    constant = constant_nodes(moments)
    found[constant], found[:, constant] = 0.0, 0.0
    return found


def constant_nodes(moments: Moments) -> np.ndarray:
    """Whether the output of a node never changes, (nodes,)."""
    variance = np.diag(moments.covariance)
    return variance <= ROUNDING**2 * (variance + moments.mean**2)


def common(gram: np.ndarray, flow: np.ndarray) -> np.ndarray:
    r""":math:`m_im_j\cos_{ij}^2` of a Gram matrix, (N, N): of groups of nodes the sums.

    Nodes of no size, which the others have nothing in common with, have all in common.
    """
    cosine, none = cosines(gram), np.diag(gram) == 0
    cosine[np.ix_(none, none)] = 1.0
    return np.outer(flow, flow) * cosine**2


def emergent_time(nodes: Nodes, sensitivity: np.ndarray, spread: np.ndarray) -> np.ndarray:
    r""":math:`½\log\operatorname{tr}(G_l\operatorname{Cov}h_l)` of every layer, (layers,)."""
    moved = [
        np.sum(sensitivity[part.nodes, part.nodes] * spread[part.nodes, part.nodes])
        for part in nodes.layers
    ]
    with np.errstate(divide="ignore"):
        return 0.5 * np.log(np.maximum(moved, 0.0))
