"""Memory: temporaries that the system does not take back between uses."""

from __future__ import annotations

from functools import cache

import numpy as np

__all__ = ["keep_freed_memory"]


@cache
def keep_freed_memory() -> None:
    """Let the allocator reuse blocks below 32 MB instead of returning them to the system.

    The GNU C library maps large blocks anew each time, and every page of them is faulted in
    again: half the time of a loop over arrays of a few megabytes. Freeing a block of nearly 32 MB
    once, untouched, raises the size from which it does so. Elsewhere this does nothing.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)
