"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import InputError

__all__ = ["write_npz", "write_whole"]


def write_whole(path: Any, write: Callable[[BinaryIO], None], *, name: str = "path") -> Path:
    """Write a file under a temporary name beside it, then rename it into place.

    Parameters
    ----------
    path : path_like
    write : callable
        Given the open binary file.
    name : str
        What to call the argument in an error.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"{name}: cannot write {str(path)!r} ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise InputError(f"{name}: cannot write {str(path)!r} ({error.strerror})") from None
        raise
    return path


def write_npz(path: Any, /, **arrays: Any) -> Path:
    """Write arrays by name as a compressed NPZ, whole or not at all."""

    def write(file: BinaryIO) -> None:
        np.savez_compressed(file, **arrays)

    return write_whole(path, write)
