"""The verb: geodesic(metric, start, end). A metric, two maps, and a method that fits them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from ..curve import Curve
from ..errors import ConvergenceError, DomainError, InputError, check_array, check_integer
from ..path_energy import LinearisedPath, PathEnergy
from ..threads import blas_threads
from .certificate import Certificate, lowest_eigenvalue, richardson
from .closed_form import StraightLine
from .newton_cg import PathNewtonCG
from .pointwise import PointwiseNewton
from .result import Geodesic
from .solution import Method, PathSolution

__all__ = ["geodesic"]


def geodesic(
    metric: Any,
    start: Any,
    end: Any,
    n_steps: int = 16,
    *,
    method: Method | None = None,
    initial_path: Any = None,
    certify_index: bool = True,
) -> Geodesic:
    r"""Find the least-energy path between two maps, with a certificate.

    The discrete energy :math:`N\sum_k s(Z_k, Z_{k+1})` is minimised at N/4, N/2 and N steps, each
    solve starting from the one before; their lengths give the distance (Richardson), an error
    estimate and the observed order.

    Parameters
    ----------
    metric : Metric
    start, end : array_like, shape (n, d)
        Observed maps.
    n_steps : int
        Steps N of the finest path, a multiple of 4 and at least 8.
    method : method object, optional
        Chosen by ``metric.structure``: :class:`StraightLine` for constant metrics,
        :class:`PointwiseNewton` where points do not interact, else :class:`PathNewtonCG`.
    initial_path : array_like, shape (M+1, n, d), optional
        Where to begin, at any number of uniform steps; its ends must be `start` and `end`.
    certify_index : bool
        Whether to spend a few Hessian products on ``certificate.locally_shortest``.

    Returns
    -------
    Geodesic

    Raises
    ------
    InputError, DomainError
        For ends of the wrong shape, or ones no path in this metric can join.
    ConvergenceError
        When the certificate does not pass; ``error.result`` holds what was reached, and the
        message the remedy.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=30, seed=0)
    >>> space = gn.FunctionSpace(sample)
    >>> metric = gn.EnergyMetric(space)
    >>> geo = gn.geodesic(metric, space.identity, gn.datasets.swirl(space.identity), n_steps=16)
    >>> geo.certificate.converged, geo.certificate.locally_shortest
    (True, True)
    """
    if isinstance(metric, type) or not callable(getattr(metric, "steps", None)):
        raise InputError(f"metric: expected a gn.Metric such as gn.L2Metric(space), got {metric!r}")
    n_steps = check_integer("n_steps", n_steps, least=8, multiple_of=4)
    shape = metric.space.shape
    start = check_array("start", start, shape=shape)
    end = check_array("end", end, shape=shape)
    method, name = _choose(metric, method)
    metric.check_ends(start, end)
    if np.array_equal(start, end):
        return _standing(metric, start, n_steps, name)
    initial = None if initial_path is None else _check_path(initial_path, start, end)
    with blas_threads(len(start)):
        return _solve(metric, method, name, start, end, initial, n_steps, certify_index)


def _solve(
    metric: Any,
    method: Method,
    name: str,
    start: np.ndarray,
    end: np.ndarray,
    initial: np.ndarray | None,
    n_steps: int,
    certify_index: bool,
) -> Geodesic:
    """Solve at N/4, N/2, N and certify."""
    levels = (n_steps,) if method.exact else (n_steps // 4, n_steps // 2, n_steps)
    solved: dict[int, PathSolution] = {}
    velocities: dict[int, np.ndarray] = {}
    state: LinearisedPath | None = None
    for n in levels:
        coarser = [s.path for s in solved.values() if s.converged]
        path = _begin(metric, method, start, end, initial, coarser, n)
        state = None  # a coarser solve's matrices make room for the next
        state, solved[n] = method.solve(metric, path)
        velocities[n] = metric.sharp(state.initial_momentum, start)
    assert state is not None
    for n in levels[:-1]:
        if solved[n_steps].converged and not solved[n].converged:
            # a coarse solve that went astray gets a second start, from the finest path
            coarse, again = method.solve(metric, solved[n_steps].path[:: n_steps // n])
            if again.converged:
                solved[n] = again
                velocities[n] = metric.sharp(coarse.initial_momentum, start)
    return _certify(
        metric,
        method,
        name,
        state,
        list(solved.values()),
        list(velocities.values()),
        certify_index,
    )


def _choose(metric: Any, method: Method | None) -> tuple[Method, str]:
    structure = getattr(metric, "structure", "coupled")
    if method is not None:
        if isinstance(method, type) or not callable(getattr(method, "solve", None)):
            raise InputError(
                f"method: expected a solver such as gn.PathNewtonCG(), got {method!r}; leave it "
                "out to have one chosen"
            )
        needed = {StraightLine: "flat", PointwiseNewton: "pointwise"}.get(type(method), structure)
        if structure != needed:
            raise InputError(
                f"method: {type(method).__name__} needs a metric of structure {needed!r}, and "
                f"{metric!r} is {structure!r}; use gn.PathNewtonCG()"
            )
        return method, f"{type(method).__name__}, as asked"
    if structure == "flat":
        return StraightLine(), "StraightLine: the metric is constant"
    if structure == "pointwise":
        return PointwiseNewton(), "PointwiseNewton: the metric does not couple points"
    return PathNewtonCG(), "PathNewtonCG: the metric couples points"


def _check_path(path: Any, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    path = check_array("initial_path", path, shape=(None, *start.shape))
    if len(path) < 2:
        raise InputError("initial_path: needs at least two states, its ends")
    for name, state, want in (("start", path[0], start), ("end", path[-1], end)):
        if not np.allclose(state, want, rtol=0, atol=1e-10):
            raise InputError(f"initial_path: does not {name} at the given {name}")
    path = path.copy()
    path[0], path[-1] = start, end
    return path


def _resample(path: np.ndarray, n_steps: int) -> np.ndarray:
    """Path at another number of uniform steps, ends exact: cubic splines, lines for few states."""
    if len(path) == n_steps + 1:
        return path
    out = _spline(path, n_steps) if len(path) >= 4 else _linear(path, n_steps)
    out[0], out[-1] = path[0], path[-1]
    return out


def _begin(
    metric: Any,
    method: Method,
    start: np.ndarray,
    end: np.ndarray,
    initial: np.ndarray | None,
    coarser: list[np.ndarray],
    n_steps: int,
) -> np.ndarray:
    """Where to begin at `n_steps`: a coarser solution prolonged, else the initial path or a guess.

    With Z_h = Z + h²c the path at h/2 differs from that at h by a quarter of what that differed
    from the one at 2h, so two coarser solutions show where the next will lie. A coarse path may
    have jumped over a costly region in one step; where its prolongations cost much more than it
    did, or leave the metric's domain, the cheapest of all starts is taken.
    """
    energy = PathEnergy(metric)
    candidates: list[tuple[float, np.ndarray]] = []
    if coarser and 2 * (len(coarser[-1]) - 1) == n_steps:
        finest = coarser[-1]
        guesses = [_spline(finest, n_steps), _linear(finest, n_steps)]
        if len(coarser) > 1:
            guesses.insert(0, guesses[0] + _spline(finest[::2] - coarser[-2], n_steps) / 4)
        for guess in guesses:
            guess[0], guess[-1] = start, end
            candidates.append((energy.value(guess), guess))
            if candidates[-1][0] <= 2 * energy.value(finest):
                return guess
    if initial is not None:
        given = _resample(initial, n_steps)
        candidates.append((energy.value(given), given))
    if initial is None or not np.isfinite(candidates[-1][0]):
        guess = method.guess(metric, start, end, n_steps)
        candidates.append((energy.value(guess), guess))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _linear(path: np.ndarray, n_steps: int) -> np.ndarray:
    """Path at another number of uniform steps, on the polygon."""
    place = np.linspace(0, len(path) - 1, n_steps + 1)
    k = np.minimum(place.astype(int), len(path) - 2)
    share = (place - k)[:, None, None]
    return (1 - share) * path[k] + share * path[k + 1]


def _spline(path: np.ndarray, n_steps: int) -> np.ndarray:
    return CubicSpline(np.linspace(0, 1, len(path)), path, axis=0)(np.linspace(0, 1, n_steps + 1))


def _certify(
    metric: Any,
    method: Method,
    name: str,
    state: LinearisedPath,
    solutions: list[PathSolution],
    velocities: list[np.ndarray],
    certify_index: bool,
) -> Geodesic:
    finest = solutions[-1]
    lengths = [s.length for s in solutions]
    if method.exact:
        distance, error, order = lengths[0], 4e-16 * lengths[0], None
        velocity = velocities[0]
    else:
        distance, error, order, settled = richardson(lengths)
        if not settled:
            error = max(error, _polygon_gap(metric, finest.path, distance))
        elif finest.n_steps < 16:
            # the coarsest path has two or three steps, and its order may be chance
            error = max(error, abs(distance - lengths[-1]))
        error += finest.gradient_norm**2 * distance
        velocity = velocities[-1] + (velocities[-1] - velocities[-2]) / 3
    shortest: bool | None = True if method.exact else None
    eigenvalue, products = (1.0, 0) if method.exact else (None, 0)
    if certify_index and not method.exact:
        eigenvalue, residual, products = lowest_eigenvalue(state)
        # at exactly conjugate ends of a sphere the eigenvalue is 3 to 5 times h²
        margin = residual + 5.0 / finest.n_steps**2
        shortest = True if eigenvalue > margin else False if eigenvalue < -margin else None
    variation = finest.speed_variation
    steady = method.exact or variation <= max(0.05, 0.5 * solutions[-2].speed_variation)
    stopped = [s for s in solutions if not s.converged]
    certificate = Certificate(
        converged=not stopped and bool(steady) and bool(np.isfinite(error)),
        gradient_norm=finest.gradient_norm,
        tolerance=finest.tolerance,
        speed_variation=variation,
        error_estimate=float(error),
        observed_order=order,
        locally_shortest=shortest,
        lowest_eigenvalue=eigenvalue,
        gradient_evaluations=finest.gradient_evaluations,
        hessian_products=finest.hessian_products,
        lanczos_products=products,
        iterations=finest.iterations,
    )
    status = "converged"
    if stopped:
        worst = stopped[-1]
        status = (
            f"stopped after {worst.iterations} iterations at gradient norm "
            f"{worst.gradient_norm:.1e} > {method.tol:.0e} with {worst.n_steps} steps; raise "
            "max_iter or n_steps, or start from an initial_path"
        )
    elif not steady:
        status = (
            f"the speed still varies by {variation:.2g} along the path, and not as O(h²): "
            f"{finest.n_steps} steps do not resolve it; raise n_steps"
        )
    elif not certificate.converged:
        status = (
            f"{finest.n_steps} steps jump over a place where the metric is infinite (points that "
            "collide); raise n_steps, or start from an initial_path around it"
        )
    result = Geodesic(
        path=finest.path,
        length=finest.length,
        distance=float(distance),
        energy=finest.energy,
        initial_velocity=velocity,
        certificate=certificate,
        status=status,
        method=name,
        metric=metric,
    )
    if not certificate.converged:
        raise ConvergenceError(f"geodesic: {status}", result)
    return result


def _polygon_gap(metric: Any, path: np.ndarray, distance: float) -> float:
    """How far a distance is from the length of the polygon through a path.

    The true distance does not exceed that length, however coarse the path is.
    """
    rtol = 1e-8
    try:
        length = Curve(path).length(metric, rtol)
    except (ConvergenceError, DomainError):
        return np.inf
    return abs(length - distance) + 2 * rtol * length


def _standing(metric: Any, point: np.ndarray, n_steps: int, name: str) -> Geodesic:
    """Equal ends: length 0, logarithm 0."""
    certificate = Certificate(
        converged=True,
        gradient_norm=0.0,
        tolerance=0.0,
        speed_variation=0.0,
        error_estimate=0.0,
        observed_order=None,
        locally_shortest=True,
        lowest_eigenvalue=1.0,
        gradient_evaluations=0,
        hessian_products=0,
        lanczos_products=0,
        iterations=0,
    )
    path = np.repeat(point[None], n_steps + 1, axis=0)
    return Geodesic(
        path, 0.0, 0.0, 0.0, np.zeros_like(point), certificate, "equal ends", name, metric
    )
