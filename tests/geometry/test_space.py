"""A function space: maps observed on a sample are its points, a metric is a choice."""

import numpy as np
import pytest

import geomnet as gn


@pytest.fixture
def space():
    rng = np.random.default_rng(0)
    return gn.FunctionSpace(gn.Sample(rng.normal(size=(5, 2))))


def test_shape_and_identity(space):
    assert space.shape == (5, 2)
    assert space.dim == 10
    np.testing.assert_array_equal(space.identity, space.sample.points)


def test_an_array_is_a_sample_of_equal_weights():
    space = gn.FunctionSpace([[0, 1], [2, 3]])
    np.testing.assert_array_equal(space.sample.weights, [0.5, 0.5])
    assert space.identity.dtype == np.float64


def test_an_unusable_sample_is_refused():
    with pytest.raises(gn.InputError, match=r"^points: "):
        gn.FunctionSpace([[0.0, np.nan]])
    with pytest.raises(gn.InputError, match=r"^points: "):
        gn.FunctionSpace(np.zeros((2, 2, 2)))


def test_observing_a_function(space):
    observed = space.observe(lambda x: 2 * x + 1)
    np.testing.assert_array_equal(observed, 2 * space.sample.points + 1)
    np.testing.assert_array_equal(space.observe(lambda x: x), space.identity)


@pytest.mark.parametrize(
    "function",
    [lambda x: x[:, :1], lambda x: x[:-1], lambda x: x * np.nan, lambda x: x.astype(object)],
)
def test_observing_what_is_no_map_of_the_sample(space, function):
    with pytest.raises(gn.InputError, match=r"^function"):
        space.observe(function)


@pytest.mark.parametrize("method", ["belongs", "is_tangent"])
def test_membership_is_shape_and_finiteness(space, method):
    tell = getattr(space, method)
    good, bad = np.ones((5, 2)), np.ones((5, 2))
    bad[3, 1] = np.nan
    assert tell(good)
    assert tell(good.astype(int))
    assert not tell(bad)
    assert tell(np.stack([good, bad, good])).tolist() == [True, False, True]
    assert tell(np.stack([[good, bad]])).tolist() == [[True, False]]


@pytest.mark.parametrize("method", ["belongs", "is_tangent"])
@pytest.mark.parametrize("shape", [(), (2,), (2, 5), (5, 3), (6, 2)])
def test_other_shapes_do_not_belong(space, method, shape):
    told = getattr(space, method)(np.zeros(shape))
    assert np.shape(told) == ()
    assert not told


def test_a_batch_of_another_shape_does_not_belong(space):
    assert space.belongs(np.zeros((3, 5, 1))).tolist() == [False] * 3


def test_other_kinds_do_not_belong(space):
    assert not space.belongs(np.ones((5, 2), dtype=complex))
    assert not space.belongs(np.ones((5, 2), dtype=object))
    assert not space.belongs(np.full((5, 2), "1"))


def test_every_direction_is_tangent(space):
    vector = np.arange(10).reshape(5, 2)
    for method in (space.to_tangent, space.projection):
        out = method(vector)
        assert out.dtype == np.float64
        np.testing.assert_array_equal(out, vector)


@pytest.mark.parametrize("draw", ["random_point", "random_tangent_vec"])
def test_random_draws(space, draw):
    draw = getattr(space, draw)
    one, many = draw(seed=4), draw(n_samples=3, seed=4)
    assert one.shape == (5, 2)
    assert many.shape == (3, 5, 2)
    assert space.belongs(many).all()
    np.testing.assert_array_equal(one, draw(seed=4))
    np.testing.assert_array_equal(draw(seed=np.random.default_rng(4)), one)
    assert (one != draw(seed=5)).all()
    assert (many[0] != many[1]).all()


def test_random_points_lie_near_the_identity():
    rng = np.random.default_rng(1)
    space = gn.FunctionSpace(100 * rng.normal(size=(400, 2)))
    for bound in (0.5, 2.0):
        moved = space.random_point(bound=bound, seed=0) - space.identity
        assert moved.std() == pytest.approx(0.1 * bound * space.identity.std(), rel=0.1)


def test_a_single_point_can_be_drawn_too():
    space = gn.FunctionSpace([[1.0, 1.0]])
    assert (space.random_point(seed=0) != space.identity).all()


def test_no_metric_is_the_default(space):
    with pytest.raises(gn.InputError, match=r"no default metric.*L2Metric"):
        space.equip_with_metric()
    assert not hasattr(space, "metric")


def test_equipping_with_a_metric(space):
    space.equip_with_metric(gn.L2Metric)
    assert isinstance(space.metric, gn.L2Metric)
    assert space.metric.space is space
    assert repr(space) == "FunctionSpace(n=5, dim=2, metric=L2Metric())"


def test_equipping_passes_the_options(space):
    space.equip_with_metric(gn.EnergyMetric, kernel=gn.GaussianKernel(0.25))
    assert space.metric.kernel == gn.GaussianKernel(0.25)
