"""The verbs: geodesic(metric, start, end), and geodesics for many pairs at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import joblib
import numpy as np
from geomstats.geometry.riemannian_metric import RiemannianMetric
from numpy.typing import ArrayLike

from ..errors import ConvergenceError, DomainError, InputError
from ..geometry.metric import AbstractMetric
from ..geometry.points import uniform_times
from ..utils.threads import blas_threads
from ..utils.validation import check_array, check_batches, check_integer
from .as_metric import as_metric
from .plan import Attempt, is_enough, plan_for, run
from .problem import Method, Problem, settled
from .result import Geodesic
from .spectral.spectral_path import SpectralPath

__all__ = ["geodesic", "geodesic_batch"]

TINY = 16
"""Coordinates up to which no product is long enough for a second thread."""

BATCH = 20_000_000
"""Entries of the dense Hessians of a batch, at degree 20."""


def geodesic(
    metric: AbstractMetric | RiemannianMetric,
    start: ArrayLike,
    end: ArrayLike,
    n_steps: int = 16,
    *,
    method: Method | None = None,
    initial_path: ArrayLike | None = None,
    certify_index: bool = True,
    starts: int = 1,
    seed: int = 0,
) -> Geodesic:
    r"""Find the least-energy path between two points, with a certificate.

    Parameters
    ----------
    metric : Metric
        Of maps, :class:`L2Metric` and its kin; in coordinates, :class:`ChartMetric` or
        :class:`ImmersionMetric`; or the metric of a geomstats space in vector coordinates that
        has a ``metric_matrix``.
    start, end : array_like, shape (n, d) or (d,)
        Observed maps, or points of the chart.
    n_steps : int
        Steps N of the finest path, a multiple of 4 and at least 8.
    method : method object, optional
        Chosen by the kind of problem, with another to fall back on: :class:`StraightLine` for
        constant metrics, :class:`PointwiseNewton` where the sample's points do not interact,
        :class:`SpectralPath` for charts and immersions (:class:`PathNewton` where they are not
        smooth, or have many coordinates), else :class:`PathNewtonCG`. The result's ``method``
        says which and why.
    initial_path : array_like, shape (M+1, ...), optional
        Where to begin, at any number of uniform steps; its ends must be `start` and `end`.
    certify_index : bool
        Whether to find out if the path is locally shortest.
    starts : int
        How many initial paths to try: the first as above, the others bent at random. The shortest
        geodesic found is returned. Past a conjugate point, or around a hill of the metric, there
        may be a shorter one than the first; that there is none, no number of starts proves.
    seed : int
        Of the random bends.

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
    >>> geo.certificate.converged, geo.certificate.is_minimising
    (True, 'locally')
    """
    known = as_metric(metric, start)
    n_steps = check_integer("n_steps", n_steps, least=8, multiple_of=4)
    check_integer("starts", starts, least=1)
    shape = known.space.shape
    start = check_array("start", start, shape=shape)
    end = check_array("end", end, shape=shape)
    plan = plan_for(known, method)
    known.check_ends(start, end)
    initial = None if initial_path is None else _check_path(known, initial_path, start, end)
    problem = Problem(known, start, end, n_steps, initial, certify_index)
    if (known_already := settled(problem)) is not None:
        return replace(known_already, method=plan[0].label)
    with blas_threads(shape[0]) if start.size > TINY else nullcontext():
        found = run(plan, problem)
        if starts > 1:
            found = _shortest(plan, problem, found, starts, seed)
    if not found.certificate.converged:
        raise ConvergenceError(f"geodesic: {found.status}", found)
    return found


def geodesic_batch(
    metric: AbstractMetric | RiemannianMetric,
    starts: ArrayLike,
    ends: ArrayLike,
    n_steps: int = 16,
    *,
    method: Method | None = None,
    certify_index: bool = False,
    n_jobs: int = 1,
) -> list[Geodesic]:
    """Find the geodesics between many pairs of points.

    In charts the pairs are solved together, in one batch of Newton steps: a thousand distances
    in the plane take about as long as twenty alone.

    Parameters
    ----------
    metric, n_steps, method, certify_index
        As for :func:`geodesic`.
    starts, ends : array_like, shape (..., n, d) or (..., d)
        Their leading axes broadcast; the pairs come in C order.
    n_jobs : int
        Processes to spread the pairs over, by joblib; -1 for one for each core.

    Returns
    -------
    list of Geodesic

    Raises
    ------
    ConvergenceError
        When a pair's certificate does not pass; it names the pair, and ``error.result`` is the
        whole list.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> import geomnet as gn
    >>> plane = gn.ChartMetric(lambda x: anp.exp(x[..., :1, None]) * anp.eye(2), dim=2)
    >>> found = gn.geodesic_batch(plane, [0.0, 0.0], [[1.0, 0.0], [2.0, 0.0]])
    >>> [round(geo.distance, 10) for geo in found]
    [1.2974425414, 3.4365636569]
    """
    known = as_metric(metric, np.asarray(starts))
    n_steps = check_integer("n_steps", n_steps, least=8, multiple_of=4)
    shape = known.space.shape
    begin, finish = check_batches(shape, starts=starts, ends=ends)
    begin, finish = begin.reshape((-1, *shape)), finish.reshape((-1, *shape))
    problems = [Problem(known, a, b, n_steps, None, certify_index) for a, b in zip(begin, finish)]
    plan = plan_for(known, method)
    if not problems:
        return []
    known.check_pairs(begin, finish)
    found = _spread(plan, problems, min(joblib.effective_n_jobs(n_jobs), len(problems)))
    failed = [i for i, geo in enumerate(found) if not geo.certificate.converged]
    if failed:
        raise ConvergenceError(
            f"geodesic_batch: {len(failed)} of {len(found)} pairs fell short, the first is number "
            f"{failed[0]}: {found[failed[0]].status}",
            found,
        )
    return found


def _spread(plan: list[Attempt], problems: list[Problem], jobs: int) -> list[Geodesic]:
    """Solve pairs, spread over processes."""
    if jobs <= 1:
        return _run_all(plan, problems)
    parts = np.array_split(np.arange(len(problems)), jobs)
    job = joblib.delayed(joblib.wrap_non_picklable_objects(_run_all))
    runs = joblib.Parallel(n_jobs=jobs)(job(plan, [problems[i] for i in part]) for part in parts)
    # a result comes back with a copy of the metric
    return [replace(geo, metric=problems[0].metric) for found in runs for geo in found]


def _run_all(plan: list[Attempt], problems: list[Problem]) -> list[Geodesic]:
    """Solve pairs: in batches where the method can, those that fall short one by one."""
    if not problems:
        return []
    label, method = plan[0].label, plan[0].method
    found: dict[int, Geodesic] = {}
    with blas_threads(problems[0].start.shape[0]):
        for i, problem in enumerate(problems):
            if (known := settled(problem)) is not None:
                found[i] = replace(known, method=label)
        left = [i for i in range(len(problems)) if i not in found]
        if isinstance(method, SpectralPath) and len(left) > 1:
            together = dict(_together(method, problems, left))
            found |= {i: replace(g, method=label) for i, g in together.items() if is_enough(g)}
        return [found[i] if i in found else run(plan, p) for i, p in enumerate(problems)]


def _together(
    method: SpectralPath, problems: list[Problem], left: list[int]
) -> Iterator[tuple[int, Geodesic]]:
    """Solve the pairs left in batches that fit the memory."""
    size = max(1, BATCH // (19 * problems[0].start.size) ** 2)
    for first in range(0, len(left), size):
        part = left[first : first + size]
        yield from zip(part, method.find_many([problems[i] for i in part]))


def _shortest(
    plan: list[Attempt], problem: Problem, first: Geodesic, starts: int, seed: int
) -> Geodesic:
    """Try bent initial paths too, and keep the shortest geodesic that passes."""
    rng = np.random.default_rng(seed)
    best, shorter, passed = first, 0, int(first.certificate.converged)
    for _ in range(starts - 1):
        trial = replace(problem, initial_path=_bend(problem, rng))
        try:
            found = run(plan, trial)
        except DomainError:
            continue
        if not found.certificate.converged:
            continue
        passed += 1
        gain = best.distance - found.distance
        if not best.certificate.converged or gain > best.error_estimate + found.error_estimate:
            best, shorter = found, shorter + 1
    return replace(
        best,
        method=f"{best.method}; the shortest of {passed} geodesics from {starts} starts",
    )


def _bend(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Return a line bent by its first three sine modes, by up to its own length."""
    start, end = problem.start, problem.end
    t = np.linspace(0.0, 1.0, 33)
    modes = np.sin(np.pi * np.outer(t, [1, 2, 3])) / np.array([1, 2, 3])
    bend = np.tensordot(modes, rng.normal(size=(3, *start.shape)), axes=1)
    points = problem.metric.points
    length = np.linalg.norm(points.difference(start, end))
    size = rng.uniform(0.2, 1.5) * length / np.sqrt(start.size)
    path = points.retract(points.between(start, end, uniform_times(32, start.ndim)), size * bend)
    path[0], path[-1] = start, end
    return path


def _check_path(
    metric: AbstractMetric, given: ArrayLike, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    path = check_array("initial_path", given, shape=(None, *start.shape))
    if len(path) < 2:
        raise InputError("initial_path: needs at least two states, its ends")
    for name, state, want in (("start", path[0], start), ("end", path[-1], end)):
        if not (np.abs(metric.points.difference(want, state)) <= 1e-10).all():
            raise InputError(f"initial_path: does not {name} at the given {name}")
    path = path.copy()
    path[0], path[-1] = start, end
    return path
