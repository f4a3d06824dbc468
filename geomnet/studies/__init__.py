"""Studies: reproducible experiments over the library; one folder a study."""

from .comparison import Comparison, FisherSummary, compare
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
