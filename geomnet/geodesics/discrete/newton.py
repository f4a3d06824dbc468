r"""Newton's method on the path energy with its exact block-tridiagonal Hessian.

For few unknowns per state (charts, immersions, a handful of points). Per step with midpoint m,
difference u and :math:`h(m,u) = \langle u,u\rangle_m`: with :math:`A = ∂_m^2h`,
:math:`C = ∂_m∂_uh = S + K` (symmetric and skew parts) and the matrix G, the blocks are
:math:`A/4 - S + 2G`, :math:`A/4 + K - 2G`, :math:`A/4 + S + 2G`, times N. Solved by banded
Cholesky; where the Hessian is not positive definite, multiples of the frozen-metric stiffness
are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...geometry.metric import StepRule
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ...linalg import block_tridiagonal
from ...utils.validation import check_integer, check_positive
from ..inertia import Inertia, conjugate_margin
from .closed_form import even_line
from .line_search import LARGEST_SHIFT, NEAR, falls, raise_shift, relax
from .newton_cg import straight_guess
from .path_method import PathMethod
from .solution import PathSolution

__all__ = ["PathNewton"]


@dataclass(frozen=True)
class PathNewton(PathMethod):
    """Newton's method with the exact block-tridiagonal Hessian of the path energy.

    For metrics of few coordinates, D = n·d up to some hundreds: a step costs N·D³.

    Parameters
    ----------
    tol : float
        On the gradient norm √(gᵀM⁻¹g/E).
    max_iter : int
        Newton iterations for each step count.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> paraboloid = gn.ChartMetric(
    ...     lambda x: anp.eye(2) + 4 * x[..., :, None] * x[..., None, :], dim=2
    ... )
    >>> geo = gn.geodesic(paraboloid, [-1.0, 0.5], [1.0, 0.7], 64, method=gn.PathNewton())
    >>> geo.certificate.morse_index, geo.certificate.nullity
    (0, 0)
    """

    tol: float = 1e-8
    max_iter: int = 50
    keeps_path: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_integer("max_iter", self.max_iter, least=0)

    def guess(
        self, metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
    ) -> np.ndarray:
        """Return the straight line (or a bow around where it leaves the domain), not too uneven."""
        even = even_line(metric, start, end, n_steps)
        return straight_guess(metric, start, end, n_steps) if even is None else even

    def solve(self, metric: StepRule, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Minimise the energy over the interior states of a path."""
        energy = PathEnergy(metric)
        state = energy.linearise(path)
        evaluations, iteration, shift = 1, 0, 0.0
        while iteration < self.max_iter:
            norm = state.gradient_norm
            if norm <= self.tol or (iteration >= 4 and norm <= state.tolerance(self.tol)):
                break
            iteration += 1
            found, shift, spent = descend(energy, state, shift)
            evaluations += spent
            if found is None:
                break
            state = found
        return PathSolution.of(state, self.tol, evaluations, iteration, iteration)

    def inertia(self, state: LinearisedPath) -> Inertia:
        """Count eigenvalues of the Hessian below zero and about it, by block elimination."""
        margin = conjugate_margin(state.n_steps)
        diagonal, above = hessian(state)
        stiff_diagonal, stiff_above = stiffness(state)
        below = [
            int(
                block_tridiagonal.negative_pivots(
                    diagonal - value * stiff_diagonal, above - value * stiff_above
                ).sum()
            )
            for value in (-margin, margin)
        ]
        return Inertia.counted(below[0], below[1] - below[0])


def hessian(state: LinearisedPath) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of the energy's Hessian: on the diagonal (N−1, D, D), and above it (N−2, D, D)."""
    diagonal, above = state.steps.blocks_along_path()
    return state.n_steps * diagonal, state.n_steps * above


def stiffness(state: LinearisedPath) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of the frozen-metric stiffness M, likewise."""
    frozen = state.n_steps * state.steps.frozen()
    return frozen[:-1] + frozen[1:], -frozen[1:-1]


def to_saddle(
    energy: PathEnergy, state: LinearisedPath, matrix: tuple[np.ndarray, np.ndarray]
) -> LinearisedPath | None:
    """Take Newton's own step with an indefinite Hessian, if it halves the gradient.

    A path this near to a geodesic that is not shortest (past a conjugate point) was meant to
    find that one.
    """
    diagonal, above = matrix
    right = -state.gradient.reshape(len(diagonal), 1, -1)
    step, _ = block_tridiagonal.eliminate(diagonal[:, None], above[:, None], right)
    found = energy.linearise_or_none(energy.moved(state.path, step.reshape(state.gradient.shape)))
    if found is None or not found.gradient_norm <= 0.5 * state.gradient_norm:
        return None
    return found


def descend(
    energy: PathEnergy, state: LinearisedPath, shift: float
) -> tuple[LinearisedPath | None, float, int]:
    """Solve (H + μM)s = −g and take the whole step, with the least μ tried that lets it be taken.

    A shift that is too small leaves the matrix indefinite or the step too long; as it grows the
    step turns to steepest descent in the inner product of the stiffness.

    Returns
    -------
    state : LinearisedPath or None
        None where no step lowers the energy.
    shift : float
        The μ to begin with next time.
    evaluations : int
    """
    matrix, stiff, norm = hessian(state), None, state.gradient_norm
    evaluations = 0
    if norm <= NEAR:
        shift = 0.0
    while shift < LARGEST_SHIFT:
        diagonal, above = matrix
        if shift:
            stiff = stiff or stiffness(state)
            diagonal, above = diagonal + shift * stiff[0], above + shift * stiff[1]
        factor = block_tridiagonal.factor(diagonal, above)
        if factor is not None:
            step = block_tridiagonal.solve(factor, -state.gradient)
            slope = float(np.vdot(state.gradient, step))
            found = energy.linearise_or_none(energy.moved(state.path, step))
            evaluations += 1
            if found is not None and falls(found, state.energy, slope, norm):
                return found, relax(shift), evaluations
        elif not shift and norm <= NEAR:
            evaluations += 1
            beside = to_saddle(energy, state, matrix)
            if beside is not None:
                return beside, 0.0, evaluations
        shift = raise_shift(shift)
    return None, shift, evaluations
