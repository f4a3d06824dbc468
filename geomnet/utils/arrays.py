"""Types of arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "BoolArray", "IntArray"]

Array: TypeAlias = NDArray[np.float64]
"""Numbers: all that geomnet computes is float64."""

IntArray: TypeAlias = NDArray[np.intp]
"""Places."""

BoolArray: TypeAlias = NDArray[np.bool_]
"""Whether."""
