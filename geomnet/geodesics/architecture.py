r"""The verb: fit_geodesic(network, metric, target). The least action within an architecture.

.. math:: \min_θ\; E(θ) = L\sum_l s(φ_l, φ_{l+1}) \quad\text{subject to}\quad φ_L(x_i) = T_i,

φ_l the states of the network's own layers. Beside it stands the minimum of the same discrete
energy, same rule and same L, over free states: no parameters of any architecture go below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..curve import Curve
from ..errors import (
    ConvergenceError,
    DomainError,
    InputError,
    check_array,
    check_integer,
)
from ..networks import Network
from ..networks.action import Action
from ..path_energy import PathEnergy
from ..threads import blas_threads
from .closed_form import straight_path
from .constrained import ConstrainedMinimum, Counts
from .effort import Effort, action_or_effort
from .lagrangian import ArchitectureLagrangian
from .layer_blocks import Cometrics
from .layer_regression import regress_layers
from .newton_cg import PathNewtonCG
from .pointwise import PointwiseNewton
from .sqp import ArchitectureSQP

__all__ = ["ArchitectureGeodesic", "fit_geodesic"]


@dataclass(frozen=True, eq=False)
class ArchitectureGeodesic:
    """A network's path of least energy to a target, beside the least of all paths.

    Attributes
    ----------
    theta : ndarray, shape (L, p)
        The parameters.
    path : ndarray, shape (L+1, n, d)
        States of the network on the sample, layer by layer.
    energy, length : float
        Discrete energy of the path and length Σ√s of its steps, by `rule`.
    lower_bound : float or None
        Minimum found of the same discrete energy over free states with the same ends; None where
        there is none to be had.
    lower_bound_note : str
        How it was found, or why there is none.
    endpoint_violation : float
        Root mean square, over the sample, of the distance of the last state and the target.
    kkt_residual : float
        |∂E + J_cᵀλ|/|∂E| in the parameters.
    iterations : int
    counts : dict
        Energy values, gradients, Hessian products and factorisations spent.
    converged : bool
    status : str
        One sentence for a person.
    method : str
        The solver, and why it was chosen.
    rule : str
    network : Network
    metric : Metric

    Notes
    -----
    Both minima are local ones. A left-rule energy may lie below the squared distance (it tends to
    it at order 1); ``curve.length(metric)`` never does.
    """

    theta: np.ndarray = field(repr=False)
    path: np.ndarray = field(repr=False)
    energy: float
    length: float
    lower_bound: float | None
    lower_bound_note: str
    endpoint_violation: float
    kkt_residual: float
    iterations: int
    counts: dict[str, int]
    converged: bool
    status: str
    method: str
    rule: str
    network: Network
    metric: Any = field(repr=False)

    @property
    def gap(self) -> float | None:
        """energy/lower_bound − 1; None without a bound, 0 where nothing moves."""
        if self.lower_bound is None:
            return None
        if self.lower_bound == 0:
            return 0.0 if self.energy == 0 else np.inf
        return self.energy / self.lower_bound - 1

    @property
    def curve(self) -> Curve:
        """The path as a curve of maps."""
        return Curve(self.path)

    def __repr__(self) -> str:
        gap = "-" if self.gap is None else f"{100 * self.gap:.3g} %"
        return (
            f"ArchitectureGeodesic(energy={self.energy:.8g}, gap={gap}, length={self.length:.8g}, "
            f"end point missed by {self.endpoint_violation:.1e}, KKT {self.kkt_residual:.1e}, "
            f"{self.iterations} iterations, {'converged' if self.converged else 'NOT CONVERGED'}; "
            f"{self.method})"
        )


def fit_geodesic(
    network: Network,
    metric: Any,
    target: Any,
    *,
    theta: Any = None,
    seed: int = 0,
    rule: str = "midpoint",
    method: Any = None,
) -> ArchitectureGeodesic:
    r"""Find the parameters of least energy whose curve reaches a target on the sample.

    Parameters
    ----------
    network : Network
    metric : Metric
        On the function space of the sample; the curve begins at ``metric.space.identity``.
    target : array_like, shape (n, d)
        Where the curve is to end.
    theta : array_like, shape (L, p), optional
        Where to begin; by default layers regressed on the steps of the unrestricted geodesic.
    seed : int
        Of the parameters drawn to begin with.
    rule : {"midpoint", "left"}
        Of the discrete energy, as in :class:`~geomnet.Action`.
    method : ArchitectureSQP or ArchitectureLagrangian, optional
        By default ``ArchitectureSQP()``, or where its matrices do not fit the memory it may take,
        ``ArchitectureLagrangian()``.

    Returns
    -------
    ArchitectureGeodesic

    Raises
    ------
    InputError
        For arguments that do not fit each other.
    DomainError
        For targets no flow reaches: points of a line in another order, distinct points brought
        together, or equal points torn apart.
    ConvergenceError
        Where the target was missed, or the tolerances; ``error.result`` holds what was reached.

    Notes
    -----
    A flow on the line keeps the order of its points, so that a target in another order is out of
    reach of the differential equation behind the network. Layers with a large step may jump
    there; the length of such curves grows without bound as layers are added, and no number is
    returned for it.

    Examples
    --------
    >>> import numpy as np
    >>> import geomnet as gn
    >>> sample = gn.Sample(np.random.default_rng(0).normal(size=(12, 2)))
    >>> space = gn.FunctionSpace(sample)
    >>> network = gn.Network(gn.TanhField(dim=2, width=8), depth=6)
    >>> geo = gn.fit_geodesic(network, gn.L2Metric(space), gn.datasets.swirl(sample.points))
    >>> geo.converged, geo.endpoint_violation < 1e-9, geo.gap < 1e-3
    (True, True, True)
    """
    action = action_or_effort(network, metric, rule)
    target = check_array("target", target, shape=metric.space.shape)
    seed = check_integer("seed", seed, least=0)
    method, name = _choose(method, network.depth, target.size)
    _check_reachable(action.points, target)
    if isinstance(action, Action):
        metric.check_ends(action.points, target)
    if theta is not None:
        theta = check_array("theta", theta, shape=network.parameters_shape)
    with blas_threads(len(target)):
        standing = _standing(action, target)
        if standing is not None:
            still = _Bound(0.0, standing.here.network.states, "equal ends")
            return _result(action, standing, still, method, name, rule)
        bound = _Bound.of(action, target)
        if theta is not None:
            if not np.isfinite(action.value_and_states(theta)[0]):
                raise DomainError(
                    "theta: its curve leaves the metric's domain; take smaller parameters, or "
                    "leave theta out"
                )
            found = method.solve(action, target, theta)
        else:
            found = _solve_from_draws(action, target, method, bound.path, seed)
        if isinstance(action, Action):
            bound = bound.lowered(action, found)
        result = _result(action, found, bound, method, name, rule)
    if not result.converged:
        raise ConvergenceError(f"fit_geodesic: {result.status}", result)
    return result


def _choose(method: Any, depth: int, size: int) -> tuple[Any, str]:
    if method is not None:
        if not isinstance(method, (ArchitectureSQP, ArchitectureLagrangian)):
            raise InputError(
                f"method: expected gn.ArchitectureSQP() or gn.ArchitectureLagrangian(), "
                f"got {method!r}"
            )
        return method, f"{type(method).__name__}, as asked"
    sqp = ArchitectureSQP()
    if sqp.fits(depth, size):
        return sqp, "ArchitectureSQP: its matrices fit in memory"
    return (
        ArchitectureLagrangian(),
        f"ArchitectureLagrangian: the matrices of ArchitectureSQP take more than "
        f"{sqp.max_bytes:.1g} bytes",
    )


def _check_reachable(points: np.ndarray, target: np.ndarray) -> None:
    """Refuse targets that no flow of the points reaches."""
    if points.shape[1] == 1:
        order = np.argsort(points[:, 0], kind="stable")
        apart = np.diff(points[order, 0]) > 0
        if (np.diff(target[order, 0])[apart] <= 0).any():
            raise DomainError(
                "target: on a line it changes the order of the points (or brings two together), "
                "which no flow does: layers could only jump there, at a length that grows with "
                "their number; add a dimension to the sample, or take a monotone target"
            )
    for one, other, name, other_name in (
        (points, target, "sample", "target"),
        (target, points, "target", "sample"),
    ):
        _, place = np.unique(one, axis=0, return_inverse=True)
        place = place.reshape(-1)
        first = np.full(place.max() + 1, -1)
        for i, j in enumerate(place):
            if first[j] < 0:
                first[j] = i
            elif not np.array_equal(other[first[j]], other[i]):
                raise DomainError(
                    f"target: points {first[j]} and {i} are equal in the {name} but not in the "
                    f"{other_name}, and a flow neither tears points apart nor brings them "
                    "together; remove one of them"
                )


@dataclass(frozen=True)
class _Bound:
    """Minimum of the discrete energy over free states, and the path it is attained on."""

    energy: float | None
    path: np.ndarray
    note: str

    @classmethod
    def of(cls, action: Action | Effort, target: np.ndarray) -> _Bound:
        """Minimise from a guess of the method's own."""
        depth, points = action.network.depth, action.points
        line = straight_path(points, target, depth)
        if isinstance(action, Effort):
            return cls(
                None,
                line,
                "none: the kernel is singular, and only paths of this architecture have a finite "
                "energy",
            )
        metric = action.energy.metric
        if action.metric.structure == "flat":
            return cls(action.energy.value(line), line, "the straight line, in closed form")
        pointwise = action.metric.structure == "pointwise" and action.rule == "midpoint"
        solver = PointwiseNewton() if pointwise else PathNewtonCG()
        guess = solver.guess(metric, points, target, depth)
        return cls._solved(solver, metric, guess, line)

    @classmethod
    def _solved(cls, solver: Any, metric: Any, guess: np.ndarray, line: np.ndarray) -> _Bound:
        if len(guess) == 2:
            return cls(PathEnergy(metric).value(guess), guess, "the one step there is")
        _, found = solver.solve(metric, guess)
        if not found.converged:
            path = found.path if np.isfinite(found.energy) else line
            return cls(
                None,
                path,
                f"none: {type(solver).__name__} stopped at gradient norm {found.gradient_norm:.1e}",
            )
        note = f"{type(solver).__name__}, gradient norm {found.gradient_norm:.1e}"
        return cls(found.energy, found.path, note)

    def lowered(self, action: Action, found: ConstrainedMinimum) -> _Bound:
        """Go on from the network's own path where that lies below, as another minimum's does."""
        if self.energy is None or found.here.value >= self.energy * (1 - 1e-12):
            return self
        path = found.here.network.states.copy()
        again = self._solved(PathNewtonCG(), action.energy.metric, path, path)
        if again.energy is None or again.energy > found.here.value:
            return _Bound(None, path, "none: the path found lies below every minimum found")
        return again


