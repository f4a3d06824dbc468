"""Everything one comparison found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._version import __version__
from ...geodesics import Geodesic
from ...geometry.curve import Curve
from ...geometry.sample import Sample
from ...likelihoods import Likelihood
from ...metrics import FisherRaoMetric, Metric
from ...networks import Network
from ...training import Fit
from .fisher_summary import FisherSummary
from .options import LEAST_ACTION, NETWORK, Options

__all__ = ["Comparison", "LeastActionNetwork"]


@dataclass(eq=False)
class LeastActionNetwork:
    """The network trained likewise, with the energy of its path weighed in.

    Attributes
    ----------
    weight : float
        The λ of its energy.
    metric : str
        Name of the metric of the energy.
    fit : Fit
    curve : Curve
    plain_energy : float
        The energy of the plainly trained network's path, one step a layer as in training.
    geodesics : dict of str to Geodesic
        From the identity to the map this network has learned, by metric.
    """

    weight: float
    metric: str
    fit: Fit
    curve: Curve
    plain_energy: float
    geodesics: dict[str, Geodesic] = field(default_factory=dict)


@dataclass(eq=False)
class Comparison:
    """Everything one comparison found.

    Attributes
    ----------
    options : Options
    sample : Sample
    heldout : Sample or None
    target_name : str
        What the target is, in words.
    metrics : dict of str to Metric
    geodesics : dict of str to Geodesic
        By metric; those that did not converge too, with the certificate that says so.
    network, fit : Network and Fit, or None
        The trained network, where the target is the map it learned.
    network_curve : Curve or None
    lengths : dict of str to dict of str to float
        Length of every path (first key) in every metric (second key).
    speeds : dict of str to dict of str to ndarray
        Speed on every segment, likewise.
    sensitivity : dict
        Excess of the network (or of the straight line) over kernel widths and ridges.
    notes, problems : list of str
        What a reader should know; what went wrong.
    runs : list of dict
        Distance and excess for each seed.
    seconds : float
    given : bool
        Whether the sample was handed over, not loaded.
    least_action : LeastActionNetwork or None
        Where one was asked for.
    likelihood : Likelihood or None
        Of the labels, given what the network's readout makes of its last state.
    fisher : FisherSummary or None
        Fisher information of the trained network (of the first seed).
    """

    options: Options
    sample: Sample
    heldout: Sample | None
    target_name: str
    metrics: dict[str, Metric]
    geodesics: dict[str, Geodesic] = field(default_factory=dict)
    network: Network | None = None
    fit: Fit | None = None
    network_curve: Curve | None = None
    lengths: dict[str, dict[str, float]] = field(default_factory=dict)
    speeds: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    sensitivity: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    given: bool = False
    least_action: LeastActionNetwork | None = None
    likelihood: Likelihood | None = None
    fisher: FisherSummary | None = None

    @property
    def command(self) -> str:
        """What repeats the comparison: a command line, or Python for a sample of one's own."""
        if not self.given:
            return self.options.command()
        default = Options()
        changed = "".join(
            f", {name}={getattr(self.options, name)!r}"
            for name in self.options.__dataclass_fields__
            if name != "data" and getattr(self.options, name) != getattr(default, name)
        )
        return f"geomnet.compare(sample{changed})"

    @property
    def ok(self) -> bool:
        """True where every geodesic converged and no shorter path was found."""
        return not self.problems

    @property
    def curves(self) -> dict[str, Curve]:
        """Every path as a curve, the networks' last."""
        curves = {name: geo.curve for name, geo in self.geodesics.items()}
        if self.network_curve is not None:
            curves[NETWORK] = self.network_curve
        if self.least_action is not None:
            curves[LEAST_ACTION] = self.least_action.curve
        return curves

    def geodesics_of(self, path: str) -> dict[str, Geodesic]:
        """Geodesics between the ends of a path: the least-action network reaches its own map."""
        least = self.least_action
        return least.geodesics if least is not None and path == LEAST_ACTION else self.geodesics

    def ratios(self, path: str) -> dict[str, float]:
        """Length of a path over the distance of its ends, by metric; NaN without such a path."""
        lengths = self.lengths.get(path, {})
        return {
            name: lengths[name] / geo.distance if lengths and geo.distance else float("nan")
            for name, geo in self.geodesics_of(path).items()
        }

    def lower_bounds_of(self, path: str) -> dict[str, float]:
        """Closed distances that no path between these ends can pass, where a metric has one."""
        return {
            name: float(metric.closed_distance(geo.path[0], geo.path[-1]))
            for name, geo in self.geodesics_of(path).items()
            if isinstance(metric := self.metrics[name], FisherRaoMetric)
        }

    @property
    def lower_bounds(self) -> dict[str, float]:
        """Closed distances that no path to the target can pass, for the metrics that have one."""
        return self.lower_bounds_of(NETWORK)

    @property
    def excess(self) -> dict[str, float]:
        """Length of the network over the distance, by metric; NaN without a network."""
        return self.ratios(NETWORK)

    @property
    def least_action_excess(self) -> dict[str, float]:
        """Length of the least-action network over its own map's distance; empty without one."""
        return {} if self.least_action is None else self.ratios(LEAST_ACTION)

    def as_dict(self) -> dict[str, Any]:
        """Return the results as plain numbers, for JSON."""
        network = None
        if self.network is not None and self.fit is not None:
            bounds = self.network.step_lipschitz(self.fit.theta)
            network = {
                "depth": self.network.depth,
                "loss": float(self.fit.losses[-1]),
                "parameters": self.network.n_parameters
                + self.fit.readout.weight.size
                + self.fit.readout.bias.size,
                "train_accuracy": self.fit.train_accuracy,
                "heldout_accuracy": self.fit.heldout_accuracy,
                "step_lipschitz": None if bounds is None else float(bounds.max()),
                "invertible": self.network.is_invertible(self.fit.theta),
            }
        labels = self.sample.labels
        return {
            "metrics": list(self.geodesics),
            "paths": list(self.curves),
            "length": self.lengths,
            "distance": {name: geo.distance for name, geo in self.geodesics.items()},
            "lower_bound": self.lower_bounds,
            "excess": self.excess,
            "certificate": {
                name: geo.certificate.as_dict() for name, geo in self.geodesics.items()
            },
            "network": network,
            "least_action": self._least_action_as_dict(),
            "fisher": None if self.fisher is None else self.fisher.as_dict(),
            "data": {
                "name": self.sample.name,
                "n": self.sample.n,
                "dim": self.sample.dim,
                "heldout": 0 if self.heldout is None else self.heldout.n,
                "classes": None if labels is None else len(np.unique(labels)),
                "target": self.target_name,
                "notes": list(self.sample.notes),
            },
            "metric_details": {name: repr(metric) for name, metric in self.metrics.items()},
            "method": {name: geo.method for name, geo in self.geodesics.items()},
            "status": {name: geo.status for name, geo in self.geodesics.items()},
            "sensitivity": self.sensitivity,
            "runs": self.runs,
            "spread": self.spread,
            "notes": self.notes,
            "problems": self.problems,
            "options": {**self.options.__dict__, "metrics": list(self.options.metrics)},
            "command": self.command,
            "seconds": self.seconds,
            "version": __version__,
            "seed": self.options.seed,
        }

    def _least_action_as_dict(self) -> dict[str, Any] | None:
        least = self.least_action
        if least is None:
            return None
        return {
            "weight": least.weight,
            "metric": least.metric,
            "action_energy": least.fit.action_energy,
            "plain_energy": least.plain_energy,
            "loss": float(least.fit.losses[-1]),
            "train_accuracy": least.fit.train_accuracy,
            "heldout_accuracy": least.fit.heldout_accuracy,
            "distance": {name: geo.distance for name, geo in least.geodesics.items()},
            "lower_bound": self.lower_bounds_of(LEAST_ACTION),
            "excess": self.least_action_excess,
            "certificate": {
                name: geo.certificate.as_dict() for name, geo in least.geodesics.items()
            },
            "method": {name: geo.method for name, geo in least.geodesics.items()},
            "status": {name: geo.status for name, geo in least.geodesics.items()},
        }

    @property
    def spread(self) -> dict[str, dict[str, float]]:
        """Mean and standard deviation of distance and excess over the seeds, by metric."""
        spread = {}
        measured = ["distance", "excess"]
        measured += ["least_action_distance", "least_action_excess"] * bool(self.least_action)
        for name in self.geodesics:
            row = {}
            for what in measured:
                values = np.array([run[what][name] for run in self.runs], dtype=float)
                row[f"{what}_mean"] = float(values.mean()) if len(values) else float("nan")
                row[f"{what}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            spread[name] = row
        return spread

    def __repr__(self) -> str:
        excess = ", ".join(f"{name}: {value:.3f}" for name, value in self.excess.items())
        return f"Comparison({self.sample!r}, excess=({excess}), ok={self.ok})"
