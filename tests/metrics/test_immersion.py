"""Immersion: immersions, immersions: what a decoder's owner may get wrong."""

import re
from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from cases import CHARTS, Chart
from charts_common import bent, dense, full_hessian, gap

import geomnet as gn
from geomnet.geodesics.discrete import newton
from geomnet.geometry.path_energy import LinearisedPath

# -- immersions -------------------------------------------------------------------------------


def graph(z):
    """The paraboloid as a graph."""
    return anp.concatenate([z, anp.sum(z**2, axis=-1, keepdims=True)], axis=-1)


def graph_pullback(z, w):
    return w[:, :-1] + 2 * z * w[:, -1:]


def graph_jacobian(z):
    eye = np.broadcast_to(np.eye(z.shape[-1]), (*z.shape, z.shape[-1]))
    return anp.concatenate([eye, 2 * z[:, None, :]], axis=1)


class Decoder:
    """A network R^d → R^50 with two tanh layers, and its Jacobian by hand."""

    def __init__(self, dim, width=16, outputs=50, seed=1):
        rng = np.random.default_rng(seed)
        self.layers = [
            (rng.normal(0, 1.2 / np.sqrt(a), (a, b)), 0.3 * rng.normal(size=b))
            for a, b in pairwise((dim, width, width, outputs))
        ]

    def __call__(self, z):
        (w, b), *others = self.layers
        z = anp.dot(z, w) + b
        for w, b in others:
            z = anp.dot(anp.tanh(z), w) + b
        return z

    def jacobian(self, z):
        (w, b), *others = self.layers
        z, j = anp.dot(z, w) + b, w.T
        for w, b in others:
            j = anp.matmul(w.T, (1 - anp.tanh(z) ** 2)[:, :, None] * j)
            z = anp.dot(anp.tanh(z), w) + b
        return j


def torus(z):
    """In R³, with tubes of radius 0.4."""
    u, v = z[:, 0], z[:, 1]
    out = 1 + 0.4 * anp.cos(v)
    return anp.stack([out * anp.cos(u), out * anp.sin(u), 0.4 * anp.sin(v)], axis=-1)


def torus_jacobian(z):
    u, v = z[:, 0], z[:, 1]
    out = 1 + 0.4 * anp.cos(v)
    along = [-out * anp.sin(u), out * anp.cos(u), 0.0 * u]
    around = [-anp.sin(v) * anp.cos(u), -anp.sin(v) * anp.sin(u), anp.cos(v)]
    return anp.stack([anp.stack(along, -1), 0.4 * anp.stack(around, -1)], axis=-1)


def pulled_back(jacobian, dim):
    """The chart metric with matrix JᵀJ."""

    def matrix(x):
        j = jacobian(x)
        return anp.matmul(anp.swapaxes(j, 1, 2), j)

    return gn.ChartMetric(matrix, dim)


# immersion, Jacobian, ends
IMMERSIONS = {
    "graph": (graph, graph_jacobian, [-1.0, 0.5], [1.0, 0.7]),
    "torus": (torus, torus_jacobian, [0.0, 0.3], [1.2, 2.0]),
    "decoder": (Decoder(2), Decoder(2).jacobian, [-1.0, 0.6], [0.9, -0.3]),
    "decoder4": (Decoder(4), Decoder(4).jacobian, [-0.5, 0.6, 0, 0.3], [0.4, -0.3, 0.5, 0.2]),
}


each_immersion = pytest.mark.parametrize("name", IMMERSIONS)


@each_immersion
def test_chords_have_the_derivatives_of_the_chordal_energy(name):
    immersion, jacobian, start, end = IMMERSIONS[name]
    metric = gn.ImmersionMetric(immersion, len(start))
    chart = Chart(len(start), None, None, np.array(start), np.array(end), None, None)
    path = bent(chart, size=0.2)
    state = LinearisedPath(path, metric.steps(path[:-1], path[1:]), metric)
    gradient, hessian = oracles.interior_derivatives(
        lambda p: oracles.chordal_energy(immersion, p), path
    )
    assert state.energy == pytest.approx(oracles.chordal_energy(immersion, path), rel=1e-13)
    assert gap(state.gradient, gradient) < 1e-10
    assert gap(full_hessian(state), hessian) < 1e-7
    assert gap(dense(*newton.hessian(state)), hessian) < 1e-7
    dx, dy = np.random.default_rng(0).normal(size=(2, *path[1:].shape))
    xx, xy, yy = (np.asarray(b) for b in state.steps.blocks())
    to_x, to_y = state.steps.hessian_product(dx, dy)
    assert gap(np.einsum("kab,kb->ka", xx, dx) + np.einsum("kab,kb->ka", xy, dy), to_x) < 1e-12
    assert gap(np.einsum("kba,kb->ka", xy, dx) + np.einsum("kab,kb->ka", yy, dy), to_y) < 1e-12
    j = jacobian(path)
    gram = np.swapaxes(j, 1, 2) @ j
    assert gap(state.steps.frozen(), gram[:-1] + gram[1:]) < 1e-8


