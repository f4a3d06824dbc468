"""Least action: what training minimises is what it says, and the path over λ obeys its laws."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from least_action_common import LIKELIHOOD, NETWORK, sample_of
from sklearn.linear_model import LogisticRegression

import geomnet as gn
from geomnet.control.action import Action
from geomnet.training.objectives import PathObjective


class Guarded(gn.Metric):
    """A metric of one's own."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        cost = 1 + anp.sum(base_point**2, axis=-1, keepdims=True)
        return anp.sum(cost * tangent_vec_a * tangent_vec_b, axis=(-2, -1))


class Fenced(gn.L2Metric):
    """L2 on maps that keep every point within a box; no metric outside."""

    fence = 2.2

    def squared_step(self, start, end):
        self.look(start, end)
        return super().squared_step(start, end)

    def steps(self, start, end):
        self.look(start, end)
        return super().steps(start, end)

    def look(self, *states):
        if max(np.abs(s).max() for s in states) > self.fence:
            raise gn.errors.DomainError("outside the fence")


def metrics_on(sample):
    space = gn.FunctionSpace(sample)
    readout = gn.Readout(np.random.default_rng(3).normal(size=(3, 2)), [0.1, -0.2, 0.3])
    return {
        "l2": gn.L2Metric(space),
        "energy": gn.EnergyMetric(space, gn.geometry.Matern52Kernel(1.5)),
        "fisher-rao": gn.FisherRaoMetric(space, LIKELIHOOD, readout, ridge=0.01),
        "own": Guarded(space),
        "sum": 0.5 * gn.L2Metric(space) + gn.EnergyMetric(space, gn.Matern32Kernel(1.5)),
    }


METRICS = list(metrics_on(sample_of()))


def objective_of(metric, weight, *, network=NETWORK, decay=0.3, **options):
    sample = sample_of()
    rng = np.random.default_rng(1)
    objective = PathObjective(
        network, LIKELIHOOD, sample, sample.labels, decay,
        action=Action(network, metric), weight=weight, **options,
    )  # fmt: skip
    readout = gn.Readout(rng.normal(size=(3, 2)), rng.normal(size=3))
    theta = 0.7 * rng.normal(size=network.parameters_shape)
    return objective, objective.pack(theta, readout), theta


