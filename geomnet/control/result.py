"""The result of a fit within an architecture: a network's path beside the least of all paths."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry.curve import Curve
from ..geometry.datasets import read_npz
from ..geometry.metric import AbstractMetric
from ..networks import Network
from ..utils.files import write_npz

__all__ = ["ArchitectureGeodesic"]

NUMBERS = (
    "energy",
    "length",
    "lower_bound",
    "lower_bound_note",
    "endpoint_violation",
    "kkt_residual",
    "iterations",
    "counts",
    "converged",
    "status",
    "method",
    "rule",
)


@dataclass(frozen=True, eq=False)
class ArchitectureGeodesic:
    """A network's path of least energy to a target, beside the least of all paths.

    Attributes
    ----------
    theta : ndarray, shape (L, p)
        The parameters.
    path : ndarray, shape (L+1, n, d)
        States of the network on the sample, layer by layer.
    energy : float
        Discrete energy of the path, by `rule`.
    length : float
        Length Σ√s of its steps.
    lower_bound : float or None
        Minimum found of the same discrete energy over free states with the same ends; None where
        there is none to be had.
    lower_bound_note : str
        How it was found, or why there is none.
    endpoint_violation : float
        Root mean square, over the sample, of the distance of the last state and the target.
    kkt_residual : float
        ‖∂E + J_cᵀλ‖/‖∂E‖ in the parameters.
    iterations : int
    counts : dict
        Energy values, gradients, Hessian products and factorisations spent.
    converged : bool
    status : str
        One sentence for a person.
    method : str
        The solver, and why it was chosen.
    rule : str
    network : Network or None
    metric : Metric or None
        Neither is saved.

    Notes
    -----
    Both minima are local ones. Of the bound's, a saddle that Newton's method ran into is left by
    one bent start, and ``lower_bound_note`` says so. A gap of many per cent means that the network
    goes another way than the bound; begin from another ``theta``. A left-rule energy may lie below
    the squared distance (it tends to it at order 1); ``curve.length(metric)`` never does.
    """

    theta: np.ndarray = field(repr=False)
    path: np.ndarray = field(repr=False)
    energy: float
    length: float
    lower_bound: float | None
    lower_bound_note: str
    endpoint_violation: float
    kkt_residual: float
    iterations: int
    counts: dict[str, int]
    converged: bool
    status: str
    method: str
    rule: str
    network: Network | None = None
    metric: AbstractMetric | None = field(default=None, repr=False)

    @property
    def gap(self) -> float | None:
        """energy/lower_bound − 1; None without a bound, 0 where nothing moves."""
        if self.lower_bound is None:
            return None
        if self.lower_bound == 0:
            return 0.0 if self.energy == 0 else np.inf
        return self.energy / self.lower_bound - 1

    @property
    def curve(self) -> Curve:
        """The path as a curve of maps."""
        return Curve(self.path)

    def save(self, path: Any) -> None:
        """Save parameters, path and numbers as an NPZ, whole or not at all."""
        header = json.dumps({name: getattr(self, name) for name in NUMBERS})

        write_npz(path, theta=self.theta, path=self.path, header=header)

    @classmethod
    def load(cls, path: Any) -> ArchitectureGeodesic:
        """Load what :meth:`save` wrote; network and metric are not part of it."""
        try:
            arrays = read_npz(Path(path), "path", "theta", "header")
            header = json.loads(str(arrays["header"]))
            return cls(theta=arrays["theta"], path=arrays["path"], **header)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"path: {str(path)!r} is no saved fit within an architecture ({error})"
            ) from None

    def __repr__(self) -> str:
        gap = "-" if self.gap is None else f"{100 * self.gap:.3g} %"
        return (
            f"ArchitectureGeodesic(energy={self.energy:.8g}, gap={gap}, length={self.length:.8g}, "
            f"end point missed by {self.endpoint_violation:.1e}, KKT {self.kkt_residual:.1e}, "
            f"{self.iterations} iterations, {'converged' if self.converged else 'NOT CONVERGED'}; "
            f"{self.method})"
        )
