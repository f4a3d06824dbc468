r"""The geodesic flow as Hamilton's equations, in fixed steps; the exponential map.

With :math:`H(φ,p) = ½\langle ♯p,♯p\rangle_φ`: :math:`\dot φ = ♯p`,
:math:`\dot p = -∂_φH = ½q(φ, ♯p)`. H is conserved; for a metric that is invariant under a group
of motions, so is its momentum.
"""

from __future__ import annotations

import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike

from ...geometry.metric import AbstractMetric
from ...utils.validation import check_batches, check_integer
from ..as_metric import as_metric
from .rays import initial_momentum, shoot

__all__ = ["exponential", "hamiltonian_flow"]

RTOL = 1e-11
"""Error of a step of the exponential map, relative to the way gone."""


def hamiltonian_flow(
    metric: AbstractMetric | RiemannianMetric, point: ArrayLike, momentum: ArrayLike, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate Hamilton's equations over [0, 1] by the classical Runge–Kutta method of order 4.

    Fixed steps, for what compares step counts; :func:`ray` takes as many as accuracy needs.

    Parameters
    ----------
    metric : Metric
        Any that :func:`geodesic` takes.
    point, momentum : array_like, shape (..., n, d) or (..., d)
        The start; leading axes broadcast.
    n_steps : int

    Returns
    -------
    points, momenta : ndarray, shape (n_steps + 1, ..., n, d) or (n_steps + 1, ..., d)
    """
    n_steps = check_integer("n_steps", n_steps, least=1)
    known = as_metric(metric, point)
    move, h = known.points.retract, 1.0 / n_steps
    x, p = check_batches(known.space.shape, point=point, momentum=momentum)
    points, momenta = [x], [p]
    for _ in range(n_steps):
        v1, f1 = known.hamiltonian_field(x, p)
        v2, f2 = known.hamiltonian_field(move(x, h / 2 * v1), p + h / 2 * f1)
        v3, f3 = known.hamiltonian_field(move(x, h / 2 * v2), p + h / 2 * f2)
        v4, f4 = known.hamiltonian_field(move(x, h * v3), p + h * f3)
        x = move(x, h / 6 * (v1 + 2 * v2 + 2 * v3 + v4))
        p = p + h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
        points.append(x)
        momenta.append(p)
    return np.stack(points), np.stack(momenta)


def exponential(
    metric: AbstractMetric,
    tangent_vec: np.ndarray,
    base_point: np.ndarray,
    n_steps: int | None = None,
) -> np.ndarray:
    """End of the geodesic from `base_point` with velocity `tangent_vec`, at time 1.

    Parameters
    ----------
    tangent_vec, base_point : ndarray, shape (..., n, d) or (..., d)
    n_steps : int, optional
        Runge–Kutta steps of order 4; by default those of :func:`ray`, of order 8 and as many as a
        relative error of 1e-11 for each takes.

    Raises
    ------
    DomainError
        Where the geodesic leaves the metric's domain on the way.
    """
    if n_steps is not None:
        momentum = metric.flat(tangent_vec, base_point)
        return hamiltonian_flow(metric, base_point, momentum, n_steps)[0][-1]
    momentum = initial_momentum(metric, base_point, tangent_vec, "base_point")
    found = shoot(
        metric, base_point, tangent_vec, momentum, 1.0, RTOL, dense=False, name="tangent_vec"
    )
    return found.end
