"""The geometry that emerges on the computation nodes of a network: data, and what it is read by."""

from .capacity import (
    capacity,
    capacity_shares,
    efficiency,
    horizon,
    planck_length,
    robustness,
)
from .coarse_graining import coarse_grain, merge_copies
from .export import to_networkx, write_graph
from .geometry import EmergentGeometry
from .influence import GeometryDerivative, TracedGeometry, derivative, influence
from .mixture import mix
from .relations import (
    ActivationInformation,
    CausalLength,
    CorrelationLength,
    FisherAngle,
    FisherChord,
    FlowResistance,
    Relation,
    distance_matrix,
    effective_resistance,
    weighted_graph,
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
    "TracedGeometry",
    "capacity",
    "capacity_shares",
    "coarse_grain",
    "derivative",
    "distance_matrix",
    "effective_resistance",
    "efficiency",
    "horizon",
    "influence",
    "merge_copies",
    "mix",
    "planck_length",
    "robustness",
    "to_networkx",
    "weighted_graph",
    "write_graph",
]
