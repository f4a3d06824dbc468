"""Least action within an architecture: the solver, its bound, laws and bad input."""

import autograd.numpy as anp
import numpy as np
import pytest

import geomnet as gn
from geomnet.control.cometrics import cometrics_of
from geomnet.control.layer_blocks import LayerBlocks, ScaledBlocks, solve_quadratic
from geomnet.control.layer_regression import regress_layers
from geomnet.geometry.metric import LeftRule


def swirl(points, angle=1.5):
    """Turn the first two coordinates by angle·exp(−r²/2)."""
    turn = angle * np.exp(-np.sum(points[:, :2] ** 2, axis=1) / 2)
    out = points.copy()
    out[:, 0] = np.cos(turn) * points[:, 0] - np.sin(turn) * points[:, 1]
    out[:, 1] = np.sin(turn) * points[:, 0] + np.cos(turn) * points[:, 1]
    return out


POINTS = np.random.default_rng(0).normal(size=(10, 2))
TARGET = swirl(POINTS)
WEIGHTS = np.arange(1, 11) / 55
SPACE = gn.FunctionSpace(gn.Sample(POINTS, weights=WEIGHTS))
READOUT = gn.Readout(np.random.default_rng(1).normal(size=(3, 2)))
NETWORK = gn.Network(gn.TanhField(2, 10), 5)


