"""Write a whole report into a folder: everything is made first, then written file by file."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..plotting.comparison import comparison_figures
from ..studies import Comparison
from ..utils.files import write_whole
from .folder import check_folder
from .page import CAPTIONS, render_page
from .serialise import arrays_of, to_json

__all__ = ["write_report"]


def write_report(comparison: Comparison, folder: Any = "geomnet-compare") -> Path:
    """Write ``results.json``, ``paths.npz``, ``figures/*.png`` and ``report.html``.

    Parameters
    ----------
    comparison : Comparison
    folder : path_like
        Made where it is missing. Files of an earlier report in it are replaced.

    Returns
    -------
    Path
        Of the page.
    """
    folder = check_folder(folder)
    figures = comparison_figures(comparison)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **arrays_of(comparison))  # type: ignore[arg-type]
    contents = {
        Path("results.json"): _encoded(to_json(comparison.as_dict())),
        Path("paths.npz"): arrays.getvalue(),
        **{Path("figures", f"{name}.png"): png for name, png in figures.items()},
        Path("report.html"): _encoded(render_page(comparison, figures)),
    }
    for name, content in contents.items():
        write_whole(folder / name, partial(_put, content), name="out")
    for stale in CAPTIONS.keys() - figures.keys():  # an earlier report's, which this one has not
        (folder / "figures" / f"{stale}.png").unlink(missing_ok=True)
    return folder / "report.html"


def _encoded(text: str) -> bytes:
    """UTF-8; bytes of a file's name that are no text are written as escapes."""
    return text.encode(errors="backslashreplace")


def _put(content: bytes, file: BinaryIO) -> None:
    file.write(content)
