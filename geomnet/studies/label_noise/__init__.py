"""How the geometry of a network changes as it learns more and more by heart."""

from .labels import noisy_labels
from .result import LabelNoiseStudy
from .study import label_noise_study

__all__ = ["LabelNoiseStudy", "label_noise_study", "noisy_labels"]
