"""Newton index: index and nullity, several starts, what a method is asked."""

import re
from dataclasses import replace

import autograd.numpy as anp
import numpy as np
import pytest
from cases import (
    CHARTS,
    sphere_chart,
)

import geomnet as gn
from geomnet.geometry.path_energy import PathEnergy

# -- index and nullity ------------------------------------------------------------------------


def arc(d, length, count=65):
    """Part of the equator of S^d, seen in the chart as part of the unit circle."""
    t = np.linspace(0, length, count)
    path = np.zeros((count, d))
    path[:, 0], path[:, 1] = np.cos(t), np.sin(t)
    return path


METHODS = [gn.geodesics.SpectralPath(), gn.PathNewton()]


each_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)


@each_method
@pytest.mark.parametrize("d", [2, 3, 6])
@pytest.mark.parametrize("radius", [1.0, 0.7, 1.6])
def test_antipodes_have_no_index_and_nullity_one_less_than_the_dimension(method, d, radius):
    start = np.zeros(d)
    start[0] = radius
    end = -start / radius**2
    geo = gn.geodesic(sphere_chart(d).metric(), start, end, 64, method=method)
    assert abs(geo.distance - np.pi) <= geo.error_estimate
    assert (geo.certificate.morse_index, geo.certificate.nullity) == (0, d - 1)
    assert geo.certificate.locally_shortest is None
    assert geo.certificate.is_minimising == "unknown"
    assert "unknown" in repr(geo)


@each_method
@pytest.mark.parametrize("d", [2, 3, 6])
@pytest.mark.parametrize("length", [1.25 * np.pi, 1.5 * np.pi, 1.75 * np.pi])
def test_arcs_past_the_antipode_have_index_one_less_than_the_dimension(method, d, length):
    path = arc(d, length)
    metric = sphere_chart(d).metric()
    geo = gn.geodesic(metric, path[0], path[-1], 64, method=method, initial_path=path)
    assert abs(geo.distance - length) <= geo.error_estimate
    assert (geo.certificate.morse_index, geo.certificate.nullity) == (d - 1, 0)
    assert geo.certificate.locally_shortest is False
    assert geo.certificate.is_minimising == "no"
    # the default, not told where to begin, takes the short way
    short = gn.geodesic(metric, path[0], path[-1])
    assert short.distance == pytest.approx(2 * np.pi - length, rel=1e-8)
    assert short.certificate.morse_index == 0


@pytest.mark.parametrize("short", [3e-4, 1e-3, 1.6e-3, 2.3e-3])
def test_nearly_conjugate_ends_are_joined(short):
    angle = np.pi - short
    geo = gn.geodesic(sphere_chart(2).metric(), [1.0, 0.0], [np.cos(angle), np.sin(angle)])
    assert abs(geo.distance - angle) <= min(geo.error_estimate, 1e-5 * angle)


@each_method
@pytest.mark.parametrize("length", [0.5 * np.pi, 0.9 * np.pi])
def test_arcs_short_of_the_antipode_have_none(method, length):
    path = arc(3, length)
    geo = gn.geodesic(
        sphere_chart(3).metric(), path[0], path[-1], 64, method=method, initial_path=path
    )
    assert (geo.certificate.morse_index, geo.certificate.nullity) == (0, 0)
    assert geo.certificate.is_minimising == "locally"


@each_method
@pytest.mark.parametrize("name", ["half_plane", "gauss1", "spd3"])
def test_curvature_below_zero_leaves_no_index(name, method):
    chart = CHARTS[name]
    metric = chart.metric()
    for start, end in zip(*chart.pairs(10, seed=4)):
        geo = gn.geodesic(metric, start, end, 64, method=method)
        assert (geo.certificate.morse_index, geo.certificate.nullity) == (0, 0)


def test_the_index_is_not_counted_where_it_is_not_wanted():
    chart = CHARTS["sphere2"]
    for method in METHODS:
        certificate = gn.geodesic(
            chart.metric(), chart.start, chart.end, method=method, certify_index=False
        ).certificate
        assert certificate.morse_index is certificate.nullity is None
        assert certificate.is_minimising == "unknown"


# -- several starts ---------------------------------------------------------------------------


def hills(x):
    """A hill beside the line, and a larger one on that side of it."""

    def hill(height, centre, width):
        square = anp.sum((x - anp.array(centre)) ** 2, axis=-1)
        return height * anp.exp(-square / (2 * width**2))

    factor = 1 + hill(20.0, [0.0, -0.1], 0.25) + hill(30.0, [0.0, 1.2], 0.35)
    return factor[..., None, None] * anp.eye(2)


