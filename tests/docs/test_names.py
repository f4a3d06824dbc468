"""Every name of the documentation is there, and every public name is in the reference once."""

import inspect
import re
from collections import Counter
from functools import reduce
from pathlib import Path

import pytest

import geomnet as gn

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
REFERENCE = PROJECT / "docs" / "reference" / "api.md"


def reference():
    """Names as the reference lists them, relative to geomnet."""
    blocks = re.findall(r"^```\{eval-rst\}\n(.*?)^```", REFERENCE.read_text("utf-8"), re.M | re.S)
    return re.findall(r"^   ([A-Za-z]\S*)$", "".join(blocks), re.M)


def public():
    """Every class and function of every room, by the shortest name that finds it."""
    top = {getattr(gn, name): name for name in gn.__all__ if callable(getattr(gn, name))}
    rooms = {getattr(gn, name): name for name in gn.__all__ if inspect.ismodule(getattr(gn, name))}
    names = dict.fromkeys(top.values())
    for room, called in rooms.items():  # of two names of a room the last
        for name in getattr(room, "__all__", ()):
            value = getattr(room, name)
            if callable(value) and value not in top:
                home = (
                    "geometry.datasets" if called == "datasets" else called
                )  # a module's own name
                names[f"{home}.{name}"] = None
    return list(names)


def rooms_of_the_readme():
    """First cells of the README's list of rooms."""
    text = PAGES[0].read_text("utf-8")
    listed = text[text.index("| room | what it holds") :].split("\n\n")[0]
    return {
        room for row in listed.splitlines() for room in re.findall(r"`(\w+)/`", row.split(" | ")[0])
    }


def resolve(dotted):
    return reduce(getattr, dotted.split("."), gn)


def test_the_reference_lists_every_public_name_once():
    listed = Counter(reference())
    assert max(listed.values()) == 1
    assert listed.keys() == set(public())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_name_of_a_page_resolves(page):
    for dotted in sorted(
        set(re.findall(r"\bgn\.([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)", page.read_text("utf-8")))
    ):
        assert resolve(dotted) is not None, dotted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_file_that_a_page_names_is_there(page):
    named = re.findall(
        r"(?<![\w/.])((?:docs|benchmarks|geomnet|tests)/[\w./-]+\.\w+)", page.read_text("utf-8")
    )
    missing = [path for path in named if not (PROJECT / path).is_file()]
    assert not missing


def test_the_readme_lists_every_room():
    rooms = {page.parent.name for page in (PROJECT / "geomnet").glob("*/__init__.py")}
    assert rooms_of_the_readme() == rooms - {"linalg", "utils"}
