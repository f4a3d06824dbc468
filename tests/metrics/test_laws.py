"""Metrics: inner products by their definitions, everything derived from them by differences."""

import itertools

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import (
    END,
    ENERGY_METRICS,
    FISHER_RAO_METRICS,
    L2_METRICS,
    LINE,
    METRICS,
    SPACE,
    Crowd,
)
from metrics_common import places, vectors

import geomnet as gn

each_metric = pytest.mark.parametrize("metric", METRICS)


each_energy_metric = pytest.mark.parametrize("metric", ENERGY_METRICS)


# how many axes lead each argument: none, the vectors', the base point's, more of either
AXES = [((), ()), ((3,), ()), ((), (3,)), ((3,), (3,)), ((2, 1), (3,)), ((3,), (2, 3))]


each_pair_of_axes = pytest.mark.parametrize(("of_vector", "of_base"), AXES, ids=str)


def basis():
    return np.eye(SPACE.dim).reshape(SPACE.dim, *SPACE.shape)


# -- inner product ----------------------------------------------------------------------------


@each_metric
def test_inner_product_is_its_definition(metric):
    x, u, v = places(), vectors(), vectors(seed=2)
    expected = oracles.inner_product(metric, u, v, x)
    assert metric.inner_product(u, v, x) == pytest.approx(expected, rel=1e-10)


@each_metric
def test_inner_product_is_symmetric_bilinear_and_positive(metric):
    x = places()
    matrix = np.array([[metric.inner_product(a, b, x) for b in basis()] for a in basis()])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix)[0] > 0
    u, v = vectors(), vectors(seed=2)
    expected = u.ravel() @ matrix @ v.ravel()
    assert metric.inner_product(u, v, x) == pytest.approx(expected, rel=1e-10)


@each_metric
def test_norms_are_those_of_the_inner_product(metric):
    x, v = places(4), vectors(4)
    squares = metric.inner_product(v, v, x)
    np.testing.assert_allclose(metric.squared_norm(v, x), squares, rtol=1e-14)
    np.testing.assert_allclose(metric.norm(v, x) ** 2, squares, rtol=1e-14)
    np.testing.assert_allclose(metric.norm(metric.normalize(v, x), x), 1, rtol=1e-12)


# -- flat, sharp and derivatives --------------------------------------------------------------


@each_metric
def test_flat_pairs_with_vectors_as_the_inner_product(metric):
    x, u = places(), vectors()
    flat = metric.flat(u, x)
    expected = [oracles.inner_product(metric, u, e, x) for e in basis()]
    np.testing.assert_allclose(flat.ravel(), expected, atol=1e-10 * np.abs(flat).max())


@each_metric
def test_sharp_is_the_inverse_of_flat(metric):
    x, u = places(3), vectors(3)
    np.testing.assert_allclose(metric.sharp(metric.flat(u, x), x), u, atol=1e-10)
    np.testing.assert_allclose(metric.flat(metric.sharp(u, x), x), u, atol=1e-10)


@each_metric
def test_flat_and_quadratic_gradient_agree_with_autograd(metric):
    x, v = places(), vectors()
    half = autograd.grad(lambda v: 0.5 * metric.inner_product(v, v, x))(v)
    np.testing.assert_allclose(metric.flat(v, x), half, atol=1e-10 * np.abs(half).max())
    zero = 0.0 * x.sum()  # for metrics that do not depend on the base point
    slope = autograd.grad(lambda x: metric.inner_product(v, v, x) + zero * anp.sum(x))(x)
    scale = metric.squared_norm(v, x)
    np.testing.assert_allclose(metric.quadratic_gradient(v, x), slope, atol=1e-10 * scale)


@each_metric
def test_quadratic_gradient_is_the_difference_quotient_of_the_definition(metric):
    x, v = places(), vectors()
    slope = oracles.numerical_gradient(lambda x: oracles.inner_product(metric, v, v, x), x)
    scale = metric.squared_norm(v, x)
    np.testing.assert_allclose(metric.quadratic_gradient(v, x), slope, atol=1e-7 * scale)


@each_metric
def test_hamiltonian_field_is_sharp_and_half_the_quadratic_gradient(metric):
    x, p = places(3), vectors(3)
    velocity, force = metric.hamiltonian_field(x, p)
    expected = metric.sharp(p, x)
    np.testing.assert_allclose(velocity, expected, atol=1e-12 * np.abs(expected).max())
    expected = 0.5 * metric.quadratic_gradient(velocity, x)
    np.testing.assert_allclose(force, expected, atol=1e-9 * max(1, np.abs(expected).max()))


# -- steps of a path --------------------------------------------------------------------------


