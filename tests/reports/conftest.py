"""Fixtures of the tests of this folder."""

import pytest
from reports_common import QUICK, SMALL, written

import geomnet as gn
from geomnet.reports import writer


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return written(tmp_path_factory.mktemp("trained"), gn.compare("iris", **SMALL))


@pytest.fixture(scope="session")
def seeds(tmp_path_factory):
    return written(tmp_path_factory.mktemp("seeds"), gn.compare("iris", seeds=2, **QUICK))


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory):
    points = gn.datasets.load("iris", n=20, seed=1).points
    comparison = gn.compare(gn.Sample(points), depth=2, steps=8)
    return written(tmp_path_factory.mktemp("unlabelled"), comparison)


@pytest.fixture(scope="session")
def least(tmp_path_factory):
    comparison = gn.compare("iris", least_action=1e-2, seeds=2, **SMALL)
    return written(tmp_path_factory.mktemp("least"), comparison)


@pytest.fixture(params=["trained", "seeds", "unlabelled", "least"])
def report(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def swirled():
    """A comparison that is quick to write."""
    return gn.compare("iris", target="swirl", **QUICK)


@pytest.fixture
def sketches(monkeypatch):
    """Figures that are drawn once: what is tested is where they go."""
    monkeypatch.setattr(
        writer, "comparison_figures", lambda _: {"lengths": b"bars", "paths": b"lines"}
    )
