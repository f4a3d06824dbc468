"""Networks: fields, integrators, architectures and their readouts."""

from .architecture import Architecture
from .as_model import model
from .feedforward import FeedForward
from .fields.field import Field, FunctionField
from .fields.hidden_layer import ReLUField, TanhField
from .fields.linear_in_parameters import LinearField, RandomFeatureField
from .integrators import RK4, Euler, Integrator, Midpoint
from .model import (
    Layer,
    LayerKind,
    LinearisedModel,
    Model,
    UnknownNodesError,
    UnknownParametersError,
)
from .network import Network
from .nodes import Nodes
from .readout import Readout

__all__ = [
    "RK4",
    "Architecture",
    "Euler",
    "FeedForward",
    "Field",
    "FunctionField",
    "Integrator",
    "Layer",
    "LayerKind",
    "LinearField",
    "LinearisedModel",
    "Midpoint",
    "Model",
    "Network",
    "Nodes",
    "RandomFeatureField",
    "ReLUField",
    "Readout",
    "TanhField",
    "UnknownNodesError",
    "UnknownParametersError",
    "model",
]
