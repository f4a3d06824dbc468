"""Networks: fields, integrators, the architecture, its readout and training."""

from .action import Action
from .builtin_fields import LinearField, RandomFeatureField, ReLUField, TanhField
from .feedforward import FeedForward
from .fields import Field, FunctionField
from .integrators import RK4, Euler, Integrator, Midpoint
from .network import Network
from .readout import Readout
from .training import Fit, train

__all__ = [
    "RK4",
    "Action",
    "Euler",
    "FeedForward",
    "Field",
    "Fit",
    "FunctionField",
    "Integrator",
    "LinearField",
    "Midpoint",
    "Network",
    "RandomFeatureField",
    "ReLUField",
    "Readout",
    "TanhField",
    "train",
]
