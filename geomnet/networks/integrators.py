r"""Integrators: how one layer of a network discretises dφ/dt = f(φ, θ).

All are explicit Runge–Kutta methods with θ held over the step,
:math:`k_s = f(x + h\sum_j a_{sj}k_j, θ)`, :math:`x' = x + h\sum_s b_sk_s`, so one forward step and
its two derivatives, written once for any tableau, serve them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..utils.arrays import Array
from .fields.field import Field, LinearisedField

__all__ = ["RK4", "Euler", "Integrator", "LinearisedStep", "Midpoint"]


@dataclass(frozen=True)
class Integrator:
    """Base of explicit Runge–Kutta methods; a subclass gives its tableau."""

    a: ClassVar[tuple[tuple[float, ...], ...]]
    """Strictly lower rows of the tableau."""
    b: ClassVar[tuple[float, ...]]
    """Weights of the stages."""
    order: ClassVar[int]
    """Order of convergence."""

    def _stages(self, field: Field, x: Any, theta: Any, h: float) -> tuple[list[Any], list[Any]]:
        inputs: list[Any] = []
        rates: list[Any] = []
        for row in self.a:
            shift = sum((w * k for w, k in zip(row, rates) if w), start=0.0)
            inputs.append(x + h * shift)
            rates.append(field(inputs[-1], theta))
        return inputs, rates

    def step(self, field: Field, x: Any, theta: Any, h: float) -> Any:
        """State after one layer, (n, d)."""
        _, rates = self._stages(field, x, theta, h)
        return x + h * sum(w * k for w, k in zip(self.b, rates))

    def step_jvp(
        self,
        field: Field,
        x: Array,
        theta: Array,
        h: float,
        dx: Array,
        dtheta: Array,
    ) -> tuple[Array, Array]:
        """State after one layer, and its change along (dx, dθ)."""
        inputs, rates = self._stages(field, x, theta, h)
        changes: list[Array] = []
        for row, stage in zip(self.a, inputs):
            moved = dx + h * sum((w * k for w, k in zip(row, changes) if w), start=0.0)
            changes.append(field.jvp(stage, theta, moved, dtheta))
        return (
            x + h * sum(w * k for w, k in zip(self.b, rates)),
            dx + h * sum(w * k for w, k in zip(self.b, changes)),
        )

    def step_vjp(
        self, field: Field, x: Array, theta: Array, h: float, cotangent: Array
    ) -> tuple[Array, Array]:
        """Pull a covector back through one layer: (to x, to θ)."""
        inputs, _ = self._stages(field, x, theta, h) if len(self.a) > 1 else ([x], [])
        to_x, to_theta = cotangent.copy(), np.zeros(field.n_parameters)
        stage_pulls: list[Array | None] = [None] * len(self.a)
        for s in reversed(range(len(self.a))):
            pull = h * self.b[s] * cotangent
            for r in range(s + 1, len(self.a)):
                if self.a[r][s]:
                    pull = pull + h * self.a[r][s] * stage_pulls[r]  # type: ignore[operator]
            back, change = field.vjp(inputs[s], theta, pull)
            stage_pulls[s] = back
            to_x += back
            to_theta += change
        return to_x, to_theta

    def linearise(
        self, field: Field, x: Array, theta: Array, h: float, workspace: Any = None
    ) -> LinearisedStep:
        """State after one layer, with its derivative in (x, θ)."""
        return LinearisedStep(self, field, x, theta, h, workspace)


class LinearisedStep:
    r"""One layer at (x, θ): its end :math:`x + h\sum_s b_sk_s`, and the derivative.

    The stages' activations are kept, so that products with the derivative compute nothing twice.
    """

    def __init__(
        self,
        integrator: Integrator,
        field: Field,
        x: Array,
        theta: Array,
        h: float,
        workspace: Any = None,
    ) -> None:
        self.integrator, self.h = integrator, h
        self.stages: list[LinearisedField] = []
        for row in integrator.a:
            rates = [stage.value for stage in self.stages]
            start = self._combine(x, row, rates)
            self.stages.append(field.linearise(start, theta, workspace))
        self.end = self._combine(x, integrator.b, [stage.value for stage in self.stages])
        """State after the layer, (n, d)."""

    def _combine(self, x: Any, weights: tuple[float, ...], rates: list[Any]) -> Any:
        """Return x + h Σ w k; x may be None, for zero."""
        for w, k in zip(weights, rates):
            if w:
                x = self.h * w * k if x is None else x + self.h * w * k
        return x

    def jvp(self, dx: Array | None, dtheta: Array | None) -> Array:
        """Change of the end along (dx, dθ), (n, d); None stands for zero."""
        changes: list[Array] = []
        for row, stage in zip(self.integrator.a, self.stages):
            changes.append(stage.jvp(self._combine(dx, row, changes), dtheta))
        moved: Array = self._combine(dx, self.integrator.b, changes)
        return moved

    def vjp(self, cotangent: Array) -> tuple[Array, Array]:
        """Pull a covector on the end back: (to x, (n, d); to θ, (p,))."""
        a, b = self.integrator.a, self.integrator.b
        last = len(a) - 1
        pulls: dict[int, Array] = {}
        to_x, to_theta = cotangent, None
        for s in range(last, -1, -1):
            column = tuple(a[r][s] for r in range(last, s, -1))
            own = self.h * b[s] * cotangent if b[s] else None
            pull = self._combine(own, column, [pulls[r] for r in range(last, s, -1)])
            if pull is None:
                continue  # pragma: no cover - a stage that nothing uses
            pulls[s], change = self.stages[s].vjp(pull)
            to_x = to_x + pulls[s]
            to_theta = change if to_theta is None else to_theta + change
        return to_x, to_theta  # type: ignore[return-value]

    def transition(self) -> Array:
        """∂(end)/∂x: a matrix at every point, as points do not interact in a layer, (n, d, d)."""
        n, d = self.end.shape
        units = np.eye(d)
        columns = [self.jvp(np.tile(unit, (n, 1)), None) for unit in units]
        return np.stack(columns, axis=-1)

    def jacobian(self) -> Array:
        """∂(end)/∂θ as a matrix, (n·d, p)."""
        n, d = self.end.shape
        jacobians: list[Array] = []
        for row, stage in zip(self.integrator.a, self.stages):
            own = stage.jacobian()
            moved = self._combine(None, row, jacobians)
            if moved is not None:
                slope = np.stack(
                    [stage.jvp(np.tile(unit, (n, 1)), None) for unit in np.eye(d)], axis=-1
                )
                own = own + (slope @ moved.reshape(n, d, -1)).reshape(n * d, -1)
            jacobians.append(own)
        found: Array = self._combine(None, self.integrator.b, jacobians)
        return found

    def gram(self) -> Array:
        """(∂(end)/∂θ)(∂(end)/∂θ)ᵀ, (n·d, n·d)."""
        if len(self.stages) == 1:
            return (self.h * self.integrator.b[0]) ** 2 * self.stages[0].gram()
        jacobian = self.jacobian()
        return jacobian @ jacobian.T


@dataclass(frozen=True)
class Euler(Integrator):
    """Forward Euler, order 1: a residual network."""

    a: ClassVar = ((),)
    b: ClassVar = (1.0,)
    order: ClassVar[int] = 1


@dataclass(frozen=True)
class Midpoint(Integrator):
    """Explicit midpoint rule, order 2."""

    a: ClassVar = ((), (0.5,))
    b: ClassVar = (0.0, 1.0)
    order: ClassVar[int] = 2


@dataclass(frozen=True)
class RK4(Integrator):
    """The classical Runge–Kutta method, order 4."""

    a: ClassVar = ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0))
    b: ClassVar = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
    order: ClassVar[int] = 4
