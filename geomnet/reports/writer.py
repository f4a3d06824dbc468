"""Write a whole report into a folder: everything is made first, then written file by file."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..files import write_whole
from .figures import draw_figures
from .page import render_page
from .results import arrays_of, check_folder, to_json

__all__ = ["write_report"]


def write_report(comparison: Any, folder: Any = "geomnet-compare") -> Path:
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
    figures = draw_figures(comparison)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, **arrays_of(comparison))  # type: ignore[arg-type]
    contents = {
        Path("results.json"): to_json(comparison.as_dict()).encode(),
        Path("paths.npz"): arrays.getvalue(),
        **{Path("figures", f"{name}.png"): png for name, png in figures.items()},
        Path("report.html"): render_page(comparison, figures).encode(),
    }
    for name, content in contents.items():
        write_whole(folder / name, partial(_put, content), name="out")
    return folder / "report.html"


def _put(content: bytes, file: BinaryIO) -> None:
    file.write(content)
