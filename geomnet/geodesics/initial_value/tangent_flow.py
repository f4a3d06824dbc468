r"""The linearised geodesic flow: how a geodesic moves with its initial point and momentum.

With :math:`h(x,v) = \langle v,v\rangle_x`, G the metric, :math:`C = ∂_x∂_vh` and :math:`A = ∂_x^2h`
taken at :math:`v = ♯p`, a change (δx, δp) of a solution of Hamilton's equations obeys

.. math:: δ\dot x = δv = ♯(δp - ½C^\topδx), \qquad δ\dot p = ½(C\,δv + A\,δx).

δx along the geodesic is a Jacobi field. Many changes of many geodesics go in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...geometry.metric_matrix import MetricMatrix
from .flow import Flow, integrate

__all__ = ["TangentFlow", "follow", "matrix_at", "tangent_rates"]

STENCIL = 1e-4
"""Step of the differences of q in the metric, over the way gone in a unit of time."""

FINEST = 1e-10
"""Least tolerance: below it differences would show as noise, and steps shrink for nothing."""

WEIGHTS = np.array([1.0, -8.0, 8.0, -1.0]) / 12
"""Of the difference of order 4 at −2, −1, 1, 2 steps."""


def tangent_rates(
    metric: Any, x: np.ndarray, p: np.ndarray, dx: np.ndarray, dp: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rates of k states and of m changes of each.

    Parameters
    ----------
    x, p : ndarray, shape (k, ...)
    dx, dp : ndarray, shape (m, k, ...)

    Returns
    -------
    v, force : ndarray, shape (k, ...)
    dv, dforce : ndarray, shape (m, k, ...)
    """
    own = getattr(metric, "hamiltonian_derivative", None)
    if own is not None:
        return *metric.hamiltonian_field(x, p), *own(x, p, dx, dp)
    if isinstance(getattr(metric, "matrix", None), MetricMatrix):
        return _in_chart(metric.matrix, x, p, dx, dp)
    v = np.asarray(metric.sharp(p, x))
    force = 0.5 * metric.linearise(v, x).gradient
    return v, force, *_by_products(metric, v, x, dx, dp)


