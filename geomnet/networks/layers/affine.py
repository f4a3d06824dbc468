"""The affine layer σ(Wx + b) of a field: of parameters, or fixed."""

from __future__ import annotations

from dataclasses import dataclass

from .activations import Activation
from .factors import FixedMap

__all__ = ["AffineLayer"]


@dataclass(frozen=True, eq=False)
class AffineLayer:
    """One layer σ(Wx + b) of a field: of parameters, or fixed.

    Parameters
    ----------
    inputs, outputs : int
    activation : Activation
    bias : bool
    fixed : FixedMap, optional
        Instead of parameters.
    """

    inputs: int
    outputs: int
    activation: Activation
    bias: bool = True
    fixed: FixedMap | None = None
