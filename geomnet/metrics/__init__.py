"""Metrics on function space: L2, energy, Fisher–Rao, sums of them, and your own."""

from .base import Metric, ScaledSum
from .energy import EnergyMetric
from .fisher_rao import FisherRaoMetric
from .l2 import L2Metric

__all__ = ["EnergyMetric", "FisherRaoMetric", "L2Metric", "Metric", "ScaledSum"]
