"""Order parameters of wide random networks: lengths and angles, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import autograd
import numpy as np

from ..errors import ConvergenceError, InputError
from ..networks.layers.activations import activation_named
from ..utils.arrays import Array
from .gaussian_expectation import Linearise, mean_products

__all__ = ["OrderParameters", "linearised_activation", "propagate"]

_WORST_AVERAGE = 1e-6  # relative error beyond which nothing is made of a Gaussian average


@dataclass(frozen=True, eq=False)
class OrderParameters:
    r"""What a wide random network does to lengths and angles, layer by layer.

    Entry l−1 of each array belongs to the weights :math:`W^l`, l = 1..L.

    Attributes
    ----------
    qhat_1 : ndarray, shape (L,)
        :math:`\hat q_1^{l-1}`, mean square of the activations that enter :math:`W^l`.
    qhat_2 : ndarray, shape (L,)
        :math:`\hat q_2^{l-1}`, their mean product at two different inputs.
    qtilde_1 : ndarray, shape (L,)
        :math:`\tilde q_1^l`, squared norm of the derivative of one output in the
        pre-activations of layer l.
    qtilde_2 : ndarray, shape (L,)
        :math:`\tilde q_2^l`, inner product of those derivatives at two different inputs.
    error : float
        Largest relative error of the Gaussian averages they are made of.
    """

    qhat_1: np.ndarray
    qhat_2: np.ndarray
    qtilde_1: np.ndarray
    qtilde_2: np.ndarray
    error: float


def linearised_activation(activation: str | Callable[[Array], Array]) -> Linearise:
    """Values and slopes of an activation: by hand for a name, by autograd for a callable.

    Raises
    ------
    InputError
        When the name is unknown, or the callable not elementwise or not in ``autograd.numpy``.
    """
    if not callable(activation):
        return activation_named(activation).linearise
    slope = autograd.elementwise_grad(activation)

    def linearise(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(activation(u)), np.asarray(slope(u))

    probe = np.array([[-1.3, -0.4, 0.2], [0.7, 1.1, 2.6]])
    try:
        values, slopes = linearise(probe)
        alone, _ = linearise(probe[:1, :1])
    except Exception as error:
        raise InputError(
            "activation: not an elementwise function that autograd can differentiate; write it "
            f"in autograd.numpy ({type(error).__name__}: {error})"
        ) from error
    for part in (values, slopes):
        if part.shape != probe.shape or part.dtype.kind != "f" or not np.isfinite(part).all():
            raise InputError(
                "activation: expected an elementwise function with finite slopes; an array of "
                f"shape {probe.shape} gave one of {part.shape}, {part.ravel()[:6]}"
            )
    if not np.allclose(alone, values[:1, :1], rtol=1e-12, atol=0):
        raise InputError(
            "activation: expected an elementwise function, but its value at one entry depends on "
            "the others"
        )
    return linearise


def propagate(
    activation: str | Callable[[Array], Array],
    depth: int,
    weight_variance: float,
    bias_variance: float,
    kinks: tuple[float, ...],
) -> OrderParameters:
    r"""Return the order parameters of all layers, forward and then backward.

    See `MeanField` for the recursion and its arguments.

    Raises
    ------
    InputError
        When an average overflows.
    ConvergenceError
        When an average is known to less than six digits.
    """
    linearise = linearised_activation(activation)
    qhat, slopes, worst = np.empty((2, depth)), np.empty((2, depth - 1)), 0.0
    qhat[:, 0] = 1.0, 0.0
    with np.errstate(all="ignore"):  # what overflows is said below
        for layer in range(1, depth):
            q_1, q_2 = weight_variance * qhat[:, layer - 1] + bias_variance
            for i, covariance in enumerate((q_1, q_2)):
                average = mean_products(linearise, q_1, covariance, kinks)
                _check_average(layer, *average)
                qhat[i, layer], slopes[i, layer - 1] = average[:2]
                worst = max(worst, average[2])
        factors = weight_variance * slopes[:, ::-1]
        qtilde = np.cumprod(np.hstack([np.ones((2, 1)), factors]), axis=1)[:, ::-1]
    if not np.isfinite(qtilde).all():
        raise InputError(
            "weight_variance: the derivatives overflow on their way back; take it smaller, or "
            "fewer layers"
        )
    return OrderParameters(qhat[0], qhat[1], qtilde[0], qtilde[1], worst)


def _check_average(layer: int, value: float, slope: float, error: float) -> None:
    if not max(value, slope) < 1e280:  # NaN too; squares overflow long before their sums
        raise InputError(
            f"weight_variance: the activations of layer {layer} have no finite mean square; "
            "take it smaller, fewer layers, or an activation that grows more slowly"
        )
    if error > _WORST_AVERAGE:
        raise ConvergenceError(
            f"a Gaussian average of the activation at layer {layer} is known to {error:.1g} only; "
            "name the points where it is not smooth in kinks=(…), or take weight_variance smaller "
            "where it grows or oscillates fast"
        )
