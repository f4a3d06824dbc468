r"""A network: a field, a depth and an integrator. Its parameters stay apart.

:math:`φ_0 = I`, :math:`\dotφ = f(φ, θ_t)`, in L layers of step h = 1/L. With Euler's method this
is a residual network; its states, layer by layer, are a curve of maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ..errors import InputError
from ..geometry.curve import Curve
from ..geometry.sample import Sample
from ..utils.validation import check_array, check_integer, check_positive
from .fields.field import Field, check_field
from .integrators import Euler, Integrator, LinearisedStep

__all__ = ["LinearisedNetwork", "Network"]

EULER = Euler()


@dataclass(frozen=True)
class Network:
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

    @property
    def n_parameters(self) -> int:
        """Number of parameters, L·p."""
        return self.depth * self.field.n_parameters

    def init(self, seed: int | np.random.Generator = 0) -> np.ndarray:
        """Draw initial parameters, (L, p)."""
        rng = np.random.default_rng(seed)
        return np.stack([self.field.init(rng) for _ in range(self.depth)])

    def _check(self, theta: Any, points: Any) -> tuple[np.ndarray, np.ndarray]:
        points = points.points if isinstance(points, Sample) else points
        return (
            check_array("theta", theta, shape=self.parameters_shape),
            check_array("points", points, shape=(None, self.dim)),
        )

    def states(self, theta: Any, points: Any) -> np.ndarray:
        """States after every layer, the input first, (L+1, n, d)."""
        theta, x = self._check(theta, points)
        states = [x]
        for layer in theta:
            states.append(self.integrator.step(self.field, states[-1], layer, 1 / self.depth))
        return np.stack(states)

    def __call__(self, theta: Any, points: Any) -> np.ndarray:
        """Last state φ_L of points or a sample, (n, d)."""
        return self.states(theta, points)[-1]

    def curve(self, theta: Any, sample: Any) -> Curve:
        """Curve of maps the network runs through on a sample."""
        return Curve(self.states(theta, sample))

    def jvp(
        self, theta: Any, points: Any, dtheta: Any, dpoints: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
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

    def vjp(self, theta: Any, states: Any, cotangents: Any) -> tuple[np.ndarray, np.ndarray]:
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

    def linearise(self, theta: Any, points: Any) -> LinearisedNetwork:
        """States, with their derivative in θ: for many products at one θ."""
        return LinearisedNetwork(self, *self._check(theta, points))

    def step_lipschitz(self, theta: Any) -> np.ndarray | None:
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

    def limit_step_lipschitz(self, theta: Any, bound: float) -> np.ndarray:
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
        return theta

    def is_invertible(self, theta: Any) -> bool | None:
        """True where every layer's bound is below 1; None where that proves nothing."""
        bounds = self.step_lipschitz(theta)
        return True if bounds is not None and bool((bounds < 1).all()) else None


class LinearisedNetwork:
    """The states of a network at one θ, and their derivative in θ, by hand-derived layers.

    Every layer's hidden activations are kept, so that products with the derivative compute
    nothing twice.
    """

    def __init__(self, network: Network, theta: np.ndarray, points: np.ndarray) -> None:
        self.network, self.theta = network, theta
        self.layers: list[LinearisedStep] = []
        self.states = np.empty((network.depth + 1, *points.shape))
        """States after every layer, the input first, (L+1, n, d)."""
        self.states[0] = points
        stages = network.depth * len(network.integrator.a)
        workspace = network.field.workspace(len(points), stages)
        for index, layer in enumerate(theta):
            step = network.integrator.linearise(
                network.field, self.states[index], layer, 1 / network.depth, workspace
            )
            self.layers.append(step)
            self.states[index + 1] = step.end

    def jvp(self, dtheta: np.ndarray) -> np.ndarray:
        """Change of every state along dθ (L, p): (L+1, n, d), zero at the input."""
        changes = np.zeros_like(self.states)
        for index, (step, dlayer) in enumerate(zip(self.layers, dtheta)):
            changes[index + 1] = step.jvp(changes[index] if index else None, dlayer)
        return changes

    def vjp(self, cotangents: np.ndarray) -> np.ndarray:
        """Pull covectors on the last state (n, d), or on every state (L+1, n, d), back to θ."""
        every = cotangents.ndim == 3
        back = cotangents[-1] if every else cotangents
        to_theta = np.empty_like(self.theta)
        for index in range(len(self.layers) - 1, -1, -1):
            back, to_theta[index] = self.layers[index].vjp(back)
            if every and index:
                back += cotangents[index]
        return to_theta
