"""The affine readout z = Wφ + b, from states to the parameters of a likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..utils.arrays import Array
from ..utils.validation import check_array

__all__ = ["Readout"]


@dataclass(frozen=True, eq=False)
class Readout:
    """Affine map from states to likelihood parameters, z = Wφ + b.

    Parameters
    ----------
    weight : array_like, shape (C, d)
    bias : array_like, shape (C,), optional
        Zero by default.

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.Readout([[1.0, -1.0]])([[3.0, 1.0]])
    array([[2.]])
    """

    weight: Array
    bias: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        weight = check_array("weight", self.weight, ndim=2)
        if 0 in weight.shape:
            raise InputError(f"weight: needs at least one output and input, got {weight.shape}")
        bias = np.zeros(len(weight)) if self.bias is None else self.bias
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", check_array("bias", bias, shape=(len(weight),)))

    def __call__(self, states: ArrayLike) -> Array:
        """Return Wφ + b for states (..., d): (..., C)."""
        return np.asarray(states, dtype=np.float64) @ self.weight.T + self.bias

    def __repr__(self) -> str:
        return f"Readout(outputs={self.weight.shape[0]}, dim={self.weight.shape[1]})"
