"""SpectralPath, the default in charts: truth, bounds, convergence; laws of distances."""

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import (
    ALL_CHARTS,
    CHARTS,
    DERIVATIVES,
    SMALL_CHARTS,
    lift,
    sphere_chart,
)

import geomnet as gn
from geomnet.geodesics.spectral.legendre import basis, evaluate

ROUNDING = 1e-14  # of the closed forms themselves

each_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)


each_small = pytest.mark.parametrize("chart", SMALL_CHARTS.values(), ids=SMALL_CHARTS)


each_source = pytest.mark.parametrize("derivatives", DERIVATIVES)


# -- the truth --------------------------------------------------------------------------------


@each_chart
@each_source
def test_the_default_is_right_to_eight_digits_and_bounds_its_error(chart, derivatives):
    geo = gn.geodesic(chart.metric(derivatives), chart.start, chart.end)
    error = abs(geo.distance - chart.distance)
    assert error <= 1e-8 * chart.distance
    assert error <= geo.error_estimate <= 1e-8 * chart.distance
    assert geo.certificate.converged
    assert geo.certificate.gradient_norm <= 1e-8
    assert geo.certificate.is_minimising == "locally"
    assert geo.method.startswith(f"SpectralPath: a metric matrix in {chart.dim} coordinates")
    assert ("finite differences" in geo.method) is (derivatives == "finite differences")


@pytest.mark.parametrize("name", CHARTS)
def test_random_pairs_are_right_and_their_errors_bounded(name):
    chart = CHARTS[name]
    metric, missed, wrong = chart.metric(), [], []
    starts, ends = chart.pairs(100, seed=21)
    for i, (start, end) in enumerate(zip(starts, ends)):
        geo = gn.geodesic(metric, start, end, certify_index=False)
        truth = chart.between(start, end)
        error = abs(geo.distance - truth)
        if error > geo.error_estimate + ROUNDING * truth:
            missed.append(i)
        if error > 1e-8 * truth:
            wrong.append(i)
    assert (missed, wrong) == ([], [])


@pytest.mark.parametrize("name", ["tangled", "spd3", "paraboloid2"])
def test_collocation_on_the_geodesic_equation_finds_the_same(name):
    chart = ALL_CHARTS[name]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end)
    distance, velocity = oracles.geodesic_by_collocation(chart.matrix, chart.start, chart.end)
    assert geo.distance == pytest.approx(distance, rel=1e-8)
    np.testing.assert_allclose(geo.initial_velocity, velocity, atol=1e-5 * np.abs(velocity).max())


@pytest.mark.parametrize("name", CHARTS)
def test_errors_fall_exponentially_with_the_degree(name):
    chart = CHARTS[name]
    metric, errors = chart.metric(), []
    degrees = [6, 8, 10, 12, 14, 16, 18, 20]
    for degree in degrees:
        method = gn.geodesics.SpectralPath(max_degree=degree)
        try:
            geo = gn.geodesic(metric, chart.start, chart.end, method=method)
        except gn.ConvergenceError as error:
            geo = error.result  # the degree is not enough, and that is said
            assert "raise max_degree" in geo.status
        errors.append(abs(geo.distance / chart.distance - 1))
        assert errors[-1] <= geo.error_estimate / chart.distance + ROUNDING
    falling = [(d, e) for d, e in zip(degrees, errors) if e > 1e-12]
    if len(falling) > 2:
        d, e = np.log(falling)[:, 0], np.log(falling)[:, 1]
        by_degree = np.polyfit(np.exp(d), e, 1)
        assert by_degree[0] < -0.5  # a factor e for every two degrees, at least
    assert errors[-1] < 1e-6
    assert errors[degrees.index(12)] < 1e-5


