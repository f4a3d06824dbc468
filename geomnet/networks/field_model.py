"""Models of fields that are known by their derivatives only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..utils.arrays import Array
from .fields.field import Field
from .integrators import Integrator
from .layers.activations import activation_named
from .layers.factors import AffineFactors, AffineMap, ExplicitFactors, Factors
from .linearised_network import LinearisedNetwork
from .model import Head, Layer, LayerKind, LinearisedModel, Model, StateChain, readout_map
from .nodes import EdgeSet, End, NodeLayer, Nodes, Stream, ValueRecord
from .readout import Readout

__all__ = ["FieldModel"]


class FieldModel(Model):
    """A network whose field is known by its derivatives only.

    Parameters
    ----------
    field : Field
    depth : int
    integrator : Integrator
    chain : callable
        From θ (without a readout's parameters) and points to the states.
    readout : Readout, optional
        Only its shape; its parameters end θ.
    """

    dim: int
    n_outputs: int

    def __init__(
        self,
        field: Field,
        depth: int,
        integrator: Integrator,
        chain: Callable[[Array, Array], StateChain],
        readout: Readout | None = None,
    ) -> None:
        self.field, self.depth, self.integrator, self._chain = field, depth, integrator, chain
        size = field.n_parameters
        layers = [
            Layer(f"layer {k}", k * size, (k + 1) * size, LayerKind.FIELD) for k in range(depth)
        ]
        self.parameters_shape = depth, size
        self.dim = self.n_outputs = field.dim
        if readout is not None:
            place = readout_map(readout, field.dim, len(layers), layers[-1].stop)
            layers.append(Layer("readout", place.start, place.stop, LayerKind.READOUT))
            self.readout_map, self.n_outputs = place, place.outputs
            self.head = Head(place, activation_named("identity"))
        self.layers = tuple(layers)

    @property
    def floats_per_point(self) -> int:
        """Derivatives of all layers in their states, and the states."""
        return self.depth * self.dim * (self.dim + 1)

    def linearise(self, theta: Array, points: Array) -> LinearisedModel:
        """Run the network."""
        return _LinearisedField(self, theta, points)

    def with_readout(self, readout: Readout) -> FieldModel:
        """The same field, read out."""
        if self.readout_map is not None:
            raise InputError("readout: the model has one already")
        return FieldModel(self.field, self.depth, self.integrator, self._chain, readout)

    def chain(self, theta: Array, points: Array) -> StateChain:
        """All states, the input first."""
        return self._chain(theta[: self.depth * self.field.n_parameters], points)

    def computes_like(self, other: Model) -> bool:
        """Whether both are of one field, depth and integrator."""
        return isinstance(other, FieldModel) and bool(
            (self.field, self.depth, self.integrator)
            == (other.field, other.depth, other.integrator)
        )

    @cached_property
    def nodes(self) -> Nodes:
        """States after every layer, and the output of a readout; every layer ties its states."""
        depth, dim = self.depth, self.dim
        names = ["input", *(f"layer {k}" for k in range(1, depth)), "output"]
        layers = [NodeLayer(k, dim, k * dim, name) for k, name in enumerate(names)]
        edges = [EdgeSet(k, k + 1, k + 1, None) for k in range(depth)]
        streams = [_stream(range(depth + 1), dim, End.INPUT)]
        free: tuple[AffineMap, ...] = ()
        if self.readout_map is not None:
            layers[-1] = NodeLayer(depth, dim, depth * dim, f"layer {depth}")
            end = (depth + 1) * dim
            layers.append(NodeLayer(depth + 1, self.n_outputs, end, "output"))
            edges.append(EdgeSet(depth, depth + 1, depth + 1, None, self.readout_map))
            streams.append(_stream(range(depth + 1, depth + 2), self.n_outputs, End.OUTPUT))
            free = (self.readout_map,)
        return Nodes(tuple(layers), tuple(edges), (), tuple(streams), free)


def _stream(layers: range, size: int, end: End) -> Stream:
    """States that a field's layers tie, or the outputs."""
    return Stream(tuple(layers), size, (), (), frozenset(), summed=True, fixed=False, end=end)


class _LinearisedField(LinearisedModel):
    """A network of any field at one θ: its layers' own products, and Jacobians."""

    def __init__(self, model: FieldModel, theta: Array, points: Array) -> None:
        self.model, self.theta = model, theta
        depth, size = model.parameters_shape
        self.cut = depth * size
        parameters = theta[: self.cut].reshape(depth, size)
        self.inner = LinearisedNetwork(model.field, model.integrator, parameters, points)
        self.last = self.inner.states[-1]
        for layer, state in enumerate(self.inner.states[1:]):
            if not np.isfinite(state).all():
                raise InputError(
                    f"theta: the states after layer {layer} are not finite; its parameters or its "
                    "inputs are too large"
                )
        self.matrix = np.eye(model.dim)
        self.output = self.last
        self.values = list(self.inner.states)
        """States at all depths, and behind a readout its output."""
        if model.readout_map is not None:
            self.matrix, offset = model.readout_map.read(theta)
            assert offset is not None
            self.output = self.last @ self.matrix.T + offset
            self.values.append(self.output)

    @cached_property
    def matrices(self) -> list[Array | None]:
        """Derivative of every value in the one before, (n, d, d); of the readout (C, d)."""
        found: list[Array | None] = [None]
        found += [step.transition() for step in self.inner.layers]
        return found if self.model.readout_map is None else [*found, self.matrix]

    def record(self, covectors: Array) -> ValueRecord:
        """Covectors on the output (n, q, C), pulled back to every value."""
        backs = [covectors]
        for matrix in self.matrices[:0:-1]:
            assert matrix is not None
            backs.append(backs[-1] @ matrix)
        slopes = [None] * len(self.values)
        return ValueRecord(self.values, slopes, self.matrices, backs[::-1])

    def push(self, directions: Array) -> Array:
        """Change of the output, by the layers' own products."""
        shape = self.model.parameters_shape
        moved = np.stack(
            [self.inner.jvp(v[: self.cut].reshape(shape))[-1] for v in directions], axis=1
        )
        if self.model.readout_map is None:
            return moved
        d_matrix, d_offset = self.model.readout_map.split(directions)
        assert d_offset is not None
        change: Array = np.einsum("id,kcd->ikc", self.last, d_matrix)
        return moved @ self.matrix.T + change + d_offset

    def pull(self, covectors: Array) -> Array:
        """Covectors back to θ, by the layers' own products."""
        found = np.zeros((covectors.shape[1], len(self.theta)))
        back = covectors
        if self.model.readout_map is not None:
            back = covectors @ self.matrix
            to_matrix, to_offset = self.model.readout_map.split(found)
            assert to_offset is not None
            to_matrix += np.einsum("ikc,id->kcd", covectors, self.last)
            to_offset += covectors.sum(axis=0)
        for index in range(len(found)):
            pulled = self.inner.vjp(np.ascontiguousarray(back[:, index]))
            found[index, : self.cut] = pulled.reshape(-1)
        return found

    def factors(self, covectors: Array) -> list[Factors]:
        """Explicit rows layer by layer, as every layer acts on each datum apart."""
        found: list[Factors] = []
        back = covectors
        if self.model.readout_map is not None:
            found.append(AffineFactors(self.model.readout_map, [self.last], [covectors]))
            back = covectors @ self.matrix
        n, d = self.last.shape
        for index, step in reversed(list(enumerate(self.inner.layers))):
            part = self.model.layers[index]
            rows = back @ step.jacobian().reshape(n, d, -1)
            found.append(ExplicitFactors(index, part.start, rows))
            matrix = self.matrices[index + 1]
            assert matrix is not None
            back = back @ matrix
        return found[::-1] if self.model.readout_map is None else [*found[:0:-1], found[0]]
