"""Fields of one hidden layer, tanh or ReLU, their derivatives by hand."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as anp
import numpy as np

from ...utils.arrays import Array
from ...utils.validation import check_integer
from ..layers.activations import activation_named
from ..layers.affine import AffineLayer
from .field import Field, LinearisedField

__all__ = ["ReLUField", "TanhField"]


@dataclass(frozen=True)
class _OneHiddenLayer(Field):
    r"""Base of :math:`f(x) = A\,σ(Wx + b) + c` with θ = (W, b, A, c)."""

    dim: int
    width: int
    gain: ClassVar[float] = 1.0
    activation_name: ClassVar[str]

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, least=1)
        check_integer("width", self.width, least=1)

    @staticmethod
    @abstractmethod
    def activation(u: Any) -> Any:
        """Return σ(u), in ``autograd.numpy``."""

    @staticmethod
    @abstractmethod
    def slope(u: Array, h: Array) -> Array:
        """σ'(u), given h = σ(u) too."""

    @staticmethod
    @abstractmethod
    def activate(u: Array) -> None:
        """Write σ(u) over u."""

    @staticmethod
    @abstractmethod
    def times_slope(v: Array, h: Array, spare: Array | None = None) -> Array:
        """σ'(u)·v from h = σ(u), written over v; `spare` is room for one array like v."""

    @property
    def n_parameters(self) -> int:
        """Length 2·dim·width + width + dim."""
        return 2 * self.dim * self.width + self.width + self.dim

    def unpack(self, theta: Any) -> tuple[Any, Any, Any, Any]:
        """W (width, dim), b (width,), A (dim, width), c (dim,)."""
        d, m = self.dim, self.width
        cuts = np.cumsum([m * d, m, d * m])
        return (
            theta[: cuts[0]].reshape(m, d),
            theta[cuts[0] : cuts[1]],
            theta[cuts[1] : cuts[2]].reshape(d, m),
            theta[cuts[2] :],
        )

    def __call__(self, x: Any, theta: Any) -> Any:
        """Velocities."""
        w, b, a, c = self.unpack(theta)
        return anp.dot(self.activation(anp.dot(x, w.T) + b), a.T) + c

    def jvp(self, x: Array, theta: Array, dx: Array, dtheta: Array) -> Array:
        """Change of the velocities, by hand."""
        w, b, a, _ = self.unpack(theta)
        dw, db, da, dc = self.unpack(dtheta)
        u = x @ w.T + b
        h = self.activation(u)
        dh = self.slope(u, h) * (dx @ w.T + x @ dw.T + db)
        change: Array = dh @ a.T + h @ da.T + dc
        return change

    def vjp(self, x: Array, theta: Array, cotangent: Array) -> tuple[Array, Array]:
        """Pull back, by hand."""
        w, b, a, _ = self.unpack(theta)
        u = x @ w.T + b
        h = self.activation(u)
        back = (cotangent @ a) * self.slope(u, h)
        to_theta = np.concatenate(
            [
                (back.T @ x).reshape(-1),
                back.sum(axis=0),
                (cotangent.T @ h).reshape(-1),
                cotangent.sum(axis=0),
            ]
        )
        return back @ w, to_theta

    def linearise(self, x: Array, theta: Array, workspace: Any = None) -> LinearisedField:
        """Velocities and derivative, the hidden activations kept."""
        return _LinearisedHiddenLayer(self, x, theta, workspace or self.workspace(len(x), 1))

    def affine_layers(self) -> tuple[AffineLayer, ...]:
        """σ(Wx + b), then Ah + c."""
        d, m = self.dim, self.width
        return (
            AffineLayer(d, m, activation_named(self.activation_name)),
            AffineLayer(m, d, activation_named("identity")),
        )

    def widened(self) -> Field | None:
        """The field with one more hidden unit; None of a subclass, which may compute otherwise."""
        return replace(self, width=self.width + 1) if type(self) in WIDENED else None

    def widen(self, theta: Array, split: tuple[int, float] | None) -> Array:
        """W, b, A and c with a row, an entry, a column more."""
        wide = replace(self, width=self.width + 1)
        new = np.zeros(wide.n_parameters)
        for part, into in zip(self.unpack(theta), wide.unpack(new)):
            into[tuple(map(slice, part.shape))] = part
        if split is not None:
            unit, share = split
            w, b, a, _ = wide.unpack(new)
            w[-1], b[-1] = w[unit], b[unit]
            a[:, -1] = (1 - share) * a[:, unit]
            a[:, unit] *= share
        return new

    def workspace(self, n: int, count: int) -> _Workspace:
        """Memory for the hidden activations."""
        return _Workspace(n, self.width, count)

    def init(self, rng: np.random.Generator) -> Array:
        """Draw W ~ N(0, gain²/dim), A ~ N(0, 0.01/width), biases zero.

        The small A starts the network near the identity, so that the path it learns is due to
        the data and not to the draw.
        """
        d, m = self.dim, self.width
        return np.concatenate(
            [
                self.gain * rng.normal(size=m * d) / np.sqrt(d),
                np.zeros(m),
                0.1 * rng.normal(size=d * m) / np.sqrt(m),
                np.zeros(d),
            ]
        )

    def init_on(self, points: Array, rng: np.random.Generator) -> Array:
        """Draw hidden units that bend at points of the sample, on its scale; A and c are zero.

        W ~ N(0, 4/(dim·s²)) with s² the mean variance of the points, b = −Wx at one of them for
        each unit: units that differ are what makes layers move the sample in every direction.
        """
        d, m = self.dim, self.width
        scale = float(points.std(axis=0).mean()) or 1.0  # a single point has no scale of its own
        w = 2 * rng.normal(size=(m, d)) / (np.sqrt(d) * scale)
        b = -np.sum(w * points[rng.integers(len(points), size=m)], axis=1)
        return np.concatenate([w.reshape(-1), b, np.zeros(d * m + d)])

    def lipschitz(self, theta: Array) -> float:
        """‖A‖‖W‖, as |σ'| ≤ 1."""
        w, _, a, _ = self.unpack(theta)
        return float(np.linalg.norm(a, 2) * np.linalg.norm(w, 2))

    def limit_lipschitz(self, theta: Array, bound: float) -> Array:
        """Scale A down."""
        size = self.lipschitz(theta)
        if size <= bound:
            return theta
        w, b, a, c = self.unpack(theta)
        return np.concatenate([w.reshape(-1), b, (a * (bound / size)).reshape(-1), c])


