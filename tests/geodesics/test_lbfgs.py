"""PathLBFGS: the minima of Newton's method, from values and gradients alone."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import END, METRICS, SPACE
from chart_cases import CHARTS, sphere
from geodesics_common import TINY_END, tiny

import geomnet as gn
from geomnet.geodesics.discrete.lbfgs import flat_solve
from geomnet.geometry.steps import MidpointSteps

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)
each_stiffness = pytest.mark.parametrize("stiffness", ["metric", "flat"])


@each_metric
@each_stiffness
def test_it_finds_what_newton_finds(metric, stiffness):
    method = gn.geodesics.PathLBFGS(stiffness=stiffness)
    found = gn.geodesic(metric, START, END, method=method)
    expected = gn.geodesic(
        metric, START, END, method=gn.geodesics.PathNewtonCG(), certify_index=False
    )
    assert found.distance == pytest.approx(expected.distance, rel=1e-9)
    np.testing.assert_allclose(found.path, expected.path, atol=1e-6)
    certificate = found.certificate
    assert certificate.gradient_norm <= certificate.tolerance == 1e-8
    assert certificate.hessian_products == certificate.lanczos_products == 0
    assert certificate.morse_index is certificate.nullity is None
    assert certificate.is_minimising == "unknown"
    assert found.method == "PathLBFGS, as asked"


@pytest.mark.parametrize("metric", METRICS[1:9:3] + METRICS[-2:])
def test_it_finds_the_minimum_that_scipy_finds(metric):
    metric = tiny(metric)
    start = metric.space.identity
    found = gn.geodesic(metric, start, TINY_END, n_steps=8, method=gn.geodesics.PathLBFGS())
    expected = oracles.least_energy_path(metric, start, TINY_END, 8)
    np.testing.assert_allclose(found.path, expected, atol=1e-6)


@pytest.mark.parametrize(("metric", "start", "end", "distance"), CHARTS)
def test_charts_in_closed_form(metric, start, end, distance):
    found = gn.geodesic(metric, start, end, n_steps=64, method=gn.geodesics.PathLBFGS())
    if distance is None:
        distance = gn.geodesic(metric, start, end).distance
    assert abs(found.distance - distance) <= found.error_estimate <= 1e-5 * distance


class NoProducts(MidpointSteps):
    def hessian_product(self, dx, dy):
        raise AssertionError("a Hessian product")

    def blocks(self):
        raise AssertionError("a Hessian")


def test_it_asks_for_no_hessian_products(monkeypatch):
    metric = sphere(3)
    monkeypatch.setattr("geomnet.geometry.metric.MidpointSteps", NoProducts)
    found = gn.geodesic(metric, [0.1, 0.2, 0.3], [1.0, -0.5, 0.2], method=gn.geodesics.PathLBFGS())
    assert found.certificate.converged
    with pytest.raises(AssertionError, match="a Hessian"):
        gn.geodesic(metric, [0.1, 0.2, 0.3], [1.0, -0.5, 0.2], method=gn.PathNewton())


def test_memory_makes_it_faster():
    metric, start, end, _ = CHARTS[0].values
    spent = [
        gn.geodesic(
            metric, start, end, method=gn.geodesics.PathLBFGS(memory=m)
        ).certificate.iterations
        for m in (1, 10)
    ]
    assert spent[1] < spent[0]


def test_flat_stiffness_is_solved():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 3, 2))
    edge = np.zeros((1, 3, 2))
    padded = np.concatenate([edge, x, edge])
    image = 2 * padded[1:-1] - padded[:-2] - padded[2:]
    np.testing.assert_allclose(flat_solve(image), x, atol=1e-12)


def test_ends_close_together():
    # rounding of the states leaves a gradient far above tol
    metric = sphere()
    start, step = np.array([0.7, 0.1]), 1e-9 * np.array([1.0, -2.0])
    found = gn.geodesic(metric, start, start + step, method=gn.geodesics.PathLBFGS())
    assert found.distance == pytest.approx(2 * np.linalg.norm(step) / 1.5, rel=1e-6)


def test_too_few_iterations_are_said():
    metric, start, end, _ = CHARTS[0].values
    with pytest.raises(gn.ConvergenceError, match=r"stopped after 3 iterations.*max_iter") as error:
        gn.geodesic(metric, start, end, method=gn.geodesics.PathLBFGS(max_iter=3))
    assert not error.value.result.certificate.converged


@pytest.mark.parametrize(
    ("name", "bad"),
    [("tol", 0), ("tol", np.nan), ("max_iter", -1), ("memory", 0), ("stiffness", "euclid")],
)
def test_bad_options_are_named(name, bad):
    with pytest.raises(gn.InputError, match=rf"^{name}: "):
        gn.geodesics.PathLBFGS(**{name: bad})


def test_a_metric_that_can_be_differentiated_only_once_falls_to_lbfgs_and_it_is_said():
    from autograd.extend import defvjp, primitive

    @primitive
    def bump(x):
        return 1 + np.exp(-(x**2))

    @primitive
    def bump_slope(x):
        return -2 * x * np.exp(-(x**2))

    defvjp(bump, lambda ans, x: lambda g: g * bump_slope(x))

    class Bumpy(gn.Metric):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            return anp.sum(bump(base_point) * tangent_vec_a * tangent_vec_b, axis=(-2, -1))

    class Smooth(Bumpy):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            weight = 1 + anp.exp(-(base_point**2))
            return anp.sum(weight * tangent_vec_a * tangent_vec_b, axis=(-2, -1))

    space = gn.FunctionSpace([[-1.0, 0.3], [0.4, -0.2]])
    end = space.identity + np.array([[1.5, 0.4], [0.3, 1.0]])
    geo = gn.geodesic(Bumpy(space), space.identity, end)
    assert geo.method == "PathLBFGS, as PathNewtonCG found no second derivatives"
    same = gn.geodesic(Smooth(space), space.identity, end)
    assert abs(geo.distance - same.distance) <= geo.error_estimate + same.error_estimate
