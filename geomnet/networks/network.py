r"""A network: a field, a depth and an integrator. Its parameters stay apart.

:math:`φ_0 = I`, :math:`\dotφ = f(φ, θ_t)`, in L layers of step h = 1/L. With Euler's method this
is a residual network; its states, layer by layer, are a curve of maps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ..errors import InputError
from ..geometry.curve import Curve
from ..geometry.sample import Sample
from ..utils.arrays import Array
from ..utils.validation import check_array, check_integer, check_positive
from .architecture import Architecture
from .field_model import FieldModel
from .fields.field import Field, check_field
from .integrators import Euler, Integrator
from .layers.affine import AffineLayer
from .layers.factors import AffineMap, FixedMap
from .linearised_network import LinearisedNetwork
from .model import Layer, LayerKind, Model, StateChain
from .nodes import Stream
from .program import Affine, AffineProgram, Combine
from .program_model import ProgramModel

__all__ = ["Network"]

EULER = Euler()


@dataclass(frozen=True)
class Network(Architecture):
    r"""A discretised ordinary differential equation as an architecture.

    Parameters
    ----------
    field : Field
    depth : int
        Number of layers L.
    integrator : Integrator, optional
        ``Euler()`` (a residual network) by default; ``Midpoint()``, ``RK4()``.

    Examples
    --------
    >>> import geomnet as gn
    >>> network = gn.Network(gn.TanhField(dim=2, width=16), depth=8)
    >>> theta = network.init(seed=0)
    >>> theta.shape
    (8, 82)
    >>> network.curve(theta, gn.Sample([[0.0, 1.0], [1.0, 0.0]]))
    Curve(n_steps=8, n=2, dim=2)
    """

    field: Field
    depth: int
    integrator: Integrator = EULER

    def __post_init__(self) -> None:
        check_field(self.field)
        check_integer("depth", self.depth, least=1)
        if not isinstance(self.integrator, Integrator):
            raise InputError(
                "integrator: expected gn.networks.Euler(), gn.networks.Midpoint() or "
                f"gn.networks.RK4(), got {self.integrator!r}"
            )

    @property
    def dim(self) -> int:
        """Dimension d of the state."""
        return self.field.dim

    @property
    def parameters_shape(self) -> tuple[int, int]:
        """Shape (L, p) of θ."""
        return self.depth, self.field.n_parameters

    def init(self, seed: int | np.random.Generator = 0) -> Array:
        """Draw initial parameters, (L, p)."""
        rng = np.random.default_rng(seed)
        return np.stack([self.field.init(rng) for _ in range(self.depth)])

    def _check(self, theta: ArrayLike, points: Sample | ArrayLike) -> tuple[Array, Array]:
        points = points.points if isinstance(points, Sample) else points
        return (
            check_array("theta", theta, shape=self.parameters_shape),
            check_array("points", points, shape=(None, self.dim)),
        )

    def states(self, theta: ArrayLike, points: Sample | ArrayLike) -> Array:
        """States after every layer, the input first, (L+1, n, d)."""
        theta, x = self._check(theta, points)
        states = [x]
        for layer in theta:
            states.append(self.integrator.step(self.field, states[-1], layer, 1 / self.depth))
        return np.stack(states)

    def __call__(self, theta: ArrayLike, points: Sample | ArrayLike) -> Array:
        """Last state φ_L of points or a sample, (n, d)."""
        last: Array = self.states(theta, points)[-1]
        return last

    def curve(self, theta: ArrayLike, sample: Sample | ArrayLike) -> Curve:
        """Curve of maps the network runs through on a sample."""
        return Curve(self.states(theta, sample))

    def jvp(
        self,
        theta: ArrayLike,
        points: ArrayLike,
        dtheta: ArrayLike,
        dpoints: ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """States and their change along (dθ, dx), each (L+1, n, d)."""
        theta, x = self._check(theta, points)
        dtheta = check_array("dtheta", dtheta, shape=self.parameters_shape)
        dx = np.zeros_like(x) if dpoints is None else check_array("dpoints", dpoints, shape=x.shape)
        states, changes = [x], [dx]
        for layer, dlayer in zip(theta, dtheta):
            x, dx = self.integrator.step_jvp(self.field, x, layer, 1 / self.depth, dx, dlayer)
            states.append(x)
            changes.append(dx)
        return np.stack(states), np.stack(changes)

    def vjp(self, theta: ArrayLike, states: Array, cotangents: ArrayLike) -> tuple[Array, Array]:
        """Pull covectors on the states back to parameters and input.

        Parameters
        ----------
        theta : array_like, shape (L, p)
        states : ndarray, shape (L+1, n, d)
            What :meth:`states` returned.
        cotangents : array_like, shape (n, d) or (L+1, n, d)
            On the last state, or on every state.

        Returns
        -------
        to_theta : ndarray, shape (L, p)
        to_points : ndarray, shape (n, d)
        """
        theta = check_array("theta", theta, shape=self.parameters_shape)
        every = np.ndim(cotangents) == 3
        shape = states.shape if every else states.shape[1:]
        cotangents = check_array("cotangents", cotangents, shape=shape)
        back = cotangents[-1] if every else cotangents
        to_theta = np.empty(self.parameters_shape)
        for layer in reversed(range(self.depth)):
            back, to_theta[layer] = self.integrator.step_vjp(
                self.field, states[layer], theta[layer], 1 / self.depth, back
            )
            if every:
                back = back + cotangents[layer]
        return to_theta, back

    def linearise(self, theta: ArrayLike, points: ArrayLike) -> LinearisedNetwork:
        """States, with their derivative in θ: for many products at one θ."""
        return LinearisedNetwork(self.field, self.integrator, *self._check(theta, points))

    # -- as a model ---------------------------------------------------------------------------

    def as_model(self) -> Model:
        """The last state as a map of one flat θ: a program where the field has affine layers."""
        affine = self.field.affine_layers()
        if affine is None:
            return FieldModel(self.field, self.depth, self.integrator, self._chain)
        steps, layers = self._steps(affine)
        return ProgramModel(
            AffineProgram(tuple(steps)),
            tuple(layers),
            self.dim,
            self.dim,
            self.parameters_shape,
            None,
            self._chain,
        )

    def _chain(self, theta: Array, points: Array) -> StateChain:
        """All states, the input first."""
        states = self.states(theta.reshape(self.parameters_shape), points)
        return StateChain(range(len(states)), states)

    def _steps(self, affine: tuple[AffineLayer, ...]) -> tuple[list[Affine | Combine], list[Layer]]:
        """Steps of the program: every stage of every layer applies the field's affine layers."""
        steps: list[Affine | Combine] = []
        layers: list[Layer] = []
        h, size, state = 1 / self.depth, self.field.n_parameters, 0
        for layer in range(self.depth):
            start = layer * size
            layers.append(Layer(f"layer {layer}", start, start + size, LayerKind.FIELD))
            places = _places(affine, layer, start)
            rates: list[int] = []
            for row in self.integrator.a:
                source = _add(steps, state, row, rates, h)
                for part, applied in zip(affine, places):
                    steps.append(Affine(applied, source, part.activation))
                    source = len(steps)
                rates.append(source)
            state = _add(steps, state, self.integrator.b, rates, h)
        return steps, layers

    # -- wider --------------------------------------------------------------------------------

    def widening(self) -> str:
        """Why the network cannot get one more unit in a layer; empty where it can."""
        if self.field.widened() is None:
            return f"belongs to {type(self.field).__name__}, which cannot be made wider"
        return ""

    def split_unit(
        self, theta: Array, stream: Stream, unit: int, share: float
    ) -> tuple[Network, Array]:
        """A unit of one layer split; the others get one that nothing leads to or from."""
        field = self.field.widened()
        if field is None:
            return super().split_unit(theta, stream, unit, share)  # type: ignore[return-value]
        block = stream.into[0].layer
        new = np.zeros((self.depth, field.n_parameters))
        for layer, (row, into) in enumerate(zip(theta.reshape(self.parameters_shape), new)):
            into[:] = self.field.widen(row, (unit, share) if layer == block else None)
        return replace(self, field=field), new.reshape(-1)

    # -- Lipschitz bounds ---------------------------------------------------------------------

    def step_lipschitz(self, theta: ArrayLike) -> Array | None:
        r"""Bound of each layer's Lip(x ↦ x' − x), (L,); None where the field knows none.

        Where it is below 1 the layer is invertible, and the network a diffeomorphism (for a
        smooth field): Behrmann et al. 2019. For a Runge–Kutta method with stages bounded by
        :math:`ℓ = h\operatorname{Lip}f` it follows from the tableau.
        """
        theta = check_array("theta", theta, shape=self.parameters_shape)
        sizes = [self.field.lipschitz(layer) for layer in theta]
        if any(size is None for size in sizes):
            return None
        return np.array([self._step_bound(size / self.depth) for size in sizes])  # type: ignore[operator]

    def _step_bound(self, size: float) -> float:
        """Bound of Lip(x ↦ x' − x) where h·Lip f ≤ size."""
        stages: list[float] = []
        for row in self.integrator.a:
            stages.append(size * (1 + sum(abs(w) * k for w, k in zip(row, stages))))
        return sum(abs(w) * k for w, k in zip(self.integrator.b, stages))

    def limit_step_lipschitz(self, theta: ArrayLike, bound: float) -> Array:
        """Scale down the layers whose step passes a Lipschitz bound, so that none does.

        Parameters
        ----------
        theta : array_like, shape (L, p)
        bound : float
            Below 1, every layer is invertible.

        Returns
        -------
        ndarray, shape (L, p)

        Raises
        ------
        InputError
            Where the field knows no Lipschitz bound, or no way to scale it.
        """
        theta = check_array("theta", theta, shape=self.parameters_shape).copy()
        bound = check_positive("bound", bound)
        size = bound  # h·Lip f that a step may have: its bound is at least that, and grows with it
        if self._step_bound(size) > bound:
            size = brentq(lambda s: self._step_bound(s) - bound, 0.0, bound)
        for layer in range(self.depth):
            theta[layer] = self.field.limit_lipschitz(theta[layer], size * self.depth)
        return np.asarray(theta)

    def is_invertible(self, theta: ArrayLike) -> bool | None:
        """True where every layer's bound is below 1; None where that proves nothing."""
        bounds = self.step_lipschitz(theta)
        return True if bounds is not None and bool((bounds < 1).all()) else None


def _places(affine: tuple[AffineLayer, ...], layer: int, start: int) -> list[AffineMap | FixedMap]:
    """Where the affine layers of one layer of the network lie in θ."""
    places: list[AffineMap | FixedMap] = []
    for index, part in enumerate(affine):
        if part.fixed is not None:
            places.append(part.fixed)
            continue
        name = f"layer {layer}, affine map {index} ({part.inputs} → {part.outputs})"
        place = AffineMap(name, layer, part.outputs, part.inputs, start, part.bias)
        places.append(place)
        start = place.stop
    return places


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