# -- the objective ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
def test_the_objective_adds_the_weighed_energy_of_the_layers(name):
    metric = metrics_on(sample_of())[name]
    plain, parameters, theta = objective_of(metric, 0.0)
    states = NETWORK.states(theta, sample_of())
    # one step a layer, straight from the inner product, or the closed distance of Fisher–Rao
    if name == "sum":
        one, other = (
            gn.L2Metric(metric.space),
            gn.EnergyMetric(metric.space, gn.Matern32Kernel(1.5)),
        )
        energy = 0.5 * oracles.path_energy(one, states) + oracles.path_energy(other, states)
    elif name == "own":
        u, m = np.diff(states, axis=0), (states[1:] + states[:-1]) / 2
        energy = 3 * np.sum((1 + np.sum(m**2, axis=2)) * np.sum(u**2, axis=2))
    else:
        energy = oracles.path_energy(metric, states)
    weighed = objective_of(metric, 0.4)[0]
    assert energy > 0.1
    assert weighed(parameters)[0] - plain(parameters)[0] == pytest.approx(0.4 * energy, rel=1e-9)
    assert plain.energy(parameters) == pytest.approx(energy, rel=1e-10)
    assert weighed.loss(parameters) == plain.loss(parameters)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "integrator", [gn.networks.Euler(), gn.networks.RK4()], ids=["euler", "rk4"]
)
def test_gradient_of_the_objective(name, integrator):
    network = gn.Network(gn.TanhField(2, 2), 2, integrator)
    metric = metrics_on(sample_of())[name]
    objective, parameters, _ = objective_of(metric, 0.4, network=network)
    expected = oracles.numerical_gradient(lambda p: objective(p)[0], parameters)
    np.testing.assert_allclose(objective(parameters)[1], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("batch_size", [1, 5, 12])
@pytest.mark.parametrize("name", ["l2", "energy"])
def test_batches_add_up_to_the_whole_energy_and_all(name, batch_size):
    objective, parameters, _ = objective_of(metrics_on(sample_of())[name], 0.4)
    batches = np.array_split(np.random.default_rng(0).permutation(12), -(-12 // batch_size))
    # equal batches; of 5, the split is 4 + 4 + 4
    values, gradients = zip(*(objective(parameters, index) for index in batches))
    value, gradient = objective(parameters)
    assert np.mean(values) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(np.mean(gradients, axis=0), gradient, atol=1e-12)


def test_a_readout_held_fixed_has_no_gradient():
    metric = metrics_on(sample_of())["l2"]
    free, parameters, theta = objective_of(metric, 0.4)
    held = objective_of(metric, 0.4, train_readout=False)[0]
    assert held(parameters)[0] == free(parameters)[0]
    np.testing.assert_array_equal(
        held(parameters)[1][: theta.size], free(parameters)[1][: theta.size]
    )
    assert (free(parameters)[1][theta.size :] != 0).all()
    assert (held(parameters)[1][theta.size :] == 0).all()


# -- training ---------------------------------------------------------------------------------

OPTIONS = {
    "adam": {"method": "adam", "epochs": 6, "batch_size": 5, "learning_rate": 0.02},
    "stopped": {
        "method": "adam", "epochs": 30, "batch_size": 5, "learning_rate": 0.05,
        "heldout": sample_of(n=9, seed=4), "patience": 3,
    },
    "limited": {"method": "adam", "epochs": 6, "learning_rate": 0.1, "max_step_lipschitz": 0.05},
    "lbfgs": {"method": "lbfgs", "epochs": 12},
}  # fmt: skip


@pytest.mark.parametrize("how", OPTIONS)
def test_a_weight_of_zero_trains_plainly_number_for_number(how):
    metric = metrics_on(sample_of())["energy"]
    plain = gn.train(NETWORK, sample_of(), LIKELIHOOD, **OPTIONS[how])
    same = gn.train(NETWORK, sample_of(), LIKELIHOOD, action=metric, weight=0, **OPTIONS[how])
    np.testing.assert_array_equal(plain.theta, same.theta)
    np.testing.assert_array_equal(plain.readout.weight, same.readout.weight)
    np.testing.assert_array_equal(plain.readout.bias, same.readout.bias)
    np.testing.assert_array_equal(plain.losses, same.losses)
    assert len(same.energies) == len(same.losses)
    assert len(plain.energies) == 0
    assert plain.action_energy is plain.action_length is None
    other = gn.train(NETWORK, sample_of(), LIKELIHOOD, action=metric, weight=0.1, **OPTIONS[how])
    assert (other.theta != plain.theta).any()


@pytest.mark.parametrize("how", OPTIONS)
@pytest.mark.parametrize("name", METRICS)
def test_the_fit_tells_energy_and_length_of_what_it_returns(name, how):
    metric = metrics_on(sample_of())[name]
    fit = gn.train(NETWORK, sample_of(), LIKELIHOOD, action=metric, weight=0.05, **OPTIONS[how])
    states = NETWORK.states(fit.theta, sample_of())
    squared = metric.squared_step(states[:-1], states[1:])
    assert fit.action_energy == pytest.approx(3 * squared.sum(), rel=1e-12)
    assert fit.action_length == pytest.approx(np.sqrt(squared).sum(), rel=1e-12)
    assert fit.action_length <= np.sqrt(fit.action_energy) * (1 + 1e-12)
    at = np.argmin(fit.heldout_losses) if how == "stopped" else -1
    assert fit.energies[at] == pytest.approx(fit.action_energy, rel=1e-12)
    assert f"action_energy={fit.action_energy:.4g}" in repr(fit)


@pytest.mark.parametrize("name", METRICS)
def test_lbfgs_ends_where_the_objective_is_stationary(name):
    metric = metrics_on(sample_of())[name]
    options = {"method": "lbfgs", "epochs": 2000, "weight_decay": 0.1}
    fit = gn.train(NETWORK, sample_of(), LIKELIHOOD, action=metric, weight=0.05, **options)
    objective = objective_of(metric, 0.05, decay=0.1)[0]
    assert np.abs(objective(objective.pack(fit.theta, fit.readout))[1]).max() < 1e-5
    plain = gn.train(NETWORK, sample_of(), LIKELIHOOD, **options)
    gap = objective(objective.pack(plain.theta, plain.readout))[0]
    assert objective(objective.pack(fit.theta, fit.readout))[0] < gap


@pytest.mark.parametrize("name", ["l2", "energy", "fisher-rao"])
def test_adam_lowers_the_same_objective(name):
    metric = metrics_on(sample_of())[name]
    options = {"epochs": 150, "batch_size": 4, "learning_rate": 0.02}
    fits = [
        gn.train(NETWORK, sample_of(), LIKELIHOOD, action=metric, weight=w, **options)
        for w in (0.0, 0.2)
    ]
    objective = objective_of(metric, 0.2, decay=1e-2)[0]
    plain, least = (objective(objective.pack(fit.theta, fit.readout))[0] for fit in fits)
    assert least < plain
    assert fits[1].action_energy < 0.7 * fits[0].action_energy


def test_the_metric_keeps_its_readout_while_training_moves_another():
    metric = metrics_on(sample_of())["fisher-rao"]
    weight, bias = metric.readout.weight.copy(), metric.readout.bias.copy()
    fit = gn.train(
        NETWORK, sample_of(), LIKELIHOOD, action=metric, weight=0.1, readout=metric.readout,
        method="lbfgs", epochs=20,
    )  # fmt: skip
    np.testing.assert_array_equal(metric.readout.weight, weight)
    np.testing.assert_array_equal(metric.readout.bias, bias)
    assert np.abs(fit.readout.weight - weight).max() > 0.01


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_a_readout_can_be_held_fixed(method):
    readout = gn.Readout(np.random.default_rng(0).normal(size=(3, 2)), [0.5, 0.0, -0.5])
    options = {"method": method, "epochs": 30, "readout": readout, "learning_rate": 0.02}
    held = gn.train(NETWORK, sample_of(), LIKELIHOOD, train_readout=False, **options)
    free = gn.train(NETWORK, sample_of(), LIKELIHOOD, **options)
    np.testing.assert_array_equal(held.readout.weight, readout.weight)
    np.testing.assert_array_equal(held.readout.bias, readout.bias)
    assert held.losses[-1] < held.losses[0]
    assert (free.readout.weight != readout.weight).all()


# -- closed forms -----------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.05, 0.5, 5.0])
def test_free_points_in_l2_go_straight_and_stop_where_loss_and_action_balance(weight):
    # a network whose layers move every point at will: least ½|φ−y|²/σ² + λ|φ−x|² for each, so
    # φ = x + (y − x)/(1 + 2σ²λ), on a straight line at constant speed
    sample, sigma, depth = sample_of(), 0.7, 4
    n, d = sample.points.shape
    free = gn.networks.FunctionField(
        lambda x, theta: anp.reshape(theta, (n, d)) + 0.0 * x, d, n * d
    )
    network = gn.Network(free, depth)
    target = sample.points[:, ::-1] + [1.0, -0.5]
    metric = gn.L2Metric(gn.FunctionSpace(sample))
    fit = gn.train(
        network, sample, gn.Gaussian(sigma, d), targets=target, method="lbfgs", epochs=2000,
        weight_decay=0.0, readout=gn.Readout(np.eye(d)), train_readout=False,
        action=metric, weight=weight,
    )  # fmt: skip
    end = sample.points + (target - sample.points) / (1 + 2 * sigma**2 * weight)
    line = gn.Curve(np.stack([sample.points, end])).resample(depth)
    curve = network.curve(fit.theta, sample)
    np.testing.assert_allclose(curve.states, line.states, atol=5e-5)
    distance = np.sqrt(np.sum(sample.weights[:, None] * (end - sample.points) ** 2))
    assert fit.action_energy == pytest.approx(distance**2, rel=1e-4)
    assert fit.action_length == pytest.approx(distance, rel=1e-4)
    assert 1 <= gn.geodesic(metric, curve.start, curve.end).excess(curve) < 1 + 1e-6


def test_all_action_leaves_the_readout_alone():
    # the points stay where they are, and what is left is logistic regression, up to O(1/λ)
    sample, decay = gn.datasets.load("iris", n=60, seed=0), 0.02
    metric = gn.L2Metric(gn.FunctionSpace(sample))
    model = LogisticRegression(C=1 / (sample.n * decay), max_iter=5000, tol=1e-10)
    model.fit(sample.points, sample.labels)
    chances = model.predict_proba(sample.points)[np.arange(sample.n), sample.labels]
    gaps = []
    for weight in (10, 100):
        fit = gn.train(
            gn.Network(gn.TanhField(4, 4), 3), sample, LIKELIHOOD, method="lbfgs", epochs=1000,
            weight_decay=decay, action=metric, weight=weight,
        )  # fmt: skip
        gaps.append(-np.mean(np.log(chances)) - fit.losses[-1])
    assert gaps[0] < 2e-3
    assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.1)


# -- where the metric ends --------------------------------------------------------------------


def train_fenced(**options):
    sample = gn.Sample([[1.0, 0.5], [-1.0, 0.2]], target=[[3.0, 0.5], [-3.0, 0.2]])
    space = gn.FunctionSpace(sample)
    network = gn.Network(gn.networks.LinearField(2), 2)
    return network, gn.train(
        network, sample, gn.Gaussian(1.0, 2), readout=gn.Readout(np.eye(2)), train_readout=False,
        weight_decay=0.0, action=Fenced(space), weight=1e-3, **options,
    )  # fmt: skip


def test_lbfgs_turns_back_where_the_metric_ends():
    # the target lies beyond the fence: training goes towards it, and stays inside
    network, fit = train_fenced(method="lbfgs", epochs=100)
    reached = np.abs(network.states(fit.theta, [[1.0, 0.5], [-1.0, 0.2]])).max()
    assert 1.5 < reached <= Fenced.fence
    assert np.isfinite(fit.losses).all()
    assert np.isfinite(fit.energies).all()


def test_adam_says_where_it_left_the_metric():
    with pytest.raises(
        gn.errors.DomainError, match=r"^action: in epoch \d+ .*fence.*learning_rate"
    ):
        train_fenced(epochs=300, learning_rate=0.1)


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_a_start_outside_the_metric_is_the_fault_of_the_start(method):
    theta = np.full((2, 6), 5.0)
    with pytest.raises(gn.errors.DomainError, match=r"^outside the fence"):
        train_fenced(method=method, theta=theta)


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "options"),
    [
        ("weight: weighs an action.*give action", {"weight": 0.1}),
        ("weight: the action needs one", {"action": "l2"}),
        ("weight: .*at least zero.*-1", {"action": "l2", "weight": -1}),
        ("weight: .*nan", {"action": "l2", "weight": np.nan}),
        ("weight: .*'much'", {"action": "l2", "weight": "much"}),
        ("action: expected a metric.*L2Metric", {"action": gn.L2Metric, "weight": 1}),
        ("action: expected a metric.*3", {"action": 3, "weight": 1}),
        ("action: .*12 points that are not the 12", {"action": "moved", "weight": 1}),
        ("action: .*5 points that are not the 12", {"action": "fewer", "weight": 1}),
        ("action: .*R.2", {"action": "wider", "weight": 1}),
        ("train_readout: .*readout", {"train_readout": False}),
    ],
)
def test_bad_input_is_refused_by_argument(says, options):
    points = {
        "l2": sample_of().points,
        "moved": sample_of().points + 1e-9,
        "fewer": sample_of().points[:5],
        "wider": np.zeros((12, 3)),
    }
    if isinstance(options.get("action"), str):
        on = gn.L2Metric(gn.FunctionSpace(points[options["action"]]))
        options = {**options, "action": on}
    with pytest.raises(gn.InputError, match=f"^{says}"):
        gn.train(NETWORK, sample_of(), LIKELIHOOD, epochs=1, **options)
