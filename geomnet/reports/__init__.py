"""Reports: from results to JSON, arrays, figures, a table and one self-contained page."""

from .figures import draw_least_action
from .label_noise import draw_label_noise
from .results import check_folder, table, to_json
from .writer import write_report

__all__ = [
    "check_folder",
    "draw_label_noise",
    "draw_least_action",
    "table",
    "to_json",
    "write_report",
]
