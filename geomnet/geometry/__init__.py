"""The ground: samples, spaces of maps, curves, kernels, what a metric owes, path energies."""

from .curve import Curve
from .kernels import (
    FeatureKernel,
    GaussianKernel,
    Kernel,
    Matern32Kernel,
    Matern52Kernel,
    RadialKernel,
)
from .metric import AbstractMetric
from .path_energy import PathEnergy
from .points import Points, VectorPoints
from .sample import Sample
from .space import ChartSpace, FunctionSpace
from .structure import Structure

__all__ = [
    "AbstractMetric",
    "ChartSpace",
    "Curve",
    "FeatureKernel",
    "FunctionSpace",
    "GaussianKernel",
    "Kernel",
    "Matern32Kernel",
    "Matern52Kernel",
    "PathEnergy",
    "Points",
    "RadialKernel",
    "Sample",
    "Structure",
    "VectorPoints",
]
