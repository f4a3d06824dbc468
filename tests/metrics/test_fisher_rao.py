"""Fisher rao: the Fisher–Rao metric, a user's own."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import (
    END,
    FISHER_RAO_METRICS,
    SPACE,
)
from metrics_common import places, vectors

import geomnet as gn

each_fisher_rao_metric = pytest.mark.parametrize("metric", FISHER_RAO_METRICS)


# -- the Fisher–Rao metric --------------------------------------------------------------------


def fisher_rao(likelihood, weight, bias=None, ridge=None, points=None):
    points = np.zeros((1, np.shape(weight)[1])) if points is None else points
    return gn.FisherRaoMetric(
        gn.FunctionSpace(points), likelihood, gn.Readout(weight, bias), ridge=ridge
    )


@each_fisher_rao_metric
def test_fisher_rao_pulls_back_the_distance_of_predictions(metric):
    x, v, t = places(), vectors(), 1e-4
    likelihood, weights = metric.likelihood, SPACE.sample.weights
    moved = oracles.readout(metric, x + t * v), oracles.readout(metric, x - t * v)
    pulled = sum(w * oracles.squared_distance(likelihood, a, b) for w, a, b in zip(weights, *moved))
    ridge = metric.ridge * sum(w * a @ a for w, a in zip(weights, v))
    assert metric.squared_norm(v, x) == pytest.approx(pulled / (2 * t) ** 2 + ridge, rel=1e-6)


@each_fisher_rao_metric
def test_closed_distance_is_that_of_the_product(metric):
    starts, ends = oracles.readout(metric, SPACE.identity), oracles.readout(metric, END)
    squares = [
        w * oracles.distance(metric.likelihood, a, b) ** 2
        for w, a, b in zip(SPACE.sample.weights, starts, ends)
    ]
    closed = metric.closed_distance(SPACE.identity, END)
    assert closed == pytest.approx(np.sqrt(sum(squares)), rel=1e-7)
    many = metric.closed_distance(places(3), END)
    one_by_one = [metric.closed_distance(x, END) for x in places(3)]
    np.testing.assert_allclose(many, one_by_one, rtol=1e-12)


@pytest.mark.parametrize(
    ("likelihood", "weight", "rank"),
    [
        (gn.Categorical(3), [[1.0, -2.0, 0.5], [0.3, 0.7, -1.0], [2.0, 0.1, 0.4]], 2),
        (gn.Categorical(3), [[1.0, 2.0], [0.0, 0.0], [-1.0, -2.0]], 1),
        (gn.Bernoulli(2), [[3.0, 0.0], [1.0, 1.0]], 2),
        (gn.Bernoulli(2), [[3.0, 0.0], [6.0, 0.0]], 1),
        (gn.Gaussian(0.5, 1), [[3.0, 4.0]], 1),
        (gn.likelihoods.HeteroscedasticGaussian(1), [[1.0, 0.0], [0.0, 2.0]], 2),
    ],
)
def test_the_default_ridge_is_a_share_of_the_fisher_matrix_at_zero(likelihood, weight, rank):
    metric = fisher_rao(likelihood, weight)
    fisher = oracles.fisher_matrix(likelihood, np.zeros(likelihood.n_parameters))
    weight = np.array(weight)
    assert metric.rank == rank
    assert metric.ridge == pytest.approx(1e-4 * np.trace(weight.T @ fisher @ weight) / rank)


def test_a_common_shift_of_the_logits_changes_nothing():
    weight = np.array([[1.5, -0.4], [-0.7, 1.1], [0.3, 0.8]])
    bias = np.array([0.2, -0.1, 0.5])
    plain, shifted = (
        gn.FisherRaoMetric(SPACE, gn.Categorical(3), gn.Readout(weight + w, bias + b))
        for w, b in ((0.0, 0.0), (np.array([5.0, -3.0]), 40.0))
    )
    x, u, v = places(), vectors(), vectors(seed=2)
    assert shifted.ridge == pytest.approx(plain.ridge, rel=1e-12)
    assert shifted.inner_product(u, v, x) == pytest.approx(plain.inner_product(u, v, x), rel=1e-10)
    for ends in ((x, END), (END, x)):
        closed = plain.closed_distance(*ends)
        assert shifted.closed_distance(*ends) == pytest.approx(closed, rel=1e-10)
        assert shifted.dist(*ends) == pytest.approx(float(plain.dist(*ends)), rel=1e-9)


def test_gaussian_readout_of_the_states_repeats_l2():
    sigma, ridge = 0.5, 1e-3
    metric = gn.FisherRaoMetric(SPACE, gn.Gaussian(sigma, 2), gn.Readout(np.eye(2)), ridge=ridge)
    l2, factor = gn.L2Metric(SPACE), 1 / sigma**2 + ridge
    x, u, v = places(), vectors(), vectors(seed=2)
    expected = factor * l2.inner_product(u, v)
    assert metric.inner_product(u, v, x) == pytest.approx(expected, rel=1e-12)
    geo = gn.geodesic(metric, SPACE.identity, END)
    assert geo.distance == pytest.approx(np.sqrt(factor) * l2.dist(SPACE.identity, END), rel=1e-10)
    np.testing.assert_allclose(geo.path, np.linspace(SPACE.identity, END, 17), atol=1e-10)


def reached(metric, start, end, n_steps):
    """The geodesic, or what was reached where so few steps do not resolve it."""
    try:
        return gn.geodesic(metric, start, end, n_steps=n_steps)
    except gn.ConvergenceError as error:
        return error.result


@pytest.mark.parametrize("n_steps", [8, 16, 32])
@pytest.mark.parametrize("size", [1.0, 8.0, 30.0])
@pytest.mark.parametrize(
    "likelihood",
    [
        gn.Categorical(4),
        gn.Bernoulli(3),
        gn.Gaussian(0.5, 3),
        gn.likelihoods.HeteroscedasticGaussian(2),
    ],
    ids=lambda likelihood: type(likelihood).__name__,
)
def test_no_path_is_shorter_than_the_closed_distance(likelihood, size, n_steps):
    # size 30 is one-hot to thirteen digits
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(likelihood.n_parameters, 4))
    start, end = rng.normal(size=(2, 3, 4))
    if isinstance(likelihood, gn.likelihoods.HeteroscedasticGaussian):
        size = np.sqrt(size)
    metric = fisher_rao(likelihood, size * weight, points=start)
    geo = reached(metric, start, end, n_steps)
    closed = metric.closed_distance(start, end)
    assert geo.length >= closed * (1 - 1e-12)
    assert geo.distance >= closed * (1 - 1e-12)
    assert geo.curve.length(metric) >= geo.length * (1 - 1e-7)


@pytest.mark.parametrize(
    "metric",
    [
        fisher_rao(gn.Categorical(3), [[1.5, -0.4], [-0.7, 1.1], [0.3, 0.8]], [0.2, -0.1, 0.5]),
        fisher_rao(gn.Bernoulli(2), [[2.0, 0.3], [-0.5, 1.2]]),
        fisher_rao(gn.likelihoods.HeteroscedasticGaussian(1), [[1.2, 0.1], [0.3, 0.6]]),
        # no condition: means of fixed spread move straight in whatever plane they have
        fisher_rao(gn.Gaussian(0.7, 3), [[1.0, 0.2], [0.5, 0.1], [-1.0, 0.3]]),
    ],
    ids=lambda metric: type(metric.likelihood).__name__,
)
def test_the_distance_tends_to_the_closed_one_from_above(metric):
    start, end = np.array([[-0.6, 0.5]]), np.array([[1.1, 0.7]])
    closed = metric.closed_distance(start, end)
    readout = gn.Readout(metric.readout.weight, metric.readout.bias)
    ridges = [1e-1, 1e-2, 1e-3, 1e-4, 1e-6]
    distances = []
    for ridge in ridges:
        finer = gn.FisherRaoMetric(metric.space, metric.likelihood, readout, ridge=ridge)
        distances.append(gn.geodesic(finer, start, end, n_steps=32).distance)
    assert (np.diff(distances) < 0).all()
    assert distances[-1] >= closed
    assert distances[-1] == pytest.approx(closed, rel=1e-5)


def test_where_the_readout_is_not_onto_the_limit_is_larger():
    # three classes along one line of logits: the great circle leaves that line
    metric = fisher_rao(gn.Categorical(3), [[4.0], [0.0], [-4.0]], ridge=1e-8)
    start, end = np.array([[-1.0]]), np.array([[1.0]])
    closed = metric.closed_distance(start, end)
    expected = oracles.line_length(
        lambda x: np.sqrt(oracles.inner_product(metric, *np.ones((2, 1, 1)), np.array([[x]]))),
        -1,
        1,
    )
    geo = gn.geodesic(metric, start, end, n_steps=64)
    assert geo.distance == pytest.approx(expected, rel=1e-5)
    assert geo.distance > 1.1 * closed


def test_bernoulli_from_side_to_side():
    metric = fisher_rao(gn.Bernoulli(), [[1.0]], ridge=1e-4)
    start, end = np.array([[-10.0]]), np.array([[10.0]])
    expected = oracles.line_length(
        lambda z: np.sqrt(1e-4 + 1 / (2 * np.cosh(z / 2)) ** 2), start[0, 0], end[0, 0]
    )
    geo = gn.geodesic(metric, start, end, n_steps=256)
    assert geo.distance == pytest.approx(expected, abs=geo.error_estimate)
    assert geo.distance == pytest.approx(3.141, abs=5e-4)
    assert metric.closed_distance(start, end) == pytest.approx(3.115, abs=5e-4)


def test_uniform_to_one_hot():
    # 2 arccos(10^-½) of reference.md
    metric = fisher_rao(gn.Categorical(10), np.eye(10), ridge=1e-9)
    end = 60.0 * np.eye(10)[:1]
    assert metric.closed_distance(np.zeros((1, 10)), end) == pytest.approx(2.498092, abs=1e-6)
    length = reached(metric, np.zeros((1, 10)), end, 32).length
    assert 0 <= length - 2.498092 < 0.01


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"likelihood": "categorical"}, r"^likelihood: .*Categorical"),
        ({"likelihood": gn.Categorical(4)}, r"^readout: .*\(4, 2\)"),
        ({"readout": gn.Readout(np.ones((3, 3)))}, r"^readout: .*\(3, 2\)"),
        ({"readout": None}, r"^readout: "),
        ({"readout": gn.Readout(np.zeros((3, 2)))}, r"^readout: .*zero"),
        ({"readout": gn.Readout(np.ones((3, 2)))}, r"^readout: .*same for every class"),
        ({"ridge": 0.0}, r"^ridge: "),
        ({"ridge": -1e-4}, r"^ridge: "),
        ({"ridge": np.nan}, r"^ridge: "),
    ],
)
def test_bad_options_of_the_fisher_rao_metric_are_refused(options, says):
    good = {"likelihood": gn.Categorical(3), "readout": gn.Readout([[1, 0], [0, 1], [0, 0]])}
    with pytest.raises(gn.InputError, match=says):
        gn.FisherRaoMetric(SPACE, **{**good, **options})


# -- a user's own -----------------------------------------------------------------------------


def test_a_metric_owes_its_inner_product():
    with pytest.raises(TypeError, match="inner_product"):
        gn.Metric(SPACE)


def test_a_users_metric_may_ignore_the_base_point():
    class Doubled(gn.Metric):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            return 2 * anp.sum(tangent_vec_a * tangent_vec_b, axis=(-2, -1))

    metric = Doubled(SPACE)
    np.testing.assert_array_equal(metric.quadratic_gradient(vectors(), places()), 0)
    expected = np.sqrt(2) * np.linalg.norm(END - SPACE.identity)
    assert metric.dist(SPACE.identity, END) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("product", "error", "says"),
    [
        (lambda u, v, x: anp.sum(u * v), gn.InputError, r"shape \(4,\).*axes \(-2, -1\)"),
        (lambda u, v, x: anp.sum(u * v, axis=-1), gn.InputError, r"shape \(4,\)"),
        (lambda u, v, x: -anp.sum(u * v, axis=(-2, -1)), gn.errors.DomainError, "negative"),
        (
            lambda u, v, x: anp.sum(u * v, axis=(-2, -1)) * np.nan,
            gn.errors.DomainError,
            "NaN or infinity|leaves the metric's domain",
        ),
        (
            lambda u, v, x: anp.sum((u * v)[..., 0], axis=-1),
            gn.errors.DomainError,
            "not positive definite",
        ),
    ],
    ids=["sum_of_all", "one_axis", "negative", "nan", "degenerate"],
)
def test_wrong_inner_products_are_told_what_is_wrong(product, error, says):
    class Wrong(gn.Metric):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            return product(tangent_vec_a, tangent_vec_b, base_point)

    with pytest.raises(error, match=says):
        gn.geodesic(Wrong(SPACE), SPACE.identity, END)
