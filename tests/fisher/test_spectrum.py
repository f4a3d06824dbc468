"""Log determinants, linear systems, Kronecker factors and Krylov methods of a Fisher matrix."""

import copy
import pickle

import fisher_oracles
import numpy as np
import pytest
from fisher_cases import CASES, FEED_FORWARD, POINTS, WEIGHTS, close, each_case

import geomnet as gn
from geomnet.linalg import Estimate
from geomnet.linalg.lanczos import largest_eigenpairs, quadratic_forms

KRONECKER = [name for name in FEED_FORWARD if name != "readout"]
each_kronecker = pytest.mark.parametrize("name", KRONECKER)


def linear_layer(outputs, n=40, inputs=7, likelihood=None):
    """One linear layer: with Gaussian outputs each eigenvalue of E[xxᵀ] comes `outputs` times."""
    rng = np.random.default_rng(3)
    points, weights = rng.normal(size=(n, inputs)), rng.uniform(0.5, 1.5, n)
    sample = gn.Sample(points, weights / weights.sum())
    network, theta = gn.FeedForward.from_arrays([rng.normal(size=(outputs, inputs))])
    return gn.FisherInformation(network, theta, sample, gn.Gaussian(0.5, outputs)), sample


def repeated():
    """Five data, four times each: 60 rows of rank 15, 107 parameters."""
    case = FEED_FORWARD["tanh"]
    sample = gn.Sample(np.repeat(POINTS, 4, axis=0), np.repeat(WEIGHTS, 4) / 4)
    return gn.FisherInformation(case.network, case.theta, sample, case.likelihood), case


# -- log determinant and linear systems -------------------------------------------------------


@pytest.mark.parametrize("share", [10.0, 1e-2])
@each_case
def test_log_determinant(case, share):
    expected = np.maximum(np.linalg.eigvalsh(case.matrix("true")), 0)
    damping, p = share * expected.mean(), len(expected)
    for fisher in (case.fisher("true"), case.new("true")):
        relative = fisher.logdet(damping, relative=True)
        assert relative == pytest.approx(np.log1p(expected / damping).sum(), rel=1e-12)
        found = fisher.logdet(damping)
        assert found == pytest.approx(np.log(expected + damping).sum(), rel=1e-12, abs=1e-12 * p)
        assert (found.standard_error, relative.standard_error) == (0.0, 0.0)
        fisher.eigvalsh()
        assert fisher.logdet(damping, relative=True) == pytest.approx(relative, rel=1e-12)


@pytest.mark.parametrize("method", ["auto", "cholesky", "cg"])
@each_case
def test_linear_systems(case, method):
    """Digits go as the condition number, (λ₁ + δ)/δ."""
    g, fisher = case.matrix("true"), case.fisher("true")
    b = np.random.default_rng(0).normal(size=len(g))
    for share in (1.0, 1e-3):
        damping = share * np.trace(g) / len(g)
        condition = (np.linalg.norm(g, 2) + damping) / damping
        expected = np.linalg.solve(g + damping * np.eye(len(g)), b)
        exact = 1e-10 if method == "cg" else 1e-15
        close(fisher.solve(b, damping, method=method), expected, 10 * exact * condition)
    assert not fisher.solve(np.zeros(len(g)), 0.1, method=method).any()


@pytest.mark.parametrize("share", [1e-3, 1e-6])
def test_systems_of_what_data_hold(share):
    """For b = (G + δ)x, x in the range of G: what cancels in 1 − Eᵀ(K + δ)⁻¹E is mended."""
    fisher = CASES["tanh"].fisher("true")
    values, vectors = fisher.eigsh(5)
    x, damping = vectors.sum(axis=1), share * values[0]
    found = fisher.solve(vectors @ (values + damping), damping, method="cholesky")
    close(found, x, 1e-11 * values[0] / values[-1])


def test_damping_below_rounding():
    """The log determinant is that of eigenvalues which are zero; a system has no digits left."""
    fisher, case = repeated()
    expected = np.linalg.eigvalsh(case.matrix("true"))[::-1]
    assert np.abs(fisher.eigvalsh() - np.maximum(expected, 0)).max() < 1e-14
    fresh, _ = repeated()
    assert fresh.logdet(1e-6, relative=True) == pytest.approx(
        np.log1p(expected[expected > 1e-13] / 1e-6).sum(), rel=1e-8
    )
    assert np.isfinite(fresh.logdet(1e-19))
    with pytest.raises(gn.InputError, match="damping"):
        fresh.solve(np.ones(fresh.n_parameters), 1e-19)


