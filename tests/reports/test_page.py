"""Page: figures, report.html."""

import base64
import dataclasses
import io
import os
import re

import numpy as np
import pytest
from matplotlib.image import imread
from reports_common import METRICS, QUICK, Page, written

import geomnet as gn
from geomnet.reports.descriptions import certificate_in_words

# -- figures ----------------------------------------------------------------------------------


def test_the_figures_are_those_of_the_comparison(report):
    names = {path.name for path in (report.folder / "figures").iterdir()}
    expected = {"lengths.png", "speed.png", "paths.png"}
    if {"energy", "fisher-rao"} & set(report.results["metrics"]):
        expected.add("sensitivity.png")
    if len(report.results["runs"]) > 1:
        expected.add("seeds.png")
    if report.results["fisher"] is not None:
        expected.add("fisher.png")
    assert names == expected


def test_figures_are_pictures_of_sane_size(report):
    for path in (report.folder / "figures").iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert 5_000 < len(content) < 1_000_000
        height, width, _ = imread(io.BytesIO(content), format="png").shape
        assert 150 < height < 2000, path.name
        assert 300 < width < 3000, path.name


def test_no_figure_is_blank(report):
    for path in (report.folder / "figures").iterdir():
        picture = imread(path)[..., :3]
        ink = (picture < 0.97).any(axis=-1)
        assert 0.005 < ink.mean() < 0.7, path.name
        # something is drawn in the left, the right, the upper and the lower half
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        assert rows[0] < 0.3 * len(ink) < 0.7 * len(ink) < rows[-1], path.name
        assert columns[0] < 0.3 * ink.shape[1] < 0.7 * ink.shape[1] < columns[-1], path.name


