"""The verbs: geodesic(metric, start, end), and geodesics for many pairs at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ConvergenceError, DomainError, InputError, check_array, check_integer
from ..threads import blas_threads
from .adapt import adapt
from .closed_form import StraightLine
from .newton import PathNewton
from .newton_cg import PathNewtonCG
from .pointwise import PointwiseNewton
from .problem import Method, Problem, standing
from .result import Geodesic
from .spectral import SpectralPath

__all__ = ["geodesic"]

FEW = 128
"""Most coordinates of a chart whose Hessian is dense."""


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
        :class:`SpectralPath` for charts, :class:`PathNewton` for immersions, else
        :class:`PathNewtonCG`. The result's ``method`` says which and why.
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
    with blas_threads(shape[0]):
        found = _run(plan, problem)
        if starts > 1:
            found = _shortest(plan, problem, found, starts, seed)
    if not found.certificate.converged:
        raise ConvergenceError(f"geodesic: {found.status}", found)
    return found


Plan = list[tuple[Method, str, int]]
"""Methods in the order they are tried, each with why, and by how much it multiplies N."""


def _plan(metric: Any, method: Method | None) -> Plan:
    structure = getattr(metric, "structure", "coupled")
    if method is not None:
        if isinstance(method, (type, str)) or not callable(getattr(method, "find", None)):
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
        return [(method, f"{type(method).__name__}, as asked", 1)]
    if structure == "flat":
        return [(StraightLine(), "StraightLine: the metric is constant", 1)]
    if structure == "pointwise":
        return [
            (PointwiseNewton(), "PointwiseNewton: the metric does not couple points", 1),
            (PathNewtonCG(), "PathNewtonCG", 1),
        ]
    if structure == "coupled":
        return [(PathNewtonCG(), "PathNewtonCG: the metric couples points", 1)]
    dim = metric.space.shape[0]
    fallbacks: Plan = [(PathNewton(), "PathNewton", n) for n in (4, 16)]
    fallbacks.append((PathNewtonCG(), "PathNewtonCG", 4))
    if dim > FEW:
        return [(PathNewtonCG(), f"PathNewtonCG: {dim} coordinates are many", 1), fallbacks[0]]
    if structure == "immersion":
        return [(PathNewton(), "PathNewton: chords of an immersion", 1), *fallbacks]
    return [
        (SpectralPath(), f"SpectralPath: a metric matrix in {dim} coordinates", 1),
        *fallbacks,
    ]


def _run(plan: Plan, problem: Problem) -> Geodesic:
    """Try methods in turn until one's certificate passes; else the most certain result."""
    kept: Geodesic | None = None
    error: DomainError | None = None
    why = ""
    for method, name, factor in plan:
        try:
            found = method.find(replace(problem, n_steps=problem.n_steps * factor))
        except DomainError as caught:
            error = error or caught
            why = why or f"{type(method).__name__} left the metric's domain"
            continue
        remarks = getattr(getattr(problem.metric, "matrix", None), "remarks", "")
        label = f"{name}, as {why}" if why else name
        found = replace(found, method=f"{label}; {remarks}" if remarks else label)
        if found.certificate.converged:
            return found
        if kept is None or found.error_estimate < kept.error_estimate:
            kept = found
        why = why or f"{type(method).__name__} did not converge"
    if kept is None:
        assert error is not None
        raise error
    return kept


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
