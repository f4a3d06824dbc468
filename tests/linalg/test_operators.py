"""Operators known by products: each against the matrix that it is, and the laws between them."""

import pickle
from copy import copy

import numpy as np
import pytest
from scipy.linalg import block_diag

import geomnet as gn
from geomnet.linalg import (
    BlockDiagonal,
    DampedInverse,
    MatrixOperator,
    ScaledOperator,
    SumOperator,
)

RNG = np.random.default_rng(0)
WIDE, TALL, OTHER = (RNG.normal(size=shape) for shape in ((4, 9), (12, 5), (3, 9)))
SINGULAR = np.linalg.qr(RNG.normal(size=(7, 4)))[0] * [1.0, 1e-3, 1e-6, 0.0]
DEFICIENT = RNG.normal(size=(8, 2)) @ RNG.normal(size=(2, 6))


def network():
    fisher = gn.FisherInformation(
        gn.FeedForward((3, 2, 2), "tanh"), RNG.normal(size=14), RNG.normal(size=(5, 3)),
        gn.Categorical(2),
    )  # fmt: skip
    return fisher, fisher.push(np.eye(14)).T


def kronecker():
    factors = network()[0].kfac()
    return factors, factors.push(np.eye(14)).T


FISHER, KRONECKER = network(), kronecker()
CASES = {
    "wide": (MatrixOperator(WIDE), WIDE),
    "tall": (MatrixOperator(TALL), TALL),
    "deficient": (MatrixOperator(DEFICIENT), DEFICIENT),
    "nearly singular": (MatrixOperator(SINGULAR), SINGULAR),
    "scaled": (ScaledOperator(2.5, MatrixOperator(TALL)), np.sqrt(2.5) * TALL),
    "sum": (SumOperator([MatrixOperator(WIDE), MatrixOperator(OTHER)]), np.vstack([WIDE, OTHER])),
    "blocks": (
        BlockDiagonal([MatrixOperator(WIDE), MatrixOperator(TALL)]), block_diag(WIDE, TALL),
    ),
    "nested": (
        SumOperator([
            BlockDiagonal([MatrixOperator(WIDE), ScaledOperator(0.5, MatrixOperator(TALL))]),
            MatrixOperator(np.hstack([OTHER, np.ones((3, 5))])),
        ]),
        np.vstack([block_diag(WIDE, np.sqrt(0.5) * TALL), np.hstack([OTHER, np.ones((3, 5))])]),
    ),
    "scaled Fisher": (ScaledOperator(0.5, FISHER[0]), np.sqrt(0.5) * FISHER[1]),
    "Fisher": FISHER,
    "Kronecker": KRONECKER,
    "Fisher and Kronecker": (
        BlockDiagonal([FISHER[0], KRONECKER[0]]), block_diag(FISHER[1], KRONECKER[1])
    ),
}  # fmt: skip
each = pytest.mark.parametrize("name", CASES)


def close(found, expected, tolerance=1e-11):
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


@each
def test_it_is_the_matrix_of_its_rows(name):
    operator, rows = CASES[name]
    gram = rows.T @ rows
    assert operator.shape == gram.shape
    assert (operator.n_rows, operator.n_columns) == rows.shape
    close(operator.dense(), gram)
    close(operator.dual_gram(), rows @ rows.T)
    close(operator.diag(), np.diag(gram))
    close(operator.trace(), np.trace(gram))
    close(operator.frobenius(), np.linalg.norm(gram))


@each
def test_products_push_and_pull(name):
    operator, rows = CASES[name]
    rng = np.random.default_rng(1)
    v, u = rng.normal(size=(3, rows.shape[1])), rng.normal(size=(3, len(rows)))
    close(operator.push(v), v @ rows.T)
    close(operator.pull(u), u @ rows)
    close(np.sum(operator.push(v) * u), np.sum(v * operator.pull(u)))
    close(operator.products(v), v @ rows.T @ rows)
    close(operator.matvec(v[0]), rows.T @ (rows @ v[0]))
    close(operator @ v.T, rows.T @ (rows @ v.T))
    close(operator.linear_operator() @ v[0], rows.T @ (rows @ v[0]))
    assert operator.norm(v[0]) == pytest.approx(np.linalg.norm(rows @ v[0]), rel=1e-12)


@each
@pytest.mark.parametrize("method", ["auto", "gram", "dense", "lanczos"])
def test_eigenvalues_by_every_method(name, method):
    operator, rows = CASES[name]
    expected = np.sort(np.linalg.eigvalsh(rows.T @ rows))[::-1]
    k = 2 if method == "lanczos" else None
    close(copy(operator).eigvalsh(k, method), np.maximum(expected, 0)[:k], 1e-10)


@each
def test_eigenvectors(name):
    operator, rows = CASES[name]
    values, vectors = operator.eigsh(2)
    close(vectors.T @ vectors, np.eye(2), 1e-9)
    close(rows.T @ (rows @ vectors), vectors * values, 1e-9)


@each
@pytest.mark.parametrize("damping", [1e-9, 1e-3, 10.0])
def test_log_determinants(name, damping):
    operator, rows = CASES[name]
    values = np.maximum(np.linalg.eigvalsh(rows.T @ rows), 0)
    found = copy(operator).logdet(damping)
    assert found.standard_error == 0.0
    assert found == pytest.approx(np.sum(np.log(values + damping)), rel=1e-6)
    relative = copy(operator).logdet(damping, relative=True)
    shift = rows.shape[1] * np.log(damping)
    assert relative == pytest.approx(found - shift, rel=1e-9, abs=1e-9)


