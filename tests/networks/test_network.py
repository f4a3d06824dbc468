"""Network: networks: values, networks: derivatives, invertibility, readout, bad input."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import FIELDS, INTEGRATORS
from networks_common import cloud, each_field
from scipy.integrate import solve_ivp

import geomnet as gn

each_integrator = pytest.mark.parametrize("integrator", INTEGRATORS)


ORDERS = {gn.networks.Euler(): 1, gn.networks.Midpoint(): 2, gn.networks.RK4(): 4}


STEPS = {
    gn.networks.Euler(): oracles.euler_step,
    gn.networks.Midpoint(): oracles.midpoint_step,
    gn.networks.RK4(): oracles.rk4_step,
}


def dot(a, b):
    return float(np.sum(a * b))


# -- networks: values -------------------------------------------------------------------------


@each_integrator
@each_field
def test_states_layer_by_layer_and_point_by_point(field, integrator):
    network = gn.Network(field, depth=3, integrator=integrator)
    theta, points = cloud(*network.parameters_shape), cloud(4, field.dim, seed=1)
    expected = oracles.network_states(
        STEPS[integrator], lambda layer, x: field(x[None], layer)[0], theta, points
    )
    states = network.states(theta, points)
    np.testing.assert_allclose(states, expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(states[0], points)
    np.testing.assert_array_equal(network(theta, points), states[-1])


@pytest.mark.parametrize(
    ("field", "activation"),
    [(gn.TanhField(3, 5), np.tanh), (gn.networks.ReLUField(3, 5), lambda u: max(u, 0.0))],
    ids=["tanh", "relu"],
)
def test_euler_is_a_residual_network(field, activation):
    network = gn.Network(field, depth=4)
    theta, points = network.init(seed=0), cloud(3, 3, seed=1)
    states = [points]
    for layer in theta:
        moved = [x + oracles.hidden_layer_field(activation, 3, 5, layer, x) / 4 for x in states[-1]]
        states.append(np.array(moved))
    np.testing.assert_allclose(network.states(theta, points), states, atol=1e-13)


@each_integrator
@pytest.mark.parametrize(
    "field",
    [gn.TanhField(2, 6), gn.networks.FunctionField(lambda x, t: t[0] * anp.sin(x[:, ::-1]), 2, 1)],
)
def test_order_of_convergence(field, integrator):
    theta, points = field.init(np.random.default_rng(5)), cloud(3, 2, seed=1)
    flow = solve_ivp(
        lambda t, x: field(x.reshape(3, 2), theta).reshape(-1),
        (0, 1),
        points.reshape(-1),
        method="DOP853",
        rtol=1e-13,
        atol=1e-13,
    ).y[:, -1]
    order = ORDERS[integrator]
    depths = np.array([4, 8, 16, 32] if order == 4 else [32, 64, 128, 256])
    errors = []
    for depth in depths:
        network = gn.Network(field, int(depth), integrator)
        errors.append(np.abs(network(np.tile(theta, (depth, 1)), points).reshape(-1) - flow).max())
    assert -np.polyfit(np.log(depths), np.log(errors), 1)[0] == pytest.approx(order, abs=0.15)
    assert integrator.order == order


@each_integrator
def test_a_linear_flow_is_the_series_of_its_exponential(integrator):
    # x' = x + hMx + … + (hM)^k x/k!, cut at the order
    network = gn.Network(gn.networks.LinearField(2), 1, integrator)
    matrix = cloud(2, 2, seed=3)
    theta = np.concatenate([matrix.reshape(-1), np.zeros(2)])[None]
    term, expected = np.eye(2), np.eye(2)
    for k in range(1, ORDERS[integrator] + 1):
        term = term @ matrix / k
        expected = expected + term
    np.testing.assert_allclose(network(theta, np.eye(2)), expected.T, atol=1e-14)


def test_curve_is_the_states_of_the_sample():
    sample = gn.Sample(cloud(5, 2), weights=[0.1, 0.2, 0.3, 0.2, 0.2])
    network = gn.Network(gn.TanhField(2, 4), depth=6)
    theta = network.init(seed=1)
    curve = network.curve(theta, sample)
    np.testing.assert_array_equal(curve.states, network.states(theta, sample.points))
    np.testing.assert_allclose(curve.times, np.arange(7) / 6)
    np.testing.assert_array_equal(network(theta, sample), curve.end)


@each_integrator
def test_no_velocity_is_the_identity(integrator):
    network = gn.Network(gn.TanhField(2, 3), 5, integrator)
    points = cloud(4, 2)
    states = network.states(np.zeros(network.parameters_shape), points)
    np.testing.assert_array_equal(states, np.broadcast_to(points, states.shape))


def test_initial_parameters_of_a_network():
    network = gn.Network(gn.TanhField(2, 3), 4)
    theta = network.init(seed=7)
    assert theta.shape == network.parameters_shape == (4, 17)
    assert network.n_parameters == theta.size
    np.testing.assert_array_equal(theta, network.init(seed=7))
    np.testing.assert_array_equal(theta, network.init(np.random.default_rng(7)))
    assert (theta != network.init(seed=8)).any()
    assert (theta[0] != theta[1]).any()


# -- networks: derivatives --------------------------------------------------------------------


@each_integrator
@each_field
def test_network_jvp_is_the_change_of_every_state(field, integrator):
    network = gn.Network(field, 3, integrator)
    theta, dtheta = 0.5 * cloud(2, *network.parameters_shape)
    x, dx = cloud(2, 4, field.dim, seed=1)
    states, changes = network.jvp(theta, x, dtheta, dx)
    np.testing.assert_allclose(states, network.states(theta, x), rtol=1e-13)
    expected = oracles.central_difference(
        lambda t: network.states(theta + t * dtheta, x + t * dx), 0.0, 1.0, step=1e-4
    )
    np.testing.assert_allclose(changes, expected, rtol=1e-8, atol=1e-8)
    alone = network.jvp(theta, x, dtheta)[1]
    np.testing.assert_array_equal(alone, network.jvp(theta, x, dtheta, np.zeros_like(x))[1])
    np.testing.assert_array_equal(alone[0], np.zeros_like(x))


@each_integrator
@each_field
@pytest.mark.parametrize("every", [False, True], ids=["last", "every"])
def test_network_vjp_is_the_transpose_of_jvp(field, integrator, every):
    network = gn.Network(field, 3, integrator)
    theta, dtheta = 0.5 * cloud(2, *network.parameters_shape, seed=2)
    x, dx = cloud(2, 4, field.dim, seed=3)
    states, changes = network.jvp(theta, x, dtheta, dx)
    cotangents = cloud(*(states if every else x).shape, seed=4)
    kept = cotangents.copy()
    to_theta, to_points = network.vjp(theta, states, cotangents)
    pushed = dot(cotangents, changes if every else changes[-1])
    assert pushed == pytest.approx(dot(to_theta, dtheta) + dot(to_points, dx), rel=1e-11)
    np.testing.assert_array_equal(cotangents, kept)
    # without a change of the points too: the two parts are each right
    only_theta = network.jvp(theta, x, dtheta)[1]
    pushed = dot(cotangents, only_theta if every else only_theta[-1])
    assert pushed == pytest.approx(dot(to_theta, dtheta), rel=1e-11)


# -- invertibility ----------------------------------------------------------------------------


@each_integrator
@each_field
def test_step_bounds_hold_on_random_pairs(field, integrator):
    network = gn.Network(field, 3, integrator)
    theta = 0.3 * cloud(*network.parameters_shape)
    x, y = cloud(2, 100, field.dim, seed=1)
    y[::2] = x[::2] + 1e-5 * y[::2]
    states_x, states_y = network.states(theta, x), network.states(theta, y)
    bounds = network.step_lipschitz(theta)
    assert bounds.shape == (3,)
    apart = states_x - states_y
    moved = np.linalg.norm(np.diff(apart, axis=0), axis=-1)
    allowed = bounds[:, None] * np.linalg.norm(apart[:-1], axis=-1)
    assert (moved <= allowed * (1 + 1e-8)).all()


@each_integrator
def test_step_bound_of_a_linear_field_is_the_series(integrator):
    network = gn.Network(gn.networks.LinearField(2), 4, integrator)
    theta = np.tile([3.0, 0.0, 0.0, 1.0, 0.5, 0.5], (4, 1))
    size, term, expected = 3.0 / 4, 1.0, 0.0
    for k in range(1, ORDERS[integrator] + 1):
        term *= size / k
        expected += term
    np.testing.assert_allclose(network.step_lipschitz(theta), expected, rtol=1e-14)


@each_integrator
def test_invertible_networks_are_inverted_by_iteration(integrator):
    network = gn.Network(gn.TanhField(2, 4), 3, integrator)
    theta, points = 0.4 * cloud(*network.parameters_shape), cloud(5, 2, seed=1)
    assert network.is_invertible(theta) is True
    states = network.states(theta, points)
    back = states[-1]
    for layer in theta[::-1]:
        one = gn.Network(gn.TanhField(2, 4), 1, integrator)
        # a layer of step 1/3 is a network of one layer whose field is a third as fast
        scaled = layer.copy()
        scaled[12:] /= 3
        image = back
        for _ in range(200):
            back = image - (one(scaled[None], back) - back)
    np.testing.assert_allclose(back, points, atol=1e-12)


@each_integrator
def test_large_layers_prove_nothing(integrator):
    network = gn.Network(gn.networks.LinearField(2), 2, integrator)
    theta = np.zeros(network.parameters_shape)
    assert network.is_invertible(theta) is True
    theta[1, 0] = 2.5
    assert network.is_invertible(theta) is None
    fold = np.array([[-2.0, 0, 0, 0, 0, 0]] * 2)  # Euler sends the first coordinate to zero
    assert network.is_invertible(fold) is None


@each_integrator
@pytest.mark.parametrize("field", [field for field in FIELDS if field.id != "function"])
@pytest.mark.parametrize("bound", [0.01, 0.9])
def test_limiting_scales_down_the_layers_above_the_bound_and_no_others(field, integrator, bound):
    network = gn.Network(field, 3, integrator)
    theta = 4 * cloud(*network.parameters_shape)
    theta[1] *= 1e-4
    before, kept = network.step_lipschitz(theta), theta.copy()
    limited = network.limit_step_lipschitz(theta, bound)
    np.testing.assert_array_equal(theta, kept)
    np.testing.assert_allclose(
        network.step_lipschitz(limited), np.minimum(before, bound), rtol=1e-9
    )
    np.testing.assert_array_equal(limited[before <= bound], theta[before <= bound])
    # the field turns slower, by one factor: its differences do not turn
    x, y = cloud(2, 6, 3, seed=1)
    slow, fast = (field(x, layers[0]) - field(y, layers[0]) for layers in (limited, theta))
    np.testing.assert_allclose(slow, dot(slow, fast) / dot(fast, fast) * fast, atol=1e-12)
    assert 0 < dot(slow, fast) < dot(fast, fast)


def test_bad_limits_are_refused():
    network = gn.Network(gn.TanhField(2, 3), 2)
    for bound in (0.0, -1.0, np.nan):
        with pytest.raises(gn.InputError, match=r"^bound: "):
            network.limit_step_lipschitz(network.init(), bound)
    with pytest.raises(gn.InputError, match=r"^theta: "):
        network.limit_step_lipschitz(network.init()[:1], 0.5)
    free = gn.Network(gn.networks.FunctionField(lambda x, theta: theta[0] * x, 2, 1), 2)
    with pytest.raises(gn.InputError, match=r"^field: FunctionField has no limit_lipschitz"):
        free.limit_step_lipschitz(np.ones((2, 1)), 0.5)


def test_a_field_without_a_bound_proves_nothing():
    network = gn.Network(gn.networks.FunctionField(lambda x, theta: 0 * x, 2, 1), 2)
    assert network.step_lipschitz(np.zeros((2, 1))) is None
    assert network.is_invertible(np.zeros((2, 1))) is None


# -- readout ----------------------------------------------------------------------------------


def test_readout_is_affine():
    weight, bias, states = cloud(3, 2), cloud(3, seed=1), cloud(4, 5, 2, seed=2)
    out = gn.Readout(weight, bias)(states)
    assert out.shape == (4, 5, 3)
    for index in np.ndindex(4, 5):
        expected = [
            bias[c] + sum(weight[c, k] * states[index][k] for k in range(2)) for c in range(3)
        ]
        np.testing.assert_allclose(out[index], expected, atol=1e-14)
    np.testing.assert_array_equal(gn.Readout(weight).bias, np.zeros(3))


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("weight", {"weight": [1.0, 2.0]}),
        ("weight", {"weight": np.zeros((0, 2))}),
        ("weight", {"weight": np.zeros((2, 0))}),
        ("weight", {"weight": [[np.nan]]}),
        ("bias", {"weight": np.eye(2), "bias": [1.0]}),
        ("bias", {"weight": np.eye(2), "bias": [1.0, np.inf]}),
    ],
)
def test_bad_readouts_are_refused_by_argument(argument, options):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.Readout(**options)


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("field", {"field": np.tanh}),
        ("field", {"field": None}),
        ("depth", {"depth": 0}),
        ("depth", {"depth": 2.0}),
        ("integrator", {"integrator": "euler"}),
        ("integrator", {"integrator": gn.networks.Euler}),
    ],
)
def test_bad_networks_are_refused_by_argument(argument, options):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.Network(**{"field": gn.TanhField(2, 3), "depth": 2, **options})


@pytest.mark.parametrize(
    ("theta", "points", "argument"),
    [
        (np.zeros((3, 17)), np.zeros((4, 2)), "theta"),
        (np.zeros((2, 16)), np.zeros((4, 2)), "theta"),
        (np.zeros(34), np.zeros((4, 2)), "theta"),
        (np.full((2, 17), np.nan), np.zeros((4, 2)), "theta"),
        (np.zeros((2, 17)), np.zeros((4, 3)), "points"),
        (np.zeros((2, 17)), np.zeros(2), "points"),
        (np.zeros((2, 17)), [[0.0, np.inf]], "points"),
    ],
)
def test_bad_parameters_and_points_are_refused(theta, points, argument):
    network = gn.Network(gn.TanhField(2, 3), 2)
    for call in (network, network.states, network.curve):
        with pytest.raises(gn.InputError, match=f"^{argument}: "):
            call(theta, points)


def test_bad_directions_are_refused():
    network = gn.Network(gn.TanhField(2, 3), 2)
    theta, points = network.init(), np.zeros((4, 2))
    with pytest.raises(gn.InputError, match=r"^dtheta: "):
        network.jvp(theta, points, theta[:1])
    with pytest.raises(gn.InputError, match=r"^dpoints: "):
        network.jvp(theta, points, theta, points[:1])
    states = network.states(theta, points)
    with pytest.raises(gn.InputError, match=r"^cotangents: "):
        network.vjp(theta, states, points[:1])
    with pytest.raises(gn.InputError, match=r"^cotangents: "):
        network.vjp(theta, states, states[1:])
    with pytest.raises(gn.InputError, match=r"^theta: "):
        network.vjp(theta[:1], states, points)


def test_a_field_of_another_shape_is_refused():
    column = gn.networks.FunctionField(lambda x, theta: x[:, :1], dim=2, parameters=1)
    with pytest.raises(gn.InputError, match=r"\(4, 2\).*\(4, 1\)"):
        gn.Network(column, 2)(np.ones((2, 1)), np.ones((4, 2)))
