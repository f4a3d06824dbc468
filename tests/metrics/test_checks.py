"""Public checks: they pass what is right, and name the law that is broken."""

from dataclasses import replace

import autograd.numpy as anp
import numpy as np
import pytest
from cases import (
    ALL_CHARTS,
    CHARTS,
    CLOSED,
    DERIVATIVES,
    END,
    LINE,
    METRICS,
    SPACE,
    Crowd,
    HalfPlane,
    Sphere,
)

import geomnet as gn

each_metric = pytest.mark.parametrize("metric", METRICS)


def laws(report):
    return [check.law for check in report.failures]


# -- metrics ----------------------------------------------------------------------------------


@each_metric
def test_metrics_pass(metric):
    report = gn.check_metric(metric)
    assert report, report
    assert report.passed
    assert report.failures == ()
    assert len(report.checks) == 15
    assert "FAIL" not in str(report)


@each_metric
@pytest.mark.parametrize("seed", [1, 2])
def test_metrics_pass_where_they_are_asked(metric, seed):
    rng = np.random.default_rng(seed)
    points = SPACE.identity + 0.2 * rng.normal(size=(2, *SPACE.shape))
    assert gn.check_metric(metric, points, seed=seed)


@pytest.mark.parametrize("metric", [Sphere, HalfPlane, Crowd])
def test_users_metrics_pass(metric):
    space = gn.FunctionSpace([[0.3, 2.0], [-0.5, 1.5]])
    assert gn.check_metric(metric(space))


@pytest.mark.parametrize("unit", [1e-5, 1e-2, 1e3])
@pytest.mark.parametrize(
    "kernel", [gn.GaussianKernel, gn.Matern32Kernel, gn.geometry.Matern52Kernel]
)
def test_the_units_of_the_sample_do_not_matter(kernel, unit):
    space = gn.FunctionSpace(unit * SPACE.identity)
    report = gn.check_metric(gn.EnergyMetric(space, kernel(unit)))
    assert report, report


class Weighted(gn.Metric):
    """A right metric, to be broken one law at a time."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        weight = 1 + anp.sum(base_point**2, axis=-1, keepdims=True)
        return anp.sum(weight * tangent_vec_a * tangent_vec_b, axis=(-2, -1))


class Asymmetric(Weighted):
    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        twist = anp.sum(tangent_vec_a[..., 0] * tangent_vec_b[..., 1], axis=-1)
        return super().inner_product(tangent_vec_a, tangent_vec_b, base_point) + 1e-3 * twist


class NotBilinear(Weighted):
    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        plain = super().inner_product(tangent_vec_a, tangent_vec_b, base_point)
        return plain * (1 + 1e-4 * plain**2)


class Negative(Weighted):
    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        return -super().inner_product(tangent_vec_a, tangent_vec_b, base_point)


class Indefinite(Weighted):
    """Positive for most vectors, negative for some."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        signs = anp.array([1.0, -0.05])
        return anp.sum(signs * tangent_vec_a * tangent_vec_b, axis=(-2, -1))


class Degenerate(Weighted):
    """Blind to the second coordinate."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        return anp.sum(tangent_vec_a[..., 0] * tangent_vec_b[..., 0], axis=-1)


class Mixing(Weighted):
    """Each map's product leans on the others of its batch."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        plain = super().inner_product(tangent_vec_a, tangent_vec_b, base_point)
        return plain + 1e-3 * anp.mean(plain)


class OneNumber(Weighted):
    """One number for a whole batch."""

    def inner_product(self, tangent_vec_a, tangent_vec_b, base_point):
        return anp.sum((1 + base_point**2) * tangent_vec_a * tangent_vec_b)


class WrongFlat(Weighted):
    def flat(self, tangent_vec, base_point):
        return 1.001 * super().flat(tangent_vec, base_point)


class WrongSharp(Weighted):
    def sharp(self, cotangent_vec, base_point):
        return 1.001 * super().sharp(cotangent_vec, base_point)


class WrongQuadraticGradient(Weighted):
    def quadratic_gradient(self, tangent_vec, base_point):
        return 1.001 * super().quadratic_gradient(tangent_vec, base_point)


class LeftStep(Weighted):
    """The step measured at its start."""

    def squared_step(self, start, end):
        return self.inner_product(end - start, end - start, start)


