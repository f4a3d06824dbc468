"""Vector fields: what one layer of a residual network adds to the state."""

from .builtin import LinearField, RandomFeatureField, ReLUField, TanhField
from .field import Field, FunctionField

__all__ = [
    "Field",
    "FunctionField",
    "LinearField",
    "RandomFeatureField",
    "ReLUField",
    "TanhField",
]
