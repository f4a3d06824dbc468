"""Curves: lengths of polygons known in closed form, whatever steps and times they are cut in."""

from itertools import pairwise

import numpy as np
import pytest

import geomnet as gn


class Flat:
    """The plane: the squared step is the squared chord."""

    def squared_step(self, start, end):
        return np.sum((end - start) ** 2, axis=(-2, -1))


class HalfPlane:
    """The product of hyperbolic half-planes, |dx|²/x₂², by the midpoint rule."""

    def squared_step(self, start, end):
        height = (start[..., 1] + end[..., 1]) / 2
        return np.sum(np.sum((end - start) ** 2, axis=-1) / height**2, axis=-1)


class HalfPlaneByDistance:
    """The same, by the closed distance: a step never shorter than the geodesic."""

    def squared_step(self, start, end):
        chord = np.sum((end - start) ** 2, axis=-1)
        arc = 2 * np.arcsinh(np.sqrt(chord / (4 * start[..., 1] * end[..., 1])))
        return np.sum(arc**2, axis=-1)


class Wiggle:
    """A line of density 2 + sin 40x: s = ((2 + sin 40m) dx)² at the midpoint m."""

    def squared_step(self, start, end):
        density = 2 + np.sin(20 * (start + end))
        return np.sum((density * (end - start)) ** 2, axis=(-2, -1))


half_planes = pytest.mark.parametrize(
    "metric", [HalfPlane(), HalfPlaneByDistance()], ids=["midpoint", "distance"]
)


def of_one_point(*places):
    return gn.Curve(np.array(places, dtype=float)[:, None, :])


def half_plane_length(a, b):
    """Length of the straight segment: ∫|ẋ|/x₂ dt."""
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    rise, size = b[1] - a[1], np.linalg.norm(b - a)
    return size / a[1] if rise == 0 else size * np.log(b[1] / a[1]) / rise


def some_curve(n_steps=5, n=3, seed=0):
    rng = np.random.default_rng(seed)
    states = np.cumsum(rng.normal(size=(n_steps + 1, n, 2)), axis=0)
    states[..., 1] = 0.3 + np.abs(states[..., 1])
    return gn.Curve(states, np.cumsum(rng.uniform(0.1, 1, size=n_steps + 1)))


# -- lengths ----------------------------------------------------------------------------------


def test_flat_length_is_the_sum_of_chords():
    curve = some_curve()
    chords = [np.sqrt(np.sum((b - a) ** 2)) for a, b in pairwise(curve.states)]
    np.testing.assert_allclose(curve.step_lengths(Flat()), chords, rtol=1e-14)
    assert curve.length(Flat()) == pytest.approx(sum(chords), rel=1e-14)


def test_weighted_l2_length():
    sample = gn.Sample([[0.0, 0.0], [1.0, 0.0]], weights=[0.75, 0.25])
    curve = gn.Curve([sample.points, sample.points + np.array([[3, 4], [0, 12]])])
    expected = np.sqrt(0.75 * 25 + 0.25 * 144)
    assert curve.length(gn.L2Metric(gn.FunctionSpace(sample))) == pytest.approx(expected)


@half_planes
@pytest.mark.parametrize("top", [0.5, 1.001, 3.0, 1000.0])
def test_vertical_lines_of_the_half_plane(metric, top):
    curve = of_one_point((2.0, 1.0), (2.0, top))
    assert curve.length(metric) == pytest.approx(abs(np.log(top)), rel=1e-7)


@half_planes
def test_polygons_of_the_half_plane(metric):
    corners = [(0.0, 1.0), (2.0, 1.0), (2.0, 0.2), (-1.0, 3.0), (-1.0, 3.5), (0.0, 3.5)]
    expected = [half_plane_length(a, b) for a, b in pairwise(corners)]
    lengths = of_one_point(*corners).step_lengths(metric)
    np.testing.assert_allclose(lengths, expected, rtol=1e-6)
    assert of_one_point(*corners).length(metric) == pytest.approx(sum(expected), rel=2e-8)


