"""Predictions as points: the product geometry, by loops over its data and formulas of textbooks."""

from decimal import Decimal, localcontext

import numpy as np
import oracles
import pytest
from cases import LIKELIHOODS
from scipy.integrate import quad
from scipy.special import log_softmax, softmax
from scipy.stats import norm

import geomnet as gn
from geomnet.predictions import pairwise
from geomnet.predictions.layer_paths import layer_predictions
from geomnet.predictions.predictions import Predictions

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.15, 0.25])
LOUD = {"over": "raise", "divide": "raise", "invalid": "raise"}


def draw(likelihood, m, seed=0, n=5, scale=1.0, **options):
    z = scale * np.random.default_rng(seed).normal(size=(m, n, likelihood.n_parameters))
    return Predictions(likelihood, z, WEIGHTS if n == 5 else None, **options)


def densities(likelihood, z):
    """Marginal distributions of one datum's outputs: vectors of probabilities, or normal laws."""
    if isinstance(likelihood, gn.Categorical):
        return [np.exp(z) / np.exp(z).sum()]
    if isinstance(likelihood, gn.Bernoulli):
        return [np.array([1, np.exp(a)]) / (1 + np.exp(a)) for a in z]
    return [norm(mean, sigma) for mean, sigma in zip(*oracles.moments(likelihood, z))]


def affinity(p, q):
    """Return ∫√(pq)."""
    if isinstance(p, np.ndarray):
        return np.sum(np.sqrt(p * q))
    middle = 0.5 * (p.mean() + q.mean())
    reach = 12 * max(p.std(), q.std())

    def root(y):
        return np.exp(0.5 * (p.logpdf(y) + q.logpdf(y)))

    return quad(root, middle - reach, middle + reach, epsabs=1e-13, epsrel=1e-13, limit=200)[0]


def squared_distance(likelihood, p, q):
    """Squared Fisher–Rao distance of one output, by Rao (1945) and Atkinson & Mitchell (1981)."""
    if isinstance(p, np.ndarray):
        return 4 * np.arccos(affinity(p, q)) ** 2
    gap = (p.mean() - q.mean()) ** 2
    if isinstance(likelihood, gn.Gaussian):
        return gap / likelihood.sigma**2
    spread = (p.std() - q.std()) ** 2
    return 2 * np.arccosh(1 + (gap / 2 + spread) / (2 * p.std() * q.std())) ** 2


def product(likelihood, a, b, weights, term):
    """A sum over data, and outputs, of what two distributions give."""
    total = 0.0
    for i, weight in enumerate(weights):
        pairs = zip(densities(likelihood, a[i]), densities(likelihood, b[i]))
        total += weight * sum(term(p, q) for p, q in pairs)
    return total


# -- distances --------------------------------------------------------------------------------


@each_likelihood
def test_distances_are_those_of_the_product(likelihood):
    batch, other = draw(likelihood, 3), draw(likelihood, 2, seed=1)
    terms = {
        "fisher_rao": lambda p, q: squared_distance(likelihood, p, q),
        "bhattacharyya": lambda p, q: -np.log(affinity(p, q)),
    }
    for kind, term in terms.items():
        expected = np.array(
            [[product(likelihood, a, b, WEIGHTS, term) for b in other.z] for a in batch.z]
        )
        if kind == "fisher_rao":
            expected = np.sqrt(expected)
        np.testing.assert_allclose(batch.distance_matrix(kind, other), expected, rtol=1e-9)
        both = Predictions.concatenate([batch, other])
        np.testing.assert_allclose(both.distance_matrix(kind)[:3, 3:], expected, rtol=1e-9)
        assert both.distance(1, -1, kind) == pytest.approx(expected[1, 1], rel=1e-9)


@each_likelihood
def test_axioms_of_a_metric(likelihood):
    batch = draw(likelihood, 12, scale=2.0)
    d = batch.distance_matrix()
    assert (np.diagonal(d) == 0).all()
    assert (d[~np.eye(12, dtype=bool)] > 0.1).all()
    np.testing.assert_array_equal(d, d.T)
    assert (d[:, None] <= d[:, :, None] + d[None] + 1e-12).all()


def test_bhattacharyya_distance_breaks_the_triangle_inequality():
    line = Predictions(gn.Gaussian(), np.array([0.0, 1.0, 2.0])[:, None, None])
    near, far = line.distance(0, 1, "bhattacharyya"), line.distance(0, 2, "bhattacharyya")
    assert far > 2 * near


