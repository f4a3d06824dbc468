"""Figures of every subject, drawn off screen: ``plot_*`` functions that return figures."""

from .comparison import plot_least_action
from .curvature import plot_curvature
from .emergent import plot_geometry, plot_spectrum, plot_time
from .fisher import plot_fisher
from .label_noise import plot_label_noise
from .landscape import plot_landscape
from .layers import plot_layers

__all__ = [
    "plot_curvature",
    "plot_fisher",
    "plot_geometry",
    "plot_label_noise",
    "plot_landscape",
    "plot_layers",
    "plot_least_action",
    "plot_spectrum",
    "plot_time",
]
