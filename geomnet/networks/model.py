r"""Networks with their readouts as maps (θ, x) ↦ z, all parameters in one flat vector.

Three kinds: programs of affine maps (``FeedForward``, and ``Network`` with a field of affine
layers), networks of other fields, and functions written in ``autograd.numpy``. All give products
with ∂z/∂θ and layer factors; the first from inputs and signals, the others from Jacobians.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd
import numpy as np

from ..errors import InputError
from ..utils.validation import check_array
from .feedforward import FeedForward
from .layers.activations import activation_named
from .layers.factors import AffineFactors, AffineMap, ExplicitFactors, Factors
from .linearised import LinearisedModel
from .network import Network
from .program import Affine, AffineLayer, AffineProgram, Combine, FixedMap
from .readout import Readout

__all__ = ["FieldModel", "LayerPart", "Model", "ProgramModel", "model_of"]


@dataclass(frozen=True)
class LayerPart:
    """The part of θ that belongs to one layer."""

    name: str
    start: int
    stop: int


class Model(ABC):
    """A map (θ, x) ↦ z."""

    layers: tuple[LayerPart, ...]
    """Parts of θ, in order."""
    dim: int | None
    """Number of inputs, where known."""
    n_outputs: int | None
    """Length C of z, where known."""

    @property
    def n_parameters(self) -> int:
        """Length p of θ."""
        return self.layers[-1].stop

    @abstractmethod
    def linearise(self, theta: np.ndarray, points: np.ndarray) -> LinearisedModel:
        """Values on points (n, d) at θ (p,), with the derivative in θ."""

    def values(self, theta: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Likelihood parameters z, (n, C)."""
        return self.linearise(theta, points).output

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


def model_of(network: Any, theta: Any, readout: Any = None) -> tuple[Model, np.ndarray]:
    """The model of a network and its readout, and all parameters as one vector.

    Parameters
    ----------
    network : FeedForward, Network or callable
        A callable takes (θ, x), θ (p,) and x (n, d), to z (n, C), row by row.
    theta : array_like
        Of the network.
    readout : Readout, optional

    Returns
    -------
    model : Model
    theta : ndarray, shape (p,)
        With the readout's W in C order, then its b, at the end.
    """
    if readout is not None and not isinstance(readout, Readout):
        raise InputError(f"readout: expected a gn.Readout, got {type(readout).__name__}")
    model: Model
    if isinstance(network, FeedForward):
        theta = check_array("theta", theta, shape=network.parameters_shape)
        model = _feed_forward(network, readout)
    elif isinstance(network, Network):
        shape: tuple[int, ...] = network.parameters_shape
        theta = check_array("theta", theta)
        if theta.ndim == 1:
            shape = (network.n_parameters,)
        theta = check_array("theta", theta, shape=shape).reshape(-1)
        layers = network.field.affine_layers()
        model = (
            FieldModel(network, readout) if layers is None else _network(network, layers, readout)
        )
    elif callable(network):
        if readout is not None:
            raise InputError("readout: a function (theta, x) gives the likelihood's parameters "
                             "itself; apply the readout in it")  # fmt: skip
        theta = check_array("theta", theta, ndim=1)
        model = _FunctionModel(network, len(theta))
    else:
        raise InputError(
            f"network: expected a gn.FeedForward, a gn.Network or a function (theta, x), got "
            f"{type(network).__name__}; gn.FeedForward.from_sklearn and from_torch read others"
        )
    if readout is not None:
        theta = np.concatenate([theta, readout.weight.reshape(-1), readout.bias])
    return model, theta


class ProgramModel(Model):
    """A program of affine maps."""

    def __init__(
        self, program: AffineProgram, layers: list[LayerPart], dim: int, n_outputs: int
    ) -> None:
        self.program, self.layers = program, tuple(layers)
        self.dim, self.n_outputs = dim, n_outputs

    def linearise(self, theta: np.ndarray, points: np.ndarray) -> LinearisedModel:
        """Run the program."""
        return self.program.run(theta, points)

    @cached_property
    def _widths(self) -> list[int]:
        return [step.map.outputs for step in self.program.steps if isinstance(step, Affine)]

    @property
    def floats_per_point(self) -> int:
        """Values and slopes of all steps."""
        return int(self.dim or 0) + 2 * sum(self._widths)

    @property
    def signals_per_point(self) -> int:
        """Units of all steps."""
        return sum(self._widths)

    @property
    def most_signals(self) -> int:
        """Units of the widest step."""
        return max(self._widths)


def _with_readout(
    steps: list[Affine | Combine], layers: list[LayerPart], width: int, readout: Readout | None
) -> int:
    """Append the readout; return the number of outputs."""
    if readout is None:
        return width
    start = layers[-1].stop
    place = _readout_map(readout, width, len(layers), start)
    steps.append(Affine(place, len(steps), activation_named("identity")))
    layers.append(LayerPart("readout", start, place.stop))
    return place.outputs


