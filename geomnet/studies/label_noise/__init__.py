"""How the geometry of a network changes as it learns more and more by heart."""

from .result import LabelNoiseStudy
from .study import label_noise_study, noisy_labels

__all__ = ["LabelNoiseStudy", "label_noise_study", "noisy_labels"]