class Heavy(gn.Metric):
    """A user's metric without formulas of its own, coupling the points."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        weight = 1 + 0.3 * anp.sum(base_point**2, axis=(-2, -1))
        return weight * anp.sum(tangent_vec_a * tangent_vec_b, axis=(-2, -1))


METRICS = {
    "l2": gn.L2Metric(SPACE),
    "energy": gn.EnergyMetric(SPACE),
    "fisher_rao": gn.FisherRaoMetric(SPACE, gn.Categorical(3), READOUT, ridge=0.05),
    "sum": gn.L2Metric(SPACE) + 0.1 * gn.EnergyMetric(SPACE),
    "heavy": Heavy(SPACE),
}


def rms(violation):
    return np.sqrt(WEIGHTS @ np.sum(violation**2, axis=1))


def jacobian(theta, network=NETWORK, points=POINTS):
    """∂(all states)/∂θ, by the products of Network.jvp."""
    columns = []
    for unit in np.eye(theta.size):
        columns.append(network.jvp(theta, points, unit.reshape(theta.shape))[1].reshape(-1))
    return np.stack(columns, axis=1)


# -- the solver -------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["midpoint", "left"])
@pytest.mark.parametrize("name", METRICS)
def test_reaches_the_target_at_a_stationary_point_above_the_bound(name, rule):
    metric = METRICS[name]
    geo = gn.constrained_geodesic(NETWORK, metric, TARGET, rule=rule)
    states = NETWORK.states(geo.theta, POINTS)
    assert geo.converged
    np.testing.assert_allclose(states, geo.path, rtol=1e-12, atol=1e-12)
    assert rms(states[-1] - TARGET) <= 1e-9
    assert geo.endpoint_violation == pytest.approx(rms(states[-1] - TARGET), rel=1e-2, abs=1e-14)

    stepper = metric if rule == "midpoint" else LeftRule(metric)
    squared = stepper.squared_step(states[:-1], states[1:])
    assert geo.energy == pytest.approx(5 * squared.sum(), rel=1e-10)
    assert geo.length == pytest.approx(np.sqrt(squared).sum(), rel=1e-10)
    assert geo.energy >= geo.lower_bound * (1 - 1e-10)
    assert geo.gap < 0.02

    # the residual by dense least squares is no larger than the one reported
    _, gradient = gn.control.Action(NETWORK, metric, rule).value_and_gradient(geo.theta)
    to_end = jacobian(geo.theta)[-TARGET.size :]
    best = np.linalg.lstsq(to_end.T, -gradient.reshape(-1), rcond=None)[0]
    left = np.linalg.norm(gradient.reshape(-1) + to_end.T @ best) / np.linalg.norm(gradient)
    assert left <= geo.kkt_residual <= 2e-5


def test_no_parameters_nearby_do_better():
    """Random feasible perturbations, restored to the target, cost more energy."""
    geo = gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET)
    action = gn.control.Action(NETWORK, METRICS["l2"])
    rng = np.random.default_rng(5)
    for _ in range(5):
        theta = geo.theta + 0.1 * rng.normal(size=geo.theta.shape)
        for _ in range(6):
            miss = NETWORK(theta, POINTS) - TARGET
            step = np.linalg.lstsq(jacobian(theta)[-TARGET.size :], -miss.reshape(-1), rcond=None)
            theta = theta + step[0].reshape(theta.shape)
        assert np.abs(NETWORK(theta, POINTS) - TARGET).max() < 1e-10
        assert action.value(theta) > geo.energy


@pytest.mark.parametrize("integrator", [gn.networks.Midpoint(), gn.networks.RK4()])
def test_other_integrators(integrator):
    network = gn.Network(gn.TanhField(2, 10), 4, integrator)
    geo = gn.constrained_geodesic(network, METRICS["l2"], TARGET)
    assert rms(network(geo.theta, POINTS) - TARGET) <= 1e-9
    assert 0 <= geo.gap < 1e-2


def test_swirl_of_the_specification():
    """d=2, n=64, 16 tanh layers of width 16, L2."""
    points = np.random.default_rng(0).normal(size=(64, 2))
    network = gn.Network(gn.TanhField(2, 16), 16)
    metric = gn.L2Metric(gn.FunctionSpace(points))
    geo = gn.constrained_geodesic(network, metric, swirl(points))
    missed = network(geo.theta, points) - swirl(points)
    assert np.sqrt(np.mean(np.sum(missed**2, axis=1))) <= 1e-9
    assert geo.kkt_residual <= 2e-5
    assert 0 <= geo.gap <= 1e-3
    assert geo.iterations <= 40
    assert geo.lower_bound == pytest.approx(np.mean(np.sum((swirl(points) - points) ** 2, axis=1)))


def test_same_seed_same_numbers_and_a_start_of_ones_own():
    first = gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET, seed=3)
    again = gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET, seed=3)
    assert np.array_equal(first.theta, again.theta)
    resumed = gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET, theta=first.theta)
    assert resumed.iterations <= 2
    assert resumed.energy <= first.energy * (1 + 1e-9)


def test_little_memory_takes_a_scaled_identity_or_the_lagrangian():
    size = TARGET.size
    small = gn.control.ArchitectureSQP(max_bytes=ScaledBlocks.bytes_needed(5, size), tol=1e-3)
    assert LayerBlocks.bytes_needed(5, size) > small.max_bytes
    geo = gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET, method=small)
    assert rms(NETWORK(geo.theta, POINTS) - TARGET) <= 1e-9
    tiny = gn.control.ArchitectureSQP(max_bytes=100.0)
    with pytest.raises(gn.InputError, match=r"max_bytes: n·d = 20 needs"):
        gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET, method=tiny)
    other = gn.constrained_geodesic(
        NETWORK, METRICS["l2"], TARGET, method=gn.control.ArchitectureLagrangian()
    )
    assert rms(NETWORK(other.theta, POINTS) - TARGET) <= 1e-4
    assert 0 <= other.gap < 0.05
    assert "as asked" in repr(other)


def test_the_solver_is_chosen_by_memory():
    from geomnet.control.constrained_geodesic import _choose

    assert _choose(None, 5, 20)[0] == gn.control.ArchitectureSQP()
    method, why = _choose(None, 5, 30_000)
    assert method == gn.control.ArchitectureLagrangian()
    assert "take more than 2e+09 bytes" in why


# -- fields linear in θ -----------------------------------------------------------------------


def order(energies, distance):
    """Observed orders of √E towards the distance, depths doubling."""
    errors = np.abs(np.sqrt(energies) - distance)
    return np.log2(errors[:-1] / errors[1:])


@pytest.mark.parametrize(
    ("field", "points"),
    [
        (gn.networks.RandomFeatureField(2, 60, scale=0.7, seed=1), POINTS[:6]),
        (gn.networks.LinearField(2), POINTS[:3]),
    ],
    ids=["features", "linear"],
)
def test_linear_fields_attain_the_unrestricted_minimum(field, points):
    """Euler layers, left rule, the energy metric of their own features: the minima coincide."""
    metric = gn.EnergyMetric(gn.FunctionSpace(points), gn.geometry.FeatureKernel(field))
    target = points @ np.array([[1.2, 0.5], [-0.4, 0.9]]).T * 0.4 + 0.6 * points
    energies = []
    for depth in (8, 16, 32):
        geo = gn.constrained_geodesic(gn.Network(field, depth), metric, target, rule="left")
        assert abs(geo.gap) < 1e-8
        energies.append(geo.energy)
        # the least effort of layers with these states: what θ itself spends, at its least
        assert np.sum(geo.theta**2) / depth >= geo.energy * (1 - 1e-9)
    distance = gn.geodesic(metric, points, target, n_steps=32).distance
    np.testing.assert_allclose(order(energies, distance), 1, atol=0.1)


def test_fewer_features_than_points():
    """An affine map of nine points costs the effort it costs on three, which determine it."""
    field, matrix = gn.networks.LinearField(2), np.array([[1.2, 0.5], [-0.4, 0.9]])
    network = gn.Network(field, 8)
    energies = []
    for points in (POINTS[:3], POINTS[:9]):
        metric = gn.EnergyMetric(gn.FunctionSpace(points), gn.geometry.FeatureKernel(field))
        geo = gn.constrained_geodesic(network, metric, points @ matrix.T + 0.2, rule="left")
        energies.append(geo.energy)
    assert energies[0] == pytest.approx(energies[1], rel=1e-7)
    assert geo.lower_bound is None
    assert geo.gap is None
    assert "singular" in geo.lower_bound_note
    assert "gap=-" in repr(geo)
    assert geo.energy == pytest.approx(np.sum(geo.theta**2) / 8, rel=1e-12)


def test_singular_kernel_by_random_features():
    """Five features move six points by going back and forth; two draws agree."""
    points = np.random.default_rng(2).normal(size=(6, 2))
    target = points + 0.3 * (swirl(points) - points)
    field = gn.networks.RandomFeatureField(2, 5, scale=0.7, seed=1)
    metric = gn.EnergyMetric(gn.FunctionSpace(points), gn.geometry.FeatureKernel(field))
    network = gn.Network(field, 8)
    first, second = (
        gn.constrained_geodesic(network, metric, target, rule="left", seed=seed) for seed in (0, 1)
    )
    assert first.energy == pytest.approx(second.energy, rel=1e-6)
    np.testing.assert_allclose(network(first.theta, points), target, atol=1e-9)


def test_singular_kernels_that_nothing_can_be_done_about():
    field = gn.networks.RandomFeatureField(2, 5)
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(field))
    with pytest.raises(gn.errors.SingularKernelError, match="give FeatureKernel"):
        gn.constrained_geodesic(NETWORK, metric, TARGET, rule="left")
    with pytest.raises(gn.errors.SingularKernelError, match="give rule='left'"):
        gn.constrained_geodesic(gn.Network(field, 4), metric, TARGET)
    with pytest.raises(gn.errors.SingularKernelError, match=r"gn.networks.Euler\(\)"):
        gn.constrained_geodesic(
            gn.Network(field, 4, gn.networks.RK4()), metric, TARGET, rule="left"
        )


# -- matrices ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
def test_layer_blocks_are_the_saddle_point_of_their_formula(name):
    """P from dense Jacobians and the metric's ♭; the step solves P and J_c together."""
    metric = METRICS[name]
    network = gn.Network(gn.TanhField(2, 10), 3)
    theta = 0.5 * network.init(1) + 0.1
    here = gn.control.Action(network, metric).linearise(theta)
    states, damping = here.network.states, 0.3
    blocks = LayerBlocks(
        here.network, cometrics_of(metric, "midpoint", states, here.steps), damping
    )
    p, size = theta.shape[1], POINTS.size
    dense = damping * np.eye(theta.size)
    cometrics = cometrics_of(metric, "midpoint", states, here.steps)
    for index, layer in enumerate(here.network.layers):
        own = cometrics.times(index, np.eye(size))
        part = slice(index * p, (index + 1) * p)
        to_end = layer.jacobian()
        dense[part, part] += to_end.T @ np.linalg.solve(own, to_end)
    to_end = jacobian(theta, network)[-size:]
    rng = np.random.default_rng(0)
    r, c = rng.normal(size=theta.shape), rng.normal(size=POINTS.shape)
    x, multiplier = blocks.solve(r, c)
    left = dense @ x.reshape(-1) + to_end.T @ multiplier.reshape(-1)
    np.testing.assert_allclose(left, r.reshape(-1), atol=1e-6 * np.abs(r).max())
    np.testing.assert_allclose(to_end @ x.reshape(-1), c.reshape(-1), atol=1e-7)