@each_metric
def test_squared_step_is_its_definition(metric):
    start, end = places(3), places(3, seed=5)
    expected = [oracles.squared_step(metric, a, b) for a, b in zip(start, end)]
    np.testing.assert_allclose(metric.squared_step(start, end), expected, rtol=1e-9)
    np.testing.assert_allclose(metric.steps(start, end).squared, expected, rtol=1e-9)


@each_metric
def test_squared_step_is_symmetric(metric):
    start, end = places(3), places(3, seed=5)
    forth, back = metric.squared_step(start, end), metric.squared_step(end, start)
    np.testing.assert_allclose(forth, back, rtol=1e-12)


@each_metric
def test_squared_step_tends_to_the_squared_norm(metric):
    # about its middle a symmetric step differs from the norm by h² relative to it
    x, u = places(4), vectors(4)
    sizes = np.array([0.1, 0.05, 0.025])
    ratios = np.array([metric.squared_step(x - h / 2 * u, x + h / 2 * u) / h**2 for h in sizes])
    errors = np.abs(ratios / metric.squared_norm(u, x) - 1)
    assert (errors[-1] <= 5e-3).all()
    assert (errors[1:] <= errors[:-1] / 3.5 + 1e-12).all()


@each_metric
def test_gradients_of_steps_are_difference_quotients(metric):
    start, end = places(2), places(2, seed=5)
    by_start, by_end = metric.steps(start, end).gradients()
    for k in range(2):
        a, b = start[k], end[k]
        slopes = (
            oracles.numerical_gradient(lambda x, b=b: oracles.squared_step(metric, x, b), a),
            oracles.numerical_gradient(lambda y, a=a: oracles.squared_step(metric, a, y), b),
        )
        scale = max(np.abs(slopes[0]).max(), np.abs(slopes[1]).max())
        np.testing.assert_allclose(by_start[k], slopes[0], atol=1e-8 * scale)
        np.testing.assert_allclose(by_end[k], slopes[1], atol=1e-8 * scale)


@each_metric
def test_hessian_products_of_steps_are_difference_quotients(metric):
    start, end, dx, dy = places(2), places(2, seed=5), vectors(2), vectors(2, seed=6)
    products = np.array(metric.steps(start, end).hessian_product(dx, dy))

    def gradients(t):
        return np.array(metric.steps(start + t * dx, end + t * dy).gradients())

    slopes = oracles.central_difference(gradients, 0.0, 1.0)
    np.testing.assert_allclose(products, slopes, atol=1e-7 * np.abs(slopes).max())


def steps_by_midpoint(metric):
    return not any(
        isinstance(m, gn.FisherRaoMetric) for _, m in getattr(metric, "terms", [(1, metric)])
    )


@pytest.mark.parametrize("metric", [m for m in METRICS if steps_by_midpoint(m.values[0])])
def test_hessian_products_of_midpoint_steps_agree_with_autograd(metric):
    start, end, dx, dy = places(), places(seed=5), vectors(), vectors(seed=6)

    def squared(both):
        step = both[1] - both[0]
        return metric.inner_product(step, step, 0.5 * (both[0] + both[1]))

    def slope(both):
        return anp.sum(autograd.grad(squared)(both) * np.array([dx, dy]))

    expected = autograd.grad(slope)(np.array([start, end]))
    product = metric.steps(start[None], end[None]).hessian_product(dx[None], dy[None])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.concatenate(product), expected, atol=1e-9 * scale)


@each_metric
def test_hessian_products_of_steps_are_symmetric(metric):
    steps = metric.steps(places(3), places(3, seed=5))
    a, b = (vectors(2, 3, seed=seed) for seed in (6, 7))
    left = np.sum(np.array(steps.hessian_product(*a)) * b)
    right = np.sum(np.array(steps.hessian_product(*b)) * a)
    assert left == pytest.approx(right, rel=1e-9, abs=1e-11 * np.abs(left))


@each_metric
def test_the_cometric_of_steps_is_summed_and_inverted(metric):
    steps, r = metric.steps(places(3), places(3, seed=5)), vectors()
    solved = steps.solve_sharp_sum(r)
    total = steps.sharp(np.broadcast_to(solved, (3, *SPACE.shape))).sum(axis=0)
    np.testing.assert_allclose(total, r, atol=1e-10)


@pytest.mark.parametrize("metric", [m for m in METRICS if not hasattr(m.values[0], "terms")])
def test_the_cometric_of_steps_is_that_of_their_middles(metric):
    start, end, p = places(3), places(3, seed=5), vectors(3)
    expected = metric.sharp(p, (start + end) / 2)
    np.testing.assert_allclose(
        metric.steps(start, end).sharp(p), expected, atol=1e-10 * np.abs(expected).max()
    )


