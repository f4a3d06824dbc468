"""Many pairs at once: each as it would be alone, in one batch or over processes."""

import autograd.numpy as anp
import numpy as np
import pytest
from cases import CHARTS, END, METRICS, SMALL_CHARTS, SPACE, sphere_chart

import geomnet as gn

each_small = pytest.mark.parametrize("chart", SMALL_CHARTS.values(), ids=SMALL_CHARTS)


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_pairs_of_a_batch_are_solved_as_alone(name, method):
    chart = CHARTS[name]
    metric = chart.metric()
    starts, ends = chart.pairs(6, seed=2)
    found = gn.geodesic_batch(metric, starts, ends, method=method)
    assert len(found) == 6
    for geo, start, end in zip(found, starts, ends):
        alone = gn.geodesic(metric, start, end, method=method)
        np.testing.assert_array_equal(geo.path[[0, -1]], [start, end])
        gap = abs(geo.distance - alone.distance)
        assert gap <= geo.error_estimate + alone.error_estimate
        assert abs(geo.distance - chart.between(start, end)) <= geo.error_estimate * (1 + 1e-9)
        np.testing.assert_allclose(geo.path, alone.path, atol=1e-5)
        assert geo.certificate.converged
        assert geo.certificate.gradient_norm <= 1e-8
        assert geo.method == alone.method
        assert geo.metric is metric


@pytest.mark.parametrize("name", ["sphere2", "half_plane", "spd3", "gauss1"])
def test_a_hundred_pairs_have_their_closed_distances(name):
    chart = CHARTS[name]
    starts, ends = chart.pairs(100, seed=8)
    found = gn.geodesic_batch(chart.metric(), starts, ends)
    truth = np.array([chart.between(a, b) for a, b in zip(starts, ends)])
    errors = np.abs([geo.distance for geo in found] - truth)
    assert (errors <= 1e-8 * truth).all()
    bounds = np.array([geo.error_estimate for geo in found])
    assert (errors <= bounds + 1e-14 * truth).all()


def test_hard_pairs_of_a_batch_do_not_spoil_the_easy_ones():
    chart = CHARTS["half_plane"]
    starts = np.array([[0.0, 1.0], [-60.0, 0.02], [0.3, 0.5], [0.3, 0.5]])
    ends = np.array([[0.1, 1.2], [60.0, 0.02], [0.3, 0.5], [0.9, 0.4]])
    found = gn.geodesic_batch(chart.metric(), starts, ends)
    for geo, start, end in zip(found, starts, ends):
        assert abs(geo.distance - chart.between(start, end)) <= geo.error_estimate + 1e-14
    assert found[0].method == found[3].method != found[1].method
    assert found[2].distance == 0
    assert found[2].status == "equal ends"


def test_leading_axes_broadcast_in_order():
    chart = CHARTS["sphere2"]
    metric = chart.metric()
    starts, ends = chart.pairs(3, seed=1)
    found = gn.geodesic_batch(metric, starts[:, None], ends[None, :2])
    assert len(found) == 6
    for k, geo in enumerate(found):
        i, j = divmod(k, 2)
        np.testing.assert_array_equal(geo.path[[0, -1]], [starts[i], ends[j]])
    assert gn.geodesic_batch(metric, np.zeros((0, 2)), np.zeros((0, 2))) == []
    assert len(gn.geodesic_batch(metric, starts[0], ends[0])) == 1


@each_small
def test_dist_and_log_take_batches(chart):
    metric = chart.metric()
    starts, ends = chart.pairs(4, seed=3)
    truth = np.array([chart.between(a, b) for a, b in zip(starts, ends)])
    np.testing.assert_allclose(metric.dist(starts, ends), truth, rtol=1e-8)
    np.testing.assert_allclose(metric.squared_dist(starts, ends), truth**2, rtol=1e-8)
    one = metric.dist(starts[0], ends)
    assert one.shape == (4,)
    assert one[0] == pytest.approx(truth[0], rel=1e-8)
    np.testing.assert_allclose(metric.dist(ends, starts[0]), one, rtol=1e-8)
    assert metric.dist(starts[0], ends[0]).shape == ()
    assert metric.dist(starts.reshape(2, 2, -1), ends.reshape(2, 2, -1)).shape == (2, 2)
    logs = metric.log(ends, starts)
    assert logs.shape == ends.shape
    np.testing.assert_allclose(metric.norm(logs, starts), truth, rtol=1e-6)
    alone = gn.geodesic(metric, starts[1], ends[1]).initial_velocity
    np.testing.assert_allclose(logs[1], alone, rtol=1e-5, atol=1e-7)
    assert metric.log(ends, starts[0]).shape == ends.shape
    np.testing.assert_array_equal(metric.log(ends[0], ends[0]), 0)