class LongStep(Weighted):
    def squared_step(self, start, end):
        return 1.2 * super().squared_step(start, end)


class BrokenSteps(Weighted):
    """Steps whose derivatives are changed by a function."""

    change = staticmethod(lambda gradients, product: (gradients, product))

    def steps(self, start, end):
        steps = super().steps(start, end)
        gradients, product = self.change(steps.gradients, steps.hessian_product)
        steps.gradients, steps.hessian_product = gradients, product
        return steps


class WrongGradients(BrokenSteps):
    @staticmethod
    def change(gradients, product):
        return lambda: tuple(1.01 * g for g in gradients()), lambda x, y: tuple(
            1.01 * h for h in product(x, y)
        )


class WrongHessian(BrokenSteps):
    @staticmethod
    def change(gradients, product):
        return gradients, lambda x, y: tuple(1.01 * h for h in product(x, y))


class AsymmetricHessian(BrokenSteps):
    @staticmethod
    def change(gradients, product):
        def lopsided(x, y):
            start, end = product(x, y)
            return start, end + 1e-5 * x[..., ::-1] * np.array([1.0, 0.0])

        return gradients, lopsided


@pytest.mark.parametrize(
    ("metric", "law", "others"),
    [
        (Asymmetric, "symmetric", 1),
        (NotBilinear, "bilinear", 3),
        (Negative, "positive", 0),
        (Indefinite, "positive", 0),
        (Degenerate, "positive", 0),
        (Mixing, "batched as one by one", None),
        (OneNumber, "batched as one by one", 0),
        (WrongFlat, "flat: ", None),
        (WrongSharp, "sharp(flat(u)) = u", 0),
        (WrongQuadraticGradient, "quadratic_gradient", None),
        (LeftStep, "squared_step symmetric", None),
        (LongStep, "squared_step -> <u,u>", None),
        (WrongGradients, "gradients = ", 0),
        (WrongHessian, "hessian_product = ", 1),
        (AsymmetricHessian, "hessian_product symmetric", 0),
    ],
    ids=lambda member: getattr(member, "__name__", None),
)
def test_the_broken_law_is_named(metric, law, others):
    report = gn.check_metric(metric(SPACE))
    assert not report
    assert not report.passed
    failed = [name for name in laws(report) if name.startswith(law)]
    assert len(failed) == 1 + (law == "hessian_product = ")
    assert f"FAIL  {failed[0]}" in str(report)
    assert str(report).startswith(f"check_metric({metric.__name__}()): FAILED")
    if others is not None:
        assert len(laws(report)) <= 1 + others


def test_the_right_metric_behind_the_broken_ones_passes():
    assert gn.check_metric(Weighted(SPACE))
    assert gn.check_metric(BrokenSteps(SPACE))


def test_a_small_error_shows_its_size():
    report = gn.check_metric(WrongSharp(SPACE))
    (failure,) = report.failures
    assert 1e-4 < failure.error < 2e-3
    assert failure.tolerance == 1e-6


def test_checks_are_the_same_every_time():
    metric = METRICS[1].values[0]
    assert str(gn.check_metric(metric)) == str(gn.check_metric(metric))
    assert str(gn.check_metric(metric)) != str(gn.check_metric(metric, seed=5))


def test_large_samples_are_checked_without_matrices():
    space = gn.FunctionSpace(np.random.default_rng(0).normal(size=(90, 2)))
    assert gn.check_metric(gn.EnergyMetric(space), n_points=1)
    assert laws(gn.check_metric(Negative(space), n_points=1)) == ["positive: <u,u> > 0"]


@pytest.mark.parametrize("metric", ["l2", gn.L2Metric, None, SPACE], ids=repr)
def test_what_is_no_metric_is_refused(metric):
    with pytest.raises(gn.InputError, match=r"^metric: "):
        gn.check_metric(metric)


@pytest.mark.parametrize(
    "points", [SPACE.identity, SPACE.identity[None, :4], SPACE.identity[None] * np.nan]
)
def test_bad_places_are_refused(points):
    with pytest.raises(gn.InputError, match=r"^points: "):
        gn.check_metric(gn.L2Metric(SPACE), points)


# -- geodesics --------------------------------------------------------------------------------


