"""Versions of geomnet and what it stands on, for bug reports."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from .._version import __version__

__all__ = ["show_versions"]

DEPENDENCIES = (
    "geomstats",
    "autograd",
    "numpy",
    "scipy",
    "networkx",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "joblib",
    "threadpoolctl",
    "tqdm",
)


def show_versions() -> None:
    """Print the versions of geomnet, Python and the dependencies.

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.show_versions()  # doctest: +ELLIPSIS
    geomnet       ...
    """
    rows = [("geomnet", __version__), ("python", sys.version.split()[0])]
    rows.append(("platform", platform.platform()))
    for name in DEPENDENCIES:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            rows.append((name, "not installed"))
    for name, value in rows:
        print(f"{name:<13} {value}")
