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

import geomnet as gn

each_metric = pytest.mark.parametrize("metric", METRICS)
each_energy_metric = pytest.mark.parametrize("metric", ENERGY_METRICS)
each_fisher_rao_metric = pytest.mark.parametrize("metric", FISHER_RAO_METRICS)

# how many axes lead each argument: none, the vectors', the base point's, more of either
AXES = [((), ()), ((3,), ()), ((), (3,)), ((3,), (3,)), ((2, 1), (3,)), ((3,), (2, 3))]
each_pair_of_axes = pytest.mark.parametrize(("of_vector", "of_base"), AXES, ids=str)


def places(*batch, seed=0):
    rng = np.random.default_rng(seed)
    return SPACE.identity + 0.1 * rng.normal(size=(*batch, *SPACE.shape))


def vectors(*batch, seed=1):
    return np.random.default_rng(seed).normal(size=(*batch, *SPACE.shape))


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


# -- the energy metric ------------------------------------------------------------------------


def field_of_many_features():
    return gn.networks.RandomFeatureField(dim=2, width=40, scale=0.9, seed=5)


def test_energy_is_the_least_effort_of_the_field():
    # of all parameters θ of the field that move the points with velocity v, the least |θ|²
    field, x, v = field_of_many_features(), places(), vectors()
    units = np.eye(field.n_parameters)
    moves = np.array([field(x, unit).ravel() for unit in units]).T
    least = np.linalg.lstsq(moves, v.ravel(), rcond=None)[0]
    np.testing.assert_allclose(field(x, least), v, atol=1e-10)
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(field))
    assert metric.squared_norm(v, x) == pytest.approx(least @ least, rel=1e-9)


def bend(x):
    """A diffeomorphism of the plane, and its Jacobian determinant."""
    u, v = x[..., 0], x[..., 1]
    return np.stack([u + 0.4 * np.sin(v), v * np.exp(0.3 * v**2)], axis=-1), np.exp(0.3 * v**2) * (
        1 + 0.6 * v**2
    )


def sample_and_its_image():
    """A sample weighted by the area each point stands for, and its image by `bend`."""
    points = places(seed=8)
    areas = np.array([0.05, 0.1, 0.2, 0.25, 0.4])
    image, factor = bend(points)
    grown = areas * factor
    return [
        gn.FunctionSpace(gn.Sample(points, areas)),
        gn.FunctionSpace(gn.Sample(image, grown / grown.sum())),
    ]


def path_of_maps(n_steps=16):
    t = np.linspace(0, 1, n_steps + 1)[:, None, None]
    x = places(seed=8)
    return x + 0.5 * t * np.sin(x[:, ::-1] + t)