@each_immersion
def test_an_immersion_measures_as_its_pulled_back_matrix(name):
    immersion, jacobian, start, end = IMMERSIONS[name]
    d = len(start)
    metric, matrix = gn.ImmersionMetric(immersion), pulled_back(jacobian, d)
    rng = np.random.default_rng(0)
    geo = gn.geodesic(metric, start, end, 64, method=gn.PathNewton())
    u, v, x = rng.normal(size=(3, 5, d))
    j = jacobian(x)
    expected = np.einsum("kDa,ka,kDb,kb->k", j, u, j, v)
    np.testing.assert_allclose(metric.inner_product(u, v, x), expected, rtol=1e-9, atol=1e-12)
    other = gn.geodesic(matrix, start, end)
    assert abs(geo.distance - other.distance) <= geo.error_estimate + other.error_estimate
    assert geo.distance == pytest.approx(other.distance, rel=1e-5)
    assert geo.certificate.converged
    assert geo.certificate.observed_order == pytest.approx(2, abs=0.1)
    np.testing.assert_allclose(geo(0.5), other(0.5), atol=1e-2)
    # a polygon of chords cuts corners
    assert geo.length < other.distance
    np.testing.assert_allclose(
        geo.initial_velocity,
        other.initial_velocity,
        atol=1e-3 * np.abs(other.initial_velocity).max(),
    )


def test_the_paraboloid_as_a_graph_has_its_distance():
    chart = CHARTS["paraboloid2"]
    for n_steps in (16, 64):
        for pullback in (None, graph_pullback):
            metric = gn.ImmersionMetric(graph, 2, pullback)
            geo = gn.geodesic(metric, chart.start, chart.end, n_steps)
            assert abs(geo.distance - chart.distance) <= geo.error_estimate
            assert geo.error_estimate <= 1e-2 * 16**4 / n_steps**4


def test_with_a_pullback_autograd_is_not_needed():
    def opaque(z):
        return graph(np.array(z, dtype=float))

    metric = gn.ImmersionMetric(opaque, 2, graph_pullback)
    geo = gn.geodesic(metric, [-1.0, 0.5], [1.0, 0.7], 64)
    same = gn.geodesic(gn.ImmersionMetric(graph), [-1.0, 0.5], [1.0, 0.7], 64)
    assert geo.distance == pytest.approx(same.distance, rel=1e-9)
    assert metric.dist([-1.0, 0.5], [1.0, 0.7]) == pytest.approx(geo.distance, rel=1e-4)
    line = gn.Curve([[-1.0, 0.5], [1.0, 0.7]])
    assert geo.excess(line) > 1.05


def test_an_immersion_takes_its_dimension_from_the_first_point():
    metric = gn.ImmersionMetric(graph)
    with pytest.raises(gn.InputError, match=r"^dim: give gn\.ImmersionMetric"):
        _ = metric.space
    gn.geodesic(metric, [0.0, 0.0], [0.1, 0.0])
    assert metric.space.shape == (2,)
    assert repr(metric) == "ImmersionMetric(dim=2)"
    with pytest.raises(gn.InputError, match=r"^start: expected shape \(2,\)"):
        gn.geodesic(metric, [0.0, 0.0, 0.0], [0.1, 0.0, 0.0])


@pytest.mark.parametrize(
    ("immersion", "ends", "message"),
    [
        (lambda z: 0.0 * z, ([0.0, 0.0], [1.0, 1.0]), r"takes both ends to one point"),
        (lambda z: z**2, ([-1.0, 0.5], [1.0, 0.5]), r"takes both ends to one point"),
        (lambda z: z[:, :1], ([0.0, 0.0], [1.0, 1.0]), r"no full rank near z = "),
        (lambda z: anp.log(z), ([1.0, 1.0], [1.0, -1.0]), r"NaN or infinite at z = \[1.0, -1.0\]"),
        (lambda z: z[:, 0], ([1.0, 1.0], [1.0, 2.0]), r"numbers of shape \(2, D\)"),
        (lambda z: z[:1], ([1.0, 1.0], [1.0, 2.0]), r"numbers of shape \(2, D\)"),
    ],
)
def test_what_is_no_immersion_is_named(immersion, ends, message):
    with pytest.raises(gn.InputError, match=message):
        gn.geodesic(gn.ImmersionMetric(immersion), *ends)


