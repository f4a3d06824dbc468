"""The least discrete energy without the architecture: a bound no parameters go below.

Same metric, same rule and same number of steps; the states are free but for their ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DomainError
from ..geodesics.discrete.newton_cg import PathNewtonCG
from ..geodesics.discrete.path_method import PathMethod
from ..geodesics.discrete.pointwise import PointwiseNewton
from ..geometry.metric import StepRule
from ..geometry.path_energy import PathEnergy
from ..geometry.points import VECTORS, uniform_times
from ..geometry.structure import Structure
from .action import Action
from .effort import Effort
from .minimum import ConstrainedMinimum

__all__ = ["LowerBound"]


@dataclass(frozen=True)
class LowerBound:
    """Minimum of the discrete energy over free states, and the path it is attained on."""

    energy: float | None
    path: np.ndarray
    note: str

    @classmethod
    def of(cls, action: Action | Effort, target: np.ndarray) -> LowerBound:
        """Minimise from a guess of the method's own."""
        depth, points = action.network.depth, action.points
        line = VECTORS.straight(points, target, depth)
        if isinstance(action, Effort):
            return cls(
                None,
                line,
                "none: the kernel is singular, and only paths of this architecture have a finite "
                "energy",
            )
        metric = action.step_rule
        if action.metric.structure is Structure.FLAT:
            return cls(action.energy.value(line), line, "the straight line, in closed form")
        solver: PathMethod = PathNewtonCG()
        if action.metric.structure is Structure.POINTWISE and action.rule == "midpoint":
            solver = PointwiseNewton()
        try:
            guess = solver.guess(metric, points, target, depth)
            return cls._solved(solver, metric, guess, line)
        except DomainError as error:
            return cls(None, line, f"none: no path to begin with stays in the domain ({error})")

    @classmethod
    def _solved(
        cls, solver: PathMethod, metric: StepRule, guess: np.ndarray, line: np.ndarray
    ) -> LowerBound:
        if len(guess) == 2:
            return cls(PathEnergy(metric).value(guess), guess, "the one step there is")
        state, found = solver.solve(metric, guess)
        if not found.converged:
            path = found.path if np.isfinite(found.energy) else line
            return cls(
                None,
                path,
                f"none: {type(solver).__name__} stopped at gradient norm {found.gradient_norm:.1e}",
            )
        note = f"{type(solver).__name__}, gradient norm {found.gradient_norm:.1e}"
        if solver.inertia(state).locally_shortest is False:
            below = cls._beside(solver, metric, found.path)
            if below.energy is not None and below.energy < found.energy:
                return cls(
                    below.energy, below.path, f"{note}; beside a saddle of {found.energy:.6g}"
                )
            note += "; a saddle: some paths nearby have less energy"
        return cls(found.energy, found.path, note)

    @classmethod
    def _beside(cls, solver: PathMethod, metric: StepRule, path: np.ndarray) -> LowerBound:
        """Solve from a path bent away from a saddle, at random with a fixed seed."""
        bow = np.sin(np.pi * uniform_times(len(path) - 1, path.ndim - 1))
        random = np.random.default_rng(0).normal(size=path.shape[1:])
        size = np.abs(path[-1] - path[0]).max()
        _, found = solver.solve(metric, path + 0.3 * size * bow * random)
        return cls(found.energy if found.converged else None, found.path, "")

    def lowered(self, action: Action, found: ConstrainedMinimum) -> LowerBound:
        """Go on from the network's own path where that lies below, as another minimum's does."""
        if self.energy is None or found.here.value >= self.energy * (1 - 1e-12):
            return self
        path = found.here.network.states.copy()
        again = self._solved(PathNewtonCG(), action.step_rule, path, path)
        if again.energy is None or again.energy > found.here.value:
            return LowerBound(None, path, "none: the path found lies below every minimum found")
        return again
