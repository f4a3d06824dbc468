"""Results as JSON, and as named arrays."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..studies import Comparison

__all__ = ["arrays_of", "to_json"]


def to_json(value: Any) -> str:
    """Write plain results as JSON; numbers that are not finite become null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def arrays_of(comparison: Comparison) -> dict[str, np.ndarray]:
    """Every path and its times, the data, the network's parameters and spectrum, by name."""
    arrays = {"points": comparison.sample.points, "weights": comparison.sample.weights}
    if comparison.sample.labels is not None:
        arrays["labels"] = comparison.sample.labels
    for name, curve in comparison.curves.items():
        key = name.replace("-", "_")
        arrays[f"path_{key}"], arrays[f"times_{key}"] = curve.states, curve.times
    if comparison.fisher is not None:
        arrays["fisher_spectrum"] = comparison.fisher.eigenvalues
    fits = {"": comparison.fit}
    if comparison.least_action is not None:
        fits["_least_action"] = comparison.least_action.fit
    for suffix, fit in fits.items():
        if fit is not None:
            arrays[f"theta{suffix}"] = fit.theta
            arrays[f"readout_weight{suffix}"] = fit.readout.weight
            arrays[f"readout_bias{suffix}"] = fit.readout.bias
    return arrays
