r"""The contract of a network: a map (θ, x) ↦ z, all parameters in one flat vector θ.

Whatever computes such a map row by row is a :class:`Model`: a network of ours with its readout,
one read from elsewhere, a function. What stands on it (Fisher information, emergent geometry,
gauges, training, reports) takes a model and θ, and never asks which kind it is. A new kind of
network is one more file with a subclass; a new kind of layer is one more file in ``layers``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.curve import Curve
from ..utils.arrays import Array
from ..utils.validation import check_array
from .layers.activations import Activation
from .layers.factors import AffineMap, Factors
from .nodes import NodeRecord, Nodes, Stream
from .readout import Readout

__all__ = [
    "Head",
    "Layer",
    "LayerKind",
    "LinearisedModel",
    "Model",
    "StateChain",
    "UnknownNodesError",
    "UnknownParametersError",
    "Wideable",
    "readout_map",
]


class UnknownNodesError(InputError):
    """A network of which nothing is known between its inputs and its outputs has no nodes."""


class UnknownParametersError(InputError):
    """A function does not tell how many parameters it takes."""


class LayerKind(StrEnum):
    """What the parameters of a layer do."""

    AFFINE = "affine"
    FIELD = "field"
    FUNCTION = "function"
    READOUT = "readout"


@dataclass(frozen=True)
class Layer:
    """The part of θ that belongs to one layer.

    Attributes
    ----------
    name : str
    start, stop : int
        Its places in θ.
    kind : LayerKind
    """

    name: str
    start: int
    stop: int
    kind: LayerKind

    @property
    def parameters(self) -> slice:
        """Its slice of θ."""
        return slice(self.start, self.stop)


@dataclass(frozen=True, eq=False)
class Head:
    """The affine map that gives the outputs: a readout, or a last layer.

    Attributes
    ----------
    map : AffineMap
        Where in θ it lies.
    activation : Activation
        What is applied to it; the identity as a rule.
    """

    map: AffineMap
    activation: Activation

    def __call__(self, theta: Array, state: Array) -> Array:
        """Outputs σ(Wφ + b) of states (n, d): (n, C)."""
        matrix, offset = self.map.read(theta)
        value = state @ matrix.T
        if offset is not None:
            value += offset
        return self.activation.linearise(value)[0]


@dataclass(frozen=True, eq=False)
class StateChain:
    """States of one shape, each made of the one before: what is a curve of maps.

    Attributes
    ----------
    numbers : range
        Which states of the network they are; 0 is the input.
    states : ndarray, shape (k, n, d)
    """

    numbers: range
    states: Array


class Wideable(Protocol):
    """A network that can tell whether a unit of it may be split, and split it."""

    def with_readout(self, readout: Readout | None) -> Model:
        """The network as a model, with a readout behind it."""

    def widening(self) -> str:
        """Why the network cannot get one more unit in a layer; empty where it can."""

    def split_unit(
        self, theta: Array, stream: Stream, unit: int, share: float
    ) -> tuple[Wideable, Array]:
        """The network with a unit of a stream made two, and its flat θ."""


class LinearisedModel(ABC):
    """A map (θ, x) ↦ z on n data at one θ, with its derivative in θ.

    Attributes
    ----------
    output : ndarray, shape (n, C)
        Likelihood parameters z of the data.
    """

    output: Array

    @abstractmethod
    def push(self, directions: Array) -> Array:
        """Change of z along directions (k, p): (n, k, C)."""

    @abstractmethod
    def pull(self, covectors: Array) -> Array:
        """Pull covectors on z (n, k, C) back to θ, summed over the data: (k, p)."""

    @abstractmethod
    def factors(self, covectors: Array) -> list[Factors]:
        """Rows r·∂z/∂θ of every datum for its q covectors (n, q, C), by parts of θ."""

    def each_factor(self, covectors: Array) -> Iterator[Factors]:
        """The same one by one, in any order, for who needs no two of them at once."""
        yield from self.factors(covectors)

    def record(self, covectors: Array) -> NodeRecord:
        """Covectors on z (n, q, C) pulled back to the nodes of the network."""
        raise UnknownNodesError("network: its nodes are not known")


class Model(ABC):
    r"""A map (θ, x) ↦ z that treats every datum by itself, its parameters one flat vector θ.

    A subclass owes :meth:`linearise`; ``states`` and ``nodes`` where it has them. :func:`gn.model`
    makes one of networks of ours, scikit-learn's and PyTorch's, and of functions.

    Attributes
    ----------
    layers : tuple of Layer
        Parts of θ in order: name, places, kind.
    dim : int or None
        Number of inputs, where known.
    n_outputs : int or None
        Length C of z, where known.
    parameters_shape : tuple of int
        Shape of θ as the network takes it, without a readout that was added to it.
    head : Head or None
        The affine map that gives the outputs, where there is one.
    theta : ndarray, shape (p,), or None
        Parameters that came with the network, or were given to :meth:`at`.
    """

    layers: tuple[Layer, ...]
    dim: int | None
    n_outputs: int | None
    parameters_shape: tuple[int, ...]
    head: Head | None = None
    readout_map: AffineMap | None = None
    """Where a readout that was added lies in θ; it is the head then."""
    theta: Array | None = None
    classes: tuple[object, ...] | None = None
    """What labels are called, in the order of the outputs, where a classifier told."""
    architecture: Wideable | None = None
    """The network of ours that it was made of, which a split unit makes wider."""

    # -- owed ---------------------------------------------------------------------------------

    @abstractmethod
    def linearise(self, theta: Array, points: Array) -> LinearisedModel:
        """Values on points (n, d) at θ (p,), with the derivative in θ."""

    @abstractmethod
    def with_readout(self, readout: Readout) -> Model:
        """The same map with z = Wφ + b behind it; W in C order and then b end θ."""

    # -- where the network has them -----------------------------------------------------------

    @property
    def nodes(self) -> Nodes:
        """Computation nodes, edges and what moves together, for the geometry on them."""
        raise UnknownNodesError(
            "network: the nodes of a function are not known; they need the layers of a "
            "gn.FeedForward or a gn.Network"
        )

    def chain(self, theta: Array, points: Array) -> StateChain:
        """States of one shape that the head reads, in order."""
        raise InputError("network: expected gn.Network or gn.FeedForward, got a function")

    def computes_like(self, other: Model) -> bool:
        """Whether another model computes the same of the same parameters."""
        return self is other

    @property
    def floats_per_point(self) -> int:
        """How many numbers a linearisation keeps for a datum, about."""
        return 0

    @property
    def signals_per_point(self) -> int:
        """How many numbers the signals of one covector take for a datum."""
        return self.n_parameters

    @property
    def most_signals(self) -> int:
        """The most of them that are computed with at once."""
        return self.n_parameters

    # -- derived ------------------------------------------------------------------------------

    @property
    def n_parameters(self) -> int:
        """Length p of θ."""
        return self.layers[-1].stop

    def values(self, theta: Array, points: Array) -> Array:
        """Likelihood parameters z, (n, C)."""
        return self.linearise(theta, points).output

    def states(self, theta: Array, points: Array) -> Curve:
        """The states as a curve of maps, where at least two have one shape."""
        found = self.chain(theta, points)
        if len(found.states) < 2:
            raise InputError("network: no two of its states have one shape, so they are no curve")
        return Curve(found.states)

    def read(self, theta: Array, state: Array) -> Array:
        """What the head makes of a state (n, d): (n, C)."""
        if self.head is None:
            raise InputError(
                "readout: a Network has none of its own; give gn.Readout(weight, bias) from its "
                "states to the likelihood's parameters"
            )
        return self.head(theta, state)

    def flatten(self, theta: ArrayLike, readout: Readout | None = None) -> Array:
        """θ as the network takes it, and a readout's parameters behind it, as one vector (p,).

        Parameters
        ----------
        theta : array_like
            In the network's shape, or flat.
        readout : Readout, optional
        """
        shape = self.parameters_shape
        found = check_array("theta", theta)
        if found.ndim == 1:  # flat; without a readout beside it, with the one that was added
            shape = (self.n_parameters if readout is None else int(np.prod(shape)),)
        found = check_array("theta", found, shape=shape).reshape(-1)
        if readout is not None:
            found = np.concatenate([found, readout.weight.reshape(-1), readout.bias])
        return found

    def unflatten(self, theta: Array) -> tuple[Array, Readout | None]:
        """Inverse of :meth:`flatten`: θ as the network takes it, and the readout."""
        readout = None
        if self.readout_map is not None:
            weight, bias = self.readout_map.read(theta)
            assert bias is not None
            readout = Readout(weight.copy(), bias.copy())
            theta = theta[: self.readout_map.start]
        return theta.reshape(self.parameters_shape).copy(), readout

    def coded(self, labels: ArrayLike) -> ArrayLike:
        """Labels as places among the classes that the outputs tell apart, where they are known.

        Raises
        ------
        InputError
            For a label that is none of them.
        """
        if self.classes is None:
            return labels
        given, known = np.asarray(labels), np.asarray(self.classes)
        order = np.argsort(known, kind="stable")
        try:
            place = np.searchsorted(known, given, sorter=order)
            code = order[np.minimum(place, len(known) - 1)]
            wrong = known[code] != given
        except TypeError:
            code, wrong = np.zeros(given.shape, dtype=int), np.ones(given.shape, dtype=bool)
        if np.any(wrong):
            raise InputError(
                f"labels: {given[wrong].tolist()[0]!r} is none of the classes that the network "
                f"was trained on, {list(self.classes)}; give labels as the classifier has them"
            )
        return np.asarray(code)

    @property
    def own_theta(self) -> Array:
        """The parameters that came with the network, or were given; an error without."""
        if self.theta is None:
            raise InputError(
                "theta: expected real numbers, got None, and the network has no parameters of its "
                "own; give them"
            )
        return self.theta

    def at(self, theta: ArrayLike) -> Self:
        """The model with parameters θ (p,) of its own, which stay as they are."""
        found = copy(self)
        found.theta = np.array(check_array("theta", theta, shape=(self.n_parameters,)))
        found.theta.setflags(write=False)
        return found


def readout_map(readout: Readout, width: int, layer: int, start: int) -> AffineMap:
    """Where a readout of states of some width lies in θ."""
    outputs, inputs = readout.weight.shape
    if inputs != width:
        raise InputError(f"readout: takes states of {inputs} units, the network's have {width}")
    return AffineMap("the readout", layer, outputs, inputs, start)
