"""Results as a table for the screen."""

from __future__ import annotations

from collections.abc import Mapping

from ..geodesics import Geodesic
from ..studies import Comparison
from ..studies.comparison.options import LEAST_ACTION, NAMES, PATH_NAMES
from ..training import Fit
from .numbers import number

__all__ = ["table"]


def table(comparison: Comparison) -> str:
    """Lengths of every path in every metric, with distances and excess, as text."""
    metrics = list(comparison.geodesics)
    rows = [["length of path ↓ in metric →", *(NAMES[name] for name in metrics)]]
    for path, lengths in comparison.lengths.items():
        rows.append([PATH_NAMES[path], *(number(lengths[name], 6) for name in metrics)])
    geodesics = comparison.geodesics
    rows += _distances("distance", geodesics)
    if "network" in comparison.lengths:
        rows.append(["excess of the network", *(f"{x:.3f}" for x in comparison.excess.values())])
        rows += _over_seeds(comparison, "excess")
    passed = (geo.certificate.converged for geo in geodesics.values())
    rows.append(["converged", *("yes" if converged else "NO" for converged in passed)])
    if comparison.least_action is not None:
        rows += _distances("distance of the least-action map", comparison.least_action.geodesics)
        ratios = comparison.least_action_excess.values()
        rows.append([f"excess of the {PATH_NAMES[LEAST_ACTION]}", *(f"{x:.3f}" for x in ratios)])
        rows += _over_seeds(comparison, "least_action_excess")
    lines = _aligned(rows)
    lines.insert(1, "-" * len(lines[0]))
    return _head(comparison) + "\n\n" + "\n".join(lines)


def _head(comparison: Comparison) -> str:
    """What was compared, and how well the networks know it."""
    sample = comparison.sample
    head = f"{sample.name}: {sample.n} points in {sample.dim} dimensions; {comparison.target_name}"
    if comparison.fit is not None:
        head += f"; {_accuracies(comparison.fit)}"
    least = comparison.least_action
    if least is not None:
        head += (
            f"\n{PATH_NAMES[LEAST_ACTION]}: trained with {least.weight:g} × its action "
            f"({NAMES[least.metric]}); {_accuracies(least.fit)}"
        )
    return head


def _aligned(rows: list[list[str]]) -> list[str]:
    """Rows as lines, the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
        for row in rows
    ]


def _distances(label: str, geodesics: Mapping[str, Geodesic]) -> list[list[str]]:
    """A row of distances, and one of what they may be off by."""
    found = geodesics.values()
    return [
        [label, *(_distance(geo) for geo in found)],
        ["  ± error estimate", *(f"{geo.error_estimate:.1e}" for geo in found)],
    ]


def _distance(geo: Geodesic) -> str:
    """Distance in six digits; in brackets, with a question mark, where it is not to be trusted."""
    text = number(geo.distance, 6)
    return text if geo.certificate.converged else f"({text}?)"


def _accuracies(fit: Fit) -> str:
    """Accuracy of a network in training, and held out where anything is."""
    text = f"accuracy {number(fit.train_accuracy, 3)}"
    if fit.heldout_accuracy is not None:
        text += f", held out {number(fit.heldout_accuracy, 3)}"
    return text


def _over_seeds(comparison: Comparison, what: str) -> list[list[str]]:
    """Row of mean and standard deviation over the seeds, where there are several."""
    if len(comparison.runs) < 2:
        return []
    cells = [
        f"{number(row[f'{what}_mean'], 4)} ± {number(row[f'{what}_sd'], 2)}"
        for row in comparison.spread.values()
    ]
    return [[f"  mean ± sd of {len(comparison.runs)} seeds", *cells]]
