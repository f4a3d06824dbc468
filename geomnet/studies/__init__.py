"""Studies: reproducible experiments over the library; metrics compared, and least action."""

from .comparison import Comparison, compare
from .fisher import FisherSummary
from .label_noise import LabelNoiseStudy, label_noise_study, noisy_labels
from .least_action import LeastActionPath, least_action_path

__all__ = [
    "Comparison",
    "FisherSummary",
    "LabelNoiseStudy",
    "LeastActionPath",
    "compare",
    "label_noise_study",
    "least_action_path",
    "noisy_labels",
]