@pytest.mark.parametrize("n_steps", [8, 16, 64])
def test_the_number_of_steps_only_says_where_the_path_is_reported(n_steps):
    chart = CHARTS["half_plane"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end, n_steps)
    same = gn.geodesic(chart.metric(), chart.start, chart.end)
    assert geo.path.shape == (n_steps + 1, 2)
    assert geo.distance == same.distance
    np.testing.assert_array_equal(geo.path, geo(np.linspace(0, 1, n_steps + 1)))
    np.testing.assert_array_equal(geo.coefficients, same.coefficients)


# -- the polynomial ---------------------------------------------------------------------------


@each_small
def test_the_polynomial_minimises_the_naive_energy(chart):
    method = gn.geodesics.SpectralPath(max_degree=8)
    try:
        geo = gn.geodesic(chart.metric(), chart.start, chart.end, method=method)
    except gn.ConvergenceError as error:
        geo = error.result
    c = geo.coefficients

    def energy(c):
        return oracles.polynomial_energy(chart.matrix, chart.start, chart.end, c)

    # Gauss nodes make an energy of their own, near the true one
    level = energy(c)
    assert level == pytest.approx(geo.distance**2, rel=1e-4)
    rng = np.random.default_rng(0)
    for _ in range(3):
        bump = 1e-3 * np.abs(c).max() * rng.normal(size=c.shape)
        up, down = energy(c + bump), energy(c - bump)
        assert up + down > 2 * level
        assert abs(up - down) < 0.05 * (up + down - 2 * level)


def test_basis_functions_vanish_at_the_ends_with_orthonormal_slopes():
    b = basis(9)
    np.testing.assert_allclose(b.slopes.T @ (b.weights[:, None] * b.slopes), np.eye(8), atol=1e-13)
    assert b.weights.sum() == pytest.approx(1)
    c = np.random.default_rng(0).normal(size=(8, 3))
    start, end = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.5, 0.0])
    points, _ = evaluate(start, end, c, np.array([0.0, 1.0]))
    np.testing.assert_allclose(points, [start, end], atol=1e-13)


def test_paths_are_the_polynomials_of_their_coefficients():
    chart = CHARTS["sphere2"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end)
    naive = oracles.polynomial_path(chart.start, chart.end, geo.coefficients)
    for t in (0.0, 0.1, 0.5, 0.77, 1.0):
        np.testing.assert_allclose(geo(t), [p(t) for p in naive], atol=1e-10)
        np.testing.assert_allclose(geo.velocity(t), [p.deriv()(t) for p in naive], atol=1e-9)


@each_small
def test_a_geodesic_is_a_function_of_time_at_constant_speed(chart):
    metric = chart.metric()
    geo = gn.geodesic(metric, chart.start, chart.end)
    times = np.linspace(0, 1, 11)
    assert geo(times).shape == geo.velocity(times).shape == (11, chart.dim)
    assert geo(0.3).shape == (chart.dim,)
    assert geo(times.reshape(1, 11)).shape == (1, 11, chart.dim)
    np.testing.assert_allclose(geo(times)[3], geo(times[3]), rtol=1e-13)
    np.testing.assert_allclose(geo(0.0), chart.start, atol=1e-14)
    np.testing.assert_allclose(geo(1.0), chart.end, atol=1e-14)
    np.testing.assert_allclose(geo.velocity(0.0), geo.initial_velocity, rtol=1e-12, atol=1e-15)
    inner = times[1:-1]
    change = (geo(inner + 1e-5) - geo(inner - 1e-5)) / 2e-5
    np.testing.assert_allclose(geo.velocity(inner), change, rtol=1e-6, atol=1e-6)
    speeds = metric.norm(geo.velocity(times), geo(times))
    np.testing.assert_allclose(speeds, chart.distance, rtol=1e-4)
    # parts of a geodesic are geodesics
    third = gn.geodesic(metric, geo(0.2), geo(0.6))
    assert third.distance == pytest.approx(0.4 * chart.distance, rel=1e-6)
    for t in (-0.1, 1.1, np.nan):
        with pytest.raises(gn.InputError, match=r"^t: "):
            geo(t)
        with pytest.raises(gn.InputError, match=r"^t: "):
            geo.velocity(t)


