"""Geodesics of geomstats' own metrics, and geomnet as its log solver, under both backends."""

import copy
import pickle

import geomstats.backend as gs
import numpy as np
import pytest
from backends import under_autograd
from geomstats.geometry.euclidean import Euclidean
from geomstats.geometry.hypersphere import Hypersphere
from geomstats.geometry.poincare_ball import PoincareBall
from geomstats.geometry.poincare_half_space import PoincareHalfSpace
from geomstats.geometry.riemannian_metric import RiemannianMetric
from geomstats.geometry.spd_matrices import SPDMatrices
from geomstats.information_geometry.beta import BetaDistributions
from geomstats.information_geometry.dirichlet import DirichletDistributions
from geomstats.information_geometry.exponential import ExponentialDistributions
from geomstats.information_geometry.gamma import GammaDistributions
from geomstats.information_geometry.normal import NormalDistributions
from geomstats.learning.frechet_mean import FrechetMean
from scipy.special import polygamma

import geomnet as gn

# spaces whose metrics have a closed distance, and two points of each
CLOSED = {
    "ball2": (lambda: PoincareBall(2), [0.1, 0.5], [-0.6, 0.1]),
    "ball3": (lambda: PoincareBall(3), [0.1, 0.5, -0.2], [-0.6, 0.1, 0.3]),
    "half_space": (lambda: PoincareHalfSpace(3), [0.1, 0.5, 0.2], [-0.6, 0.1, 1.3]),
    "normal": (lambda: NormalDistributions(1), [-1.0, 0.4], [1.0, 0.6]),
    "exponential": (lambda: ExponentialDistributions(), [0.5], [2.0]),
    "euclidean": (lambda: Euclidean(3), [0.1, 0.5, -0.2], [-0.6, 0.1, 0.3]),
}

# spaces whose metrics ask a solver for logarithms
OPEN = {
    "dirichlet": (lambda: DirichletDistributions(3), [1.0, 2.0, 3.0], [2.5, 0.7, 1.4]),
    "beta": (lambda: BetaDistributions(), [1.0, 2.0], [2.5, 0.7]),
    "gamma": (lambda: GammaDistributions(), [1.0, 2.0], [2.5, 0.7]),
}


def measure(name):
    """What geomnet finds of a geomstats space: numbers that its tests judge."""
    make, start, end = {**CLOSED, **OPEN}[name]
    space = make()
    geo = gn.geodesic(space.metric, start, end)
    found = {
        "backend": gs.__name__,
        "distance": geo.distance,
        "estimate": geo.error_estimate,
        "middle": geo(0.5).tolist(),
        "velocity": geo.initial_velocity.tolist(),
        "method": geo.method,
        "back": gn.geodesic(space.metric, end, start).distance,
    }
    a, b = gs.array(start), gs.array(end)
    if name in CLOSED:
        found["truth"] = float(np.squeeze(space.metric.dist(a, b)))
        return found
    for method in (None, gn.PathNewton()):
        space.metric.log_solver = gn.LogSolver(space, method=method, n_steps=32)
        found[f"log {method is None}"] = np.array(space.metric.log(b, a)).tolist()
    space.metric.log_solver = gn.LogSolver(space)
    metric = space.metric
    found["dist"] = float(metric.dist(a, b))
    found["batch"] = np.array(metric.log(gs.stack([a, b]), a)).tolist()
    times = gs.array([0.0, 0.5, 1.0])
    found["path"] = np.array(metric.geodesic(a, end_point=b)(times)).tolist()
    points = gs.stack([a, b, 0.5 * (a + b) + 0.2])
    mean = FrechetMean(space).set(epsilon=1e-12, max_iter=100).fit(points).estimate_
    found["mean"] = np.array(mean).tolist()
    logs = np.array(metric.log(points, mean))
    found["tangent mean"] = float(np.abs(logs.mean(axis=0)).max() / np.abs(logs).max())
    return found


