"""Networks: fields, integrators, architectures and their readouts."""

from .feedforward import FeedForward
from .fields.builtin import LinearField, RandomFeatureField, ReLUField, TanhField
from .fields.field import Field, FunctionField
from .integrators import RK4, Euler, Integrator, Midpoint
from .network import Network
from .readout import Readout

__all__ = [
    "RK4",
    "Euler",
    "FeedForward",
    "Field",
    "FunctionField",
    "Integrator",
    "LinearField",
    "Midpoint",
    "Network",
    "RandomFeatureField",
    "ReLUField",
    "Readout",
    "TanhField",
]
