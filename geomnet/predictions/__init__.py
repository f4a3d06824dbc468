"""Predictions as points: distances, embeddings, progress along geodesics, paths of layers."""

from .inpca import InPCA
from .layer_paths import layer_predictions
from .predictions import Predictions
from .progress import Progress

__all__ = ["InPCA", "Predictions", "Progress", "layer_predictions"]