@pytest.mark.parametrize("name", ["l2", "energy", "fisher_rao"])
def test_cometrics_are_the_metrics_sharp(name):
    metric = METRICS[name]
    path = np.linspace(0, 1, 4)[:, None, None] * (TARGET - POINTS) + POINTS
    for rule, base in (("midpoint", 0.5 * (path[:-1] + path[1:])), ("left", path[:-1])):
        stepper = metric if rule == "midpoint" else LeftRule(metric)
        cometrics = cometrics_of(metric, rule, path, stepper.steps(path[:-1], path[1:]))
        p = np.random.default_rng(0).normal(size=path[1:].shape)
        expected = metric.sharp(p, base) / 6
        for layer in range(3):
            found = cometrics.times(layer, p[layer].reshape(-1, 1)).reshape(POINTS.shape)
            np.testing.assert_allclose(found, expected[layer], rtol=1e-7)
            matrix = np.zeros((20, 20))
            cometrics.add_to(matrix, layer, 2.0)
            np.testing.assert_allclose(matrix, 2 * cometrics.times(layer, np.eye(20)), atol=1e-12)


def test_projected_conjugate_gradients_solve_the_quadratic():
    """Against the dense saddle-point system."""
    network = gn.Network(gn.TanhField(2, 10), 3)
    theta = 0.5 * network.init(1) + 0.1
    here = gn.control.Action(network, METRICS["energy"]).linearise(theta)
    to_all = jacobian(theta, network)
    states = here.network.states
    hessian = np.empty((theta.size, theta.size))
    damping = 1e-2
    for j, unit in enumerate(np.eye(theta.size)):
        moved = here.state_product((to_all @ unit).reshape(states.shape))
        hessian[:, j] = to_all.T @ moved.reshape(-1) + damping * unit
    to_end = to_all[-20:]
    c = states[-1] - TARGET
    saddle = np.block([[hessian, to_end.T], [to_end, np.zeros((20, 20))]])
    right = -np.concatenate([here.gradient.reshape(-1), c.reshape(-1)])
    expected = np.linalg.solve(saddle, right)
    cometrics = cometrics_of(METRICS["energy"], "midpoint", states, here.steps)
    step, multiplier, curvature, products = solve_quadratic(
        lambda s: here.hessian_product(s) + damping * s,
        LayerBlocks(here.network, cometrics, damping),
        here.gradient,
        c,
        rtol=1e-9,
        max_products=200,
    )
    scale = np.abs(expected[: theta.size]).max()
    np.testing.assert_allclose(step.reshape(-1), expected[: theta.size], atol=1e-5 * scale)
    scale = np.abs(expected[theta.size :]).max()
    np.testing.assert_allclose(multiplier.reshape(-1), expected[theta.size :], atol=1e-4 * scale)
    assert curvature == pytest.approx(step.reshape(-1) @ hessian @ step.reshape(-1), rel=1e-4)
    assert products < 60


