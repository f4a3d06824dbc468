"""Points that are no vectors: angles, moved by their own difference and retraction."""

import autograd.numpy as anp
import numpy as np
import pytest
from geomstats.geometry.manifold import Manifold

import geomnet as gn
from geomnet.geometry import Points, VectorPoints

TURN = 2 * np.pi


class Angles(Points, Manifold):
    """n angles modulo 2π, as maps of shape (n, 1)."""

    def __init__(self, n):
        super().__init__(dim=n, shape=(n, 1), equip=False)

    def difference(self, start, end):
        return (end - start + np.pi) % TURN - np.pi

    def retract(self, point, vector):
        return (point + vector) % TURN

    def belongs(self, point, atol=None):
        return np.isfinite(point).all(axis=(-2, -1))

    def is_tangent(self, vector, base_point=None, atol=None):
        return self.belongs(vector)

    def to_tangent(self, vector, base_point=None):
        return np.array(vector, dtype=float)

    def projection(self, point):
        return np.array(point, dtype=float) % TURN

    def random_point(self, n_samples=1, bound=1.0, seed=None):
        return np.random.default_rng(seed).uniform(0, TURN, size=self.shape)

    def random_tangent_vec(self, base_point=None, n_samples=1, seed=None):
        return np.random.default_rng(seed).normal(size=self.shape)


class Bumpy(gn.Metric):
    """⟨v, v⟩ = Σ(1 + ½cos θ)²v²: every angle has the arc length θ + ½ sin θ."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        speed = 1 + 0.5 * anp.cos(base_point)
        return anp.sum(speed**2 * tangent_vec_a * tangent_vec_b, axis=(-2, -1))


def arc(angle):
    return angle + 0.5 * np.sin(angle)


START, END = np.array([[0.3], [2.0]]), np.array([[6.0], [1.2]])
"""The first angle goes down through zero, as 6.0 is −0.283."""

UNROLLED = np.array([[6.0 - TURN], [1.2]])
DISTANCE = float(np.linalg.norm(arc(UNROLLED) - arc(START)))

metric = Bumpy(Angles(2))
solvers = pytest.mark.parametrize(
    "method",
    [None, gn.geodesics.PathNewtonCG(), gn.geodesics.PathLBFGS(), gn.PathNewton(), gn.Shooting()],
    ids=["default", "newton-cg", "lbfgs", "newton", "shooting"],
)


@solvers
def test_a_geodesic_takes_the_short_way_round(method):
    geo = gn.geodesic(metric, START, END, n_steps=64, method=method)
    assert geo.certificate.converged
    assert geo.distance == pytest.approx(DISTANCE, rel=1e-6)
    assert abs(geo.distance - DISTANCE) <= geo.error_estimate + 1e-9 * DISTANCE
    # the arc length of every angle grows at constant speed
    steps = metric.points.difference(geo.path[:-1], geo.path[1:])
    unrolled = START + np.concatenate([np.zeros((1, 2, 1)), np.cumsum(steps, axis=0)])
    t = np.linspace(0, 1, 65)[:, None, None]
    np.testing.assert_allclose(arc(unrolled), (1 - t) * arc(START) + t * arc(UNROLLED), atol=1e-4)


def test_turns_that_name_the_same_point_change_nothing():
    here = gn.geodesic(metric, START, END, n_steps=16)
    there = gn.geodesic(metric, START + TURN, END - TURN, n_steps=16)
    assert there.distance == pytest.approx(here.distance, rel=1e-12)
    assert gn.geodesic(metric, START, START + TURN).distance == pytest.approx(0.0, abs=1e-14)


def test_between_states_the_path_is_smooth_across_zero():
    geo = gn.geodesic(metric, START, END, n_steps=32)
    assert (geo.path[:, 0] > 3).any()
    assert (geo.path[:, 0] < 3).any()
    for t in (0.013, 0.49, 0.51, 0.77, 1.0):
        step = metric.points.difference(geo(t - 1e-4), geo(t)) if t else 0.0
        assert np.abs(step).max() < 1e-3
        np.testing.assert_allclose(step / 1e-4, geo.velocity(t - 5e-5), atol=1e-3)


def test_a_ray_goes_where_the_logarithm_aims():
    velocity = gn.geodesic(metric, START, END, n_steps=64).initial_velocity
    end = gn.ray(metric, START, velocity).end
    assert np.abs(metric.points.difference(end, END)).max() < 1e-4


def test_a_curve_across_zero_has_the_length_of_its_arcs():
    one = Bumpy(Angles(1))
    curve = gn.Curve([[[0.3]], [[6.0]], [[5.5]]])
    assert curve.length(one) == pytest.approx(arc(0.3) - arc(5.5 - TURN), rel=1e-8)


def test_paths_of_angles_are_resampled_and_led_straight():
    space = Angles(2)
    line = space.straight(START, END, 10)
    np.testing.assert_allclose(
        space.difference(line[:-1], line[1:]),
        np.broadcast_to(space.difference(START, END) / 10, (10, 2, 1)),
        atol=1e-14,
    )
    for found in (space.resample(line, 40), space.polygon(line, 40), space.smooth(line, 40)):
        expected = space.straight(START, END, 40)
        assert np.abs(space.difference(expected, found)).max() < 1e-13


def test_vectors_are_subtracted_and_added_to_the_last_digit():
    rng = np.random.default_rng(0)
    a, b, t = rng.normal(size=(3, 4, 2))
    points = VectorPoints()
    np.testing.assert_array_equal(points.difference(a, b), b - a)
    np.testing.assert_array_equal(points.retract(a, b), a + b)
    np.testing.assert_array_equal(points.midpoint(a, b), 0.5 * (a + b))
    np.testing.assert_array_equal(points.between(a, b, t), (1 - t) * a + t * b)
