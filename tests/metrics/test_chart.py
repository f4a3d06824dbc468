"""Metrics in coordinates: matrices and immersions, their derivatives, their charts, bad input."""

from functools import lru_cache

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import ALL_CHARTS, CHARTS, DERIVATIVES, SMALL_CHARTS
from charts_common import bent, dense, full_hessian, gap

import geomnet as gn
from geomnet.geodesics.discrete import newton
from geomnet.geometry.path_energy import LinearisedPath

each_chart = pytest.mark.parametrize("chart", ALL_CHARTS.values(), ids=ALL_CHARTS)


each_small = pytest.mark.parametrize(
    "chart",
    [*SMALL_CHARTS.values(), ALL_CHARTS["tangled"]],
    ids=[*SMALL_CHARTS, "tangled"],
)


each_source = pytest.mark.parametrize("derivatives", DERIVATIVES)


# how many digits of a second derivative each source leaves
DIGITS = {"given": 1e-8, "autograd": 1e-8, "finite differences": 3e-5}


def places(chart, count=4, seed=3):
    """Points of a chart, and vectors of about the size of the points."""
    rng = np.random.default_rng(seed)
    points = np.stack([chart.draw(rng) for _ in range(count)])
    return points, 0.5 * rng.normal(size=points.shape)


# -- first derivatives ------------------------------------------------------------------------


@each_chart
def test_the_gradient_is_the_same_by_hand_by_autograd_and_by_differences(chart):
    points, v = places(chart)
    expected = np.stack(
        [
            oracles.numerical_gradient(lambda x, v=v: v @ chart.matrix(x[None])[0] @ v, x, 1e-4)
            for x, v in zip(points, v)
        ]
    )
    for derivatives in DERIVATIVES:
        metric = chart.metric(derivatives)
        assert gap(metric.quadratic_gradient(v, points), expected) < 1e-7
        assert metric.matrix.derivatives == derivatives


@each_source
@pytest.mark.parametrize("far", [0.0, 50.0, -1e4])
def test_coordinates_of_very_different_size_keep_their_digits(derivatives, far):
    # differences with steps of the size of the one would be blind to the other
    chart = CHARTS["half_plane"]
    start, end = np.array([far, 0.01]), np.array([far + 0.02, 0.01])
    metric = chart.metric(derivatives)
    v = np.array([[1.0, -2.0]])
    found = metric.quadratic_gradient(v, start[None])
    np.testing.assert_allclose(found, chart.gradient(v, start[None]), rtol=1e-7, atol=1e-3)
    geo = gn.geodesic(metric, start, end)
    truth = chart.between(start, end)
    assert abs(geo.distance - truth) <= max(geo.error_estimate, 1e-12)
    assert metric.matrix.derivatives == derivatives


@each_chart
@each_source
def test_gradients_broadcast_vectors_against_points(chart, derivatives):
    points, _ = places(chart)
    vectors = np.random.default_rng(4).normal(size=(3, *points.shape))
    matrix = chart.metric(derivatives).matrix
    one_by_one = np.stack([matrix.quadratic_gradient(v, points) for v in vectors])
    np.testing.assert_allclose(
        matrix.quadratic_gradient(vectors, points), one_by_one, rtol=1e-9, atol=1e-9
    )


def test_a_gradient_that_does_not_broadcast_is_repeated_for():
    calls = []

    def picky(v, x):
        calls.append(v.shape)
        if v.ndim != 2 or v.shape != x.shape:
            raise ValueError("two (k, d) arrays")
        return CHARTS["sphere2"].gradient(v, x)

    chart = CHARTS["sphere2"]
    geo = gn.geodesic(gn.ChartMetric(chart.matrix, 2, picky), chart.start, chart.end)
    assert geo.distance == pytest.approx(chart.distance, rel=1e-10)
    assert sum(len(shape) == 3 for shape in calls) <= 1


@each_small
@each_source
def test_second_derivatives_are_those_of_the_form(chart, derivatives):
    points, v = places(chart)
    form = chart.metric(derivatives).linearise(v, points)
    expected = zip(*(oracles.form_derivatives(chart.matrix, w, x) for w, x in zip(v, points)))
    for found, want in zip(form.second_derivatives(), map(np.stack, expected)):
        assert gap(found, want) < DIGITS[derivatives]


