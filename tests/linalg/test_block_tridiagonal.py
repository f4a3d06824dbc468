"""Block-tridiagonal systems against dense linear algebra."""

import numpy as np
import pytest
from scipy.linalg import solve as dense_solve

from geomnet.linalg import block_tridiagonal

SIZES = [(1, 1), (1, 3), (2, 1), (5, 1), (2, 4), (7, 3), (12, 6)]
each_size = pytest.mark.parametrize(("count", "size"), SIZES)


def dense(diagonal, above):
    count, d = diagonal.shape[:2]
    matrix = np.zeros((count * d, count * d))
    for k in range(count):
        here, there = slice(k * d, (k + 1) * d), slice((k + 1) * d, (k + 2) * d)
        matrix[here, here] = diagonal[k]
        if k + 1 < count:
            matrix[here, there], matrix[there, here] = above[k], above[k].T
    return matrix


def blocks(count, size, seed=0, shift=0.0):
    """Symmetric blocks on the diagonal, any above; a shift makes them positive definite."""
    rng = np.random.default_rng(seed)
    diagonal = rng.normal(size=(count, size, size))
    diagonal = diagonal + np.swapaxes(diagonal, 1, 2) + shift * np.eye(size)
    return diagonal, rng.normal(size=(count - 1, size, size))


def positive(count, size, seed=0):
    lowest = np.linalg.eigvalsh(dense(*blocks(count, size, seed)))[0]
    return blocks(count, size, seed, shift=0.5 - lowest)


@each_size
def test_the_banded_factor_solves_what_is_positive_definite(count, size):
    diagonal, above = positive(count, size)
    right = np.random.default_rng(1).normal(size=(count, size))
    factor = block_tridiagonal.factor(diagonal, above)
    found = block_tridiagonal.solve(factor, right)
    expected = dense_solve(dense(diagonal, above), right.ravel(), assume_a="pos")
    np.testing.assert_allclose(found, expected.reshape(count, size), rtol=1e-9, atol=1e-12)


@each_size
def test_there_is_no_factor_of_what_is_not(count, size):
    diagonal, above = positive(count, size)
    lowest = np.linalg.eigvalsh(dense(diagonal, above))[0]
    for shift, there in ((-0.99 * lowest, True), (-1.01 * lowest, False)):
        factor = block_tridiagonal.factor(diagonal + shift * np.eye(size), above)
        assert (factor is not None) is there


def test_the_factor_leaves_its_blocks_alone():
    diagonal, above = positive(4, 3)
    kept = diagonal.copy(), above.copy()
    block_tridiagonal.factor(diagonal, above)
    np.testing.assert_array_equal(diagonal, kept[0])
    np.testing.assert_array_equal(above, kept[1])


@each_size
@pytest.mark.parametrize("seed", range(5))
def test_elimination_solves_and_counts_any_signature(count, size, seed):
    many = [blocks(count, size, seed=10 * seed + i) for i in range(3)]
    diagonal = np.stack([d for d, _ in many], axis=1)
    above = np.stack([a for _, a in many], axis=1)
    right = np.random.default_rng(seed).normal(size=(count, 3, size))
    found, negative = block_tridiagonal.eliminate(diagonal, above, right)
    for i in range(3):
        matrix = dense(*many[i])
        np.testing.assert_allclose(
            matrix @ found[:, i].ravel(), right[:, i].ravel(), rtol=1e-6, atol=1e-7
        )
        assert negative[:, i].sum() == (np.linalg.eigvalsh(matrix) < 0).sum()


@each_size
@pytest.mark.parametrize("seed", range(5))
def test_pivots_count_the_negative_eigenvalues_of_every_leading_part(count, size, seed):
    diagonal, above = blocks(count, size, seed)
    pivots = block_tridiagonal.negative_pivots(diagonal, above)
    assert pivots.shape == (count,)
    for k in range(1, count + 1):
        leading = dense(diagonal[:k], above[: k - 1])
        assert pivots[:k].sum() == (np.linalg.eigvalsh(leading) < 0).sum()


@pytest.mark.parametrize("index", [0, 1, 4, 9])
def test_an_index_is_found_where_it_is_put(index):
    # −d²/dt² − λ on [0, 1] has as many negative eigenvalues as λ passes squares of kπ
    n, level = 200, ((index + 0.5) * np.pi) ** 2
    diagonal = np.full((n - 1, 1, 1), 2.0 * n**2 - level)
    above = np.full((n - 2, 1, 1), -1.0 * n**2)
    pivots = block_tridiagonal.negative_pivots(diagonal, above)
    assert pivots.sum() == index
    # and where: a conjugate point at t = kπ/√λ
    places = (np.flatnonzero(pivots) + 1) / n
    expected = np.pi * np.arange(1, index + 1) / np.sqrt(level)
    np.testing.assert_allclose(places, expected, atol=2 / n)


def test_positive_pivots_are_zeros():
    diagonal, above = positive(6, 3)
    np.testing.assert_array_equal(block_tridiagonal.negative_pivots(diagonal, above), np.zeros(6))


def test_vanishing_pivots_count_and_stay_finite():
    diagonal = np.zeros((1, 1, 2, 2))
    diagonal[0, 0] = np.diag([3.0, 0.0])
    found, negative = block_tridiagonal.eliminate(
        diagonal, np.zeros((0, 1, 2, 2)), np.ones((1, 1, 2))
    )
    assert negative[0, 0] == 1
    assert np.isfinite(found).all()
    assert found[0, 0, 0] == pytest.approx(1 / 3)
