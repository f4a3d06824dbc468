"""One self-contained HTML page: figures inside, nothing loaded, all names escaped."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from string import Template

from .._version import __version__
from ..geodesics import Geodesic
from ..studies import Comparison
from ..studies.comparison.options import LEAST_ACTION, NAMES, PATH_NAMES
from ..training import Fit
from .descriptions import certificate_in_words
from .fisher import fisher_section
from .numbers import number

__all__ = ["render_page"]

CAPTIONS = {
    "lengths": (
        "Every path in every metric",
        "Length of each path, in units of the distance between its ends in that metric: 1 is the "
        "least possible. A least-action network has a map, and so a distance, of its own. "
        "Compare bars within a panel; panels measure in different units.",
    ),
    "speed": (
        "Speed along each path",
        "A geodesic runs at constant speed in its own metric (the thick line). Where another "
        "path is fast in it, the path spends much of its length there.",
    ),
    "paths": (
        "Paths of some points",
        "From the data (open circles) to the target (filled), in the plane of the first two "
        "principal components of both ends; grey: where all points end. Where there are labels, "
        "they colour the points.",
    ),
    "sensitivity": (
        "How the excess moves with kernel width and ridge",
        "Each dot is a comparison of its own, with paths of 8 steps. An excess that hardly moves "
        "is a fact of the path, not of the setting.",
    ),
    "seeds": (
        "Over the seeds",
        "Each dot is another draw of the data and another training.",
    ),
    "fisher": (
        "Spectrum and layers of the Fisher information",
        "Left: the eigenvalues, largest first; a curve that falls early is a network whose "
        "predictions hang on few directions. Middle and right: what each layer adds to the trace "
        "and to the information length; out is the readout.",
    ),
}


def render_page(comparison: Comparison, figures: dict[str, bytes]) -> str:
    """Render the report as HTML text."""
    sample = comparison.sample
    parts = [
        f"<h1>{escape(sample.name or 'sample')}: paths of maps, judged by "
        f"{_count(len(comparison.geodesics), 'metric')}</h1>",
        f'<p class="lead">{sample.n} points in {sample.dim} dimensions. Target: '
        f"{escape(comparison.target_name)}.</p>",
        _verdict(comparison),
        _cards(comparison),
        "<h2>Lengths</h2>",
        "<p>A path is a curve of maps from the identity to the target; its length is its "
        "complexity, and the geodesic is the least complex path between the two ends. A network, "
        "layer by layer, is such a path too. "
        "Rows are paths, columns are the metrics that measure them. <b>Lengths compare only "
        "within one metric</b> (down a column): each measures in a unit of its own.</p>",
        _table(comparison),
    ]
    shown = {}
    for name, png in figures.items():
        title, caption = CAPTIONS[name]
        data = base64.b64encode(png).decode("ascii")
        shown[name] = [
            f"<p>{caption}</p>",
            f'<img alt="{title}" src="data:image/png;base64,{data}">',
        ]
        if name != "fisher":  # which has a section of its own
            parts += [f"<h2>{title}</h2>", *shown[name]]
    parts += [
        *fisher_section(comparison, shown.get("fisher", [])),
        "<h2>What the certificates say</h2>",
        "<dl>",
        *_certificates(comparison),
        "</dl>",
        _notes(comparison),
        "<h2>How to reproduce it</h2>",
        f"<pre># in a clone of geomnet, version {__version__}\npip install .\n"
        f"{escape(comparison.command)}</pre>",
        "<p>The same seed gives the same numbers (up to rounding of the linear algebra). Beside "
        "this page: <code>results.json</code> holds every number, <code>paths.npz</code> every "
        "path, weight and network parameter, <code>figures/</code> the pictures.</p>",
        f"<footer>geomnet {__version__}, seed {comparison.options.seed}, "
        f"{number(comparison.seconds, 3)} seconds. Metrics: "
        + "; ".join(escape(repr(metric)) for metric in comparison.metrics.values())
        + ".</footer>",
    ]
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(sample.name or "sample"), body="\n".join(part for part in parts if part)
    )


def _count(n: int, noun: str) -> str:
    words = {1: "one", 2: "two", 3: "three"}
    return f"{words.get(n, n)} {noun}{'s' if n != 1 else ''}"


def _verdict(comparison: Comparison) -> str:
    if comparison.ok:
        return (
            '<div class="fine">Every geodesic converged, and no path is shorter in a metric than '
            "that metric's distance: the law that must hold does.</div>"
        )
    rows = "".join(f"<li>{escape(problem)}</li>" for problem in comparison.problems)
    return f'<div class="problem"><b>Read these results with care.</b><ul>{rows}</ul></div>'


def _cards(comparison: Comparison) -> str:
    """The numbers that matter most, large."""
    cards = [*_excess_cards(comparison), *_network_cards(comparison)]
    rows = "".join(
        f"<div class=card><b>{value}</b><span>{note}</span></div>" for value, note in cards
    )
    return f"<div class=cards>{rows}</div>" if rows else ""


def _excess_cards(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """The network's excess in every metric."""
    if "network" not in comparison.lengths:
        return
    for name, excess in comparison.excess.items():
        spread = comparison.spread[name]
        note = f"times the least {NAMES[name]} length: the network's excess"
        if len(comparison.runs) > 1:
            note += (
                f" (mean over {len(comparison.runs)} seeds {number(spread['excess_mean'], 4)} ± "
                f"{number(spread['excess_sd'], 2)})"
            )
        yield f"{excess:.3f}×", note