@each_small
def test_a_matrix_of_distances_is_one(chart):
    metric = chart.metric()
    points, _ = chart.pairs(5, seed=6)
    matrix = metric.dist_pairwise(points)
    assert matrix.shape == (5, 5)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 0)
    for i, j in zip(*np.triu_indices(5, 1)):
        assert matrix[i, j] == pytest.approx(chart.between(points[i], points[j]), rel=1e-8)
    assert metric.dist_pairwise(points[:1]).shape == (1, 1)


@pytest.mark.parametrize("name", ["sphere2", "spd3"])
def test_processes_agree_with_one(name):
    chart = CHARTS[name]
    points, others = chart.pairs(7, seed=9)
    # functions of a test are no importable names: they travel whole
    metric = gn.ChartMetric(lambda x: chart.matrix(x), chart.dim)
    here = gn.geodesic_batch(metric, points, others, n_jobs=1)
    there = gn.geodesic_batch(metric, points, others, n_jobs=2)
    for a, b in zip(here, there):
        assert a.distance == pytest.approx(b.distance, rel=1e-12)
        np.testing.assert_allclose(a.path, b.path, atol=1e-9)
        assert b.metric is metric
    np.testing.assert_allclose(
        metric.dist_pairwise(points, n_jobs=2), metric.dist_pairwise(points), rtol=1e-12
    )


@pytest.mark.parametrize("metric", METRICS)
def test_batches_of_maps_are_as_alone(metric):
    ends = np.stack([END, SPACE.identity, END + 0.1])
    found = gn.geodesic_batch(metric, SPACE.identity, ends, 8)
    for geo, end in zip(found, ends):
        alone = gn.geodesic(metric, SPACE.identity, end, 8, certify_index=False)
        assert geo.distance == pytest.approx(alone.distance, rel=1e-12)
        assert geo.method == alone.method


def test_an_immersion_takes_batches():
    metric = gn.ImmersionMetric(lambda z: anp.concatenate([z, anp.sin(z)], axis=-1))
    points = np.random.default_rng(0).normal(size=(4, 2))
    found = gn.geodesic_batch(metric, points[0], points[1:])
    alone = [gn.geodesic(metric, points[0], p).distance for p in points[1:]]
    np.testing.assert_allclose([geo.distance for geo in found], alone, rtol=1e-9)


def test_the_index_is_counted_on_request():
    chart = sphere_chart(3)
    start = np.array([1.0, 0.0, 0.0])
    ends = np.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    found = gn.geodesic_batch(chart.metric(), start, ends, certify_index=True)
    assert [geo.certificate.nullity for geo in found] == [2, 0]
    assert [geo.certificate.is_minimising for geo in found] == ["unknown", "locally"]
    quick = gn.geodesic_batch(chart.metric(), start, ends)
    assert [geo.certificate.morse_index for geo in quick] == [None, None]


def test_a_pair_that_falls_short_is_named_and_the_others_kept():
    chart = CHARTS["sphere2"]
    starts, ends = np.zeros((3, 2)), np.array([[0.1, 0.0], [4.0, 3.0], [0.0, 0.2]])
    with pytest.raises(gn.ConvergenceError, match=r"1 of 3 pairs .*number 1: ") as caught:
        gn.geodesic_batch(
            chart.metric(), starts, ends, method=gn.geodesics.SpectralPath(max_degree=6, rtol=1e-15)
        )
    found = caught.value.result
    assert [geo.certificate.converged for geo in found] == [True, False, True]


@pytest.mark.parametrize(
    ("starts", "ends", "message"),
    [
        (np.zeros((3, 2)), np.ones((4, 2)), r"do not broadcast"),
        (np.zeros((3, 3)), np.ones((3, 2)), r"^starts: expected shape \(\.\.\., 2\)"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), r"^ends: 6 of its 6 entries"),
    ],
)
def test_bad_batches_are_named(starts, ends, message):
    with pytest.raises(gn.InputError, match=message):
        gn.geodesic_batch(CHARTS["sphere2"].metric(), starts, ends)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_pair_outside_the_chart_is_named(jobs):
    starts, ends = np.ones((3, 2)), np.array([[0.0, 2.0], [0.0, -1.0], [1.0, 1.0]])
    with pytest.raises(
        gn.errors.DomainError, match=r"x = \[0, -1\] lies outside the chart's domain"
    ):
        gn.geodesic_batch(CHARTS["half_plane"].metric(), starts, ends, n_jobs=jobs)


def test_no_pairs_have_no_geodesics():
    assert gn.geodesic_batch(CHARTS["half_plane"].metric(), np.ones((0, 2)), np.ones((0, 2))) == []
