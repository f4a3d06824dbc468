r"""Relations: how far two nodes are from each other, from what they do alone.

A relation gives a length to every pair of nodes; lengths close under shortest paths, over all
pairs, to a distance. Those here do not feel the moves of ``gn.gauge``, but for FlowResistance: to a
unit that is split it becomes the resistance to a part. A relation of one's own is a subclass with
one method.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, floyd_warshall

from ..curvature import WeightedGraph
from ..curvature.effective_conductance import effective_conductances
from ..errors import InputError
from .cosines import causal_lengths, cosines, log_length
from .geometry import EmergentGeometry

__all__ = [
    "ActivationInformation",
    "CausalLength",
    "CorrelationLength",
    "FisherAngle",
    "FisherChord",
    "FlowResistance",
    "Relation",
    "checked_lengths",
    "distance_matrix",
    "effective_resistance",
    "relation_or_default",
    "weighted_graph",
]

LEAST_LENGTH = 1e-300
"""Stands for zero where shortest paths are sought; no sum of others feels it."""


class Relation(ABC):
    """A length for every pair of nodes."""

    @abstractmethod
    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Symmetric lengths, zero on the diagonal, infinite where there is no relation, (N, N)."""

    def distances(self, geometry: EmergentGeometry) -> np.ndarray:
        """Lengths closed under shortest paths, (N, N)."""
        lengths = checked_lengths(self, geometry)
        # scipy takes lengths of zero, unmasked even those below 1e-8, for missing edges; but copies
        # of a node are at zero distance
        lengths = np.maximum(lengths, LEAST_LENGTH, order="C")  # scipy misreads any other order
        lengths = np.ma.masked_array(lengths, np.isinf(lengths))
        found = floyd_warshall(lengths, directed=False)
        return np.where(found < 1e4 * LEAST_LENGTH, 0.0, found)


def relation_or_default(relation: Relation | None) -> Relation:
    """The relation asked for, ``CausalLength()`` by default."""
    if relation is None:
        return CausalLength()
    if not isinstance(relation, Relation):
        raise InputError(
            f"relation: expected one such as gn.emergent.CausalLength(), got {relation!r}"
        )
    return relation


def checked_lengths(relation: Relation | None, geometry: EmergentGeometry) -> np.ndarray:
    """Lengths of a relation, the default one if None, that are lengths."""
    relation = relation_or_default(relation)
    lengths = np.asarray(relation.lengths(geometry))
    fault = ""
    if lengths.dtype.kind not in "fiu" or lengths.shape != (geometry.n_nodes,) * 2:
        fault = f"got {lengths.dtype} of shape {lengths.shape}"
    elif not (lengths >= 0).all():
        fault = "some are below zero or NaN"
    elif not np.allclose(lengths, lengths.T, rtol=1e-9, atol=0):
        fault = "they are not symmetric"
    elif np.diag(lengths).any():
        fault = "some are not zero on the diagonal"
    if fault:
        raise InputError(
            f"relation: {relation!r} must give symmetric lengths of at least zero, one for each "
            f"pair of {geometry.n_nodes} nodes; {fault}"
        )
    return lengths.astype(float)


def distance_matrix(geometry: EmergentGeometry, relation: Relation | None = None) -> np.ndarray:
    """Emergent distances between all nodes: a relation's lengths, closed by shortest paths.

    Parameters
    ----------
    geometry : EmergentGeometry
    relation : Relation, optional
        ``gn.emergent.CausalLength()`` by default.

    Returns
    -------
    ndarray, shape (N, N)
        Infinite between parts that nothing relates.

    Warns
    -----
    UserWarning
        Where some are infinite.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> gn.emergent.distance_matrix(geometry, gn.emergent.FisherAngle()).shape
    (15, 15)
    """
    relation = relation_or_default(relation)
    found = relation.distances(geometry)
    if parts := int(np.unique(np.isfinite(found), axis=0).shape[0]) - 1:
        warnings.warn(
            f"distances: {relation} relates the nodes within {parts + 1} parts only; between "
            "parts distances are infinite",
            stacklevel=2,
        )
    return found


def weighted_graph(geometry: EmergentGeometry, relation: Relation | None = None) -> WeightedGraph:
    """The edges with the lengths of a relation, without directions, for functions of curvature.

    Parameters
    ----------
    geometry : EmergentGeometry
    relation : Relation, optional
        ``gn.emergent.CausalLength()`` by default, as ``geometry.weighted_graph()`` has it.

    Returns
    -------
    WeightedGraph
        Its edges are ``geometry.edges``, in order.

    Raises
    ------
    InputError
        Where an edge has no length, as its ends are copies.
    """
    return geometry.with_lengths(checked_lengths(relation, geometry))


