"""Everything one comparison found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._version import __version__
from ..curve import Curve
from ..geodesics import Geodesic
from ..metrics import FisherRaoMetric, Metric
from ..networks import Fit, Network
from ..sample import Sample
from .options import NETWORK, Options

__all__ = ["Comparison"]


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
        """Every path as a curve, the network's last."""
        curves = {name: geo.curve for name, geo in self.geodesics.items()}
        if self.network_curve is not None:
            curves[NETWORK] = self.network_curve
        return curves

    @property
    def lower_bounds(self) -> dict[str, float]:
        """Closed distances that no path can pass, for the metrics that have one."""
        return {
            name: float(metric.closed_distance(geo.path[0], geo.path[-1]))
            for name, geo in self.geodesics.items()
            if isinstance(metric := self.metrics[name], FisherRaoMetric)
        }

    @property
    def excess(self) -> dict[str, float]:
        """Length of the network over the distance, by metric; NaN without a network."""
        if NETWORK not in self.lengths:
            return dict.fromkeys(self.geodesics, float("nan"))
        return {
            name: self.lengths[NETWORK][name] / geo.distance if geo.distance else float("nan")
            for name, geo in self.geodesics.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the results as plain numbers, for JSON."""
        network = None
        if self.network is not None and self.fit is not None:
            bounds = self.network.step_lipschitz(self.fit.theta)
            network = {
                "depth": self.network.depth,
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

    @property
    def spread(self) -> dict[str, dict[str, float]]:
        """Mean and standard deviation of distance and excess over the seeds, by metric."""
        spread = {}
        for name in self.geodesics:
            row = {}
            for what in ("distance", "excess"):
                values = np.array([run[what][name] for run in self.runs], dtype=float)
                row[f"{what}_mean"] = float(values.mean()) if len(values) else float("nan")
                row[f"{what}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            spread[name] = row
        return spread

    def __repr__(self) -> str:
        excess = ", ".join(f"{name}: {value:.3f}" for name, value in self.excess.items())
        return f"Comparison({self.sample!r}, excess=({excess}), ok={self.ok})"