def test_points_add_squared_lengths_when_they_move_alike():
    # dilation is an isometry, so the second point runs through the same lengths
    path = np.array([[0.0, 1.0], [1.0, 2.0], [0.5, 0.5]])
    both = gn.Curve(np.stack([path, 7 * path], axis=1))
    alone = gn.Curve(path[:, None])
    assert both.length(HalfPlane()) == pytest.approx(np.sqrt(2) * alone.length(HalfPlane()))


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-10])
def test_the_tolerance_is_kept(rtol):
    curve = of_one_point((0.0, 0.05), (1.0, 2.0), (2.0, 0.1))
    expected = half_plane_length((0, 0.05), (1, 2)) + half_plane_length((1, 2), (2, 0.1))
    assert curve.length(HalfPlane(), rtol=rtol) == pytest.approx(expected, rel=2 * rtol)


def test_extrapolation_spares_steps():
    # plain halving of an error of second order would take thousands of steps to nine digits
    class Counting(HalfPlane):
        steps = 0

        def squared_step(self, start, end):
            self.steps += len(start)
            return super().squared_step(start, end)

    metric = Counting()
    length = of_one_point((0.0, 1.0), (1.0, 1.5)).length(metric, rtol=1e-9)
    assert length == pytest.approx(half_plane_length((0, 1), (1, 1.5)), rel=1e-9)
    assert metric.steps <= 300


def test_a_metric_that_oscillates_along_a_segment():
    curve = gn.Curve(np.array([0.0, 1.0]).reshape(2, 1, 1))
    expected = 2 + (1 - np.cos(40)) / 40
    assert curve.length(Wiggle()) == pytest.approx(expected, rel=1e-7)


@half_planes
def test_no_polygon_is_shorter_than_the_distance(metric):
    for seed in range(5):
        curve = some_curve(n_steps=3, n=1, seed=seed)
        ends = HalfPlaneByDistance().squared_step(curve.start, curve.end)
        assert curve.length(metric) >= np.sqrt(ends) * (1 - 1e-8)


def test_a_curve_at_rest_has_no_length():
    curve = gn.Curve(np.ones((4, 2, 2)))
    assert curve.length(HalfPlane()) == 0.0
    assert curve.energy(HalfPlane()) == 0.0
    np.testing.assert_array_equal(curve.speed(HalfPlane()), np.zeros(3))


def test_a_pause_adds_no_length():
    moving, pausing = of_one_point((0, 1), (1, 2)), of_one_point((0, 1), (0, 1), (1, 2), (1, 2))
    assert pausing.length(HalfPlane()) == pytest.approx(moving.length(HalfPlane()), rel=1e-7)


def test_infinite_length_is_an_error_that_carries_what_was_reached():
    curve = of_one_point((0.0, 0.0), (0.0, 1.0), (0.0, 2.0))
    with pytest.raises(gn.ConvergenceError, match=r"^length: 1 of 2 segments") as caught:
        curve.length(HalfPlane())
    assert caught.value.result.shape == (2,)
    assert caught.value.result[1] == pytest.approx(np.log(2), rel=1e-4)


# -- energy and speed -------------------------------------------------------------------------


@half_planes
@pytest.mark.parametrize("top", [0.5, 3.0])
def test_energy_of_a_vertical_line(metric, top):
    # ∫Δ²/(1 + tΔ)² dt = Δ²/(1 + Δ) over unit time
    curve = of_one_point((0.0, 1.0), (0.0, top))
    assert curve.energy(metric) == pytest.approx((top - 1) ** 2 / top, rel=1e-7)


def test_flat_energy_counts_the_time_of_each_step():
    curve = gn.Curve(np.array([0.0, 3.0, 5.0]).reshape(3, 1, 1), times=[0.0, 0.5, 2.5])
    assert curve.energy(Flat()) == pytest.approx(9 / 0.5 + 4 / 2.0)
    np.testing.assert_allclose(curve.speed(Flat()), [6.0, 1.0])
    np.testing.assert_allclose(curve.step_lengths(Flat()), [3.0, 2.0])