def test_points_on_geodesics_are_where_geometry_has_them():
    chart = CHARTS["half_plane"]
    # straight up, at an exponential pace
    up = gn.geodesic(chart.metric(), [0.2, 0.5], [0.2, 4.0])
    t = np.linspace(0, 1, 7)
    np.testing.assert_allclose(up(t)[:, 1], 0.5 * 8**t, rtol=1e-6)
    np.testing.assert_allclose(up(t)[:, 0], 0.2, atol=1e-9)
    # else a circle that meets the edge at right angles
    geo = gn.geodesic(chart.metric(), chart.start, chart.end)
    (a, s), (b, t) = chart.start, chart.end
    centre = (b**2 + t**2 - a**2 - s**2) / (2 * (b - a))
    radii = np.hypot(geo.path[:, 0] - centre, geo.path[:, 1])
    np.testing.assert_allclose(radii, np.hypot(a - centre, s), rtol=1e-6)
    # great circles lie in a plane
    chart = CHARTS["sphere2"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end)
    lifted = np.array([lift(x) for x in geo.path])
    assert np.linalg.svd(lifted, compute_uv=False)[2] < 1e-5


@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_what_is_saved_comes_back_whole(tmp_path, method):
    chart = CHARTS["gauss1"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end, method=method)
    geo.save(tmp_path / "geodesic.npz")
    back = gn.geodesics.Geodesic.load(tmp_path / "geodesic.npz")
    assert (back.coefficients is None) is (method is not None)
    if method is None:
        np.testing.assert_array_equal(back.coefficients, geo.coefficients)
    t = np.linspace(0, 1, 9)
    np.testing.assert_array_equal(back(t), geo(t))
    np.testing.assert_array_equal(back.velocity(t), geo.velocity(t))
    np.testing.assert_array_equal(back.initial_velocity, geo.initial_velocity)
    assert back.certificate == geo.certificate
    assert (back.distance, back.length, back.energy) == (geo.distance, geo.length, geo.energy)
    assert (back.status, back.method) == (geo.status, geo.method)
    assert repr(back) == repr(geo)


# -- laws of distances ------------------------------------------------------------------------


@each_small
def test_distances_are_symmetric_and_obey_the_triangle_inequality(chart):
    metric = chart.metric()
    rng = np.random.default_rng(5)
    for _ in range(4):
        corners = [chart.draw(rng) for _ in range(3)]
        legs = [metric.dist(corners[i], corners[j]) for i, j in ((0, 1), (1, 2), (0, 2))]
        back = [metric.dist(corners[j], corners[i]) for i, j in ((0, 1), (1, 2), (0, 2))]
        np.testing.assert_allclose(back, legs, rtol=1e-9)
        assert all(leg <= sum(legs) - leg + 1e-9 for leg in legs)


@each_small
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_no_curve_is_shorter(chart, method):
    metric = chart.metric()
    geo = gn.geodesic(metric, chart.start, chart.end, 32, method=method)
    line = gn.Curve([chart.start, chart.end])
    assert geo.excess(line) > 1
    assert geo.excess(geo.curve) >= 1 - geo.error_estimate / geo.distance
    assert geo.excess(geo.curve) == pytest.approx(1, abs=1e-2)


@each_small
@pytest.mark.parametrize("factor", [1e-6, 0.3, 1e4])
def test_a_metric_times_c_has_distances_times_its_root(chart, factor):
    metric = gn.ChartMetric(
        lambda x: factor * chart.matrix(x),
        chart.dim,
        lambda v, x: factor * chart.gradient(v, x),
        domain=chart.domain,
    )
    for method in (None, gn.PathNewton()):
        geo = gn.geodesic(metric, chart.start, chart.end, method=method)
        same = gn.geodesic(chart.metric(), chart.start, chart.end, method=method)
        assert geo.distance == pytest.approx(np.sqrt(factor) * same.distance, rel=1e-12)
        np.testing.assert_allclose(geo.path, same.path, atol=1e-7)
        assert geo.certificate.gradient_norm <= 1e-8


