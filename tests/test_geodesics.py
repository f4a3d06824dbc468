"""Geodesics: laws of every solver and metric, truth in closed form, certificates, failures."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
from cases import (
    CLOSED,
    END,
    ENERGY_METRICS,
    FISHER_RAO_METRICS,
    L2_METRICS,
    LINE,
    METRICS,
    ONE_POINT,
    OTHER_METRICS,
    SOLVERS,
    SPACE,
    Crowd,
    HalfPlane,
    Sphere,
)
from scipy.linalg import eigh

import geomnet as gn

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)
each_solver = pytest.mark.parametrize(("method", "metric"), SOLVERS)
ONE_OF_EACH = [L2_METRICS[0], ENERGY_METRICS[1], FISHER_RAO_METRICS[0], *OTHER_METRICS[::3]]
one_of_each = pytest.mark.parametrize("metric", ONE_OF_EACH)


def solve(metric, start=START, end=END, n_steps=16, **options):
    return gn.geodesic(metric, start, end, n_steps=n_steps, certify_index=False, **options)


def places(*batch, seed=0, size=0.15):
    rng = np.random.default_rng(seed)
    return START + size * rng.normal(size=(*batch, *SPACE.shape))


def order(steps, errors):
    return -np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0]


def tiny(metric):
    """A metric of the same kind on two points of the plane, for what costs much by hand."""
    space = gn.FunctionSpace(gn.Sample([[-0.6, 0.1], [0.7, 0.4]], weights=[0.3, 0.7]))
    if isinstance(metric, gn.EnergyMetric):
        return gn.EnergyMetric(space, metric.kernel, metric.nugget)
    if isinstance(metric, gn.FisherRaoMetric):
        return gn.FisherRaoMetric(space, metric.likelihood, metric.readout, ridge=metric.ridge)
    if hasattr(metric, "terms"):
        first, *others = (a * tiny(m) for a, m in metric.terms)
        for other in others:
            first = first + other
        return first
    return type(metric)(space)


TINY_END = np.array([[-0.3, 0.5], [1.1, -0.2]])

# -- minima -----------------------------------------------------------------------------------


@each_solver
def test_the_solver_finds_the_minimum_that_scipy_finds(method, metric):
    metric = tiny(metric)
    geo = solve(metric, metric.space.identity, TINY_END, n_steps=8, method=method)
    expected = oracles.least_energy_path(metric, metric.space.identity, TINY_END, 8)
    np.testing.assert_allclose(geo.path, expected, atol=1e-6)
    energy = oracles.path_energy(metric, expected)
    assert geo.energy == pytest.approx(energy, rel=1e-9)
    assert geo.length <= np.sqrt(geo.energy) * (1 + 1e-12)


@each_solver
def test_the_certificate_holds(method, metric):
    geo = gn.geodesic(metric, START, END, n_steps=16, method=method)
    certificate = geo.certificate
    assert certificate.converged
    assert certificate.gradient_norm <= certificate.tolerance == method.tol
    assert certificate.locally_shortest
    assert certificate.speed_variation <= 0.01
    assert certificate.gradient_evaluations >= 1
    assert certificate.error_estimate == geo.error_estimate <= 1e-4 * geo.distance
    if certificate.observed_order is not None:
        assert certificate.observed_order == pytest.approx(2, abs=0.5)
    state = gn.geometry.PathEnergy(metric).linearise(geo.path)
    assert state.gradient_norm == pytest.approx(certificate.gradient_norm, abs=1e-10)
    assert geo.status == "converged"
    assert type(method).__name__ in geo.method


@each_solver
def test_solvers_agree(method, metric):
    geo = solve(metric, method=method)
    chosen = solve(metric)
    assert geo.distance == pytest.approx(chosen.distance, rel=1e-9)
    np.testing.assert_allclose(geo.path, chosen.path, atol=1e-6)


@pytest.mark.parametrize(
    ("metric", "method"),
    [
        (L2_METRICS[0].values[0], "StraightLine"),
        (3.0 * L2_METRICS[0].values[0], "StraightLine"),
        (FISHER_RAO_METRICS[0].values[0], "PointwiseNewton"),
        (ENERGY_METRICS[0].values[0], "PathNewtonCG"),
        (Crowd(SPACE), "PathNewtonCG"),
        (Crowd(SPACE) + FISHER_RAO_METRICS[0].values[0], "PathNewtonCG"),
    ],
    ids=repr,
)
def test_the_method_is_chosen_by_structure_and_named(metric, method):
    assert solve(metric).method.startswith(f"{method}: ")


# -- ends, symmetry, distance -----------------------------------------------------------------


@each_solver
@pytest.mark.parametrize("n_steps", [8, 12, 20])
def test_ends_are_exact_and_steps_as_many_as_asked(method, metric, n_steps):
    geo = solve(metric, n_steps=n_steps, method=method)
    assert geo.path.shape == (n_steps + 1, *SPACE.shape)
    assert geo.n_steps == n_steps
    np.testing.assert_array_equal(geo.path[0], START)
    np.testing.assert_array_equal(geo.path[-1], END)


@each_metric
def test_equal_ends(metric):
    geo = gn.geodesic(metric, END, END)
    assert geo.length == geo.distance == geo.energy == geo.error_estimate == 0
    assert geo.certificate.converged
    np.testing.assert_array_equal(geo.path, np.broadcast_to(END, (17, *SPACE.shape)))
    np.testing.assert_array_equal(geo.initial_velocity, 0)
    assert metric.dist(END, END) == 0
    np.testing.assert_array_equal(metric.log(END, END), 0)
    np.testing.assert_array_equal(metric.exp(np.zeros_like(END), END), END)


@each_metric
def test_the_way_back_is_the_same(metric):
    forth, back = solve(metric), solve(metric, END, START)
    assert back.distance == pytest.approx(forth.distance, rel=1e-8)
    np.testing.assert_allclose(back.path, forth.path[::-1], atol=1e-6)
    arriving = -metric.log(START, END)
    half = solve(metric, forth(0.5), END)
    assert metric.norm(arriving, END) == pytest.approx(forth.distance, rel=1e-3)
    assert half.distance == pytest.approx(forth.distance / 2, rel=1e-3)


@each_metric
def test_the_triangle_inequality(metric):
    corners = [START, END, places(seed=4)]
    legs = [solve(metric, corners[i], corners[j]) for i, j in ((0, 1), (1, 2), (0, 2))]
    sides, slack = [g.distance for g in legs], sum(g.error_estimate for g in legs)
    assert min(sides) > 0.01
    for i in range(3):
        assert sides[i] <= sum(sides) - sides[i] + slack


@each_metric
def test_dist_is_the_distance_of_the_geodesic(metric):
    geo = gn.geodesic(metric, START, END, n_steps=metric.n_steps)
    assert metric.dist(START, END) == pytest.approx(geo.distance, rel=1e-14)
    assert metric.squared_dist(START, END) == pytest.approx(geo.distance**2, rel=1e-14)
    np.testing.assert_allclose(metric.log(END, START), geo.initial_velocity, rtol=1e-12)


def test_dist_is_not_the_norm_of_the_log():
    # both tend to the distance, each with an error of its own
    metric = ENERGY_METRICS[1].values[0]
    assert metric.dist(START, END) != metric.norm(metric.log(END, START), START)


@each_metric
def test_no_curve_is_shorter(metric):
    geo, rng = solve(metric), np.random.default_rng(0)
    straight = gn.Curve([START, END])
    bow = geo.path + 0.05 * np.sin(np.pi * np.linspace(0, 1, 17))[:, None, None] * rng.normal(
        size=SPACE.shape
    )
    for curve in (straight, gn.Curve(bow), geo.curve):
        assert geo.excess(curve) >= 1 - geo.error_estimate / geo.distance - 1e-9
        expected = curve.length(metric) / geo.distance
        assert geo.excess(curve) == pytest.approx(expected, rel=1e-12)
    assert geo.excess(gn.Curve(bow)) > 1.0005


@each_metric
def test_length_does_not_depend_on_the_parameter(metric):
    geo = solve(metric, n_steps=8)
    length = geo.curve.length(metric)
    squeezed = gn.Curve(geo.path, np.linspace(0, 1, 9) ** 2)
    assert squeezed.length(metric) == pytest.approx(length, rel=1e-12)
    # the same polygon, cut elsewhere
    cut = gn.Curve(np.insert(geo.path, 3, 0.3 * geo.path[2] + 0.7 * geo.path[3], axis=0))
    assert cut.length(metric) == pytest.approx(length, rel=1e-7)


# -- speed, exp and log -----------------------------------------------------------------------


@each_metric
def test_speed_is_constant_to_second_order(metric):
    variations = [solve(metric, n_steps=n).certificate.speed_variation for n in (16, 32, 64)]
    assert variations[0] <= 0.005
    if variations[0] > 1e-9:
        assert order([16, 32, 64], variations) >= 1.9


@each_metric
def test_energy_is_length_squared_at_constant_speed(metric):
    geo = solve(metric)
    assert geo.energy == pytest.approx(
        geo.length**2, rel=geo.certificate.speed_variation**2 + 1e-13
    )


@each_metric
def test_exp_of_log_returns_at_order_four(metric):
    # order two is owed; two step counts extrapolate it to four
    steps, far = [8, 16, 32], START + 2 * (END - START)
    logs = [solve(metric, START, far, n_steps=n).initial_velocity for n in steps]
    errors = [np.abs(metric.exp(v, START) - far).max() for v in logs]
    assert errors[-1] <= 1e-6
    if errors[0] > 1e-12:
        assert order(steps, errors) == pytest.approx(4, abs=0.6)


@each_metric
def test_log_of_exp_returns(metric):
    vec = 0.5 * metric.log(END, START)
    end = metric.exp(vec, START)
    back = solve(metric, START, end, n_steps=32).initial_velocity
    np.testing.assert_allclose(back, vec, atol=1e-5 * np.abs(vec).max())
    assert solve(metric, START, end, n_steps=32).distance == pytest.approx(
        metric.norm(vec, START), rel=1e-6
    )


@each_metric
def test_exp_runs_at_constant_speed(metric):
    vec = 0.5 * metric.log(END, START)
    for share in (0.25, 0.5):
        way = metric.dist(START, metric.exp(share * vec, START))
        assert way == pytest.approx(share * metric.norm(vec, START), rel=1e-5)


@each_metric
def test_exp_by_itself_is_as_good_as_many_steps(metric):
    vec = metric.log(END, START)
    np.testing.assert_allclose(
        metric.exp(vec, START), metric.exp(vec, START, n_steps=128), atol=1e-8
    )


@each_metric
@pytest.mark.parametrize("size", [1e-6, 1e-9, 1e-13])
def test_exp_of_a_short_vector_is_a_short_way(metric, size):
    # shorter than any share of it that rounding would leave
    vec = size * (END - START)
    np.testing.assert_allclose(metric.exp(vec, START), START + vec, atol=10 * size**2 + 1e-15)


# -- Hamilton's equations ---------------------------------------------------------------------

CURVED = [m for m in METRICS if m.values[0].structure != "flat" and m.id != "fisher_rao_gaussian"]
each_curved_metric = pytest.mark.parametrize("metric", CURVED)


def flow(metric, n_steps, size=3.0):
    """Points and momenta from the identity, at a speed that takes the flow far."""
    velocity = size * (END - START)
    return gn.geodesics.hamiltonian_flow(metric, START, metric.flat(velocity, START), n_steps)


@each_curved_metric
def test_the_flow_solves_hamiltons_equations(metric):
    metric = tiny(metric)
    start = metric.space.identity
    momentum = metric.flat(TINY_END - start, start)
    points, momenta = gn.geodesics.hamiltonian_flow(metric, start, momentum, 64)
    expected = oracles.hamiltonian_flow(metric, start, momentum)
    for found, want in zip((points[-1], momenta[-1]), expected):
        np.testing.assert_allclose(found, want, atol=1e-7 * max(1, np.abs(want).max()))


@each_curved_metric
def test_the_flow_is_of_order_four(metric):
    steps = np.array([8, 16, 32])
    ends = [flow(metric, n, size=1.5)[0][-1] for n in (*steps, 128)]
    errors = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    assert order(steps, errors) == pytest.approx(4, abs=0.4)


@each_curved_metric
def test_energy_is_conserved_to_order_four(metric):
    steps, drifts = [8, 16, 32], []
    for n in steps:
        points, momenta = flow(metric, n)
        energies = np.sum(momenta * metric.sharp(momenta, points), axis=(-2, -1))
        drifts.append(np.abs(energies / energies[0] - 1).max())
    assert 0 < drifts[-1] <= 1e-3
    assert order(steps, drifts) >= 3.5


RADIAL = [m for m in ENERGY_METRICS if isinstance(m.values[0].kernel, gn.geometry.RadialKernel)]


@pytest.mark.parametrize("metric", RADIAL)
def test_momentum_is_conserved_by_radial_kernels(metric):
    _, momenta = flow(metric, 32)
    total = momenta.sum(axis=1)
    assert np.abs(total[0]).max() > 0.1
    np.testing.assert_allclose(total, np.broadcast_to(total[0], total.shape), atol=1e-11)


@pytest.mark.parametrize("metric", RADIAL)
def test_angular_momentum_is_conserved_by_radial_kernels(metric):
    steps, drifts = [16, 32, 64], []
    for n in steps:
        x, p = flow(metric, n)
        turn = np.sum(x[..., 0] * p[..., 1] - x[..., 1] * p[..., 0], axis=1)
        assert abs(turn[0]) > 0.1
        drifts.append(np.abs(turn - turn[0]).max())
    assert drifts[-1] <= 1e-6
    assert order(steps, drifts) >= 3.5


def test_momentum_is_not_conserved_by_features():
    # the control: random features have places of their own
    metric = next(m.values[0] for m in METRICS if m.id == "energy_features")
    total = flow(metric, 32)[1].sum(axis=1)
    assert np.abs(total - total[0]).max() > 1e-3


def test_a_geodesic_follows_the_flow():
    metric = ENERGY_METRICS[1].values[0]
    errors = []
    for n in (16, 32, 64):
        geo = solve(metric, n_steps=n)
        points, _ = gn.geodesics.hamiltonian_flow(
            metric, START, metric.flat(geo.initial_velocity, START), n
        )
        errors.append(np.abs(points - geo.path).max())
    assert errors[-1] <= 1e-4
    assert order([16, 32, 64], errors) == pytest.approx(2, abs=0.3)


def test_the_flow_takes_batches_that_broadcast():
    metric = ENERGY_METRICS[0].values[0]
    x, p = places(3), places(2, 3, seed=1)
    points, momenta = gn.geodesics.hamiltonian_flow(metric, x, p, 4)
    assert points.shape == momenta.shape == (5, 2, 3, *SPACE.shape)
    one = gn.geodesics.hamiltonian_flow(metric, x[1], p[1, 1], 4)
    np.testing.assert_allclose(points[:, 1, 1], one[0], rtol=1e-10)
    np.testing.assert_allclose(momenta[:, 1, 1], one[1], rtol=1e-10)


# -- batches ----------------------------------------------------------------------------------


@one_of_each
def test_dist_log_and_exp_broadcast(metric):
    one, many = END, places(2, seed=2)
    for a, b in ((one, many), (many, one), (many[:, None], many[:1])):
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left, right = (np.broadcast_to(x, (*batch, *SPACE.shape)) for x in (a, b))
        distances, logs = metric.dist(a, b), metric.log(a, b)
        ends = metric.exp(0.5 * logs, b, n_steps=8)
        assert distances.shape == batch
        assert logs.shape == ends.shape == (*batch, *SPACE.shape)
        for i in np.ndindex(batch):
            geo = solve(metric, right[i], left[i])
            assert distances[i] == pytest.approx(geo.distance, rel=1e-8)
            np.testing.assert_allclose(logs[i], geo.initial_velocity, atol=1e-9)
            end = metric.exp(0.5 * logs[i], right[i], n_steps=8)
            np.testing.assert_allclose(ends[i], end, atol=1e-9)
    assert np.shape(metric.dist(one, one)) == ()


@one_of_each
def test_exp_broadcasts_a_vector_over_base_points(metric):
    vec, bases = 0.3 * (END - START), places(2, seed=2)
    many = metric.exp(vec, bases, n_steps=8)
    for end, base in zip(many, bases, strict=True):
        np.testing.assert_allclose(end, metric.exp(vec, base, n_steps=8), atol=1e-10)


@one_of_each
def test_pairwise_distances(metric):
    points = places(4, seed=6)
    matrix = metric.dist_pairwise(points)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 0)
    for i in range(4):
        for j in range(i):
            expected = float(metric.dist(points[j], points[i]))
            assert matrix[i, j] == pytest.approx(expected, rel=1e-12)


def test_pairwise_distances_in_two_processes():
    metric, points = ENERGY_METRICS[1].values[0], places(3, seed=6)
    np.testing.assert_allclose(
        metric.dist_pairwise(points, n_jobs=2), metric.dist_pairwise(points), rtol=1e-12
    )


def test_steps_and_method_behind_dist_are_the_metrics():
    metric = gn.EnergyMetric(SPACE, gn.GaussianKernel(0.8))
    coarse = float(metric.dist(START, END))
    metric.n_steps = 32
    fine = float(metric.dist(START, END))
    assert fine == solve(metric, n_steps=32).distance
    assert 0 < abs(fine - coarse) < 1e-6
    metric.method = gn.geodesics.PathNewtonCG(max_iter=0)
    with pytest.raises(gn.ConvergenceError):
        metric.dist(START, END)


# -- certificates -----------------------------------------------------------------------------


def lowest_of_dense(geo):
    """Lowest eigenvalue of the Hessian relative to the inverse of the preconditioner."""
    state = gn.geometry.PathEnergy(geo.metric).linearise(geo.path)
    units = np.eye(geo.path[1:-1].size).reshape(-1, *geo.path[1:-1].shape)
    hessian = np.array([state.hessian_product(unit).ravel() for unit in units])
    inverse = np.array([state.precondition(unit).ravel() for unit in units])
    return eigh(hessian, np.linalg.inv(inverse), eigvals_only=True)[0]


@pytest.mark.parametrize("metric", CURVED)
def test_the_lowest_eigenvalue_is_that_of_the_dense_problem(metric):
    metric = tiny(metric)
    geo = gn.geodesic(metric, metric.space.identity, TINY_END, n_steps=8)
    lowest, certificate = lowest_of_dense(geo), geo.certificate
    assert certificate.lowest_eigenvalue == pytest.approx(lowest, abs=0.05 * max(abs(lowest), 0.1))
    assert certificate.locally_shortest == (lowest > 0)
    assert 1 <= certificate.lanczos_products <= 40


@pytest.mark.parametrize("name", ["sphere", "half_plane", "gaussian", "landmarks_close"])
def test_the_lowest_eigenvalue_of_geodesics_in_closed_form(name):
    metric, start, end, _ = CLOSED[name]
    geo = gn.geodesic(metric, start, end, n_steps=32)
    lowest = lowest_of_dense(geo)
    assert lowest < 0.7
    assert geo.certificate.lowest_eigenvalue == pytest.approx(lowest, rel=0.05)


def test_the_index_costs_nothing_when_it_is_not_asked_for():
    certificate = solve(ENERGY_METRICS[0].values[0]).certificate
    assert certificate.locally_shortest is None
    assert certificate.lowest_eigenvalue is None
    assert certificate.lanczos_products == 0


def arc(half, n_steps=16):
    """Great circle of length 4 arctan(half) through the south pole, at constant speed."""
    angles = np.arctan(half) * np.linspace(-1, 1, n_steps + 1)
    path = np.stack([np.tan(angles), 0 * angles], axis=-1)[:, None]
    path[[0, -1], 0, 0] = -half, half
    return path


@pytest.mark.parametrize(
    ("half", "shortest"),
    [(0.5, True), (0.8, True), (0.95, True), (1.05, False), (1.2, False), (1.5, False)],
)
def test_arcs_of_the_sphere_are_shortest_up_to_half_a_turn(half, shortest):
    path = arc(half)
    geo = gn.geodesic(Sphere(ONE_POINT), path[0], path[-1], n_steps=64, initial_path=path)
    assert geo.certificate.locally_shortest is shortest
    assert (geo.certificate.lowest_eigenvalue > 0) is shortest
    assert geo.distance == pytest.approx(4 * np.arctan(half), abs=geo.error_estimate)
    assert str(geo.certificate).endswith("locally shortest" if shortest else "not shortest")


@pytest.mark.parametrize("n_steps", [8, 16, 32])
@pytest.mark.parametrize("place", [(1.0, 0.0), (0.42, 0.56), (1.2, -0.9)])
def test_opposite_points_of_the_sphere_are_conjugate(place, n_steps):
    # the lowest eigenvalue is zero up to O(h²), so neither answer is honest
    start = np.array([place])
    end = -start / np.sum(start**2)
    geo = gn.geodesic(Sphere(ONE_POINT), start, end, n_steps=n_steps)
    assert geo.certificate.locally_shortest is None
    assert abs(geo.certificate.lowest_eigenvalue) <= 5 / n_steps**2
    assert geo.distance == pytest.approx(np.pi, abs=geo.error_estimate)
    assert str(geo.certificate).endswith("shortest: unknown")


# -- truth in closed form ---------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [8, 12, 16, 20, 32, 64])
@pytest.mark.parametrize("name", CLOSED)
def test_the_error_estimate_bounds_the_error(name, n_steps):
    metric, start, end, distance = CLOSED[name]
    geo = solve(metric, start, end, n_steps=n_steps)
    assert abs(geo.distance - distance) <= geo.error_estimate + 1e-12
    assert geo.error_estimate <= 50 * distance * (4 / n_steps) ** 2
    if n_steps >= 64:
        assert geo.error_estimate <= 3e-5 * distance


@pytest.mark.parametrize("ridge", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("logit", [1.0, 3.0, 10.0, 20.0])
@pytest.mark.parametrize("n_steps", [8, 32])
def test_the_error_estimate_bounds_the_error_of_bernoulli(n_steps, logit, ridge):
    # a coin from one side to the other; long steps in the flat tails converge very late
    space = gn.FunctionSpace([[-logit]])
    metric = gn.FisherRaoMetric(space, gn.Bernoulli(), gn.Readout([[1.0]]), ridge=ridge)
    distance = 2 * oracles.line_length(
        lambda z: np.sqrt(ridge + 1 / (2 * np.cosh(z / 2)) ** 2), 0, logit
    )
    try:
        geo = solve(metric, space.identity, -space.identity, n_steps=n_steps)
    except gn.ConvergenceError as error:
        geo = error.result
    assert abs(geo.distance - distance) <= geo.error_estimate
    assert geo.length <= distance * (1 + 1e-12)


@pytest.mark.parametrize("curvature", [0.5, 1.0, 3.0])
def test_products_add_squared_distances(curvature):
    space = gn.FunctionSpace([[0.0, 1.0], [1.0, 2.0], [3.0, 0.7]])
    metric = HalfPlane(space, across=1.0, up=1 / curvature)
    end = np.array([[0.5, 1.3], [1.0, 1.1], [2.4, 0.9]])
    squares = [
        metric_distance**2
        for metric_distance in (
            np.sqrt(1 / curvature)
            * np.arccosh(
                1 + ((a[0] - b[0]) ** 2 * curvature + (a[1] - b[1]) ** 2) / (2 * a[1] * b[1])
            )
            for a, b in zip(space.identity, end)
        )
    ]
    geo = solve(metric, space.identity, end, n_steps=32)
    assert geo.distance == pytest.approx(np.sqrt(sum(squares)), rel=1e-6)


def test_straight_lines_of_l2():
    metric = gn.L2Metric(SPACE)
    geo = gn.geodesic(metric, START, END, n_steps=8)
    np.testing.assert_allclose(geo.path, np.linspace(START, END, 9), atol=1e-15)
    np.testing.assert_allclose(geo.initial_velocity, END - START, atol=1e-14)
    assert geo.certificate.observed_order is None
    assert geo.error_estimate <= 1e-15


@pytest.mark.parametrize("shift", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_distances_scale_with_the_units(shift):
    # points, target and width all measured in another unit
    x, y = shift * START, shift * END
    metric = gn.EnergyMetric(gn.FunctionSpace(x), gn.GaussianKernel(0.8 * shift))
    expected = gn.EnergyMetric(SPACE, gn.GaussianKernel(0.8)).dist(START, END)
    geo = gn.geodesic(metric, x, y)
    assert geo.distance == pytest.approx(shift * float(expected), rel=1e-9)
    assert geo.certificate.locally_shortest


# -- starts and failures ----------------------------------------------------------------------


@pytest.mark.parametrize("max_iter", [0, 1])
def test_stopping_early_is_an_error_with_a_result_and_a_remedy(max_iter):
    metric = ENERGY_METRICS[1].values[0]
    with pytest.raises(gn.ConvergenceError) as caught:
        gn.geodesic(metric, START, END, method=gn.geodesics.PathNewtonCG(max_iter=max_iter))
    error, result = caught.value, caught.value.result
    assert isinstance(error, gn.errors.GeomnetError)
    assert isinstance(error, RuntimeError)
    assert f"after {max_iter} iterations" in str(error)
    assert "raise max_iter" in str(error)
    assert "initial_path" in str(error)
    assert result.status in str(error)
    assert not result.certificate.converged
    assert result.certificate.gradient_norm > 1e-8
    assert f"{result.certificate.gradient_norm:.1e} > 1e-08" in str(error)
    assert "NOT CONVERGED" in repr(result)
    np.testing.assert_array_equal(result.path[[0, -1]], [START, END])
    # the remedy: nothing computed is lost
    geo = gn.geodesic(metric, START, END, initial_path=result.path)
    assert geo.distance == pytest.approx(solve(metric).distance, rel=1e-9)


def test_pointwise_solvers_stop_as_loudly():
    metric = FISHER_RAO_METRICS[0].values[0]
    with pytest.raises(gn.ConvergenceError, match=r"after 0 iterations.*raise max_iter") as caught:
        gn.geodesic(metric, START, END, method=gn.geodesics.PointwiseNewton(max_iter=0))
    assert caught.value.result.path.shape == (17, *SPACE.shape)


def test_a_finer_tolerance_is_kept_and_costs_more():
    metric, costs = ENERGY_METRICS[0].values[0], []
    for tol in (1e-2, 1e-5, 1e-11):
        certificate = solve(metric, method=gn.geodesics.PathNewtonCG(tol=tol)).certificate
        assert certificate.gradient_norm <= tol == certificate.tolerance
        costs.append(certificate.gradient_evaluations + certificate.hessian_products)
    assert costs[0] < costs[1] < costs[2]


def test_steps_that_do_not_resolve_the_path_are_an_error():
    space = gn.FunctionSpace([[-20.0]])
    metric = gn.FisherRaoMetric(space, gn.Bernoulli(), gn.Readout([[1.0]]), ridge=1e-4)
    with pytest.raises(gn.ConvergenceError, match=r"speed still varies.*raise n_steps") as caught:
        gn.geodesic(metric, [[-20.0]], [[20.0]], n_steps=16)
    assert caught.value.result.certificate.gradient_norm <= 1e-8
    geo = gn.geodesic(metric, [[-20.0]], [[20.0]], n_steps=128)
    assert geo.certificate.speed_variation <= 0.05


@one_of_each
@pytest.mark.parametrize("n_states", [2, 3, 5, 17, 30])
def test_any_path_between_the_ends_is_a_start(metric, n_states):
    times = np.linspace(0, 1, n_states)[:, None, None]
    path = START + times * (END - START) + 0.1 * np.sin(np.pi * times) * (START - 0.3)
    path[-1] = END + 1e-12
    before = path.copy()
    geo = solve(metric, initial_path=path)
    np.testing.assert_array_equal(path, before)
    assert geo.distance == pytest.approx(solve(metric).distance, rel=1e-8)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path + np.linspace(0, 1e-3, 9)[:, None, None], "end"),
        (lambda path: path + np.linspace(1e-3, 0, 9)[:, None, None], "start"),
        (lambda path: path[::-1], "start"),
        (lambda path: path[:1], "two states"),
        (lambda path: path[:, :4], "shape"),
        (lambda path: path[0], "shape"),
        (lambda path: np.where(np.arange(9)[:, None, None] == 4, np.nan, path), "NaN"),
        (lambda path: path.astype(complex), "complex"),
        (lambda path: path.astype(object), "object"),
    ],
    ids=["end", "start", "backwards", "one", "points", "axes", "nan", "complex", "object"],
)
def test_other_initial_paths_are_refused(change, says):
    path = np.linspace(START, END, 9)
    with pytest.raises(gn.InputError, match=f"^initial_path: .*{says}"):
        solve(ENERGY_METRICS[0].values[0], initial_path=change(path))


@one_of_each
@pytest.mark.parametrize("n_steps", [0, -8, 4, 6, 10, 18, 16.0, "16", None, True])
def test_steps_are_a_multiple_of_four_at_least_eight(metric, n_steps):
    with pytest.raises(gn.InputError, match=r"^n_steps: expected a multiple of 4, at least 8"):
        gn.geodesic(metric, START, END, n_steps=n_steps)


BAD_MAPS = {
    "nan": np.where(START > 1, np.nan, START),
    "infinite": np.where(START > 1, np.inf, START),
    "fewer": START[:4],
    "transposed": START.T,
    "flat": START.ravel(),
    "complex": START + 0j,
    "object": START.astype(object),
    "text": START.astype(str),
    "ragged": [[0.0], [1.0, 2.0]],
    "none": None,
}
each_bad_map = pytest.mark.parametrize("bad", BAD_MAPS.values(), ids=BAD_MAPS)


@each_bad_map
@pytest.mark.parametrize("argument", ["start", "end"])
def test_bad_ends_are_refused_by_name(argument, bad):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        gn.geodesic(gn.L2Metric(SPACE), **{"start": START, "end": END, argument: bad})


def test_a_batch_of_ends_is_refused():
    with pytest.raises(gn.InputError, match=r"^end: .*shape"):
        gn.geodesic(gn.L2Metric(SPACE), START, places(3))


@each_bad_map
@one_of_each
def test_bad_maps_are_refused_by_dist_log_and_exp(metric, bad):
    calls = [
        ("point_a", lambda: metric.dist(bad, END)),
        ("point_b", lambda: metric.dist(END, bad)),
        ("point", lambda: metric.log(bad, END)),
        ("base_point", lambda: metric.log(END, bad)),
        ("tangent_vec", lambda: metric.exp(bad, END)),
        ("base_point", lambda: metric.exp(END, bad)),
        ("points", lambda: metric.dist_pairwise([END, bad])),
    ]
    for name, call in calls:
        with pytest.raises(gn.InputError, match=name):
            call()


@one_of_each
def test_batches_that_do_not_broadcast_are_refused(metric):
    for call in (
        lambda: metric.dist(places(2), places(3)),
        lambda: metric.log(places(2), places(3)),
        lambda: metric.exp(places(2), places(3)),
    ):
        with pytest.raises(gn.InputError, match=r"\(2, 5, 2\).*\(3, 5, 2\)"):
            call()


def test_lists_and_integers_are_maps_too():
    geo = gn.geodesic(gn.L2Metric(LINE), [[-1], [1]], [[0], [3]])
    assert geo.path.dtype == np.float64
    assert geo.distance == pytest.approx(np.sqrt(2.5))


@pytest.mark.parametrize("method", ["newton", gn.geodesics.PathNewtonCG, 3, SPACE], ids=repr)
def test_what_is_no_method_is_refused(method):
    with pytest.raises(gn.InputError, match=r"^method: .*PathNewtonCG\(\)"):
        gn.geodesic(gn.L2Metric(SPACE), START, END, method=method)


@pytest.mark.parametrize(
    ("method", "metric"),
    [
        (gn.geodesics.StraightLine(), ENERGY_METRICS[0].values[0]),
        (gn.geodesics.StraightLine(), FISHER_RAO_METRICS[0].values[0]),
        (gn.geodesics.PointwiseNewton(), ENERGY_METRICS[0].values[0]),
        (gn.geodesics.PointwiseNewton(), gn.L2Metric(SPACE)),
        (gn.geodesics.PointwiseNewton(), 2.0 * FISHER_RAO_METRICS[0].values[0]),
    ],
    ids=lambda member: type(member).__name__,
)
def test_a_method_that_does_not_fit_the_metric_says_so(method, metric):
    with pytest.raises(gn.InputError, match=rf"^method: {type(method).__name__} .*PathNewtonCG"):
        gn.geodesic(metric, START, END, method=method)


@pytest.mark.parametrize(
    ("method", "options", "argument"),
    [
        (gn.geodesics.PathNewtonCG, {"tol": 0.0}, "tol"),
        (gn.geodesics.PathNewtonCG, {"tol": np.nan}, "tol"),
        (gn.geodesics.PathNewtonCG, {"max_iter": -1}, "max_iter"),
        (gn.geodesics.PathNewtonCG, {"max_iter": 2.5}, "max_iter"),
        (gn.geodesics.PathNewtonCG, {"max_products": 0}, "max_products"),
        (gn.geodesics.PointwiseNewton, {"tol": "small"}, "tol"),
        (gn.geodesics.PointwiseNewton, {"max_iter": None}, "max_iter"),
        (gn.geodesics.StraightLine, {"tol": -1e-8}, "tol"),
    ],
)
def test_bad_tolerances_are_refused(method, options, argument):
    with pytest.raises(gn.InputError, match=f"^{argument}: "):
        method(**options)


@pytest.mark.parametrize("metric", ["l2", None, gn.L2Metric, SPACE], ids=repr)
def test_what_is_no_metric_is_refused(metric):
    with pytest.raises(gn.InputError, match=r"^metric: .*L2Metric"):
        gn.geodesic(metric, START, END)


@pytest.mark.parametrize("n_steps", [0, -1, 2.0])
def test_the_flow_takes_whole_steps(n_steps):
    with pytest.raises(gn.InputError, match=r"^n_steps: "):
        gn.geodesics.hamiltonian_flow(gn.L2Metric(SPACE), START, END, n_steps)
    with pytest.raises(gn.InputError, match=r"^n_steps: "):
        ENERGY_METRICS[0].values[0].exp(END, START, n_steps=n_steps)


@each_bad_map
def test_the_flow_refuses_bad_starts(bad):
    with pytest.raises(gn.InputError, match=r"^point: "):
        gn.geodesics.hamiltonian_flow(gn.L2Metric(SPACE), bad, END, 4)
    with pytest.raises(gn.InputError, match=r"^momentum: "):
        gn.geodesics.hamiltonian_flow(gn.L2Metric(SPACE), START, bad, 4)


def test_an_exponential_that_leaves_the_domain_is_an_error():
    # in the half-plane's chart this metric ends at height zero after finite length
    class Cliff(gn.Metric):
        def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
            return (tangent_vec_a * tangent_vec_b / base_point**0.5).sum(axis=(-2, -1))

        def flat(self, tangent_vec, base_point):
            return tangent_vec / np.asarray(base_point) ** 0.5

        def sharp(self, cotangent_vec, base_point):
            return cotangent_vec * np.asarray(base_point) ** 0.5

        def quadratic_gradient(self, tangent_vec, base_point):
            return -0.5 * tangent_vec**2 / np.asarray(base_point) ** 1.5

    metric = Cliff(gn.FunctionSpace([[1.0]]))
    with pytest.raises(
        gn.errors.DomainError, match=r"^tangent_vec: .*t = 0\.266667.*shorter tangent_vec"
    ):
        metric.exp([[-5.0]], [[1.0]])


# -- results ----------------------------------------------------------------------------------


def test_a_geodesic_is_a_function_of_time():
    metric = ENERGY_METRICS[1].values[0]
    geo = solve(metric)
    np.testing.assert_array_equal(geo(0), START)
    np.testing.assert_allclose(geo(1), END, rtol=1e-14)
    times = np.linspace(0, 1, 17)
    assert geo(times).shape == (17, *SPACE.shape)
    np.testing.assert_allclose(geo(times), geo.path, atol=1e-14)
    assert geo(0.3).shape == SPACE.shape


def test_interpolation_is_of_order_four():
    # between the states of samples of one smooth path
    metric = ENERGY_METRICS[1].values[0]
    geo = solve(metric, n_steps=128)
    times, errors = np.linspace(0, 1, 57), []
    steps = [8, 16, 32]
    for n in steps:
        errors.append(np.abs(replace(geo, path=geo.path[:: 128 // n])(times) - geo(times)).max())
    assert order(steps, errors) >= 3.5


@pytest.mark.parametrize("t", [-0.1, 1.0001, [0.5, 2.0], np.nan, [0.5, np.nan]])
def test_times_outside_are_refused(t):
    with pytest.raises(gn.InputError, match=r"^t: "):
        solve(gn.L2Metric(SPACE))(t)


def test_the_curve_is_the_polygon_of_the_path():
    geo = solve(ENERGY_METRICS[1].values[0])
    assert isinstance(geo.curve, gn.Curve)
    np.testing.assert_array_equal(geo.curve.states, geo.path)
    assert geo.curve.length(geo.metric) == pytest.approx(geo.distance, rel=1e-3)


def test_excess_of_other_curves_is_refused():
    geo = solve(gn.L2Metric(SPACE))
    with pytest.raises(gn.InputError, match=r"^curve: its start"):
        geo.excess(gn.Curve([END, END]))
    with pytest.raises(gn.InputError, match=r"^curve: its end"):
        geo.excess(gn.Curve([START, START]))
    with pytest.raises(gn.InputError, match=r"^curve: its start"):
        geo.excess(gn.Curve([START[:2], END[:2]]))


def test_excess_over_no_distance():
    geo = gn.geodesic(gn.L2Metric(SPACE), START, START)
    assert geo.excess(gn.Curve([START, START])) == 1.0
    assert geo.excess(gn.Curve([START, END, START])) == np.inf


@one_of_each
def test_results_are_the_same_every_time(metric):
    first, again = gn.geodesic(metric, START, END), gn.geodesic(metric, START, END)
    np.testing.assert_array_equal(first.path, again.path)
    np.testing.assert_array_equal(first.initial_velocity, again.initial_velocity)
    assert first.certificate == again.certificate
    assert repr(first) == repr(again)


def test_repr_tells_the_distance_its_error_and_the_certificate():
    geo = gn.geodesic(ENERGY_METRICS[1].values[0], START, END)
    for part in (
        f"{geo.distance:.8g} ± {geo.error_estimate:.1e}",
        "n_steps=16, n=5, dim=2",
        "converged",
        "locally shortest",
        "PathNewtonCG",
    ):
        assert part in repr(geo)


@one_of_each
def test_save_and_load(metric, tmp_path):
    geo = gn.geodesic(metric, START, END)
    geo.save(tmp_path / "geodesic.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["geodesic.npz"]
    loaded = gn.geodesics.Geodesic.load(tmp_path / "geodesic.npz")
    for name in ("path", "initial_velocity"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(geo, name))
    for name in ("length", "distance", "energy", "certificate", "status", "method"):
        assert getattr(loaded, name) == getattr(geo, name)
    assert loaded.metric is None
    assert repr(loaded) == repr(geo)
    np.testing.assert_array_equal(loaded(0.3), geo(0.3))
    with pytest.raises(gn.InputError, match=r"^metric: .*loaded"):
        loaded.excess(geo.curve)


def no_geodesics(folder):
    """Files that hold no geodesic, by name."""
    geo = gn.geodesic(gn.L2Metric(LINE), LINE.identity, LINE.identity + 1)
    geo.save(folder / "good.npz")
    good = (folder / "good.npz").read_bytes()
    arrays = {"path": np.zeros((9, 1, 1)), "initial_velocity": np.zeros((1, 1))}
    np.save(folder / "array.npy", np.zeros(3))
    np.savez(folder / "other.npz", points=np.zeros((3, 2)))
    np.savez(folder / "headless.npz", **arrays)
    np.savez(folder / "list.npz", **arrays, header="[1]")
    np.savez(folder / "text.npz", **arrays, header="not json")
    np.savez(folder / "bare.npz", **arrays, header='{"length": 1.0}')
    np.savez(folder / "empty_certificate.npz", **arrays, header='{"certificate": {}}')
    np.savez(
        folder / "pickled.npz", **{**arrays, "path": np.array([{}], dtype=object)}, header="{}"
    )
    (folder / "text.txt").write_text("a geodesic")
    (folder / "nothing.npz").write_bytes(b"")
    (folder / "cut.npz").write_bytes(good[: len(good) // 2])
    middle = len(good) // 3
    (folder / "damaged.npz").write_bytes(good[:middle] + b"\x00" * 40 + good[middle + 40 :])
    return ["missing.npz", ".", *sorted(p.name for p in folder.iterdir() if p.stem != "good")]


def test_files_that_hold_no_geodesic_are_refused(tmp_path):
    names = no_geodesics(tmp_path)
    assert len(names) == 14
    for name in names:
        with pytest.raises(gn.InputError, match=r"^path: .*no saved geodesic"):
            gn.geodesics.Geodesic.load(tmp_path / name)
    with pytest.raises(gn.InputError, match=r"^path: "):
        gn.geodesics.Geodesic.load(None)
    assert gn.geodesics.Geodesic.load(tmp_path / "good.npz").distance == pytest.approx(1)


def test_a_folder_that_is_missing_is_told(tmp_path):
    geo = solve(gn.L2Metric(SPACE))
    with pytest.raises(gn.InputError, match=r"^path: cannot write"):
        geo.save(tmp_path / "missing" / "geodesic.npz")
    assert list(tmp_path.iterdir()) == []


# -- geomstats' log solver --------------------------------------------------------------------


@one_of_each
def test_the_log_solver_solves_for_logs(metric):
    space = gn.FunctionSpace(SPACE.sample)
    space.metric = metric
    solver = gn.LogSolver(space)
    many = places(2, seed=3)
    for point, base in ((END, START), (many, START), (END, many), (many, places(2, seed=4))):
        np.testing.assert_allclose(
            solver.log(point, base), metric.log(point, base), rtol=1e-12, atol=1e-15
        )


def test_the_log_solver_reads_the_metric_when_called():
    space = gn.FunctionSpace(SPACE.sample)
    solver = gn.LogSolver(space)
    space.equip_with_metric(gn.L2Metric)
    np.testing.assert_allclose(solver.log(END, START), END - START, atol=1e-14)
    space.equip_with_metric(gn.EnergyMetric, kernel=gn.GaussianKernel(0.8))
    expected = space.metric.log(END, START)
    assert np.abs(expected - (END - START)).max() > 1e-3
    np.testing.assert_allclose(solver.log(END, START), expected, rtol=1e-12)


def test_the_log_solver_passes_its_options():
    space = gn.FunctionSpace(SPACE.sample)
    space.equip_with_metric(gn.EnergyMetric, kernel=gn.GaussianKernel(0.8))
    fine = gn.LogSolver(space, n_steps=32).log(END, START)
    np.testing.assert_array_equal(fine, solve(space.metric, n_steps=32).initial_velocity)
    with pytest.raises(gn.ConvergenceError):
        gn.LogSolver(space, method=gn.geodesics.PathNewtonCG(max_iter=0)).log(END, START)


@each_bad_map
def test_the_log_solver_refuses_bad_maps(bad):
    space = gn.FunctionSpace(SPACE.sample)
    space.equip_with_metric(gn.L2Metric)
    with pytest.raises(gn.InputError, match=r"^point: "):
        gn.LogSolver(space).log(bad, START)
    with pytest.raises(gn.InputError, match=r"^base_point: "):
        gn.LogSolver(space).log(END, bad)
