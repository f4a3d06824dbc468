"""Fisher information geometry of networks: how strongly parameters hold what a network knows."""

from .information import FisherInformation
from .kronecker import KroneckerFisher

__all__ = ["FisherInformation", "KroneckerFisher"]
