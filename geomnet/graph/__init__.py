"""The geometry that emerges on the computation nodes of a network, and curvature of any graph."""

from .curvature import (
    ResistanceCurvature,
    RicciFlow,
    WeightedGraph,
    forman,
    ollivier,
    resistance_curvature,
    ricci_flow,
)
from .exchange import to_networkx, write_graph
from .geometry import EmergentGeometry
from .influence import GeometryDerivative
from .memory import capacity, efficiency, horizon, planck_length, robustness, spectrum
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
    "ResistanceCurvature",
    "RicciFlow",
    "WeightedGraph",
    "capacity",
    "effective_resistance",
    "efficiency",
    "forman",
    "horizon",
    "ollivier",
    "planck_length",
    "resistance_curvature",
    "ricci_flow",
    "robustness",
    "spectrum",
    "to_networkx",
    "write_graph",
]