@each_metric
def test_geodesics_pass(metric):
    report = gn.check_geodesic(gn.geodesic(metric, SPACE.identity, END))
    assert report, report
    assert len(report.checks) == 8


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("n_steps", [16, 32])
def test_geodesics_in_closed_form_pass(name, n_steps):
    metric, start, end, _ = CLOSED[name]
    report = gn.check_geodesic(gn.geodesic(metric, start, end, n_steps=n_steps))
    assert report, report


def test_equal_ends_pass():
    for metric in (gn.L2Metric(SPACE), METRICS[1].values[0]):
        assert gn.check_geodesic(gn.geodesic(metric, END, END))


def geodesic():
    return gn.geodesic(METRICS[2].values[0], SPACE.identity, END)


def bumped(geo, size):
    rng = np.random.default_rng(0)
    path = geo.path.copy()
    path[1:-1] += size * rng.normal(size=path[1:-1].shape)
    return path


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        (lambda g: {"path": bumped(g, 1e-2)}, "energy stationary"),
        (lambda g: {"path": bumped(g, 1e-3)}, "energy stationary"),
        (lambda g: {"path": np.linspace(g.path[0], g.path[-1], 17)}, "energy stationary"),
        (lambda g: {"path": bumped(g, 1e-3)}, "energy as recorded"),
        (lambda g: {"energy": 1.01 * g.energy}, "energy as recorded"),
        (lambda g: {"energy": 1.01 * g.energy}, "energy = length²"),
        (lambda g: {"initial_velocity": 1.01 * g.initial_velocity}, "norm of the initial velocity"),
        (lambda g: {"length": 0.99 * g.length}, "energy = length²"),
        (lambda g: {"distance": 1.01 * g.distance}, "polygon no shorter"),
        (lambda g: {"distance": 1.01 * g.distance}, "same distance backwards"),
        (lambda g: {"distance": 0.99 * g.distance}, "halves add up"),
    ],
)
def test_tampering_shows(changes, law):
    geo = geodesic()
    report = gn.check_geodesic(replace(geo, **changes(geo)))
    assert not report
    assert any(name.startswith(law) for name in laws(report)), report


def test_a_path_that_detours_is_found_out():
    # far off, where the energy is nowhere near that of the geodesic
    geo = geodesic()
    times = np.linspace(0, 1, 17)[:, None, None]
    detour = geo.path + 0.3 * np.sin(np.pi * times) * np.array([1.0, -1.0])
    found = laws(gn.check_geodesic(replace(geo, path=detour)))
    for law in ("energy stationary under a random bump", "halves add up to the whole"):
        assert law in found


def test_a_geodesic_of_another_metric_is_found_out():
    geo = gn.geodesic(gn.L2Metric(LINE), LINE.identity, [[-0.5], [0.7]])
    other = replace(geo, metric=gn.EnergyMetric(LINE, gn.GaussianKernel(1.0)))
    assert "energy stationary under a random bump" in laws(gn.check_geodesic(other))


def test_a_loaded_geodesic_cannot_be_checked(tmp_path):
    geodesic().save(tmp_path / "geodesic.npz")
    with pytest.raises(gn.InputError, match=r"^geo: has no metric"):
        gn.check_geodesic(gn.geodesics.Geodesic.load(tmp_path / "geodesic.npz"))


@pytest.mark.parametrize("geo", ["path", None, SPACE.identity, gn.L2Metric(SPACE)], ids=type)
def test_what_is_no_geodesic_is_refused(geo):
    with pytest.raises(gn.InputError, match=r"^geo: "):
        gn.check_geodesic(geo)


# -- charts and immersions --------------------------------------------------------------------

each_chart = pytest.mark.parametrize("chart", ALL_CHARTS.values(), ids=ALL_CHARTS)


def graph(z):
    return anp.concatenate([z, anp.sum(z**2, axis=-1, keepdims=True)], axis=-1)


@each_chart
@pytest.mark.parametrize("derivatives", DERIVATIVES)
def test_charts_pass(chart, derivatives):
    metric = chart.metric(derivatives)
    for seed in range(2):
        report = gn.check_metric(metric, chart.pairs(3, seed)[0], seed=seed)
        assert report, report
        assert len(report.checks) == 15


