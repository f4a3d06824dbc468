"""Networks are the ordinary differential equations they say, and their derivatives are exact."""

import warnings

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from networks_common import cloud, each_field

import geomnet as gn


def draw(field, n=4, seed=0):
    """Draw points, parameters, and a direction of each."""
    rng = np.random.default_rng(seed)
    p = field.n_parameters
    return (
        rng.normal(size=(n, field.dim)),
        rng.normal(size=p),
        rng.normal(size=(n, field.dim)),
        rng.normal(size=p),
    )


# -- fields -----------------------------------------------------------------------------------


@each_field
def test_a_field_moves_each_point_by_itself(field):
    x, theta, _, _ = draw(field)
    velocity = field(x, theta)
    assert velocity.shape == x.shape
    for i in range(len(x)):
        np.testing.assert_allclose(field(x[i : i + 1], theta)[0], velocity[i], atol=1e-14)


@pytest.mark.parametrize(
    ("field", "activation"),
    [(gn.TanhField(3, 5), np.tanh), (gn.networks.ReLUField(3, 5), lambda u: max(u, 0.0))],
    ids=["tanh", "relu"],
)
def test_hidden_layer_fields_unit_by_unit(field, activation):
    x, theta, _, _ = draw(field)
    expected = [oracles.hidden_layer_field(activation, 3, 5, theta, point) for point in x]
    np.testing.assert_allclose(field(x, theta), expected, atol=1e-13)


def test_the_linear_field_entry_by_entry():
    field = gn.networks.LinearField(3)
    x, theta, _, _ = draw(field)
    expected = [
        [theta[9 + i] + sum(theta[3 * i + j] * point[j] for j in range(3)) for i in range(3)]
        for point in x
    ]
    np.testing.assert_allclose(field(x, theta), expected, atol=1e-14)


def test_the_random_feature_field_is_linear_in_its_parameters():
    field = gn.networks.RandomFeatureField(dim=3, width=7, seed=1)
    x, theta, _, other = draw(field)
    combined = field(x, 2 * theta - 3 * other)
    np.testing.assert_allclose(combined, 2 * field(x, theta) - 3 * field(x, other), atol=1e-13)
    features = field.features(x)
    expected = [
        [sum(row[j] * theta[7 * i + j] for j in range(7)) for i in range(3)] for row in features
    ]
    np.testing.assert_allclose(field(x, theta), expected, atol=1e-14)