def test_log_volume():
    fisher = CASES["tanh"].new("true")
    expected = np.linalg.eigvalsh(CASES["tanh"].matrix("true"))[::-1]
    assert fisher.log_volume(4) == pytest.approx(np.log(expected[:4]).sum(), rel=1e-12)


# -- stochastic estimates ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_estimated_log_determinant(seed):
    network = gn.FeedForward((6, 12, 12, 4), "relu")
    points = np.random.default_rng(1).normal(size=(50, 6))
    fisher = gn.FisherInformation(network, network.init(0), points, gn.Categorical(4), seed=seed)
    for damping in (1e-1, 1e-4):
        exact = fisher.logdet(damping, relative=True)
        found = fisher.logdet(damping, relative=True, method="stochastic", probes=40)
        assert 0 < found.standard_error < 0.1 * exact
        assert abs(found - exact) < 4 * found.standard_error
        assert found == fisher.logdet(damping, relative=True, method="stochastic", probes=40)
        absolute = fisher.logdet(damping, method="stochastic", probes=40)
        assert absolute == pytest.approx(found + fisher.n_parameters * np.log(damping))


def test_estimates_keep_their_error():
    network = gn.FeedForward((3, 4, 4))
    fisher = gn.FisherInformation(network, network.init(0), POINTS, gn.Categorical(4))
    found = fisher.logdet(0.1, method="stochastic")
    for other in (pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found)):
        assert isinstance(other, Estimate)
        assert (other, other.standard_error, other.method) == (
            found, found.standard_error, found.method,
        )  # fmt: skip
        assert "±" in repr(other)
    exact = copy.deepcopy(fisher.logdet(0.1))
    assert (repr(exact), exact.standard_error) == (repr(float(exact)), 0.0)


@pytest.mark.parametrize("side", [1, 2, 9])
def test_quadrature_is_exact_where_it_ends(side):
    rng = np.random.default_rng(side)
    root = rng.normal(size=(side, side))
    matrix = root @ root.T
    lower, upper = quadratic_forms(
        lambda v: v @ matrix, side, np.log1p, 5, np.random.default_rng(4), tolerance=0.0
    )
    signs = np.random.default_rng(4).choice([-1.0, 1.0], size=(5, side))
    values, vectors = np.linalg.eigh(matrix)
    logarithm = (vectors * np.log1p(values)) @ vectors.T
    exact = np.einsum("ki,ij,kj->k", signs, logarithm, signs)
    assert (lower <= exact * (1 + 1e-12)).all()
    assert (exact <= upper * (1 + 1e-12)).all()
    np.testing.assert_allclose(lower, upper, rtol=1e-5)


@pytest.mark.parametrize("damping", [1e-3, 1e-7, 1e-9])
def test_quadrature_brackets_what_it_cannot_reach(damping):
    """Of a wide spectrum and few steps: the bracket is wide, and holds the value."""
    values = np.geomspace(1, 1e-10, 400)
    lower, upper = quadratic_forms(
        lambda v: v * values,
        400,
        lambda x: np.log1p(x / damping),
        3,
        np.random.default_rng(0),
        max_steps=25,
    )
    exact = np.log1p(values / damping).sum()  # the same for all signs, as the matrix is diagonal
    assert (lower < exact).all()
    assert (exact < upper).all()


def test_quadrature_where_one_space_ends_before_the_others():
    """(1, 1, 1) is an eigenvector of 11ᵀ + I, (1, 1, −1) is not."""
    matrix = np.ones((3, 3)) + np.eye(3)
    lower, forms = quadratic_forms(lambda v: v @ matrix, 3, np.log1p, 12, np.random.default_rng(0))
    exact = np.where(forms > 4, 3 * np.log(5), np.log(5) / 3 + 8 / 3 * np.log(2))
    assert len(set(exact)) == 2
    np.testing.assert_allclose(forms, exact, rtol=1e-10)
    np.testing.assert_allclose(lower, exact, rtol=1e-10)


