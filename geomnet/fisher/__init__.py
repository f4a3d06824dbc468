"""Fisher information geometry of networks: how strongly parameters hold what a network knows."""

from .effective_dimension import effective_dimension, local_effective_dimension
from .information import FisherInformation
from .inpca import InPCA
from .kronecker import KroneckerFisher
from .layer_path import layer_predictions
from .mean_field import MeanField
from .natural_gradient import NaturalGradientFit, natural_gradient
from .parameter_metric import ParameterFisherMetric
from .prediction import Predictions
from .progress import Progress
from .simulation import SimulatedSpectrum
from .spectrum import Estimate

__all__ = [
    "Estimate",
    "FisherInformation",
    "InPCA",
    "KroneckerFisher",
    "MeanField",
    "NaturalGradientFit",
    "ParameterFisherMetric",
    "Predictions",
    "Progress",
    "SimulatedSpectrum",
    "effective_dimension",
    "layer_predictions",
    "local_effective_dimension",
    "natural_gradient",
]
