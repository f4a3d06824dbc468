"""geomstats' learning on function space, in this process and under its autograd backend."""

import random

import geomstats.backend as gs
import numpy as np
import pytest
from backends import under_autograd
from cases import Crowd
from geomstats.learning.frechet_mean import FrechetMean, variance
from geomstats.learning.kmeans import RiemannianKMeans
from geomstats.learning.pca import TangentPCA

import geomnet as gn

FAMILIES = {
    "l2": (gn.L2Metric, {}),
    "energy": (gn.EnergyMetric, {"kernel": gn.Matern32Kernel()}),
    "fisher_rao": (
        gn.FisherRaoMetric,
        {
            "likelihood": gn.Categorical(3),
            "readout": gn.Readout([[1.5, -0.4], [-0.7, 1.1], [0.3, 0.8]]),
            "ridge": 0.02,
        },
    ),
    "user": (Crowd, {}),
}
each_family = pytest.mark.parametrize("family", FAMILIES)


def equipped(family):
    points = np.random.default_rng(0).normal(size=(6, 2))
    metric, options = FAMILIES[family]
    space = gn.FunctionSpace(points).equip_with_metric(metric, **options)
    space.metric.n_steps = 8
    return space


def maps(space, count, seed, size=0.1):
    rng = np.random.default_rng(seed)
    return space.identity + size * rng.normal(size=(count, *space.shape))


def learn(family):
    """What geomstats learns of a few maps: numbers that its tests judge."""
    space = equipped(family)
    metric, data = space.metric, maps(space, 4, seed=1)
    # it stops at a squared distance of epsilon·dim
    mean = FrechetMean(space).set(epsilon=1e-14, max_iter=64).fit(data).estimate_
    logs = metric.log(data, mean)
    pca = TangentPCA(space, n_components=2)
    scores = pca.fit_transform(data, base_point=mean)
    # two clusters: maps near the identity, and near a shear of it
    shear = 0.8 * space.identity[:, ::-1] * np.array([1.0, 0.0])
    both = np.concatenate([maps(space, 2, 2, 0.05), maps(space, 2, 3, 0.05) + shear])
    random.seed(0)
    clusters = RiemannianKMeans(space, n_clusters=2, init="kmeans++", tol=1e-2).fit(both)
    return {
        "backend": gs.__name__,
        "mean": mean.tolist(),
        "tangent_mean": float(metric.norm(logs.mean(axis=0), mean)),
        "spread": float(np.mean(metric.squared_norm(logs, mean))),
        "variance": float(variance(space, data, mean)),
        "other_variance": float(variance(space, data, data[0])),
        "logs": logs.reshape(4, -1).tolist(),
        "scores": scores.tolist(),
        "explained": pca.explained_variance_.tolist(),
        "ratios": pca.explained_variance_ratio_.tolist(),
        "labels": clusters.labels_.tolist(),
        "centres": clusters.cluster_centers_.tolist(),
        "predicted": clusters.predict(both + 0.01).tolist(),
    }


SCRIPT = """
import json, sys
from geodesics.test_geomstats import FAMILIES, learn
json.dump({family: learn(family) for family in FAMILIES}, sys.stdout)
"""


def judge(found):
    assert found["tangent_mean"] <= 1e-6
    # the mean makes the variance least, which is that of the logs
    assert found["variance"] == pytest.approx(found["spread"], rel=1e-3)
    assert found["variance"] < found["other_variance"]
    # principal components of the logs, whose scores are uncorrelated
    logs, scores = np.array(found["logs"]), np.array(found["scores"])
    assert scores.shape == (4, 2)
    values = np.linalg.svd(logs - logs.mean(axis=0), compute_uv=False) ** 2
    np.testing.assert_allclose(found["explained"], values[:2] / 3, rtol=1e-8)
    np.testing.assert_allclose(found["ratios"], values[:2] / values.sum(), rtol=1e-8)
    np.testing.assert_allclose(scores.T @ scores, np.diag(values[:2]), atol=1e-8 * values[0])
    for labels in (found["labels"], found["predicted"]):
        assert labels in ([0, 0, 1, 1], [1, 1, 0, 0])


