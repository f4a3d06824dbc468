"""How do metrics judge a network's path, and each other's least-complexity paths?

Take a sample, a target map (by default the one a trained residual network has learned), find the
geodesic from the identity to the target in every metric, and measure every path in every metric.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .. import datasets
from ..curve import Curve
from ..errors import (
    ConvergenceError,
    InputError,
)
from ..geodesics import Geodesic, geodesic
from ..kernels import radial_kernel
from ..likelihoods import Categorical, Gaussian, Likelihood
from ..metrics import EnergyMetric, FisherRaoMetric, L2Metric, Metric
from ..networks import Network, Readout, TanhField, train
from ..sample import Sample
from ..space import FunctionSpace
from .options import METRICS, NAMES, NETWORK, Options
from .outcome import Comparison

__all__ = ["METRICS", "NAMES", "Comparison", "Options", "compare"]

WIDTH_FACTORS = (0.5, 0.71, 1.0, 1.41, 2.0)
RIDGE_FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)
FIELD_WIDTH = 32
MANY_CLASSES = 10
"""So many classes are taken of any sample; more than that only up to one for every two points."""
STEP_LIMIT = 0.7
"""Lipschitz bound of a layer's step in training: below 1, so the network is a diffeomorphism."""


def compare(data: str | Path | Sample = "digits", **options: Any) -> Comparison:
    """Compare metrics on the path of a network (or on the way to any target map).

    Parameters
    ----------
    data : str, Path or Sample
        A named data set, a CSV or NPZ file, or a sample of one's own (taken whole, as it is).
    target : {"trained", "swirl"} or path, optional
        The map a residual network has learned (default with labels), an analytic swirl, or the
        array ``target`` of an NPZ file, one row a row of the data.
    metrics : tuple of str
        Of ``"l2"``, ``"energy"``, ``"fisher-rao"``.
    kernel : {"matern32", "matern52", "gaussian"}
    width, nugget, ridge : float, optional
        Of the kernel, and of Fisher–Rao.
    n : int
        How many points to draw; the rest are held out.
    depth : int
        Layers of the network.
    steps : int
        Steps of the geodesics, a multiple of 4 and at least 8.
    seed, seeds : int
        First seed, and how many to repeat the comparison over.
    label_column : str, optional
        Of a CSV.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        For unusable data or options. Geodesics that do not converge are part of the result.

    Examples
    --------
    >>> import geomnet as gn
    >>> comparison = gn.compare("iris", n=40, steps=8, depth=4, metrics=("l2", "fisher-rao"))
    >>> comparison.ok, min(comparison.excess.values()) >= 1
    (True, True)
    """
    began = time.perf_counter()
    if not isinstance(data, (str, Path, Sample)):
        raise InputError(
            f"data: expected a name, a file's path or a gn.Sample, got {type(data).__name__}; make "
            "one with gn.Sample(points, labels=...)"
        )
    given = data if isinstance(data, Sample) else None
    named = given.name or "sample" if given is not None else str(data)
    try:
        chosen = Options(data=named, **options)
    except TypeError as error:
        raise InputError(f"options: {error}") from None
    with tqdm(desc="comparing", unit="stage", disable=None, leave=False) as bar:
        first = _compare_once(chosen, given, chosen.seed, bar)
        first.runs.append(_run(first, chosen.seed))
        _sensitivity(first, bar)
        for seed in range(chosen.seed + 1, chosen.seed + chosen.seeds):
            again = _compare_once(chosen, given, seed, bar)
            first.runs.append(_run(again, seed))
            first.problems += [f"seed {seed}: {problem}" for problem in again.problems]
    first.seconds = time.perf_counter() - began
    return first


def _run(comparison: Comparison, seed: int) -> dict[str, Any]:
    fit = comparison.fit
    return {
        "seed": seed,
        "distance": {name: geo.distance for name, geo in comparison.geodesics.items()},
        "excess": comparison.excess,
        "heldout_accuracy": None if fit is None else fit.heldout_accuracy,
    }


