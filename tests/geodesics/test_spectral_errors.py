"""Spectral errors: hard and bad, what lies between the nodes."""

import autograd.numpy as anp
import numpy as np
import pytest
from cases import (
    CHARTS,
    ENERGY_METRICS,
    LINE,
)

import geomnet as gn
from geomnet.geodesics.spectral.legendre import basis

ROUNDING = 1e-14  # of the closed forms themselves

# -- hard and bad -----------------------------------------------------------------------------


def test_what_is_too_hard_for_the_polynomial_falls_to_newton_and_keeps_its_bound():
    chart = CHARTS["half_plane"]
    start, end = np.array([-100.0, 0.01]), np.array([100.0, 0.01])
    geo = gn.geodesic(chart.metric(), start, end)
    error = abs(geo.distance - chart.between(start, end))
    assert error <= geo.error_estimate <= 1e-5 * geo.distance


@pytest.mark.parametrize("seed", range(2))
def test_paths_through_nearly_singular_places_end_in_a_word_not_in_a_crash(seed):
    # great circles that pass close to the pole the chart does not hold
    chart = CHARTS["sphere2"]
    rng = np.random.default_rng(seed)
    for start, end in 2 * rng.normal(size=(10, 2, 2)):
        try:
            geo = gn.geodesic(chart.metric(), start, end)
        except gn.ConvergenceError:
            continue  # said, not hidden
        truth = chart.between(start, end)
        assert abs(geo.distance - truth) <= geo.error_estimate + ROUNDING * truth


def test_a_metric_of_maps_with_few_unknowns_is_smooth_too():
    metric = gn.EnergyMetric(LINE, gn.GaussianKernel(1.0))
    geo = gn.geodesic(
        metric,
        LINE.identity,
        [[-0.25], [0.25]],
        method=gn.geodesics.SpectralPath(),
        certify_index=True,
    )
    assert geo.distance == pytest.approx(1.627540596797, rel=1e-11)
    assert geo.path.shape == (17, 2, 1)
    assert geo(np.array([0.25, 0.5])).shape == (2, 2, 1)
    (_, metric) = ENERGY_METRICS[0].id, ENERGY_METRICS[0].values[0]
    end = metric.space.identity + 0.2
    geo = gn.geodesic(metric, metric.space.identity, end, method=gn.geodesics.SpectralPath())
    same = gn.geodesic(metric, metric.space.identity, end, 64)
    assert abs(geo.distance - same.distance) <= geo.error_estimate + same.error_estimate


def graph(z):
    """A paraboloid over the plane."""
    return anp.concatenate([z, anp.sum(z**2, axis=-1, keepdims=True)], axis=-1)


def test_an_immersion_and_its_metric_matrix_agree():
    ends = [-1.0, 0.5], [1.0, 0.7]
    chart = gn.ChartMetric(lambda x: anp.eye(2) + 4 * x[..., :, None] * x[..., None, :], 2)
    truth = gn.geodesic(chart, *ends).distance
    geo = gn.geodesic(gn.ImmersionMetric(graph, 2), *ends)
    assert geo.method.startswith("SpectralPath")
    assert abs(geo.distance / truth - 1) < 1e-12
    assert abs(geo.distance - truth) <= geo.error_estimate
    assert geo.certificate.morse_index == geo.certificate.nullity == 0
    chords = gn.geodesic(gn.ImmersionMetric(graph, 2), *ends, 256, method=gn.PathNewton())
    assert abs(chords.distance - truth) <= chords.error_estimate
    # a polygon of chords is shorter than the curve it is inscribed in
    assert chords.length < truth


def test_gradient_and_hessian_of_an_immersed_path_are_those_of_its_energy():
    from geomnet.geodesics.spectral.immersed import ImmersedPaths

    metric, rng, degree = gn.ImmersionMetric(graph, 2), np.random.default_rng(0), 6
    start, delta = rng.normal(size=(2, 3, 2))
    c = 0.3 * rng.normal(size=(3, degree - 1, 2))

    def at(c):
        return ImmersedPaths(metric, start, delta, c, basis(degree))

    here, h = at(c), 1e-5
    change = rng.normal(size=c.shape)
    slope = (at(c + h * change).energy - at(c - h * change).energy) / (2 * h)
    flat = change.reshape(3, -1)
    np.testing.assert_allclose(np.einsum("bi,bi->b", here.gradient, flat), slope, rtol=1e-8)
    bend = (at(c + h * change).gradient - at(c - h * change).gradient) / (2 * h)
    product = np.einsum("bij,bj->bi", here.hessians, flat)
    np.testing.assert_allclose(product, bend, rtol=1e-6, atol=1e-6 * np.abs(bend).max())


