"""Fixtures of the tests of this folder."""

import pytest

from geomnet.cli import main
from geomnet.reports import writer


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _sketches(monkeypatch):
    """In this process, figures are not drawn: what is tested is that they are written."""
    monkeypatch.setattr(
        writer, "comparison_figures", lambda _: {"lengths": b"bars", "paths": b"lines"}
    )


@pytest.fixture
def run(capsys):
    """Run the command line in this process: its status, and what it wrote to both streams."""

    def call(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:
            status = stop.code or 0
        return (status, *capsys.readouterr())

    return call
