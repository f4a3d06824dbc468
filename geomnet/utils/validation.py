"""Checks of arguments: what is unusable is named, with what was wrong and the mend."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from .arrays import Array

__all__ = ["check_array", "check_batches", "check_choice", "check_integer", "check_positive"]


def check_array(
    name: str,
    value: Any,
    *,
    shape: tuple[int | None, ...] | None = None,
    ndim: int | None = None,
) -> np.ndarray:
    """Return `value` as a finite float64 array, or say what is wrong with it.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like
        Numbers; integers are converted, object and complex arrays refused.
    shape : tuple of int or None, optional
        Expected shape; None stands for any length.
    ndim : int, optional
        Expected number of axes.

    Raises
    ------
    InputError
        When the array is of another kind or shape, or holds NaN or infinities.
    """
    array = _real(name, value)
    if ndim is not None and array.ndim != ndim:
        raise InputError(f"{name}: expected {ndim} axes, got an array of shape {array.shape}")
    if shape is not None and not _fits(array.shape, shape):
        want = ", ".join("any" if s is None else str(s) for s in shape)
        want += "," * (len(shape) == 1)
        raise InputError(f"{name}: expected shape ({want}), got {array.shape}")
    if not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise InputError(
            f"{name}: {bad} of its {array.size} entries are NaN or infinite; "
            "drop or impute them first"
        )
    return array


def _real(name: str, value: Any) -> Array:
    """A value as a float64 array, of real numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: its rows have different lengths; give one rectangle") from None
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise InputError(
            f"{name}: expected real numbers, got an array of dtype {array.dtype}; "
            "convert it to float64 first"
        )
    return array.astype(np.float64, copy=False)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is as wanted; None stands for any length."""
    same = all(want in (None, got) for want, got in zip(wanted, shape))
    return len(shape) == len(wanted) and same


def check_batches(shape: tuple[int, ...], **arrays: Any) -> list[np.ndarray]:
    """Return arrays of one batch of states, or say what is wrong with them.

    Parameters
    ----------
    shape : tuple of int
        Of one state; it must end the shape of every array.
    **arrays : array_like, shape (..., *shape)
        By name; their leading axes broadcast.

    Returns
    -------
    list of ndarray, each of shape (..., *shape)
    """
    checked = {name: check_array(name, value) for name, value in arrays.items()}
    for name, array in checked.items():
        if array.shape[max(0, array.ndim - len(shape)) :] != shape:
            want = ", ".join(map(str, shape))
            raise InputError(f"{name}: expected shape (..., {want}), got {array.shape}")
    try:
        return [np.array(array) for array in np.broadcast_arrays(*checked.values())]
    except ValueError:
        shapes = " and ".join(f"{array.shape}" for array in checked.values())
        raise InputError(
            f"{', '.join(checked)}: leading axes of shapes {shapes} do not broadcast"
        ) from None


def check_integer(name: str, value: Any, *, least: int, multiple_of: int = 1) -> int:
    """Return `value` as an int at least `least` and a multiple of `multiple_of`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or value % multiple_of:
        kind = f"a multiple of {multiple_of}" if multiple_of > 1 else "an integer"
        raise InputError(f"{name}: expected {kind}, at least {least}; got {value!r}")
    return int(value)


def check_positive(name: str, value: Any, *, zero: bool = False) -> float:
    """Return `value` as a finite float above zero (or at least zero)."""
    try:
        number = np.nan if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}: expected a number, got {value!r}") from None
    if not np.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise InputError(
            f"{name}: expected a finite number {'at least' if zero else 'above'} zero, "
            f"got {value!r}"
        )
    return number


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if value not in choices:
        raise InputError(f"{name}: unknown {value!r}; choose from {', '.join(choices)}")
    return value


def broadcast_pair(vec: Any, base_point: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give a vector and its base point the same leading axes."""
    vec, base = np.asarray(vec, dtype=np.float64), np.asarray(base_point, dtype=np.float64)
    if vec.shape != base.shape:
        vec, base = np.broadcast_arrays(vec, base)
    return np.array(vec), np.array(base)
