r"""The space of maps, observed on a sample: a geomstats manifold.

A map :math:`φ: \mathbb R^d → \mathbb R^d` observed on :math:`x_1..x_n` is the array
:math:`φ(x_i)`, shape ``(n, d)``. As a set this is :math:`\mathbb R^{n×d}`; what makes it more
than a vector space is the metric one equips it with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from geomstats.geometry.manifold import Manifold

from .errors import InputError, check_array
from .sample import Sample

__all__ = ["FunctionSpace"]


class FunctionSpace(Manifold):
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

    def observe(self, function: Any) -> np.ndarray:
        """Observe a map given as a function from ``(n, d)`` arrays to ``(n, d)`` arrays."""
        return check_array("function(points)", function(self.sample.points), shape=self.shape)

    def default_metric(self):
        """Raise: a function space has no canonical metric, choosing one is the point."""
        raise InputError(
            "Metric: a function space has no default metric; pass gn.L2Metric, "
            "gn.EnergyMetric, gn.FisherRaoMetric or your own"
        )

    def _fits(self, array: Any) -> Any:
        array = np.asarray(array)
        batch = array.shape[: array.ndim - 2]
        fits = (
            array.shape[-2:] == self.shape and array.dtype != object and array.dtype.kind in "fiub"
        )
        if not fits:
            return np.zeros(batch, dtype=bool) if batch else np.False_
        return np.isfinite(array).all(axis=(-2, -1))

    def belongs(self, point, atol=None):
        """Tell whether arrays are observed maps: of shape ``(..., n, d)`` and finite."""
        return self._fits(point)

    def is_tangent(self, vector, base_point=None, atol=None):
        """Tell whether arrays are tangent vectors: of shape ``(..., n, d)`` and finite."""
        return self._fits(vector)

    def to_tangent(self, vector, base_point=None):
        """Return the vector as float64: every direction is tangent."""
        return np.array(vector, dtype=np.float64)

    def projection(self, point):
        """Return the point as float64: the space is all of its array space."""
        return np.array(point, dtype=np.float64)

    def random_point(self, n_samples=1, bound=1.0, seed=None):
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

    def random_tangent_vec(self, base_point=None, n_samples=1, seed=None):
        """Draw tangent vectors with independent standard normal entries."""
        rng = np.random.default_rng(seed)
        batch = () if n_samples == 1 else (n_samples,)
        return rng.normal(size=batch + self.shape)

    def __repr__(self) -> str:
        metric = f", metric={self.metric!r}" if hasattr(self, "metric") else ""
        return f"FunctionSpace(n={self.shape[0]}, dim={self.shape[1]}{metric})"
