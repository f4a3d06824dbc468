r"""Squared steps of a path, with first and second derivatives.

For a step u from x to y with midpoint m, the midpoint rule is :math:`s = \langle u, u\rangle_m`;
with :math:`q(m,u) = ∂_m\langle u,u\rangle_m` and ♭ the metric its gradients are
:math:`∓2♭u + ½q`. A metric may give a squared step :math:`s` of its own instead, as Fisher–Rao does
with its closed distance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from .quadratic_form import QuadraticForm, unit_vectors

__all__ = [
    "LeftSteps",
    "MidpointSteps",
    "Steps",
    "SumOfSteps",
]


class Steps(ABC):
    """Squared steps s(x_k, y_k) of k segments, with first and second derivatives."""

    squared: np.ndarray
    """The squared steps, (k,)."""

    @abstractmethod
    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """(∂s/∂x, ∂s/∂y), each (k, n, d)."""

    @abstractmethod
    def hessian_product(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of both gradients along (dx, dy)."""

    def blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hessians of every squared step, (∂²/∂x∂x, ∂²/∂x∂y, ∂²/∂y∂y), each (k, D, D), D = n·d.

        By products with unit vectors; a subclass that has them in closed form gives those.
        """
        shape = self.gradients()[0].shape
        size = int(np.prod(shape[1:]))
        still = np.zeros(shape)
        xx, xy, yy = (np.empty((len(still), size, size)) for _ in range(3))
        for j in range(size):
            unit = unit_vectors(shape, j)
            to_x, to_y = self.hessian_product(unit, still)
            xx[:, :, j], xy[:, j] = to_x.reshape(-1, size), to_y.reshape(-1, size)
            yy[:, :, j] = self.hessian_product(still, unit)[1].reshape(-1, size)
        return xx, xy, yy

    def along_path(self) -> np.ndarray:
        """Gradient at the states between consecutive steps, ∂s_k/∂y + ∂s_{k+1}/∂x, (k−1, n, d)."""
        start, end = self.gradients()
        return end[:-1] + start[1:]

    def blocks_along_path(self) -> tuple[np.ndarray, np.ndarray]:
        """Hessian of consecutive steps: on the diagonal (k−1, D, D), above it (k−2, D, D)."""
        xx, xy, yy = self.blocks()
        return yy[:-1] + xx[1:], xy[1:-1]

    def frozen(self) -> np.ndarray:
        """Hessian of every squared step in its difference, the metric held fixed: 2G, (k, D, D).

        Read off the blocks: opening a step at both ends by half of v leaves its midpoint alone.
        """
        xx, xy, yy = self.blocks()
        return 0.25 * (xx + yy - xy - np.swapaxes(xy, 1, 2))

    @abstractmethod
    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯p on each segment, (k, n, d)."""

    @abstractmethod
    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """λ with (Σ_k ♯_k)λ = r, (n, d)."""


class MidpointSteps(Steps):
    """The midpoint rule: s = ⟨u, u⟩_m with u = y − x, m = (x + y)/2."""

    def __init__(self, form: QuadraticForm) -> None:
        self.form = form
        self.squared = form.value

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """−2♭u + ½q and 2♭u + ½q."""
        pull, half = 2 * self.form.flat, 0.5 * self.form.gradient
        return half - pull, half + pull

    def hessian_product(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same combination of the changes of ♭u and q."""
        dflat, dgradient = self.form.derivative(dy - dx, 0.5 * (dx + dy))
        pull, half = 2 * dflat, 0.5 * dgradient
        return half - pull, half + pull

    def blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A/4 − S + 2G, A/4 + K − 2G and A/4 + S + 2G, with S and K the halves of C."""
        g, c, a = self.form.second_derivatives()
        sym, skew = 0.5 * (c + np.swapaxes(c, 1, 2)), 0.5 * (c - np.swapaxes(c, 1, 2))
        return 0.25 * a - sym + 2 * g, 0.25 * a + skew - 2 * g, 0.25 * a + sym + 2 * g

    def frozen(self) -> np.ndarray:
        """2G at the midpoints."""
        return 2 * self.form.second_derivatives()[0]

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯ at the midpoints."""
        return self.form.sharp(p)

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the sum of the cometrics at the midpoints."""
        return self.form.solve_sharp_sum(r)


class LeftSteps(Steps):
    """The left rule: s = ⟨u, u⟩_x with u = y − x, the metric taken at the start of the step.

    It is what a layer of Euler's method spends, whose velocity depends on the state it starts
    from; of order 1.
    """

    def __init__(self, form: QuadraticForm) -> None:
        self.form = form
        self.squared = form.value

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """−2♭u + q and 2♭u."""
        pull = 2 * self.form.flat
        return self.form.gradient - pull, pull

    def hessian_product(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same combination of the changes of ♭u and q."""
        dflat, dgradient = self.form.derivative(dy - dx, dx)
        pull = 2 * dflat
        return dgradient - pull, pull

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯ at the starts."""
        return self.form.sharp(p)

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the sum of the cometrics at the starts."""
        return self.form.solve_sharp_sum(r)


class SumOfSteps(Steps):
    """Σ_j a_j s_j over metrics; preconditioned by the term whose ♯ is nearest to the sum's."""

    def __init__(self, terms: Sequence[tuple[float, Steps]]) -> None:
        self.terms = list(terms)
        self.squared = np.sum([a * s.squared for a, s in self.terms], axis=0)

    @cached_property
    def _lead(self) -> tuple[float, Steps]:
        """The term with the least trace of ♯_jG, probed by random signs; G is the sum's metric.

        As G is at least each term, every trace is at least the number of unknowns; the stiffest
        term comes nearest. A step that opens at both ends by half of v has ♭v in its gradients.
        """
        if len(self.terms) == 1:
            return self.terms[0]
        shape = self.terms[0][1].gradients()[0].shape
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=shape)
        pull, push = self.hessian_product(-0.5 * signs, 0.5 * signs)
        image = push - pull
        return min(self.terms, key=lambda term: np.vdot(signs, term[1].sharp(image)) / term[0])

    def _sum(
        self, pairs: Iterable[tuple[float, tuple[np.ndarray, np.ndarray]]]
    ) -> tuple[np.ndarray, np.ndarray]:
        start, end = zip(*((a * x, a * y) for a, (x, y) in pairs))
        return np.sum(start, axis=0), np.sum(end, axis=0)

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the terms' gradients."""
        return self._sum((a, s.gradients()) for a, s in self.terms)

    def hessian_product(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the terms' products."""
        return self._sum((a, s.hessian_product(dx, dy)) for a, s in self.terms)

    def blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sum of the terms' blocks."""
        parts = [tuple(a * block for block in s.blocks()) for a, s in self.terms]
        xx, xy, yy = (np.sum(column, axis=0) for column in zip(*parts))
        return xx, xy, yy

    def frozen(self) -> np.ndarray:
        """Sum of the terms'."""
        return np.sum([a * s.frozen() for a, s in self.terms], axis=0)

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """♯ of the leading term."""
        a, steps = self._lead
        return steps.sharp(p) / a

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the leading term's cometrics."""
        a, steps = self._lead
        return steps.solve_sharp_sum(r) * a
