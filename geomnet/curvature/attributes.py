"""Attributes of networkx graphs as arrays, or what is wrong with which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import InputError

__all__ = ["not_positive", "read_attribute"]

NONE = {"weight": "None for lengths of 1", "node_weight": "None for weights of 1"}
KIND = {"weight": "edge", "node_weight": "node"}


def read_attribute(
    argument: str,
    name: str | None,
    found: list[object],
    places: Callable[[], Sequence[object]],
    *,
    default: str | None = None,
) -> np.ndarray | None:
    """Attributes as numbers; None where all are missing and that is allowed.

    Parameters
    ----------
    argument : {"weight", "node_weight"}
        That names the attribute.
    name : str or None
        Of the attribute.
    found : list
        Of every edge or node; None where it is missing.
    places : callable
        Gives the edges or nodes, for the message.
    default : str, optional
        A name that all may lack.
    """
    if not found:
        return None
    kind = KIND[argument]
    missing = [i for i, value in enumerate(found) if value is None]
    if 0 < len(missing) < len(found):
        raise InputError(
            f"{argument}: {len(missing)} of {len(found)} {kind}s have no attribute {name!r}, first "
            f"{places()[missing[0]]!r}; set it on all of them or on none"
        )
    if missing:
        if name in (None, default):
            return None
        raise InputError(
            f"{argument}: no {kind} has an attribute {name!r}; name the one they have, or take "
            f"{NONE[argument]}"
        )
    array = _as_numbers(found)
    if array is not None:
        return array
    bad = [i for i, value in enumerate(found) if not _is_number(value)]
    raise InputError(
        f"{argument}: {len(bad)} of {len(found)} {kind}s have no finite number for {name!r}, first "
        f"{found[bad[0]]!r} at {places()[bad[0]]!r}; set finite floats"
    )


def _as_numbers(found: list[object]) -> np.ndarray | None:
    """Finite floats, or None where some are none."""
    try:
        array = np.asarray(found)
    except ValueError:  # sequences of several lengths among them
        return None
    if array.shape != (len(found),) or array.dtype.kind not in "fiub":
        return None
    array = array.astype(np.float64, copy=False)
    return array if np.isfinite(array).all() else None


def _is_number(value: object) -> bool:
    array = np.asarray(value)
    return array.shape == () and array.dtype.kind in "fiub" and bool(np.isfinite(array))


def not_positive(
    argument: str, values: np.ndarray, places: Sequence[object], advice: str = ""
) -> InputError:
    """The error that says which edges or nodes have weights that are not above zero."""
    bad = np.flatnonzero(values <= 0)
    if not advice:
        advice = "give positive weights"
        if argument.startswith("weight"):
            advice = f"drop these edges, merge their ends, or {advice}"
    return InputError(
        f"{argument}: {len(bad)} of {len(values)} are not above zero, first {values[bad[0]]:g} at "
        f"{places[bad[0]]!r}; {advice}"
    )