def judge(name, found):
    _, start, end = {**CLOSED, **OPEN}[name]
    autograd = found["backend"] == "geomstats.autograd"
    assert ("finite differences" in found["method"]) is (not autograd)
    assert found["method"].startswith("SpectralPath: ")
    assert found["back"] == pytest.approx(found["distance"], rel=1e-9)
    assert found["estimate"] <= 1e-9 * found["distance"]
    if name in CLOSED:
        assert found["distance"] == pytest.approx(found["truth"], rel=1e-9)
        return
    assert found["dist"] == pytest.approx(found["distance"], rel=1e-6)
    np.testing.assert_allclose(found["log True"], found["velocity"], rtol=1e-6)
    np.testing.assert_allclose(found["log False"], found["velocity"], rtol=1e-3)
    np.testing.assert_allclose(found["batch"], [np.zeros(len(start)), found["velocity"]], rtol=1e-6)
    expected = [start, found["middle"], end]
    np.testing.assert_allclose(found["path"], expected, rtol=1e-9, atol=1e-12)
    assert found["tangent mean"] < 1e-4


@pytest.mark.parametrize("name", [*CLOSED, *OPEN])
def test_geomstats_spaces_under_the_numpy_backend(name):
    found = measure(name)
    assert found["backend"] == "geomstats.numpy"
    judge(name, found)


SCRIPT = """
import json, sys
from geodesics.test_geomstats_charts import CLOSED, OPEN, measure
json.dump({name: measure(name) for name in [*CLOSED, *OPEN]}, sys.stdout)
"""


def test_geomstats_spaces_under_the_autograd_backend():
    found = under_autograd(SCRIPT)
    assert list(found) == [*CLOSED, *OPEN]
    for name, numbers in found.items():
        assert numbers["backend"] == "geomstats.autograd"
        judge(name, numbers)
    here = measure("dirichlet")
    for key in ("distance", "middle", "mean"):
        np.testing.assert_allclose(here[key], found["dirichlet"][key], rtol=1e-6)


def dirichlet(x):
    """Fisher matrix of Dirichlet distributions: diag ψ'(x_i) − ψ'(Σx)."""
    own = polygamma(1, x)[..., None] * np.eye(x.shape[-1])
    return own - polygamma(1, x.sum(axis=-1))[..., None, None]


@pytest.mark.parametrize(("name", "dim"), [("dirichlet", 3), ("beta", 2)])
def test_a_chart_metric_written_by_hand_finds_the_same(name, dim):
    make, start, end = OPEN[name]
    by_hand = gn.ChartMetric(dirichlet, dim, domain=lambda x: (x > 0).all(axis=-1))
    assert by_hand.dist(start, end) == pytest.approx(
        gn.geodesic(make().metric, start, end).distance, rel=1e-9
    )


def test_the_normal_distributions_have_their_closed_distance():
    space = NormalDistributions(1)
    rng = np.random.default_rng(0)
    for _ in range(10):
        (m, n), (s, t) = rng.normal(size=2), np.exp(0.5 * rng.normal(size=2))
        truth = np.sqrt(2) * np.arccosh(1 + ((m - n) ** 2 / 2 + (s - t) ** 2) / (2 * s * t))
        geo = gn.geodesic(space.metric, [m, s], [n, t])
        assert geo.distance == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("name", OPEN)
def test_exp_returns_from_log(name):
    make, start, end = OPEN[name]
    space = make()
    space.metric.log_solver = gn.LogSolver(space)
    log = space.metric.log(np.array(end), np.array(start))
    # geomnet's ray; geomstats' own integrator is good to two digits
    np.testing.assert_allclose(gn.ray(space.metric, start, log).end, end, rtol=1e-5)


def test_a_log_solver_reads_the_metric_when_it_is_called():
    space = BetaDistributions()
    solver = gn.LogSolver(space)
    log = solver.log([2.5, 0.7], [1.0, 2.0])
    space.equip_with_metric(type(Euclidean(2).metric))
    np.testing.assert_allclose(solver.log([2.5, 0.7], [1.0, 2.0]), [1.5, -1.3], atol=1e-9)
    assert np.abs(log - [1.5, -1.3]).max() > 0.1


