r"""Spaces of points given by arrays: maps observed on a sample, and charts, as geomstats manifolds.

A map :math:`φ: \mathbb R^d → \mathbb R^d` observed on :math:`x_1..x_n` is the array
:math:`φ(x_i)`, shape ``(n, d)``. As a set this is :math:`\mathbb R^{n×d}`; what makes it more
than a vector space is the metric one equips it with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from geomstats.geometry.manifold import Manifold
from numpy.typing import ArrayLike

from ..errors import InputError
from ..utils.validation import check_array
from .points import VectorPoints
from .sample import Sample

__all__ = ["ChartSpace", "FunctionSpace"]

Seed = int | np.random.Generator | None


class _ArraySpace(VectorPoints, Manifold):
    """An open set of arrays of one shape: every direction is tangent, points move as vectors."""

    def default_metric(self) -> NoReturn:
        """Raise: such a space has no canonical metric, choosing one is the point."""
        raise InputError(
            "Metric: this space has no default metric; pass gn.L2Metric, gn.EnergyMetric, "
            "gn.FisherRaoMetric or your own"
        )

    def _fits(self, given: ArrayLike) -> Any:
        array, axes = np.asarray(given), len(self.shape)
        batch = array.shape[: max(0, array.ndim - axes)]
        fits = (
            array.shape[array.ndim - axes :] == self.shape
            and array.dtype != object
            and array.dtype.kind in "fiub"
        )
        if not fits:
            return np.zeros(batch, dtype=bool) if batch else np.False_
        return np.isfinite(array).all(axis=tuple(range(-axes, 0)))

    def belongs(self, point: ArrayLike, atol: float | None = None) -> Any:
        """Tell whether arrays are points: of the space's shape, and finite."""
        return self._fits(point)

    def is_tangent(
        self, vector: ArrayLike, base_point: ArrayLike | None = None, atol: float | None = None
    ) -> Any:
        """Tell whether arrays are tangent vectors: of the space's shape, and finite."""
        return self._fits(vector)

    def to_tangent(self, vector: ArrayLike, base_point: ArrayLike | None = None) -> np.ndarray:
        """Return the vector as float64: every direction is tangent."""
        return np.array(vector, dtype=np.float64)

    def projection(self, point: ArrayLike) -> np.ndarray:
        """Return the point as float64: the space is all of its array space."""
        return np.array(point, dtype=np.float64)

    def random_tangent_vec(
        self, base_point: ArrayLike | None = None, n_samples: int = 1, seed: Seed = None
    ) -> np.ndarray:
        """Draw tangent vectors with independent standard normal entries."""
        rng = np.random.default_rng(seed)
        batch = () if n_samples == 1 else (n_samples,)
        return rng.normal(size=batch + self.shape)


class FunctionSpace(_ArraySpace):
    r"""Maps of :math:`\mathbb R^d`, observed on a sample, as a geomstats manifold.

    Points and tangent vectors are arrays of shape ``(n, d)``; every method takes leading axes.

    Parameters
    ----------
    sample : Sample or array_like, shape (n, d)
        Where maps are observed. An array is taken with equal weights.

    Attributes
    ----------
    sample : Sample
    identity : ndarray, shape (n, d)
        The identity map: the sample's points themselves.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> space.shape, space.dim
    ((3, 2), 6)
    >>> space.equip_with_metric(gn.L2Metric)
    FunctionSpace(n=3, dim=2, metric=L2Metric())
    """

    def __init__(self, sample: Sample) -> None:
        if not isinstance(sample, Sample):
            sample = Sample(sample)
        self.sample = sample
        super().__init__(dim=sample.n * sample.dim, shape=(sample.n, sample.dim), equip=False)

    @property
    def identity(self) -> np.ndarray:
        """The identity map, observed: the points of the sample."""
        return self.sample.points

    def observe(self, function: Callable[[np.ndarray], ArrayLike]) -> np.ndarray:
        """Observe a map given as a function from ``(n, d)`` arrays to ``(n, d)`` arrays."""
        return check_array("function(points)", function(self.sample.points), shape=self.shape)

    def random_point(self, n_samples: int = 1, bound: float = 1.0, seed: Seed = None) -> np.ndarray:
        """Draw maps near the identity: the points, moved by normal steps of size 0.1·`bound`.

        Parameters
        ----------
        n_samples : int
        bound : float
            Scale of the displacement, in units of a tenth of the sample's spread.
        seed : int or numpy.random.Generator, optional

        Returns
        -------
        ndarray, shape (n, d) or (n_samples, n, d)
        """
        rng = np.random.default_rng(seed)
        batch = () if n_samples == 1 else (n_samples,)
        spread = self.identity.std() or 1.0
        return self.identity + 0.1 * bound * spread * rng.normal(size=batch + self.shape)

    def __repr__(self) -> str:
        metric = f", metric={self.metric!r}" if hasattr(self, "metric") else ""
        return f"FunctionSpace(n={self.shape[0]}, dim={self.shape[1]}{metric})"


class ChartSpace(_ArraySpace):
    """A coordinate chart: vectors of R^d, or those of a domain in it, as a geomstats manifold.

    Metrics in coordinates make their own, ``metric.space``.

    Parameters
    ----------
    dim : int
    domain : callable, optional
        From points (k, d) to booleans (k,); all of R^d by default.
    """

    def __init__(self, dim: int, domain: Callable[[Any], Any] | None = None) -> None:
        self.domain = domain
        super().__init__(dim=dim, shape=(dim,), equip=False)

    def belongs(self, point: ArrayLike, atol: float | None = None) -> Any:
        """Tell whether arrays are points of the chart: (..., d), finite, in the domain."""
        fits = self._fits(point)
        if self.domain is None or not np.any(fits):
            return fits
        flat = np.asarray(point, dtype=np.float64).reshape(-1, self.dim)
        return fits & np.asarray(self.domain(flat), dtype=bool).reshape(fits.shape)

    def random_point(self, n_samples: int = 1, bound: float = 1.0, seed: Seed = None) -> np.ndarray:
        """Draw standard normal points, scaled by `bound`, until they lie in the domain."""
        rng = np.random.default_rng(seed)
        found = np.empty((0, self.dim))
        for _ in range(1000):
            drawn = bound * rng.normal(size=(max(8, n_samples), self.dim))
            found = np.concatenate([found, drawn[self.belongs(drawn)]])
            if len(found) >= n_samples:
                return found[0] if n_samples == 1 else found[:n_samples]
        raise InputError(
            "domain: holds none of 8000 standard normal points; give points to start from"
        )

    def __repr__(self) -> str:
        metric = f", metric={self.metric!r}" if hasattr(self, "metric") else ""
        return f"ChartSpace(dim={self.dim}{metric})"
