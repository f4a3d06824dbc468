"""Training: by gradients, by least action, and by natural gradients."""

from .natural_gradient import NaturalGradientFit, natural_gradient
from .train import Fit, train

__all__ = ["Fit", "NaturalGradientFit", "natural_gradient", "train"]