# -- batches ----------------------------------------------------------------------------------


@each_pair_of_axes
@each_metric
def test_leading_axes_broadcast(metric, of_vector, of_base):
    x, u, v = places(*of_base), vectors(*of_vector), vectors(*of_vector, seed=2)
    batch = np.broadcast_shapes(of_vector, of_base)
    many_x, many_u, many_v = (np.broadcast_to(a, (*batch, *SPACE.shape)) for a in (x, u, v))
    products = metric.inner_product(u, v, x)
    mixed = metric.inner_product(u, many_v, x)
    moved = {name: getattr(metric, name)(u, x) for name in ("flat", "sharp", "quadratic_gradient")}
    field = metric.hamiltonian_field(x, u)
    assert np.shape(products) == batch
    for i in np.ndindex(batch):
        one = metric.inner_product(many_u[i], many_v[i], many_x[i])
        assert products[i] == pytest.approx(one, rel=1e-10)
        assert mixed[i] == pytest.approx(one, rel=1e-10)
        for name, many in moved.items():
            assert many.shape == (*batch, *SPACE.shape)
            one = getattr(metric, name)(many_u[i], many_x[i])
            np.testing.assert_allclose(many[i], one, rtol=1e-9, atol=1e-11)
        for many, one in zip(field, metric.hamiltonian_field(many_x[i], many_u[i])):
            np.testing.assert_allclose(many[i], one, rtol=1e-9, atol=1e-11)


@each_metric
def test_steps_are_independent_of_their_neighbours(metric):
    start, end = places(4), places(4, seed=5)
    whole, part = metric.steps(start, end), metric.steps(start[1:3], end[1:3])
    np.testing.assert_allclose(whole.squared[1:3], part.squared, rtol=1e-12)
    for many, few in zip(whole.gradients(), part.gradients()):
        np.testing.assert_allclose(many[1:3], few, atol=1e-12)


# -- large samples ----------------------------------------------------------------------------


def large_metrics():
    space = gn.FunctionSpace(np.random.default_rng(0).normal(size=(260, 2)))
    crowd, energy, l2 = Crowd(space), gn.EnergyMetric(space), gn.L2Metric(space)
    return {
        "user": crowd,
        "l2_first": 2.0 * l2 + energy,
        "user_first": 0.01 * crowd + energy,
    }


@pytest.mark.parametrize("name", large_metrics())
def test_sharp_without_matrices(name):
    # n·d = 520 is past the limit of dense matrices
    metric = large_metrics()[name]
    x = metric.space.identity
    u = np.random.default_rng(1).normal(size=x.shape)
    np.testing.assert_allclose(metric.sharp(metric.flat(u, x), x), u, atol=1e-6)


def test_the_stiffest_term_preconditions_sharp():
    # of 520 unknowns; the other term takes hundreds of products
    class Counted(gn.EnergyMetric):
        products = 0

        def flat(self, tangent_vec, base_point):
            Counted.products += 1
            return super().flat(tangent_vec, base_point)

    space = large_metrics()["user"].space
    l2, energy = gn.L2Metric(space), Counted(space)
    p = np.random.default_rng(1).normal(size=space.shape)
    for metric in (2.0 * l2 + energy, energy + 2.0 * l2):
        Counted.products = 0
        metric.sharp(p, space.identity)
        assert 2 <= Counted.products <= 40


@pytest.mark.parametrize("name", ["user", "l2_first"])
def test_geodesics_without_matrices(name):
    metric = large_metrics()[name]
    x = metric.space.identity
    geo = gn.geodesic(metric, x, x + 0.2 * np.sin(2 * x[:, ::-1]), n_steps=8, certify_index=False)
    assert geo.certificate.gradient_norm <= 1e-8
    assert geo.certificate.hessian_products <= 200
    assert geo.distance <= geo.curve.length(metric)


# -- algebra ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    list(itertools.combinations([m.values[0] for m in METRICS[::3]], 2)),
    ids=lambda metric: type(metric).__name__,
)
def test_sums_are_term_by_term(first, second):
    both = 2.5 * first + second
    x, u, v = places(3), vectors(3), vectors(3, seed=2)
    for name, arguments in (
        ("inner_product", (u, v, x)),
        ("flat", (u, x)),
        ("quadratic_gradient", (u, x)),
        ("squared_step", (x, x + 0.1 * u)),
    ):
        expected = 2.5 * getattr(first, name)(*arguments) + getattr(second, name)(*arguments)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            getattr(both, name)(*arguments), expected, atol=1e-12 * scale, err_msg=name
        )


