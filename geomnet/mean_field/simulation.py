"""Fisher spectra of drawn networks, beside what mean-field theory says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import autograd.numpy as anp
import numpy as np

from ..utils.arrays import Array

__all__ = ["FunctionNetwork", "Measurement", "SimulatedSpectrum"]


@dataclass(frozen=True, eq=False)
class Measurement:
    """A statistic of several drawn networks beside its mean-field value.

    Attributes
    ----------
    values : ndarray, shape (networks,)
        One a network.
    expected : float
        What the theory says.
    """

    values: np.ndarray
    expected: float

    @property
    def mean(self) -> float:
        """Mean over the networks."""
        return float(np.mean(self.values))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; NaN for one network."""
        if len(self.values) < 2:
            return float("nan")
        return float(np.std(self.values, ddof=1) / np.sqrt(len(self.values)))

    @property
    def deviation(self) -> float:
        """Relative deviation of the mean from the theory, mean/expected − 1."""
        return self.mean / self.expected - 1

    def __repr__(self) -> str:
        return (
            f"Measurement({self.mean:.6g} ± {self.standard_error:.2g}, "
            f"expected {self.expected:.6g}, {self.deviation:+.1%})"
        )


@dataclass(frozen=True, eq=False)
class SimulatedSpectrum:
    """Fisher spectra of drawn networks, measured.

    Attributes
    ----------
    largest_eigenvalue : Measurement
        λmax.
    leading_mean : Measurement
        Mean of the C largest eigenvalues, which are one in the limit.
    mean_eigenvalue, second_moment : Measurement
        Over all parameters, biases included: the mean eigenvalue is trace/P.
    width, n, outputs : int
        M, T and C of the simulation.
    """

    largest_eigenvalue: Measurement
    leading_mean: Measurement
    mean_eigenvalue: Measurement
    second_moment: Measurement
    width: int
    n: int
    outputs: int


@dataclass(frozen=True)
class FunctionNetwork:
    """A feed-forward network of any activation, in ``autograd.numpy``."""

    activation: Callable[[Array], Array]
    units: tuple[int, ...]

    def __call__(self, theta: Array, points: Array) -> Array:
        """Outputs on points (n, d): (n, C)."""
        state, start = points, 0
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.units)):
            cut = start + fan_in * fan_out
            weight, bias = theta[start:cut].reshape(fan_out, fan_in), theta[cut : cut + fan_out]
            state, start = anp.dot(state, weight.T) + bias, cut + fan_out
            if layer < len(self.units) - 2:
                state = self.activation(state)
        return state