@half_planes
def test_energy_is_at_least_length_squared_over_duration(metric):
    for seed in range(5):
        curve = some_curve(seed=seed)
        duration = curve.times[-1] - curve.times[0]
        assert curve.energy(metric) >= curve.length(metric) ** 2 / duration * (1 - 1e-7)


@half_planes
def test_energy_is_length_squared_at_constant_speed(metric):
    # geometric heights: a vertical line at (nearly) constant speed over unit time
    curve = of_one_point(*[(0.0, 4.0 ** (k / 64)) for k in range(65)])
    length = curve.length(metric)
    assert length == pytest.approx(np.log(4), rel=1e-7)
    assert curve.energy(metric) == pytest.approx(length**2, rel=1e-4)


# -- invariance -------------------------------------------------------------------------------


@half_planes
def test_length_does_not_depend_on_time(metric):
    curve = some_curve()
    other = gn.Curve(curve.states, np.linspace(0, 1, 6) ** 3)
    np.testing.assert_array_equal(other.step_lengths(metric), curve.step_lengths(metric))


@half_planes
def test_length_does_not_depend_on_direction(metric):
    curve = some_curve()
    backwards = gn.Curve(curve.states[::-1])
    np.testing.assert_allclose(
        backwards.step_lengths(metric), curve.step_lengths(metric)[::-1], rtol=1e-7
    )


@half_planes
@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_refining_keeps_the_polygon(metric, parts):
    curve = some_curve()
    fine = curve.refine(parts)
    assert fine.n_steps == parts * curve.n_steps
    np.testing.assert_array_equal(fine.states[::parts], curve.states)
    np.testing.assert_allclose(fine.times[::parts], curve.times, rtol=1e-15)
    assert fine.length(metric) == pytest.approx(curve.length(metric), rel=1e-7)
    assert fine.energy(metric) == pytest.approx(curve.energy(metric), rel=1e-6)


# -- evaluation and resampling ----------------------------------------------------------------


def test_evaluation_is_linear_between_states():
    curve = gn.Curve(np.array([0.0, 2.0, 8.0]).reshape(3, 1, 1), times=[1.0, 2.0, 4.0])
    for t, value in ((1.0, 0.0), (1.5, 1.0), (2.0, 2.0), (3.0, 5.0), (4.0, 8.0)):
        assert curve(t) == pytest.approx(np.array([[value]]))
    np.testing.assert_allclose(curve([1.5, 4.0]).ravel(), [1.0, 8.0])
    assert curve(2).shape == (1, 1)
    assert curve([1.0, 2.0, 3.0]).shape == (3, 1, 1)


def test_states_are_passed_at_their_times():
    curve = some_curve()
    np.testing.assert_allclose(curve(curve.times), curve.states, rtol=1e-15)


@pytest.mark.parametrize("t", [-1e-9, 1.1, [0.5, 2.0], np.nan, [0.5, np.nan]])
def test_times_outside_are_refused(t):
    with pytest.raises(gn.InputError, match=r"^t: "):
        gn.Curve(np.zeros((3, 1, 1)))(t)


def test_resampling_in_time():
    curve = some_curve()
    again = curve.resample(12)
    np.testing.assert_allclose(np.diff(again.times), np.ptp(curve.times) / 12, rtol=1e-12)
    np.testing.assert_allclose(again.states, curve(again.times), rtol=1e-14)
    np.testing.assert_array_equal(again.end, curve.end)
    same = gn.Curve(curve.states).resample(curve.n_steps)
    np.testing.assert_allclose(same.states, curve.states, rtol=1e-14)


