r"""The geodesic flow as Hamilton's equations, by the classical Runge–Kutta method of order 4.

With :math:`H(φ,p) = ½\langle ♯p,♯p\rangle_φ`: :math:`\dot φ = ♯p`,
:math:`\dot p = -∂_φH = ½q(φ, ♯p)`. H is conserved; for a metric that is invariant under a group
of motions, so is its momentum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConvergenceError, check_batches, check_integer

__all__ = ["exponential", "hamiltonian_flow"]

MAX_STEPS = 4096


def hamiltonian_flow(
    metric: Any, point: np.ndarray, momentum: np.ndarray, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate Hamilton's equations over [0, 1].

    Parameters
    ----------
    metric : Metric
        Asked for ``hamiltonian_field(point, momentum)``.
    point, momentum : ndarray, shape (..., n, d)
        The start; leading axes broadcast.
    n_steps : int

    Returns
    -------
    points, momenta : ndarray, shape (n_steps + 1, ..., n, d)
    """
    n_steps = check_integer("n_steps", n_steps, least=1)
    h = 1.0 / n_steps
    x, p = check_batches(metric.space.shape, point=point, momentum=momentum)
    points, momenta = [x], [p]
    for _ in range(n_steps):
        v1, f1 = metric.hamiltonian_field(x, p)
        v2, f2 = metric.hamiltonian_field(x + h / 2 * v1, p + h / 2 * f1)
        v3, f3 = metric.hamiltonian_field(x + h / 2 * v2, p + h / 2 * f2)
        v4, f4 = metric.hamiltonian_field(x + h * v3, p + h * f3)
        x = x + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        p = p + h / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
        points.append(x)
        momenta.append(p)
    return np.stack(points), np.stack(momenta)


def exponential(
    metric: Any, tangent_vec: np.ndarray, base_point: np.ndarray, n_steps: int | None = None
) -> np.ndarray:
    """End of the geodesic from `base_point` with velocity `tangent_vec`, at time 1.

    Parameters
    ----------
    tangent_vec, base_point : ndarray, shape (..., n, d)
    n_steps : int, optional
        By default the number doubles from 8 until the end moves by less than 1e-7 of the largest
        entry of the way there (or by rounding); extrapolating the last two leaves some 1e-9.

    Raises
    ------
    ConvergenceError
        When 4096 steps do not suffice, or the flow leaves the finite numbers.
    """
    momentum = metric.flat(tangent_vec, base_point)
    if n_steps is not None:
        return hamiltonian_flow(metric, base_point, momentum, n_steps)[0][-1]
    scale = np.max(np.abs(tangent_vec), initial=0.0)
    if scale == 0:
        return np.array(base_point)
    # a short way is good to the rounding of the place it starts from
    goal = 1e-7 * scale + 1e-14 * np.max(np.abs(base_point))
    steps, end, change = 8, None, np.inf
    while steps <= MAX_STEPS:
        with np.errstate(over="ignore", invalid="ignore"):
            before, end = end, hamiltonian_flow(metric, base_point, momentum, steps)[0][-1]
        if before is not None:
            change = np.max(np.abs(end - before))
            if change <= goal:
                return end + (end - before) / 15
        steps *= 2
    raise ConvergenceError(
        f"exp: {MAX_STEPS} Runge–Kutta steps still move the end by {change:.1e}; the geodesic is "
        "too stiff or leaves the metric's domain, take a shorter tangent_vec",
        end,
    )
