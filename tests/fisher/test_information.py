"""Every representation of a Fisher matrix, against G = Σ w JᵀFJ from its definition."""

import autograd
import fisher_cases
import fisher_oracles
import numpy as np
import oracles
import pytest
from fisher_cases import CASES, FEED_FORWARD, close, each_case, each_case_and_kind, each_kind

import geomnet as gn

METHODS = ("gram", "dense", "lanczos")


def directions(case, count):
    return np.random.default_rng(2).normal(size=(len(case.parameters), count))


# -- the matrix -------------------------------------------------------------------------------


@each_case_and_kind
def test_dense(case, kind):
    close(case.fisher(kind).dense(), case.matrix(kind))


@each_case_and_kind
def test_products(case, kind):
    fisher, v = case.fisher(kind), directions(case, 3)
    expected = case.matrix(kind) @ v
    close(fisher.matmat(v), expected)
    close(fisher.matmat(np.asfortranarray(v)), expected)
    close(fisher.matvec(v[:, 1]), expected[:, 1])
    operator = fisher.linear_operator()
    assert operator.shape == fisher.shape == (len(v), len(v))
    close(operator @ v, expected)
    close(operator.T @ v[:, 0], expected[:, 0])
    close(operator @ v[:, :1], expected[:, :1])


@each_case_and_kind
def test_parts_of_the_matrix(case, kind):
    fisher, expected = case.fisher(kind), case.matrix(kind)
    parts = [case.layer(index) for index in range(len(case.sizes))]
    assert [(part.start, part.stop) for part in fisher.layers] == [
        (part.start, part.stop) for part in parts
    ]
    close(fisher.diag(), np.diag(expected))
    close(fisher.trace(), np.trace(expected))
    close(fisher.trace(per_layer=True), [np.trace(expected[part, part]) for part in parts])
    close(fisher.frobenius(), np.sqrt((expected**2).sum()))
    blocks = fisher.blocks()
    assert len(blocks) == len(parts)
    for block, part in zip(blocks, parts):
        close(block, expected[part, part], scale=np.abs(expected).max())


@each_case_and_kind
def test_lengths(case, kind):
    fisher, expected = case.fisher(kind), case.matrix(kind)
    v, theta = directions(case, 1)[:, 0], case.parameters
    np.testing.assert_array_equal(fisher.theta, theta)
    assert fisher.n_parameters == len(theta)
    close(fisher.norm(v) ** 2, v @ expected @ v)
    close(fisher.fisher_rao_norm(), theta @ expected @ theta)
    parts = [case.layer(index) for index in range(len(case.sizes))]
    squares = [theta[part] @ expected[part, part] @ theta[part] for part in parts]
    close(fisher.layer_norms() ** 2, squares)
    close(fisher.information_length(), np.sqrt(np.maximum(squares, 0)).sum(), 1e-10)


@each_case_and_kind
def test_dual_gram(case, kind):
    fisher = case.fisher(kind)
    gram, p = fisher.dual_gram(), fisher.n_parameters
    close(gram, gram.T, 1e-15)
    found = np.zeros(max(p, len(gram)))
    found[: len(gram)] = np.linalg.eigvalsh(gram)[::-1]
    expected = np.zeros(len(found))
    expected[:p] = np.linalg.eigvalsh(case.matrix(kind))[::-1]
    close(np.sort(found), np.sort(expected))
    assert fisher.rank_bound == min(p, len(gram))


@each_case_and_kind
def test_whitened_predictions(case, kind):
    fisher, v = case.fisher(kind), directions(case, 3)
    moved = fisher.push(np.ascontiguousarray(v.T))
    close(moved @ moved.T, v.T @ case.matrix(kind) @ v)
    close(fisher.pull(moved).T, case.matrix(kind) @ v)


# -- eigenvalues ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@each_case_and_kind
def test_eigenvalues(case, kind, method):
    expected = np.linalg.eigvalsh(case.matrix(kind))[::-1]
    fisher, p = case.fisher(kind), len(expected)
    if method != "lanczos":
        found = fisher.eigvalsh(method=method)
        close(found, np.maximum(expected, 0))
        assert (np.diff(found) <= 0).all()
        assert (found >= 0).all()
    for k in {1, min(3, p), p}:
        close(fisher.eigvalsh(k, method=method), np.maximum(expected[:k], 0))


@each_case
def test_eigenvalues_without_a_method(case):
    """What is small is decomposed, and kept."""
    expected = np.maximum(np.linalg.eigvalsh(case.matrix("true"))[::-1], 0)
    fisher = case.new()
    for k in (2, None, 3, None):
        close(fisher.eigvalsh(min(k, len(expected)) if k else None), expected[:k])
    close(fisher.eigsh(2)[0] if len(expected) > 1 else expected, expected[:2])


@pytest.mark.parametrize("method", METHODS)
@each_case_and_kind
def test_eigenvectors(case, kind, method):
    expected = case.matrix(kind)
    largest = np.linalg.eigvalsh(expected)[::-1]
    fisher = case.fisher(kind)
    for k in {1, min(4, fisher.rank_bound), fisher.rank_bound}:
        values, vectors = fisher.eigsh(k, method=method)
        close(values, np.maximum(largest[:k], 0))
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-11)
        # Lanczos stops at a residual of 1e-10 of the largest eigenvalue
        exact = 1e-10 if method == "lanczos" else 1e-12
        np.testing.assert_allclose(expected @ vectors, vectors * values, atol=exact * largest[0])


# -- other ways to the same numbers -----------------------------------------------------------