@each_small
def test_a_form_changes_as_its_derivatives_say(chart):
    points, v = places(chart)
    metric = chart.metric()
    form = metric.linearise(v, points)
    dv, dx = np.random.default_rng(8).normal(size=(2, *v.shape))

    def moved(t):
        return metric.linearise(v + t * dv, points + t * dx)

    h = 1e-5
    flat, gradient = form.derivative(dv, dx)
    for found, name in ((flat, "flat"), (gradient, "gradient")):
        change = (getattr(moved(h), name) - getattr(moved(-h), name)) / (2 * h)
        assert gap(found, change) < 1e-6


@each_chart
def test_the_musical_isomorphisms_are_the_matrix_and_its_inverse(chart):
    points, v = places(chart)
    metric = chart.metric()
    matrices = chart.matrix(points)
    np.testing.assert_allclose(metric.metric_matrix(points), matrices, rtol=1e-14)
    np.testing.assert_allclose(metric.metric_matrix(points[0]), matrices[0], rtol=1e-14)
    flat = np.einsum("kab,kb->ka", matrices, v)
    np.testing.assert_allclose(metric.flat(v, points), flat, rtol=1e-12)
    np.testing.assert_allclose(metric.sharp(flat, points), v, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(metric.sharp(flat[1], points[1]), v[1], rtol=1e-8, atol=1e-10)
    square = np.einsum("ka,ka->k", flat, v)
    np.testing.assert_allclose(metric.squared_norm(v, points), square, rtol=1e-12)
    assert metric.inner_product(v[0], v[1], points[2]) == pytest.approx(
        v[0] @ matrices[2] @ v[1], rel=1e-11
    )


# -- blocks of the Hessian --------------------------------------------------------------------


@each_small
@each_source
def test_block_hessians_are_the_dense_one(chart, derivatives):
    metric, path = chart.metric(derivatives), bent(chart)
    state = LinearisedPath(path, metric.steps(path[:-1], path[1:]), metric)
    gradient, hessian = oracles.interior_derivatives(
        lambda p: oracles.chart_energy(chart.matrix, p), path
    )
    assert state.energy == pytest.approx(oracles.chart_energy(chart.matrix, path), rel=1e-13)
    assert gap(state.gradient, gradient) < 1e-3 * DIGITS[derivatives]
    assert gap(full_hessian(state), hessian) < DIGITS[derivatives]
    assert gap(dense(*newton.hessian(state)), hessian) < DIGITS[derivatives]


@each_small
@each_source
def test_products_and_blocks_agree(chart, derivatives):
    metric, path = chart.metric(derivatives), bent(chart)
    steps = metric.steps(path[:-1], path[1:])
    dx, dy = np.random.default_rng(5).normal(size=(2, *path[1:].shape))
    xx, xy, yy = steps.blocks()
    to_x, to_y = steps.hessian_product(dx, dy)
    along = np.einsum
    assert gap(along("kab,kb->ka", xx, dx) + along("kab,kb->ka", xy, dy), to_x) < 1e-10
    assert gap(along("kba,kb->ka", xy, dx) + along("kab,kb->ka", yy, dy), to_y) < 1e-10
    matrices = chart.matrix(0.5 * (path[:-1] + path[1:]))
    np.testing.assert_allclose(steps.frozen(), 2 * matrices, rtol=1e-12)


@each_small
def test_the_preconditioner_inverts_the_stiffness(chart):
    metric, path = chart.metric(), bent(chart)
    state = LinearisedPath(path, metric.steps(path[:-1], path[1:]), metric)
    frozen = state.n_steps * state.steps.frozen()
    stiff = dense(frozen[:-1] + frozen[1:], -frozen[1:-1])
    right = np.random.default_rng(6).normal(size=state.gradient.shape)
    np.testing.assert_allclose(
        stiff @ state.precondition(right).ravel(), right.ravel(), rtol=1e-6, atol=1e-8
    )


# -- kinds of functions -----------------------------------------------------------------------


def bowl(x):
    """At one point or many, by operations that take both."""
    return anp.exp(x[..., :1, None]) * anp.eye(2) + x[..., :, None] * x[..., None, :]


def bowl_at(x):
    """At one point alone."""
    return anp.exp(x[0]) * anp.eye(2) + anp.outer(x, x)


def plain_bowl(x):
    """NumPy that autograd cannot follow."""
    x = np.array(x, dtype=float)
    return np.exp(x[..., :1, None]) * np.eye(2) + x[..., :, None] * x[..., None, :]


def plain_bowl_at(x):
    """At one point, entry by entry."""
    out = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            out[i, j] = float(np.exp(x[0])) * (i == j) + float(x[i]) * float(x[j])
    return out


BOWL_ENDS = [-0.7, 0.4], [0.8, 0.9]


@lru_cache
def across_the_bowl():
    return oracles.geodesic_by_collocation(bowl, *map(np.array, BOWL_ENDS))


@pytest.mark.parametrize(
    ("function", "batched", "derivatives"),
    [
        (bowl, True, "autograd"),
        (bowl_at, False, "autograd"),
        (plain_bowl, True, "finite differences"),
        (plain_bowl_at, False, "finite differences"),
    ],
    ids=lambda member: getattr(member, "__name__", None),
)
def test_functions_of_every_kind_give_one_geodesic_and_a_word_on_their_cost(
    function, batched, derivatives
):
    expected, velocity = across_the_bowl()
    geo = gn.geodesic(gn.ChartMetric(function, 2), *BOWL_ENDS)
    assert geo.distance == pytest.approx(expected, rel=1e-8)
    np.testing.assert_allclose(geo.initial_velocity, velocity, rtol=1e-5)
    assert ("one point at a time" in geo.method) is not batched
    assert ("finite differences" in geo.method) is (derivatives == "finite differences")


def test_a_function_that_mixes_the_points_of_a_batch_is_called_one_by_one():
    # from (k, d) to (k, d, d) by chance, as k = d: not what it means for one point
    def outer(x):
        return anp.eye(3) * (1 + anp.sum(x**2))

    metric = gn.ChartMetric(outer, 3)
    points = np.random.default_rng(0).normal(size=(3, 3))
    expected = np.stack([outer(x) for x in points])
    np.testing.assert_allclose(metric.metric_matrix(points), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.broadcast_to(np.diag([1.0, 4.0]), (len(x), 2, 2)),
        lambda x: np.diag([1.0, 4.0]),
        lambda x: anp.zeros(anp.shape(x))[..., None] + anp.diag(anp.array([1.0, 4.0])),
        lambda x: [[1.0, 0.0], [0.0, 4.0]],
        lambda x: np.diag([1, 4]),
    ],
)
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_constant_matrices_have_straight_geodesics(function, method):
    geo = gn.geodesic(gn.ChartMetric(function, 2), [0.0, 0.0], [3.0, 2.0], method=method)
    assert geo.distance == pytest.approx(5, rel=1e-12)
    np.testing.assert_allclose(geo.path, np.linspace(0, 1, 17)[:, None] * [3, 2], atol=1e-9)
    np.testing.assert_allclose(geo.initial_velocity, [3, 2], atol=1e-9)


