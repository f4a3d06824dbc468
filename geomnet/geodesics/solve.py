"""The verbs: geodesic(metric, start, end), and geodesics for many pairs at once."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import joblib
import numpy as np

from ..errors import ConvergenceError, DomainError, InputError
from ..geometry.metric_matrix import MatrixMechanics
from ..utils.threads import blas_threads
from ..utils.validation import check_array, check_batches, check_integer
from .as_metric import adapt
from .discrete.closed_form import StraightLine
from .discrete.lbfgs import PathLBFGS
from .discrete.newton import PathNewton
from .discrete.newton_cg import PathNewtonCG
from .discrete.pointwise import PointwiseNewton
from .problem import Method, Problem, standing
from .result import Geodesic
from .spectral.spectral_path import SpectralPath

__all__ = ["geodesic", "geodesic_batch"]

FEW = 128
"""Most coordinates of a chart whose Hessian is dense."""

TINY = 16
"""Coordinates up to which no product is long enough for a second thread."""

ENOUGH = 1e-5
"""Relative error of a distance at which no further method is tried."""


def geodesic(
    metric: Any,
    start: Any,
    end: Any,
    n_steps: int = 16,
    *,
    method: Method | None = None,
    initial_path: Any = None,
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
    metric = adapt(metric, start)
    n_steps = check_integer("n_steps", n_steps, least=8, multiple_of=4)
    check_integer("starts", starts, least=1)
    shape = metric.space.shape
    start = check_array("start", start, shape=shape)
    end = check_array("end", end, shape=shape)
    plan = _plan(metric, method)
    metric.check_ends(start, end)
    initial = None if initial_path is None else _check_path(initial_path, start, end)
    problem = Problem(metric, start, end, n_steps, initial, certify_index)
    if np.array_equal(start, end):
        return replace(standing(problem), method=plan[0][1])
    with blas_threads(shape[0]) if start.size > TINY else nullcontext():
        found = _run(plan, problem)
        if starts > 1:
            found = _shortest(plan, problem, found, starts, seed)
    if not found.certificate.converged:
        raise ConvergenceError(f"geodesic: {found.status}", found)
    return found


def geodesic_batch(
    metric: Any,
    starts: Any,
    ends: Any,
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
    metric = adapt(metric, np.asarray(starts))
    n_steps = check_integer("n_steps", n_steps, least=8, multiple_of=4)
    shape = metric.space.shape
    begin, finish = check_batches(shape, starts=starts, ends=ends)
    problems = [
        Problem(metric, a, b, n_steps, None, certify_index)
        for a, b in zip(begin.reshape((-1, *shape)), finish.reshape((-1, *shape)))
    ]
    plan = _plan(metric, method)
    if not problems:
        return []
    if isinstance(metric, MatrixMechanics):
        metric.check_ends(begin, finish)
    else:
        for problem in problems:
            metric.check_ends(problem.start, problem.end)
    jobs = min(joblib.effective_n_jobs(n_jobs), len(problems))
    if jobs > 1:
        parts = np.array_split(np.arange(len(problems)), jobs)
        job = joblib.delayed(joblib.wrap_non_picklable_objects(_run_all))
        runs = joblib.Parallel(n_jobs=jobs)(
            job(plan, [replace(problems[i], metric=metric) for i in part]) for part in parts
        )
        found = [replace(geo, metric=metric) for run in runs for geo in run]
    else:
        found = _run_all(plan, problems)
    failed = [i for i, geo in enumerate(found) if not geo.certificate.converged]
    if failed:
        raise ConvergenceError(
            f"geodesic_batch: {len(failed)} of {len(found)} pairs fell short, the first is number "
            f"{failed[0]}: {found[failed[0]].status}",
            found,
        )
    return found


def _run_all(plan: Plan, problems: list[Problem]) -> list[Geodesic]:
    """Solve pairs: in batches where the method can, those that fall short one by one."""
    if not problems:
        return []
    with blas_threads(problems[0].start.shape[0]):
        found: list[Geodesic | None] = [
            replace(standing(p), method=plan[0][1]) if np.array_equal(p.start, p.end) else None
            for p in problems
        ]
        method, name, _ = plan[0]
        left = [i for i, geo in enumerate(found) if geo is None]
        if isinstance(method, SpectralPath) and len(left) > 1:
            size = max(1, BATCH // (19 * problems[0].start.size) ** 2)
            for first in range(0, len(left), size):
                part = left[first : first + size]
                for i, geo in zip(part, method.find_many([problems[i] for i in part])):
                    if geo.certificate.converged and geo.error_estimate <= ENOUGH * geo.distance:
                        found[i] = replace(geo, method=name)
        return [_run(plan, p) if geo is None else geo for p, geo in zip(problems, found)]


BATCH = 20_000_000
"""Entries of the dense Hessians of a batch, at degree 20."""

Plan = list[tuple[Method, str, int]]
"""Methods in the order they are tried, each with why, and by how much it multiplies N."""


def check_method(method: Any) -> None:
    """Say what is no solver."""
    if isinstance(method, (type, str)) or not callable(getattr(method, "find", None)):
        raise InputError(
            f"method: expected a solver such as gn.geodesics.PathNewtonCG(), got {method!r}; "
            "leave it out to have one chosen"
        )


def _plan(metric: Any, method: Method | None) -> Plan:
    structure = getattr(metric, "structure", "coupled")
    if method is not None:
        check_method(method)
        needed = {StraightLine: "flat", PointwiseNewton: "pointwise"}.get(type(method), structure)
        if structure != needed:
            raise InputError(
                f"method: {type(method).__name__} needs a metric of structure {needed!r}, and "
                f"{metric!r} is {structure!r}; use gn.geodesics.PathNewtonCG()"
            )
        return [(method, f"{type(method).__name__}, as asked", 1)]
    if structure == "flat":
        return [(StraightLine(), "StraightLine: the metric is constant", 1)]
    if structure == "pointwise":
        return [
            (PointwiseNewton(), "PointwiseNewton: the metric does not couple points", 1),
            (PathNewtonCG(), "PathNewtonCG", 1),
        ]
    if structure == "coupled":
        return [
            (PathNewtonCG(), "PathNewtonCG: the metric couples points", 1),
            (PathLBFGS(), "PathLBFGS", 1),
        ]
    dim = metric.space.shape[0]
    fallbacks: Plan = [(PathNewton(), f"PathNewton with {n}-fold n_steps", n) for n in (4, 16, 64)]
    if dim > FEW:
        return [(PathNewtonCG(), f"PathNewtonCG: {dim} coordinates are many", 1), fallbacks[0]]
    if structure == "immersion":
        if dim > FEW // 4:
            return [(PathNewton(), f"PathNewton: an immersion of {dim} coordinates", 1), *fallbacks]
        return [(SpectralPath(), f"SpectralPath: an immersion of {dim} coordinates", 1), *fallbacks]
    why = f"SpectralPath: a metric matrix in {dim} coordinate{'s' if dim > 1 else ''}"
    return [(SpectralPath(), why, 1), *fallbacks]


def _run(plan: Plan, problem: Problem) -> Geodesic:
    """Try methods in turn until one's certificate passes; else the most certain result."""
    kept: Geodesic | None = None
    error: Exception | None = None
    why = ""
    for method, name, factor in plan:
        if isinstance(method, PathLBFGS) and len(plan) > 1 and "derivatives" not in why:
            break  # it gets no further than Newton's method, where that can be had
        try:
            found = method.find(replace(problem, n_steps=problem.n_steps * factor))
        except DomainError as caught:
            error = error or caught
            why = why or f"{type(method).__name__} left the metric's domain"
            continue
        except NotImplementedError as caught:  # autograd's, of a function differentiated once
            error = error or caught
            why = why or f"{type(method).__name__} found no second derivatives"
            continue
        remarks = getattr(getattr(problem.metric, "matrix", None), "remarks", "")
        label = f"{name}, as {why}" if why else name
        found = replace(found, method=f"{label}; {remarks}" if remarks else label)
        passes = found.certificate.converged
        if passes and found.error_estimate <= ENOUGH * found.distance:
            return found
        if kept is None or _rank(found) < _rank(kept):
            kept = found
        why = why or f"{type(method).__name__} fell short"
    if kept is None:
        assert error is not None
        raise error
    if not kept.certificate.converged and hasattr(problem.metric, "barrier"):
        kept = replace(kept, status=kept.status + problem.metric.barrier(kept.path))
    return kept


def _rank(found: Geodesic) -> tuple[bool, float]:
    """Order results: those that passed first, then the more certain."""
    return not found.certificate.converged, found.error_estimate


def _shortest(plan: Plan, problem: Problem, first: Geodesic, starts: int, seed: int) -> Geodesic:
    """Try bent initial paths too, and keep the shortest geodesic that passes."""
    rng = np.random.default_rng(seed)
    best, shorter, passed = first, 0, int(first.certificate.converged)
    for _ in range(starts - 1):
        trial = replace(problem, initial_path=_bend(problem, rng))
        try:
            found = _run(plan, trial)
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
    size = rng.uniform(0.2, 1.5) * np.linalg.norm(end - start) / np.sqrt(start.size)
    at = t[(..., *[None] * start.ndim)]
    path = (1 - at) * start + at * end + size * bend
    path[0], path[-1] = start, end
    return path


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
