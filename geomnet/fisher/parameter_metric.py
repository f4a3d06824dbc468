r"""The Fisher information as a Riemannian metric on parameter space."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.metric_matrix import SLOPE, coordinate_scale
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..metrics import ChartMetric
from ..networks import Readout, UnknownParametersError, model
from ..utils.validation import check_batches, check_integer, check_positive
from .information import FisherInformation

__all__ = ["ParameterFisherMetric"]


class ParameterFisherMetric(ChartMetric):
    r"""The metric :math:`\langle u, v\rangle_θ = u^\top(G(θ) + δI)v` on parameters θ (p,).

    A geomstats metric: ``exp``, ``log``, ``dist`` and ``geodesic`` come from the solvers, for
    networks of some twenty parameters. G is singular
    where parameters leave no trace on the sample, as a rule; the damping δ makes it Riemannian.
    Geodesics run far out along such directions where δ is small, and take minutes to find; a
    hundredth of the mean diagonal of G takes seconds.

    .. math:: ∂_θ(v^\top Gv) = \sum_iw_i\left(J_i^\top∂_z(\dot z^\top F\dot z)
        + 2\,\tfrac d{ds}J_i(θ + sv)^\top F_i\dot z_i\right),\qquad \dot z_i = J_iv,

    the second by a central difference of products.

    Parameters
    ----------
    network : FeedForward, Network or callable
        A callable takes (θ, x) to z, in ``autograd.numpy``; it needs `n_parameters`.
    sample : Sample or array_like, shape (n, d)
    likelihood : Likelihood
    readout : Readout, optional
        Its parameters are coordinates too, after those of the network; of this one only the
        shape is taken.
    damping : float
        δ > 0.
    n_parameters : int, optional
        For a callable.

    Examples
    --------
    One normal mean for all data, z = θ: the distance is the Mahalanobis distance.

    >>> import geomnet as gn
    >>> metric = gn.ParameterFisherMetric(
    ...     lambda theta, x: 0.0 * x + theta, [[0.0], [1.0]], gn.Gaussian(sigma=0.5),
    ...     damping=1e-12, n_parameters=1,
    ... )
    >>> round(float(metric.dist([0.0], [1.0])), 9)
    2.0
    """

    def __init__(
        self,
        network: object,
        sample: Sample | ArrayLike,
        likelihood: Likelihood,
        readout: Readout | None = None,
        damping: float = 1e-3,
        *,
        n_parameters: int | None = None,
    ) -> None:
        self.damping = check_positive("damping", damping)
        zeros = _zeros(network, n_parameters)
        self._origin = FisherInformation(network, zeros, sample, likelihood, readout)
        # solvers come back to a point for its matrix, and for its derivatives in batches
        self._at = lru_cache(maxsize=64)(lambda key: self._origin.at(np.frombuffer(key)))
        super().__init__(self._matrices, self._origin.n_parameters, self._gradients)

    def __repr__(self) -> str:
        fisher = self._origin
        return (
            f"ParameterFisherMetric(p={fisher.n_parameters}, n={fisher.sample.n}, "
            f"{fisher.likelihood}, damping={self.damping:g})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Copies and pickles are made anew, as the cache is not theirs."""
        fisher = self._origin
        return _remade, (
            fisher.network,
            fisher.sample,
            fisher.likelihood,
            fisher.readout,
            self.damping,
            fisher.n_parameters,
        )

    def fisher(self, theta: ArrayLike) -> FisherInformation:
        """The Fisher information at θ (p,)."""
        (theta,) = check_batches(self.space.shape, theta=theta)
        return self._at(np.ascontiguousarray(theta).tobytes())

    def inner_product(
        self, tangent_vec_a: ArrayLike, tangent_vec_b: ArrayLike, base_point: ArrayLike
    ) -> np.ndarray:
        """Inner products of tangent vectors (..., p), by products with the Jacobian."""
        a, b, base = check_batches(
            self.space.shape,
            tangent_vec_a=tangent_vec_a,
            tangent_vec_b=tangent_vec_b,
            base_point=base_point,
        )
        shape, p = a.shape[:-1], a.shape[-1]
        found = self.damping * np.sum(a * b, axis=-1)
        pushed = [
            np.vdot(*self.fisher(theta).push(np.stack(pair)))
            for *pair, theta in zip(a.reshape(-1, p), b.reshape(-1, p), base.reshape(-1, p))
        ]
        products: np.ndarray = found + np.reshape(pushed, shape)
        return products

    def _matrices(self, points: np.ndarray) -> np.ndarray:
        """G + δI at points (k, p)."""
        found = np.stack([self.fisher(theta).dense() for theta in points])
        found[:, np.arange(found.shape[1]), np.arange(found.shape[1])] += self.damping
        return found

    def _gradients(self, v: np.ndarray, points: np.ndarray) -> np.ndarray:
        """∂_θ(vᵀGv) at vectors (k, p) and points (k, p), or (j, k, p) and (1, k, p)."""
        if v.ndim == 3 and points.shape[0] == 1:  # many vectors at each point: in one pass
            each = [self._gradient(theta, v[:, k]) for k, theta in enumerate(points[0])]
            return np.stack(each, axis=1)
        size = v.shape[-1]
        pairs = zip(np.reshape(points, (-1, size)), np.reshape(v, (-1, 1, size)))
        return np.reshape([self._gradient(theta, row)[0] for theta, row in pairs], v.shape)

    def _gradient(self, theta: np.ndarray, v: np.ndarray) -> np.ndarray:
        """∂_θ(vᵀGv) at one θ for vectors (j, p)."""
        fisher = self.fisher(theta)
        likelihood, weights = fisher.likelihood, fisher.sample.weights[:, None, None]
        model = fisher.model.linearise(theta, fisher.sample.points)
        z = model.output
        moved = model.push(v)
        first = likelihood.fisher_gradient(np.repeat(z[:, None], len(v), axis=1), moved)
        found = model.pull(weights * first)
        covectors = 2 * weights * likelihood.fisher_product(z, moved)
        sizes = np.linalg.norm(v, axis=1, keepdims=True)
        steps = SLOPE * coordinate_scale(theta[None])[0, 0] * np.sqrt(len(theta))
        for j in np.flatnonzero(sizes):
            step = steps / sizes[j] * v[j]
            ends = [
                fisher.model.linearise(theta + s * step, fisher.sample.points).pull(
                    np.ascontiguousarray(covectors[:, j : j + 1])
                )[0]
                for s in (1.0, -1.0)
            ]
            found[j] += (ends[0] - ends[1]) * sizes[j] / (2 * steps)
        return found


def _remade(
    network: object,
    sample: Sample | ArrayLike,
    likelihood: Likelihood,
    readout: Readout | None,
    damping: float,
    count: int,
) -> ParameterFisherMetric:
    return ParameterFisherMetric(network, sample, likelihood, readout, damping, n_parameters=count)


def _zeros(network: object, n_parameters: int | None) -> np.ndarray:
    """Parameters to begin with: of a function their number must be given."""
    try:
        return np.zeros(model(network).parameters_shape)
    except UnknownParametersError:
        if n_parameters is None:
            raise InputError("n_parameters: how many parameters the function takes") from None
        return np.zeros(check_integer("n_parameters", n_parameters, least=1))
