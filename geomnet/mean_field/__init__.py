"""Mean-field theory of the Fisher spectrum of wide random networks, beside simulations."""

from .simulation import SimulatedSpectrum
from .theory import MeanField

__all__ = ["MeanField", "SimulatedSpectrum"]