def test_one_dimension_is_an_integral():
    metric = gn.ChartMetric(lambda x: anp.exp(2 * x)[..., None], 1)
    geo = gn.geodesic(metric, [-1.0], [1.5])
    assert geo.distance == pytest.approx(np.exp(1.5) - np.exp(-1), rel=1e-10)
    # constant speed: e^x is linear in time
    middle = np.log((np.exp(1.5) + np.exp(-1)) / 2)
    assert geo(0.5)[0] == pytest.approx(middle, abs=1e-6)


# -- bad functions ----------------------------------------------------------------------------

START, END = [-1.0, 0.1], [1.0, 0.2]


def square(factor):
    return lambda x: factor(x[..., :1, None]) * anp.eye(2)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            lambda x: anp.eye(2) + x[..., :1, None] * anp.array([[0.0, 0.3], [0.0, 0.0]]),
            gn.InputError,
            r"^start: metric_matrix: not symmetric at x = \[-1, 0.1\], entries differ by 0.3",
        ),
        (
            # only between the ends
            lambda x: (
                anp.eye(2)
                + anp.maximum(0.1 - x[..., :1, None] ** 2, 0) * anp.eye(2)[::-1] * [[1.0], [2.0]]
            ),
            gn.InputError,
            r"^metric_matrix: not symmetric at x = \[-?0\.[0-3]\d*, ",
        ),
        (
            square(lambda t: t),
            gn.errors.DomainError,
            r"^start: .*not positive definite at x = \[-1, 0.1\]",
        ),
        (
            square(lambda t: t**2 - 0.1),
            gn.errors.DomainError,
            r"not positive definite at x = \[-?0\.[0-3]\d*, .*lowest eigenvalue is -0\.\d+$",
        ),
        (
            square(lambda t: anp.log(t)),
            gn.errors.DomainError,
            r"^start: .*NaN or infinite at x = \[-1, 0.1\]",
        ),
        (
            square(lambda t: anp.sqrt(t**2 - 0.1)),
            gn.errors.DomainError,
            r"metric_matrix: NaN or infinite at x = \[-?0\.[0-3]",
        ),
        (lambda x: anp.eye(3) * x[..., :1, None], gn.InputError, r"\(k, 2\).*got \(3, 3\)"),
        (lambda x: x, gn.InputError, r"\(k, 2, 2\).*got \(2,\) for one point"),
        (lambda x: None, gn.InputError, r"metric_matrix: .*\(k, 2, 2\)"),
        (lambda x: 1j * np.ones((len(x), 2, 2)), gn.InputError, r"dtype complex128"),
    ],
)
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_bad_matrices_are_named_with_their_place(function, error, message, method):
    with pytest.raises(error, match=message):
        gn.geodesic(gn.ChartMetric(function, 2), START, END, method=method)


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (lambda v, x: v[:, :1], gn.InputError, r"^quadratic_gradient: for \(k, 2\) arrays"),
        (
            lambda v, x: np.nan * v,
            gn.errors.DomainError,
            r"^quadratic_gradient: NaN or infinite at x = ",
        ),
    ],
)
def test_bad_gradients_are_named(gradient, error, message):
    metric = gn.ChartMetric(CHARTS["sphere2"].matrix, 2, gradient)
    with pytest.raises(error, match=message):
        gn.geodesic(metric, START, END)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda v, x: 1.1 * CHARTS["sphere2"].gradient(v, x),
        lambda v, x: -CHARTS["sphere2"].gradient(v, x),
        lambda v, x: CHARTS["sphere2"].gradient(x, v),
        lambda v, x: 0.0 * v,
    ],
    ids=["too large", "of the other sign", "swapped", "zero"],
)
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_a_wrong_gradient_is_never_a_silent_wrong_length(wrong, method):
    metric = gn.ChartMetric(CHARTS["sphere2"].matrix, 2, wrong)
    with pytest.raises(gn.InputError, match=r"^quadratic_gradient: .*differs from"):
        gn.geodesic(metric, START, END, method=method)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("G", 2), r"^metric_matrix: expected a function, got 'G'"),
        ((bowl, 2, "q"), r"^quadratic_gradient: expected a function"),
        ((bowl, 0), r"^dim: "),
        ((bowl, 2.5), r"^dim: "),
        ((bowl, True), r"^dim: "),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(gn.InputError, match=message):
        gn.ChartMetric(*arguments)
    with pytest.raises(gn.InputError, match=r"^domain: expected a function"):
        gn.ChartMetric(bowl, 2, domain="x > 0")