@each
@pytest.mark.parametrize("method", ["cholesky", "cg"])
def test_damped_systems(name, method):
    operator, rows = CASES[name]
    b = np.random.default_rng(2).normal(size=rows.shape[1])
    x = operator.solve(b, 0.3, method)
    close(rows.T @ (rows @ x) + 0.3 * x, b, 1e-8)
    inverse = DampedInverse(operator, 0.3)
    close(inverse.matvec(b), np.linalg.solve(rows.T @ rows + 0.3 * np.eye(len(b)), b), 1e-8)
    close(inverse.linear_operator() @ b, inverse.matvec(b))
    assert inverse.logdet() == pytest.approx(-operator.logdet(0.3))


@pytest.mark.parametrize("method", ["cholesky", "cg"])
def test_a_multiple_is_solved_as_what_it_multiplies(method):
    b, once = np.arange(1.0, 6.0), MatrixOperator(TALL)
    expected = once.solve(b / 2.5, 0.1 / 2.5, method)
    np.testing.assert_array_equal(ScaledOperator(2.5, once).solve(b, 0.1, method), expected)


def test_stochastic_log_determinants_of_blocks_add_up_with_their_errors():
    rng = np.random.default_rng(3)
    parts = [MatrixOperator(rng.normal(size=(n, 40))) for n in (60, 50)]
    each = [part.logdet(0.5, method="stochastic") for part in parts]
    found = BlockDiagonal(parts).logdet(0.5, method="stochastic")
    assert found == sum(each)
    assert found.standard_error == sum(value.standard_error for value in each) > 0
    assert found.method == "Lanczos quadrature, 8 probes"
    scaled = ScaledOperator(2.0, parts[0]).logdet(1.0, method="stochastic")
    assert scaled == pytest.approx(each[0] + 40 * np.log(2), rel=1e-12)
    assert scaled.standard_error == each[0].standard_error


def test_nearly_singular_without_damping_is_said():
    with pytest.raises(gn.InputError, match=r"damping: G \+ 1e-20 is singular to rounding"):
        MatrixOperator(DEFICIENT).solve(np.ones(6), 1e-20)
    operator = MatrixOperator([[1.0, 1.0, 1.0], [1e-9, 1e-9, 1e-9]])
    assert operator.eigvalsh()[1] == 0.0
    with pytest.raises(gn.InputError, match="k: eigenvalue 2 of G is zero to rounding"):
        operator.log_volume(2)


def test_what_does_not_fit_raises():
    operator = MatrixOperator(TALL)
    operator.memory_limit = 100
    for call in (operator.dense, operator.dual_gram):
        with pytest.raises(gn.InputError, match=r"^memory_limit: .* take eigvalsh\(k\)"):
            call()


def test_what_solvers_keep_is_not_copied():
    operator = MatrixOperator(TALL)
    values = operator.eigvalsh()
    operator.solve(np.ones(5), 0.1)
    again = pickle.loads(pickle.dumps(operator))
    assert "_kept" not in again.__dict__
    assert "_system" not in again.__dict__
    np.testing.assert_array_equal(again.eigvalsh(), values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SumOperator([MatrixOperator(WIDE), MatrixOperator(TALL)]), "terms: their sides"),
        (lambda: SumOperator([]), "terms: expected one operator"),
        (lambda: BlockDiagonal([]), "blocks: expected one operator"),
        (lambda: BlockDiagonal([MatrixOperator(WIDE)]).eigvalsh(10), "k: G has 9 eigenvalues, 10"),
        (lambda: BlockDiagonal([MatrixOperator(WIDE)]).solve(WIDE, 1.0), "b: expected shape"),
        (lambda: ScaledOperator(2.0, MatrixOperator(WIDE)).solve(np.ones(9), 0), "damping: "),
        (lambda: KRONECKER[0].eigvalsh(15), "k: G has 14 eigenvalues, 15"),
        (lambda: KRONECKER[0].solve(np.ones(14), 1.0, "qr"), "method: unknown 'qr'"),
        (lambda: KRONECKER[0].logdet(1.0, method="qr"), "method: unknown 'qr'"),
        (lambda: ScaledOperator(0.0, MatrixOperator(WIDE)), "factor: "),
        (lambda: DampedInverse(MatrixOperator(WIDE), -1.0), "damping: "),
        (lambda: MatrixOperator([1.0, 2.0]), "matrix: expected 2 axes"),
        (lambda: MatrixOperator(WIDE).eigvalsh(10), "k: G has 9 eigenvalues, 10"),
        (lambda: MatrixOperator(WIDE).eigsh(5), "k: the rank of G is at most 4, 5"),
        (lambda: MatrixOperator(WIDE).eigvalsh(method="qr"), "method: unknown 'qr'"),
        (lambda: MatrixOperator(WIDE).logdet(1.0, method="qr"), "method: unknown 'qr'"),
        (lambda: MatrixOperator(WIDE).solve(np.ones(9), 1.0, "qr"), "method: unknown 'qr'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(gn.InputError, match=f"^{message}"):
        make()