@pytest.mark.parametrize(
    "kernel",
    [
        gn.GaussianKernel(0.8),
        gn.Matern32Kernel(1.3),
        gn.geometry.Matern52Kernel(0.9),
        gn.geometry.FeatureKernel(field_of_many_features()),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_energy_of_fixed_width_is_right_invariant(kernel):
    # φ_t∘ψ⁻¹ takes ψ(x_i) where φ_t takes x_i: the same arrays, in another space
    here, there = (gn.EnergyMetric(space, kernel) for space in sample_and_its_image())
    curve = gn.Curve(path_of_maps())
    assert curve.length(there) == pytest.approx(curve.length(here), rel=1e-12)
    ends = curve.start, curve.end
    assert there.dist(*ends) == pytest.approx(float(here.dist(*ends)), rel=1e-9)


@pytest.mark.parametrize(
    "metric", [gn.L2Metric, gn.EnergyMetric], ids=["weighted_l2", "width_of_the_sample"]
)
def test_what_depends_on_the_sample_is_not_right_invariant(metric):
    here, there = (metric(space) for space in sample_and_its_image())
    curve = gn.Curve(path_of_maps())
    assert abs(curve.length(there) / curve.length(here) - 1) > 0.01


def test_energy_does_not_ask_for_weights():
    heavy = gn.FunctionSpace(gn.Sample(SPACE.identity, [0.6, 0.1, 0.1, 0.1, 0.1]))
    even = gn.FunctionSpace(SPACE.identity)
    x, v = places(), vectors()
    squares = [gn.EnergyMetric(s, gn.GaussianKernel(1.0)).squared_norm(v, x) for s in (heavy, even)]
    assert squares[0] == squares[1]


def test_the_default_kernel_is_matern_at_the_median_distance():
    pairs = [np.linalg.norm(a - b) for a, b in itertools.combinations(SPACE.identity, 2)]
    assert gn.EnergyMetric(SPACE).kernel == gn.Matern32Kernel(np.median(pairs))


@pytest.mark.parametrize("nugget", [0.0, 0.05])
def test_a_nugget_is_added_to_the_diagonal(nugget):
    metric = gn.EnergyMetric(SPACE, gn.GaussianKernel(1.0), nugget=nugget)
    x = places()
    expected = oracles.kernel_matrix(metric.kernel, x, x) + nugget * np.eye(5)
    np.testing.assert_allclose(metric.gram(x), expected, atol=1e-15)


def nearly_equal(gap):
    return gn.FunctionSpace([[-gap / 2], [gap / 2]])


def uses(metric, x):
    """Every way to meet the inverse of the kernel matrix at x."""
    v = np.ones_like(x)
    return {
        "inner_product": lambda: metric.inner_product(v, v, x),
        "norm": lambda: metric.norm(v, x),
        "flat": lambda: metric.flat(v, x),
        "quadratic_gradient": lambda: metric.quadratic_gradient(v, x),
        "squared_step": lambda: metric.squared_step(x[None], x[None] + 0),
        "exp": lambda: metric.exp(v, x),
        "dist": lambda: metric.dist(x, x + np.array([[0.0], [1.0]])),
    }


@pytest.mark.parametrize("use", uses(None, np.zeros((2, 1))))
@pytest.mark.parametrize("gap", [0.0, 1e-7])
def test_an_ill_conditioned_kernel_matrix_is_refused(gap, use):
    # two points at distance r: eigenvalues 1 ± k(r), so the condition is about 4/r²
    space = nearly_equal(gap)
    metric = gn.EnergyMetric(space, gn.GaussianKernel(1.0))
    with pytest.raises(gn.errors.SingularKernelError, match="condition") as caught:
        uses(metric, space.identity)[use]()
    for mend in ("matern32", "smaller width", "nugget"):
        assert mend in str(caught.value)
    assert caught.value.condition > 1e12
    if gap:
        assert caught.value.condition == pytest.approx(4 / gap**2, rel=0.5)
        assert f"{caught.value.condition:.1e}" in str(caught.value)


def test_the_mends_of_an_ill_conditioned_kernel_matrix_mend_it():
    space = nearly_equal(1e-7)
    v = np.ones((2, 1))
    for metric in (
        gn.EnergyMetric(space, gn.GaussianKernel(1e-3)),
        gn.EnergyMetric(space, gn.GaussianKernel(1.0), nugget=1e-3),
        gn.EnergyMetric(nearly_equal(1e-5), gn.GaussianKernel(1.0)),
    ):
        # both points move as one, along the eigenvector of 1 + k
        top = metric.gram(metric.space.identity).sum(axis=1)[0]
        assert metric.squared_norm(v, metric.space.identity) == pytest.approx(2 / top, rel=1e-3)


@pytest.mark.parametrize("which", ["start", "end"])
def test_equal_points_are_refused_as_ends(which):
    metric = gn.EnergyMetric(SPACE, gn.Matern32Kernel(1.0))
    ends = {"start": SPACE.identity.copy(), "end": END.copy()}
    ends[which][3] = ends[which][1]
    with pytest.raises(
        gn.errors.SingularKernelError, match=rf"^{which}: two of its points are equal"
    ):
        gn.geodesic(metric, **ends)


def test_points_pass_each_other_in_the_plane_but_not_on_the_line():
    crossed = [[1.0], [-1.0]]
    metric = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))
    for ends in ((LINE.identity, crossed), (crossed, LINE.identity)):
        with pytest.raises(gn.errors.DomainError, match=r"^end: .*order"):
            gn.geodesic(metric, *ends)
    plane = gn.FunctionSpace([[-1.0, 0.0], [1.0, 0.0]])
    metric, swapped = gn.EnergyMetric(plane, gn.GaussianKernel(1.0)), plane.identity[::-1]
    with pytest.raises(gn.ConvergenceError, match=r"n_steps|initial_path") as caught:
        gn.geodesic(metric, plane.identity, swapped, n_steps=32)
    assert not caught.value.result.certificate.locally_shortest
    angles = np.linspace(0, np.pi, 9)[:, None]
    half_turn = np.concatenate([-np.cos(angles), -np.sin(angles)], axis=1)
    around = np.stack([half_turn, -half_turn], axis=1)
    around[-1] = swapped
    geo = gn.geodesic(metric, plane.identity, swapped, n_steps=32, initial_path=around)
    assert geo.certificate.locally_shortest
    assert np.linalg.norm(geo.path[:, 0] - geo.path[:, 1], axis=-1).min() > 1


