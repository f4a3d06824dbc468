r"""Metrics that do not couple the sample's points: n small geodesics, all in one batch.

Each point i is a geodesic in at most C dimensions with energy :math:`N\sum_k s_i(a_k,a_{k+1})`,
and moves straight in the null space of the readout. Exact Newton steps by block-tridiagonal
elimination, batched over the points; the signs of the pivots give each point's Morse index
(Haynsworth), and where it is not zero the stiffness is added until it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...errors import InputError
from ...geometry.metric import PointwiseMetric, StepRule
from ...geometry.path_energy import LinearisedPath, PathEnergy
from ...geometry.points import VECTORS
from ...geometry.structure import Structure
from ...linalg.block_tridiagonal import eliminate
from ...utils.validation import check_integer, check_positive
from ..inertia import Inertia, conjugate_margin, lowest_eigenvalue
from .path_method import PathMethod
from .solution import PathSolution

__all__ = ["PointwiseNewton"]


@dataclass(frozen=True)
class PointwiseNewton(PathMethod):
    """Batched block-tridiagonal Newton for metrics without coupling between points.

    Parameters
    ----------
    tol : float
        On the gradient norm √(gᵀM⁻¹g/E) of the whole path.
    max_iter : int
        Newton iterations for each step count.
    """

    tol: float = 1e-8
    max_iter: int = 200
    needs: ClassVar[Structure | None] = Structure.POINTWISE

    def __post_init__(self) -> None:
        check_positive("tol", self.tol)
        check_integer("max_iter", self.max_iter, least=0)

    def guess(
        self, metric: StepRule, start: np.ndarray, end: np.ndarray, n_steps: int
    ) -> np.ndarray:
        """Return, point by point, the shorter of the line and the likelihood's own geodesic.

        Both at constant speed.
        """
        metric = _pointwise(metric)
        a, rest_a = metric.split(start)
        b, rest_b = metric.split(end)
        fine = np.linspace(0.0, 1.0, 16 * n_steps + 1)
        paths, lengths = [], []
        for path in (VECTORS.straight(a, b, 16 * n_steps), metric.reduced_guess(a, b, fine)):
            path[0], path[-1] = a, b
            steps = np.sqrt(np.maximum(metric.reduced_squared_step(path[:-1], path[1:]), 0))
            paths.append(_equal_steps(path, steps, n_steps))
            lengths.append(steps.sum(axis=0))
        line_is_shorter = (lengths[0] <= lengths[1])[None, :, None]
        reduced = np.where(line_is_shorter, paths[0], paths[1])
        return metric.join(reduced, VECTORS.straight(rest_a, rest_b, n_steps))

    def solve(self, metric: StepRule, path: np.ndarray) -> tuple[LinearisedPath, PathSolution]:
        """Minimise every point's energy over its interior states."""
        metric, n_steps = _pointwise(metric), len(path) - 1
        a, rest = metric.split(path)
        rest = VECTORS.straight(rest[0], rest[-1], n_steps)
        weights = metric.point_weights
        fixed = metric.ridge * np.sum((rest[-1] - rest[0]) ** 2, axis=-1)
        scale = float(weights @ (n_steps * _total(metric, a) + fixed))
        active = np.arange(a.shape[1])
        shift = np.zeros(a.shape[1])
        evaluations = iteration = 0
        while len(active) and iteration < self.max_iter:
            iteration += 1
            blocks = _Blocks.of(metric, a[:, active])
            evaluations += 1
            step, shift[active] = blocks.newton_step(shift[active])
            decrement = -np.sum(blocks.gradient * step, axis=(0, 2))
            # Newton doubles the digits: one step more than the tolerance asks costs little
            share = 1e-8 * self.tol**2 * scale
            going = decrement > share
            active, step, level = active[going], step[:, going], blocks.energy[going]
            decrement = decrement[going]
            if not len(active):
                break
            stuck = _line_search(metric, a, active, step, level, decrement)
            active = active[~stuck]
        whole = metric.join(a, rest)
        whole[0], whole[-1] = path[0], path[-1]
        state = PathEnergy(metric).linearise(whole)
        return PathSolution.of(state, self.tol, evaluations + 1, iteration, iteration)

    def inertia(self, state: LinearisedPath) -> Inertia:
        """Sum of the points' indices and nullities, by elimination.

        Directions in the null space of the readout are straight, and count for none.
        """
        metric = _pointwise(state.metric)
        blocks = _Blocks.of(metric, metric.split(state.path)[0])
        margin = conjugate_margin(state.n_steps)
        index = blocks.below(-margin)
        value, _, products = lowest_eigenvalue(state)
        return Inertia.counted(index, blocks.below(margin) - index, value, products)


def _pointwise(metric: StepRule | None) -> PointwiseMetric:
    """Look whether a metric is one that does not couple points."""
    if not isinstance(metric, PointwiseMetric):
        raise InputError(
            f"metric: PointwiseNewton needs one that couples no points, got {metric!r}"
        )
    return metric


