"""Reports: from results to JSON, arrays, figures, a table and one self-contained page."""

from .folder import check_folder
from .serialise import to_json
from .table import table
from .writer import write_report

__all__ = ["check_folder", "table", "to_json", "write_report"]
