"""Vector fields: what one layer of a residual network adds to the state."""

from .field import Field, FunctionField
from .hidden_layer import ReLUField, TanhField
from .linear_in_parameters import LinearField, RandomFeatureField

__all__ = [
    "Field",
    "FunctionField",
    "LinearField",
    "RandomFeatureField",
    "ReLUField",
    "TanhField",
]
