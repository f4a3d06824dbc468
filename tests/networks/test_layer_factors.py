"""Layer factors: rows of Jacobians, from the inputs and signals of affine maps."""

import fisher_oracles
import numpy as np
import pytest
from fisher_cases import CASES, close, each_case

import geomnet as gn
from geomnet.networks.layers.factors import AffineFactors, AffineMap, ExplicitFactors


def jacobians(case):
    points = case.sample.points
    return np.array([fisher_oracles.jacobian(case.forward, case.parameters, x) for x in points])


def run(case):
    model = gn.model(case.network, case.theta, case.readout)
    theta = model.theta
    return model.linearise(theta, case.sample.points)


def covectors(case, q=3):
    return np.random.default_rng(8).normal(size=(5, q, case.likelihood.n_parameters))


@each_case
def test_rows_are_those_of_the_jacobian(case):
    scores = covectors(case)
    expected = scores @ jacobians(case)
    found = run(case).factors(scores)
    places = [(part.start, part.stop) for part in found]
    assert places == sorted(places)
    assert [start for start, _ in places[1:]] == [stop for _, stop in places[:-1]]
    assert (places[0][0], places[-1][1]) == (0, len(case.parameters))
    close(np.concatenate([part.rows() for part in found], axis=2), expected)
    for part in found:
        layer = case.layer(part.layer)
        assert layer.start <= part.start < part.stop <= layer.stop


@each_case
def test_products_of_the_linearised_model(case):
    model, rows, scores = run(case), jacobians(case), covectors(case)
    v = np.random.default_rng(3).normal(size=(2, len(case.parameters)))
    close(model.output, [case.forward(case.parameters, x) for x in case.sample.points], 1e-13)
    close(model.push(v), np.einsum("icp,kp->ikc", rows, v))
    close(model.pull(scores), np.einsum("ikc,icp->kp", scores, rows))


@each_case
def test_quadratic_quantities_are_those_of_the_rows(case):
    parts, others = run(case).factors(covectors(case)), run(case).factors(covectors(case, 2))
    mine, theirs = slice(1, 4), slice(0, 5)
    rng = np.random.default_rng(4)
    for part, other in zip(parts, others):
        check_against_rows(part, other, mine, theirs, rng)


def check_against_rows(part, other, mine, theirs, rng):
    rows, columns = part.rows(), other.rows()
    assert rows.shape == (part.n, part.q, part.size)
    v = rng.normal(size=part.size)
    close(part.times(v), rows @ v, scale=np.abs(rows).max())
    squares = (rows**2).sum(axis=(0, 1))
    close(part.squares(), squares, scale=squares.max())
    close(part.norms(), (rows**2).sum(axis=(1, 2)), scale=squares.max())
    left, right = rows[mine].reshape(-1, part.size), columns[theirs].reshape(-1, part.size)
    out = np.ones((len(left), len(right)))
    part.add_gram(mine, other, theirs, out)
    close(out, 1 + left @ right.T, scale=1 + np.abs(left @ right.T).max())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("uses", [1, 2, 4])
def test_uses_of_one_map(uses, bias):
    """A row is the sum of the uses' signals times their inputs, entry by entry."""
    rng = np.random.default_rng(uses)
    n, q, out, inner = 4, 2, 3, 5
    place = AffineMap("map", 1, out, inner, 7, bias)
    inputs = [rng.normal(size=(n, inner)) for _ in range(uses)]
    signals = [rng.normal(size=(n, q, out)) for _ in range(uses)]
    factors = AffineFactors(place, inputs, signals)
    assert (factors.start, factors.stop) == (7, 7 + out * inner + bias * out)
    rows = factors.rows()
    for i, a, o, k in np.ndindex(n, q, out, inner):
        expected = sum(signals[s][i, a, o] * inputs[s][i, k] for s in range(uses))
        assert abs(rows[i, a, o * inner + k] - expected) < 1e-13
    if bias:
        close(rows[:, :, out * inner :], sum(signals))
    other = AffineFactors(place, [x[:3] for x in inputs], [y[:3, :1] for y in signals])
    check_against_rows(factors, other, slice(0, 2), slice(1, 3), rng)


def test_explicit_rows():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4, 2, 6))
    factors, other = ExplicitFactors(0, 3, rows), ExplicitFactors(0, 3, rng.normal(size=(5, 3, 6)))
    np.testing.assert_array_equal(factors.rows(), rows)
    check_against_rows(factors, other, slice(2, 4), slice(0, 5), rng)


@pytest.mark.parametrize("name", ["tanh", "residual", "tanh_rk4", "features_midpoint"])
def test_data_joined(name):
    """Chunks joined are one chunk."""
    case = CASES[name]
    model = gn.model(case.network, case.theta, case.readout)
    theta = model.theta
    points, scores = case.sample.points, covectors(case)
    cuts = [slice(0, 2), slice(2, 3), slice(3, 5)]
    parts = [model.linearise(theta, points[cut]).factors(scores[cut]) for cut in cuts]
    for whole, pieces in zip(model.linearise(theta, points).factors(scores), zip(*parts)):
        joined = pieces[0].join(list(pieces))
        assert (joined.n, joined.q, joined.start) == (whole.n, whole.q, whole.start)
        close(joined.rows(), whole.rows(), 1e-14)


@pytest.mark.parametrize("name", ["tanh", "residual", "skip", "skips_of_one", "tanh_rk4"])
def test_covectors_at_every_value(name):
    """∂(output)/∂v of every value, by moving the input of the first and the last."""
    case = CASES[name]
    model, scores = run(case), covectors(case)
    back = model.record(scores).backs
    np.testing.assert_array_equal(back[-1], scores)
    step = 1e-6

    def output(points):
        return np.array([case.forward(case.parameters, x) for x in points])

    points = case.sample.points
    for k, unit in enumerate(np.eye(3)):
        change = (output(points + step * unit) - output(points - step * unit)) / (2 * step)
        found = np.einsum("iqc,ic->iq", scores, change)
        np.testing.assert_allclose(back[0][:, :, k], found, atol=1e-8)
