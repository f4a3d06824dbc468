r"""The linearised geodesic flow: how a geodesic moves with its initial point and momentum.

With :math:`h(x,v) = \langle v,v\rangle_x`, G the metric, :math:`C = ∂_x∂_vh` and :math:`A = ∂_x^2h`
taken at :math:`v = ♯p`, a change (δx, δp) of a solution of Hamilton's equations obeys

.. math:: δ\dot x = δv = ♯(δp - ½C^\topδx), \qquad δ\dot p = ½(C\,δv + A\,δx).

δx along the geodesic is a Jacobi field. Many changes of many geodesics go in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.metric import AbstractMetric
from ...geometry.points import Points
from .flow import Flow, integrate

__all__ = ["TangentFlow", "follow"]

FINEST = 1e-10
"""Least tolerance: below it differences would show as noise, and steps shrink for nothing."""


@dataclass(frozen=True, eq=False)
class TangentFlow:
    """States and changes of k geodesics as functions of time, or at the end only."""

    points: Points
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
            self.points.retract(self.point, moved.reshape(shape)),
            p.reshape(shape),
            dx.reshape(many),
            dp.reshape(many),
        )


def follow(
    metric: AbstractMetric,
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
    size, many, points = x.size, len(dx), metric.points
    rtol = max(rtol, FINEST)

    def rates(state: np.ndarray) -> np.ndarray:
        moved, q, left, right = np.split(state, [size, 2 * size, (2 + many) * size])
        found = metric.linearised_field(
            points.retract(x, moved.reshape(x.shape)),
            q.reshape(x.shape),
            left.reshape(dx.shape),
            right.reshape(dx.shape),
        )
        return np.concatenate([part.reshape(-1) for part in found])

    v, _, dv, dforce = metric.linearised_field(x, p, dx, dp)
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
    return TangentFlow(points, x, many, integrate(rates, start, until, share, atol, dense))