@each_metric
def test_scaling_the_metric_scales_the_distance_by_the_root(metric):
    x = SPACE.identity
    assert (4.0 * metric).dist(x, END) == pytest.approx(2.0 * metric.dist(x, END), rel=1e-7)


@each_metric
def test_a_metric_and_itself_are_twice_the_metric(metric):
    x, u, v = places(), vectors(), vectors(seed=2)
    expected = 2 * metric.inner_product(u, v, x)
    for twice in (metric + metric, 2 * metric, metric * 2, np.float64(2) * metric):
        assert isinstance(twice, gn.Metric)
        assert twice.inner_product(u, v, x) == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(
        (metric + metric).sharp(u, x), (2.0 * metric).sharp(u, x), rtol=1e-9, atol=1e-12
    )


def test_distances_of_sums_are_at_least_those_of_the_parts():
    l2, energy = METRICS[0].values[0], METRICS[2].values[0]
    both = (l2 + energy).dist(SPACE.identity, END)
    parts = [m.dist(SPACE.identity, END) for m in (l2, energy)]
    assert both**2 >= parts[0] ** 2 + parts[1] ** 2 - 1e-9
    assert both**2 == pytest.approx(parts[0] ** 2 + parts[1] ** 2, rel=0.05)


def test_sums_of_sums_are_flattened_and_written_out():
    l2, energy = gn.L2Metric(LINE), gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))
    metric = 2 * (0.5 * l2 + 3 * energy) + l2
    assert repr(metric) == "L2Metric() + 6*EnergyMetric(GaussianKernel(width=1.0)) + L2Metric()"
    assert metric.space is LINE


def test_metrics_of_unlike_shapes_do_not_add():
    with pytest.raises(gn.InputError, match=r"^metrics: .*\(2, 1\), \(5, 2\)"):
        gn.L2Metric(LINE) + gn.L2Metric(SPACE)


@pytest.mark.parametrize("scalar", [0, -1.0, np.nan, np.inf, "2"])
def test_bad_factors_are_refused(scalar):
    with pytest.raises(gn.InputError, match=r"^scalar: "):
        scalar * gn.L2Metric(LINE)


def test_only_metrics_add_and_only_numbers_scale():
    metric = gn.L2Metric(LINE)
    for wrong in (lambda: metric + 1, lambda: metric * metric, lambda: metric * [2.0]):
        with pytest.raises(TypeError):
            wrong()


# -- structure --------------------------------------------------------------------------------


@each_metric
def test_structure_is_what_the_metric_matrix_shows(metric):
    here, there = (oracles.metric_matrix(metric, places(seed=seed)) for seed in (0, 1))
    n, d = SPACE.shape
    apart = np.kron(1 - np.eye(n), np.ones((d, d))) > 0
    if metric.structure == "flat":
        np.testing.assert_allclose(here, there, rtol=1e-12)
    if metric.structure == "pointwise":
        np.testing.assert_array_equal(here[apart], 0)
    if type(metric) in (gn.EnergyMetric, Crowd):
        assert metric.structure == "coupled"
        assert np.abs(here - there).max() > 1e-3 * np.abs(here).max()
        assert np.abs(here[apart]).max() > 1e-3 * np.abs(here).max()


def test_structure_of_each_family():
    l2, energy, fisher = (m[0].values[0] for m in (L2_METRICS, ENERGY_METRICS, FISHER_RAO_METRICS))
    assert [m.structure for m in (l2, energy, fisher)] == ["flat", "coupled", "pointwise"]
    assert (2 * l2 + l2).structure == "flat"
    assert (l2 + energy).structure == "coupled"
    assert (l2 + fisher).structure == "coupled"


# -- L2 ---------------------------------------------------------------------------------------


def test_l2_is_the_weighted_mean_square():
    metric = gn.L2Metric(SPACE)
    x, y = places(), places(seed=3)
    expected = np.sqrt(sum(w * (b - a) @ (b - a) for w, a, b in zip(SPACE.sample.weights, x, y)))
    assert metric.dist(x, y) == pytest.approx(expected, rel=1e-14)
    np.testing.assert_array_equal(metric.log(y, x), y - x)
    np.testing.assert_array_equal(metric.exp(y, x), x + y)


def test_l2_needs_no_base_point():
    metric, u = gn.L2Metric(SPACE), vectors(3)
    np.testing.assert_array_equal(metric.inner_product(u, u), metric.inner_product(u, u, places()))
    np.testing.assert_array_equal(metric.sharp(metric.flat(u)), metric.sharp(metric.flat(u, u), u))
    np.testing.assert_array_equal(metric.quadratic_gradient(u), np.zeros_like(u))
