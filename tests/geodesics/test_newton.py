"""PathNewton: iterations, orders, bounds, index and nullity, starts, and the blocks it solves."""

import numpy as np
import oracles
import pytest
from cases import (
    CHARTS,
    DERIVATIVES,
    END,
    ENERGY_METRICS,
    FISHER_RAO_METRICS,
    HALF_PLANE_ENDS,
    METRICS,
    ONE_POINT,
    OTHER_METRICS,
    SMALL_CHARTS,
    SPACE,
    SPHERE_ENDS,
    HalfPlane,
    Sphere,
    paraboloid_chart,
    sphere_chart,
)

import geomnet as gn
from geomnet.geodesics.discrete import newton
from geomnet.geometry.metric import LeftRule
from geomnet.geometry.path_energy import LinearisedPath

each_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)


each_small = pytest.mark.parametrize("chart", SMALL_CHARTS.values(), ids=SMALL_CHARTS)


each_source = pytest.mark.parametrize("derivatives", DERIVATIVES)


LARGE = {"sphere100": sphere_chart(100), "paraboloid100": paraboloid_chart(100)}


def line(chart, n_steps):
    t = np.linspace(0, 1, n_steps + 1)[:, None]
    return (1 - t) * chart.start + t * chart.end


def order(steps, errors):
    return -np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0]


# -- convergence ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CHARTS, *LARGE])
def test_seven_iterations_suffice_from_the_line_at_a_hundred_steps(name):
    chart = {**CHARTS, **LARGE}[name]
    _, solution = gn.PathNewton(tol=1e-8).solve(chart.metric(), line(chart, 100))
    assert solution.converged
    assert solution.gradient_norm <= 1e-8
    assert solution.iterations <= 7
    assert solution.length == pytest.approx(chart.distance, rel=1e-3)


@each_chart
def test_newton_converges_quadratically(chart):
    metric, norms = chart.metric(), []
    for iterations in range(12):
        method = gn.PathNewton(tol=1e-14, max_iter=iterations)
        norms.append(method.solve(metric, line(chart, 40))[1].gradient_norm)
    # the last three before rounding
    logs = np.log([n for n in norms if n > 1e-11][-3:])
    assert (logs[2] - logs[1]) / (logs[1] - logs[0]) > 1.7
    assert min(norms) < 1e-11


@each_chart
def test_lengths_are_of_order_two_and_distances_of_order_four(chart):
    steps, found = [32, 64, 128], []
    for n in steps:
        found.append(gn.geodesic(chart.metric(), chart.start, chart.end, n, method=gn.PathNewton()))
    lengths = [geo.length - chart.distance for geo in found]
    distances = [geo.distance - chart.distance for geo in found]
    assert order(steps, lengths) == pytest.approx(2.0, abs=0.05)
    assert order(steps, distances) == pytest.approx(4.0, abs=0.3)
    for geo, error in zip(found, distances):
        assert abs(error) <= geo.error_estimate
        assert geo.error_estimate <= 1e-2 * chart.distance
    assert found[-1].certificate.observed_order == pytest.approx(2.0, abs=0.05)


@each_small
@each_source
def test_every_source_of_derivatives_leads_to_one_path(chart, derivatives):
    options = {"n_steps": 16, "method": gn.PathNewton()}
    geo = gn.geodesic(chart.metric(derivatives), chart.start, chart.end, **options)
    same = gn.geodesic(chart.metric(), chart.start, chart.end, **options)
    # differences of order four of the metric leave the path nine digits
    assert geo.length == pytest.approx(same.length, rel=1e-8)
    np.testing.assert_allclose(geo.path, same.path, atol=1e-7)


@pytest.mark.parametrize("name", CHARTS)
def test_errors_are_bounded_on_random_pairs(name):
    chart = CHARTS[name]
    metric, count = chart.metric(), 15 if chart.dim > 6 else 60
    missed = []
    for start, end in zip(*chart.pairs(count, seed=11)):
        geo = gn.geodesic(metric, start, end, method=gn.PathNewton(), certify_index=False)
        if abs(geo.distance - chart.between(start, end)) > geo.error_estimate:
            missed.append((start, end))
    assert not missed


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("sphere2", [-0.97448545, -0.96476056], [-0.52169943, 1.01947907]),
        ("paraboloid2", [1.30555357, -0.26060299], [-1.16064549, -2.31737241]),
    ],
)
def test_errors_are_bounded_where_two_extrapolations_err_alike(name, start, end):
    chart = CHARTS[name]
    geo = gn.geodesic(chart.metric(), start, end, method=gn.PathNewton())
    error = abs(geo.distance - chart.between(np.array(start), np.array(end)))
    assert error <= geo.error_estimate <= 1e-4 * geo.distance


@each_small
def test_the_path_minimises_the_naive_energy(chart):
    geo = gn.geodesic(chart.metric(), chart.start, chart.end, 8, method=gn.PathNewton())
    gradient, hessian = oracles.interior_derivatives(
        lambda p: oracles.chart_energy(chart.matrix, p), geo.path
    )
    assert geo.energy == pytest.approx(oracles.chart_energy(chart.matrix, geo.path), rel=1e-12)
    assert np.abs(gradient).max() < 1e-6 * geo.energy
    assert np.linalg.eigvalsh(hessian)[0] > 0
    assert geo.certificate.morse_index == geo.certificate.nullity == 0
    assert geo.certificate.is_minimising == "locally"