def test_a_common_shift_of_the_logits_changes_nothing():
    batch = draw(gn.Categorical(4), 6, labels=[0, 1, 2, 3, 0])
    moved = Predictions(
        batch.likelihood, batch.z + np.linspace(-30, 40, 30).reshape(6, 5, 1), WEIGHTS, batch.labels
    )
    for kind in ("fisher_rao", "bhattacharyya"):
        a, b = batch.distance_matrix(kind), moved.distance_matrix(kind)
        np.testing.assert_allclose(a, b, rtol=1e-11)
    np.testing.assert_allclose(batch.steps(), moved.steps(), rtol=1e-11)
    np.testing.assert_allclose(batch.progress(), moved.progress(), rtol=1e-11)


@each_likelihood
def test_near_models_have_twice_the_relative_entropy_and_eight_bhattacharyyas(likelihood):
    z, step = draw(likelihood, 2).z
    ratios = []
    for size in (1e-2, 1e-3):
        pair = Predictions(likelihood, np.stack([z, z + size * step]), WEIGHTS)
        entropy = 0.0
        for i, weight in enumerate(WEIGHTS):
            for probability, y in oracles.outcomes(likelihood, pair.z[0, i]):
                logs = [oracles.log_density(likelihood, z, y) for z in pair.z[:, i]]
                entropy += weight * probability * (logs[0] - logs[1])
        square, eighth = pair.distance(0, 1) ** 2, pair.distance(0, 1, "bhattacharyya")
        ratios.append([2 * entropy / square - 1, 8 * eighth / square - 1])
    first, second = np.abs(ratios)
    assert (first < [2e-2, 1e-3]).all()
    assert (second <= first / 8 + [1e-8, 1e-12]).all()  # of first and of second order, at least


def bhattacharyya_in_decimals(p, q):
    """Of two vectors of logits, in fifty digits."""
    with localcontext() as context:
        context.prec = 60
        weights = [[Decimal(float(a)).exp() for a in z] for z in (p, q)]
        roots = [[(a / sum(w)).sqrt() for a in w] for w in weights]
        return float(-sum(a * b for a, b in zip(*roots)).ln())


@pytest.mark.parametrize("size", [1e-12, 1e-7, 1e-3, 0.1, 3.0, 40.0, 500.0, 3000.0])
def test_near_and_far_predictions_lose_no_digits(size):
    rng = np.random.default_rng(1)
    base, step = rng.normal(size=(2, 6, 4))
    with np.errstate(**LOUD):
        classes = gn.Categorical(4).bhattacharyya(base, base + size * step)
        coins = gn.Bernoulli(1).bhattacharyya(base[:, :1], base[:, :1] + size * step[:, :1])
    for i in range(6):
        moved = base[i] + size * step[i]
        expected = bhattacharyya_in_decimals(base[i], moved)
        assert classes[i] == pytest.approx(expected, rel=1e-12, abs=0)
        pair = bhattacharyya_in_decimals([0.0, base[i, 0]], [0.0, moved[0]])
        assert coins[i] == pytest.approx(pair, rel=1e-12, abs=0)


def test_classes_of_no_weight_may_move_far_between_near_predictions():
    near = np.array([0.0, 0.3, -80.0, -900.0]), np.array([1e-9, 0.3, -60.0, -700.0])
    expected = bhattacharyya_in_decimals(*near)
    assert 0 < expected < 1e-18
    assert gn.Categorical(4).bhattacharyya(*near) == pytest.approx(expected, rel=1e-12, abs=0)


def test_near_and_far_spreads_lose_no_digits():
    likelihood = gn.likelihoods.HeteroscedasticGaussian()
    for turn in (1e-12, 1e-6, 1e-3):
        found = likelihood.bhattacharyya([0.0, 0.4], [0.0, 0.4 + turn])
        step = (0.4 + turn) - 0.4
        assert found == pytest.approx(step**2 / 4 - step**4 / 24, rel=1e-12, abs=0)
    with np.errstate(**LOUD):
        found = likelihood.bhattacharyya([0.0, -400.0], [1e100, 400.0])
    assert found == pytest.approx(400 - np.log(2) / 2, rel=1e-14)