def test_random_features_come_from_their_seed_and_scale():
    x = cloud(4, 2)
    one, same, other = (gn.networks.RandomFeatureField(2, 6, seed=s).features(x) for s in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    stretched = gn.networks.RandomFeatureField(2, 6, scale=5.0, seed=3).features(5 * x)
    np.testing.assert_allclose(stretched, one, atol=1e-13)
    assert np.abs(one).max() <= np.sqrt(2 / 6)


@each_field
def test_field_jvp(field):
    x, theta, dx, dtheta = draw(field)
    by_x = np.tensordot(autograd.jacobian(lambda x: field(x, theta))(x), dx, 2)
    by_theta = autograd.jacobian(lambda theta: field(x, theta))(theta) @ dtheta
    np.testing.assert_allclose(field.jvp(x, theta, dx, dtheta), by_x + by_theta, atol=1e-12)
    np.testing.assert_allclose(
        gn.networks.Field.jvp(field, x, theta, dx, dtheta), by_x + by_theta, atol=1e-12
    )
    differences = oracles.central_difference(
        lambda t: field(x + t * dx, theta + t * dtheta), 0.0, 1.0, step=1e-4
    )
    np.testing.assert_allclose(field.jvp(x, theta, dx, dtheta), differences, atol=1e-9)


@each_field
def test_field_vjp(field):
    x, theta, cotangent, _ = draw(field)
    to_x = np.tensordot(cotangent, autograd.jacobian(lambda x: field(x, theta))(x), 2)
    by_theta = autograd.jacobian(lambda theta: field(x, theta))(theta)
    to_theta = np.tensordot(cotangent, by_theta, 2)
    for pull in (field.vjp, lambda *args: gn.networks.Field.vjp(field, *args)):
        found_x, found_theta = pull(x, theta, cotangent)
        np.testing.assert_allclose(found_x, to_x, atol=1e-12)
        np.testing.assert_allclose(found_theta, to_theta, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "by_x", "by_theta"),
    [
        (lambda x, theta: anp.sin(x), 1.0, 0.0),
        (lambda x, theta: theta[0] * anp.ones(x.shape), 0.0, 1.0),
        (lambda x, theta: anp.ones(x.shape), 0.0, 0.0),
    ],
    ids=["parameters", "points", "both"],
)
def test_a_field_may_ignore_its_arguments(function, by_x, by_theta):
    field = gn.networks.FunctionField(function, dim=2, parameters=1)
    x, theta, dx, dtheta = draw(field)
    expected = by_x * np.cos(x) * dx + by_theta * dtheta * np.ones_like(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(field.jvp(x, theta, dx, dtheta), expected, atol=1e-15)
        to_x, to_theta = field.vjp(x, theta, dx)
    np.testing.assert_allclose(to_x, by_x * np.cos(x) * dx, atol=1e-15)
    np.testing.assert_allclose(to_theta, [by_theta * dx.sum()], atol=1e-14)


@each_field
def test_initial_parameters(field):
    theta = field.init(np.random.default_rng(0))
    assert theta.shape == (field.n_parameters,)
    np.testing.assert_array_equal(theta, field.init(np.random.default_rng(0)))
    assert (theta != 0).any()


@each_field
def test_lipschitz_bounds_hold_on_random_pairs(field):
    for seed in range(3):
        theta = cloud(field.n_parameters, seed=seed)
        x, y = cloud(2, 300, field.dim, seed=10 + seed)
        y[::2] = x[::2] + 1e-5 * y[::2]
        moved = np.linalg.norm(field(x, theta) - field(y, theta), axis=1)
        apart = np.linalg.norm(x - y, axis=1)
        assert (moved <= field.lipschitz(theta) * apart * (1 + 1e-9)).all()


def test_the_bound_of_the_linear_field_is_attained():
    field = gn.networks.LinearField(3)
    theta = cloud(field.n_parameters)
    _, sizes, directions = np.linalg.svd(theta[:9].reshape(3, 3))
    moved = field(directions[:1], theta) - field(np.zeros((1, 3)), theta)
    assert np.linalg.norm(moved) == pytest.approx(field.lipschitz(theta), rel=1e-12)
    assert field.lipschitz(theta) == pytest.approx(sizes[0])


def test_tanh_and_relu_bounds_are_attained_by_one_unit():
    # one unit in one dimension has slope a·w where its activation has slope one
    theta = np.array([3.0, 0.0, 2.0, 0.0])
    x = np.array([[1e-6], [2e-6]])
    for field in (gn.TanhField(1, 1), gn.networks.ReLUField(1, 1)):
        slope = np.diff(field(x, theta), axis=0).item() / 1e-6
        assert slope == pytest.approx(6.0, rel=1e-6)
        assert field.lipschitz(theta) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: gn.TanhField(0, 3), "dim"),
        (lambda: gn.TanhField(3, 0), "width"),
        (lambda: gn.networks.ReLUField(3, 2.0), "width"),
        (lambda: gn.networks.LinearField(-1), "dim"),
        (lambda: gn.networks.RandomFeatureField(2, 3, scale=0.0), "scale"),
        (lambda: gn.networks.RandomFeatureField(0, 3), "dim"),
        (lambda: gn.networks.RandomFeatureField(2, 0), "width"),
        (lambda: gn.networks.FunctionField("x", 2, 1), "function"),
        (lambda: gn.networks.FunctionField(lambda x, theta: x, 0, 1), "dim"),
        (lambda: gn.networks.FunctionField(lambda x, theta: x, 2, -1), "parameters"),
    ],
)
def test_bad_fields_are_refused_by_argument(make, argument):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        make()