# -- blocks of metrics of maps ----------------------------------------------------------------


def steps_of(metric, seed=0):
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, 5)[:, None, None]
    path = (1 - t) * SPACE.identity + t * END + 0.03 * rng.normal(size=(5, *SPACE.shape))
    return path, metric.steps(path[:-1], path[1:])


GENERIC = [*ENERGY_METRICS[:2], *FISHER_RAO_METRICS[:2], *OTHER_METRICS]


@pytest.mark.parametrize("metric", GENERIC)
def test_generic_blocks_multiply_as_the_hessian_product(metric):
    _, steps = steps_of(metric)
    xx, xy, yy = steps.blocks()
    dx, dy = np.random.default_rng(1).normal(size=(2, 4, *SPACE.shape))
    to_x, to_y = (h.reshape(4, -1) for h in steps.hessian_product(dx, dy))
    dx, dy = dx.reshape(4, -1), dy.reshape(4, -1)
    found_x = np.einsum("kab,kb->ka", xx, dx) + np.einsum("kab,kb->ka", xy, dy)
    found_y = np.einsum("kba,kb->ka", xy, dx) + np.einsum("kab,kb->ka", yy, dy)
    np.testing.assert_allclose(found_x, to_x, rtol=1e-8, atol=1e-8 * np.abs(to_x).max())
    np.testing.assert_allclose(found_y, to_y, rtol=1e-8, atol=1e-8 * np.abs(to_y).max())
    for block in (xx, yy):
        np.testing.assert_allclose(block, np.swapaxes(block, 1, 2), atol=1e-9 * np.abs(block).max())


@pytest.mark.parametrize("metric", [*ENERGY_METRICS[:2], *OTHER_METRICS[:2]])
def test_the_hessian_put_together_is_that_of_the_path(metric):
    path, steps = steps_of(metric)
    state = LinearisedPath(path, steps, metric)
    diagonal, above = newton.hessian(state)
    d = np.random.default_rng(2).normal(size=(3, SPACE.dim))
    found = np.einsum("kab,kb->ka", diagonal, d)
    found[:-1] += np.einsum("kab,kb->ka", above, d[1:])
    found[1:] += np.einsum("kba,kb->ka", above, d[:-1])
    expected = state.hessian_product(d.reshape(3, *SPACE.shape)).reshape(3, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("metric", [*ENERGY_METRICS[:2], OTHER_METRICS[0], OTHER_METRICS[1]])
def test_frozen_is_twice_the_matrix_at_the_middle(metric):
    path, steps = steps_of(metric)
    expected = [2 * oracles.metric_matrix(metric, m) for m in 0.5 * (path[:-1] + path[1:])]
    np.testing.assert_allclose(steps.frozen(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "ends", "name"),
    [(Sphere, SPHERE_ENDS, "sphere2"), (HalfPlane, HALF_PLANE_ENDS, "half_plane")],
)
def test_a_metric_of_one_point_and_a_chart_have_the_same_second_derivatives(kind, ends, name):
    (x,), (y,) = (np.array(end) for end in ends)
    points, v = np.stack([x, y]), np.array([[0.3, -0.8], [1.1, 0.2]])
    maps = kind(ONE_POINT).linearise(v[:, None], points[:, None])
    chart = CHARTS[name].metric().linearise(v, points)
    for generic, own in zip(maps.second_derivatives(), chart.second_derivatives()):
        np.testing.assert_allclose(generic, own, rtol=1e-7, atol=1e-8)


def test_the_left_rule_has_blocks_too():
    metric = CHARTS["spd3"].metric()
    path = line(CHARTS["spd3"], 4)
    steps = LeftRule(metric).steps(path[:-1], path[1:])
    dx, dy = np.random.default_rng(1).normal(size=(2, *path[1:].shape))
    xx, xy, yy = steps.blocks()
    to_x, to_y = steps.hessian_product(dx, dy)
    np.testing.assert_allclose(
        np.einsum("kab,kb->ka", xx, dx) + np.einsum("kab,kb->ka", xy, dy), to_x, rtol=1e-9
    )
    np.testing.assert_allclose(
        np.einsum("kba,kb->ka", xy, dx) + np.einsum("kab,kb->ka", yy, dy), to_y, rtol=1e-9
    )


@pytest.mark.parametrize("metric", METRICS)
def test_newton_and_conjugate_gradients_find_the_same_path_of_maps(metric):
    found = [
        gn.geodesic(metric, SPACE.identity, END, 8, method=method, certify_index=False)
        for method in (gn.PathNewton(), gn.geodesics.PathNewtonCG())
    ]
    assert found[0].distance == pytest.approx(found[1].distance, rel=1e-8)
    np.testing.assert_allclose(found[0].path, found[1].path, atol=1e-6)
    assert found[0].certificate.iterations <= 8