@pytest.mark.parametrize("kind", ["fisher_rao", "bhattacharyya"])
def test_the_matrix_of_near_and_far_pairs_has_the_digits_of_single_ones(kind):
    rng = np.random.default_rng(2)
    base = rng.normal(size=(1, 5, 4))
    sizes = np.array([0.0, 1e-10, 1e-6, 1e-2, 0.05, 1.0, 2000.0, -2000.0])[:, None, None]
    batch = Predictions(gn.Categorical(4), base + sizes * rng.normal(size=(8, 5, 4)), WEIGHTS)
    with np.errstate(**LOUD):
        matrix = batch.distance_matrix(kind)
    for i in range(8):
        for j in range(8):
            assert matrix[i, j] == pytest.approx(batch.distance(i, j, kind), rel=2e-12, abs=0)


@each_likelihood
def test_small_blocks_give_the_same(likelihood, monkeypatch):
    batch, other = draw(likelihood, 7), draw(likelihood, 4, seed=3)
    ends = {"start": other.z[0], "end": other.z[1]}

    def everything():
        kinds = ("fisher_rao", "bhattacharyya")
        return [batch.distance_matrix(kind, end) for kind in kinds for end in (None, other)] + [
            batch.steps(),
            *batch.progress(**ends),
        ]

    whole = everything()
    monkeypatch.setattr(pairwise, "BLOCK", 70)
    for a, b in zip(whole, everything(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


# -- trajectories -----------------------------------------------------------------------------


@each_likelihood
def test_length_is_at_least_the_chord_and_equal_on_a_geodesic(likelihood):
    walk = draw(likelihood, 9)
    steps = [walk.distance(i, i + 1) for i in range(8)]
    np.testing.assert_allclose(walk.steps(), steps, rtol=1e-13)
    assert walk.length() == pytest.approx(sum(steps), rel=1e-13)
    assert walk.excess() == walk.length() / walk.chord() > 1.5
    start, end = walk.z[:2]
    times = np.linspace(0, 1, 8) ** 1.5
    straight = Predictions(likelihood, likelihood.geodesic(start, end, times), WEIGHTS)
    assert straight.excess() == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(straight.steps(), np.diff(times) * straight.chord(), rtol=1e-6)


def test_loops_and_rest():
    loop = draw(gn.Bernoulli(3), 3).take([0, 1, 2, 0])
    assert loop.excess() == np.inf
    rest = loop.take([1, 1, 1])
    assert (rest.length(), rest.chord(), rest.excess()) == (0.0, 0.0, 1.0)
    single = loop.take(0)
    assert single.steps().shape == (0,)
    assert single.length() == 0.0


def test_weights_stand_for_repetition():
    likelihood, labels = gn.Categorical(3), np.array([0, 2, 1])
    z = np.random.default_rng(3).normal(size=(4, 3, 3))
    weighted = Predictions(likelihood, z, [0.5, 0.25, 0.25], labels)
    index = [0, 0, 1, 2]
    repeated = Predictions(likelihood, z[:, index], labels=labels[index])
    np.testing.assert_allclose(weighted.progress(), repeated.progress(), rtol=1e-12)
    np.testing.assert_allclose(weighted.distance_matrix(), repeated.distance_matrix(), rtol=1e-12)


# -- probabilities ----------------------------------------------------------------------------


def test_probabilities_instead_of_logits():
    logits = draw(gn.Categorical(4), 3)
    p = softmax(logits.z, axis=-1)
    given = Predictions.from_probabilities(p, weights=WEIGHTS, names=["a", "b", "c"])
    np.testing.assert_allclose(given.distance_matrix(), logits.distance_matrix(), rtol=1e-11)
    assert given.distance("a", "c") == given.distance(0, 2)
    single = Predictions.from_probabilities(p.astype(np.float32), weights=WEIGHTS)
    np.testing.assert_allclose(single.distance_matrix(), logits.distance_matrix(), atol=1e-6)


def test_zeros_need_a_floor():
    p = np.eye(3)[None].repeat(2, axis=0)
    p[1] = p[1][::-1]
    with pytest.raises(gn.InputError, match=r"12 of 18 probabilities are zero.*floor"):
        Predictions.from_probabilities(p)
    floored = Predictions.from_probabilities(p, floor=1e-12)
    sums = np.exp(log_softmax(floored.z, axis=-1))
    np.testing.assert_allclose(sums, (np.maximum(p, 1e-12)) / (1 + 2e-12), rtol=1e-14)
    # two of three data are one-hot in different classes: arcs of π
    assert floored.distance(0, 1) == pytest.approx(np.pi * np.sqrt(2 / 3), rel=1e-5)


# -- what cannot be ---------------------------------------------------------------------------

TWO = Predictions(gn.Categorical(2), [[[0.0, 1.0]], [[1.0, 0.0]]], labels=[0], names=["a", "b"])
NORMAL = Predictions(gn.likelihoods.HeteroscedasticGaussian(), [[[0.0, 1.0]]], labels=[0.0])
NET = gn.Network(gn.TanhField(dim=2, width=3), depth=2)
CHAIN, THETA = gn.FeedForward.from_arrays([np.eye(2), np.eye(2)], skips={1: 1.0})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Predictions("classes", [[[0.0]]]), "likelihood: expected"),
        (lambda: Predictions(gn.Categorical(3), [[[0.0, 1.0]]]), "z: expected shape"),
        (lambda: Predictions(gn.Categorical(2), [[[0.0, np.inf]]]), "z: 1 of its 2"),
        (lambda: Predictions(gn.Categorical(2), np.zeros((0, 3, 2))), "z: expected at least one"),
        (lambda: Predictions(gn.Gaussian(), [[[0.0]]], weights=[2.0]), "weights: must be"),
        (lambda: Predictions(gn.Gaussian(), [[[0.0]]], labels=[1, 2]), "labels: expected one"),
        (lambda: Predictions(gn.Gaussian(), [[[0.0]]], names="ab"), "names: expected one"),
        (lambda: Predictions.from_probabilities([[[0.6, 0.6]]]), "p: every row must sum"),
        (lambda: Predictions.from_probabilities([[[1.2, -0.2]]]), "p: probabilities must not"),
        (lambda: Predictions.from_probabilities([[[1.0]]]), "p: expected at least two"),
        (lambda: Predictions.from_probabilities([[[1.0, 0.0]]], floor=0), "floor: expected"),
        (lambda: TWO.distance(0, 2), "model: no number 2"),
        (lambda: TWO.distance(0.5, 1), "model: no number 0.5"),
        (lambda: TWO.distance("a", "c"), "model: no 'c'"),
        (lambda: TWO.distance(0, 1, "hellinger"), "kind: unknown"),
        (lambda: TWO.distance_matrix("euclid"), "kind: unknown"),
        (lambda: TWO.distance_matrix(other=NORMAL), "other: .* is not on the same data"),
        (lambda: Predictions.concatenate([]), "batches: expected a list"),
        (lambda: TWO.progress(average="mean"), "average: unknown"),
        (lambda: TWO.progress(end=np.zeros((1, 2))), "end: it is the start"),
        (lambda: TWO.progress(end=[[5.0, 5.0]]), "end: it is the start"),
        (lambda: Predictions(gn.Categorical(2), TWO.z).progress(), "end: progress to what"),
        (lambda: NORMAL.progress(), "start: .* has no uniform"),
        (lambda: NORMAL.progress(start=NORMAL.z[0]), "end: .* is never certain"),
        (lambda: Predictions(gn.Categorical(2), TWO.z, labels=[7]).truth(), "labels: expected"),
        (lambda: layer_predictions("net", 0, [[0.0]], gn.Gaussian()), "network: expected"),
        (
            lambda: layer_predictions(NET, NET.init(0), [[0.0, 0.0]], gn.Categorical(2)),
            "readout: a Network has none",
        ),
        (
            lambda: layer_predictions(CHAIN, THETA, [[0.0, 0.0]], gn.Categorical(2)),
            "network: its last layer has a skip",
        ),
        (
            lambda: layer_predictions(
                CHAIN, THETA, [[0.0, 0.0]], gn.Categorical(2), gn.Readout(np.eye(2))
            ),
            "readout: a FeedForward is read",
        ),
    ],
)
def test_what_cannot_be_is_said(call, message):
    with pytest.raises(gn.InputError, match=message):
        call()


def test_a_likelihood_without_bhattacharyya_says_so():
    class Mine(gn.Gaussian):
        bhattacharyya = gn.Gaussian.__mro__[2].bhattacharyya

    with pytest.raises(gn.InputError, match="no closed Bhattacharyya"):
        Predictions(Mine(), np.zeros((2, 1, 1))).distance_matrix("bhattacharyya")
