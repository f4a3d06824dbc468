"""Charts with derivatives by hand, and the lift of the stereographic sphere."""

import autograd.numpy as anp
import numpy as np
import pytest

import geomnet as gn


def sphere(dim=2):
    def metric_matrix(x):
        return 4 * anp.eye(dim) / (1 + anp.sum(x**2, axis=-1)[..., None, None]) ** 2

    def quadratic_gradient(v, x):
        squares = np.sum(v**2, axis=-1, keepdims=True)
        return -16 * squares * x / (1 + np.sum(x**2, axis=-1, keepdims=True)) ** 3

    return gn.ChartMetric(metric_matrix, dim, quadratic_gradient)


def half_plane():
    def quadratic_gradient(v, x):
        return np.sum(v**2, axis=-1, keepdims=True) * np.array([0, -2.0]) / x[..., 1:] ** 3

    return gn.ChartMetric(
        lambda x: np.eye(2) / x[..., 1, None, None] ** 2,
        2,
        quadratic_gradient,
        domain=lambda x: x[..., 1] > 0,
    )


def lift(x):
    square = np.sum(x**2, axis=-1, keepdims=True)
    return np.concatenate([2 * x, square - 1], axis=-1) / (square + 1)


def gaussian():
    def metric_matrix(x):
        one = 1 / x[..., 1] ** 2
        rows = [anp.stack([one, 0 * one], -1), anp.stack([0 * one, 2 * one], -1)]
        return anp.stack(rows, -2)

    return gn.ChartMetric(metric_matrix, 2, domain=lambda x: x[..., 1] > 0)


def paraboloid(dim=2):
    return gn.ChartMetric(lambda x: anp.eye(dim) + 4 * x[..., :, None] * x[..., None, :], dim)


def matrices(x):
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    return anp.stack([anp.stack([a, b], -1), anp.stack([b, c], -1)], -2)


def positive_definite():
    basis = matrices(np.eye(3))

    def metric_matrix(x):
        moved = anp.matmul(anp.linalg.inv(matrices(x))[..., None, :, :], basis)
        return anp.einsum("...iab,...jba->...ij", moved, moved)

    return gn.ChartMetric(
        metric_matrix, 3, domain=lambda x: np.linalg.eigvalsh(matrices(x))[:, 0] > 0
    )


def spd_distance(a, b):
    return np.sqrt(
        np.sum(np.log(np.linalg.eigvals(np.linalg.solve(matrices(a), matrices(b)))) ** 2)
    )


def far_apart(dim):
    a, b = np.zeros(dim), np.zeros(dim)
    a[0], a[-1], b[0], b[1] = -0.9, 0.15, 0.8, 0.7
    return a, b


def _charts():
    for dim in (2, 6, 20):
        a, b = far_apart(dim)
        yield f"sphere{dim}", sphere(dim), a, b, np.arccos(lift(a) @ lift(b))
    a, b = np.array([-1.0, 0.3]), np.array([1.5, 0.6])
    yield "half_plane", half_plane(), a, b, np.arccosh(1 + (2.5**2 + 0.3**2) / (2 * 0.3 * 0.6))
    a, b = np.array([-1.0, 0.4]), np.array([1.0, 0.6])
    yield "gaussian", gaussian(), a, b, np.sqrt(2) * np.arccosh(1 + (4 / 2 + 0.04) / (2 * 0.24))
    a, b = np.array([1.0, 0.2, 0.5]), np.array([0.6, -0.7, 2.5])
    yield "spd", positive_definite(), a, b, spd_distance(a, b)
    a, b = np.array([-1.0, 0.5]), np.array([1.0, 0.7])
    yield "paraboloid", paraboloid(), a, b, None


CHARTS = [pytest.param(*case[1:], id=case[0]) for case in _charts()]
