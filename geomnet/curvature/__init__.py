"""Curvature of weighted graphs: functions on any networkx graph, or on arrays."""

from .forman import forman
from .ollivier import ollivier
from .resistance import ResistanceCurvature, resistance_curvature
from .ricci_flow import RicciFlow, ricci_flow
from .weighted_graph import WeightedGraph

__all__ = [
    "ResistanceCurvature",
    "RicciFlow",
    "WeightedGraph",
    "forman",
    "ollivier",
    "resistance_curvature",
    "ricci_flow",
]