def _in_chart(
    matrix: MetricMatrix, x: np.ndarray, p: np.ndarray, dx: np.ndarray, dp: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rates by dense G, C and A, from one call of q.

    Cv is exact by polarisation; A = ∂_xq takes differences of order 4 in an orthonormal frame,
    whose steps stay small against the metric where coordinates do not tell how near the chart's
    edge is. What is left is smooth in x, and does not disturb the integrator.
    """
    k, d = x.shape
    lower = np.linalg.cholesky(matrix(x))
    inverse = np.linalg.inv(lower)
    v = np.einsum("kba,kbc,kc->ka", inverse, inverse, p)
    speed = np.sqrt(np.sum(p * v, axis=-1))
    size = np.abs(v).max() or 1.0
    units = size * np.eye(d)[:, None, :]
    # rows of the inverse are orthonormal vectors; none may move coordinates by much of their size
    reach = np.maximum(1.0, np.abs(x).max(axis=1) / np.abs(inverse).max(axis=(1, 2)))
    steps = STENCIL * np.minimum(np.where(speed > 0, speed, 1.0), reach)[:, None]
    moves = np.swapaxes(inverse, 0, 1) * steps
    shifted = x + np.array([-2.0, -1.0, 1.0, 2.0])[:, None, None, None] * moves
    q = matrix.quadratic_gradient(
        np.concatenate([v[None], v + units, v - units, np.broadcast_to(v, (4 * d, k, d))]).reshape(
            -1, d
        ),
        np.concatenate([np.broadcast_to(x, (1 + 2 * d, k, d)), shifted.reshape(-1, k, d)]).reshape(
            -1, d
        ),
    ).reshape(1 + 6 * d, k, d)
    mixed = np.moveaxis(q[1 : d + 1] - q[d + 1 : 2 * d + 1], 0, -1) / (2 * size)
    slopes = np.tensordot(WEIGHTS, q[2 * d + 1 :].reshape(4, d, k, d), axes=1) / steps
    curvature = np.moveaxis(slopes, 0, -1) @ np.swapaxes(lower, 1, 2)
    curvature = 0.5 * (curvature + np.swapaxes(curvature, 1, 2))
    left, right = (np.moveaxis(y, 0, -1) for y in (dx, dp))
    bent = inverse @ (right - 0.5 * np.swapaxes(mixed, 1, 2) @ left)
    dv = np.swapaxes(inverse, 1, 2) @ bent
    dforce = 0.5 * (mixed @ dv + curvature @ left)
    return v, 0.5 * q[0], np.moveaxis(dv, -1, 0), np.moveaxis(dforce, -1, 0)


def _by_products(
    metric: Any, v: np.ndarray, x: np.ndarray, dx: np.ndarray, dp: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The changes' rates by derivatives of the form along them, all in one batch."""
    rows = (-1, *x.shape[1:])
    many = [np.broadcast_to(y, dx.shape).reshape(rows) for y in (v, x)]
    form = metric.linearise(*many)
    along = dx.reshape(rows)
    bent = form.derivative(np.zeros_like(along), along)[0]
    dv = np.asarray(metric.sharp(dp.reshape(rows) - bent, many[1]))
    dforce = 0.5 * form.derivative(dv, along)[1]
    return dv.reshape(dx.shape), dforce.reshape(dx.shape)


@dataclass(frozen=True, eq=False)
class TangentFlow:
    """States and changes of k geodesics as functions of time, or at the end only."""

    point: np.ndarray
    """Where they start, (k, ...)."""
    many: int
    """Number m of changes of each."""
    flow: Flow

    def __call__(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """x, p at times (T,), each (T, k, ...), and δx, δp, each (T, m, k, ...)."""
        return self._unpack(self.flow(t))

    @property
    def end(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The same at the end, without the axis of times."""
        return self._unpack(self.flow.end)

    def _unpack(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        batch, size = state.shape[:-1], self.point.size
        moved, p, changes = np.split(state, [size, 2 * size], axis=-1)
        dx, dp = np.split(changes, 2, axis=-1)
        shape, many = (*batch, *self.point.shape), (*batch, self.many, *self.point.shape)
        return (
            self.point + moved.reshape(shape),
            p.reshape(shape),
            dx.reshape(many),
            dp.reshape(many),
        )


def follow(
    metric: Any,
    x: np.ndarray,
    p: np.ndarray,
    dx: np.ndarray,
    dp: np.ndarray,
    until: float,
    rtol: float,
    dense: bool = False,
) -> TangentFlow:
    """Integrate k geodesics and m changes of each over [0, until].

    Parameters
    ----------
    x, p : ndarray, shape (k, ...)
    dx, dp : ndarray, shape (m, k, ...)

    Raises
    ------
    Left
        Where a geodesic leaves the metric's domain.
    """
    size, many = x.size, len(dx)
    rtol = max(rtol, FINEST)

    def rates(state: np.ndarray) -> np.ndarray:
        moved, q, left, right = np.split(state, [size, 2 * size, (2 + many) * size])
        found = tangent_rates(
            metric,
            x + moved.reshape(x.shape),
            q.reshape(x.shape),
            left.reshape(dx.shape),
            right.reshape(dx.shape),
        )
        return np.concatenate([part.reshape(-1) for part in found])

    v, _, dv, dforce = tangent_rates(metric, x, p, dx, dp)
    # what each part comes to, roughly: its start, or its first rate kept up
    scales = [
        until * np.abs(v).max(initial=0.0),
        np.abs(p).max(initial=0.0),
        max(np.abs(dx).max(initial=0.0), until * np.abs(dv).max(initial=0.0)),
        max(np.abs(dp).max(initial=0.0), until * np.abs(dforce).max(initial=0.0)),
    ]
    share = rtol / np.sqrt(len(x) * (1 + many))
    atol = share * np.repeat([s or 1.0 for s in scales], [size, size, many * size, many * size])
    start = np.concatenate([np.zeros(size), p.reshape(-1), dx.reshape(-1), dp.reshape(-1)])
    return TangentFlow(x, many, integrate(rates, start, until, share, atol, dense))


def matrix_at(metric: Any, x: np.ndarray) -> np.ndarray:
    """Matrices G of a metric at points (k, ...), dense: (k, D, D)."""
    own = getattr(metric, "matrix", None)
    if own is not None and x.ndim == 2:
        return np.asarray(own(x))
    size = x[0].size
    units = np.eye(size).reshape(size, 1, *x.shape[1:])
    rows = metric.flat(np.broadcast_to(units, (size, *x.shape)), x[None])
    return np.moveaxis(np.reshape(rows, (size, len(x), size)), 0, 1)
