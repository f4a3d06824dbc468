"""How many BLAS threads a sample is worth."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

__all__ = ["blas_threads"]

SMALL = 5000


def blas_threads(n: int) -> AbstractContextManager[Any]:
    """Use one BLAS thread within, for samples of fewer than 5000 points.

    Matrix products of a few hundred points are too short to share, and idle BLAS threads spin:
    on two shared cores a solve of 256 or of 1797 points took two to three times as long with two
    threads as with one. On a calm machine the larger gained a tenth, for twice the work.
    """
    return nullcontext() if n >= SMALL else _pools().limit(limits=1, user_api="blas")


@cache
def _pools() -> Any:
    """The BLAS libraries this process has loaded, looked for once: it takes a millisecond."""
    import scipy.linalg  # noqa: F401 - its BLAS must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