def test_regressed_layers_follow_the_path():
    metric = METRICS["l2"]
    path = np.linspace(0, 1, 6)[:, None, None] * (TARGET - POINTS) + POINTS
    cometrics = cometrics_of(metric, "midpoint", path, metric.steps(path[:-1], path[1:]))
    theta = regress_layers(NETWORK, path, cometrics, 1e-2, seed=0)
    missed = np.linalg.norm(NETWORK.states(theta, POINTS) - path, axis=(1, 2))
    moved = np.linalg.norm(TARGET - POINTS)
    assert missed.max() < 0.2 * moved
    assert len({tuple(layer) for layer in theta}) == 5


# -- bad input and targets out of reach -------------------------------------------------------


def test_the_identity_costs_nothing():
    geo = gn.constrained_geodesic(NETWORK, METRICS["energy"], POINTS)
    assert (geo.energy, geo.length, geo.gap, geo.iterations) == (0.0, 0.0, 0.0, 0)
    assert np.array_equal(geo.curve.end, POINTS)


def test_a_single_point_moves_straight():
    metric = gn.L2Metric(gn.FunctionSpace([[0.5, -1.0]]))
    geo = gn.constrained_geodesic(gn.Network(gn.TanhField(2, 4), 4), metric, [[3.5, 3.0]])
    assert geo.energy == pytest.approx(25.0, rel=1e-6)