class _Workspace:
    """Hidden activations of many layers in one array, and two more to compute with.

    Fresh arrays of this size cost more in page faults than the arithmetic on them; one large
    array has large pages.
    """

    def __init__(self, n: int, width: int, count: int) -> None:
        self._memory = np.empty((count + 2, n, width))
        self._taken = 0
        self.scratch = self._memory[-2], self._memory[-1]

    def take(self) -> Array:
        """Return the next array to keep, (n, width)."""
        self._taken += 1
        room: Array = self._memory[self._taken - 1]
        return room


class _LinearisedHiddenLayer(LinearisedField):
    """A σ(Wx + b) + c at one (x, θ), with h = σ(Wx + b) kept."""

    field: _OneHiddenLayer

    def __init__(
        self, field: _OneHiddenLayer, x: Array, theta: Array, workspace: _Workspace
    ) -> None:
        self.field, self.x, self.theta = field, x, theta
        self.w, b, self.a, c = field.unpack(theta)
        self.h, self._scratch = workspace.take(), workspace.scratch
        np.matmul(x, self.w.T, out=self.h)
        self.h += b
        field.activate(self.h)
        self.value = self.h @ self.a.T
        self.value += c

    def jvp(self, dx: Array | None, dtheta: Array | None) -> Array:
        """A(σ'·(W dx + dW x + db)) + dA h + dc."""
        du, spare = self._scratch
        if dtheta is None:
            assert dx is not None
            np.matmul(dx, self.w.T, out=du)
            moved: Array = self.field.times_slope(du, self.h, spare) @ self.a.T
            return moved
        dw, db, da, dc = self.field.unpack(dtheta)
        np.matmul(self.x, dw.T, out=du)
        du += db
        if dx is not None:
            du += np.matmul(dx, self.w.T, out=spare)
        out: Array = self.field.times_slope(du, self.h, spare) @ self.a.T
        out += self.h @ da.T
        out += dc
        return out

    def vjp(self, cotangent: Array) -> tuple[Array, Array]:
        """Pull back through A, σ' and W."""
        back, spare = self._scratch
        np.matmul(cotangent, self.a, out=back)
        self.field.times_slope(back, self.h, spare)
        to_theta = np.empty(self.field.n_parameters)
        to_w, to_b, to_a, to_c = self.field.unpack(to_theta)
        to_w[:] = (self.x.T @ back).T  # a tall thin matrix is the faster one to transpose
        np.matmul(np.ones(len(back)), back, out=to_b)
        np.matmul(cotangent.T, self.h, out=to_a)
        np.sum(cotangent, axis=0, out=to_c)
        return back @ self.w, to_theta

    @cached_property
    def _signals(self) -> Array:
        """∂f_a/∂u_k at every point: A_ak σ'_k, (n, d, m)."""
        return self.field.times_slope(np.repeat(self.a[None], len(self.x), axis=0), self.h[:, None])

    def jacobian(self) -> Array:
        """∂f/∂θ: signals times inputs, layer by layer, (n·d, p)."""
        n, d = self.x.shape
        signals, eye = self._signals, np.eye(d)
        to_w = signals[..., None] * self.x[:, None, None, :]
        to_a = eye[None, :, :, None] * self.h[:, None, None, :]
        to_c = np.broadcast_to(eye, (n, d, d))
        blocks = (to_w, signals, to_a, to_c)
        return np.concatenate([block.reshape(n * d, -1) for block in blocks], axis=1)

    def gram(self) -> Array:
        """Products of inputs times products of signals, of both affine maps; no Jacobian formed."""
        n, d = self.x.shape
        signals = self._signals.reshape(n * d, -1)
        matrix = (signals @ signals.T).reshape(n, d, n, d)
        matrix *= (self.x @ self.x.T + 1)[:, None, :, None]
        upper = self.h @ self.h.T + 1
        for a in range(d):
            matrix[:, a, :, a] += upper
        return matrix.reshape(n * d, n * d)