def test_copies_of_an_eigenvalue_in_a_large_space():
    """Ten copies at the top of many others: none may be missed."""
    values = np.r_[np.ones(10), np.linspace(0.9, 0, 3990)]
    found, _ = largest_eigenpairs(
        lambda v: v * values, 4000, 10, np.random.default_rng(0), tolerance=1e-7, memory=2**28
    )
    np.testing.assert_allclose(found, 1.0, rtol=1e-12)


# -- Krylov eigenvalues -----------------------------------------------------------------------

SPECTRA = {
    "decaying": 1 / np.arange(1, 201.0) ** 2,
    "slow": 1 / np.sqrt(np.arange(1, 201.0)),
    "tenfold": np.repeat(1 / np.arange(1, 21.0), 10),
    "fiftyfold": np.repeat([1.0, 0.7, 0.3, 0.0], 50),
    "low_rank": np.r_[1.0, 1.0, 1.0, 0.5, np.zeros(196)],
    "one_value": np.ones(200),
    "zero": np.zeros(200),
    "far_apart": np.r_[1e8, 1e4, np.full(198, 0.1)],
    "tiny": 1e-200 / np.arange(1, 201.0),
}


@pytest.mark.parametrize("k", [1, 2, 7, 12, 40])
@pytest.mark.parametrize("name", SPECTRA)
def test_largest_eigenpairs(name, k):
    exact = np.sort(SPECTRA[name])[::-1]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(200, 200)))[0]
    matrix = (turn * exact) @ turn.T
    values, rows = largest_eigenpairs(
        lambda v: v @ matrix, 200, k, np.random.default_rng(1), tolerance=1e-10, memory=2**24
    )
    scale = max(exact[0], 1e-300)
    np.testing.assert_allclose(values / scale, exact[:k] / scale, rtol=0, atol=1e-13)
    np.testing.assert_allclose(rows @ rows.T, np.eye(k), atol=1e-11)
    np.testing.assert_allclose(rows @ matrix / scale, values[:, None] * rows / scale, atol=2e-10)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 11, 13])
def test_all_of_few_eigenvalues(side):
    matrix = np.diag(np.arange(side, 0.0, -1))
    for k in range(1, side + 1):
        values, _ = largest_eigenpairs(
            lambda v: v @ matrix, side, k, np.random.default_rng(2), tolerance=1e-10, memory=2**20
        )
        np.testing.assert_allclose(values, np.arange(side, side - k, -1), atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 3, 10])
def test_eigenvalues_of_shared_inputs(outputs):
    """Every eigenvalue of E[xxᵀ]/σ² comes once for each output."""
    fisher, sample = linear_layer(outputs)
    moment = sample.points.T @ (sample.points * sample.weights[:, None]) / 0.5**2
    expected = np.repeat(np.linalg.eigvalsh(moment)[::-1], outputs)
    for method in ("gram", "dense"):
        close(fisher.eigvalsh(method=method), expected)
    for k in {1, outputs, min(outputs + 2, len(expected)), 2 * outputs, len(expected)}:
        close(fisher.eigvalsh(k, method="lanczos"), expected[:k])
        values, vectors = fisher.eigsh(k, method="lanczos")
        close(values, expected[:k])
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-11)


def test_more_eigenvalues_than_the_rank():
    fisher, case = repeated()
    expected = np.maximum(np.linalg.eigvalsh(case.matrix("true"))[::-1], 0)
    for k in (15, 20, 60):
        close(fisher.eigvalsh(k, method="lanczos"), np.r_[expected, np.zeros(60)][:k])
        for method in ("gram", "lanczos"):
            values, vectors = fisher.eigsh(min(k, fisher.rank_bound), method=method)
            np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-11)


# -- Kronecker factors ------------------------------------------------------------------------


def kronecker_oracle(case):
    """Factors (A, B) of every layer; layers without biases get zeros for them."""
    network = case.network
    weights, biases = network.unpack(case.theta)
    filled = [np.zeros(len(w)) if b is None else b for w, b in zip(weights, biases)]
    theta = np.concatenate([part for w, b in zip(weights, filled) for part in (w.reshape(-1), b)])
    skips = {layer: (source, scale) for layer, source, scale in network.skips}

    def forward(theta, x):
        every = [True] * network.depth
        states = fisher_oracles.feed_forward(
            network.widths, network.activations, every, skips, theta, x
        )
        return states[-1]

    g = fisher_oracles.information(forward, theta, case.sample, case.likelihood)
    return fisher_oracles.kronecker(
        network.widths, network.activations, skips, theta, case.sample, g
    )