@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_many_starts_find_the_shorter_way_around_a_hill(method):
    metric = gn.ChartMetric(hills, 2)
    ends = [-1.0, 0.0], [1.0, 0.0]
    first = gn.geodesic(metric, *ends, 64, method=method)
    best = gn.geodesic(metric, *ends, 64, method=method, starts=12)
    assert first(0.5)[1] > 0 > best(0.5)[1]
    assert best.distance < first.distance - 10 * (first.error_estimate + best.error_estimate)
    for geo in (first, best):
        assert geo.certificate.is_minimising == "locally"
    assert re.search(r"the shortest of \d+ geodesics from 12 starts$", best.method)
    again = gn.geodesic(metric, *ends, 64, method=method, starts=12)
    np.testing.assert_array_equal(again.path, best.path)


@pytest.mark.parametrize("starts", [0, -1, 1.5, "many"])
def test_the_number_of_starts_is_checked(starts):
    with pytest.raises(gn.InputError, match=r"^starts: "):
        gn.geodesic(CHARTS["sphere2"].metric(), [0.0, 0.0], [1.0, 0.0], starts=starts)


# -- what a method is asked -------------------------------------------------------------------


def test_an_immersion_and_a_rough_metric_fall_to_newton_and_it_is_said():
    rough = gn.ChartMetric(lambda x: anp.eye(2) * (1 + anp.abs(x[..., :1, None])), 2)
    geo = gn.geodesic(rough, [-1.0, 0.0], [1.0, 0.7])
    assert re.match(r"PathNewton with 4-fold n_steps, as SpectralPath fell short", geo.method)
    fine = gn.geodesic(rough, [-1.0, 0.0], [1.0, 0.7], 512, method=gn.PathNewton())
    assert abs(geo.distance - fine.distance) <= geo.error_estimate + fine.error_estimate
    assert geo.error_estimate <= 1e-5 * geo.distance
    graph = gn.ImmersionMetric(lambda z: anp.concatenate([z, z**2], axis=-1))
    geo = gn.geodesic(graph, [0.0, 0.0], [1.0, 1.0], 64)
    assert geo.method == "SpectralPath: an immersion of 2 coordinates"
    bent = gn.ImmersionMetric(
        lambda z: anp.concatenate([z, anp.abs(z[:, :1] - 0.2 * z[:, 1:])], axis=-1)
    )
    geo = gn.geodesic(bent, [-1.0, 0.3], [1.0, 1.0], 64)
    assert re.match(r"PathNewton with \d+-fold n_steps, as SpectralPath fell short", geo.method)


@pytest.mark.parametrize(("start", "end"), [([0.0, -1.0], [0.5, 1.0]), ([0.0, 2.0], [0.0, -0.4])])
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_what_no_path_joins_is_never_a_silent_length(start, end, method):
    # without its domain the matrix is positive on both sides of σ = 0
    chart = CHARTS["gauss1"]
    metric = gn.ChartMetric(chart.matrix, 2, chart.gradient)
    with pytest.raises((gn.ConvergenceError, gn.errors.DomainError)) as caught:
        gn.geodesic(metric, start, end, method=method)
    assert len(str(caught.value)) > 40
    if isinstance(caught.value, gn.ConvergenceError):
        assert not caught.value.result.certificate.converged


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (gn.PathNewton, r"^method: expected a solver such as"),
        ("PathNewton", r"^method: expected a solver such as"),
        (gn.geodesics.StraightLine(), r"^method: StraightLine needs a metric of structure 'flat'"),
        (
            gn.geodesics.PointwiseNewton(),
            r"^method: PointwiseNewton needs a metric of structure 'pointwise'",
        ),
    ],
)
def test_methods_that_do_not_fit_are_named(method, message):
    chart = CHARTS["sphere2"]
    with pytest.raises(gn.InputError, match=message):
        gn.geodesic(chart.metric(), chart.start, chart.end, method=method)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"tol": 0.0}, "tol"), ({"tol": "1"}, "tol"), ({"max_iter": -1}, "max_iter")],
)
def test_bad_settings_are_named(arguments, name):
    with pytest.raises(gn.InputError, match=f"^{name}: "):
        gn.PathNewton(**arguments)


def test_stopping_early_is_loud_and_keeps_what_was_reached():
    chart = CHARTS["sphere2"]
    with pytest.raises(gn.ConvergenceError, match=r"stopped after 1 iterations") as caught:
        gn.geodesic(chart.metric(), chart.start, chart.end, method=gn.PathNewton(max_iter=1))
    geo = caught.value.result
    assert not geo.certificate.converged
    assert geo.length == pytest.approx(chart.distance, rel=0.2)