@pytest.mark.parametrize("metric", [gn.L2Metric, gn.EnergyMetric])
def test_a_changed_order_on_the_line_is_refused(metric):
    points = np.array([[-1.0], [0.3], [1.2]])
    network = gn.Network(gn.TanhField(1, 6), 6)
    space = gn.FunctionSpace(points)
    with pytest.raises(gn.errors.DomainError, match="changes the order of the points"):
        gn.constrained_geodesic(network, metric(space), [[0.3], [-1.0], [1.2]])
    with pytest.raises(gn.errors.DomainError, match="changes the order of the points"):
        gn.constrained_geodesic(network, metric(space), [[-1.0], [-1.0], [1.2]])
    geo = gn.constrained_geodesic(network, metric(space), [[-1.4], [0.1], [0.5]])
    assert geo.gap < 0.01


def test_points_neither_meet_nor_part():
    met = TARGET.copy()
    met[7] = met[3]
    with pytest.raises(
        gn.errors.DomainError, match="points 3 and 7 are equal in the target but not"
    ):
        gn.constrained_geodesic(NETWORK, METRICS["l2"], met)
    twice = np.concatenate([POINTS, POINTS[:1]])
    metric = gn.L2Metric(gn.FunctionSpace(twice))
    parted = swirl(twice)
    parted[-1] += 0.1
    with pytest.raises(
        gn.errors.DomainError, match="points 0 and 10 are equal in the sample but not"
    ):
        gn.constrained_geodesic(NETWORK, metric, parted)
    together = gn.constrained_geodesic(NETWORK, metric, swirl(twice))
    assert np.array_equal(together.path[-1, 0], together.path[-1, -1])


def test_too_few_parameters():
    network = gn.Network(gn.networks.LinearField(2), 3)
    with pytest.raises(gn.ConvergenceError, match="18 parameters for 20 end-point conditions") as e:
        gn.constrained_geodesic(network, METRICS["l2"], TARGET)
    assert not e.value.result.converged
    assert e.value.result.endpoint_violation > 0.01
    # though an affine target is within reach of them
    affine = POINTS @ np.array([[1.2, 0.5], [-0.4, 0.9]]).T + 0.3
    geo = gn.constrained_geodesic(network, METRICS["l2"], affine)
    np.testing.assert_allclose(network(geo.theta, POINTS), affine, atol=1e-9)


def test_enough_parameters_of_too_poor_a_field():
    with pytest.raises(gn.ConvergenceError, match="does not reach this target"):
        gn.constrained_geodesic(gn.Network(gn.networks.LinearField(2), 6), METRICS["l2"], TARGET)


