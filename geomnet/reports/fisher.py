"""The report's section on Fisher information: a table, and the words around it."""

from __future__ import annotations

from ..studies import Comparison, FisherSummary
from .descriptions import fisher_in_words
from .numbers import number

__all__ = ["fisher_section"]


def fisher_section(comparison: Comparison, figure: list[str]) -> list[str]:
    """Parts of the page, in HTML; none where no Fisher information was measured.

    Parameters
    ----------
    comparison : Comparison
    figure : list of str
        The figure with its caption, where there is one.
    """
    summary = comparison.fisher
    if summary is None:
        return []
    before, after = fisher_in_words(summary, ridged="fisher-rao" in comparison.geodesics)
    return [
        "<h2>Fisher information</h2>",
        *(f"<p>{text}</p>" for text in before),
        _table(summary),
        *figure,
        *(f"<p>{text}</p>" for text in after),
    ]


def _table(summary: FisherSummary) -> str:
    dimension = summary.effective_dimension
    rows = {
        "parameters p, readout included": str(summary.n_parameters),
        "rank: directions that move a prediction": str(summary.rank),
        "directions that hold 90 % of the trace": str(summary.directions(0.9)),
        "trace": number(summary.trace),
        "largest eigenvalue": number(summary.eigenvalues[0] if summary.rank else 0.0),
        f"effective dimension (n = {summary.n}, γ = {summary.gamma:g})": number(dimension),
        "squared Fisher–Rao norm θᵀGθ": number(summary.fisher_rao_norm),
        "information length Σ √(θₗᵀGₗₗθₗ)": number(summary.information_length),
        "Fisher–Rao length of the layer path": number(summary.path_length),
        "Fisher–Rao chord, input to output": number(summary.path_chord),
        "length / chord": number(summary.path_excess, 4),
    }
    cells = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows.items())
    head = "<thead><tr><th>of the trained network</th><th>value</th></tr></thead>"
    return f"<table>{head}<tbody>{cells}</tbody></table>"