@pytest.mark.parametrize(
    ("space", "start", "end", "message"),
    [
        (Hypersphere(2), [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], r"\(3,\) for a space of dimension 2"),
        (SPDMatrices(2), np.eye(2), 2 * np.eye(2), r"\(2, 2\) for a space of dimension 3"),
        (PoincareBall(2), [0.1, 0.0], [2.0, 0.0], r"^end: \[2.0, 0.0\] does not belong to"),
        (PoincareHalfSpace(2), [0.1, -1.0], [2.0, 1.0], r"^start: \[0.1, -1.0\] does not belong"),
        (DirichletDistributions(2), [1.0, 1.0], [1.0, -1.0], r"^end: \[1.0, -1.0\] does not"),
        (BetaDistributions(), [1.0, 1.0, 1.0], [1.0, 1.0], r"^start: expected shape \(2,\)"),
        (BetaDistributions(), [1.0, np.nan], [1.0, 1.0], r"^start: 1 of its 2 entries"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_chart_or_no_point_of_it_is_named(space, start, end, message):
    with pytest.raises(gn.InputError, match=message):
        gn.geodesic(space.metric, start, end)


def test_a_log_solver_names_bad_points():
    space = BetaDistributions()
    solver = gn.LogSolver(space)
    with pytest.raises(gn.InputError, match=r"^end: .*does not belong"):
        solver.log([-1.0, 1.0], [1.0, 1.0])
    with pytest.raises(gn.InputError, match=r"^point: expected shape \(\.\.\., 2\)"):
        solver.log([1.0, 1.0, 1.0], [1.0, 1.0])


class Scaled(RiemannianMetric):
    """a² times the Euclidean metric of the plane."""

    def __init__(self, space, a=1.0):
        super().__init__(space)
        self.a = a

    def metric_matrix(self, base_point=None):
        return self.a**2 * np.eye(2) * np.ones((*base_point.shape[:-1], 1, 1))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_metric_that_was_used_has_its_own_lengths(duplicate):
    metric = Scaled(Euclidean(2, equip=False))
    assert gn.geodesic(metric, [0.0, 0.0], [1.0, 0.0]).distance == pytest.approx(1)
    other = duplicate(metric)
    other.a = 3.0
    assert gn.geodesic(other, [0.0, 0.0], [1.0, 0.0]).distance == pytest.approx(3)
    assert gn.geodesic(metric, [0.0, 0.0], [1.0, 0.0]).distance == pytest.approx(1)


def test_a_metric_that_was_used_can_still_be_pickled():
    metric = Scaled(Euclidean(2, equip=False))
    gn.geodesic(metric, [0.0, 0.0], [1.0, 0.0])
    again = pickle.loads(pickle.dumps(metric))
    assert gn.geodesic(again, [0.0, 0.0], [1.0, 0.0]).distance == pytest.approx(1)


def test_an_exp_solver_undoes_a_log_solver():
    space = DirichletDistributions(3)
    space.metric.log_solver = gn.LogSolver(space)
    space.metric.exp_solver = gn.geodesics.ExpSolver(space)
    starts = np.array([[1.0, 2.0, 0.5], [3.0, 1.0, 2.0]])
    ends = np.array([[2.0, 1.0, 1.5], [1.0, 1.0, 4.0]])
    logs = space.metric.log(ends, starts)
    np.testing.assert_allclose(space.metric.exp(logs, starts), ends, rtol=1e-5)
    path = space.metric.geodesic(initial_point=starts[0], initial_tangent_vec=logs[0])
    np.testing.assert_allclose(path(np.array([0.0, 1.0])), [starts[0], ends[0]], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda space: gn.LogSolver(space, n_steps=10), "n_steps"),
        (lambda space: gn.LogSolver(space, method="newton"), "method"),
        (lambda space: gn.LogSolver(space.metric), "space"),
        (lambda space: gn.geodesics.ExpSolver(space.metric), "space"),
        (lambda space: gn.geodesics.ExpSolver(space, rtol=0), "rtol"),
    ],
)
def test_solvers_for_geomstats_check_what_they_are_given(make, name):
    with pytest.raises(gn.InputError, match=f"^{name}: "):
        make(BetaDistributions())
