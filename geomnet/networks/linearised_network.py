"""The states of a network at one θ, and their derivative in θ, by hand-derived layers."""

from __future__ import annotations

import numpy as np

from ..utils.arrays import Array
from .fields.field import Field
from .integrators import Integrator, LinearisedStep

__all__ = ["LinearisedNetwork"]


class LinearisedNetwork:
    """The states of a network at one θ, and their derivative in θ.

    Every layer's hidden activations are kept, so that products with the derivative compute
    nothing twice.

    Parameters
    ----------
    field : Field
    integrator : Integrator
    theta : ndarray, shape (L, p)
    points : ndarray, shape (n, d)
    """

    def __init__(self, field: Field, integrator: Integrator, theta: Array, points: Array) -> None:
        self.theta = theta
        self.layers: list[LinearisedStep] = []
        depth = len(theta)
        self.states = np.empty((depth + 1, *points.shape))
        """States after every layer, the input first, (L+1, n, d)."""
        self.states[0] = points
        workspace = field.workspace(len(points), depth * len(integrator.a))
        for index, layer in enumerate(theta):
            step = integrator.linearise(field, self.states[index], layer, 1 / depth, workspace)
            self.layers.append(step)
            self.states[index + 1] = step.end

    def jvp(self, dtheta: Array) -> Array:
        """Change of every state along dθ (L, p): (L+1, n, d), zero at the input."""
        changes = np.zeros_like(self.states)
        for index, (step, dlayer) in enumerate(zip(self.layers, dtheta)):
            changes[index + 1] = step.jvp(changes[index] if index else None, dlayer)
        return changes

    def vjp(self, cotangents: Array) -> Array:
        """Pull covectors on the last state (n, d), or on every state (L+1, n, d), back to θ."""
        every = cotangents.ndim == 3
        back = cotangents[-1] if every else cotangents
        to_theta = np.empty_like(self.theta)
        for index in range(len(self.layers) - 1, -1, -1):
            back, to_theta[index] = self.layers[index].vjp(back)
            if every and index:
                back += cotangents[index]
        return to_theta