@pytest.mark.parametrize("domain", [lambda x: True, lambda x: x > 0, lambda x: x[:1, 0] > -9])
def test_a_domain_of_the_wrong_shape_is_named(domain):
    metric = gn.ChartMetric(CHARTS["half_plane"].matrix, 2, domain=domain)
    with pytest.raises(gn.InputError, match=r"domain: for points of shape \(\d+, 2\)"):
        gn.geodesic(metric, [0.0, 1.0], [1.0, 1.0])


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ([0.0, 1.0, 2.0], [1.0, 1.0], r"^start: expected shape \(2,\), got \(3,\)"),
        ([0.0, 1.0], [[1.0, 1.0]], r"^end: expected shape \(2,\), got \(1, 2\)"),
        ([0.0, np.nan], [1.0, 1.0], r"^start: 1 of its 2 entries"),
        ([0.0, 1.0], [1.0, 1j], r"^end: expected real numbers"),
        ([0.0, 1.0], [1.0, -1.0], r"^end: x = \[1, -1\] lies outside the chart's domain"),
        ([0.0, 0.0], [1.0, 1.0], r"^start: x = \[0, 0\] lies outside the chart's domain"),
    ],
)
def test_bad_ends_are_named(start, end, message):
    with pytest.raises(gn.InputError, match=message):
        gn.geodesic(CHARTS["half_plane"].metric(), start, end)