def _readout_map(readout: Readout, width: int, layer: int, start: int) -> AffineMap:
    outputs, inputs = readout.weight.shape
    if inputs != width:
        raise InputError(f"readout: takes states of {inputs} units, the network's have {width}")
    return AffineMap("the readout", layer, outputs, inputs, start)


def _feed_forward(network: FeedForward, readout: Readout | None) -> Model:
    steps = list(network.program.steps)
    layers = [LayerPart(f"layer {m.layer}", m.start, m.stop) for m in network.maps]
    outputs = _with_readout(steps, layers, network.n_outputs, readout)
    return ProgramModel(AffineProgram(tuple(steps)), layers, network.dim, outputs)


def _network(network: Network, affine: tuple[AffineLayer, ...], readout: Readout | None) -> Model:
    """The program of a network: every stage of every layer applies the field's affine layers."""
    steps: list[Affine | Combine] = []
    layers: list[LayerPart] = []
    h, integrator, size = 1 / network.depth, network.integrator, network.field.n_parameters
    state = 0
    for layer in range(network.depth):
        start = layer * size
        layers.append(LayerPart(f"layer {layer}", start, start + size))
        places: list[AffineMap | FixedMap] = []
        for index, part in enumerate(affine):
            if part.fixed is not None:
                places.append(part.fixed)
                continue
            name = f"layer {layer}, affine map {index} ({part.inputs} → {part.outputs})"
            place = AffineMap(name, layer, part.outputs, part.inputs, start, part.bias)
            places.append(place)
            start = place.stop
        rates: list[int] = []
        for row in integrator.a:
            source = _add(steps, state, row, rates, h)
            for part, applied in zip(affine, places):
                steps.append(Affine(applied, source, part.activation))
                source = len(steps)
            rates.append(source)
        state = _add(steps, state, integrator.b, rates, h)
    outputs = _with_readout(steps, layers, network.dim, readout)
    return ProgramModel(AffineProgram(tuple(steps)), layers, network.dim, outputs)


def _add(
    steps: list[Affine | Combine],
    state: int,
    weights: tuple[float, ...],
    rates: list[int],
    h: float,
) -> int:
    """Append x + h Σ w k, and return which value it is."""
    terms = [(rate, h * w) for rate, w in zip(rates, weights) if w]
    if not terms:
        return state
    steps.append(Combine((state, *(r for r, _ in terms)), (1.0, *(w for _, w in terms))))
    return len(steps)


class FieldModel(Model):
    """A network whose field is known by its derivatives only."""

    def __init__(self, network: Network, readout: Readout | None) -> None:
        self.network, self.readout = network, readout
        size = network.field.n_parameters
        layers = [LayerPart(f"layer {k}", k * size, (k + 1) * size) for k in range(network.depth)]
        self.dim = self.n_outputs = network.dim
        self.place = None
        if readout is not None:
            self.place = _readout_map(readout, network.dim, len(layers), layers[-1].stop)
            layers.append(LayerPart("readout", self.place.start, self.place.stop))
            self.n_outputs = self.place.outputs
        self.layers = tuple(layers)

    @property
    def floats_per_point(self) -> int:
        """Derivatives of all layers in their states, and the states."""
        return self.network.depth * self.network.dim * (self.network.dim + 1)

    def linearise(self, theta: np.ndarray, points: np.ndarray) -> LinearisedModel:
        """Run the network."""
        return _LinearisedField(self, theta, points)