def test_a_flat_immersion_has_straight_paths_and_a_stiffness_that_is_its_hessian():
    from geomnet.geodesics.spectral.immersed import ImmersedPaths

    frame = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 2)))[0]
    metric = gn.ImmersionMetric(lambda z: anp.dot(z, frame.T), 2)
    geo = gn.geodesic(metric, [0.0, 1.0], [3.0, -3.0])
    assert geo.distance == pytest.approx(5.0, rel=1e-14)
    np.testing.assert_allclose(geo(0.25), [0.75, 0.0], atol=1e-12)
    c = np.random.default_rng(2).normal(size=(1, 5, 2))
    paths = ImmersedPaths(metric, np.zeros((1, 2)), np.ones((1, 2)), c, basis(6))
    np.testing.assert_allclose(paths.hessians, paths.stiffness, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"rtol": 0.0}, "rtol"),
        ({"tol": -1.0}, "tol"),
        ({"max_degree": 5}, "max_degree"),
        ({"max_degree": 8.5}, "max_degree"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_bad_settings_are_named(arguments, name):
    with pytest.raises(gn.InputError, match=f"^{name}: "):
        gn.geodesics.SpectralPath(**arguments)


def test_too_low_a_degree_is_loud_and_says_what_is_left():
    chart = CHARTS["half_plane"]
    method = gn.geodesics.SpectralPath(max_degree=6)
    with pytest.raises(gn.ConvergenceError, match=r"degree 6 still changes.*max_degree") as caught:
        gn.geodesic(chart.metric(), [-3.0, 0.1], [3.0, 0.1], method=method)
    truth = chart.between(np.array([-3.0, 0.1]), np.array([3.0, 0.1]))
    geo = caught.value.result
    assert abs(geo.distance - truth) <= geo.error_estimate


@pytest.mark.parametrize("width", [0.1, 0.03, 0.01, 0.005])
@pytest.mark.parametrize("method", [None, gn.geodesics.SpectralPath(), gn.PathNewton()])
def test_a_peak_between_the_nodes_is_never_a_silent_wrong_length(method, width):
    # a wall across the way: every path must pass it, straight ahead is shortest
    def squared(x):
        return 1 + 100 * anp.exp(-(((x - 0.137) / width) ** 2))

    wall = gn.ChartMetric(lambda x: squared(x[..., 0])[..., None, None] * anp.eye(2), 2)
    times = np.linspace(-1, 1, 400_001)
    truth = np.trapezoid(np.sqrt(squared(times)), times)
    try:
        geo = gn.geodesic(wall, [-1.0, 0.0], [1.0, 0.0], 64, method=method)
    except gn.ConvergenceError:
        return
    assert abs(geo.distance - truth) <= geo.error_estimate


# -- what lies between the nodes ---------------------------------------------------------------


def wall(height, width, place):
    """A ridge across the straight way from (0, 0) to (1, 0), which stays the geodesic."""
    return gn.ChartMetric(
        lambda x: (
            (1 + height * anp.exp(-((x[..., 0, None, None] - place) ** 2) / (2 * width**2)))
            * anp.eye(2)
        ),
        dim=2,
    )


@pytest.mark.parametrize(
    "method", [None, gn.geodesics.SpectralPath(), gn.PathNewton(), gn.Shooting()]
)
@pytest.mark.parametrize("seed", range(12))
def test_a_narrow_ridge_between_the_nodes_is_never_a_silent_length(method, seed):
    rng = np.random.default_rng(seed)
    height, width = 10 ** rng.uniform(-1, 2), 10 ** rng.uniform(-3, -0.7)
    place = rng.uniform(0.05, 0.95)
    knots = np.unique(np.clip([0, place - 6 * width, place, place + 6 * width, 1], 0, 1))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    half = np.diff(knots)[:, None] / 2
    at = knots[:-1, None] + half * (nodes + 1)
    speeds = np.sqrt(1 + height * np.exp(-((at - place) ** 2) / (2 * width**2)))
    truth = float(np.sum(half * weights * speeds))
    try:
        geo = gn.geodesic(wall(height, width, place), [0.0, 0.0], [1.0, 0.0], method=method)
    except gn.ConvergenceError:
        return
    assert abs(geo.distance - truth) <= geo.error_estimate


def test_a_ridge_between_the_nodes_is_seen():
    with pytest.raises(gn.ConvergenceError, match="varies between the nodes"):
        gn.geodesic(wall(37.0, 0.0012, 0.707), [0, 0], [1, 0], method=gn.geodesics.SpectralPath())
    with pytest.raises(gn.ConvergenceError, match="varies between the integrator's steps"):
        gn.geodesic(wall(37.0, 0.0012, 0.707), [0, 0], [1, 0], method=gn.Shooting())
    with pytest.raises(gn.ConvergenceError, match="varies between the states"):
        gn.geodesic(wall(37.0, 0.0012, 0.707), [0, 0], [1, 0], method=gn.PathNewton())


def test_a_batch_is_measured_between_its_nodes_too():
    ends = np.stack([np.linspace(0.9, 1.1, 20), np.zeros(20)], axis=1)
    try:
        found = gn.geodesic_batch(wall(37.0, 0.0012, 0.707), [0, 0], ends)
    except gn.ConvergenceError as error:
        found = error.result
    truth = ends[:, 0] + 0.0193907
    for geo, length in zip(found, truth):
        off = abs(geo.distance - length) > geo.error_estimate + 1e-6
        assert not (geo.certificate.converged and off)
