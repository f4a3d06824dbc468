"""Numbers as people read them."""

from __future__ import annotations

import math

__all__ = ["number"]


def number(value: float | None, digits: int = 5) -> str:
    """Show a number with so many significant digits, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}"