@pytest.mark.parametrize("n_steps", [1, 4, 10, 33])
def test_resampling_at_constant_speed(n_steps):
    # along one line no corner is cut, so the length stays and the steps are equal
    curve = of_one_point((0.0, 1.0), (0.0, 1.2), (0.0, 4.0), (0.0, 9.0))
    again = curve.resample(n_steps, metric=HalfPlane())
    np.testing.assert_array_equal(again.start, curve.start)
    np.testing.assert_array_equal(again.end, curve.end)
    np.testing.assert_array_equal(again.times, np.linspace(0, 1, n_steps + 1))
    assert again.length(HalfPlane()) == pytest.approx(np.log(9), rel=1e-7)
    np.testing.assert_allclose(again.step_lengths(HalfPlane()), np.log(9) / n_steps, rtol=0.03)


def test_resampling_in_a_flat_metric_is_exact_on_a_line():
    curve = gn.Curve(np.array([0.0, 1.0, 1.5, 6.0]).reshape(4, 1, 1))
    again = curve.resample(6, metric=Flat())
    np.testing.assert_allclose(again.states.ravel(), np.arange(7.0), atol=1e-5)


def test_resampling_only_cuts_corners():
    curve = some_curve()
    for n_steps in (4, 16, 64):
        again = curve.resample(n_steps, metric=Flat())
        assert again.length(Flat()) <= curve.length(Flat()) * (1 + 1e-12)
    assert again.length(Flat()) == pytest.approx(curve.length(Flat()), rel=0.05)


@pytest.mark.parametrize("metric", [None, HalfPlane()])
def test_resampling_a_curve_at_rest(metric):
    again = gn.Curve(np.ones((3, 1, 2))).resample(4, metric=metric)
    np.testing.assert_array_equal(again.states, np.ones((5, 1, 2)))


# -- construction -----------------------------------------------------------------------------


def test_default_times_are_uniform():
    curve = gn.Curve(np.zeros((5, 2, 3)))
    np.testing.assert_array_equal(curve.times, [0.0, 0.25, 0.5, 0.75, 1.0])
    assert curve.n_steps == 4
    assert repr(curve) == "Curve(n_steps=4, n=2, dim=3)"


def test_activations_of_one_width_are_a_curve():
    rng = np.random.default_rng(0)
    activations = [rng.normal(size=(6, 3)) for _ in range(4)]
    curve = gn.Curve.from_activations(activations, times=[0, 1, 2, 4])
    np.testing.assert_array_equal(curve.states, np.stack(activations))
    np.testing.assert_array_equal(curve.times, [0.0, 1.0, 2.0, 4.0])
    np.testing.assert_array_equal(curve.start, activations[0])
    np.testing.assert_array_equal(curve.end, activations[-1])


@pytest.mark.parametrize(
    ("activations", "says"),
    [
        ([np.zeros((5, 3)), np.zeros((5, 4))], r"one width.*\(5, 3\), \(5, 4\)"),
        ([np.zeros((5, 3)), np.zeros((4, 3))], r"^activations: "),
        ([np.zeros((5, 3)), np.zeros(5)], r"^activations\[1\]: "),
        ([np.zeros((5, 3)), np.full((5, 3), np.nan)], r"^activations\[1\]: .*NaN"),
        ([np.zeros((5, 3))], "at least two"),
        ([], "^activations: "),
    ],
)
def test_other_activations_are_refused(activations, says):
    with pytest.raises(gn.InputError, match=says):
        gn.Curve.from_activations(activations)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("states", np.zeros(3)),
        ("states", np.zeros((3, 2, 2, 2))),
        ("states", np.zeros((1, 2, 2))),
        ("states", np.full((3, 2, 2), np.inf)),
        ("times", [0.0, 1.0]),
        ("times", [0.0, 1.0, 1.0]),
        ("times", [0.0, 2.0, 1.0]),
        ("times", [0.0, np.nan, 1.0]),
    ],
)
def test_bad_input_is_refused_by_name(argument, value):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.Curve(**{"states": np.zeros((3, 2, 2)), argument: value})


@pytest.mark.parametrize(("method", "argument"), [("refine", "parts"), ("resample", "n_steps")])
@pytest.mark.parametrize("count", [0, -1, 2.0])
def test_counts_are_positive_integers(method, argument, count):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        getattr(some_curve(), method)(count)
