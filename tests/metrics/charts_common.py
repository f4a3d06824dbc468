"""What the tests of charts share."""

import numpy as np


def bent(chart, n_steps=6, size=0.03):
    """A path between the ends of a chart that is no geodesic."""
    t = np.linspace(0, 1, n_steps + 1)[:, None]
    bow = size * np.sin(np.pi * t) * np.random.default_rng(2).normal(size=chart.dim)
    return (1 - t) * chart.start + t * chart.end + bow


def gap(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def dense(diagonal, above):
    """Matrix of block-tridiagonal blocks."""
    count, d = diagonal.shape[:2]
    matrix = np.zeros((count * d, count * d))
    for k in range(count):
        here = slice(k * d, (k + 1) * d)
        matrix[here, here] = diagonal[k]
        if k + 1 < count:
            there = slice((k + 1) * d, (k + 2) * d)
            matrix[here, there], matrix[there, here] = above[k], above[k].T
    return matrix


def full_hessian(state):
    """Dense Hessian of a linearised path, put together from the blocks of its steps."""
    xx, xy, yy = state.steps.blocks()
    n = state.n_steps
    return dense(n * (yy[:-1] + xx[1:]), n * xy[1:-1])
