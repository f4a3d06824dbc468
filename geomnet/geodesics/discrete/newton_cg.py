r"""Newton's method on the path energy, its steps by preconditioned conjugate gradients.

For sampled maps, where the number of unknowns :math:`(N-1)nd` forbids matrices: exact
Hessian–vector products, and the frozen-metric stiffness as preconditioner. Relative to it the
Hessian is the identity plus a compact operator, so the number of products does not grow with
the number of steps or points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import DomainError
from ...geometry.metric import StepRule, points_of
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ...geometry.points import uniform_times
from ...utils.validation import check_integer, check_positive
from ..inertia import Inertia, conjugate_margin, lowest_eigenvalue
from .line_search import backtrack
from .path_method import PathMethod
from .solution import PathSolution

__all__ = ["PathNewtonCG"]


@dataclass(frozen=True)
class PathNewtonCG(PathMethod):
    """Newton–PCG on the discrete path energy, for any metric.

    Parameters
    ----------
    tol : float
        On the gradient norm √(gᵀM⁻¹g/E).
    max_iter : int
        Newton iterations for each step count.
    max_products : int
        Hessian products for one Newton step.
    """

    tol: float = 1e-8
    max_iter: int = 100
    max_products: int = 100

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_integer("max_iter", self.max_iter, least=0)
        check_integer("max_products", self.max_products, least=1)

    def guess(
        self, metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
    ) -> np.ndarray:
        """Return the straight line, or a bow around where it leaves the metric's domain."""
        return straight_guess(metric, start, end, n_steps)

    def solve(self, metric: StepRule, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Minimise the energy over the interior states of a path."""
        energy = PathEnergy(metric)
        state: LinearisedPath | None = energy.linearise(path)
        assert state is not None
        evaluations, products, iteration = 1, 0, 0
        while True:
            norm = state.gradient_norm
            if norm <= self.tol or iteration == self.max_iter:
                break
            if iteration >= 4:  # slow: perhaps rounding allows no more
                products += 1
                if norm <= state.tolerance(self.tol):
                    break
            iteration += 1
            # near the end, no more accuracy than the tolerance asks for
            forcing = max(min(0.3, norm**0.75), 0.3 * self.tol / norm)
            direction, spent = self._newton_step(state, forcing)
            products += spent
            origin, level = state.path, state.energy
            slope = float(np.vdot(state.gradient, direction))
            state = None  # makes room: a trial holds as much as the state it came from
            state, spent = backtrack(energy, origin, level, slope, direction, norm)
            evaluations += spent
            if state is None:
                state = energy.linearise(origin)
                break
        return PathSolution.of(state, self.tol, evaluations, products, iteration)

    def _newton_step(self, state: LinearisedPath, forcing: float) -> tuple[np.ndarray, int]:
        """Truncated PCG on H s = −g; stops at negative curvature (Steihaug 1983)."""
        r, z = state.gradient.copy(), state.smoothed_gradient
        step = np.zeros_like(r)
        d, rz = -z, np.vdot(r, z)
        goal = forcing**2 * rz
        for spent in range(1, self.max_products + 1):
            hd = state.hessian_product(d)
            curvature = np.vdot(d, hd)
            if curvature <= 0:
                return (step if spent > 1 else d), spent
            alpha = rz / curvature
            step += alpha * d
            r += alpha * hd
            z = state.precondition(r)
            rz, old = np.vdot(r, z), rz
            if rz <= goal:
                break
            d = -z + (rz / old) * d
        return step, spent

    def inertia(self, state: LinearisedPath) -> Inertia:
        """Sign of the Hessian's lowest eigenvalue, by Lanczos steps with its products."""
        value, residual, products = lowest_eigenvalue(state)
        return Inertia.of_lowest(value, residual + conjugate_margin(state.n_steps), products)


def straight_guess(
    metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
) -> np.ndarray:
    """Return the straight line, or where it leaves the metric's domain a bow around it.

    Points whose straight paths meet at one time are led around each other by a random bow
    (fixed seed), small at first.
    """
    points = points_of(metric)
    line = points.straight(start, end, n_steps)
    energy = PathEnergy(metric)
    if np.isfinite(energy.value(line)):
        return line
    bow = np.sin(np.pi * uniform_times(n_steps, start.ndim))
    random = np.random.default_rng(0).normal(size=start.shape)
    spread = start.std() + end.std()
    for size in (0.02, 0.1, 0.3, 1.0):
        path = points.retract(line, size * spread * bow * random)
        path[[0, -1]] = line[[0, -1]]
        if np.isfinite(energy.value(path)):
            return path
    try:
        metric.squared_step(line[:-1], line[1:])
        why = ""
    except DomainError as error:
        why = f" ({error})"
    raise DomainError(
        f"initial_path: the straight line between the ends leaves the metric's domain{why}, and "
        "so do bows around it; give an initial_path inside the domain"
    )
