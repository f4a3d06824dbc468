"""How do metrics judge a network's path, and each other's least-complexity paths?

Take a sample, a target map (by default the one a trained residual network has learned), find the
geodesic from the identity to the target in every metric, and measure every path in every metric.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...control import Action
from ...errors import ConvergenceError, InputError
from ...geodesics import Geodesic
from ...geometry import datasets
from ...geometry.curve import Curve
from ...geometry.kernels import radial_kernel
from ...geometry.sample import Sample
from ...geometry.space import FunctionSpace
from ...likelihoods import Categorical, Gaussian, Likelihood
from ...metrics import EnergyMetric, FisherRaoMetric, L2Metric, Metric
from ...networks import Network, Readout, TanhField
from ...training import Fit, train
from ..geodesics import is_shorter, solve
from .data import load, n_classes_of, readout_of, target_kind
from .fisher_summary import fisher_summary
from .options import LEAST_ACTION, METRICS, NAMES, PATH_NAMES, MetricName, Options, TargetKind
from .result import Comparison, LeastActionNetwork
from .sensitivity import sensitivity

__all__ = ["METRICS", "NAMES", "Comparison", "Options", "compare"]

FIELD_WIDTH = 32
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
    least_action : float, optional
        Weight λ ≥ 0 of a second network, trained likewise with λ·energy of its path added to its
        loss (see :func:`geomnet.train`), and measured beside the first. It learns a map of its
        own, so its excess is over the distance of that map. Where energies are in the hundreds,
        1e-4 is felt; 0 gives the first network again.
    action_metric : {"energy", "l2", "fisher-rao"}
        In which that energy is measured; by default the energy metric. With Fisher–Rao the
        second network keeps the readout of the first, which is the metric's.

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
        sensitivity(first, bar)
        _measure_fisher(first, bar)
        for seed in range(chosen.seed + 1, chosen.seed + chosen.seeds):
            again = _compare_once(chosen, given, seed, bar)
            first.runs.append(_run(again, seed))
            first.problems += [f"seed {seed}: {problem}" for problem in again.problems]
    first.seconds = time.perf_counter() - began
    return first


def _run(comparison: Comparison, seed: int) -> dict[str, Any]:
    fit, least = comparison.fit, comparison.least_action
    run = {
        "seed": seed,
        "distance": {name: geo.distance for name, geo in comparison.geodesics.items()},
        "excess": comparison.excess,
        "heldout_accuracy": None if fit is None else fit.heldout_accuracy,
    }
    if least is not None:
        run |= {
            "least_action_distance": {name: geo.distance for name, geo in least.geodesics.items()},
            "least_action_excess": comparison.least_action_excess,
            "least_action_heldout_accuracy": least.fit.heldout_accuracy,
        }
    return run


def _compare_once(options: Options, given: Sample | None, seed: int, bar: tqdm) -> Comparison:
    """The comparison of one seed."""
    bar.set_postfix_str("data")
    sample, heldout = load(options, given, seed)
    if sample.n < 2:
        raise InputError("points: only one; a comparison of paths needs at least two")
    aim = _aim(options, sample, heldout, seed, bar)
    if np.abs(aim.target - sample.points).max() <= 1e-12 * np.abs(sample.points).max():
        raise InputError(
            "target: it leaves every point where it is, so there is no path to judge; give a "
            "target that moves some point"
        )
    space, curve = FunctionSpace(sample), aim.curve
    result = Comparison(
        options,
        sample,
        heldout,
        aim.name,
        {
            name: _metric(name, options, space, aim.likelihood, aim.readout)
            for name in options.metrics
        },
        network=aim.network,
        fit=aim.fit,
        network_curve=curve,
        given=given is not None,
        likelihood=aim.likelihood if aim.fit is not None else None,
    )
    result.notes += _notes(result, aim.likelihood)
    result.geodesics = _geodesics(result, aim.target, curve, bar)
    if options.least_action is not None:
        _add_least_action(result, aim.likelihood, seed, bar)
    _measure(result, bar)
    _check_law(result)
    return result


@dataclass(frozen=True, eq=False)
class _Aim:
    """The map to reach, how its states are read, and the network that reaches it, if one does."""

    name: str
    target: np.ndarray
    likelihood: Likelihood
    readout: Readout
    network: Network | None = None
    fit: Fit | None = None
    curve: Curve | None = None


def _aim(options: Options, sample: Sample, heldout: Sample | None, seed: int, bar: tqdm) -> _Aim:
    """Where the paths lead: what a network learns, a swirl, or the map of a file."""
    kind = target_kind(options, sample)
    if kind is TargetKind.TRAINED:
        bar.set_postfix_str("training")
        return _trained(options, sample, heldout, seed)
    if options.least_action is not None:
        raise InputError(
            f"least_action: needs a network to train, and this target is none ({kind}); give "
            "labels, or leave it out"
        )
    if kind is TargetKind.SWIRL:
        target = datasets.swirl(sample.points)
        name = "a swirl of the first two principal directions"
    else:
        assert sample.target is not None
        target, name = sample.target, "the map given in the file"
    return _Aim(name, target, *readout_of(sample, target, heldout))


def _trained(options: Options, sample: Sample, heldout: Sample | None, seed: int) -> _Aim:
    """The map that a residual network learns."""
    network = Network(TanhField(sample.dim, FIELD_WIDTH), options.depth)
    likelihood = Categorical(n_classes_of(sample, heldout))
    fit = train(
        network, sample, likelihood, heldout=heldout, seed=seed, max_step_lipschitz=STEP_LIMIT
    )
    curve = network.curve(fit.theta, sample)
    name = f"the map a residual network of depth {options.depth} has learned"
    return _Aim(name, curve.end, likelihood, fit.readout, network, fit, curve)


def _metric(
    name: str, options: Options, space: FunctionSpace, likelihood: Likelihood, readout: Readout
) -> Metric:
    kind = MetricName(name)
    if kind is MetricName.L2:
        return L2Metric(space)
    if kind is MetricName.ENERGY:
        kernel = radial_kernel(options.kernel, options.width)
        return EnergyMetric(space, kernel, nugget=options.nugget)
    return FisherRaoMetric(space, likelihood, readout, ridge=options.ridge)


def _geodesics(
    result: Comparison, target: np.ndarray, curve: Curve | None, bar: tqdm, whose: str = ""
) -> dict[str, Geodesic]:
    """Geodesics from the identity to a target in every metric, with a word where one is short."""
    geodesics = {}
    steps = result.options.steps
    for name, metric in result.metrics.items():
        bar.set_postfix_str(f"{whose}{name} geodesic")
        geo = geodesics[name] = solve(metric, result.sample.points, target, curve, steps)
        if not geo.certificate.converged:
            result.problems.append(
                f"{whose}{name}: did not converge: {geo.status} (of the comparison: steps, --steps)"
            )
        elif geo.n_steps > steps:
            result.notes.append(
                f"{steps} steps did not resolve the {whose}{NAMES[name]} geodesic; "
                f"{geo.n_steps} do, and are used."
            )
        bar.update()
    return geodesics


def _add_least_action(result: Comparison, likelihood: Likelihood, seed: int, bar: tqdm) -> None:
    """Train a second network by least action, and find the geodesics to the map it learns."""
    options, sample, network, plain = result.options, result.sample, result.network, result.fit
    weight = options.least_action
    assert weight is not None
    assert network is not None
    assert plain is not None
    assert result.network_curve is not None
    name = options.action_metric or str(MetricName.ENERGY)
    space = FunctionSpace(sample)
    metric = result.metrics.get(name)
    if metric is None:
        metric = _metric(name, options, space, likelihood, plain.readout)
    # Fisher–Rao judges the predictions of one readout: another would leave it nothing to judge
    held: dict[str, Any] = {}
    if name == MetricName.FISHER_RAO:
        held = {"readout": plain.readout, "train_readout": False}
    bar.set_postfix_str("training by least action")
    fit = train(
        network,
        sample,
        likelihood,
        heldout=result.heldout,
        seed=seed,
        max_step_lipschitz=STEP_LIMIT,
        action=metric,
        weight=weight,
        **held,
    )
    curve = network.curve(fit.theta, sample)
    least = result.least_action = LeastActionNetwork(
        weight, name, fit, curve, plain_energy=Action(network, metric).value(plain.theta)
    )
    if np.array_equal(curve.end, result.network_curve.end):
        least.geodesics = dict(result.geodesics)
    else:
        least.geodesics = _geodesics(result, curve.end, curve, bar, whose=f"{LEAST_ACTION} ")
    result.notes += _least_action_notes(least)


def _least_action_notes(least: LeastActionNetwork) -> list[str]:
    notes = [
        f"The {PATH_NAMES[LEAST_ACTION]} was trained as the other was, with {least.weight:g} times "
        f"the energy of its path in the {NAMES[least.metric]} metric added to its loss: the energy "
        f"is {least.fit.action_energy:.4g}, the other's {least.plain_energy:.4g}. Its excess is "
        "over the distance of the map it has itself learned."
    ]
    if least.metric == MetricName.FISHER_RAO:
        notes.append(
            f"The {PATH_NAMES[LEAST_ACTION]} keeps the other's readout, which is the metric's."
        )
    elif MetricName.FISHER_RAO in least.geodesics:
        notes.append(
            "Fisher–Rao reads the states of every path by the trained network's readout, not by "
            f"the one the {PATH_NAMES[LEAST_ACTION]} has learned."
        )
    return notes


def _notes(result: Comparison, likelihood: Likelihood) -> list[str]:
    notes = ["Lengths compare only within one metric: each metric measures in a unit of its own."]
    metric = result.metrics.get(MetricName.FISHER_RAO)
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


def _measure(result: Comparison, bar: tqdm) -> None:
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


def _measure_fisher(result: Comparison, bar: tqdm) -> None:
    """Fisher information of the trained network, where there is one."""
    if result.network is None or result.fit is None or result.likelihood is None:
        return
    bar.set_postfix_str("Fisher information")
    network, fit = result.network, result.fit
    try:
        result.fisher = fisher_summary(
            network, fit.theta, result.sample, result.likelihood, fit.readout
        )
    except InputError as error:  # geodesics stand without it
        result.notes.append(f"The network's Fisher information was not measured: {error}.")
    bar.update()


def _check_law(result: Comparison) -> None:
    """No path is shorter in a metric than the distance of its ends less the error estimate."""
    for path, row in result.lengths.items():
        for name, geo in result.geodesics_of(path).items():
            if is_shorter(row[name], geo):
                result.problems.append(
                    f"{name}: a shorter path was found: the {path} path has length "
                    f"{row[name]:.8g} < distance {geo.distance:.8g} ± {geo.error_estimate:.1e}; "
                    "the geodesic was only local"
                )