# -- the chart --------------------------------------------------------------------------------


def watched(chart, seen):
    """The chart, with every point its matrix is asked at."""

    def matrix(x):
        seen.append(np.array(x))
        return chart.matrix(x)

    return gn.ChartMetric(matrix, chart.dim, chart.gradient, domain=chart.domain)


@pytest.mark.parametrize("method", [None, gn.PathNewton(), gn.geodesics.PathNewtonCG()])
@pytest.mark.parametrize("name", ["half_plane", "gauss1"])
def test_solvers_never_leave_the_domain(name, method):
    # from near the edge to near the edge: full steps would overshoot it
    seen, chart = [], CHARTS[name]
    start, end = np.array([-3.0, 0.05]), np.array([3.0, 0.05])
    geo = gn.geodesic(watched(chart, seen), start, end, 64, method=method)
    assert chart.domain(np.concatenate(seen)).all()
    assert abs(geo.distance - chart.between(start, end)) <= geo.error_estimate
    with pytest.raises(gn.errors.DomainError, match=r"^end: x = \[3, -0.05\] lies outside"):
        gn.geodesic(watched(chart, seen), start, [3.0, -0.05], method=method)


def test_a_chart_space_knows_its_points():
    space = CHARTS["half_plane"].metric().space
    assert isinstance(space, gn.geometry.ChartSpace)
    assert (space.shape, space.dim) == ((2,), 2)
    assert space.belongs([0.0, 1.0])
    assert not space.belongs([0.0, -1.0])
    assert not space.belongs([0.0, np.nan])
    np.testing.assert_array_equal(
        space.belongs([[0.0, 1.0], [0.0, -1.0], [np.inf, 1.0]]), [True, False, False]
    )
    assert not space.belongs([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(space.belongs(np.ones((4, 3))), [False] * 4)
    assert space.belongs(np.ones((2, 3, 2))).shape == (2, 3)
    assert space.is_tangent([0.0, -1.0])


def test_a_chart_space_draws_from_its_domain():
    space = CHARTS["half_plane"].metric().space
    assert space.random_point(seed=0).shape == (2,)
    drawn = space.random_point(50, seed=0)
    assert drawn.shape == (50, 2)
    assert (drawn[:, 1] > 0).all()
    np.testing.assert_array_equal(drawn, space.random_point(50, seed=0))
    assert np.abs(space.random_point(50, bound=1e-3, seed=0)).max() < 0.01
    nowhere = gn.geometry.ChartSpace(2, lambda x: x[..., 1] > 1e3)
    with pytest.raises(gn.InputError, match=r"^domain: "):
        nowhere.random_point()


def test_a_chart_is_a_geomstats_space_and_cannot_guess_its_metric():
    metric = CHARTS["sphere2"].metric()
    assert metric.space is metric._space
    with pytest.raises(gn.InputError, match=r"gn\.ChartMetric|no default metric"):
        gn.geometry.ChartSpace(2).default_metric()
    assert repr(metric) == "ChartMetric(dim=2)"
    assert repr(gn.geometry.ChartSpace(3)) == "ChartSpace(dim=3)"


@pytest.mark.parametrize("name", SMALL_CHARTS)
def test_exp_is_the_inverse_of_log(name):
    chart = CHARTS[name]
    metric = chart.metric()
    velocity = metric.log(chart.end, chart.start)
    np.testing.assert_allclose(metric.exp(velocity, chart.start), chart.end, atol=2e-6)
    assert metric.norm(velocity, chart.start) == pytest.approx(chart.distance, rel=1e-6)


@pytest.mark.parametrize("name", SMALL_CHARTS)
def test_metrics_scale_and_add(name):
    chart = CHARTS[name]
    metric = chart.metric()
    for scaled in (4.0 * metric, metric + 3.0 * metric):
        geo = gn.geodesic(scaled, chart.start, chart.end)
        assert abs(geo.distance - 2 * chart.distance) <= max(geo.error_estimate, 1e-10)
