r"""The emergent geometry of a network's computation nodes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from scipy.sparse import csr_array

from ..curvature import WeightedGraph
from ..errors import InputError
from ..fisher.data import as_sample, check_fit
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import UnknownNodesError, model
from ..utils.validation import check_integer, check_positive
from .capacity import capacity, efficiency, horizon, planck_length, robustness, spectrum
from .coarse_graining import copies_of, gathered, groups_of
from .edges import (
    Edges,
    alive_nodes,
    common,
    covariance,
    emergent_time,
)
from .export import to_networkx, to_weighted_graph
from .influence import GeometryDerivative, derivative_of, influence_of
from .origin import Origin
from .relations import Relation, cosines, relation_or_default
from .scores import Moments, moments_of

__all__ = ["EmergentGeometry"]


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
    curvatures : dict of ndarray, shape (E,)
        Curvatures of the `edges` computed so far, by name.

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
    curvatures: dict[str, np.ndarray] = field(repr=False, default_factory=dict)
    source: tuple[Origin, Moments, Sample | None] | None = field(repr=False, default=None)

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
        return cls._made(origin, moments, count, data)

    @classmethod
    def _made(
        cls, origin: Origin, moments: Moments, n: int, sample: Sample | None
    ) -> EmergentGeometry:
        """From moments: dead nodes dropped."""
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
    def planck_length(self) -> np.ndarray:
        r"""Planck length :math:`(n\mathcal G_{ii})^{-1/2}` of every node, (N,)."""
        return _freeze(planck_length(self))

    @cached_property
    def horizon(self) -> np.ndarray:
        r"""Whether a node is behind a horizon, :math:`n\mathcal G_{ii} < 1`, (N,)."""
        return _freeze(horizon(self))

    @cached_property
    def spectrum(self) -> np.ndarray:
        r"""Eigenvalues of :math:`\mathcal K`, largest first, (N,)."""
        return _freeze(spectrum(self))

    @property
    def capacity(self) -> float:
        r"""Capacity :math:`½\log\det(I + n\mathcal K)`, in nats."""
        return capacity(self)

    @property
    def robustness(self) -> float:
        r"""Robustness :math:`λ_{\max}(\mathcal K)^{-1/2}`."""
        return robustness(self)

    @property
    def efficiency(self) -> float:
        r"""Capacity over the most that the trace of :math:`\mathcal K` allows, at most 1."""
        return efficiency(self)

    def in_layer(self, layer: int) -> np.ndarray:
        """Numbers of the nodes of a layer."""
        return np.flatnonzero(self.layer == layer)

    def distance_matrix(self, relation: Relation | None = None) -> np.ndarray:
        """Emergent distances between all nodes: a relation's lengths, closed by shortest paths.

        Parameters
        ----------
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
        """
        relation = relation_or_default(relation)
        found = relation.distances(self)
        if parts := int(np.unique(np.isfinite(found), axis=0).shape[0]) - 1:
            warnings.warn(
                f"distances: {relation} relates the nodes within {parts + 1} parts only; between "
                "parts distances are infinite",
                stacklevel=2,
            )
        return found

    def weighted_graph(
        self, weight: str = "length", relation: Relation | None = None
    ) -> WeightedGraph:
        """The edges as arrays, without directions, as functions of curvature take them.

        Parameters
        ----------
        weight : {"length", "conductance"}
            Length of the relation between the ends, or what flows.
        relation : Relation, optional
            Of the lengths; the default one if not given.

        Returns
        -------
        WeightedGraph
            Its edges are `edges`, in order.

        Raises
        ------
        InputError
            Where an edge has no length, as its ends are copies.
        """
        return to_weighted_graph(self, weight, relation)

    def to_networkx(self, relation: Relation | None = None) -> nx.DiGraph:
        """A directed graph with attributes, as :func:`geomnet.emergent.to_networkx` makes it."""
        return to_networkx(self, relation)

    def mix(
        self, other: EmergentGeometry, share: float, *, n: int | None = None
    ) -> EmergentGeometry:
        """The geometry of (1 − share) of these data and `share` of the other's, at the same θ.

        Parameters
        ----------
        other : EmergentGeometry
            Of the same network with the same parameters.
        share : float
            In [0, 1].
        n : int, optional
            Number of data that Planck lengths, horizons and capacities count; by default that of
            both, and at a share of 0 or 1 that of the one.

        Returns
        -------
        EmergentGeometry
        """
        share = check_positive("share", share, zero=True)
        if share > 1:
            raise InputError(f"share: expected a number in [0, 1], got {share:g}")
        if not isinstance(other, EmergentGeometry) or other.source is None or self.source is None:
            raise InputError("other: expected a geometry as from_network gives it")
        (origin, mine, _), (theirs, moments, _) = self.source, other.source
        if not origin.same(theirs):
            raise InputError(
                "other: is of another network, of other parameters or of another likelihood; only "
                "the data may differ"
            )
        if n is None:
            n = {0.0: self.n, 1.0: other.n}.get(share, self.n + other.n)
        return self._made(origin, mine.mix(moments, share), check_integer("n", n, least=1), None)

    def derivative(self, change: Any) -> GeometryDerivative:
        r"""Derivative of the geometry as the weights of the data change, at the same θ.

        Parameters
        ----------
        change : array_like, shape (n,)
            Of the weights, of any sign: the derivative is that of w + ε·change at ε = 0. Changes
            that sum to zero stay among weights that sum to one.

        Returns
        -------
        GeometryDerivative

        Examples
        --------
        Twice as much of the first ten data, less of all:

        >>> import numpy as np
        >>> import geomnet as gn
        >>> sample = gn.datasets.load("iris", n=100, seed=0)
        >>> network = gn.FeedForward((4, 8, 3), "tanh")
        >>> geometry = gn.EmergentGeometry.from_network(
        ...     network, network.init(seed=0), sample, gn.Categorical(3)
        ... )
        >>> more = np.where(np.arange(100) < 10, 0.01, 0.0)
        >>> geometry.derivative(more - more.mean()).flow.shape
        (15,)
        """
        return derivative_of(self, change)

    def influence(self, quantity: str | Callable[[Any], Any]) -> np.ndarray:
        r"""What every datum does to a quantity of the geometry, at the same θ.

        The derivative of the quantity Q in the direction of datum a alone,

        .. math:: \frac{d}{dε}Q\big((1-ε)w + ε\,e_a\big)\Big|_{ε=0}
            = \frac{∂Q}{∂w_a} - \sum_bw_b\frac{∂Q}{∂w_b},

        exact: the influence function of robust statistics (Hampel 1974). Weighed by w it sums to
        zero; where it vanishes the geometry is stable against reweighting.

        Parameters
        ----------
        quantity : {"capacity", "robustness", "efficiency", "time"} or callable
            A callable takes an object with the arrays ``gate_fisher``, ``flow``, ``conductance``
            (E,), ``edge_fisher`` (E,), ``normalised``, ``cosine``, ``activation``,
            ``sensitivity`` and ``time`` of this geometry, and returns a number or an array
            computed from them in ``autograd.numpy``.

        Returns
        -------
        ndarray, shape (n,), or (..., n)
            By datum last; ``"time"`` and arrays have one row for each of their entries.

        Examples
        --------
        >>> import geomnet as gn
        >>> sample = gn.datasets.load("iris", n=100, seed=0)
        >>> network = gn.FeedForward((4, 8, 3), "tanh")
        >>> geometry = gn.EmergentGeometry.from_network(
        ...     network, network.init(seed=0), sample, gn.Categorical(3)
        ... )
        >>> geometry.influence("capacity").shape
        (100,)
        >>> geometry.influence(lambda g: g.flow[4:12]).shape
        (8, 100)
        """
        return influence_of(self, quantity)

    def coarse_grain(self, partition: Any) -> EmergentGeometry:
        r"""Geometry of groups of nodes: :math:`s_A = \sum_{i∈A}s_i`.

        Gate Fisher, past and future add exactly, as scores do. Flow and conductance of a group are
        the sums of its members', and so is the root of its edge Fisher; by the triangle inequality
        they bound the group's own from above, and are exact where scores are copies. Activation and
        sensitivity are those of sums of outputs, which are no geometry: they feel how units are
        scaled.

        Parameters
        ----------
        partition : array_like of int, shape (N,)
            Group of every node; a group lies in one layer. Groups are numbered anew, by layer.

        Returns
        -------
        EmergentGeometry
        """
        return gathered(self, groups_of(self, partition))

    def merge_copies(self, tolerance: float = 1e-9) -> EmergentGeometry:
        r"""Merge nodes of a layer whose scores are copies of each other up to their size.

        A unit split in two is one again: :math:`|\cosθ_{ij}| ≥ 1` − `tolerance`. Scores add:
        copies whose scores point against each other take from each other, and where nothing is
        left the node is dead. A group has the number of its first unit.
        """
        return gathered(self, *copies_of(self, check_positive("tolerance", tolerance)))


def _freeze(value: Any) -> Any:
    """The same array, which from now on nobody can write into."""
    if isinstance(value, csr_array):
        for part in (value.data, value.indices, value.indptr):
            part.setflags(write=False)
    elif isinstance(value, np.ndarray):
        value.setflags(write=False)
    return value
