"""The discrete path energy: by loops, its derivatives by differences, its orders, its solver."""

import numpy as np
import oracles
import pytest
from cases import CLOSED, END, METRICS, SPACE

import geomnet as gn

START = SPACE.identity
each_metric = pytest.mark.parametrize("metric", METRICS)
CURVED = [name for name in CLOSED if name != "l2"]


def rough_path(n_steps=4, seed=0):
    """A path from the identity to END that is no geodesic."""
    rng = np.random.default_rng(seed)
    path = np.linspace(SPACE.identity, END, n_steps + 1)
    path[1:-1] += 0.05 * rng.normal(size=path[1:-1].shape)
    return path


def smooth_path(n_steps):
    """Samples of one smooth curve, at a speed that varies."""
    t = np.linspace(0, 1, n_steps + 1)[:, None, None]
    x = SPACE.identity
    return x + 0.6 * t * np.sin(x[:, ::-1] + t) + 0.2 * t**2


def energy_of(metric, path):
    """The naive energy as a function of the interior states."""
    return lambda interior: oracles.path_energy(
        metric, np.concatenate([path[:1], interior, path[-1:]])
    )


def interior_vector(path, seed=3):
    return np.random.default_rng(seed).normal(size=path[1:-1].shape)


# -- energy and derivatives -------------------------------------------------------------------


@each_metric
def test_energy_is_its_definition(metric):
    path = rough_path()
    expected = oracles.path_energy(metric, path)
    state = gn.geometry.PathEnergy(metric).linearise(path)
    assert state.energy == pytest.approx(expected, rel=1e-10)
    assert gn.geometry.PathEnergy(metric).value(path) == pytest.approx(expected, rel=1e-10)
    assert state.step_lengths.shape == (4,)
    assert 4 * np.sum(state.step_lengths**2) == pytest.approx(expected, rel=1e-10)


@each_metric
def test_gradient_is_the_difference_quotient_of_the_definition(metric):
    path = rough_path()
    expected = oracles.numerical_gradient(energy_of(metric, path), path[1:-1])
    gradient = gn.geometry.PathEnergy(metric).linearise(path).gradient
    np.testing.assert_allclose(gradient, expected, atol=1e-8 * np.abs(expected).max())


@each_metric
def test_hessian_products_are_second_differences_of_the_definition(metric):
    path = rough_path()
    energy, z, h = energy_of(metric, path), path[1:-1], 1e-3
    state = gn.geometry.PathEnergy(metric).linearise(path)
    for seed in (3, 4):
        d = interior_vector(path, seed)
        second = (
            -energy(z + 2 * h * d)
            + 16 * energy(z + h * d)
            - 30 * energy(z)
            + 16 * energy(z - h * d)
            - energy(z - 2 * h * d)
        ) / (12 * h**2)
        assert np.vdot(d, state.hessian_product(d)) == pytest.approx(second, rel=1e-6)


@each_metric
def test_hessian_products_are_differences_of_the_gradient(metric):
    path = rough_path()
    d = interior_vector(path)

    def gradient(t):
        moved = path.copy()
        moved[1:-1] += t * d
        return gn.geometry.PathEnergy(metric).linearise(moved).gradient

    expected = oracles.central_difference(gradient, 0.0, 1.0)
    product = gn.geometry.PathEnergy(metric).linearise(path).hessian_product(d)
    np.testing.assert_allclose(product, expected, atol=1e-7 * np.abs(expected).max())


@each_metric
def test_initial_momentum_is_the_pull_at_the_start(metric):
    path = rough_path()

    def energy(start):
        return oracles.path_energy(metric, np.concatenate([[start], path[1:]]))

    expected = -0.5 * oracles.numerical_gradient(energy, path[0])
    momentum = gn.geometry.PathEnergy(metric).linearise(path).initial_momentum
    np.testing.assert_allclose(momentum, expected, atol=1e-8 * np.abs(expected).max())


# -- preconditioner ---------------------------------------------------------------------------


def dense(product, path):
    """Matrix of a linear map of interior vectors, column by column."""
    units = np.eye(path[1:-1].size).reshape(-1, *path[1:-1].shape)
    return np.array([product(unit).ravel() for unit in units]).T


