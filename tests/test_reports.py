"""A report holds every number, path and picture of a comparison, whole, escaped and alone."""

import base64
import dataclasses
import io
import itertools
import json
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.image import imread

import geomnet as gn
from geomnet.reports import table, to_json, writer
from geomnet.reports.descriptions import certificate_in_words
from geomnet.utils import files

METRICS = ["l2", "energy", "fisher-rao"]
PATHS = [*METRICS, "network"]
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return written(tmp_path_factory.mktemp("trained"), gn.compare("iris", **SMALL))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return written(tmp_path_factory.mktemp("seeds"), gn.compare("iris", seeds=2, **QUICK))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    points = gn.datasets.load("iris", n=20, seed=1).points
    comparison = gn.compare(gn.Sample(points), depth=2, steps=8)
    return written(tmp_path_factory.mktemp("unlabelled"), comparison)


@pytest.fixture(scope="module")
def least(tmp_path_factory):
    comparison = gn.compare("iris", least_action=1e-2, seeds=2, **SMALL)
    return written(tmp_path_factory.mktemp("least"), comparison)


@pytest.fixture(params=["trained", "seeds", "unlabelled", "least"])
def report(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def swirled():
    """A comparison that is quick to write."""
    return gn.compare("iris", target="swirl", **QUICK)


@pytest.fixture
def sketches(monkeypatch):
    """Figures that are drawn once: what is tested is where they go."""
    monkeypatch.setattr(
        writer, "comparison_figures", lambda _: {"lengths": b"bars", "paths": b"lines"}
    )


def everything_in(folder):
    """Bytes of every file below a folder, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- results.json -----------------------------------------------------------------------------

NUMBER = (int, float)
CERTIFICATE = {
    "converged": bool,
    "gradient_norm": float,
    "speed_variation": float,
    "error_estimate": float,
    "observed_order": (float, type(None)),
    "locally_shortest": (bool, type(None)),
    "gradient_evaluations": int,
    "hessian_products": int,
}
NETWORK = {
    "depth": int,
    "parameters": int,
    "train_accuracy": float,
    "heldout_accuracy": (float, type(None)),
}
TOP = {
    "metrics": list,
    "paths": list,
    "length": dict,
    "distance": dict,
    "excess": dict,
    "certificate": dict,
    "network": (dict, type(None)),
    "least_action": (dict, type(None)),
    "fisher": (dict, type(None)),
    "data": dict,
    "options": dict,
    "seconds": float,
    "version": str,
    "seed": int,
}


def check_types(found, expected):
    for key, kind in expected.items():
        assert isinstance(found[key], kind), (key, found[key])
        assert kind is bool or not isinstance(found[key], bool) or bool in np.atleast_1d(kind), key


def test_the_results_have_the_keys_and_types_promised(report):
    results = report.results
    check_types(results, TOP)
    names = list(report.comparison.geodesics)
    assert results["metrics"] == names
    assert results["paths"] == list(report.comparison.curves)
    assert ("network" in results["paths"]) == (results["network"] is not None)
    assert (results["fisher"] is None) == (results["network"] is None)
    assert set(results["length"]) == set(results["paths"])
    for lengths in results["length"].values():
        check_types(lengths, dict.fromkeys(names, float))
        assert set(lengths) == set(names)
    for key in ("distance", "excess", "certificate"):
        assert set(results[key]) == set(names)
    check_types(results["distance"], dict.fromkeys(names, float))
    for certificate in results["certificate"].values():
        check_types(certificate, CERTIFICATE)
    if results["network"] is not None:
        check_types(results["network"], NETWORK)
    assert results["version"] == gn.__version__
    assert results["seed"] == report.comparison.options.seed


def test_the_results_are_those_of_the_comparison(trained):
    found, results = trained.comparison, trained.results
    assert results["length"] == found.lengths
    assert results["distance"] == {name: geo.distance for name, geo in found.geodesics.items()}
    for name in METRICS:
        ratio = results["length"]["network"][name] / results["distance"][name]
        assert results["excess"][name] == pytest.approx(ratio, rel=1e-12)
        geo = found.geodesics[name]
        assert results["certificate"][name]["gradient_norm"] == geo.certificate.gradient_norm
    assert results["network"]["depth"] == SMALL["depth"]
    assert results["network"]["train_accuracy"] == found.fit.train_accuracy
    assert results["data"]["n"] == SMALL["n"]
    assert results["options"]["steps"] == SMALL["steps"]
    assert results["options"]["metrics"] == METRICS


def test_parameters_are_all_that_was_trained(trained):
    fit = trained.comparison.fit
    total = fit.theta.size + fit.readout.weight.size + fit.readout.bias.size
    assert trained.results["network"]["parameters"] == total


def test_what_is_no_number_is_null(unlabelled, trained):
    assert set(unlabelled.results["excess"].values()) == {None}
    assert unlabelled.results["network"] is None
    assert trained.results["spread"]["l2"]["excess_sd"] is None  # of one seed


def test_seeds_are_all_recorded(seeds):
    assert [run["seed"] for run in seeds.results["runs"]] == [0, 1]
    assert seeds.results["spread"]["l2"]["excess_sd"] > 0


def test_the_results_of_least_action_are_those_of_the_comparison(least):
    found, results = least.comparison, least.results["least_action"]
    assert (results["weight"], results["metric"]) == (1e-2, "energy")
    assert results["distance"] == {n: g.distance for n, g in found.least_action.geodesics.items()}
    assert results["excess"] == found.least_action_excess
    for name in METRICS:
        ratio = least.results["length"]["least-action"][name] / results["distance"][name]
        assert results["excess"][name] == pytest.approx(ratio, rel=1e-12)
        check_types(results["certificate"][name], CERTIFICATE)
    assert results["action_energy"] == found.least_action.fit.action_energy
    assert results["plain_energy"] > results["action_energy"]
    check_types(results, {"loss": float, "train_accuracy": float, "heldout_accuracy": float})
    assert 0 < results["lower_bound"]["fisher-rao"] < results["distance"]["fisher-rao"]
    assert least.results["paths"][-1] == "least-action"
    # it bought a shorter path with a larger loss
    assert results["loss"] > least.results["network"]["loss"]


# -- JSON of numbers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("-inf"), np.array(np.nan)],
)
def test_numbers_that_are_not_finite_are_null(value):
    assert strict(to_json({"x": value})) == {"x": None}
    assert strict(to_json([1.0, [value]])) == [1.0, [None]]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3),
        (np.uint8(200), 200),
        (np.bool_(True), True),
        (np.str_("ε"), "ε"),
        (np.arange(3), [0, 1, 2]),
        (np.array([[0.5, np.nan]]), [[0.5, None]]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", "b"]), ["a", "b"]),
        ((1, (2, None)), [1, [2, None]]),
        ({np.int64(1): {"k": (np.float64(2.0),)}}, {"1": {"k": [2.0]}}),
        (Path("a") / "b", str(Path("a") / "b")),
        (True, True),
        (None, None),
        ("Fisher–Rao", "Fisher–Rao"),
        (5e-324, 5e-324),
        (1 / 3, 1 / 3),
    ],
)
def test_numpy_becomes_plain(value, plain):
    back = strict(to_json({"value": value}))["value"]
    assert back == plain
    assert type(back) is type(plain)


def test_json_keeps_letters_and_ends_its_line():
    text = to_json({"name": "Matérn"})
    assert "Matérn" in text
    assert text.endswith("}\n")


# -- paths.npz --------------------------------------------------------------------------------


def test_the_archive_holds_every_path_with_its_times(report):
    found = report.comparison
    for name, curve in found.curves.items():
        key = name.replace("-", "_")
        np.testing.assert_array_equal(report.arrays[f"path_{key}"], curve.states)
        np.testing.assert_array_equal(report.arrays[f"times_{key}"], curve.times)
    paths = [key for key in report.arrays if key.startswith("path_")]
    assert len(paths) == len(report.results["paths"])
    np.testing.assert_array_equal(report.arrays["points"], found.sample.points)
    np.testing.assert_array_equal(report.arrays["weights"], found.sample.weights)
    assert ("labels" in report.arrays) == (found.sample.labels is not None)
    assert ("theta" in report.arrays) == (found.network is not None)


def test_the_network_can_be_rebuilt_from_the_archive(trained):
    arrays, results = trained.arrays, trained.results
    depth, per_layer = arrays["theta"].shape
    dim = arrays["points"].shape[1]
    width = next(
        width
        for width in itertools.count(1)
        if gn.TanhField(dim=dim, width=width).n_parameters >= per_layer
    )
    network = gn.Network(gn.TanhField(dim=dim, width=width), depth=depth)
    assert network.parameters_shape == arrays["theta"].shape
    states = network.states(arrays["theta"], arrays["points"])
    np.testing.assert_allclose(states, arrays["path_network"], rtol=1e-12, atol=1e-12)
    readout = gn.Readout(arrays["readout_weight"], arrays["readout_bias"])
    right = np.mean(readout(states[-1]).argmax(axis=1) == arrays["labels"])
    assert right == pytest.approx(results["network"]["train_accuracy"])
    total = arrays["theta"].size + readout.weight.size + readout.bias.size
    assert total == results["network"]["parameters"]


def test_the_least_action_network_can_be_rebuilt_from_the_archive(least):
    arrays, found = least.arrays, least.comparison
    states = found.network.states(arrays["theta_least_action"], arrays["points"])
    np.testing.assert_array_equal(states, arrays["path_least_action"])
    readout = gn.Readout(arrays["readout_weight_least_action"], arrays["readout_bias_least_action"])
    right = np.mean(readout(states[-1]).argmax(axis=1) == arrays["labels"])
    assert right == pytest.approx(least.results["least_action"]["train_accuracy"])
    assert (arrays["theta"] != arrays["theta_least_action"]).any()


def test_lengths_can_be_measured_anew_from_the_archive(trained):
    arrays = trained.arrays
    space = gn.FunctionSpace(gn.Sample(arrays["points"], weights=arrays["weights"]))
    readout = gn.Readout(arrays["readout_weight"], arrays["readout_bias"])
    metrics = {
        "l2": gn.L2Metric(space),
        "energy": gn.EnergyMetric(space, gn.Matern32Kernel()),
        "fisher-rao": gn.FisherRaoMetric(space, gn.Categorical(3), readout),
    }
    for path, name in itertools.product(PATHS, METRICS):
        key = path.replace("-", "_")
        curve = gn.Curve(arrays[f"path_{key}"], arrays[f"times_{key}"])
        expected = trained.results["length"][path][name]
        assert curve.length(metrics[name]) == pytest.approx(expected, rel=1e-6)


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


# -- words and table --------------------------------------------------------------------------


def changed(geo, **certificate):
    return dataclasses.replace(geo, certificate=dataclasses.replace(geo.certificate, **certificate))


def test_certificates_are_told_apart_in_words(trained):
    geo = trained.comparison.geodesics["energy"]
    told = {
        certificate_in_words(changed(geo, **certificate))
        for certificate in (
            {"locally_shortest": True},
            {"locally_shortest": False, "lowest_eigenvalue": -0.5},
            {"locally_shortest": None, "lowest_eigenvalue": 0.001},
            {"observed_order": None},
            {"observed_order": 2.0},
            {"observed_order": 0.9},
            {"converged": False},
        )
    }
    assert len(told) == 7


def test_words_give_the_numbers_and_the_remedy(trained):
    geo = trained.comparison.geodesics["energy"]
    words = certificate_in_words(geo)
    assert str(geo.certificate.gradient_evaluations) in words
    assert str(geo.certificate.hessian_products) in words
    assert f"{geo.distance:.6g}" in words
    assert "converged" in words
    assert "Remedy" not in words
    failed = dataclasses.replace(changed(geo, converged=False), status="take more of them")
    assert "take more of them" in certificate_in_words(failed)
    assert "NOT" in certificate_in_words(failed)
    assert "SHORTER" in certificate_in_words(changed(geo, locally_shortest=False))


def test_the_table_has_every_length(report):
    lines = [re.split(r"\s{2,}", line.strip()) for line in table(report.comparison).splitlines()]
    numbers = [row[1:] for row in lines if len(row) == 1 + len(report.results["metrics"])]
    for path, row in zip(report.results["paths"], numbers[1:]):
        lengths = list(report.results["length"][path].values())
        assert [float(cell) for cell in row] == pytest.approx(lengths, rel=1e-5)
    said = table(report.comparison)
    assert report.results["data"]["target"] in said
    assert said.count("yes") == len(report.results["metrics"])
    assert "NO" not in said
    assert max(map(len, said.splitlines()[1:])) <= 100


def test_the_table_owns_up_to_what_did_not_converge(swirled):
    geo = changed(swirled.geodesics["l2"], converged=False)
    assert "NO" in table(dataclasses.replace(swirled, geodesics={"l2": geo}))


# -- odd comparisons --------------------------------------------------------------------------


def odd(kind):
    if kind == "one dimension":
        return gn.compare(gn.Sample(np.linspace(0, 1, 6)[:, None]), steps=8)
    if kind == "two points":
        return gn.compare(gn.Sample([[0.0, 1.0], [1.0, 3.0]], labels=[0, 1]), steps=8, depth=2)
    if kind == "many classes":
        x = gn.datasets.load("iris", n=30, seed=0).points
        return gn.compare(gn.Sample(x, labels=np.arange(30) % 12), target="swirl", **QUICK)
    found = gn.compare("iris", target="swirl", **QUICK)
    nothing = {path: {"l2": math.nan} for path in found.lengths}
    speeds = {path: {"l2": np.full(8, np.nan)} for path in found.lengths}
    return dataclasses.replace(found, lengths=nothing, speeds=speeds, problems=["l2: unknown"])


@pytest.mark.parametrize("kind", ["one dimension", "two points", "many classes", "unknown lengths"])
def test_odd_comparisons_are_reported_too(tmp_path, kind):
    report = written(tmp_path, odd(kind))
    assert not re.search(r"\b(nan|inf)\b", Page(report.html).text)
    assert not re.search(r"\b(nan|inf)\b", table(report.comparison))
    for path in (report.folder / "figures").iterdir():
        assert (imread(path)[..., :3] < 0.97).any()
    if kind == "unknown lengths":
        assert report.results["length"] == {"l2": {"l2": None}}
        assert "unknown" in Page(report.html).text


# -- files ------------------------------------------------------------------------------------


def test_the_report_is_made_where_it_is_asked_for(swirled, tmp_path, sketches):
    for folder in (tmp_path / "a" / "deep" / "folder", str(tmp_path / "text")):
        page = gn.reports.write_report(swirled, folder)
        assert page == Path(folder) / "report.html"
        assert sorted(os.listdir(folder)) == [
            "figures",
            "paths.npz",
            "report.html",
            "results.json",
        ]


def test_an_earlier_report_is_replaced_whole(seeds, swirled, tmp_path):
    (tmp_path / "used" / "figures").mkdir(parents=True)
    for name in everything_in(seeds.folder):
        (tmp_path / "used" / name).write_bytes(b"of an earlier report")
    (tmp_path / "used" / "mine.txt").write_text("kept")
    gn.reports.write_report(swirled, tmp_path / "used")
    gn.reports.write_report(swirled, tmp_path / "fresh")
    used, fresh = (everything_in(tmp_path / name) for name in ("used", "fresh"))
    assert used.pop("mine.txt") == b"kept"
    assert used.keys() == fresh.keys()
    for name in used:
        assert used[name] == fresh[name] or name == "paths.npz", name


@pytest.mark.parametrize("maker", ["comparison_figures", "arrays_of", "to_json", "render_page"])
def test_nothing_is_touched_where_a_part_cannot_be_made(swirled, tmp_path, monkeypatch, maker):
    (tmp_path / "figures").mkdir()
    for name in ("report.html", "results.json", "paths.npz", "figures/lengths.png"):
        (tmp_path / name).write_bytes(b"of an earlier report")
    before = everything_in(tmp_path)

    def fail(*_):
        raise RuntimeError("stopped")

    monkeypatch.setattr(writer, maker, fail)
    with pytest.raises(RuntimeError, match="stopped"):
        gn.reports.write_report(swirled, tmp_path)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_stop_midway_leaves_every_file_whole(swirled, tmp_path, monkeypatch, sketches, error, at):
    later = dataclasses.replace(swirled, notes=["a later report"])
    gn.reports.write_report(later, tmp_path / "new")
    gn.reports.write_report(swirled, tmp_path / "out")
    old, new = (everything_in(tmp_path / name) for name in ("out", "new"))
    replace, count = os.replace, itertools.count()

    def stops(source, target):
        if next(count) == at:
            raise error(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", stops)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else gn.InputError):
        gn.reports.write_report(later, tmp_path / "out")
    monkeypatch.undo()
    found = everything_in(tmp_path / "out")
    assert found.keys() == old.keys()  # no temporary file among them
    for name, content in found.items():
        assert content in (old[name], new[name]) or name == "paths.npz", name
    with np.load(tmp_path / "out" / "paths.npz") as archive:
        np.testing.assert_array_equal(archive["path_l2"], swirled.curves["l2"].states)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_named(swirled, tmp_path, place):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(gn.InputError, match=r"^out: .*file") as caught:
        gn.reports.write_report(swirled, tmp_path / place)
    assert "another" in str(caught.value)
    assert everything_in(tmp_path) == {"file": b"kept"}


def test_a_file_in_the_place_of_the_figures_is_named(swirled, tmp_path):
    (tmp_path / "figures").write_text("kept")
    with pytest.raises(gn.InputError, match=r"^out: "):
        gn.reports.write_report(swirled, tmp_path)
    assert everything_in(tmp_path) == {"figures": b"kept"}
