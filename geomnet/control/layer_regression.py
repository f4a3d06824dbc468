r"""Parameters to begin with: layers regressed on the steps of a path.

Layer l is to take the state it receives to the path's next. From parameters drawn on the sample,
damped Gauss–Newton steps :math:`B^\top(BB^\top + νC)^{-1}(Z_{l+1} - φ_{l+1})` in the norm of the
metric (C the cometric of the step) fit it; for hidden layers drawn with a zero output the first is
a ridge regression of the velocity on the hidden units. The layers are drawn independently: layers
alike would all move the sample in the same few directions, and the end point with them.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..networks import Network
from ..networks.integrators import LinearisedStep
from .cometrics import Cometrics

__all__ = ["regress_layers"]

ROUNDS = 5
"""Gauss–Newton steps for one layer, at most."""

GOOD = 0.3
"""Relative residual of a layer that is good enough to begin with: a closer fit costs parameters
so large that the network is hard to bend from there."""


def regress_layers(
    network: Network, path: np.ndarray, cometrics: Cometrics, ridge: float, seed: int
) -> np.ndarray:
    """Return parameters (L, p) whose states follow a path (L+1, n, d).

    Parameters
    ----------
    network : Network
    path : ndarray, shape (L+1, n, d)
    cometrics : Cometrics
        Of the path's steps.
    ridge : float
        The ν above, in units of tr(BBᵀ)/tr(C).
    seed : int
    """
    rng = np.random.default_rng(seed)
    state = path[0]
    out = np.empty(network.parameters_shape)
    for layer in range(network.depth):
        begin = network.field.init_on(state, rng)
        step = _regress(network, layer, state, path[layer + 1], begin, cometrics, ridge)
        out[layer], state = step.stages[0].theta, step.end
    return out


def _regress(
    network: Network,
    layer: int,
    state: np.ndarray,
    aim: np.ndarray,
    theta: np.ndarray,
    cometrics: Cometrics,
    ridge: float,
) -> LinearisedStep:
    """One layer's step from a state to near the aim, by damped Gauss–Newton steps."""

    def at(theta: np.ndarray) -> LinearisedStep:
        return network.integrator.linearise(network.field, state, theta, 1 / network.depth)

    step = at(theta)
    enough = GOOD * np.linalg.norm(aim - state)
    for _ in range(ROUNDS):
        residual = aim - step.end
        size = np.linalg.norm(residual)
        if size <= enough:
            break
        matrix = step.gram()
        scale = np.trace(matrix) / len(matrix) / cometrics.size
        cometrics.add_to(matrix, layer, ridge * scale)
        try:
            pull = cho_solve(cho_factor(matrix, lower=True), residual.reshape(-1))
        except LinAlgError:  # a field that nothing moves
            break
        trial = theta + step.vjp(pull.reshape(residual.shape))[1]
        tried = at(trial)
        if np.linalg.norm(aim - tried.end) < size:
            theta, step = trial, tried
        else:
            ridge *= 10
    return step