@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_an_initial_path_is_checked(method):
    metric = CHARTS["half_plane"].metric()
    for path, message in (
        ([[0.0, 1.0], [1.0, 3.0]], "does not end at the given end"),
        ([[0.0, 2.0], [1.0, 2.0]], "does not start at the given start"),
        ([[0.0, 1.0]], "at least two states"),
        (np.ones((3, 3)), r"expected shape \(any, 2\)"),
    ):
        with pytest.raises(gn.InputError, match=f"^initial_path: .*{message}"):
            gn.geodesic(metric, [0.0, 1.0], [1.0, 2.0], method=method, initial_path=path)
    # one that leaves the chart is not followed there
    outside = [[0.0, 1.0], [0.5, -1.0], [1.0, 2.0]]
    geo = gn.geodesic(metric, [0.0, 1.0], [1.0, 2.0], method=method, initial_path=outside)
    expected = CHARTS["half_plane"].between(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    assert abs(geo.distance - expected) <= geo.error_estimate


@pytest.mark.parametrize("method", [None, gn.PathNewton(), gn.geodesics.PathNewtonCG()])
def test_equal_ends_stand_still(method):
    metric = CHARTS["half_plane"].metric()
    geo = gn.geodesic(metric, [0.5, 1.0], [0.5, 1.0], method=method)
    assert geo.length == geo.distance == geo.energy == geo.error_estimate == 0
    np.testing.assert_array_equal(geo.initial_velocity, 0)
    np.testing.assert_array_equal(geo(0.3), [0.5, 1.0])
    np.testing.assert_array_equal(geo.velocity(0.3), [0.0, 0.0])
    assert geo.certificate.is_minimising == "closed form"
    np.testing.assert_array_equal(metric.log([0.5, 1.0], [0.5, 1.0]), 0)


@pytest.mark.parametrize("method", [None, gn.PathNewton()])
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12])
def test_near_ends_keep_their_digits(method, gap):
    geo = gn.geodesic(CHARTS["half_plane"].metric(), [0.5, 1.0], [0.5 + gap, 1.0], method=method)
    true_gap = (0.5 + gap) - 0.5
    assert geo.distance == pytest.approx(2 * np.arcsinh(true_gap / 2), rel=1e-8)


def test_energies_of_paths_outside_are_infinite():
    metric = CHARTS["half_plane"].metric()
    energy = PathEnergy(metric)
    inside = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    assert energy.value(inside) == pytest.approx(4.0)
    for bad in (-1.0, np.nan):
        outside = inside.copy()
        outside[1, 1] = bad
        assert energy.value(outside) == np.inf
        assert energy.linearise_or_none(outside) is None


def test_results_say_which_method_was_asked_for():
    chart = CHARTS["sphere2"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end, method=gn.PathNewton())
    assert geo.method == "PathNewton, as asked"
    assert replace(gn.PathNewton(), tol=1e-6).tol == 1e-6


@pytest.mark.parametrize("certify_index", [True, False])
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
@pytest.mark.parametrize("short", [1e-1, 1e-2, 1e-4, 1e-5, 1e-6, 1e-7])
def test_errors_are_bounded_where_the_ends_are_nearly_conjugate(method, short, certify_index):
    angle = np.pi - short
    try:
        geo = gn.geodesic(
            sphere_chart(2).metric(),
            [1.0, 0.0],
            [np.cos(angle), np.sin(angle)],
            method=method,
            certify_index=certify_index,
        )
    except gn.ConvergenceError:
        return
    assert abs(geo.distance - angle) <= geo.error_estimate + 1e-14


@pytest.mark.parametrize("decades", [3, 5, 6])
def test_a_line_far_from_constant_speed_is_found(decades):
    plane = CHARTS["half_plane"].metric()
    geo = gn.geodesic(plane, [0.0, 10.0 ** (-decades / 2)], [0.0, 10.0 ** (decades / 2)])
    truth = decades * np.log(10)
    assert abs(geo.distance - truth) <= geo.error_estimate
    assert geo.distance == pytest.approx(truth, rel=1e-5)


def test_a_distance_that_is_hardly_known_is_not_found():
    plane = CHARTS["half_plane"].metric()
    with pytest.raises(gn.ConvergenceError) as caught:
        gn.geodesic(plane, [-1e4, 0.01], [1e4, 0.01], 8, method=gn.PathNewton())
    assert not caught.value.result.certificate.converged


def test_an_index_is_not_read_off_a_path_that_is_hardly_resolved():
    plane = CHARTS["half_plane"].metric()
    path = np.stack([np.zeros(65), np.geomspace(1e-6, 1e6, 65)], axis=-1)
    geo = gn.geodesic(plane, path[0], path[-1], 16, initial_path=path)
    assert geo.certificate.is_minimising != "no"


def test_a_path_broken_at_a_pole_of_the_coordinates_is_no_geodesic():
    def metric_matrix(x):
        one = anp.ones_like(x[..., 0])
        rows = [anp.stack([one, 0 * one], -1), anp.stack([0 * one, anp.sin(x[..., 0]) ** 2], -1)]
        return anp.stack(rows, -2)

    with pytest.raises(gn.ConvergenceError):
        gn.geodesic(gn.ChartMetric(metric_matrix, 2), [1.0, 0.0], [1.0, 4.0])