@each_small
def test_distances_do_not_depend_on_coordinates(chart):
    # x = ψ(y) = My + 0.1 sin(y)-like, by its inverse at the ends
    rng = np.random.default_rng(6)
    d = chart.dim
    m = np.eye(d) + 0.3 * rng.normal(size=(d, d)) / d

    def psi(y):
        return anp.dot(y, m.T) + 0.05 * anp.sin(y)

    def jacobian(y):
        return m + 0.05 * anp.cos(y)[..., None, :] * anp.eye(d)

    def matrix(y):
        j = jacobian(y)
        return anp.matmul(anp.swapaxes(j, -1, -2), anp.matmul(chart.matrix(psi(y)), j))

    def inverse(x):
        y = np.linalg.solve(m, x)
        for _ in range(50):
            y = y - np.linalg.solve(jacobian(y), psi(y) - x)
        return y

    domain = None if chart.domain is None else lambda y: chart.domain(psi(y))
    metric = gn.ChartMetric(matrix, d, domain=domain)
    geo = gn.geodesic(metric, inverse(chart.start), inverse(chart.end))
    assert abs(geo.distance - chart.distance) <= geo.error_estimate + ROUNDING * chart.distance
    same = gn.geodesic(chart.metric(), chart.start, chart.end)
    np.testing.assert_allclose(psi(geo.path), same.path, atol=1e-5)
    pushed = jacobian(geo.path[0]) @ geo.initial_velocity
    np.testing.assert_allclose(pushed, same.initial_velocity, atol=1e-3 * geo.distance)


@pytest.mark.parametrize("seed", range(5))
def test_moebius_maps_are_isometries_of_the_half_plane(seed):
    rng = np.random.default_rng(seed)
    chart = CHARTS["half_plane"]
    a, b, c = rng.normal(size=3)
    d = (1 + b * c) / a

    def moved(x):
        z = complex(*x)
        w = (a * z + b) / (c * z + d)
        return np.array([w.real, w.imag])

    metric = chart.metric()
    start, end = chart.draw(rng), chart.draw(rng)
    geo, image = gn.geodesic(metric, start, end), gn.geodesic(metric, moved(start), moved(end))
    assert image.distance == pytest.approx(geo.distance, rel=1e-8)
    np.testing.assert_allclose(moved(geo(0.5)), image(0.5), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("d", [2, 5])
def test_rotations_are_isometries_of_the_sphere(d):
    rng = np.random.default_rng(d)
    chart = sphere_chart(d)
    turn = np.linalg.qr(rng.normal(size=(d + 1, d + 1)))[0]

    def moved(x):  # turned in space, and projected back
        y = turn @ lift(x)
        return y[:-1] / (1 - y[-1])

    metric = chart.metric()
    count = 0
    for _ in range(20):
        start, end = chart.draw(rng), chart.draw(rng)
        if max(np.abs(moved(start)).max(), np.abs(moved(end)).max()) > 2:
            continue  # near the pole that the chart does not hold
        count += 1
        geo = gn.geodesic(metric, start, end)
        image = gn.geodesic(metric, moved(start), moved(end))
        gap = abs(image.distance - geo.distance)
        assert gap <= geo.error_estimate + image.error_estimate + ROUNDING
    assert count >= 4


@each_small
def test_the_middle_is_half_way(chart):
    metric = chart.metric()
    geo = gn.geodesic(metric, chart.start, chart.end)
    legs = [metric.dist(geo(0.5), end) for end in (chart.start, chart.end)]
    np.testing.assert_allclose(legs, chart.distance / 2, rtol=1e-5)
