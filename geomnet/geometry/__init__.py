"""The ground: samples, spaces of maps, curves, kernels, and the energy of discrete paths."""

from .curve import Curve
from .kernels import (
    FeatureKernel,
    GaussianKernel,
    Kernel,
    Matern32Kernel,
    Matern52Kernel,
    RadialKernel,
)
from .path_energy import PathEnergy
from .sample import Sample
from .space import ChartSpace, FunctionSpace

__all__ = [
    "ChartSpace",
    "Curve",
    "FeatureKernel",
    "FunctionSpace",
    "GaussianKernel",
    "Kernel",
    "Matern32Kernel",
    "Matern52Kernel",
    "PathEnergy",
    "RadialKernel",
    "Sample",
]