def test_the_page_stands_alone(report):
    page = Page(report.html)
    assert not re.search(r"https?:|//\w", re.sub(r'src="data:[^"]*"', "", report.html))
    assert not re.search(r"@import|url\(|expression\(", report.html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "a"}
        assert not {"href", "srcset", "background", "action", "data"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/png;base64,")
    assert report.html.startswith("<!DOCTYPE html>")
    assert ("meta", {"charset": "utf-8"}) in page.tags


def test_the_page_shows_every_figure(report):
    shown = [
        base64.b64decode(attributes["src"].partition(",")[2])
        for tag, attributes in Page(report.html).tags
        if tag == "img"
    ]
    files_ = [path.read_bytes() for path in (report.folder / "figures").iterdir()]
    assert sorted(shown) == sorted(files_)
    assert all(attributes.get("alt") for tag, attributes in Page(report.html).tags if tag == "img")


def test_the_page_has_every_length(report):
    rows = Page(report.html).rows
    names = report.results["metrics"]
    assert len(rows[0]) == 1 + len(names)
    for path, row in zip(report.results["paths"], rows[1:]):
        lengths = [report.results["length"][path][name] for name in names]
        assert [float(cell) for cell in row[1:]] == pytest.approx(lengths, rel=1e-5), path
    (distance,) = (row for row in rows if row[0] == "distance")
    for cell, name in zip(distance[1:], names):
        value, error = map(float, cell.split("±"))
        assert value == pytest.approx(report.results["distance"][name], rel=1e-5)
        assert error == pytest.approx(
            report.results["certificate"][name]["error_estimate"], rel=0.5
        )


def test_the_page_has_the_excess_of_the_network(trained):
    (row,) = (row for row in Page(trained.html).rows if row[0].startswith("excess"))
    expected = [trained.results["excess"][name] for name in METRICS]
    assert [float(cell) for cell in row[1:]] == pytest.approx(expected, rel=1e-3)


def test_the_page_has_distance_and_excess_of_the_least_action_network(least):
    rows = {row[0]: row[1:] for row in Page(least.html).rows}
    results = least.results["least_action"]
    excess = rows["excess of the least-action network"]
    assert [float(x) for x in excess] == pytest.approx([*results["excess"].values()], rel=1e-3)
    distance = [float(cell.split("±")[0]) for cell in rows["distance of the least-action map"]]
    assert distance == pytest.approx([*results["distance"].values()], rel=1e-5)
    text = " ".join(Page(least.html).text.split())
    assert f"{results['action_energy'] / results['plain_energy']:.3g}×" in text
    for accuracy in ("train_accuracy", "heldout_accuracy"):
        assert f"{100 * results[accuracy]:.1f} %" in text
    for path in ("network", "least-action"):
        for name, geo in least.comparison.geodesics_of(path).items():
            bound = least.comparison.lower_bounds_of(path).get(name)
            assert " ".join(certificate_in_words(geo, bound).split()) in text


def test_the_page_says_what_a_reader_needs(report):
    text = " ".join(Page(report.html).text.split())
    assert "only within one metric" in text
    assert report.results["command"] in text
    assert report.results["version"] in text
    assert report.results["data"]["target"] in text
    for note in (*report.results["data"]["notes"], *report.results["notes"]):
        assert note in text
    for name in report.results["metrics"]:
        words = certificate_in_words(report.comparison.geodesics[name])
        assert " ".join(words.split()) in text
    terms = [tag for tag, _ in Page(report.html).tags if tag == "dt"]
    asked = 2 if report.results["least_action"] else 1
    assert len(terms) == asked * len(report.results["metrics"])


def test_the_page_and_the_results_count_the_same_parameters(trained):
    (count,) = re.findall(r"(\d+) parameters", Page(trained.html).text)
    assert int(count) == trained.results["network"]["parameters"]


def test_the_page_tells_the_accuracies(trained):
    text = Page(trained.html).text
    for accuracy in ("train_accuracy", "heldout_accuracy"):
        assert f"{100 * trained.results['network'][accuracy]:.1f} %" in text


def test_notes_are_escaped(swirled, tmp_path, sketches):
    sample, note = swirled.sample.noted("<b>'ours'</b> &amp;"), "<script>alert(2)</script>"
    report = written(tmp_path, dataclasses.replace(swirled, sample=sample, notes=[note]))
    page = Page(report.html)
    assert note in page.text
    assert "<b>'ours'</b> &amp;" in page.text
    assert "script" not in {tag for tag, _ in page.tags}


def test_problems_are_loud_and_escaped(swirled, tmp_path, sketches):
    assert "care" not in Page(written(tmp_path, swirled).html).text
    problem = "l2: a shorter path was <found>: <script>alert(1)</script>"
    loud = written(tmp_path, dataclasses.replace(swirled, problems=[problem]))
    assert problem in Page(loud.html).text
    assert "care" in Page(loud.html).text
    assert loud.results["problems"] == [problem]
    assert "script" not in {tag for tag, _ in Page(loud.html).tags}


HOSTILE = "<img src=x onerror=alert(1)>"


def test_names_and_labels_of_a_file_are_escaped(tmp_path):
    # the slash of </script> makes this a file of a folder
    data = tmp_path / "<script>alert(1)</script>.csv"
    data.parent.mkdir()
    x = gn.datasets.load("iris", n=12, seed=0).points
    lines = [f"{a},{b},<b>{k % 2}</b>" for k, (a, b, *_) in enumerate(x)]
    data.write_text(f"{HOSTILE},$body,\"<i>'kind'&amp;\"\n" + "\n".join(lines) + "\n")
    report = written(tmp_path / "out", gn.compare(data, label_column="<i>'kind'&amp;", **QUICK))
    page = Page(report.html)
    tags = {tag for tag, _ in page.tags}
    assert not {"script", "i"} & tags
    assert all(a["src"].startswith("data:") for tag, a in page.tags if tag == "img")
    assert report.results["command"] in page.text
    assert "<script>alert(1)</script>.csv" in page.text
    assert "'\"'\"'kind'\"'\"'&amp;" in page.text
    assert "script>" in page.text.split(":")[1]  # the title holds the name of the data


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a\"b'c&lt;", "$body", "Ωμέγα", ""])
def test_the_name_of_a_sample_is_text(swirled, tmp_path, sketches, name):
    sample = swirled.sample.replace(name=name)
    report = written(tmp_path, dataclasses.replace(swirled, sample=sample))
    page = Page(report.html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(f"{name or 'sample'}") >= 2
    assert report.results["data"]["name"] == name
    assert report.html.count("<h1>") == 1


def test_a_name_that_is_no_text_is_written_all_the_same(swirled, tmp_path, sketches):
    name = os.fsdecode(b"caf\xe9")  # of a file whose name is not UTF-8
    options = dataclasses.replace(swirled.options, data=name)
    sample = swirled.sample.replace(name=name)
    report = written(tmp_path, dataclasses.replace(swirled, sample=sample, options=options))
    assert report.results["data"]["name"].startswith("caf")
    assert "caf" in Page(report.html).text