@each_kronecker
def test_kronecker_factors(name):
    case = FEED_FORWARD[name]
    found = case.fisher("true").kfac()
    for place, a, b, (inputs, signals) in zip(
        found.maps, found.inputs, found.signals, kronecker_oracle(case)
    ):
        close(a, inputs if place.bias else inputs[:-1, :-1])
        close(b, signals)


@each_kronecker
def test_kronecker_blocks_entry_by_entry(name):
    case, found = FEED_FORWARD[name], FEED_FORWARD[name].fisher("true").kfac()
    expected = np.zeros((len(case.theta),) * 2)
    for place, a, b in zip(found.maps, found.inputs, found.signals):
        at = {}  # (output, input) of every parameter, the bias last
        for o, k in np.ndindex(place.outputs, place.inputs):
            at[place.start + o * place.inputs + k] = o, k
        for o in range(place.outputs if place.bias else 0):
            at[place.start + place.outputs * place.inputs + o] = o, place.inputs
        for i, (o, k) in at.items():
            for j, (m, c) in at.items():
                expected[i, j] = b[o, m] * a[k, c]
    close(found.dense(), expected)


@pytest.mark.parametrize("name", [*FEED_FORWARD, "tanh_rk4", "features_midpoint", "linear_euler"])
@pytest.mark.parametrize("kind", ["true", "empirical"])
def test_what_kronecker_factors_give(name, kind):
    found = CASES[name].fisher(kind).kfac()
    matrix = found.dense()
    p = len(matrix)
    v = np.random.default_rng(0).normal(size=p)
    close(found.matvec(v), matrix @ v)
    close(found.trace(), np.trace(matrix))
    close(found.frobenius(), np.linalg.norm(matrix))
    values = np.linalg.eigvalsh(matrix)
    close(found.eigvalsh(), np.maximum(values[::-1], 0))
    damping = 0.1 * values.mean()
    close(found.solve(v, damping), np.linalg.solve(matrix + damping * np.eye(p), v), 1e-11)
    expected = np.linalg.slogdet(matrix + damping * np.eye(p))[1]
    assert found.logdet(damping) == pytest.approx(expected, abs=1e-12 * p)
    assert found.logdet(damping, relative=True) == pytest.approx(
        expected - p * np.log(damping), abs=1e-12 * p
    )


def test_kronecker_factors_are_the_matrix_of_one_datum_and_output():
    """With one row in all, B ⊗ A is the block itself."""
    network = gn.FeedForward((3, 4, 1))
    fisher = gn.FisherInformation(network, network.init(0), POINTS[:1], gn.Gaussian(0.3))
    for block, other in zip(
        fisher.blocks(), (fisher.kfac().dense()[:16, :16], fisher.kfac().dense()[16:, 16:])
    ):
        close(block, other)


def test_kronecker_factors_of_a_map_used_twice():
    """x + M(x + (Mx + c)/2) + c: signals ½M and I, inputs x and the midpoint, averaged."""
    rng = np.random.default_rng(0)
    m, c = rng.normal(size=(3, 3)), rng.normal(size=3)
    network = gn.Network(gn.networks.LinearField(3), 1, gn.networks.Midpoint())
    theta = np.concatenate([m.reshape(-1), c])
    sample = gn.Sample(POINTS, WEIGHTS)
    found = gn.FisherInformation(network, theta, sample, gn.Gaussian(0.7, 3)).kfac()
    close(found.signals[0], (0.25 * m.T @ m + np.eye(3)) / 0.7**2)
    uses = (
        [np.append(x, 1.0) for x in POINTS],
        [np.append(x + (m @ x + c) / 2, 1.0) for x in POINTS],
    )
    expected = [sum(w * np.outer(a, a) for w, a in zip(WEIGHTS, use)) for use in uses]
    close(found.inputs[0], (expected[0] + expected[1]) / 2)


@pytest.mark.parametrize("name", ["function_rk4", "function_of_theta"])
def test_no_kronecker_factors_without_affine_maps(name):
    with pytest.raises(gn.InputError, match="network: Kronecker factors are of affine maps"):
        CASES[name].fisher("true").kfac()
