"""The geometry that emerges on the computation nodes of a network."""

from .capacity import (
    capacity,
    efficiency,
    horizon,
    planck_length,
    robustness,
    spectrum,
)
from .export import to_networkx, write_graph
from .geometry import EmergentGeometry
from .influence import GeometryDerivative
from .relations import (
    ActivationInformation,
    CausalLength,
    CorrelationLength,
    FisherAngle,
    FisherChord,
    FlowResistance,
    Relation,
    effective_resistance,
)

__all__ = [
    "ActivationInformation",
    "CausalLength",
    "CorrelationLength",
    "EmergentGeometry",
    "FisherAngle",
    "FisherChord",
    "FlowResistance",
    "GeometryDerivative",
    "Relation",
    "capacity",
    "effective_resistance",
    "efficiency",
    "horizon",
    "planck_length",
    "robustness",
    "spectrum",
    "to_networkx",
    "write_graph",
]
