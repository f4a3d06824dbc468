"""Curvature of weighted graphs: functions of any networkx graph, or of arrays."""

from .forman import forman
from .ollivier import ollivier
from .resistance import ResistanceCurvature, resistance_curvature
from .result import Curvature, EdgeValues, NodeValues
from .ricci_flow import RicciFlow, ricci_flow
from .weighted_graph import WeightedGraph

__all__ = [
    "Curvature",
    "EdgeValues",
    "NodeValues",
    "ResistanceCurvature",
    "RicciFlow",
    "WeightedGraph",
    "forman",
    "ollivier",
    "resistance_curvature",
    "ricci_flow",
]
