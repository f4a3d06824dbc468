"""The result of a geodesic solve: a path that knows how far to trust it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.curve import Curve
from ..geometry.datasets import read_npz
from ..geometry.metric import AbstractMetric
from ..geometry.points import VECTORS, Interpolant
from ..utils.files import write_npz
from .certificate import Certificate
from .spectral.legendre import evaluate

__all__ = ["Geodesic"]


@dataclass(frozen=True, eq=False)
class Geodesic:
    """A least-energy path between two maps, with its certificate.

    Attributes
    ----------
    path : ndarray, shape (N+1, n, d)
        States at uniform times.
    length : float
        Length of the discrete path itself.
    distance : float
        Richardson value of the length: the best estimate of the distance.
    energy : float
        Discrete energy; length² on a geodesic.
    initial_velocity : ndarray, shape (n, d)
        The logarithm, extrapolated.
    certificate : Certificate
    status : str
        One sentence for a person: what the solver reached, and the remedy where it fell short.
    method : str
        The solver, and why it was chosen.
    metric : Metric or None
        Not saved.
    coefficients : ndarray, shape (p-1, ...), or None
        Of the integrated Legendre polynomials, where the path is a polynomial.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[-1.0, 0.0], [1.0, 0.0]])
    >>> geo = gn.geodesic(gn.L2Metric(space), space.identity, space.identity + 1.0)
    >>> geo(0.5)
    array([[-0.5,  0.5],
           [ 1.5,  0.5]])
    """

    path: np.ndarray
    length: float
    distance: float
    energy: float
    initial_velocity: np.ndarray
    certificate: Certificate
    status: str
    method: str
    metric: AbstractMetric | None = field(default=None, repr=False)
    coefficients: np.ndarray | None = field(default=None, repr=False)

    @property
    def n_steps(self) -> int:
        """Number of steps N."""
        return len(self.path) - 1

    @property
    def error_estimate(self) -> float:
        """Bound on the error of `distance`."""
        return self.certificate.error_estimate

    @property
    def curve(self) -> Curve:
        """The path as a curve of maps."""
        return Curve(self.path)

    @cached_property
    def _spline(self) -> Interpolant:
        points = VECTORS if self.metric is None else self.metric.points
        return points.interpolant(self.path)

    def _at(self, t: ArrayLike, order: int) -> np.ndarray:
        times = np.asarray(t, dtype=np.float64)
        if not ((times >= 0) & (times <= 1)).all():
            raise InputError("t: a geodesic runs over times in [0, 1]")
        if self.coefficients is None:
            return self._spline(times, order)
        found = evaluate(self.path[0], self.path[-1], self.coefficients, times.reshape(-1))[order]
        return found.reshape(*times.shape, *self.path.shape[1:])

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """States at times in [0, 1] (a number, or shape (k,)), by cubic splines or exactly."""
        return self._at(t, 0)

    def velocity(self, t: ArrayLike) -> np.ndarray:
        """Velocities at times in [0, 1], likewise."""
        return self._at(t, 1)

    def excess(self, curve: Curve) -> float:
        """Length of a curve over the distance of its ends, at least 1.

        Parameters
        ----------
        curve : Curve
            From the geodesic's start to its end.

        Raises
        ------
        InputError
            Where the curve has other ends, or the metric is not at hand (a loaded result).
        """
        curve = curve if isinstance(curve, Curve) else Curve(curve)
        if self.metric is None:
            raise InputError(
                "metric: a loaded geodesic has none; divide curve.length(metric) by its distance"
            )
        for name, mine, theirs in (
            ("start", self.path[0], curve.start),
            ("end", self.path[-1], curve.end),
        ):
            if mine.shape != theirs.shape or not np.allclose(mine, theirs, rtol=0, atol=1e-8):
                raise InputError(f"curve: its {name} is not the geodesic's {name}")
        if self.distance == 0:
            return np.inf if curve.length(self.metric) > 0 else 1.0
        return curve.length(self.metric) / self.distance

    def save(self, path: str | Path) -> None:
        """Save path, numbers and certificate as an NPZ, whole or not at all."""
        header = json.dumps(
            {
                "length": self.length,
                "distance": self.distance,
                "energy": self.energy,
                "certificate": self.certificate.as_dict(),
                "status": self.status,
                "method": self.method,
            }
        )

        arrays: dict[str, Any] = {"path": self.path, "initial_velocity": self.initial_velocity}
        if self.coefficients is not None:
            arrays["coefficients"] = self.coefficients

        write_npz(path, header=header, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Geodesic:
        """Load what :meth:`save` wrote; the metric is not part of it."""
        try:
            arrays = read_npz(Path(path), "path", "initial_velocity", "header", "coefficients")
            header = json.loads(str(arrays["header"]))
            return cls(
                path=arrays["path"],
                initial_velocity=arrays["initial_velocity"],
                certificate=Certificate(**header.pop("certificate")),
                coefficients=arrays.get("coefficients"),
                **header,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"path: {str(path)!r} is no saved geodesic ({error})") from None

    def __repr__(self) -> str:
        n = "".join(f"n={n}, " for n in self.path.shape[1:-1])
        return (
            f"Geodesic(distance={self.distance:.8g} ± {self.error_estimate:.1e}, "
            f"length={self.length:.8g}, n_steps={self.n_steps}, {n}dim={self.path.shape[-1]}, "
            f"{self.certificate}; {self.method})"
        )
