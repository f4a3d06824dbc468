"""Reports: from results to JSON, arrays, figures, a table and one self-contained page."""

from .curvature import draw_curvature
from .emergent import draw_geometry, draw_spectrum, draw_time
from .figures import draw_least_action
from .label_noise import draw_label_noise
from .landscape import draw_landscape
from .layer_maps import draw_layers
from .results import check_folder, table, to_json
from .writer import write_report

__all__ = [
    "check_folder",
    "draw_curvature",
    "draw_geometry",
    "draw_label_noise",
    "draw_landscape",
    "draw_layers",
    "draw_least_action",
    "draw_spectrum",
    "draw_time",
    "table",
    "to_json",
    "write_report",
]