@pytest.mark.parametrize("metric", [m for m in METRICS if not hasattr(m.values[0], "terms")])
def test_the_preconditioner_inverts_the_frozen_stiffness(metric):
    path = rough_path()
    state = gn.geometry.PathEnergy(metric).linearise(path)
    product = dense(state.precondition, path) @ oracles.stiffness(metric, path)
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-8)


@pytest.mark.parametrize("metric", [m for m in METRICS if hasattr(m.values[0], "terms")])
def test_the_preconditioner_of_sums_is_positive_and_below_the_frozen_stiffness(metric):
    # the inverse stiffness of one term is at least that of all
    path = rough_path()
    state = gn.geometry.PathEnergy(metric).linearise(path)
    inverse = dense(state.precondition, path)
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-12 * np.abs(inverse).max())
    root = np.linalg.cholesky(oracles.stiffness(metric, path))
    lowest = np.linalg.eigvalsh(root.T @ inverse @ root)[0]
    assert lowest >= 1 - 1e-8


@pytest.mark.parametrize("weight", [0.01, 1.0, 10.0, 30.0, 100.0])
@pytest.mark.parametrize("place", ["rough", "smooth", "shifted"])
def test_the_term_nearest_to_the_sum_preconditions_it(place, weight):
    # in either order, and whichever term holds more of the energy
    first = weight * gn.L2Metric(SPACE)
    second = gn.EnergyMetric(SPACE, gn.GaussianKernel(1.7))
    path = {
        "rough": rough_path(),
        "smooth": smooth_path(4),
        "shifted": np.linspace(START, START + np.array([0.5, 0.3]), 5),
    }[place]
    root = np.linalg.cholesky(oracles.stiffness(first + second, path))

    def spread(metric):
        inverse = dense(gn.geometry.PathEnergy(metric).linearise(path).precondition, path)
        values = np.linalg.eigvalsh(root.T @ inverse @ root)
        return values[-1] / values[0]

    best, worst = sorted(spread(metric) for metric in (first, second))
    assert worst > 1.2 * best
    for metric in (first + second, second + first):
        assert spread(metric) <= 1.2 * best


@each_metric
def test_gradient_norm_is_measured_by_the_inverse_stiffness(metric):
    path = rough_path()
    state = gn.geometry.PathEnergy(metric).linearise(path)
    g = state.gradient.ravel()
    square = g @ dense(state.precondition, path) @ g
    assert state.gradient_norm == pytest.approx(np.sqrt(square / state.energy), rel=1e-10)


def test_gradient_norm_has_no_units():
    # nor does it depend on how finely one curve is cut
    metric = METRICS[1].values[0]
    norms = [
        gn.geometry.PathEnergy(metric).linearise(smooth_path(n)).gradient_norm for n in (8, 16, 64)
    ]
    assert norms[1] == pytest.approx(norms[0], rel=0.05)
    assert norms[2] == pytest.approx(norms[1], rel=0.05)
    scaled = gn.geometry.PathEnergy(100.0 * metric).linearise(smooth_path(8)).gradient_norm
    assert scaled == pytest.approx(norms[0], rel=1e-9)


@each_metric
def test_stiffness_is_most_of_the_hessian(metric):
    # relative to it the Hessian is the identity and a compact part: eigenvalues cluster at 1
    path = smooth_path(8)
    state = gn.geometry.PathEnergy(metric).linearise(path)
    hessian = dense(state.hessian_product, path)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-9 * np.abs(hessian).max())
    root = np.linalg.cholesky(oracles.stiffness(metric, path))
    values = np.linalg.eigvalsh(np.linalg.solve(root, np.linalg.solve(root, hessian).T))
    assert np.median(values) == pytest.approx(1, abs=0.05)


# -- domain -----------------------------------------------------------------------------------


def test_paths_that_leave_the_domain_have_infinite_energy():
    energy = gn.geometry.PathEnergy(gn.EnergyMetric(SPACE, gn.GaussianKernel(1.0)))
    inside = rough_path()
    # at the middle of the first step points 0 and 1 meet
    meeting = inside.copy()
    meeting[1, 1] = inside[0, 0] + inside[1, 0] - inside[0, 1]
    nowhere = inside.copy()
    nowhere[1, 0, 0] = np.nan
    assert np.isfinite(energy.value(inside))
    assert energy.linearise_or_none(inside).energy == energy.value(inside)
    for outside in (meeting, nowhere):
        assert energy.value(outside) == np.inf
        assert energy.linearise_or_none(outside) is None
    with pytest.raises(gn.errors.SingularKernelError):
        energy.linearise(meeting)