class _LinearisedField(LinearisedModel):
    """A network of any field at one θ: its layers' own products, and Jacobians."""

    def __init__(self, model: FieldModel, theta: np.ndarray, points: np.ndarray) -> None:
        self.model, self.theta = model, theta
        network = model.network
        self.cut = network.n_parameters
        self.inner = network.linearise(theta[: self.cut].reshape(network.parameters_shape), points)
        self.last = self.inner.states[-1]
        for layer, state in enumerate(self.inner.states[1:]):
            if not np.isfinite(state).all():
                raise InputError(
                    f"theta: the states after layer {layer} are not finite; its parameters or its "
                    "inputs are too large"
                )
        self.matrix = np.eye(network.dim)
        self.output = self.last
        self.values = list(self.inner.states)
        """States at all depths, and behind a readout its output."""
        if model.place is not None:
            self.matrix, offset = model.place.read(theta)
            self.output = self.last @ self.matrix.T + offset
            self.values.append(self.output)
        self.slopes = [None] * len(self.values)

    @cached_property
    def matrices(self) -> list[np.ndarray | None]:
        """Derivative of every value in the one before, (n, d, d); of the readout (C, d)."""
        found = [None, *(step.transition() for step in self.inner.layers)]
        return found if self.model.place is None else [*found, self.matrix]

    def pull_back_values(self, covectors: np.ndarray) -> list[np.ndarray]:
        """Covectors on the output (n, q, C), pulled back to every value."""
        found = [covectors]
        for matrix in self.matrices[:0:-1]:
            found.append(found[-1] @ matrix)
        return found[::-1]

    def jvp(self, directions: np.ndarray) -> np.ndarray:
        shape = self.model.network.parameters_shape
        moved = np.stack(
            [self.inner.jvp(v[: self.cut].reshape(shape))[-1] for v in directions], axis=1
        )
        if self.model.place is None:
            return moved
        d_matrix, d_offset = self.model.place.split(directions)
        return moved @ self.matrix.T + np.einsum("id,kcd->ikc", self.last, d_matrix) + d_offset

    def vjp(self, covectors: np.ndarray) -> np.ndarray:
        found = np.zeros((covectors.shape[1], len(self.theta)))
        back = covectors
        if self.model.place is not None:
            back = covectors @ self.matrix
            to_matrix, to_offset = self.model.place.split(found)
            to_matrix += np.einsum("ikc,id->kcd", covectors, self.last)
            to_offset += covectors.sum(axis=0)
        for index in range(len(found)):
            pulled = self.inner.vjp(np.ascontiguousarray(back[:, index]))
            found[index, : self.cut] = pulled.reshape(-1)
        return found

    def factors(self, covectors: np.ndarray) -> list[Factors]:
        """Explicit rows layer by layer, as every layer acts on each datum apart."""
        found: list[Factors] = []
        back = covectors
        if self.model.place is not None:
            found.append(AffineFactors(self.model.place, [self.last], [covectors]))
            back = covectors @ self.matrix
        n, d = self.last.shape
        for index, step in reversed(list(enumerate(self.inner.layers))):
            part = self.model.layers[index]
            rows = back @ step.jacobian().reshape(n, d, -1)
            found.append(ExplicitFactors(index, part.start, rows))
            back = back @ self.matrices[index + 1]
        return found[::-1] if self.model.place is None else [*found[:0:-1], found[0]]


class _FunctionModel(Model):
    """A function of (θ, x) in ``autograd.numpy``."""

    def __init__(self, function: Callable[[Any, Any], Any], size: int) -> None:
        self.function = function
        self.layers = (LayerPart("theta", 0, size),)
        self.dim = self.n_outputs = None

    def linearise(self, theta: np.ndarray, points: np.ndarray) -> LinearisedModel:
        return _LinearisedFunction(self.function, theta, points)


class _LinearisedFunction(LinearisedModel):
    """A function at one θ, by autograd: reverse mode, and reverse mode of it for products Jv."""

    def __init__(
        self, function: Callable[[Any, Any], Any], theta: np.ndarray, points: np.ndarray
    ) -> None:
        self.function, self.theta, self.points = function, theta, points
        try:
            self._pull, output = autograd.make_vjp(function, 0)(theta, points)
            output = np.asarray(output, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"network: autograd cannot run the function of (theta, x) ({error}); write it in "
                "autograd.numpy, from θ (p,) and points (n, d) to numbers (n, C)"
            ) from error
        if output.ndim != 2 or len(output) != len(points):
            raise InputError(
                f"network: for {len(points)} points the function must return shape "
                f"({len(points)}, C), got {output.shape}"
            )
        if not np.isfinite(output).all():
            raise InputError("network: the function's output is not finite")
        alone = np.asarray(function(theta, points[:1]), dtype=np.float64)
        if np.abs(alone - output[:1]).max() > 1e-8 * np.abs(output).max():
            raise InputError(
                "network: the function's output for a point depends on the other points (a mean "
                "over the batch?); Fisher information is a sum over data, so it must not"
            )
        self.output = output

    def jvp(self, directions: np.ndarray) -> np.ndarray:
        def pulled(covector):  # linear in the covector: its pullback is the product Jv
            return autograd.make_vjp(self.function, 0)(self.theta, self.points)[0](covector)

        push, _ = autograd.make_vjp(pulled)(np.zeros_like(self.output))
        return np.stack([push(v) for v in directions], axis=1)

    def vjp(self, covectors: np.ndarray) -> np.ndarray:
        return np.stack([self._pull(covectors[:, k]) for k in range(covectors.shape[1])])

    def factors(self, covectors: np.ndarray) -> list[Factors]:
        """Explicit rows: one pass a datum and covector."""
        rows = np.empty((*covectors.shape[:2], len(self.theta)))
        for index in range(len(self.points)):
            point = self.points[index : index + 1]
            pull, _ = autograd.make_vjp(self.function, 0)(self.theta, point)
            for a in range(covectors.shape[1]):
                rows[index, a] = pull(covectors[index : index + 1, a])
        return [ExplicitFactors(0, 0, rows)]