def test_stopping_early_is_loud_and_keeps_what_was_reached():
    with pytest.raises(gn.ConvergenceError, match="after 2 iterations") as error:
        gn.constrained_geodesic(
            NETWORK, METRICS["l2"], TARGET, method=gn.control.ArchitectureSQP(max_iter=2)
        )
    geo = error.value.result
    assert geo.iterations == 2
    assert "NOT CONVERGED" in repr(geo)
    assert geo.energy == pytest.approx(gn.control.Action(NETWORK, METRICS["l2"]).value(geo.theta))


def test_an_interrupt_keeps_what_was_reached(monkeypatch):
    seen = []
    original = gn.control.Action.linearise

    def interrupting(self, theta):
        seen.append(theta)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return original(self, theta)

    monkeypatch.setattr(gn.control.Action, "linearise", interrupting)
    with pytest.raises(gn.ConvergenceError, match="interrupted") as error:
        gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET)
    assert np.array_equal(error.value.result.theta, seen[2])


def test_save_and_load(tmp_path):
    geo = gn.constrained_geodesic(NETWORK, METRICS["l2"], TARGET)
    geo.save(tmp_path / "fit.npz")
    again = gn.control.ArchitectureGeodesic.load(tmp_path / "fit.npz")
    assert repr(again) == repr(geo)
    assert np.array_equal(again.theta, geo.theta)
    assert again.counts == geo.counts
    assert again.network is None
    np.savez(tmp_path / "other.npz", path=np.zeros(2))
    with pytest.raises(gn.InputError, match="no saved fit"):
        gn.control.ArchitectureGeodesic.load(tmp_path / "other.npz")


def test_unfit_arguments():
    metric = METRICS["l2"]
    with pytest.raises(gn.InputError, match="target: expected shape"):
        gn.constrained_geodesic(NETWORK, metric, TARGET[:3])
    with pytest.raises(gn.InputError, match="target: 1 of its 20 entries"):
        gn.constrained_geodesic(NETWORK, metric, np.where(TARGET[0, 0] == TARGET, np.nan, TARGET))
    with pytest.raises(gn.InputError, match="theta: expected shape"):
        gn.constrained_geodesic(NETWORK, metric, TARGET, theta=np.zeros(3))
    with pytest.raises(gn.InputError, match="method: expected"):
        gn.constrained_geodesic(NETWORK, metric, TARGET, method=gn.geodesics.PathNewtonCG())
    with pytest.raises(gn.InputError, match="rule: unknown"):
        gn.constrained_geodesic(NETWORK, metric, TARGET, rule="right")
    with pytest.raises(gn.InputError, match="network: expected"):
        gn.constrained_geodesic(gn.TanhField(2, 4), metric, TARGET)
    with pytest.raises(gn.InputError, match="tol: expected a finite number"):
        gn.control.ArchitectureSQP(tol=0)
    collapse = np.zeros((2, 6))
    collapse[0, [0, 3]] = -2.0  # all points to the origin by half-way
    with pytest.raises(gn.errors.DomainError, match="theta: its curve leaves"):
        gn.constrained_geodesic(
            gn.Network(gn.networks.LinearField(2), 2), METRICS["energy"], TARGET, theta=collapse
        )


def test_a_bound_that_lies_on_a_saddle_is_left():
    class Hill(gn.Metric):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            square = anp.sum(base_point**2, axis=-1, keepdims=True)
            height = 1 + 20 * anp.exp(-4 * square)
            return anp.sum(height * tangent_vec_a * tangent_vec_b, axis=(-2, -1))

    metric = Hill(gn.FunctionSpace([[-1.0, 0.0]]))
    network = gn.Network(gn.TanhField(dim=2, width=8), depth=16)
    geo = gn.constrained_geodesic(network, metric, [[1.0, 0.0]])
    over_the_top = gn.geodesic(metric, [[-1.0, 0.0]], [[1.0, 0.0]]).energy
    assert geo.energy < 0.5 * over_the_top
    assert "beside a saddle" in geo.lower_bound_note
    assert abs(geo.gap) < 1e-3
