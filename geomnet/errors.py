"""What can go wrong, said so that it can be mended.

Every message names the argument, says what was wrong with it, and how to mend it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "ConvergenceError",
    "DomainError",
    "GeomnetError",
    "InputError",
    "SingularKernelError",
]


class GeomnetError(Exception):
    """Base of every error that geomnet raises on purpose."""


class InputError(GeomnetError, ValueError):
    """An argument is unusable; the message names it, its value and the mend."""


class DomainError(InputError):
    """A point lies where the metric is not defined (a singular kernel matrix, say).

    Line searches treat it as infinite energy and step back; at the ends of a path it is an error.
    """


class SingularKernelError(DomainError):
    """A kernel matrix is singular, or so ill-conditioned that its inverse has no digits."""

    def __init__(self, message: str, condition: float = np.inf) -> None:
        super().__init__(message)
        self.condition = condition


class ConvergenceError(GeomnetError, RuntimeError):
    """A solver stopped before its certificate passed.

    Attributes
    ----------
    result : object
        What was reached, with its certificate; nothing computed is lost.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result
