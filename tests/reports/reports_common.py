"""What the tests of reports share."""

import json
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np

import geomnet as gn

METRICS = ["l2", "energy", "fisher-rao"]


SMALL = {"n": 30, "depth": 3, "steps": 8}


QUICK = {"n": 20, "depth": 2, "steps": 8, "metrics": ("l2",)}


def strict(text):
    """Parse JSON as the standard has it: no NaN, no Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def written(folder, comparison):
    """Write a report and read it back as any reader would."""
    page = gn.reports.write_report(comparison, folder)
    with np.load(folder / "paths.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    return SimpleNamespace(
        comparison=comparison,
        folder=folder,
        page=page,
        html=page.read_text(encoding="utf-8"),
        results=strict((folder / "results.json").read_text(encoding="utf-8")),
        arrays=arrays,
    )


# -- report.html ------------------------------------------------------------------------------

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """What a browser sees: tags with their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.pieces, self.open, self.rows = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == [], "elements left open"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "style" not in self.open:
            self.pieces.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return "".join(self.pieces)
