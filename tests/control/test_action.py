"""The action of a network: value, hand-derived gradient, linearised layers, left rule."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from cases import FIELDS, INTEGRATORS
from oracles import central_difference, numerical_gradient

import geomnet as gn
from geomnet.geometry.metric import LeftRule

RNG = np.random.default_rng(4)
POINTS = RNG.normal(size=(6, 3))
WEIGHTS = np.array([0.1, 0.15, 0.2, 0.25, 0.2, 0.1])
SPACE = gn.FunctionSpace(gn.Sample(POINTS, weights=WEIGHTS))
READOUT = gn.Readout(RNG.normal(size=(4, 3)), RNG.normal(size=4))

METRICS = [
    pytest.param(gn.L2Metric(SPACE), id="l2"),
    pytest.param(gn.EnergyMetric(SPACE, gn.Matern32Kernel(1.5)), id="energy"),
    pytest.param(gn.FisherRaoMetric(SPACE, gn.Categorical(4), READOUT), id="fisher_rao"),
    pytest.param(0.5 * gn.L2Metric(SPACE) + gn.EnergyMetric(SPACE), id="sum"),
]


def parameters(network, seed=0):
    rng = np.random.default_rng(seed)
    return 0.4 * rng.normal(size=network.parameters_shape)


@pytest.mark.parametrize("rule", ["midpoint", "left"])
@pytest.mark.parametrize("metric", METRICS)
def test_gradient_is_the_difference_quotient(metric, rule):
    action = gn.control.Action(
        gn.Network(gn.TanhField(3, 2), 3, gn.networks.Midpoint()), metric, rule
    )
    theta = parameters(action.network)
    value, gradient = action.value_and_gradient(theta)
    assert value == pytest.approx(action.value(theta), rel=1e-12)
    expected = numerical_gradient(action.value, theta)
    np.testing.assert_allclose(gradient, expected, atol=2e-9 * np.abs(expected).max())


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("field", FIELDS)
def test_gradient_is_autograds(field, integrator):
    network = gn.Network(field, 4, integrator)
    action = gn.control.Action(network, gn.L2Metric(SPACE))
    theta = parameters(network)

    def energy(theta):
        x, total = POINTS, 0.0
        for layer in theta:
            end = integrator.step(field, x, layer, 1 / 4)
            total = total + 4 * anp.sum(WEIGHTS[:, None] * (end - x) ** 2)
            x = end
        return total

    value, gradient = action.value_and_gradient(theta)
    assert value == pytest.approx(energy(theta), rel=1e-13)
    np.testing.assert_allclose(gradient, autograd.grad(energy)(theta), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("field", FIELDS)
def test_linearised_network(field, integrator):
    """Its products are those of Network.jvp and Network.vjp."""
    network = gn.Network(field, 3, integrator)
    theta, dtheta = parameters(network), parameters(network, 1)
    at = network.linearise(theta, POINTS)
    states, changes = network.jvp(theta, POINTS, dtheta)
    np.testing.assert_allclose(at.states, states, rtol=1e-13)
    np.testing.assert_allclose(at.jvp(dtheta), changes, rtol=1e-11, atol=1e-13)
    covectors = np.random.default_rng(2).normal(size=states.shape)
    to_theta, _ = network.vjp(theta, states, covectors)
    np.testing.assert_allclose(at.vjp(covectors), to_theta, rtol=1e-11, atol=1e-13)
    to_theta, _ = network.vjp(theta, states, covectors[-1])
    np.testing.assert_allclose(at.vjp(covectors[-1]), to_theta, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("metric", METRICS)
def test_left_rule(metric):
    """⟨u, u⟩ at the starts, with both derivatives."""
    rule = LeftRule(metric)
    path = POINTS + np.cumsum(0.2 * np.random.default_rng(1).normal(size=(4, 6, 3)), axis=0)
    step = path[1:] - path[:-1]
    steps = rule.steps(path[:-1], path[1:])
    np.testing.assert_allclose(steps.squared, metric.inner_product(step, step, path[:-1]))
    np.testing.assert_allclose(steps.squared, rule.squared_step(path[:-1], path[1:]))

    def energy(path):
        return gn.geometry.PathEnergy(rule).value(path)

    state = gn.geometry.PathEnergy(rule).linearise(path)
    along = np.zeros_like(path)
    along[1:-1] = np.random.default_rng(2).normal(size=along[1:-1].shape)
    slope = central_difference(energy, path, along)
    assert np.vdot(state.gradient, along[1:-1]) == pytest.approx(slope, rel=1e-8)
    expected = central_difference(
        lambda z: gn.geometry.PathEnergy(rule).linearise(z).gradient, path, along
    )
    found = state.hessian_product(along[1:-1])
    np.testing.assert_allclose(found, expected, atol=1e-8 * np.abs(expected).max())


def test_the_action_outside_the_domain_is_infinite():
    action = gn.control.Action(gn.Network(gn.networks.LinearField(3), 2), gn.EnergyMetric(SPACE))
    collapse = np.zeros((2, 12))
    collapse[0, [0, 4, 8]] = -2.0  # x ↦ x − ½·2x = 0
    assert action.value(collapse) == np.inf
    with pytest.raises(gn.errors.DomainError, match="kernel matrix"):
        action.value_and_gradient(collapse)
    overflow = np.full((2, 12), 1e200)
    assert action.value(overflow) == np.inf
    with pytest.raises(gn.errors.DomainError, match="overflow"):
        action.value_and_gradient(overflow)


def test_unfit_arguments():
    network = gn.Network(gn.TanhField(3, 2), 2)
    metric = gn.L2Metric(SPACE)
    with pytest.raises(gn.InputError, match="network: expected"):
        gn.control.Action("network", metric)
    with pytest.raises(gn.InputError, match="metric: expected"):
        gn.control.Action(network, gn.L2Metric)
    with pytest.raises(gn.InputError, match="R\\^2"):
        gn.control.Action(gn.Network(gn.TanhField(2, 2), 2), metric)
    with pytest.raises(gn.InputError, match="rule: unknown 'right'"):
        gn.control.Action(network, metric, "right")
    with pytest.raises(gn.InputError, match="theta: expected shape"):
        gn.control.Action(network, metric).value(np.zeros(3))


@pytest.mark.parametrize("integrator", INTEGRATORS)
@pytest.mark.parametrize("field", FIELDS)
def test_layer_matrices(field, integrator):
    """Transition, Jacobian and Gram matrix of a layer are those of its products."""
    theta = parameters(gn.Network(field, 1))[0]
    step = integrator.linearise(field, POINTS, theta, 0.3)
    units = np.eye(len(theta))
    jacobian = np.stack([step.jvp(None, unit).reshape(-1) for unit in units], axis=1)
    np.testing.assert_allclose(step.jacobian(), jacobian, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(step.gram(), jacobian @ jacobian.T, rtol=1e-10, atol=1e-12)
    dx = np.random.default_rng(1).normal(size=POINTS.shape)
    moved = (step.transition() @ dx[..., None])[..., 0]
    np.testing.assert_allclose(step.jvp(dx, np.zeros_like(theta)), moved, rtol=1e-10, atol=1e-12)
