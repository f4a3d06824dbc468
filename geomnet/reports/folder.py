"""The folder that a report is written into."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..errors import InputError

__all__ = ["check_folder"]


def check_folder(folder: str | os.PathLike[str], make: bool = True) -> Path:
    """See that the output folder can be written; leave it made, or as it was."""
    folder = Path(folder)
    figures = folder / "figures"
    made: list[Path] = []
    try:
        for place in [*reversed(figures.parents), figures]:
            if not place.is_dir():
                place.mkdir(exist_ok=True)
                made.append(place)
        with tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder / "figures"):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"out: cannot write into folder {str(folder)!r} ({reason}); name another"
        ) from None
    finally:
        for place in [] if make else reversed(made):
            place.rmdir()
    return folder
