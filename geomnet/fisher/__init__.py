"""Fisher information geometry of networks: how strongly parameters hold what a network knows."""

from .effective_dimension import effective_dimension, local_effective_dimension
from .information import FisherInformation
from .kronecker import KroneckerFisher
from .natural_gradient import NaturalGradientFit, natural_gradient

__all__ = [
    "FisherInformation",
    "KroneckerFisher",
    "NaturalGradientFit",
    "effective_dimension",
    "local_effective_dimension",
    "natural_gradient",
]
