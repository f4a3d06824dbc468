r"""Shots from one point: Newton's method on the initial momentum, and the aim led on in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from ..errors import ConvergenceError, DomainError
from ..geometry.metric import AbstractMetric
from .initial_value.conjugate import DENSE, frame
from .initial_value.flow import FINEST
from .initial_value.rays import Ray, shoot
from .initial_value.tangent_flow import follow

__all__ = ["Aim", "Hunt", "Shot", "Tolerances", "rounding"]

LEAST_PART = 1 / 64
"""Least part of the way by which the aim is led on."""

LOST = 500
"""Steps of the integrator after which a shot is lost."""

PATIENCE = 20_000
"""Evaluations of Hamilton's equations after which the hunt is given up."""

Correction = Callable[[np.ndarray, float], np.ndarray]
"""Changes of momentum that mend what is left, singular values below a share cut off."""


@dataclass(frozen=True)
class Tolerances:
    """How well an end is hit: the miss over the length, the integrator's steps, iterations."""

    tol: float
    rtol: float
    max_iter: int


@dataclass(frozen=True, eq=False)
class Aim:
    """A path that shows where to shoot."""

    velocity: np.ndarray
    """At its start."""
    at: Callable[[float], np.ndarray]
    """Its points at times in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One shot at an end: its momentum and velocity, the miss, and how it may be mended."""

    momentum: np.ndarray
    velocity: np.ndarray
    left: np.ndarray
    """End less where the shot arrived."""
    miss: float
    """Its norm there over the length of the shot."""
    correct: Correction | None = None