def _network_cards(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What the networks know, and what least action costs."""
    fit, least = comparison.fit, comparison.least_action
    if fit is not None:
        network = comparison.as_dict()["network"]
        note = (
            f"accuracy of the network "
            f"({network['depth']} residual layers, {network['parameters']} parameters with the "
            f"readout), {_heldout(comparison, fit)}"
        )
        yield f"{_percent(fit)} %", note
    if least is not None:
        energy = least.fit.action_energy
        share = (
            math.nan if energy is None or not least.plain_energy else energy / least.plain_energy
        )
        note = (
            f"of the trained network's action is "
            f"what the path of least action costs ({NAMES[least.metric]} metric, weight "
            f"{least.weight:g}). Accuracy {_percent(least.fit)} %, "
            f"{_heldout(comparison, least.fit)}"
        )
        yield f"{number(share, 3)}×", note


def _percent(fit: Fit) -> str:
    """Accuracy in training."""
    return "–" if fit.train_accuracy is None else f"{100 * fit.train_accuracy:.1f}"


def _heldout(comparison: Comparison, fit: Fit) -> str:
    if fit.heldout_accuracy is None or comparison.heldout is None:
        return "no data held out"
    return f"{100 * fit.heldout_accuracy:.1f} % on {comparison.heldout.n} held-out points"


def _certificates(comparison: Comparison) -> list[str]:
    """Every geodesic's certificate in words, those to the least-action map last."""
    paths = {"network": ""}
    if comparison.least_action is not None:
        paths[LEAST_ACTION] = ", to the map learned by least action"
    return [
        f"<dt>{NAMES[name]}{where}</dt>"
        f"<dd>{escape(certificate_in_words(geo, comparison.lower_bounds_of(path).get(name)))}</dd>"
        for path, where in paths.items()
        for name, geo in comparison.geodesics_of(path).items()
    ]


def _table(comparison: Comparison) -> str:
    metrics = list(comparison.geodesics)
    head = "".join(f"<th>in {NAMES[name]}</th>" for name in metrics)
    rows = [f"<thead><tr><th>path</th>{head}</tr></thead><tbody>"]
    for path, lengths in comparison.lengths.items():
        cells = "".join(
            f"<td{' class=own' if path == name else ''}>{number(lengths[name], 6)}</td>"
            for name in metrics
        )
        rows.append(f"<tr><td>{PATH_NAMES[path]}</td>{cells}</tr>")
    rows.append(_distances("distance", comparison.geodesics))
    if "network" in comparison.lengths:
        rows.append(_ratios("excess of the network", comparison.excess))
    if comparison.least_action is not None:
        geodesics = comparison.geodesics_of(LEAST_ACTION)
        rows.append(_distances("distance of the least-action map", geodesics))
        label = f"excess of the {PATH_NAMES[LEAST_ACTION]}"
        rows.append(_ratios(label, comparison.least_action_excess))
    return "<table>" + "".join(rows) + "</tbody></table>"


def _distances(label: str, geodesics: Mapping[str, Geodesic]) -> str:
    cells = "".join(
        f"<td>{number(geo.distance, 6)} ± {geo.error_estimate:.0e}</td>"
        for geo in geodesics.values()
    )
    return f"<tr class=sum><td>{label}</td>{cells}</tr>"


def _ratios(label: str, ratios: dict[str, float]) -> str:
    cells = "".join(f"<td>{value:.3f}</td>" for value in ratios.values())
    return f"<tr><td>{label}</td>{cells}</tr>"


def _notes(comparison: Comparison) -> str:
    notes = [f"Data: {note}." for note in comparison.sample.notes] + list(comparison.notes)
    rows = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<h2>Worth knowing</h2><ul>{rows}</ul>"
