r"""The emergent geometry of a network's computation nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.sparse import csr_array

from ..curvature import WeightedGraph
from ..errors import InputError
from ..fisher.data import as_sample, check_fit
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import Readout, UnknownNodesError, model
from ..utils.validation import check_choice, check_integer
from .cosines import causal_lengths, cosines
from .edges import (
    Edges,
    alive_nodes,
    common,
    covariance,
    emergent_time,
)
from .origin import Origin
from .scores import Moments, moments_of

__all__ = ["EmergentGeometry"]

T = TypeVar("T")


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

    A softmax does not see a common shift of its logits; so the last affine map enters centred over
    the classes, :math:`W - \bar W`, :math:`b - \bar b` with the means over its rows, where it is
    linear and used once. Scores into outputs and of outputs are those of the centred map, which
    no other score feels.

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
        Of affine maps the weight, of skips the coefficient; of the layers of a field of one's own
        the mean derivative. Of parallel edges those that carry something add.
    time : ndarray, shape (layers,)
        Emergent time :math:`½\log\operatorname{tr}(G_l\operatorname{Cov}h_l)` of every layer,
        :math:`G_l = E[(∂z/∂h_l)^\top F\,∂z/∂h_l]`.
    activation : ndarray, shape (N, N)
        Covariance of the nodes' outputs.
    sensitivity : ndarray, shape (N, N)
        :math:`E[(∂z/∂h_i)^\top F\,∂z/∂h_j]`.
    past, future : ndarray, shape (N, N)
        :math:`m_im_jρ_{ij}^2`, with ρ the correlation of outputs, and
        :math:`m_im_j\cos^2β_{ij}`, with β the angle between sensitivities: what nodes hear and say
        in common, which adds for groups of nodes as scores do.
    n : int
        Number of data, as what is estimated from them counts it.
    names : tuple of str
        Of the layers.
    dead : tuple of (int, int)
        Layer and unit of the nodes left out.
    source : tuple or None
        What it was made from: network and likelihood, moments, and the data where they are known.
        None of groups of nodes.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 8, 3), "tanh")
    >>> geometry = gn.EmergentGeometry.from_network(
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
    sensitivity: np.ndarray = field(repr=False)
    past: np.ndarray = field(repr=False)
    future: np.ndarray = field(repr=False)
    n: int
    names: tuple[str, ...]
    dead: tuple[tuple[int, int], ...]
    source: tuple[Origin, Moments, Sample | None] | None = field(repr=False, default=None)

    @classmethod
    def from_network(
        cls,
        network: object,
        theta: ArrayLike | None,
        sample: Sample | ArrayLike,
        likelihood: Likelihood,
        readout: Readout | None = None,
        *,
        n: int | None = None,
        memory_limit: int = 2 * 2**30,
    ) -> EmergentGeometry:
        """The geometry that a sample makes emerge on a network.

        Parameters
        ----------
        network, theta, sample, likelihood, readout
            As :class:`FisherInformation` takes them; not a function, as its nodes are not known.
            The sample's weights average over the data.
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
            Where the nodes are not known, or all of them are dead.
        """
        data = as_sample(sample)
        count = data.n if n is None else check_integer("n", n, least=1)
        limit = check_integer("memory_limit", memory_limit, least=2**20)
        check_fit(found := model(network, theta, readout), data, likelihood)
        try:
            origin = Origin.of(found, likelihood, limit)
        except UnknownNodesError:
            raise InputError(
                f"network: expected a gn.FeedForward or a gn.Network, got {type(network).__name__}"
                "; gn.FeedForward.from_sklearn and from_torch read others, and the nodes of a "
                "function are not known"
            ) from None
        moments = moments_of(origin.nodes, origin.data(data))
        return cls.from_moments(origin, moments, count, data)

    @classmethod
    def from_moments(
        cls, origin: Origin, moments: Moments, n: int, sample: Sample | None
    ) -> EmergentGeometry:
        """The geometry that moments of scores make; nodes through which nothing flows are dropped.

        Parameters
        ----------
        origin : Origin
        moments : Moments
        n : int
            Number of data, as what is estimated from them counts it.
        sample : Sample or None
            The data, where they are known.
        """
        nodes = origin.nodes
        alive = alive_nodes(moments)
        edges = Edges(nodes, alive, moments)
        layer, unit = nodes.layer, nodes.unit
        spread = covariance(moments)
        kept = np.ix_(alive, alive)
        flow, activation = moments.flow[alive], spread[kept]
        sensitivity = moments.sensitivity[kept]
        return cls(
            layer=layer[alive],
            unit=unit[alive],
            gate_fisher=moments.gate_fisher[kept],
            flow=flow,
            conductance=edges.matrix(edges.gather(moments.conductance)),
            edge_fisher=edges.matrix(edges.gather(moments.edge_fisher)),
            weight=edges.matrix(edges.gather(origin.weights(moments))),
            time=emergent_time(nodes, moments.sensitivity, spread),
            activation=activation,
            sensitivity=sensitivity,
            past=common(activation, flow),
            future=common(sensitivity, flow),
            n=n,
            names=tuple(part.name for part in nodes.layers),
            dead=tuple(zip(layer[~alive].tolist(), unit[~alive].tolist())),
            source=(origin, moments, sample),
        )

    def __post_init__(self) -> None:
        for value in vars(self).values():
            _freeze(value)

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
        return _freeze(self.gate_fisher / np.outer(root, root))

    @cached_property
    def cosine(self) -> np.ndarray:
        r"""Cosines :math:`\mathcal G_{ij}/\sqrt{\mathcal G_{ii}\mathcal G_{jj}}` of scores."""
        return _freeze(cosines(self.gate_fisher))

    @cached_property
    def edges(self) -> np.ndarray:
        """Ends of the edges, sorted: those of ``conductance.data``, (E, 2)."""
        tails = np.repeat(np.arange(self.n_nodes), np.diff(self.conductance.indptr))
        return _freeze(np.stack([tails, self.conductance.indices], axis=1).astype(np.intp))

    @cached_property
    def spectrum(self) -> np.ndarray:
        r"""Eigenvalues of :math:`\mathcal K`, largest first, rounding below zero cut off: (N,)."""
        values = eigh(self.normalised, eigvals_only=True)[::-1]
        return _freeze(np.maximum(values, 0.0))

    def in_layer(self, layer: int) -> np.ndarray:
        """Numbers of the nodes of a layer."""
        return np.flatnonzero(self.layer == layer)

    def weighted_graph(self, weight: str = "length") -> WeightedGraph:
        """The edges as arrays, without directions: what functions of curvature read.

        Parameters
        ----------
        weight : {"length", "conductance"}
            Causal length between the ends, as ``gn.emergent.CausalLength`` has it, or what flows.

        Returns
        -------
        WeightedGraph
            Its edges are `edges`, in order.

        Raises
        ------
        InputError
            Where an edge has no length, as its ends are copies.
        """
        if check_choice("weight", weight, ("length", "conductance")) == "conductance":
            return WeightedGraph(self.n_nodes, self.edges, self.conductance.data)
        return self.with_lengths(causal_lengths(self.past, self.future))

    def with_lengths(self, lengths: np.ndarray) -> WeightedGraph:
        """The edges as arrays, as long as it is between their ends by a table, (N, N)."""
        own = lengths[tuple(self.edges.T)]
        if (none := np.flatnonzero(own == 0)).size:
            ends = tuple(self.edges[none[0]].tolist())
            raise InputError(
                f"geometry: {none.size} of {len(own)} edges have no length, first {ends}, as by "
                "their relation the ends are copies; curvature needs lengths, so take "
                "gn.emergent.weighted_graph(geometry, another relation) or weight='conductance'"
            )
        return WeightedGraph(self.n_nodes, self.edges, own)


def _freeze(value: T) -> T:
    """The same array, which from now on nobody can write into."""
    if isinstance(value, csr_array):
        for part in (value.data, value.indices, value.indptr):
            part.setflags(write=False)
    elif isinstance(value, np.ndarray):
        value.setflags(write=False)
    return value
