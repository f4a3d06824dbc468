"""Results as JSON, as arrays, and as a table for the screen."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..studies.comparison.options import LEAST_ACTION, NAMES, PATH_NAMES

__all__ = ["arrays_of", "check_folder", "number", "table", "to_json"]


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


def arrays_of(comparison: Any) -> dict[str, np.ndarray]:
    """Every path and its times, the data, the network's parameters and spectrum, by name."""
    arrays = {"points": comparison.sample.points, "weights": comparison.sample.weights}
    if comparison.sample.labels is not None:
        arrays["labels"] = comparison.sample.labels
    for name, curve in comparison.curves.items():
        key = name.replace("-", "_")
        arrays[f"path_{key}"], arrays[f"times_{key}"] = curve.states, curve.times
    if comparison.fisher is not None:
        arrays["fisher_spectrum"] = comparison.fisher.eigenvalues
    least = comparison.least_action
    for suffix, fit in (("", comparison.fit), ("_least_action", least and least.fit)):
        if fit is not None:
            arrays[f"theta{suffix}"] = fit.theta
            arrays[f"readout_weight{suffix}"] = fit.readout.weight
            arrays[f"readout_bias{suffix}"] = fit.readout.bias
    return arrays


def check_folder(folder: Any, make: bool = True) -> Path:
    """See that the output folder can be written; leave it made, or as it was."""
    folder = Path(folder)
    figures = folder / "figures"
    made: list[Path] = []
    try:
        for place in [*reversed(figures.parents), figures]:
            if not place.is_dir():
                place.mkdir(exist_ok=True)
                made.append(place)
        with tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder / "figures"):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"out: cannot write into folder {str(folder)!r} ({reason}); name another"
        ) from None
    finally:
        for place in [] if make else reversed(made):
            place.rmdir()
    return folder


def number(value: float | None, digits: int = 5) -> str:
    """Show a number with so many significant digits, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}"


def _distance(geo: Any) -> str:
    """Distance in six digits; in brackets, with a question mark, where it is not to be trusted."""
    text = number(geo.distance, 6)
    return text if geo.certificate.converged else f"({text}?)"


def accuracies(fit: Any) -> str:
    """Accuracy of a network in training, and held out where anything is."""
    text = f"accuracy {number(fit.train_accuracy, 3)}"
    if fit.heldout_accuracy is not None:
        text += f", held out {number(fit.heldout_accuracy, 3)}"
    return text


def table(comparison: Any) -> str:
    """Lengths of every path in every metric, with distances and excess, as text."""
    metrics = list(comparison.geodesics)
    rows = [["length of path ↓ in metric →", *(NAMES[name] for name in metrics)]]
    for path, lengths in comparison.lengths.items():
        rows.append([PATH_NAMES[path], *(number(lengths[name], 6) for name in metrics)])
    geodesics = comparison.geodesics.values()
    rows.append(["distance", *(_distance(geo) for geo in geodesics)])
    rows.append(["  ± error estimate", *(f"{geo.error_estimate:.1e}" for geo in geodesics)])
    if "network" in comparison.lengths:
        rows.append(["excess of the network", *(f"{x:.3f}" for x in comparison.excess.values())])
        rows += _over_seeds(comparison, "excess")
    rows.append(["converged", *("yes" if g.certificate.converged else "NO" for g in geodesics)])
    least = comparison.least_action
    if least is not None:
        geodesics = least.geodesics.values()
        rows.append(["distance of the least-action map", *(_distance(geo) for geo in geodesics)])
        rows.append(["  ± error estimate", *(f"{geo.error_estimate:.1e}" for geo in geodesics)])
        ratios = comparison.least_action_excess.values()
        rows.append([f"excess of the {PATH_NAMES[LEAST_ACTION]}", *(f"{x:.3f}" for x in ratios)])
        rows += _over_seeds(comparison, "least_action_excess")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    sample = comparison.sample
    head = f"{sample.name}: {sample.n} points in {sample.dim} dimensions; {comparison.target_name}"
    if comparison.fit is not None:
        head += f"; {accuracies(comparison.fit)}"
    if least is not None:
        head += (
            f"\n{PATH_NAMES[LEAST_ACTION]}: trained with {least.weight:g} × its action "
            f"({NAMES[least.metric]}); {accuracies(least.fit)}"
        )
    return head + "\n\n" + "\n".join(lines)


def _over_seeds(comparison: Any, what: str) -> list[list[str]]:
    """Row of mean and standard deviation over the seeds, where there are several."""
    if len(comparison.runs) < 2:
        return []
    cells = [
        f"{number(row[f'{what}_mean'], 4)} ± {number(row[f'{what}_sd'], 2)}"
        for row in comparison.spread.values()
    ]
    return [[f"  mean ± sd of {len(comparison.runs)} seeds", *cells]]