def test_sums_ask_every_term_about_the_ends():
    energy = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))
    for metric in (3.0 * energy, gn.L2Metric(LINE) + energy, energy + gn.L2Metric(LINE)):
        with pytest.raises(gn.errors.DomainError, match=r"^end: .*order"):
            gn.geodesic(metric, LINE.identity, [[1.0], [-1.0]])
        with pytest.raises(
            gn.errors.SingularKernelError, match=r"^end: two of its points are equal"
        ):
            gn.geodesic(metric, LINE.identity, [[1.0], [1.0]])


def test_a_nugget_lets_points_pass_on_the_line():
    metric = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0), nugget=0.5)
    geo = gn.geodesic(metric, LINE.identity, [[1.0], [-1.0]], n_steps=16)
    # the gap x moves in the metric dx²/2(1 + ν − k(x))
    expected = oracles.line_length(lambda x: (2 * (1.5 - np.exp(-(x**2) / 2))) ** -0.5, -2, 2)
    assert geo.distance == pytest.approx(expected, abs=geo.error_estimate)


def few_features():
    return gn.networks.RandomFeatureField(dim=2, width=3, scale=1.0, seed=2)


def test_velocities_out_of_reach_of_few_features_have_infinite_norm():
    field, x = few_features(), places()
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(field))
    theta = np.random.default_rng(4).normal(size=(2, field.n_parameters))
    u, v = (field(x, t) for t in theta)
    # Ψ has full column rank, so the parameters of a velocity are its own
    features = field.features(x)
    assert np.linalg.matrix_rank(features) == 3
    assert metric.squared_norm(u, x) == pytest.approx(theta[0] @ theta[0], rel=1e-9)
    assert metric.inner_product(u, v, x) == pytest.approx(theta[0] @ theta[1], rel=1e-9)
    off = u + vectors()
    assert metric.squared_norm(off, x) == np.inf
    assert metric.inner_product(u, off, x) == np.inf
    stack = metric.squared_norm(np.stack([u, off, v]), x)
    assert np.isinf(stack).tolist() == [False, True, False]


@pytest.mark.parametrize("use", ["flat", "quadratic_gradient", "exp", "dist", "log", "geodesic"])
def test_few_features_make_no_geodesics(use):
    metric = gn.EnergyMetric(SPACE, gn.geometry.FeatureKernel(few_features()))
    calls = {
        "flat": lambda: metric.flat(vectors(), places()),
        "quadratic_gradient": lambda: metric.quadratic_gradient(vectors(), places()),
        "exp": lambda: metric.exp(vectors(), places()),
        "dist": lambda: metric.dist(SPACE.identity, END),
        "log": lambda: metric.log(END, SPACE.identity),
        "geodesic": lambda: gn.geodesic(metric, SPACE.identity, END),
    }
    with pytest.raises(
        gn.errors.SingularKernelError, match=r"3 features for 5 points.*sub-Riemannian"
    ):
        calls[use]()


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"kernel": "gaussian"}, "kernel"),
        ({"kernel": gn.GaussianKernel}, "kernel"),
        ({"nugget": -1e-3}, "nugget"),
        ({"nugget": np.nan}, "nugget"),
        ({"nugget": "small"}, "nugget"),
    ],
)
def test_bad_options_of_the_energy_metric_are_refused(options, argument):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.EnergyMetric(SPACE, **options)


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