@pytest.mark.parametrize("name", ["sphere2", "half_plane", "gauss1", "paraboloid20", "tangled"])
def test_charts_pass_where_their_space_draws(name):
    for seed in range(10):  # some of it next to the edge
        report = gn.check_metric(ALL_CHARTS[name].metric(), seed=seed)
        assert report, report


def test_immersions_pass():
    metric = gn.ImmersionMetric(graph, 2)
    assert gn.check_metric(metric)
    geo = gn.geodesic(metric, [-1.0, 0.5], [1.0, 0.7], 64)
    report = gn.check_geodesic(geo)
    assert report, report
    assert len(report.checks) == 8


@each_chart
@pytest.mark.parametrize("method", [None, gn.PathNewton()])
def test_geodesics_of_charts_pass(chart, method):
    geo = gn.geodesic(chart.metric(), chart.start, chart.end, 32, method=method)
    report = gn.check_geodesic(geo)
    assert report, report
    assert len(report.checks) == 8


def test_equal_ends_in_a_chart_pass():
    geo = gn.geodesic(CHARTS["half_plane"].metric(), [0.0, 1.0], [0.0, 1.0])
    assert gn.check_geodesic(geo)


def test_a_geodesic_past_the_antipode_passes():
    t = np.linspace(0, 1.4 * np.pi, 65)
    path = np.stack([np.cos(t), np.sin(t)], axis=-1)
    metric = CHARTS["sphere2"].metric()
    geo = gn.geodesic(metric, path[0], path[-1], 64, initial_path=path)
    report = gn.check_geodesic(geo)
    assert report, report
    # it is stationary, and not shortest
    assert "energy rises under a random bump" not in str(report)


def test_a_gradient_that_is_wrong_in_places_is_named():
    chart = CHARTS["sphere2"]

    def gradient(v, x):  # where it is first compared, it is right
        return np.where(x[..., :1] > 0, 1.01, 1.0) * chart.gradient(v, x)

    points = chart.pairs(5)[0]
    assert points[:, 0].min() < 0 < points[:, 0].max()
    report = gn.check_metric(gn.ChartMetric(chart.matrix, 2, gradient), points)
    assert "quadratic_gradient = d<u,u>/dx" in laws(report)


def test_a_pullback_that_is_slightly_wrong_is_named():
    def pullback(z, w):
        return 1.001 * (w[:, :-1] + 2 * z * w[:, -1:])

    report = gn.check_metric(gn.ImmersionMetric(graph, 2, pullback))
    assert "gradients = d(squared_step)" in laws(report)


@pytest.mark.parametrize("method", [None, gn.PathNewton()])
@pytest.mark.parametrize(
    ("changes", "law"),
    [
        (lambda g: {"energy": 1.01 * g.energy}, "energy as recorded"),
        (lambda g: {"initial_velocity": 1.01 * g.initial_velocity}, "norm of the initial velocity"),
        (lambda g: {"distance": 1.01 * g.distance}, "same distance backwards"),
        (lambda g: {"distance": 0.99 * g.distance}, "halves add up"),
    ],
)
def test_tampering_with_a_chart_shows(changes, law, method):
    chart = CHARTS["spd3"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end, 64, method=method)
    assert any(
        name.startswith(law) for name in laws(gn.check_geodesic(replace(geo, **changes(geo))))
    )


def test_a_polynomial_that_is_no_geodesic_is_found_out():
    chart = CHARTS["sphere2"]
    geo = gn.geodesic(chart.metric(), chart.start, chart.end)
    bent = geo.coefficients + 1e-3 * np.random.default_rng(0).normal(size=geo.coefficients.shape)
    for other in (
        replace(geo, coefficients=bent),
        replace(geo, metric=CHARTS["paraboloid2"].metric()),
        replace(geo, coefficients=0 * bent),
    ):
        assert "energy stationary under a random bump" in laws(gn.check_geodesic(other))


def test_points_of_another_chart_are_refused():
    with pytest.raises(gn.InputError, match=r"^points: expected shape \(any, 2\)"):
        gn.check_metric(CHARTS["sphere2"].metric(), np.zeros((4, 3)))
    with pytest.raises(gn.InputError, match=r"lies outside the chart's domain"):
        gn.check_metric(CHARTS["half_plane"].metric(), [[0.0, -1.0], [0.0, 1.0]])
