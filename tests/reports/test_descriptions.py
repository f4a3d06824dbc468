"""Descriptions: words and table, odd comparisons, files."""

import dataclasses
import itertools
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from reports_common import QUICK, Page, written

import geomnet as gn
from geomnet.reports import table, writer
from geomnet.reports.descriptions import certificate_in_words
from geomnet.utils import files


def everything_in(folder):
    """Bytes of every file below a folder, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


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
