"""Results as JSON, as arrays, and as a table for the screen."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..studies.options import NAMES

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
    """Every path and its times, the data, and the network's parameters, by name."""
    arrays = {"points": comparison.sample.points, "weights": comparison.sample.weights}
    if comparison.sample.labels is not None:
        arrays["labels"] = comparison.sample.labels
    for name, curve in comparison.curves.items():
        key = name.replace("-", "_")
        arrays[f"path_{key}"], arrays[f"times_{key}"] = curve.states, curve.times
    if comparison.fit is not None:
        arrays["theta"] = comparison.fit.theta
        arrays["readout_weight"] = comparison.fit.readout.weight
        arrays["readout_bias"] = comparison.fit.readout.bias
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


def table(comparison: Any) -> str:
    """Lengths of every path in every metric, with distances and excess, as text."""
    metrics = list(comparison.geodesics)
    rows = [["length of path ↓ in metric →", *(NAMES[name] for name in metrics)]]
    for path, lengths in comparison.lengths.items():
        label = "trained network" if path == "network" else f"{NAMES[path]} geodesic"
        rows.append([label, *(number(lengths[name], 6) for name in metrics)])
    geodesics = comparison.geodesics.values()
    rows.append(["distance", *(_distance(geo) for geo in geodesics)])
    rows.append(["  ± error estimate", *(f"{geo.error_estimate:.1e}" for geo in geodesics)])
    if "network" in comparison.lengths:
        rows.append(["excess of the network", *(f"{x:.3f}" for x in comparison.excess.values())])
        if len(comparison.runs) > 1:
            spread = comparison.spread
            rows.append(
                [
                    f"  mean ± sd of {len(comparison.runs)} seeds",
                    *(
                        f"{number(spread[name]['excess_mean'], 4)} ± "
                        f"{number(spread[name]['excess_sd'], 2)}"
                        for name in metrics
                    ),
                ]
            )
    rows.append(["converged", *("yes" if g.certificate.converged else "NO" for g in geodesics)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    sample = comparison.sample
    head = f"{sample.name}: {sample.n} points in {sample.dim} dimensions; {comparison.target_name}"
    if comparison.fit is not None:
        fit = comparison.fit
        head += f"; accuracy {number(fit.train_accuracy, 3)}"
        if fit.heldout_accuracy is not None:
            head += f", held out {number(fit.heldout_accuracy, 3)}"
    return head + "\n\n" + "\n".join(lines)
