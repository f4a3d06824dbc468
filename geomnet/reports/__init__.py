"""Reports: from results to JSON, arrays, figures, a table and one self-contained page."""

from .results import check_folder, table, to_json
from .writer import write_report

__all__ = ["check_folder", "table", "to_json", "write_report"]