@each_family
def test_learning_under_the_numpy_backend(family):
    found = learn(family)
    assert found["backend"] == "geomstats.numpy"
    judge(found)


def test_learning_under_the_autograd_backend():
    found = under_autograd(SCRIPT)
    assert list(found) == list(FAMILIES)
    for learnt in found.values():
        assert learnt["backend"] == "geomstats.autograd"
        judge(learnt)
    here, there = learn("energy"), found["energy"]
    for name in ("mean", "logs", "variance", "explained", "centres"):
        np.testing.assert_allclose(here[name], there[name], rtol=1e-5, atol=1e-6, err_msg=name)


@each_family
def test_the_mean_of_two_maps_is_half_way(family):
    space = equipped(family)
    pair = maps(space, 2, seed=5)
    mean = FrechetMean(space).set(epsilon=1e-14, max_iter=64).fit(pair).estimate_
    # a path is of order two: many steps for its middle
    middle = gn.geodesic(space.metric, *pair, n_steps=64, certify_index=False)(0.5)
    np.testing.assert_allclose(mean, middle, atol=1e-4)
    legs = space.metric.dist(mean, pair)
    np.testing.assert_allclose(legs, space.metric.dist(*pair) / 2, rtol=1e-4)


@each_family
def test_geomstats_own_helpers_use_the_geodesics(family):
    space = equipped(family)
    metric, data = space.metric, maps(space, 3, seed=6)
    matrix = metric.dist_pairwise(data)
    assert metric.diameter(data) == pytest.approx(matrix.max(), rel=1e-9)
    assert metric.closest_neighbor_index(data[0] + 1e-3, data) == 0
    np.testing.assert_allclose(metric.dist_broadcast(data, data[1:]), matrix[:, 1:], atol=1e-9)
    unit = metric.random_unit_tangent_vec(data[0])
    assert metric.norm(unit, data[0]) == pytest.approx(1, rel=1e-12)


@each_family
def test_a_space_carries_the_metric_it_is_equipped_with(family):
    space = equipped(family)
    metric, _ = FAMILIES[family]
    assert type(space.metric) is metric
    assert space.metric.space is space
    assert repr(space) == f"FunctionSpace(n=6, dim=2, metric={space.metric!r})"


def test_a_space_is_equipped_with_options_and_anew():
    space = gn.FunctionSpace(np.random.default_rng(0).normal(size=(5, 2)))
    for kernel in (gn.Matern32Kernel(), gn.GaussianKernel(0.7)):
        space.equip_with_metric(gn.EnergyMetric, kernel=kernel)
        expected = gn.EnergyMetric(space, kernel=kernel)
        assert space.metric.kernel == expected.kernel
        moved = space.identity + 0.1
        assert space.metric.dist(space.identity, moved) == expected.dist(space.identity, moved)


def test_the_example_of_the_design():
    sample = gn.datasets.load("digits", n=24, seed=0)
    space = gn.FunctionSpace(sample)
    network = gn.Network(gn.TanhField(dim=sample.dim, width=8), depth=4)
    fit = gn.train(network, sample, gn.Categorical(10), seed=0, epochs=40)
    curve = network.curve(fit.theta, sample)
    assert curve.states.shape == (5, 24, 64)
    np.testing.assert_array_equal(curve.start, space.identity)

    for metric in (
        gn.L2Metric(space),
        gn.EnergyMetric(space, kernel=gn.Matern32Kernel()),
        gn.FisherRaoMetric(space, gn.Categorical(10), fit.readout),
    ):
        geo = gn.geodesic(metric, curve.start, curve.end, n_steps=16)
        assert geo.certificate.converged
        assert geo.excess(curve) >= 1 - geo.error_estimate / geo.distance
        assert geo.distance == pytest.approx(curve.length(metric) / geo.excess(curve), rel=1e-12)

    space.equip_with_metric(gn.EnergyMetric, kernel=gn.Matern32Kernel())
    pair = curve.states[[0, -1]]
    mean = FrechetMean(space).fit(pair).estimate_
    legs = space.metric.dist(mean, pair)
    assert legs[0] == pytest.approx(legs[1], rel=0.05)
