r"""The verb: constrained_geodesic(network, metric, target); an architecture's least action.

.. math:: \min_θ\; E(θ) = L\sum_l s(φ_l, φ_{l+1}) \quad\text{subject to}\quad φ_L(x_i) = T_i,

φ_l the states of the network's own layers. Beside it stands the minimum of the same discrete
energy, same rule and same L, over free states: no parameters of any architecture go below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConvergenceError, DomainError, InputError
from ..geometry.metric import AbstractMetric
from ..networks import Network
from ..utils.threads import blas_threads
from ..utils.validation import check_array, check_integer
from .action import Action
from .cometrics import Cometrics, cometrics_of, plain_cometrics
from .effort import Effort, action_or_effort
from .lagrangian import ArchitectureLagrangian
from .layer_regression import regress_layers
from .lower_bound import LowerBound
from .minimum import Cause, ConstrainedMinimum, Counts, Method
from .result import ArchitectureGeodesic
from .sqp import ArchitectureSQP

__all__ = ["constrained_geodesic"]


def constrained_geodesic(
    network: Network,
    metric: AbstractMetric,
    target: ArrayLike,
    *,
    theta: ArrayLike | None = None,
    seed: int = 0,
    rule: str = "midpoint",
    method: Method | None = None,
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

    Standardise the sample where its scale is far from one, or its mean far from zero against its
    spread: all parameters are damped alike, and those of such data are not alike in size.

    The solver takes the layers as smooth: with :class:`~geomnet.ReLUField` it reaches the target,
    but its KKT residual stays near 1e-3.

    Examples
    --------
    >>> import numpy as np
    >>> import geomnet as gn
    >>> sample = gn.Sample(np.random.default_rng(0).normal(size=(12, 2)))
    >>> space = gn.FunctionSpace(sample)
    >>> network = gn.Network(gn.TanhField(dim=2, width=8), depth=6)
    >>> geo = gn.constrained_geodesic(network, gn.L2Metric(space), gn.datasets.swirl(sample.points))
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
        found, bound = _standing(action, target) or _solve(action, target, method, theta, seed)
        result = _result(action, found, bound, method, name, rule)
    if not result.converged:
        raise ConvergenceError(f"constrained_geodesic: {result.status}", result)
    return result


def _solve(
    action: Action | Effort,
    target: np.ndarray,
    method: Method,
    theta: np.ndarray | None,
    seed: int,
) -> tuple[ConstrainedMinimum, LowerBound]:
    """Solve from given parameters, or from drawn ones, beside the bound."""
    bound = LowerBound.of(action, target)
    if theta is None:
        found = _solve_from_draws(action, target, method, bound.path, seed)
    elif np.isfinite(action.value_and_states(theta)[0]):
        found = method.solve(action, target, theta)
    else:
        raise DomainError(
            "theta: its curve leaves the metric's domain; take smaller parameters, or "
            "leave theta out"
        )
    return found, bound.lowered(action, found) if isinstance(action, Action) else bound


def _choose(method: Method | None, depth: int, size: int) -> tuple[Method, str]:
    if method is not None:
        if not isinstance(method, (ArchitectureSQP, ArchitectureLagrangian)):
            raise InputError(
                "method: expected gn.control.ArchitectureSQP() or "
                f"gn.control.ArchitectureLagrangian(), got {method!r}"
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


def _standing(
    action: Action | Effort, target: np.ndarray
) -> tuple[ConstrainedMinimum, LowerBound] | None:
    """Zero parameters, where the target is the identity and they move nothing."""
    theta = np.zeros(action.network.parameters_shape)
    if not np.array_equal(action.points, target):
        return None
    here = action.linearise(theta)
    if not np.array_equal(here.network.states[-1], target):
        return None
    found = ConstrainedMinimum(theta, here, 0.0, 0.0, Counts(), Cause.CONVERGED)
    return found, LowerBound(0.0, here.network.states, "equal ends")


def _solve_from_draws(
    action: Action | Effort, target: np.ndarray, method: Method, path: np.ndarray, seed: int
) -> ConstrainedMinimum:
    """Solve from drawn parameters; where that stalls before the target, from others."""
    best: ConstrainedMinimum | None = None
    for theta in _draws(action, path, seed):
        if not np.isfinite(action.value_and_states(theta)[0]):
            continue
        found = method.solve(action, target, theta)
        if best is None or found.violation < best.violation:
            best = found
        if found.cause is not Cause.STALLED or found.violation <= method.endpoint_tol:
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
            steps = action.step_rule.steps(path[:-1], path[1:])
            return cometrics_of(action.metric, action.rule, path, steps)
        except DomainError:
            pass
    return plain_cometrics(path)


def _result(
    action: Action | Effort,
    found: ConstrainedMinimum,
    bound: LowerBound,
    method: Method,
    name: str,
    rule: str,
) -> ArchitectureGeodesic:
    here, network = found.here, action.network
    counts = asdict(found.counts)
    return ArchitectureGeodesic(
        theta=found.theta,
        path=here.network.states,
        energy=here.value,
        length=float(np.sqrt(np.maximum(here.squared_steps, 0.0)).sum()),
        lower_bound=bound.energy,
        lower_bound_note=bound.note,
        endpoint_violation=found.violation,
        kkt_residual=found.kkt,
        iterations=counts.pop("iterations"),
        counts=counts,
        converged=found.cause is Cause.CONVERGED,
        status=_status(found, method, network, here.network.states[-1].size),
        method=name,
        rule=rule,
        network=network,
        metric=action.metric,
    )


def _status(found: ConstrainedMinimum, method: Method, network: Network, conditions: int) -> str:
    """One sentence: what was reached, and the mend where it falls short."""
    if found.cause is Cause.CONVERGED:
        return "converged"
    reached = (
        f"after {found.counts.iterations} iterations the end point is missed by "
        f"{found.violation:.1e} (rms; {method.endpoint_tol:.0e} asked) at KKT residual "
        f"{found.kkt:.1e} ({method.tol:.0e} asked)"
    )
    if found.cause is Cause.INTERRUPTED:
        return f"interrupted: {reached}; start from result.theta to go on"
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
