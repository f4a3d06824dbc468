r"""Feed-forward networks of varying widths, with skips: as they are trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.sample import Sample
from ..utils.arrays import Array
from ..utils.validation import check_array, check_integer
from .architecture import Architecture, split_rows
from .layers.activations import activation_named
from .layers.factors import AffineMap
from .model import Head, Layer, LayerKind, Model, StateChain
from .nodes import Stream
from .program import Affine, AffineProgram, Combine, LinearisedProgram
from .program_model import ProgramModel

__all__ = ["FeedForward"]


@dataclass(frozen=True)
class FeedForward(Architecture):
    r"""A network of affine maps and activations. Its parameters stay apart.

    State 0 is the input x, and state l+1 is :math:`σ_l(W_lx_l + b_l)`, or with a skip
    :math:`x_{k} + s\,σ_l(W_lx_l + b_l)`, k ≤ l. The last state holds the parameters of a
    likelihood (logits, means), so that the last activation is as a rule the identity.

    θ is one flat vector: layer by layer W in C order, (out, in), then b.

    Parameters
    ----------
    widths : sequence of int
        Widths of all states, the input first: one more than there are layers.
    activations : str or sequence of str
        "tanh", "relu", "gelu", "gelu_tanh", "logistic", "silu" or "identity", one for each layer;
        a single one is that of the hidden layers, and the last layer is linear.
    biases : bool or sequence of bool
        Whether each layer has a bias.
    skips : mapping or sequence, optional
        ``{l: s}`` makes layer l the residual x_l + s·σ(W_lx_l + b_l); ``{l: (k, s)}`` adds state k
        instead of x_l. Held as a tuple of (l, k, s).
    classes : tuple, optional
        What the labels were called that the outputs tell apart, in their order, where the network
        was read from a classifier: labels of data are held against them.

    Examples
    --------
    >>> import geomnet as gn
    >>> network = gn.FeedForward((64, 32, 32, 10), "tanh", skips={1: 0.25})
    >>> theta = network.init(seed=0)
    >>> theta.shape
    (3466,)
    >>> network(theta, gn.datasets.load("digits", n=5, seed=0)).shape
    (5, 10)
    """

    widths: tuple[int, ...]
    activations: Any = "tanh"
    biases: Any = True
    skips: Any = ()
    classes: tuple[Any, ...] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.widths, (Sequence, np.ndarray)) or isinstance(self.widths, str):
            raise InputError(f"widths: expected a list of integers, got {self.widths!r}")
        widths = tuple(check_integer("widths", w, least=1) for w in self.widths)
        if len(widths) < 2:
            raise InputError(f"widths: expected an input and an output at least, got {widths}")
        depth = len(widths) - 1
        activations = self.activations
        if isinstance(activations, str):
            activations = (*[activations] * (depth - 1), "identity")
        biases = (self.biases,) * depth if isinstance(self.biases, bool) else self.biases
        for name, values in (("activations", activations), ("biases", biases)):
            if not isinstance(values, Sequence) or len(values) != depth:
                raise InputError(f"{name}: expected one for each of {depth} layers, got {values}")
        for name in activations:
            activation_named(name)
        set_ = object.__setattr__
        set_(self, "widths", widths)
        set_(self, "activations", tuple(activations))
        set_(self, "biases", tuple(bool(b) for b in biases))
        set_(self, "skips", _skips(self.skips, widths))

    @classmethod
    def from_arrays(
        cls,
        weights: Sequence[Any],
        biases: Sequence[Any] | None = None,
        activation: str | Sequence[str] = "tanh",
        skips: Mapping[int, Any] | None = None,
    ) -> tuple[FeedForward, Array]:
        r"""Network and parameters from arrays.

        Parameters
        ----------
        weights : sequence of array_like, shape (out, in)
        biases : sequence of array_like, shape (out,), or None, optional
            None, whole or for single layers: without.
        activation : str or sequence of str
            One for the hidden layers (the last is linear), or one for each layer.
        skips : mapping, optional
            As ``FeedForward`` takes them.

        Returns
        -------
        network : FeedForward
        theta : ndarray, shape (p,)

        Raises
        ------
        InputError
            Where shapes do not follow from each other, or numbers are not finite.

        Examples
        --------
        >>> import geomnet as gn
        >>> network, theta = gn.FeedForward.from_arrays([[[1.0, -1.0]]], [[0.5]])
        >>> network(theta, [[3.0, 1.0]])
        array([[2.5]])
        """
        if not isinstance(weights, (Sequence, np.ndarray)) or len(weights) == 0:
            raise InputError(f"weights: expected a list of at least one matrix, got {weights!r}")
        matrices = [check_array(f"weights[{i}]", w, ndim=2) for i, w in enumerate(weights)]
        offsets = [None] * len(matrices) if biases is None else list(biases)
        if len(offsets) != len(matrices):
            raise InputError(
                f"biases: expected one for each of {len(matrices)} weights (None for a layer "
                f"without), got {len(offsets)}"
            )
        _check_chain(matrices)
        parts: list[Array] = []
        for index, (matrix, offset) in enumerate(zip(matrices, offsets)):
            parts.append(matrix.reshape(-1))
            if offset is not None:
                parts.append(_bias(index, matrix, offset))
        widths = (matrices[0].shape[1], *(len(m) for m in matrices))
        has_bias = tuple(offset is not None for offset in offsets)
        network = cls(widths, activation, has_bias, skips or ())
        return network, np.concatenate(parts)

    @classmethod
    def from_sklearn(cls, model: Any) -> tuple[FeedForward, Array]:
        """Network and parameters of a fitted ``MLPClassifier`` or ``MLPRegressor``.

        Outputs are logits (the classifier's softmax or logistic function is the likelihood's) or
        means; labels of data are held against ``model.classes_``. A classifier of two classes has
        one logit, for ``gn.Bernoulli()``; of more,
        ``gn.Categorical(len(model.classes_))``; one of k labels at once (multilabel) goes with
        ``gn.Bernoulli(k)``, and a regressor with ``gn.Gaussian(sigma, dim)``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.neural_network import MLPClassifier
        >>> import geomnet as gn
        >>> points, labels = load_iris(return_X_y=True)
        >>> model = MLPClassifier((8,), solver="lbfgs", max_iter=2000, random_state=0)
        >>> model = model.fit(points, labels)
        >>> network, theta = gn.FeedForward.from_sklearn(model)
        >>> fisher = gn.FisherInformation(network, theta, points, gn.Categorical(3))
        >>> fisher.eigvalsh(k=3).shape
        (3,)
        """
        from .readers.sklearn import classes_of, read_sklearn

        network, theta = cls.from_arrays(*read_sklearn(model))
        return replace(network, classes=classes_of(model)), theta

    @classmethod
    def from_torch(cls, module: Any, example: Any = None) -> tuple[FeedForward, Array]:
        """Network and parameters of a PyTorch module of Linear layers, activations and skips.

        ``torch.nn.Sequential``, and modules whose forward adds residuals or calls activations as
        functions: what a module computes is read through hooks, and held against the module's own
        output. It is not changed. Needs the extra ``torch``. What is read are the module's own
        outputs: of a classifier leave the softmax (or the sigmoid) out, it is the likelihood's.

        θ holds the layers in the order in which the module runs them, which need not be that of
        ``module.parameters()``.

        Parameters
        ----------
        module : torch.nn.Module
        example : array_like, optional
            A batch of inputs, where the module reshapes them first.

        Raises
        ------
        InputError
            Where a layer cannot be read; it is named.
        """
        from .readers.torch import read_torch

        return cls.from_arrays(*read_torch(module, example))

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.widths) - 1

    @property
    def dim(self) -> int:
        """Number of inputs."""
        return self.widths[0]

    @property
    def n_outputs(self) -> int:
        """Number of outputs, C."""
        return self.widths[-1]

    @property
    def parameters_shape(self) -> tuple[int]:
        """Shape (p,) of θ."""
        return (self.maps[-1].stop,)

    @cached_property
    def maps(self) -> tuple[AffineMap, ...]:
        """Where the affine map of every layer lies in θ."""
        found: list[AffineMap] = []
        for layer, (inputs, outputs, bias) in enumerate(
            zip(self.widths, self.widths[1:], self.biases)
        ):
            start = found[-1].stop if found else 0
            name = f"layer {layer} ({inputs} → {outputs}, {self.activations[layer]})"
            found.append(AffineMap(name, layer, outputs, inputs, start, bias))
        return tuple(found)

    @cached_property
    def program(self) -> AffineProgram:
        """The network as a program of affine maps."""
        return AffineProgram(tuple(self._steps[0]))

    @cached_property
    def _steps(self) -> tuple[list[Affine | Combine], list[int]]:
        """Steps of the program, and which of its values are the states."""
        added = {layer: (source, scale) for layer, source, scale in self.skips}
        steps: list[Affine | Combine] = []
        states = [0]
        for layer, place in enumerate(self.maps):
            steps.append(Affine(place, states[-1], activation_named(self.activations[layer])))
            if layer in added:
                source, scale = added[layer]
                steps.append(Combine((states[source], len(steps)), (1.0, scale)))
            states.append(len(steps))
        return steps, states

    def as_model(self) -> Model:
        """The network as a model; its last layer is the head."""
        found = ProgramModel(
            self.program,
            tuple(Layer(f"layer {m.layer}", m.start, m.stop, LayerKind.AFFINE) for m in self.maps),
            self.dim,
            self.n_outputs,
            self.parameters_shape,
            Head(self.maps[-1], activation_named(self.activations[-1])),
            self._chain,
        )
        found.classes = self.classes
        return found

    def _chain(self, theta: Array, points: Array) -> StateChain:
        """States before the last layer that are as wide as the last of them, without a break.

        The input only where a skip carries it on.
        """
        last = self.depth - 1
        if any(layer == last for layer, _, _ in self.skips):
            raise InputError(
                "network: its last layer has a skip, so it does not read out the last state alone"
            )
        carried = any(source == 0 for _, source, _ in self.skips)
        first = last
        while first > (0 if carried else 1) and self.widths[first - 1] == self.widths[last]:
            first -= 1
        states = self.states(theta, points)
        return StateChain(range(first, last + 1), np.stack(states[first : last + 1]))

    def widening(self) -> str:
        """Any layer can get one more unit."""
        return ""

    def split_unit(
        self, theta: Array, stream: Stream, unit: int, share: float
    ) -> tuple[FeedForward, Array]:
        """A unit of a layer split."""
        matrices, biases = zip(
            *(split_rows(theta, place, stream, unit, share) for place in self.maps)
        )
        skips = {layer: (source, scale) for layer, source, scale in self.skips}
        wide, vector = FeedForward.from_arrays(matrices, biases, self.activations, skips)
        return replace(wide, classes=self.classes), vector

    def init(self, seed: int | np.random.Generator = 0) -> Array:
        """Draw parameters, (p,): W ~ N(0, g²/in), g² = 2 for ReLU and 1 else, biases zero."""
        rng = np.random.default_rng(seed)
        theta = np.zeros(self.n_parameters)
        for place, activation in zip(self.maps, self.activations):
            gain = np.sqrt(2.0) if activation == "relu" else 1.0
            size = (place.outputs, place.inputs)
            place.read(theta)[0][:] = gain * rng.normal(size=size) / np.sqrt(place.inputs)
        return theta

    def unpack(self, theta: ArrayLike) -> tuple[list[Array], list[Array | None]]:
        """Weights (out, in) and biases (out,) or None, as ``from_arrays`` takes them."""
        theta = check_array("theta", theta, shape=self.parameters_shape)
        pairs = [place.read(theta) for place in self.maps]
        return [w for w, _ in pairs], [b for _, b in pairs]

    def linearise(self, theta: ArrayLike, points: ArrayLike) -> LinearisedProgram:
        """All values of the network on points, with the derivative of the output in θ."""
        points = points.points if isinstance(points, Sample) else points
        theta = check_array("theta", theta, shape=self.parameters_shape)
        return self.program.run(theta, check_array("points", points, shape=(None, self.dim)))

    def states(self, theta: ArrayLike, points: ArrayLike) -> list[Array]:
        """States after every layer, the input first, each (n, width)."""
        values = self.linearise(theta, points).values
        return [values[0].copy(), *(values[index] for index in self._steps[1][1:])]

    def __call__(self, theta: ArrayLike, points: ArrayLike) -> Array:
        """Outputs on points or a sample, (n, C)."""
        return self.linearise(theta, points).output

    def __repr__(self) -> str:
        widths = "-".join(map(str, self.widths))
        last = self.activations[-1:] if self.activations[-1] != "identity" else ()
        hidden = dict.fromkeys((*self.activations[:-1], *last) or self.activations)
        skips = f", skips={len(self.skips)}" if self.skips else ""
        return f"FeedForward({widths}, {'/'.join(hidden)}{skips})"


def _check_chain(matrices: Sequence[Array]) -> None:
    """Raise where a matrix does not take what the one before gives."""
    for index, (before, matrix) in enumerate(pairwise(matrices), start=1):
        if matrix.shape[1] != len(before):
            raise InputError(
                f"weights[{index}]: takes {matrix.shape[1]} inputs, but weights[{index - 1}] "
                f"gives {len(before)}; shapes are (out, in)"
            )


def _bias(index: int, matrix: Array, offset: Any) -> Array:
    """A bias of as many numbers as the matrix has rows."""
    if np.shape(offset) == matrix.shape[1:] != matrix.shape[:1]:
        raise InputError(
            f"weights[{index}]: has shape {matrix.shape} beside a bias of "
            f"{len(offset)}; shapes are (out, in), so transpose matrices of (in, out), "
            "as scikit-learn and Keras store them"
        )
    return check_array(f"biases[{index}]", offset, shape=(len(matrix),))


def _skips(skips: Any, widths: tuple[int, ...]) -> tuple[tuple[int, int, float], ...]:
    """Skips as (layer, source, scale), in order, or what is wrong with them."""
    if not isinstance(skips, (Mapping, Sequence)):
        raise InputError(f"skips: expected a dict {{layer: scale}}, got {skips!r}")
    if isinstance(skips, Mapping):
        skips = [(k, *(s if isinstance(s, tuple) else (k, s))) for k, s in skips.items()]
    found = [_skip(skip, widths) for skip in skips]
    layers = [layer for layer, _, _ in found]
    if len(set(layers)) < len(layers):
        raise InputError(f"skips: a layer adds one state only, got {found}")
    return tuple(sorted(found))


def _skip(skip: Any, widths: tuple[int, ...]) -> tuple[int, int, float]:
    """One skip as (layer, source, scale), or what is wrong with it."""
    if not isinstance(skip, Sequence) or len(skip) != 3:
        raise InputError(f"skips: expected {{layer: scale}} or (source, scale), got {skip!r}")
    layer, source, scale = skip
    layer = check_integer("skips", layer, least=0)
    source = check_integer("skips", source, least=0)
    if layer > len(widths) - 2 or source > layer:
        raise InputError(
            f"skips: layer {layer} cannot add state {source}; layers are 0 to "
            f"{len(widths) - 2}, and a layer adds a state before it"
        )
    if widths[layer + 1] != widths[source]:
        raise InputError(
            f"skips: layer {layer} gives {widths[layer + 1]} units, but state {source} has "
            f"{widths[source]}; a residual needs as many"
        )
    return layer, source, float(check_array("skips", scale, shape=()))
