"""Activations of feed-forward networks: elementwise functions with their slopes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf
from scipy.special import expit, ndtr

from ...errors import InputError
from ...utils.arrays import Array

__all__ = ["ACTIVATIONS", "Activation", "activation_named"]


class Activation(ABC):
    """An elementwise function σ."""

    name: str

    @abstractmethod
    def __call__(self, u: Any) -> Any:
        """σ(u), in ``autograd.numpy``."""

    @abstractmethod
    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        """σ(u) and σ'(u); `u` may be written over. A slope of None stands for one."""

    def __repr__(self) -> str:
        return self.name


class _Identity(Activation):
    name = "identity"

    def __call__(self, u: Any) -> Any:
        return u

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        return u, None


class _Tanh(Activation):
    name = "tanh"

    def __call__(self, u: Any) -> Any:
        return anp.tanh(u)

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        np.tanh(u, out=u)
        slope = u * u
        np.subtract(1.0, slope, out=slope)
        return u, slope


class _ReLU(Activation):
    name = "relu"

    def __call__(self, u: Any) -> Any:
        return anp.maximum(u, 0.0)

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        slope = (u > 0).astype(np.float64)
        return np.maximum(u, 0.0, out=u), slope


class _GELU(Activation):
    r"""u·Φ(u), Φ the normal distribution function (Hendrycks & Gimpel 2016)."""

    name = "gelu"

    def __call__(self, u: Any) -> Any:
        return 0.5 * u * (1 + erf(u / np.sqrt(2)))

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        below = ndtr(u)
        return u * below, below + u * np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)


class _GELUTanh(Activation):
    """The approximation of GELU by tanh that some networks are trained with."""

    name = "gelu_tanh"
    root, cubic = float(np.sqrt(2 / np.pi)), 0.044715

    def __call__(self, u: Any) -> Any:
        return 0.5 * u * (1 + anp.tanh(self.root * (u + self.cubic * u**3)))

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        squared = np.minimum(u * u, 1e30)  # beyond, tanh is ±1, and 0·∞ is no slope
        t = np.tanh(self.root * u * (1 + self.cubic * squared))
        bend = 0.5 * u * (1 - t * t) * self.root * (1 + 3 * self.cubic * squared)
        return 0.5 * u * (1 + t), 0.5 * (1 + t) + bend


class _Logistic(Activation):
    name = "logistic"

    def __call__(self, u: Any) -> Any:
        return 0.5 * (1 + anp.tanh(0.5 * u))

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        h = expit(u, out=u)
        return h, h * (1 - h)


class _SiLU(Activation):
    """u times the logistic function of u."""

    name = "silu"

    def __call__(self, u: Any) -> Any:
        return 0.5 * u * (1 + anp.tanh(0.5 * u))

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        s = expit(u)
        return u * s, s * (1 + u * (1 - s))


class Cosine(Activation):
    """The waves of random Fourier features, times an amplitude."""

    name = "cosine"

    def __init__(self, amplitude: float) -> None:
        self.amplitude = amplitude

    def __call__(self, u: Any) -> Any:
        return self.amplitude * anp.cos(u)

    def linearise(self, u: Array) -> tuple[Array, Array | None]:
        return self.amplitude * np.cos(u), -self.amplitude * np.sin(u)


ACTIVATIONS: dict[str, Activation] = {
    kind.name: kind() for kind in (_Identity, _Tanh, _ReLU, _GELU, _GELUTanh, _Logistic, _SiLU)
}
"""Activations by name."""


def activation_named(name: Any) -> Activation:
    """Return the activation of that name, or say which there are."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"activation: unknown {name!r}; choose from {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