@dataclass(frozen=True)
class TanhField(_OneHiddenLayer):
    r"""The field :math:`f(x) = A\tanh(Wx + b) + c`.

    Parameters
    ----------
    dim : int
        Dimension of the state.
    width : int
        Number of hidden units.

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.TanhField(dim=64, width=32).n_parameters
    4192
    """

    activation_name: ClassVar[str] = "tanh"

    @staticmethod
    def activation(u: Any) -> Any:
        """Return tanh."""
        return anp.tanh(u)

    @staticmethod
    def slope(u: Array, h: Array) -> Array:
        """1 − tanh²."""
        return 1.0 - h * h

    @staticmethod
    def activate(u: Array) -> None:
        """Write tanh(u) over u."""
        np.tanh(u, out=u)

    @staticmethod
    def times_slope(v: Array, h: Array, spare: Array | None = None) -> Array:
        """Return v − tanh²·v."""
        change = np.multiply(h, v, out=spare)
        change *= h
        v -= change
        return v


@dataclass(frozen=True)
class ReLUField(_OneHiddenLayer):
    r"""The field :math:`f(x) = A\max(Wx + b, 0) + c`.

    Parameters
    ----------
    dim : int
    width : int
    """

    gain: ClassVar[float] = float(np.sqrt(2))
    activation_name: ClassVar[str] = "relu"

    @staticmethod
    def activation(u: Any) -> Any:
        """Return max(u, 0)."""
        return anp.maximum(u, 0.0)

    @staticmethod
    def slope(u: Array, h: Array) -> Array:
        """One where u > 0."""
        return (u > 0).astype(np.float64)

    @staticmethod
    def activate(u: Array) -> None:
        """Write max(u, 0) over u."""
        np.maximum(u, 0.0, out=u)

    @staticmethod
    def times_slope(v: Array, h: Array, spare: Array | None = None) -> Array:
        """Return v where h > 0."""
        v *= h > 0
        return v


WIDENED = (TanhField, ReLUField)
"""Fields that are known to stay what they are with more units."""
