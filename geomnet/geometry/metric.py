r"""What solvers ask of a metric: one contract, shared by maps, charts and immersions.

A solver needs the isomorphisms ♭ and ♯, :math:`q = ∂_x\langle v,v\rangle`, the form with its second
derivatives, and squared steps of a path. :class:`AbstractMetric` derives what can be derived, and
gives a plain answer to what only some metrics know more of; who knows more overrides it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .points import VECTORS, Points
from .quadratic_form import QuadraticForm
from .steps import LeftSteps, MidpointSteps, Steps
from .structure import Structure

__all__ = [
    "AbstractMetric",
    "ImmersedMetric",
    "LeftRule",
    "PointwiseJet",
    "PointwiseMetric",
    "Space",
    "SquaredSteps",
    "StepRule",
    "by_unit_vectors",
    "points_of",
]


class Space(Protocol):
    """What a metric's space tells of its points."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that is one point."""

    @property
    def dim(self) -> int:
        """Number of dimensions."""


class SquaredSteps(Protocol):
    """What lengths of curves are measured by."""

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Squared length of the steps from `start` to `end`, (k, ...): (k,)."""


class StepRule(SquaredSteps, Protocol):
    """What the energy of a discrete path is made of."""

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Squared steps with their derivatives."""


class AbstractMetric(ABC):
    """A Riemannian metric as solvers see it.

    Owed are ``space``, :meth:`inner_product`, :meth:`flat`, :meth:`sharp`,
    :meth:`quadratic_gradient` and :meth:`linearise`; the rest follows, and may be overridden by
    what is faster, or knows more.
    """

    structure: Structure = Structure.COUPLED
    """What solvers may exploit."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Take the structure of a subclass by its word, too."""
        super().__init_subclass__(**options)
        given = cls.__dict__.get("structure")
        if isinstance(given, str):
            cls.structure = Structure(given)

    # -- owed ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def space(self) -> Space:
        """The space the metric lives on."""

    @abstractmethod
    def inner_product(self, tangent_vec_a: Any, tangent_vec_b: Any, base_point: Any) -> Any:
        """Inner product of tangent vectors at a base point, (...)."""

    @abstractmethod
    def flat(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Covector ♭v."""

    @abstractmethod
    def sharp(self, cotangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Vector ♯p, the inverse of :meth:`flat`."""

    @abstractmethod
    def quadratic_gradient(self, tangent_vec: ArrayLike, base_point: ArrayLike) -> np.ndarray:
        """Derivative q = ∂_x⟨v, v⟩ at fixed v."""

    @abstractmethod
    def linearise(self, velocity: np.ndarray, base_point: np.ndarray) -> QuadraticForm:
        """Return ⟨v, v⟩ with first and second derivatives at (k, ...) arrays."""

    # -- steps of a path ----------------------------------------------------------------------

    @property
    def points(self) -> Points:
        """How points move: the space's own way, or as vectors do."""
        space = self.space
        return space if isinstance(space, Points) else VECTORS

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Squared length of the steps from `start` to `end`, (k, ...): midpoint rule, (k,).

        One of a subclass's own must keep its digits for small steps: lengths of curves subdivide.
        """
        points = self.points
        u = points.difference(start, end)
        return np.asarray(self.inner_product(u, u, points.midpoint(start, end)))

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Squared steps with their derivatives, for solvers."""
        points = self.points
        form = self.linearise(points.difference(start, end), points.midpoint(start, end))
        return MidpointSteps(form)

    def check_ends(self, start: np.ndarray, end: np.ndarray) -> None:  # noqa: B027 (most have none)
        """Raise a DomainError where no geodesic can join the ends."""

    def check_pairs(self, starts: np.ndarray, ends: np.ndarray) -> None:
        """Raise where no geodesic can join some of many pairs of ends, (k, ...)."""
        for start, end in zip(starts, ends):
            self.check_ends(start, end)

    # -- Hamilton's equations -----------------------------------------------------------------

    def momentum(self, velocity: np.ndarray, point: np.ndarray) -> np.ndarray:
        """♭v at (k, ...) arrays, a point that is none of the metric's refused."""
        return self.flat(velocity, point)

    def hamiltonian_field(
        self, point: np.ndarray, momentum: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""Velocity :math:`♯p` and force :math:`\dot p = ½q(x, ♯p)` of Hamilton's equations."""
        velocity = self.sharp(momentum, point)
        return velocity, 0.5 * self.quadratic_gradient(velocity, point)

    def linearised_field(
        self, point: np.ndarray, momentum: np.ndarray, dx: np.ndarray, dp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        r"""Hamilton's equations of k states, and of m changes of each.

        With :math:`h(x,v) = \langle v,v\rangle_x`, :math:`C = ∂_x∂_vh` and :math:`A = ∂_x^2h` at
        :math:`v = ♯p`,

        .. math:: δv = ♯(δp - ½C^\topδx), \qquad δ\dot p = ½(C\,δv + A\,δx).

        Parameters
        ----------
        point, momentum : ndarray, shape (k, ...)
        dx, dp : ndarray, shape (m, k, ...)

        Returns
        -------
        velocity, force : ndarray, shape (k, ...)
        dv, dforce : ndarray, shape (m, k, ...)
        """
        v = np.asarray(self.sharp(momentum, point))
        force = 0.5 * self.linearise(v, point).gradient
        rows = (-1, *point.shape[1:])
        many_v, many_x = (np.broadcast_to(y, dx.shape).reshape(rows) for y in (v, point))
        form = self.linearise(many_v, many_x)
        along = dx.reshape(rows)
        bent = form.derivative(np.zeros_like(along), along)[0]
        dv = np.asarray(self.sharp(dp.reshape(rows) - bent, many_x))
        dforce = 0.5 * form.derivative(dv, along)[1]
        return v, force, dv.reshape(dx.shape), dforce.reshape(dx.shape)

    # -- what only some know ------------------------------------------------------------------

    def dense(self, base_points: np.ndarray) -> np.ndarray:
        """Matrices of the metric at (k, ...) base points, D coordinates each: (k, D, D)."""
        return by_unit_vectors(self.flat, base_points)

    def gram(self, base_point: ArrayLike) -> Any:
        """Matrices K with ♯p = Kp for every coordinate alike, (..., n, n); None where not so."""
        return None

    @property
    def remarks(self) -> str:
        """What a user may want to know about cost and accuracy, for results."""
        return ""

    def barrier(self, path: np.ndarray) -> str:
        """Say where along a path that fell short the metric has no bounds, if it can be told."""
        return ""

    def adopt(self, point: ArrayLike) -> None:  # noqa: B027 (most leave nothing open)
        """Take what is left open about the space from a first point."""


class PointwiseMetric(AbstractMetric):
    """A metric that does not couple the sample's points: n small problems, solved in one batch.

    A point moves by *reduced* coordinates, r of them, and straight in the rest.
    """

    structure = Structure.POINTWISE
    ridge: float
    """The metric of the rest, for every point."""

    @property
    @abstractmethod
    def point_weights(self) -> np.ndarray:
        """Weights of the independent problems, (n,)."""

    @abstractmethod
    def split(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reduced coordinates, (..., n, r), and what is left, (..., n, d)."""

    @abstractmethod
    def join(self, reduced: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Inverse of :meth:`split`."""

    @abstractmethod
    def reduced_jet(self, start: np.ndarray, end: np.ndarray) -> PointwiseJet:
        """Unweighted squared steps of reduced coordinates, (..., r), with derivatives."""

    @abstractmethod
    def reduced_squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Values of :meth:`reduced_jet` only."""

    @abstractmethod
    def reduced_metric(self, point: np.ndarray) -> np.ndarray:
        """Unweighted metric matrix in reduced coordinates, (..., r, r)."""

    @abstractmethod
    def reduced_guess(self, start: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Paths to begin with, (T, ..., r)."""


class PointwiseJet(Protocol):
    """Squared steps of points, (...), with their gradients (..., r) and Hessians (..., r, r)."""

    @property
    def value(self) -> np.ndarray:
        """The squared steps."""

    @property
    def gradient_start(self) -> np.ndarray:
        """Their gradient in the start."""

    @property
    def gradient_end(self) -> np.ndarray:
        """In the end."""

    @property
    def hessian_start(self) -> np.ndarray:
        """Their Hessian in the start."""

    @property
    def mixed(self) -> np.ndarray:
        """In start (rows) and end (columns)."""

    @property
    def hessian_end(self) -> np.ndarray:
        """In the end."""


class ImmersedMetric(AbstractMetric):
    """A metric that an immersion f pulls back from a Euclidean space, its steps chords there."""

    structure = Structure.IMMERSION

    @abstractmethod
    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Images of points (k, d): (k, D)."""

    @abstractmethod
    def pull_back(self, points: np.ndarray, covectors: np.ndarray) -> np.ndarray:
        """Jᵀw, (k, d)."""

    @abstractmethod
    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """J at points (k, d): (k, D, d)."""

    @abstractmethod
    def bends(self, points: np.ndarray, covectors: np.ndarray) -> np.ndarray:
        """w·∂²f at points (k, d): (k, d, d)."""


@dataclass(frozen=True)
class LeftRule:
    """A metric whose squared steps follow the left rule, for the energy of a path.

    Parameters
    ----------
    metric : AbstractMetric
        Asked for its points, ``linearise`` and ``inner_product`` only.
    """

    metric: AbstractMetric

    def steps(self, start: np.ndarray, end: np.ndarray) -> Steps:
        """Squared steps with their derivatives."""
        return LeftSteps(self.metric.linearise(self.metric.points.difference(start, end), start))

    def squared_step(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """⟨u, u⟩ at the starts, (k,)."""
        step = self.metric.points.difference(start, end)
        return np.asarray(self.metric.inner_product(step, step, start))


def points_of(rule: SquaredSteps) -> Points:
    """How the points of a metric move, or of a rule made of one; vectors where nothing is said."""
    metric = rule.metric if isinstance(rule, LeftRule) else rule
    return metric.points if isinstance(metric, AbstractMetric) else VECTORS


def by_unit_vectors(
    flat: Callable[[np.ndarray, np.ndarray], np.ndarray], base_points: np.ndarray
) -> np.ndarray:
    """Matrices of ♭ at (k, ...) base points, from its products with unit vectors: (k, D, D)."""
    size = base_points[0].size
    basis = np.eye(size).reshape(size, 1, *base_points.shape[1:])
    rows = flat(np.broadcast_to(basis, (size, *base_points.shape)), base_points[None])
    return np.moveaxis(np.reshape(rows, (size, len(base_points), size)), 0, 1)
