r"""The Fisher–Rao metric: how much the prediction changes as the map moves.

Equation (1) of Dong & Zhou (2019), pulled back to maps through a readout
:math:`z_i = Wφ_i + b` of a likelihood p(y|z):

.. math:: \langle v,v\rangle_φ = \sum_i w_i\big(|S(z_i)Wv_i|^2 + ε|v_i|^2\big), \qquad
          S^\top S = F(z).

It does not couple the sample's points, so a geodesic splits into n of dimension at most C: with
the thin singular value decomposition :math:`W = UΣV^\top` each point moves by
:math:`a = V^\topφ_i` in the row space of W, and straight in its null space.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.metric import PointwiseMetric
from ..geometry.space import FunctionSpace
from ..geometry.steps import Steps
from ..likelihoods import Likelihood, SquaredDistance
from ..utils.validation import broadcast_pair, check_positive
from .base import Metric

__all__ = ["FisherRaoMetric"]


class FisherRaoMetric(PointwiseMetric, Metric):
    r"""Fisher–Rao metric of the predictions, with a ridge that makes it Riemannian.

    Its squared step is closed, :math:`\sum_i w_i[d_{lik}(z_i,z_i')^2 + ε|φ_i-φ_i'|^2]`, and so
    no discrete path is shorter than the closed distance of the predictions at its ends.

    Parameters
    ----------
    space : FunctionSpace
    likelihood : Likelihood
    readout : Readout
        Anything with ``weight`` (C, d) and ``bias`` (C,).
    ridge : float, optional
        The ε above; by default 1e-4·tr(WᵀF(0)W)/rank W.

    Examples
    --------
    >>> import geomnet as gn
    >>> space = gn.FunctionSpace([[-10.0]])
    >>> metric = gn.FisherRaoMetric(space, gn.Bernoulli(), gn.Readout([[1.0]], [0.0]), ridge=1e-4)
    >>> round(gn.geodesic(metric, [[-10.0]], [[10.0]], n_steps=256).distance, 3)
    3.141
    """

    def __init__(
        self, space: FunctionSpace, likelihood: Likelihood, readout: Any, ridge: float | None = None
    ) -> None:
        super().__init__(space)
        if not isinstance(likelihood, Likelihood):
            raise InputError(
                f"likelihood: expected one such as gn.Categorical(10), got {likelihood!r}"
            )
        _n, d = space.shape
        weight = np.asarray(getattr(readout, "weight", ()))
        bias = np.asarray(getattr(readout, "bias", ()))
        if weight.shape != (likelihood.n_parameters, d):
            raise InputError(
                f"readout: for {likelihood!r} and maps of R^{d} its weight must have shape "
                f"{(likelihood.n_parameters, d)}, got {weight.shape}"
            )
        self.likelihood, self.readout = likelihood, readout
        projector = likelihood.gauge_projector()
        effective = weight if projector is None else projector @ weight
        left, sizes, right = np.linalg.svd(effective, full_matrices=False)
        # relative to the weight as given: what is left of equal rows is rounding
        rank = int((sizes > max(1e-10 * sizes[0], 1e-14 * np.linalg.norm(weight))).sum())
        if rank == 0:
            raise InputError(
                "readout: its weight is zero (or the same for every class), so no map changes "
                "any prediction; train it, or use gn.L2Metric"
            )
        self.rank = rank
        self._weight = np.asarray(effective, dtype=np.float64)
        self._bias = np.asarray(bias if projector is None else projector @ bias, dtype=float)
        self._rows = right[:rank]  # Vᵀ, (r, d)
        self._load = left[:, :rank] * sizes[:rank]  # UΣ, (C, r)
        if ridge is None:
            fisher = likelihood.fisher_matrix(np.zeros(likelihood.n_parameters))
            ridge = 1e-4 * float(np.trace(self._load.T @ fisher @ self._load)) / rank
        self.ridge = check_positive("ridge", ridge)
        self._sample_weights = space.sample.weights

    def __repr__(self) -> str:
        return f"FisherRaoMetric({self.likelihood!r}, ridge={self.ridge:.3g})"

    # -- the metric ---------------------------------------------------------------------------

    def predict(self, maps: Any) -> Any:
        """Parameters z = Wφ + b of the likelihood (gauge removed), (..., n, C)."""
        return anp.matmul(maps, self._weight.T) + self._bias

    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Inner product, (...)."""
        factor = self.likelihood.fisher_factor(self.predict(base_point))

        def signal(v: ArrayLike) -> Any:
            return anp.matmul(factor, anp.matmul(v, self._weight.T)[..., None])[..., 0]

        fisher = anp.sum(signal(tangent_vec_a) * signal(tangent_vec_b), axis=-1)
        plain = anp.sum(tangent_vec_a * tangent_vec_b, axis=-1)
        return anp.sum(self._sample_weights * (fisher + self.ridge * plain), axis=-1)

    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Return w(WᵀFWv + εv), (..., n, d)."""
        vec, base = broadcast_pair(tangent_vec, base_point)
        factor = self.likelihood.fisher_factor(self.predict(base))
        signal = factor @ (vec @ self._weight.T)[..., None]
        pulled = (np.swapaxes(factor, -1, -2) @ signal)[..., 0] @ self._weight
        return self._sample_weights[:, None] * (pulled + self.ridge * vec)

    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Inverse of :meth:`flat`: an r×r solve per point, and a division off the row space."""
        p, base = broadcast_pair(cotangent_vec, base_point)
        p = p / self._sample_weights[:, None]
        inner, rest = self.split(p)
        solved = np.linalg.solve(self.reduced_metric(base @ self._rows.T), inner[..., None])
        return rest / self.ridge + solved[..., 0] @ self._rows

    def quadratic_gradient(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Return w Wᵀ∂_z(vᵀWᵀF(z)Wv), (..., n, d)."""
        vec, base = broadcast_pair(tangent_vec, base_point)
        slope = self.likelihood.fisher_gradient(self.predict(base), vec @ self._weight.T)
        return self._sample_weights[:, None] * (slope @ self._weight)

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Closed squared step, (...)."""
        closed = self.likelihood.squared_distance(self.predict(start), self.predict(end))
        moved = np.sum((end - start) ** 2, axis=-1)
        return np.sum(self._sample_weights * (closed + self.ridge * moved), axis=-1)

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Closed squared steps with exact derivatives."""
        return _FisherRaoSteps(self, start, end)

    def closed_distance(self, start: Any, end: Any) -> np.ndarray:
        r"""Product distance of the predictions, :math:`\sqrt{\sum_i w_i d(z_i,z_i')^2}`.

        A lower bound of :meth:`dist`, and its limit as ridge → 0 where z ↦ p is onto.
        """
        closed = self.likelihood.squared_distance(self.predict(start), self.predict(end))
        return np.sqrt(np.sum(self._sample_weights * closed, axis=-1))

    # -- the pointwise problem, for solvers that split over the sample ------------------------

    @property
    def point_weights(self) -> np.ndarray:
        """Weights of the independent problems, (n,)."""
        return self._sample_weights

    def split(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates in the row space of W, (..., n, r), and what is left, (..., n, d).

        Where W has full column rank nothing is left: zero, not rounding that a small ridge
        would blow up.
        """
        reduced = maps @ self._rows.T
        if self.rank == maps.shape[-1]:
            return reduced, np.zeros_like(maps)
        return reduced, maps - reduced @ self._rows

    def join(self, reduced: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Inverse of :meth:`split`."""
        return reduced @ self._rows + rest

    def reduced_jet(self, start: np.ndarray, end: np.ndarray) -> SquaredDistance:
        """Unweighted squared steps of reduced coordinates, (..., r), with derivatives."""
        load = self._load
        jet = self.likelihood.squared_distance_jet(
            start @ load.T + self._bias, end @ load.T + self._bias
        )
        step = end - start
        eye = 2 * self.ridge * np.eye(self.rank)
        return SquaredDistance(
            jet.value + self.ridge * np.sum(step**2, axis=-1),
            jet.gradient_start @ load - 2 * self.ridge * step,
            jet.gradient_end @ load + 2 * self.ridge * step,
            load.T @ jet.hessian_start @ load + eye,
            load.T @ jet.mixed @ load - eye,
            load.T @ jet.hessian_end @ load + eye,
        )

    def reduced_squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Values of :meth:`reduced_jet` only."""
        closed = self.likelihood.squared_distance(
            start @ self._load.T + self._bias, end @ self._load.T + self._bias
        )
        return closed + self.ridge * np.sum((end - start) ** 2, axis=-1)

    def reduced_metric(self, point: np.ndarray) -> np.ndarray:
        """Unweighted metric matrix in reduced coordinates, (..., r, r)."""
        signal = self.likelihood.fisher_factor(point @ self._load.T + self._bias) @ self._load
        return np.swapaxes(signal, -1, -2) @ signal + self.ridge * np.eye(self.rank)

    def reduced_guess(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Likelihood's own geodesic, as near as the readout can follow: (T, ..., r).

        Where z ↦ a is onto this is the limit of the geodesic as ridge → 0.
        """
        z = self.likelihood.geodesic(
            start @ self._load.T + self._bias, end @ self._load.T + self._bias, times
        )
        inverse = np.linalg.pinv(self._load)
        path = (z - self._bias) @ inverse.T
        # what the likelihood cannot see (the ends' logits, once saturated) is carried linearly
        miss_start, miss_end = start - path[0], end - path[-1]
        share = np.asarray(times).reshape((-1,) + (1,) * start.ndim)
        return path + (1 - share) * miss_start + share * miss_end


class _FisherRaoSteps(Steps):
    """Closed squared steps of k segments, embedded from the reduced coordinates."""

    def __init__(self, metric: FisherRaoMetric, start: np.ndarray, end: np.ndarray) -> None:
        self.metric = metric
        self._start, self._rest_start = metric.split(start)
        self._end, self._rest_end = metric.split(end)
        self._jet = metric.reduced_jet(self._start, self._end)
        self._rest = self._rest_end - self._rest_start
        rest = metric.ridge * np.sum(self._rest**2, axis=-1)
        self.squared = np.sum(metric.point_weights * (self._jet.value + rest), axis=-1)
        self._inverse: np.ndarray | None = None

    def _embed(self, reduced: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return self.metric.point_weights[:, None] * self.metric.join(reduced, rest)

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        pull = 2 * self.metric.ridge * self._rest
        return (
            self._embed(self._jet.gradient_start, -pull),
            self._embed(self._jet.gradient_end, pull),
        )

    def hessian_product(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ax, rest_x = self.metric.split(dx)
        ay, rest_y = self.metric.split(dy)
        jet, pull = self._jet, 2 * self.metric.ridge * (rest_y - rest_x)

        def times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
            return (matrix @ vector[..., None])[..., 0]

        return (
            self._embed(times(jet.hessian_start, ax) + times(jet.mixed, ay), -pull),
            self._embed(
                times(np.swapaxes(jet.mixed, -1, -2), ax) + times(jet.hessian_end, ay), pull
            ),
        )

    @property
    def _cometric(self) -> np.ndarray:
        if self._inverse is None:
            self._inverse = np.linalg.inv(
                self.metric.reduced_metric(0.5 * (self._start + self._end))
            )
        return self._inverse

    def sharp(self, p: np.ndarray) -> np.ndarray:
        reduced, rest = self.metric.split(p / self.metric.point_weights[:, None])
        return self.metric.join(
            (self._cometric @ reduced[..., None])[..., 0], rest / self.metric.ridge
        )

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        reduced, rest = self.metric.split(r)
        total = self._cometric.sum(axis=0)
        solved = np.linalg.solve(total, reduced[..., None])[..., 0]
        k = len(self._start)
        return self._embed(solved, rest * self.metric.ridge / k)