@dataclass(frozen=True)
class CausalLength(Relation):
    r""":math:`l_{ij} = -\log½(|ρ_{ij}| + |\cosβ_{ij}|)`: what two nodes have in common.

    :math:`ρ_{ij}` is the correlation of their outputs over the data, as what both hear makes them
    alike: their common past. :math:`\cosβ_{ij} = E\langle S∂z/∂h_i, S∂z/∂h_j\rangle / \sqrt{…}`
    is the cosine of their sensitivities, as what both say goes the same ways to the prediction:
    their common future. Nodes with neither are far apart; a copy has both. Outputs that never
    change hear the same, nothing; a single output, and all that leads to it by one linear map, has
    one future, so that there distances are at most log 2. For groups of nodes the cosines are
    :math:`(P_{AB}/\sqrt{P_{AA}P_{BB}})^{1/2}`, :math:`P_{AB} = \sum_{i∈A,j∈B}m_im_jρ_{ij}^2`.

    A definition of geomnet's own. Of the relations here it recovers planted geometries best, rings
    and tori, as neither the past nor the future of a node alone tells where it is
    (``benchmarks/planted.py``).
    """

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Logarithms of the mean of both cosines."""
        return causal_lengths(geometry.past, geometry.future)


@dataclass(frozen=True)
class CorrelationLength(Relation):
    r""":math:`l_{ij} = -\log|\cosθ_{ij}|` of the scores.

    :math:`\cosθ_{ij} = \mathcal G_{ij}/\sqrt{\mathcal G_{ii}\mathcal G_{jj}}`: correlations that
    fall exponentially along a chain of nodes are lengths that add.
    """

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Logarithms of cosines."""
        return log_length(geometry.cosine)


@dataclass(frozen=True)
class ActivationInformation(Relation):
    r""":math:`l_{ij} = -\log|ρ_{ij}|` of the nodes' outputs.

    For normal outputs the mutual information is :math:`I = -½\log(1-ρ^2)`, so this is
    :math:`-½\log(1-e^{-2I})`: what is lost of the information that a node would have of itself.
    """

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Logarithms of correlations; a node that never changes tells nothing."""
        return log_length(np.sqrt(cosines(geometry.past)))


@dataclass(frozen=True)
class FisherAngle(Relation):
    r"""Angle :math:`\arccos|\cosθ_{ij}|` between scores, in [0, π/2]."""

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Arcs of cosines."""
        lengths = np.arccos(np.abs(geometry.cosine))
        np.fill_diagonal(lengths, 0.0)
        return lengths


@dataclass(frozen=True)
class FisherChord(Relation):
    r"""Chord :math:`(2 - 2|\cosθ_{ij}|)^{1/2}` between scores of length one."""

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Chords of cosines."""
        lengths = np.sqrt(np.maximum(2 - 2 * np.abs(geometry.cosine), 0.0))
        np.fill_diagonal(lengths, 0.0)
        return lengths


@dataclass(frozen=True)
class FlowResistance(Relation):
    """Effective resistance between nodes, every edge a conductor of its conductance.

    It is a distance by itself (Klein & Randić 1993), and infinite between parts that no flow
    joins.
    """

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Resistances."""
        return effective_resistance(geometry.conductance)

    def distances(self, geometry: EmergentGeometry) -> np.ndarray:
        """Resistances, which shortest paths do not shorten."""
        return self.lengths(geometry)


def effective_resistance(conductance: csr_array) -> np.ndarray:
    r"""Effective resistances :math:`R_{ij} = L^+_{ii} + L^+_{jj} - 2L^+_{ij}`, (N, N).

    Computed without these differences, by elimination that only adds: each keeps its digits,
    however many decades conductances span.

    Parameters
    ----------
    conductance : csr_array, shape (N, N)
        Of edges in either direction, which add.
    """
    matrix = conductance.toarray()
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, 0.0)
    count, part = connected_components(csr_array(matrix), directed=False)
    found = np.full(matrix.shape, np.inf)
    for number in range(count):
        own = np.ix_(*[np.flatnonzero(part == number)] * 2)
        found[own] = 1 / effective_conductances(matrix[own])
    return found
