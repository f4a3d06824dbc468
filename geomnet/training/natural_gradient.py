r"""Natural gradient descent: steepest descent of the loss in the Fisher metric (Amari 1998)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..fisher.information import FisherInformation
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import Readout
from ..utils.validation import check_integer, check_positive

__all__ = ["NaturalGradientFit", "natural_gradient"]


@dataclass(frozen=True, eq=False)
class NaturalGradientFit:
    """A network trained by natural gradient.

    Attributes
    ----------
    theta : ndarray
        Parameters of the network, as it takes them.
    readout : Readout or None
    losses : ndarray, shape (steps + 1,)
        Mean loss at the start and after every step; it never rises.
    gradient_norms : ndarray, shape (steps + 1,)
        Euclidean norm of the gradient.
    lengths : ndarray, shape (steps,)
        Length √(ΔθᵀGΔθ) of every step.
    fisher : FisherInformation
        At the end.
    """

    theta: np.ndarray = field(repr=False)
    readout: Readout | None
    losses: np.ndarray = field(repr=False)
    gradient_norms: np.ndarray = field(repr=False)
    lengths: np.ndarray = field(repr=False)
    fisher: FisherInformation = field(repr=False)

    def __repr__(self) -> str:
        return (
            f"NaturalGradientFit(loss={self.losses[-1]:.4g}, steps={len(self.lengths)}, "
            f"gradient_norm={self.gradient_norms[-1]:.2g})"
        )


def natural_gradient(
    network: object,
    theta: ArrayLike,
    sample: Sample | ArrayLike,
    likelihood: Likelihood,
    readout: Readout | None = None,
    *,
    targets: ArrayLike | None = None,
    steps: int = 20,
    damping: float = 1e-2,
    weight_decay: float = 0.0,
    tolerance: float = 1e-8,
) -> NaturalGradientFit:
    r"""Train by :math:`Δθ = -(G + λI)^{-1}∇`, the whole sample at every step.

    The damping λ follows Levenberg and Marquardt: it falls where the quadratic model
    :math:`∇^\topΔθ + ½Δθ^\top GΔθ` foretells the loss, and rises, the step taken again, where it
    does not. A linear model with a Gaussian likelihood is solved in one step without damping.

    Parameters
    ----------
    network, theta, sample, likelihood, readout
        As :class:`FisherInformation` takes them.
    targets : array_like, optional
        Instead of the sample's labels: (n,), or (n, outputs) where there are several.
    steps : int
        At most.
    damping : float
        The λ to begin with.
    weight_decay : float
        δ of a penalty ½δ|θ|².
    tolerance : float
        Stop at this norm of the gradient.

    Returns
    -------
    NaturalGradientFit

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 3), "tanh")
    >>> fit = gn.training.natural_gradient(
    ...     network, network.init(0), sample, gn.Categorical(3), steps=10
    ... )
    >>> bool(fit.losses[-1] < 0.1 * fit.losses[0])
    True
    """
    steps = check_integer("steps", steps, least=1)
    damping = check_positive("damping", damping)
    decay = check_positive("weight_decay", weight_decay, zero=True)
    check_positive("tolerance", tolerance)
    fisher = FisherInformation(network, theta, sample, likelihood, readout, targets=targets)

    def value(fisher: FisherInformation) -> float:
        return fisher.loss() + 0.5 * decay * float(fisher.theta @ fisher.theta)

    def slope(fisher: FisherInformation) -> np.ndarray:
        return fisher.gradient() + decay * fisher.theta

    losses, lengths = [value(fisher)], list[float]()
    gradient = slope(fisher)
    norms = [float(np.linalg.norm(gradient))]
    while len(lengths) < steps and norms[-1] > tolerance and damping < 1e12:
        step = -fisher.solve(gradient, damping + decay, tolerance=1e-6)
        curved = fisher.norm(step) ** 2 + decay * float(step @ step)
        foretold = float(gradient @ step) + 0.5 * curved
        try:
            moved = fisher.at(fisher.theta + step)
            change = value(moved) - losses[-1]
        except InputError:  # activations overflow: the step went too far
            change = np.inf
        if not change < 0:
            damping *= 4
            continue
        ratio = change / foretold
        damping *= 1 / 3 if ratio > 0.75 else (2.0 if ratio < 0.25 else 1.0)
        lengths.append(fisher.norm(step))
        fisher = moved
        gradient = slope(fisher)
        losses.append(losses[-1] + change)
        norms.append(float(np.linalg.norm(gradient)))
    return NaturalGradientFit(
        *fisher.model.unflatten(fisher.theta),
        np.array(losses),
        np.array(norms),
        np.array(lengths),
        fisher,
    )