class Hunt:
    """Shots from one point."""

    def __init__(self, method: Tolerances, metric: AbstractMetric, start: np.ndarray) -> None:
        self.method, self.metric, self.start = method, metric, start
        self.iterations = self.evaluations = 0
        self.magnified = 0.0
        """By how much the flow magnifies the momentum's errors, where that forbids a hit."""

    def hit(self, end: np.ndarray, aim: Aim) -> Shot | None:
        """Hit an end at once or by parts of the way, then once more with a finer integrator."""
        momentum = np.asarray(self.metric.flat(aim.velocity, self.start))
        shot = self.newton(end, momentum, self.method.tol)
        if shot is None:
            shot = self.by_parts(end, aim, momentum)
        return shot if shot is None else self.refine(end, shot)

    def shoot(
        self, end: np.ndarray, momentum: np.ndarray, rtol: float, dense: bool = False
    ) -> tuple[Shot, Ray]:
        """Shoot once, whatever comes of it."""
        velocity = np.asarray(self.metric.sharp(momentum, self.start))
        ray = shoot(self.metric, self.start, velocity, momentum, 1.0, rtol, dense, max_steps=LOST)
        self.evaluations += ray.evaluations
        left = self.metric.points.difference(ray.end, end)
        norm = _norm(self.metric, left, end)
        length = float(np.sqrt(max(np.sum(momentum * velocity), 0.0)))
        miss = norm / length if length else np.inf
        return Shot(momentum, velocity, left, miss), ray

    def try_shot(self, end: np.ndarray, momentum: np.ndarray, rtol: float) -> Shot | None:
        """The shot, or None where it leaves the domain, is lost, or no more may be taken."""
        if self.evaluations > PATIENCE:
            return None
        try:
            shot, _ = self.shoot(end, momentum, rtol)
        except (DomainError, ConvergenceError):
            self.evaluations += LOST
            return None
        return shot if np.isfinite(shot.miss) else None

    def newton(
        self, end: np.ndarray, momentum: np.ndarray, tol: float, known: Shot | None = None
    ) -> Shot | None:
        """Hit an end from a first momentum; None where steps however short come no nearer."""
        rtol = max(min(self.method.rtol, 0.1 * tol), FINEST)
        shot = self.try_shot(end, momentum, rtol)
        if shot is None:
            return None
        correct = known.correct if known else None
        floor = rounding(self.metric, end, shot)
        for _ in range(self.method.max_iter):
            if shot.miss <= max(0.3 * tol, floor):
                return replace(shot, correct=correct)
            self.iterations += 1
            fresh = correct is None
            correct = correct or self._linearise(end, shot, rtol, tol)
            if correct is None:
                return None
            better = self._mend(end, shot, correct, rtol)
            if better is None or better.miss > 0.05 * shot.miss:
                correct = None  # a derivative that has served its time
            if better is None and fresh:
                break
            shot = better or shot
        return _hit(shot, correct, tol)

    def _mend(self, end: np.ndarray, shot: Shot, correct: Correction, rtol: float) -> Shot | None:
        """Take a Newton step, halved until the miss falls; near conjugate ends, a shorter one."""
        for cut in (1e-10, 1e-5, 1e-2):
            change = correct(shot.left, cut)
            for size in (1.0, 0.5, 0.25, 0.1, 0.03):
                found = self.try_shot(end, shot.momentum + size * change, rtol)
                if found is not None and _worth(found, shot, size):
                    return found
        return None

    def _linearise(self, end: np.ndarray, shot: Shot, rtol: float, tol: float) -> Correction | None:
        """The inverse of the derivative of the end, by a frame of Jacobi fields or one by one."""
        x, p = self.start[None], shot.momentum[None]
        # the derivative need not be as exact as the shot
        rtol = max(rtol, 1e-8)
        if x.size > DENSE:
            return self._by_products(x, p, max(rtol, 1e-6))
        dx, dp = frame(self.metric, x)
        try:
            flow = follow(self.metric, x, p, dx, dp, 1.0, rtol)
        except (DomainError, ConvergenceError):
            return None
        self.evaluations += flow.flow.evaluations
        lower = np.linalg.cholesky(self.metric.dense(flow.end[0])[0])
        fields = lower.T @ flow.end[2].reshape(len(dx), -1).T
        u, values, vt = np.linalg.svd(fields)
        if values[0] * np.finfo(np.float64).eps > tol:
            self.magnified = float(values[0])
            return None
        columns = dp.reshape(len(dp), -1).T

        def correct(left: np.ndarray, cut: float) -> np.ndarray:
            kept = values > cut * values[0]
            parts = (u.T @ (lower.T @ left.reshape(-1)))[kept] / values[kept]
            return (columns @ (vt[kept].T @ parts)).reshape(left.shape)

        return correct

    def _by_products(self, x: np.ndarray, p: np.ndarray, rtol: float) -> Correction:
        """GMRES, preconditioned by ♭ at the start: in a flat metric it is exact."""
        metric, shape, size = self.metric, x.shape, x.size

        def product(vector: np.ndarray) -> np.ndarray:
            dp = np.asarray(metric.flat(vector.reshape(shape), x))[None]
            flow = follow(metric, x, p, np.zeros_like(dp), dp, 1.0, rtol)
            self.evaluations += flow.flow.evaluations
            return flow.end[2].reshape(-1)

        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)

        def correct(left: np.ndarray, cut: float) -> np.ndarray:
            found, _ = gmres(operator, left.reshape(-1), rtol=1e-3, restart=30, maxiter=1)
            return np.asarray(metric.flat(found.reshape(shape), x))[0]

        return correct

    def by_parts(self, end: np.ndarray, aim: Aim, momentum: np.ndarray) -> Shot | None:
        """Hit points of the path on the way to its end, each with the aim of the last."""
        done, part = 0.0, 0.5
        shot: Shot | None = None
        while done < 1:
            goal = min(1.0, done + part)
            last = goal == 1.0
            guess = goal * momentum if shot is None else goal / done * shot.momentum
            found = self.newton(
                end if last else aim.at(goal), guess, self.method.tol if last else 1e-4
            )
            if found is None:
                part /= 2
                if part < LEAST_PART or self.magnified or self.evaluations > PATIENCE:
                    return None
                continue
            shot, done, part = found, goal, 1.5 * part
        return shot

    def refine(self, end: np.ndarray, shot: Shot) -> Shot | None:
        """Hit once more with a finer integrator, so that its errors show in the miss."""
        finer = replace(self.method, rtol=max(self.method.rtol / 30, FINEST))
        hunt = Hunt(finer, self.metric, self.start)
        found = hunt.newton(end, shot.momentum, self.method.tol, shot)
        self.iterations += hunt.iterations
        self.evaluations += hunt.evaluations
        return found


def _hit(shot: Shot, correct: Correction | None, tol: float) -> Shot | None:
    """The shot with its derivative, where it hits."""
    return replace(shot, correct=correct) if shot.miss <= tol else None


def _worth(found: Shot, shot: Shot, size: float) -> bool:
    """Whether a step of a size brings what it should: the miss itself falls, not its share."""
    now = found.miss * np.sqrt(np.sum(found.momentum * found.velocity))
    before = shot.miss * np.sqrt(np.sum(shot.momentum * shot.velocity))
    return bool(now < (1 - 0.1 * size) * before)


def _norm(metric: AbstractMetric, vector: np.ndarray, point: np.ndarray) -> float:
    square = float(np.asarray(metric.linearise(vector[None], point[None]).value)[0])
    return float(np.sqrt(max(square, 0.0)))


def rounding(metric: AbstractMetric, end: np.ndarray, shot: Shot) -> float:
    """Miss that rounding of the end's coordinates makes."""
    length = np.sqrt(np.sum(shot.momentum * shot.velocity))
    return float(4e-16 * _norm(metric, end, end) / length) if length else np.inf