# -- orders -----------------------------------------------------------------------------------


def order(steps, errors):
    return -np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0]


@each_metric
def test_energy_and_length_of_a_curve_are_of_order_two(metric):
    steps = np.array([16, 32, 64])
    energy = gn.geometry.PathEnergy(metric)
    states = [energy.linearise(smooth_path(n)) for n in (*steps, 512)]
    for read in (lambda s: s.energy, lambda s: s.step_lengths.sum()):
        *coarse, fine = (read(s) for s in states)
        # the finest is itself off by a share (64/512)² of the last error
        assert order(steps, np.array(coarse) - fine) == pytest.approx(2, abs=0.06)


@pytest.mark.parametrize("name", CURVED)
def test_order_two_of_the_length_and_four_of_the_distance(name):
    metric, start, end, distance = CLOSED[name]
    steps = [64, 128, 256]
    found = [gn.geodesic(metric, start, end, n_steps=n, certify_index=False) for n in steps]
    assert order(steps, [g.length - distance for g in found]) == pytest.approx(2, abs=0.02)
    coarse = [gn.geodesic(metric, start, end, n_steps=n, certify_index=False) for n in (32, 64)]
    errors = [g.distance - distance for g in (*coarse, found[1])]
    assert order([32, 64, 128], errors) == pytest.approx(4, abs=0.1)


# -- landmarks of reference.md ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["landmarks_near", "landmarks_close"])
def test_two_landmarks_on_a_line(name):
    metric, start, end, distance = CLOSED[name]
    # the gap x moves in ds² = dx²/2(1 − k(x))
    gaps = abs(start[1][0] - start[0][0]), abs(end[1][0] - end[0][0])
    by_quadrature = oracles.line_length(
        lambda x: 1 / np.sqrt(-2 * np.expm1(-(x**2) / 2)), gaps[1], gaps[0]
    )
    assert distance == pytest.approx(by_quadrature, abs=1e-11)
    geo = gn.geodesic(metric, start, end, n_steps=64)
    assert geo.distance == pytest.approx(distance, abs=1e-6)


def fifty_landmarks():
    angles = 2 * np.pi * np.arange(50) / 50
    x, y = np.cos(angles), np.sin(angles)
    turn = 0.6 * np.exp(-(x**2 + y**2) / 1.5)
    target = np.stack(
        [
            1.3 * (np.cos(turn) * x - np.sin(turn) * y) + 0.2,
            0.8 * (np.sin(turn) * x + np.cos(turn) * y) + 0.15 * x**2,
        ],
        axis=-1,
    )
    space = gn.FunctionSpace(np.stack([x, y], axis=-1))
    return gn.EnergyMetric(space, gn.GaussianKernel(0.2)), space.identity, target


def test_fifty_landmarks_at_forty_steps():
    geo = gn.geodesic(*fifty_landmarks(), n_steps=40)
    certificate = geo.certificate
    assert geo.distance == pytest.approx(1.641079, abs=2e-6)
    assert geo.length == pytest.approx(1.6410930, abs=1e-6)
    assert abs(geo.distance - 1.641079) <= certificate.error_estimate + 5e-7
    assert certificate.gradient_norm <= 1e-8
    assert certificate.gradient_evaluations + certificate.hessian_products <= 40
    assert certificate.observed_order == pytest.approx(2, abs=0.1)
    assert certificate.locally_shortest


@pytest.mark.parametrize(("n_steps", "length"), [(20, 1.6411362), (80, 1.6410821)])
def test_fifty_landmarks_at_other_steps(n_steps, length):
    geo = gn.geodesic(*fifty_landmarks(), n_steps=n_steps, certify_index=False)
    certificate = geo.certificate
    assert geo.length == pytest.approx(length, abs=1e-6)
    assert certificate.gradient_norm <= 1e-8
    assert certificate.gradient_evaluations + certificate.hessian_products <= 40
    if n_steps == 80:
        assert abs(geo.length - 1.641079) <= 1e-5
        assert geo.distance == pytest.approx(1.641079, abs=1e-6)