def test_bad_arguments_of_immersions_are_named():
    with pytest.raises(gn.InputError, match=r"^immersion: expected a function"):
        gn.ImmersionMetric("f")
    with pytest.raises(gn.InputError, match=r"^pullback: expected a function"):
        gn.ImmersionMetric(graph, 2, "w")
    with pytest.raises(gn.InputError, match=r"^dim: "):
        gn.ImmersionMetric(graph, 0)
    wrong = gn.ImmersionMetric(graph, 2, lambda z, w: w)
    with pytest.raises(gn.InputError, match=re.escape("pullback: for points of shape")):
        gn.geodesic(wrong, [0.0, 0.0], [1.0, 1.0])


def test_a_function_that_sums_over_the_batch_is_found_out_at_the_origin_too():
    wrong = gn.ChartMetric(
        lambda x: (1 + np.sum(x**2)) * np.eye(2) * np.ones((len(x), 1, 1)), dim=2
    )
    with pytest.raises(gn.InputError, match=r"metric_matrix: for points of shape \(k, 2\)"):
        gn.geodesic(wrong, [0.0, 0.0], [1.0, 0.0])


# -- immersions: what a decoder's owner may get wrong ------------------------------------------

DECODER = np.random.default_rng(0).normal(size=(2, 16)), np.random.default_rng(1).normal(size=16)


OUTPUTS = np.random.default_rng(2).normal(size=(16, 20)) / 4


def decode(z):
    return np.tanh(z @ DECODER[0] + DECODER[1]) @ OUTPUTS


def pull(z, w):
    hidden = np.tanh(z @ DECODER[0] + DECODER[1])
    return ((w @ OUTPUTS.T) * (1 - hidden**2)) @ DECODER[0].T


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0, 1.001])
def test_a_wrong_pullback_is_named(factor):
    wrong = gn.ImmersionMetric(decode, pullback=lambda z, w: factor * pull(z, w))
    with pytest.raises(gn.InputError, match=r"^pullback: at z = .* differs from"):
        gn.geodesic(wrong, [-1.0, 0.5], [1.0, 0.7])


def test_single_precision_is_refused_with_a_word_on_the_mend():
    single = gn.ImmersionMetric(lambda z: decode(z).astype(np.float32), pullback=pull)
    with pytest.raises(gn.InputError, match=r"^immersion: returns float32.*double precision"):
        gn.geodesic(single, [-1.0, 0.5], [1.0, 0.7])
    flat = gn.ChartMetric(lambda x: np.ones((len(x), 1, 1), dtype=np.float32), 1)
    with pytest.raises(gn.InputError, match=r"metric_matrix: returned float32"):
        gn.geodesic(flat, [0.0], [1.0])


@pytest.mark.parametrize("dim", [None, 2])
def test_a_scaled_immersion_is_an_immersion(dim):
    metric = gn.ImmersionMetric(decode, dim, pullback=pull)
    ends = [-1.0, 0.5], [1.0, 0.7]
    geo, scaled = gn.geodesic(metric, *ends), gn.geodesic(9 * metric, *ends)
    assert scaled.method.startswith("SpectralPath")
    assert scaled.distance == pytest.approx(3 * geo.distance, rel=1e-10)


def test_the_matrix_of_an_immersion_is_its_gram_matrix():
    metric = gn.ImmersionMetric(decode, 2, pullback=pull)
    x, v = np.random.default_rng(3).normal(size=(2, 5, 2))
    matrices = metric.metric_matrix(x)
    h = 1e-5
    push = (decode(x + h * v) - decode(x - h * v)) / (2 * h)
    np.testing.assert_allclose(
        np.einsum("ka,kab,kb->k", v, matrices, v), np.sum(push**2, axis=1), rtol=1e-7
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_decoder_with_corners_has_its_length_within_the_estimate(seed):
    rng = np.random.default_rng(seed)
    first, bias, last = rng.normal(size=(2, 8)), rng.normal(size=8), rng.normal(size=(8, 12))

    def relu(z):
        return anp.dot(anp.maximum(anp.dot(z, first) + bias, 0.0) + 0.3 * anp.dot(z, first), last)

    geo = gn.geodesic(gn.ImmersionMetric(relu), [-1.0, 0.5], [1.0, 0.7], 64)
    # the image of any path is no shorter; that of the one found is hardly longer
    fine = relu(geo(np.linspace(0, 1, 20_001)))
    length = np.linalg.norm(np.diff(fine, axis=0), axis=1).sum()
    assert geo.distance - geo.error_estimate <= length <= geo.distance + 2 * geo.error_estimate
