"""Fisher information geometry of networks: how strongly parameters hold what a network knows."""

from .effective_dimension import effective_dimension, local_effective_dimension
from .information import FisherInformation
from .kronecker import KroneckerFisher
from .parameter_metric import ParameterFisherMetric

__all__ = [
    "FisherInformation",
    "KroneckerFisher",
    "ParameterFisherMetric",
    "effective_dimension",
    "local_effective_dimension",
]