def _total(metric: PointwiseMetric, a: np.ndarray) -> np.ndarray:
    """Σ_k s(a_k, a_{k+1}) of every point, (n,)."""
    return metric.reduced_squared_step(a[:-1], a[1:]).sum(axis=0)


def _equal_steps(path: np.ndarray, steps: np.ndarray, n_steps: int) -> np.ndarray:
    """States of every point at equal parts of its own arc length, (n_steps+1, n, r)."""
    arc = np.concatenate([np.zeros((1, path.shape[1])), np.cumsum(steps, axis=0)])
    out = np.empty((n_steps + 1, *path.shape[1:]))
    times = np.linspace(0, 1, len(path))
    for i in range(path.shape[1]):
        if arc[-1, i] > 0:
            places = np.interp(np.linspace(0, arc[-1, i], n_steps + 1), arc[:, i], times)
        else:
            places = np.linspace(0, 1, n_steps + 1)
        k = np.minimum((places * (len(path) - 1)).astype(int), len(path) - 2)
        share = (places * (len(path) - 1) - k)[:, None]
        out[:, i] = (1 - share) * path[k, i] + share * path[k + 1, i]
    out[0], out[-1] = path[0], path[-1]
    return out


def _line_search(
    metric: PointwiseMetric,
    a: np.ndarray,
    active: np.ndarray,
    step: np.ndarray,
    level: np.ndarray,
    decrement: np.ndarray,
) -> np.ndarray:
    """Move the active points of `a` in place, each by its own backtracked step.

    Returns
    -------
    ndarray of bool
        The points for which no step lowers the energy: they are at rounding level.
    """
    n_steps = len(a) - 1
    size = np.ones(len(active))
    open_ = np.ones(len(active), dtype=bool)
    for _ in range(40):
        index = active[open_]
        trial = a[:, index].copy()
        trial[1:-1] += size[open_][:, None] * step[:, open_]
        energy = n_steps * _total(metric, trial)
        enough = energy <= level[open_] - 1e-4 * size[open_] * decrement[open_]
        # at rounding level the step is Newton's own, and trusted once
        rounding = (decrement[open_] <= 1e-12 * level[open_]) & (
            energy <= level[open_] * (1 + 1e-13)
        )
        good = np.isfinite(energy) & (enough | rounding)
        a[:, index[good]] = trial[:, good]
        place = np.flatnonzero(open_)
        open_[place[good]] = False
        size[open_] *= 0.5
        if not open_.any():
            break
    return open_


@dataclass
class _Blocks:
    """Energy, gradient and block-tridiagonal Hessian of n independent paths."""

    energy: np.ndarray  # (n,)
    gradient: np.ndarray  # (N-1, n, r)
    diagonal: np.ndarray  # (N-1, n, r, r)
    above: np.ndarray  # (N-2, n, r, r): ∂²/∂a_k∂a_{k+1}
    stiff_diagonal: np.ndarray
    stiff_above: np.ndarray

    @classmethod
    def of(cls, metric: PointwiseMetric, a: np.ndarray) -> _Blocks:
        n_steps = len(a) - 1
        jet = metric.reduced_jet(a[:-1], a[1:])
        frozen = 2 * n_steps * metric.reduced_metric(0.5 * (a[:-1] + a[1:]))
        return cls(
            n_steps * jet.value.sum(axis=0),
            n_steps * (jet.gradient_end[:-1] + jet.gradient_start[1:]),
            n_steps * (jet.hessian_end[:-1] + jet.hessian_start[1:]),
            n_steps * jet.mixed[1:-1],
            frozen[:-1] + frozen[1:],
            -frozen[1:-1],
        )

    def below(self, value: float) -> int:
        """Eigenvalues of all Hessians below `value`, relative to the stiffness."""
        _, negative = eliminate(
            self.diagonal - value * self.stiff_diagonal,
            self.above - value * self.stiff_above,
            np.zeros_like(self.gradient),
        )
        return int(negative.sum())

    def newton_step(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Solve (H + μM)s = −g with the least μ tried that makes it positive definite.

        Returns
        -------
        step : ndarray, shape (N-1, n, r)
        shift : ndarray, shape (n,)
            The μ of every point, to begin with next time (a quarter of what was needed).
        """
        n = len(self.energy)
        step = np.empty_like(self.gradient)
        shift = np.where(shift < 1e-3, 0.0, shift)
        left = np.arange(n)
        for _ in range(40):
            mu = shift[left][:, None, None]
            solved, negative = eliminate(
                self.diagonal[:, left] + mu * self.stiff_diagonal[:, left],
                self.above[:, left] + mu * self.stiff_above[:, left],
                -self.gradient[:, left],
            )
            good = negative.sum(axis=0) == 0
            step[:, left[good]] = solved[:, good]
            left = left[~good]
            if not len(left):
                break
            shift[left] = np.maximum(4 * shift[left], 0.05)
        else:
            step[:, left] = 0.0
        return step, shift / 4