def _standing(action: Action | Effort, target: np.ndarray) -> ConstrainedMinimum | None:
    """Zero parameters, where the target is the identity and they move nothing."""
    theta = np.zeros(action.network.parameters_shape)
    if not np.array_equal(action.points, target):
        return None
    here = action.linearise(theta)
    if not np.array_equal(here.network.states[-1], target):
        return None
    return ConstrainedMinimum(theta, here, 0.0, 0.0, Counts(), "converged")


def _solve_from_draws(
    action: Action | Effort, target: np.ndarray, method: Any, path: np.ndarray, seed: int
) -> ConstrainedMinimum:
    """Solve from drawn parameters; where that stalls before the target, from others."""
    best: ConstrainedMinimum | None = None
    for theta in _draws(action, path, seed):
        if not np.isfinite(action.value_and_states(theta)[0]):
            continue
        found = method.solve(action, target, theta)
        if best is None or found.violation < best.violation:
            best = found
        if found.cause != "stalled" or found.violation <= method.endpoint_tol:
            break
    if best is None:
        raise DomainError(
            "theta: parameters regressed on the unrestricted geodesic lead out of the metric's "
            "domain; give a theta to begin with, more layers, or another seed"
        )
    return best


def _draws(action: Action | Effort, path: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Layers regressed on a path, more and more damped, and then drawn anew.

    Those of an effort are shaken: with fewer features than points most directions open up by
    going back and forth only (Lie brackets), and a steady path is a singular place to begin.
    """
    cometrics = _cometrics(action, path)
    if isinstance(action, Effort):
        theta = regress_layers(action.network, path, cometrics, 1e-2, seed)
        rng, size = np.random.default_rng(seed), np.sqrt(np.mean(theta**2))
        for amplitude in (0.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0):
            yield theta + amplitude * size * rng.normal(size=theta.shape)
        return
    for draw, ridge in enumerate((1e-2, 1e-1, 1.0)):
        yield regress_layers(action.network, path, cometrics, ridge, seed + draw)


def _cometrics(action: Action | Effort, path: np.ndarray) -> Cometrics:
    """Norm of the regression: the metric's, or for an effort the plain one."""
    if isinstance(action, Action):
        try:
            steps = action.energy.metric.steps(path[:-1], path[1:])
            return Cometrics(action.metric, action.rule, path, steps)
        except DomainError:
            pass
    return Cometrics.plain(path)


def _result(
    action: Action | Effort,
    found: ConstrainedMinimum,
    bound: _Bound,
    method: Any,
    name: str,
    rule: str,
) -> ArchitectureGeodesic:
    here, network = found.here, action.network
    steps = here.squared_steps if isinstance(action, Effort) else here.steps.squared
    counts = asdict(found.counts)
    return ArchitectureGeodesic(
        theta=found.theta,
        path=here.network.states,
        energy=here.value,
        length=float(np.sqrt(np.maximum(steps, 0.0)).sum()),
        lower_bound=bound.energy,
        lower_bound_note=bound.note,
        endpoint_violation=found.violation,
        kkt_residual=found.kkt,
        iterations=counts.pop("iterations"),
        counts=counts,
        converged=found.cause == "converged",
        status=_status(found, method, network, here.network.states[-1].size),
        method=name,
        rule=rule,
        network=network,
        metric=action.metric,
    )


def _status(found: ConstrainedMinimum, method: Any, network: Network, conditions: int) -> str:
    """One sentence: what was reached, and the mend where it falls short."""
    if found.cause == "converged":
        return "converged"
    reached = (
        f"after {found.counts.iterations} iterations the end point is missed by "
        f"{found.violation:.1e} (rms; {method.endpoint_tol:.0e} asked) at KKT residual "
        f"{found.kkt:.1e} ({method.tol:.0e} asked)"
    )
    if found.violation > method.endpoint_tol and network.n_parameters < conditions:
        return (
            f"{reached}; the architecture has {network.n_parameters} parameters for {conditions} "
            "end-point conditions, so most targets are out of its reach: take more layers, a wider "
            "field, or fewer points"
        )
    if found.violation > 1e3 * method.endpoint_tol:
        return (
            f"{reached}; if it stays there from other seeds, the architecture does not reach this "
            "target: take more layers or a wider field"
        )
    return f"{reached}; raise max_iter or tol, start from result.theta, or try another seed"
