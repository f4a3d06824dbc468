r"""The emergent geometry of a network's computation nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from scipy.sparse import csr_array

from ..errors import InputError, check_integer, check_positive
from ..fisher import FisherInformation
from ..likelihoods import Likelihood
from .exchange import to_networkx
from .moments import Moments, moments_of
from .nodes import Skeleton, skeleton_of
from .relations import Relation, relation_or_default

__all__ = ["EmergentGeometry"]

DEAD = 1e-14
"""Flow below which a node is dead, relative to the largest."""
ROUNDING = 64 * np.finfo(float).eps
"""Variance below which an output is constant, relative to its mean square."""


@dataclass(frozen=True, eq=False)
class _Origin:
    """What a geometry was made from, but for the data."""

    skeleton: Skeleton
    weights: list[np.ndarray]
    theta: np.ndarray
    likelihood: Likelihood

    def same(self, other: _Origin) -> bool:
        """Whether both are the same network with the same parameters, seen alike."""
        mine, theirs = self.skeleton, other.skeleton
        return (
            (mine.layers, mine.edges) == (theirs.layers, theirs.edges)
            and mine.activations == theirs.activations
            and self.likelihood == other.likelihood
            and np.array_equal(self.theta, other.theta)
            # maps that are no part of theta
            and all(map(np.array_equal, self.weights, other.weights))
        )


@dataclass(frozen=True, eq=False)
class EmergentGeometry:
    r"""G_Inf: the geometry that data make emerge on a network's computation nodes.

    Nodes are the events at which a network computes: hidden units, and the coordinates of its state
    at every depth. What a node says about the prediction is its score :math:`s_i = S\,h_i\,∂z/∂h_i`
    (S the factor of the likelihood's Fisher matrix, the derivative total), and the relations
    between nodes are those of their scores (Dong & Zhou 2019, sections III.C and IV):

    - gate Fisher :math:`\mathcal G_{ij} = E\langle s_i, s_j\rangle`, flow :math:`m_i = E|s_i|`,
      conductance :math:`c_{ij} = E|s_{ij}|` of an edge, its score being
      :math:`s_{ij} = S\,h_iw_{ij}\,∂z/∂u_j`. All are linear in the weights of the data;
    - :math:`\mathcal K = M^{-1/2}\mathcal GM^{-1/2}`, M = diag m.

    Scores do not change when units are permuted, rescaled (ReLU) or flipped (tanh), as weights and
    gradients do. Arrays are ordered by layer, inputs first; nodes through which nothing flows
    are dead, and left out.

    Attributes
    ----------
    layer, unit : ndarray of int, shape (N,)
        Layer of every node, inputs 0, and its place in it.
    gate_fisher : ndarray, shape (N, N)
    flow : ndarray, shape (N,)
    conductance : csr_array, shape (N, N)
        From row to column, parallel edges added.
    edge_fisher : csr_array, shape (N, N)
        :math:`E|s_{ij}|^2`, likewise.
    weight : csr_array, shape (N, N)
        Of affine maps the weight, of skips the coefficient.
    time : ndarray, shape (layers,)
        Emergent time :math:`½\log\operatorname{tr}(G_l\operatorname{Cov}h_l)` of every layer,
        :math:`G_l = E[(∂z/∂h_l)^\top F\,∂z/∂h_l]`.
    activation : ndarray, shape (N, N)
        Covariance of the nodes' outputs.
    n : int
        Number of data, as what is estimated from them counts it.
    names : tuple of str
        Of the layers.
    dead : tuple of (int, int)
        Layer and unit of the nodes left out.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.graph import EmergentGeometry
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = EmergentGeometry.from_network(
    ...     network, network.init(seed=0), sample, gn.Categorical(3)
    ... )
    >>> geometry
    EmergentGeometry(nodes=23, edges=120, layers=4, dead=0)
    """

    layer: np.ndarray
    unit: np.ndarray
    gate_fisher: np.ndarray = field(repr=False)
    flow: np.ndarray = field(repr=False)
    conductance: csr_array = field(repr=False)
    edge_fisher: csr_array = field(repr=False)
    weight: csr_array = field(repr=False)
    time: np.ndarray = field(repr=False)
    activation: np.ndarray = field(repr=False)
    n: int
    names: tuple[str, ...]
    dead: tuple[tuple[int, int], ...]
    source: Any = field(repr=False, default=None)

    @classmethod
    def from_network(
        cls,
        network: Any,
        theta: Any,
        sample: Any,
        likelihood: Likelihood,
        readout: Any = None,
        *,
        n: int | None = None,
        memory_limit: int = 2 * 2**30,
    ) -> EmergentGeometry:
        """The geometry that a sample makes emerge on a network.

        Parameters
        ----------
        network, theta, sample, likelihood, readout
            As :class:`FisherInformation` takes them; the network must be made of affine maps. The
            sample's weights average over the data.
        n : int, optional
            Number of data that Planck lengths, horizons and capacities count; the sample's own by
            default.
        memory_limit : int
            Bytes; data are taken in chunks that stay below.

        Returns
        -------
        EmergentGeometry

        Raises
        ------
        InputError
            Where the network's nodes are not known, or all of them are dead.
        """
        fisher = FisherInformation(
            network, theta, sample, likelihood, readout, memory_limit=memory_limit
        )
        count = fisher.sample.n if n is None else check_integer("n", n, least=1)
        skeleton = skeleton_of(fisher.model)
        moments = moments_of(skeleton, fisher._data)
        origin = _Origin(skeleton, _weights(skeleton, fisher), fisher.theta, likelihood)
        return cls._made(origin, moments, count)

    @classmethod
    def _made(cls, origin: _Origin, moments: Moments, n: int) -> EmergentGeometry:
        """From moments: dead nodes dropped."""
        skeleton = origin.skeleton
        alive = moments.flow > DEAD * moments.flow.max(initial=0.0)
        if not alive.any():
            raise InputError(
                "network: all of its nodes are dead; no datum moves a prediction through any"
            )
        layer, unit = skeleton.layer, skeleton.unit
        covariance = _covariance(moments)
        times = []
        for part, sensitivity in zip(skeleton.layers, moments.sensitivity):
            moved = np.sum(sensitivity * covariance[part.nodes, part.nodes])
            with np.errstate(divide="ignore"):
                times.append(0.5 * np.log(max(float(moved), 0.0)))

        def sparse(parts: Sequence[np.ndarray]) -> csr_array:
            return _sparse(skeleton, parts)[alive][:, alive]

        kept = np.ix_(alive, alive)
        return cls(
            layer=layer[alive],
            unit=unit[alive],
            gate_fisher=moments.gate_fisher[kept],
            flow=moments.flow[alive],
            conductance=sparse(moments.conductance),
            edge_fisher=sparse(moments.edge_fisher),
            weight=sparse(origin.weights),
            time=np.array(times),
            activation=covariance[kept],
            n=n,
            names=tuple(part.name for part in skeleton.layers),
            dead=tuple(zip(layer[~alive].tolist(), unit[~alive].tolist())),
            source=(origin, moments),
        )

    def __repr__(self) -> str:
        return (
            f"EmergentGeometry(nodes={len(self.layer)}, edges={self.conductance.nnz}, "
            f"layers={len(self.names)}, dead={len(self.dead)})"
        )

    @property
    def n_nodes(self) -> int:
        """Number of nodes, N, the dead not counted."""
        return len(self.layer)

    @cached_property
    def normalised(self) -> np.ndarray:
        r""":math:`\mathcal K = M^{-1/2}\mathcal GM^{-1/2}`, (N, N)."""
        root = np.sqrt(self.flow)
        return self.gate_fisher / np.outer(root, root)

    @cached_property
    def cosine(self) -> np.ndarray:
        r"""Cosines :math:`\mathcal G_{ij}/\sqrt{\mathcal G_{ii}\mathcal G_{jj}}` of scores."""
        size = np.sqrt(np.diag(self.gate_fisher))
        found = self.gate_fisher / np.outer(size, size)
        np.fill_diagonal(found, 1.0)
        return np.clip(found, -1.0, 1.0)

    def in_layer(self, layer: int) -> np.ndarray:
        """Numbers of the nodes of a layer."""
        return np.flatnonzero(self.layer == layer)

    def distance_matrix(self, relation: Relation | None = None) -> np.ndarray:
        """Emergent distances between all nodes: a relation's lengths, closed by shortest paths.

        Parameters
        ----------
        relation : Relation, optional
            ``gn.CorrelationLength()`` by default.

        Returns
        -------
        ndarray, shape (N, N)
            Infinite between parts that nothing relates.
        """
        return relation_or_default(relation).distances(self)

    def to_networkx(self, relation: Relation | None = None) -> nx.DiGraph:
        """A directed graph with attributes, as :func:`geomnet.graph.to_networkx` makes it."""
        return to_networkx(self, relation)

    def mix(self, other: EmergentGeometry, share: float) -> EmergentGeometry:
        """The geometry of (1 − share) of these data and `share` of the other's, at the same θ.

        Parameters
        ----------
        other : EmergentGeometry
            Of the same network with the same parameters.
        share : float
            In [0, 1].

        Returns
        -------
        EmergentGeometry
        """
        share = check_positive("share", share, zero=True)
        if share > 1:
            raise InputError(f"share: expected a number in [0, 1], got {share:g}")
        if not isinstance(other, EmergentGeometry) or other.source is None or self.source is None:
            raise InputError("other: expected a geometry as from_network gives it")
        (origin, mine), (theirs, moments) = self.source, other.source
        if not origin.same(theirs):
            raise InputError(
                "other: is of another network, of other parameters or of another likelihood; only "
                "the data may differ"
            )
        return self._made(origin, mine.mix(moments, share), self.n + other.n)

    def coarse_grain(self, partition: Any) -> EmergentGeometry:
        r"""Geometry of groups of nodes: :math:`s_A = \sum_{i∈A}s_i`.

        Gate Fisher and covariance add exactly, as scores do. Flow and conductance of a group are
        the sums of its members', and so is the root of its edge Fisher; by the triangle inequality
        they bound the group's own from above, and are exact where scores are copies.

        Parameters
        ----------
        partition : array_like of int, shape (N,)
            Group of every node; a group lies in one layer. Groups are numbered anew, by layer.

        Returns
        -------
        EmergentGeometry
        """
        partition = np.asarray(partition)
        if partition.shape != (self.n_nodes,) or partition.dtype.kind not in "iu":
            raise InputError(
                f"partition: expected one integer for each of {self.n_nodes} nodes, got "
                f"{partition.dtype} of shape {partition.shape}"
            )
        pairs = np.unique(np.column_stack([self.layer, partition]), axis=0)
        if len(pairs) > len(np.unique(partition)):
            raise InputError("partition: a group has nodes of several layers; time would mix")
        lookup = {group: number for number, group in enumerate(pairs[:, 1].tolist())}
        into = np.zeros((len(pairs), self.n_nodes))
        into[[lookup[group] for group in partition.tolist()], np.arange(self.n_nodes)] = 1.0
        return self._gathered(into, pairs[:, 0])

    def merge_copies(self, tolerance: float = 1e-9) -> EmergentGeometry:
        r"""Merge nodes of a layer whose scores are copies of each other up to their size.

        A unit split in two is one again: :math:`|\cosθ_{ij}| ≥ 1` − `tolerance`.
        """
        tolerance = check_positive("tolerance", tolerance)
        groups, signs = np.full(self.n_nodes, -1), np.ones(self.n_nodes)
        heads: list[int] = []
        for i in range(self.n_nodes):
            for number, head in enumerate(heads):
                if self.layer[head] == self.layer[i] and abs(self.cosine[head, i]) >= 1 - tolerance:
                    groups[i], signs[i] = number, np.sign(self.cosine[head, i])
                    break
            else:
                groups[i] = len(heads)
                heads.append(i)
        into = np.zeros((len(heads), self.n_nodes))
        into[groups, np.arange(self.n_nodes)] = 1.0
        found = self._gathered(into, self.layer[heads])
        # scores that point against each other take from each other, exactly
        return replace(found, flow=np.abs((into * signs) @ self.flow))

    def _gathered(self, into: np.ndarray, layer: np.ndarray) -> EmergentGeometry:
        """Groups of nodes as nodes."""
        gather = csr_array(into)
        unit = np.concatenate([np.arange(np.sum(layer == k)) for k in np.unique(layer)])
        return replace(
            self,
            layer=layer,
            unit=unit,
            gate_fisher=gather @ self.gate_fisher @ gather.T,
            flow=gather @ self.flow,
            conductance=csr_array(gather @ self.conductance @ gather.T),
            edge_fisher=csr_array(gather @ self.edge_fisher.sqrt() @ gather.T).power(2),
            weight=csr_array(gather @ self.weight @ gather.T),
            activation=gather @ self.activation @ gather.T,
            source=None,
        )


def _covariance(moments: Moments) -> np.ndarray:
    """Covariance of the nodes' outputs, exactly zero for those that never change."""
    found = moments.second - np.outer(moments.mean, moments.mean)
    constant = np.diag(found) <= ROUNDING * np.diag(moments.second)
    found[constant], found[:, constant] = 0.0, 0.0
    return found


def _weights(skeleton: Skeleton, fisher: FisherInformation) -> list[np.ndarray]:
    """Weights of all edges: matrices of affine maps, coefficients of skips."""
    found = []
    for edges in skeleton.edges:
        step: Any = skeleton.program.steps[edges.step - 1]
        if edges.coefficient is None:
            found.append(step.map.read(fisher.theta)[0])
        else:
            size = skeleton.layers[edges.source].size
            found.append(np.full(size, edges.coefficient))
    return found


def _sparse(skeleton: Skeleton, parts: Sequence[np.ndarray]) -> csr_array:
    """Edge values by edge sets as one sparse matrix, from row to column."""
    rows, columns, values = [], [], []
    for edges, part in zip(skeleton.edges, parts):
        source, target = skeleton.layers[edges.source], skeleton.layers[edges.target]
        if edges.coefficient is not None:
            j = i = np.arange(source.size)
            part = np.asarray(part)
        else:
            j, i = map(np.ravel, np.indices(part.shape))
        rows.append(source.start + i)
        columns.append(target.start + j)
        values.append(np.ravel(part))
    shape = (skeleton.n_nodes, skeleton.n_nodes)
    data = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return csr_array(data, shape=shape)