def _compare_once(options: Options, given: Sample | None, seed: int, bar: Any) -> Comparison:
    bar.set_postfix_str("data")
    sample, heldout = _load(options, given, seed)
    if sample.n < 2:
        raise InputError("points: only one; a comparison of paths needs at least two")
    kind = _target_kind(options, sample)
    network = fit = curve = None
    if kind == "trained":
        bar.set_postfix_str("training")
        network = Network(TanhField(sample.dim, FIELD_WIDTH), options.depth)
        likelihood: Likelihood = Categorical(_n_classes(sample, heldout))
        fit = train(
            network, sample, likelihood, heldout=heldout, seed=seed, max_step_lipschitz=STEP_LIMIT
        )
        curve = network.curve(fit.theta, sample)
        target, readout = curve.end, fit.readout
        target_name = f"the map a residual network of depth {options.depth} has learned"
    else:
        if kind == "swirl":
            target = datasets.swirl(sample.points)
            target_name = "a swirl of the first two principal directions"
        else:
            assert sample.target is not None
            target, target_name = sample.target, "the map given in the file"
        likelihood, readout = _readout_of(sample, target, heldout)
    if np.abs(target - sample.points).max() <= 1e-12 * np.abs(sample.points).max():
        raise InputError(
            "target: it leaves every point where it is, so there is no path to judge; give a "
            "target that moves some point"
        )
    space = FunctionSpace(sample)
    metrics: dict[str, Metric] = {}
    for name in options.metrics:
        if name == "l2":
            metrics[name] = L2Metric(space)
        elif name == "energy":
            kernel = radial_kernel(options.kernel, options.width)
            metrics[name] = EnergyMetric(space, kernel, nugget=options.nugget)
        else:
            metrics[name] = FisherRaoMetric(space, likelihood, readout, ridge=options.ridge)
    result = Comparison(
        options,
        sample,
        heldout,
        target_name,
        metrics,
        network=network,
        fit=fit,
        network_curve=curve,
        given=given is not None,
    )
    result.notes += _notes(result, likelihood)
    for name, metric in metrics.items():
        bar.set_postfix_str(f"{name} geodesic")
        geo = _solve(metric, space.identity, target, curve, options.steps)
        if not geo.certificate.converged:
            result.problems.append(
                f"{name}: did not converge: {geo.status} (of the comparison: steps, --steps)"
            )
        elif geo.n_steps > options.steps:
            result.notes.append(
                f"{options.steps} steps did not resolve the {NAMES[name]} geodesic; "
                f"{geo.n_steps} do, and are used."
            )
        result.geodesics[name] = geo
        bar.update()
    _measure(result, bar)
    _check_law(result)
    return result


def _solve(
    metric: Metric, start: np.ndarray, end: np.ndarray, network: Curve | None, n_steps: int
) -> Geodesic:
    """Geodesic of at least so many steps, up to four times as many where they are needed.

    Where points interact the search begins at the network's own path: that is a path of
    diffeomorphisms, while on the straight line points may meet.
    """
    initial = network.states if network is not None and metric.structure == "coupled" else None
    best: Geodesic | None = None
    for factor in (1, 2, 4):
        try:
            return geodesic(metric, start, end, n_steps=factor * n_steps, initial_path=initial)
        except ConvergenceError as error:
            if not isinstance(error.result, Geodesic):
                raise
            best = error.result
    assert best is not None
    return best


def _load(options: Options, given: Sample | None, seed: int) -> tuple[Sample, Sample | None]:
    target = None
    if options.target not in (None, "trained", "swirl"):
        path = Path(str(options.target))
        if path.suffix.lower() != ".npz":
            raise InputError(
                f"target: expected trained, swirl or an NPZ file, got {options.target!r}"
            )
        if not datasets.is_file(path):
            raise InputError(f"target: no file {str(options.target)!r}")
        target = datasets.read_npz(path, "target")["target"]
    if given is not None:
        whole = given if target is None else given.replace(target=target)
        sample: Sample = whole.merge_duplicates()
        heldout = None
    else:
        sample, heldout = datasets.load_split(
            options.data, n=options.n, seed=seed, label_column=options.label_column, target=target
        )
    if sample.labels is not None:
        together = [sample.labels]
        if heldout is not None and heldout.labels is not None:
            together.append(heldout.labels)
        classes, codes = np.unique(np.concatenate(together), return_inverse=True)
        few = 0 if classes.dtype.kind == "f" else MANY_CLASSES
        if len(classes) > max(few, sample.n // 2):
            raise InputError(
                f"labels: {len(classes)} different ones for {sample.n} points are no classes; "
                "leave the label column out, or bin it"
            )
        codes = codes.reshape(-1)
        sample = sample.replace(labels=codes[: sample.n])
        if heldout is not None:
            heldout = heldout.replace(labels=codes[sample.n :])
    return sample, heldout


def _target_kind(options: Options, sample: Sample) -> str:
    kind = options.target
    if kind is None:
        kind = (
            "trained"
            if sample.labels is not None
            else "file"
            if sample.target is not None
            else "swirl"
        )
    elif kind not in ("trained", "swirl"):
        kind = "file"
    if kind == "trained":
        if sample.labels is None:
            raise InputError(
                "target: trained needs labels, and the data has none; name a label column, or "
                "use --target swirl"
            )
        if len(np.unique(sample.labels)) < 2:
            raise InputError(
                "labels: all points have the same one, so there is nothing to train; use "
                "--target swirl"
            )
    if kind == "file" and sample.target is None:
        raise InputError("target: the sample has none; give one, or use --target swirl")
    return kind


def _n_classes(sample: Sample, heldout: Sample | None) -> int:
    assert sample.labels is not None
    labels = [sample.labels] if heldout is None else [sample.labels, heldout.labels]
    return max(2, int(max(part.max() for part in labels if part is not None)) + 1)


def _readout_of(
    sample: Sample, target: np.ndarray, heldout: Sample | None
) -> tuple[Likelihood, Readout]:
    """Readout for a target that was not trained: logistic regression, or the states themselves."""
    if sample.labels is None or len(np.unique(sample.labels)) < 2:
        return Gaussian(1.0, sample.dim), Readout(np.eye(sample.dim))
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=5000, C=1.0)
    model.fit(target, sample.labels, sample_weight=sample.weights * sample.n)
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    n_classes = _n_classes(sample, heldout)
    full_weight = np.zeros((n_classes, sample.dim))
    full_bias = np.full(n_classes, bias.min() - 10.0)  # classes the sample does not hold
    full_weight[model.classes_], full_bias[model.classes_] = weight, bias
    return Categorical(n_classes), Readout(full_weight, full_bias)


