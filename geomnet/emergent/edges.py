r"""From moments of scores to the arrays of a geometry: what is dead is left out, edges are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from ..errors import InputError
from ..fisher import FisherInformation
from ..fisher.data import FisherData
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks.layers.factors import AffineMap
from ..networks.model import FieldModel, Model, ProgramModel
from ..networks.nodes import Skeleton, skeleton_of
from ..networks.program import Affine, Combine, FixedMap
from .cosines import cosines
from .scores import Moments

__all__ = [
    "Edges",
    "Origin",
    "alive_nodes",
    "common",
    "constant_nodes",
    "covariance",
    "emergent_time",
]

TINY = np.finfo(float).tiny
ROUNDING = 16 * np.finfo(float).eps
"""Standard deviation below which an output is constant, relative to its root mean square; and part
of a centred weight that is none, relative to the largest to other classes."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What a geometry was made from, but for the data.

    Attributes
    ----------
    skeleton : Skeleton
    model : Model
    theta : ndarray, shape (p,)
        The last affine map centred, where the likelihood leaves a common shift free.
    likelihood : Likelihood
    memory_limit : int
    """

    skeleton: Skeleton
    model: Model
    theta: np.ndarray
    likelihood: Likelihood
    memory_limit: int

    @classmethod
    def of(cls, fisher: FisherInformation) -> Origin:
        """The network, parameters and likelihood of a Fisher information."""
        skeleton = skeleton_of(fisher.model)
        theta = _centred(skeleton, fisher.theta, fisher.likelihood)
        return cls(skeleton, fisher.model, theta, fisher.likelihood, fisher.memory_limit)

    def data(self, sample: Sample) -> FisherData:
        """The network on a sample."""
        rng = np.random.default_rng(0)  # nothing is drawn
        return FisherData(
            self.model, self.theta, sample, self.likelihood, "true", None, rng, 1, self.memory_limit
        )

    def weights(self, moments: Moments) -> list[np.ndarray]:
        """Weights of all edges, by edge sets.

        Matrices of affine maps, coefficients of skips, and mean derivatives of layers that have
        nothing else.
        """
        found = []
        for edges, mean in zip(self.skeleton.edges, moments.derivative):
            if edges.coefficient is not None:
                found.append(np.full(self.skeleton.layers[edges.source].size, edges.coefficient))
            else:
                found.append(mean if edges.map is None else edges.map.read(self.theta)[0])
        return found

    def same(self, other: Origin) -> bool:
        """Whether both are the same network with the same parameters, seen alike."""
        mine, theirs = self.skeleton, other.skeleton
        return (
            (mine.layers, mine.edges) == (theirs.layers, theirs.edges)
            and mine.activations == theirs.activations
            and self.likelihood == other.likelihood
            and np.array_equal(self.theta, other.theta)
            and _same_model(self.model, other.model)
        )


def _same_model(one: Model, two: Model) -> bool:
    """Whether two models compute the same of the same parameters."""
    if isinstance(one, FieldModel) and isinstance(two, FieldModel):
        return bool(one.network == two.network)
    if not (isinstance(one, ProgramModel) and isinstance(two, ProgramModel)):
        return False
    steps = one.program.steps, two.program.steps
    return len(steps[0]) == len(steps[1]) and all(map(_same_step, *steps))


def _same_step(one: Affine | Combine, two: Affine | Combine) -> bool:
    if isinstance(one, Combine) or isinstance(two, Combine):
        return type(one) is type(two) and vars(one) == vars(two)
    if (one.source, repr(one.activation)) != (two.source, repr(two.activation)):
        return False
    if isinstance(one.map, FixedMap) and isinstance(two.map, FixedMap):
        return all(map(np.array_equal, vars(one.map).values(), vars(two.map).values()))
    return bool(one.map == two.map)


def _centred(skeleton: Skeleton, theta: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """Parameters whose last affine map has no part that the likelihood does not see.

    A common shift of all logits, constant or linear in the last state, leaves every prediction as
    it is; the centred map is the one of that class that geometry is read from. A map that other
    values are made by too, or that an activation follows, has no such freedom.
    """
    projector = likelihood.gauge_projector()
    if projector is None:
        return theta
    found = theta.copy()
    last, program = len(skeleton.layers) - 1, skeleton.program
    for edges in skeleton.edges:
        if edges.target != last or not isinstance(edges.map, AffineMap):
            continue
        if program is not None:
            step = program.steps[edges.step - 1]
            alone = program.uses[edges.map.start] == 1
            if not (alone and isinstance(step, Affine) and step.activation.name == "identity"):
                continue
        matrix, offset = edges.map.read(found)  # views
        for part in (matrix,) if offset is None else (matrix, offset):
            centred = projector @ part
            # what only moves all classes alike moves nothing
            part[:] = np.where(np.abs(centred) > ROUNDING * np.abs(part).max(axis=0), centred, 0.0)
    return found


class Edges:
    """The edges between nodes that are alive, each once, and where edge sets have their parts.

    Parameters
    ----------
    skeleton : Skeleton
    alive : ndarray of bool, shape (nodes,)
    moments : Moments
        An edge that carries nothing is none.

    Attributes
    ----------
    ends : ndarray of int, shape (E, 2)
        Numbers among the nodes alive, sorted.
    """

    def __init__(self, skeleton: Skeleton, alive: np.ndarray, moments: Moments) -> None:
        self.count = int(alive.sum())
        number = np.where(alive, np.cumsum(alive) - 1, -1)
        keys = []
        for edges, strength in zip(skeleton.edges, moments.conductance):
            source = number[skeleton.layers[edges.source].nodes]
            target = number[skeleton.layers[edges.target].nodes]
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


def emergent_time(skeleton: Skeleton, sensitivity: np.ndarray, spread: np.ndarray) -> np.ndarray:
    r""":math:`½\log\operatorname{tr}(G_l\operatorname{Cov}h_l)` of every layer, (layers,)."""
    moved = [
        np.sum(sensitivity[part.nodes, part.nodes] * spread[part.nodes, part.nodes])
        for part in skeleton.layers
    ]
    with np.errstate(divide="ignore"):
        return 0.5 * np.log(np.maximum(moved, 0.0))
