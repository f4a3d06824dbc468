"""Metrics on function space: L2, energy, Fisher–Rao, sums of them, and your own."""

from .base import Metric
from .chart import ChartMetric
from .checks import check_metric
from .energy import EnergyMetric
from .fisher_rao import FisherRaoMetric
from .geodesic_checks import check_geodesic
from .immersion import ImmersionMetric
from .l2 import L2Metric
from .scaled_sum import ScaledSum

__all__ = [
    "ChartMetric",
    "EnergyMetric",
    "FisherRaoMetric",
    "ImmersionMetric",
    "L2Metric",
    "Metric",
    "ScaledSum",
    "check_geodesic",
    "check_metric",
]