def _notes(result: Comparison, likelihood: Likelihood) -> list[str]:
    notes = ["Lengths compare only within one metric: each metric measures in a unit of its own."]
    metric = result.metrics.get("fisher-rao")
    if isinstance(metric, FisherRaoMetric):
        if isinstance(likelihood, Gaussian):
            notes.append(
                "Without labels Fisher–Rao reads the states by a Gaussian of fixed width, which "
                "repeats L2 (up to its ridge); give labels to make it tell more."
            )
        elif result.fit is None:
            notes.append(
                "Fisher–Rao reads the states by a logistic regression fitted on the target points."
            )
    if result.network is not None and result.fit is not None:
        if result.network.is_invertible(result.fit.theta):
            notes.append(
                "Every layer of the network is invertible (its Lipschitz bound is below 1), so "
                "the network is a diffeomorphism."
            )
        else:
            notes.append(
                "The Lipschitz bound of some layer passes 1, so invertibility of the network is "
                "not proved by it; on the sample no two points collide."
            )
    return notes


def _measure(result: Comparison, bar: Any) -> None:
    """Length and speed of every path in every metric."""
    for path, curve in result.curves.items():
        result.lengths[path], result.speeds[path] = {}, {}
        for name, metric in result.metrics.items():
            bar.set_postfix_str(f"{path} path in {name}")
            try:
                steps = curve.step_lengths(metric)
            except (ConvergenceError, InputError) as error:
                result.problems.append(f"{name}: length of the {path} path unknown: {error}")
                steps = np.full(curve.n_steps, np.nan)
            result.lengths[path][name] = float(steps.sum())
            result.speeds[path][name] = steps / np.diff(curve.times)


def _check_law(result: Comparison) -> None:
    """No path is shorter in a metric than its distance less the error estimate."""
    for name, geo in result.geodesics.items():
        floor = geo.distance * (1 - 1e-9) - geo.error_estimate
        for path, row in result.lengths.items():
            if row[name] < floor:
                result.problems.append(
                    f"{name}: a shorter path was found: the {path} path has length "
                    f"{row[name]:.8g} < distance {geo.distance:.8g} ± {geo.error_estimate:.1e}; "
                    "the geodesic was only local"
                )


def _sensitivity(result: Comparison, bar: Any) -> None:
    """Excess over kernel widths and ridges, by geodesics of 8 steps."""
    curve = result.network_curve
    of = NETWORK
    if curve is None:
        of = "straight line"
        start, end = result.sample.points, next(iter(result.geodesics.values())).path[-1]
        curve = Curve(np.stack([start, end]))
    result.sensitivity = {"of": of}
    space = FunctionSpace(result.sample)
    families = []
    energy = result.metrics.get("energy")
    if isinstance(energy, EnergyMetric):
        width = energy.kernel.width  # type: ignore[attr-defined]
        families.append(
            (
                "width",
                "energy",
                [factor * width for factor in WIDTH_FACTORS],
                lambda value: EnergyMetric(
                    space, radial_kernel(result.options.kernel, value), nugget=energy.nugget
                ),
            )
        )
    fisher = result.metrics.get("fisher-rao")
    if isinstance(fisher, FisherRaoMetric):
        families.append(
            (
                "ridge",
                "fisher-rao",
                [factor * fisher.ridge for factor in RIDGE_FACTORS],
                lambda value: FisherRaoMetric(
                    space, fisher.likelihood, fisher.readout, ridge=value
                ),
            )
        )
    for what, name, values, make in families:
        excesses: list[float] = []
        for value in values:
            bar.set_postfix_str(f"{name}, {what} {value:.3g}")
            try:
                metric = make(value)
                coupled = result.network_curve is not None and metric.structure == "coupled"
                geo = geodesic(
                    metric,
                    curve.start,
                    curve.end,
                    n_steps=8,
                    initial_path=curve.states if coupled else None,
                    certify_index=False,
                )
                excesses.append(curve.length(metric, rtol=1e-6) / geo.distance)
            except (ConvergenceError, InputError):  # a kernel too wide for these points, say
                excesses.append(float("nan"))
            bar.update()
        result.sensitivity[what] = {"metric": name, "value": values, "excess": excesses}
