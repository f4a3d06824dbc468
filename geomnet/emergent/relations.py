r"""Relations: how far two nodes are from each other, from what they do alone.

A relation gives a length to every pair of nodes; lengths close under shortest paths, over all
pairs, to a distance. Those here do not feel the moves of ``gn.gauge``, but for FlowResistance: to a
unit that is split it becomes the resistance to a part. A relation of one's own is a subclass with
one method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, floyd_warshall

from ..curvature.effective_conductance import effective_conductances
from ..errors import InputError

if TYPE_CHECKING:
    from .geometry import EmergentGeometry

__all__ = [
    "ActivationInformation",
    "CausalLength",
    "CorrelationLength",
    "FisherAngle",
    "FisherChord",
    "FlowResistance",
    "Relation",
    "effective_resistance",
    "relation_or_default",
]

LEAST_COSINE = 1e-6
"""Where cosines are clipped: lengths are at most 13.8."""
COPIES = 64 * np.finfo(float).eps
"""Cosines that are one but for rounding: angles and chords are roots of the difference."""
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


def cosines(gram: np.ndarray) -> np.ndarray:
    r""":math:`g_{ij}/\sqrt{g_{ii}g_{jj}}`, zero where one of them is; copies exactly ±1."""
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale = np.outer(size, size)
    found = np.divide(gram, scale, out=np.zeros_like(gram), where=scale > 0)
    found = np.where(np.abs(found) > 1 - COPIES, np.sign(found), found)
    np.fill_diagonal(found, 1.0)
    return found


def _log_length(cosine: np.ndarray) -> np.ndarray:
    """−log|cos|, clipped, zero on the diagonal."""
    lengths = np.abs(np.log(np.clip(np.abs(cosine), LEAST_COSINE, 1.0)))
    np.fill_diagonal(lengths, 0.0)
    return lengths


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
        past, future = np.sqrt(cosines(geometry.past)), np.sqrt(cosines(geometry.future))
        return _log_length(0.5 * (past + future))


@dataclass(frozen=True)
class CorrelationLength(Relation):
    r""":math:`l_{ij} = -\log|\cosθ_{ij}|` of the scores.

    :math:`\cosθ_{ij} = \mathcal G_{ij}/\sqrt{\mathcal G_{ii}\mathcal G_{jj}}`: correlations that
    fall exponentially along a chain of nodes are lengths that add.
    """

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Logarithms of cosines."""
        return _log_length(geometry.cosine)


@dataclass(frozen=True)
class ActivationInformation(Relation):
    r""":math:`l_{ij} = -\log|ρ_{ij}|` of the nodes' outputs.

    For normal outputs the mutual information is :math:`I = -½\log(1-ρ^2)`, so this is
    :math:`-½\log(1-e^{-2I})`: what is lost of the information that a node would have of itself.
    """

    def lengths(self, geometry: EmergentGeometry) -> np.ndarray:
        """Logarithms of correlations; a node that never changes tells nothing."""
        return _log_length(np.sqrt(cosines(geometry.past)))


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