@each_case_and_kind
def test_factors_and_autograd_agree(case, kind):
    """The network as a function goes through its Jacobian, one datum after the other."""
    fisher = case.fisher(kind)
    other = gn.FisherInformation(
        case.function,
        case.parameters,
        case.sample,
        case.likelihood,
        kind=kind,
        seed=fisher_cases.SEED,
        n_draws=fisher_cases.DRAWS,
    )
    v = directions(case, 2)
    close(other.predictions, fisher.predictions, 1e-13)
    close(other.matmat(v), fisher.matmat(v))
    close(other.diag(), fisher.diag())
    close(other.dual_gram(), fisher.dual_gram())


@each_case_and_kind
def test_cut_into_chunks(case, kind, monkeypatch):
    """Two data a chunk: 2, 2 and 1."""
    monkeypatch.setattr("geomnet.fisher.data.CACHE", 1)
    monkeypatch.setattr("geomnet.fisher.data.LEAST", 2)
    monkeypatch.setattr("geomnet.fisher.gram.TILE", 4)
    whole, v = case.fisher(kind), directions(case, 2)
    fisher = case.new(kind)
    assert len(fisher._data.slices) == 3
    for matrix in (fisher.dense(), fisher.dense()):  # what was kept serves as well
        close(matrix, whole.dense())
    close(fisher.matmat(v), whole.matmat(v))
    close(fisher.dual_gram(), whole.dual_gram())
    close(fisher.diag(), whole.diag())
    close(fisher.frobenius(), whole.frobenius())
    close(fisher.layer_norms(), whole.layer_norms())
    close(fisher.pull(fisher.push(v.T.copy())), whole.matmat(v).T)
    for block, other in zip(fisher.blocks(), whole.blocks()):
        close(block, other)


@pytest.mark.parametrize(
    "network", [gn.FeedForward((8, 20, 20, 5), "gelu", skips={1: 0.5}),
                gn.Network(gn.TanhField(8, 6), 2, gn.networks.Midpoint())],
    ids=["feed_forward", "network"],
)  # fmt: skip
@each_kind
def test_little_memory(network, kind):
    """A mebibyte cuts the data, and is too little to keep what was computed."""
    rng = np.random.default_rng(0)
    sample = gn.Sample(rng.normal(size=(150, 8)), labels=rng.integers(0, 5, 150))
    readout = gn.Readout(rng.normal(size=(5, 8))) if isinstance(network, gn.Network) else None
    theta = network.init(seed=1)

    def new(**options):
        likelihood = gn.Categorical(5)
        return gn.FisherInformation(
            network, theta, sample, likelihood, readout, kind, 3, n_draws=4, **options
        )

    fisher, whole = new(memory_limit=2**20), new()
    assert len(fisher._data.slices) > 1 == len(whole._data.slices)
    v = rng.normal(size=(fisher.n_parameters, 3))
    close(fisher.matmat(v), whole.matmat(v))
    close(fisher.diag(), whole.diag())
    close(fisher.trace(per_layer=True), whole.trace(per_layer=True))
    close(fisher.frobenius(), whole.frobenius())
    close(fisher.layer_norms(), whole.layer_norms())
    room = np.empty(fisher.shape)
    close(fisher.dense(out=room), whole.dense())
    close(fisher.kfac().trace(), whole.kfac().trace())
    close(fisher.eigvalsh(5), whole.eigvalsh(5), 1e-11)  # by Lanczos, and from the Gram matrix


@pytest.mark.parametrize("name", ["tanh", "readout", "tanh_rk4", "function_rk4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_into_what_is_given(name, order, tmp_path):
    case = CASES[name]
    fisher = case.fisher("true")
    out = np.full(fisher.shape, np.nan, order=order)
    assert fisher.dense(out=out) is out
    np.testing.assert_array_equal(out, fisher.dense())
    file = np.memmap(tmp_path / "matrix", np.float64, "w+", shape=fisher.shape, order=order)
    fisher.dense(out=file).flush()
    del file
    again = np.memmap(tmp_path / "matrix", np.float64, "r", shape=fisher.shape, order=order)
    np.testing.assert_array_equal(again, fisher.dense())


@pytest.mark.parametrize("name", [*FEED_FORWARD, "tanh_rk4", "function_euler"])
def test_loss_and_gradient(name):
    case = CASES[name]
    targets = case.targets("empirical")[0]

    def loss(theta):
        return -sum(
            w * oracles.log_density(case.likelihood, case.forward(theta, x), y)
            for w, x, y in zip(case.sample.weights, case.sample.points, targets)
        )

    fisher = case.fisher("empirical")
    close(fisher.loss(), loss(case.parameters))
    close(fisher.gradient(), autograd.grad(loss)(case.parameters))


@pytest.mark.parametrize("name", ["tanh", "skip", "tanh_rk4", "function_rk4", "function_of_theta"])
def test_at_other_parameters(name):
    case = CASES[name]
    theta = case.parameters + 0.1 * np.cos(np.arange(len(case.parameters)))
    fisher = case.fisher("true")
    fisher.eigvalsh()
    expected = fisher_oracles.information(case.forward, theta, case.sample, case.likelihood)
    close(fisher.at(theta).dense(), expected)
    close(fisher.at(theta).eigvalsh().sum(), np.trace(expected))
    close(fisher.dense(), case.matrix("true"))


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_numbers_of_other_types(name):
    """Integers, single precision and Fortran order are what they are as float64."""
    case = CASES[name]
    theta = np.round(4 * case.theta)
    points = np.round(4 * fisher_cases.POINTS)

    def dense(theta, points):
        return gn.FisherInformation(
            case.network, theta, points, case.likelihood, case.readout
        ).dense()

    expected = dense(theta, points)
    for dtype in (np.float32, np.int64, np.int8):
        given = np.asfortranarray(points.astype(dtype))
        np.testing.assert_array_equal(dense(theta.astype(dtype), given), expected)
    np.testing.assert_array_equal(dense(theta.tolist(), points.tolist()), expected)
