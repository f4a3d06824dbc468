"""Networks and data of the Fisher benchmarks, as arrays: NumPy alone, and scikit-learn's digits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
CLASSES = 10
DEPTH, WIDTH, STEP = 16, 32, 0.25


@dataclass(frozen=True)
class Problem:
    """A tanh network with a linear last layer; layer l skips by state + skips[l]·tanh(…)."""

    name: str
    weights: list[Array]
    biases: list[Array]
    skips: dict[int, float]
    points: Array

    @property
    def n_parameters(self) -> int:
        """Weights and biases."""
        return sum(a.size for a in (*self.weights, *self.biases))


def draw_layers(widths: list[int], seed: int) -> tuple[list[Array], list[Array]]:
    """W ~ N(0, 1/fan-in) and b ~ 0.1·N(0, 1), layer by layer from one generator."""
    rng = np.random.default_rng(seed)
    weights, biases = [], []
    for fan_in, fan_out in pairwise(widths):
        weights.append(rng.normal(0, 1 / np.sqrt(fan_in), (fan_out, fan_in)))
        biases.append(0.1 * rng.normal(size=fan_out))
    return weights, biases


def digits() -> Array:
    """All 1797 digits, grey values in [0, 1]."""
    from sklearn.datasets import load_digits

    return load_digits().data / 16.0


def problem(name: str) -> Problem:
    """``mlp``: 64-64-64-10. ``residual``: 64→32, 16 blocks x + ¼tanh(Wx + b), 32→10."""
    if name == "mlp":
        weights, biases = draw_layers([64, 64, 64, CLASSES], seed=0)
        skips: dict[int, float] = {}
    elif name == "residual":
        weights, biases = draw_layers([64] + [WIDTH] * (DEPTH + 1) + [CLASSES], seed=0)
        skips = dict.fromkeys(range(1, DEPTH + 1), STEP)
    else:
        raise ValueError(f"no problem of the name {name!r}")
    return Problem(name, weights, biases, skips, digits())
