"""Solve: starts and failures."""

import numpy as np
import pytest
from cases import (
    END,
    ENERGY_METRICS,
    FISHER_RAO_METRICS,
    LINE,
    SPACE,
)
from geodesics_common import START, each_bad_map, one_of_each, places, solve

import geomnet as gn

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
