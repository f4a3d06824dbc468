"""Fields that are linear in their parameters: affine maps, and fixed random features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as anp
import numpy as np

from ...utils.arrays import Array
from ...utils.validation import check_integer, check_positive
from ..layers.activations import Cosine, activation_named
from ..layers.affine import AffineLayer
from ..layers.factors import FixedMap
from .field import Field, LinearisedField

__all__ = ["LinearField", "RandomFeatureField"]


class _LinearisedFeatures(LinearisedField):
    """A field linear in θ, f = ΨΘ in some order of θ: (∂f/∂θ)(∂f/∂θ)ᵀ = ΨΨᵀ ⊗ I."""

    def gram(self) -> Array:
        """ΨΨᵀ ⊗ I_d."""
        features = self.field.features(self.x)  # type: ignore[attr-defined]
        return np.kron(features @ features.T, np.eye(self.x.shape[1]))


@dataclass(frozen=True)
class LinearField(Field):
    r"""The field :math:`f(x) = Mx + c`; its flow is affine.

    Parameters
    ----------
    dim : int
    """

    dim: int

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, least=1)

    @property
    def n_parameters(self) -> int:
        """Length dim² + dim."""
        return self.dim**2 + self.dim

    def unpack(self, theta: Any) -> tuple[Any, Any]:
        """M (dim, dim) and c (dim,)."""
        d = self.dim
        return theta[: d * d].reshape(d, d), theta[d * d :]

    def features(self, x: Any) -> Any:
        """Ψ(x) = (x, 1), (..., n, d+1), in ``autograd.numpy``."""
        return anp.concatenate([x, anp.ones((*anp.shape(x)[:-1], 1))], axis=-1)

    def __call__(self, x: Any, theta: Any) -> Any:
        """Velocities."""
        m, c = self.unpack(theta)
        return anp.dot(x, m.T) + c

    def affine_layers(self) -> tuple[AffineLayer, ...]:
        """One layer, Mx + c."""
        return (AffineLayer(self.dim, self.dim, activation_named("identity")),)

    def linearise(self, x: Array, theta: Array, workspace: Any = None) -> LinearisedField:
        """Velocities and derivative."""
        return _LinearisedFeatures(self, x, theta)

    def jvp(self, x: Array, theta: Array, dx: Array, dtheta: Array) -> Array:
        """M dx + dM x + dc."""
        m, _ = self.unpack(theta)
        dm, dc = self.unpack(dtheta)
        change: Array = dx @ m.T + x @ dm.T + dc
        return change

    def vjp(self, x: Array, theta: Array, cotangent: Array) -> tuple[Array, Array]:
        """Pull back, by hand."""
        m, _ = self.unpack(theta)
        to_theta = np.concatenate([(cotangent.T @ x).reshape(-1), cotangent.sum(axis=0)])
        return cotangent @ m, to_theta

    def init(self, rng: np.random.Generator) -> Array:
        """Draw M ~ N(0, 1/dim)/2, no drift."""
        d = self.dim
        return np.concatenate([0.5 * rng.normal(size=d * d) / np.sqrt(d), np.zeros(d)])

    def lipschitz(self, theta: Array) -> float:
        """‖M‖."""
        return float(np.linalg.norm(self.unpack(theta)[0], 2))

    def limit_lipschitz(self, theta: Array, bound: float) -> Array:
        """Scale M down."""
        size = self.lipschitz(theta)
        if size <= bound:
            return theta
        m, c = self.unpack(theta)
        return np.concatenate([(m * (bound / size)).reshape(-1), c])


@dataclass(frozen=True)
class RandomFeatureField(Field):
    r"""A field linear in θ: :math:`f(x) = Ψ(x)Θ` with fixed random Fourier features.

    :math:`Ψ_j(x) = \sqrt{2/m}\cos(ω_j·x + β_j)`, :math:`ω_j \sim N(0, I/\text{scale}^2)`; with
    many features ΨΨᵀ tends to the Gaussian kernel of that width (Rahimi & Recht 2007), so that
    the least effort :math:`|Θ|^2` of its layers is the energy metric of ``FeatureKernel(field)``.

    Parameters
    ----------
    dim : int
    width : int
        Number m of features.
    scale : float
        Length scale of the features.
    seed : int
        Of the features.
    """

    dim: int
    width: int
    scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("dim", self.dim, least=1)
        check_integer("width", self.width, least=1)
        check_positive("scale", self.scale)

    @cached_property
    def _waves(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(self.seed)
        frequencies = rng.normal(size=(self.width, self.dim)) / self.scale
        return frequencies, rng.uniform(0, 2 * np.pi, size=self.width)

    @property
    def n_parameters(self) -> int:
        """Length width·dim."""
        return self.width * self.dim

    def features(self, x: Any) -> Any:
        """Ψ(x), (..., n, m), in ``autograd.numpy``."""
        frequencies, phases = self._waves
        return np.sqrt(2 / self.width) * anp.cos(anp.matmul(x, frequencies.T) + phases)

    def __call__(self, x: Any, theta: Any) -> Any:
        """Velocities Ψ(x)Θ; θ is Θᵀ (dim, width) in C order."""
        return anp.dot(self.features(x), theta.reshape(self.dim, self.width).T)

    def affine_layers(self) -> tuple[AffineLayer, ...]:
        """The fixed waves, then ΨΘ."""
        waves = Cosine(float(np.sqrt(2 / self.width)))
        return (
            AffineLayer(self.dim, self.width, waves, fixed=FixedMap(*self._waves)),
            AffineLayer(self.width, self.dim, activation_named("identity"), bias=False),
        )

    def linearise(self, x: Array, theta: Array, workspace: Any = None) -> LinearisedField:
        """Velocities and derivative."""
        return _LinearisedFeatures(self, x, theta)

    def _feature_slopes(self, x: Array) -> Array:
        frequencies, phases = self._waves
        slope: Array = -np.sqrt(2 / self.width) * np.sin(x @ frequencies.T + phases)
        return slope

    def jvp(self, x: Array, theta: Array, dx: Array, dtheta: Array) -> Array:
        """Change of the velocities, by hand."""
        shape = (self.dim, self.width)
        moved = self._feature_slopes(x) * (dx @ self._waves[0].T)
        change: Array = moved @ theta.reshape(shape).T
        change = change + self.features(x) @ dtheta.reshape(shape).T
        return change

    def vjp(self, x: Array, theta: Array, cotangent: Array) -> tuple[Array, Array]:
        """Pull back, by hand."""
        back = (cotangent @ theta.reshape(self.dim, self.width)) * self._feature_slopes(x)
        return back @ self._waves[0], (cotangent.T @ self.features(x)).reshape(-1)

    def init(self, rng: np.random.Generator) -> Array:
        """Draw Θ ~ N(0, 1/4)."""
        return 0.5 * rng.normal(size=self.n_parameters)

    def lipschitz(self, theta: Array) -> float:
        """‖Θ‖‖Ω‖√(2/m)."""
        size = np.linalg.norm(theta.reshape(self.dim, self.width), 2)
        return float(size * np.linalg.norm(self._waves[0], 2) * np.sqrt(2 / self.width))

    def limit_lipschitz(self, theta: Array, bound: float) -> Array:
        """Scale Θ down."""
        size = self.lipschitz(theta)
        return theta if size <= bound else theta * (bound / size)
