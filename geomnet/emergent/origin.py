"""What a geometry was made from, but for the data: a network seen through a likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fisher.data import FisherData
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import Model, Nodes
from .scores import Moments

__all__ = ["Origin"]

ROUNDING = 16 * np.finfo(float).eps
"""Part of a centred weight that is none, relative to the largest to other classes."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What a geometry was made from, but for the data.

    Attributes
    ----------
    nodes : Nodes
    model : Model
    theta : ndarray, shape (p,)
        The last affine map centred, where the likelihood leaves a common shift free.
    likelihood : Likelihood
    memory_limit : int
    """

    nodes: Nodes
    model: Model
    theta: np.ndarray
    likelihood: Likelihood
    memory_limit: int

    @classmethod
    def of(cls, model: Model, likelihood: Likelihood, memory_limit: int) -> Origin:
        """A model with its parameters, seen through a likelihood."""
        nodes = model.nodes
        theta = _centred(nodes, model.own_theta, likelihood)
        return cls(nodes, model, theta, likelihood, memory_limit)

    def data(self, sample: Sample) -> FisherData:
        """The network on a sample."""
        rng = np.random.default_rng(0)  # nothing is drawn
        return FisherData(
            self.model, self.theta, sample, self.likelihood, "true", None, rng, 1, self.memory_limit
        )

    def weights(self, moments: Moments) -> list[np.ndarray]:
        """Weights of all edges, by edge sets.

        Matrices of affine maps, coefficients of skips, and mean derivatives of layers that have
        nothing else.
        """
        found = []
        for edges, mean in zip(self.nodes.edges, moments.derivative):
            if edges.coefficient is not None:
                found.append(np.full(self.nodes.layers[edges.source].size, edges.coefficient))
            else:
                found.append(mean if edges.map is None else edges.map.read(self.theta)[0])
        return found

    def same(self, other: Origin) -> bool:
        """Whether both are the same network with the same parameters, seen alike."""
        mine, theirs = self.nodes, other.nodes
        return (
            mine == theirs
            and self.likelihood == other.likelihood
            and np.array_equal(self.theta, other.theta)
            and self.model.computes_like(other.model)
        )


def _centred(nodes: Nodes, theta: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """Parameters whose last affine map has no part that the likelihood does not see.

    A common shift of all logits, constant or linear in the last state, leaves every prediction as
    it is; the centred map is the one of that class that geometry is read from. A map that other
    values are made by too, or that an activation follows, has no such freedom.
    """
    projector = likelihood.gauge_projector()
    if projector is None:
        return theta
    found = theta.copy()
    for place in nodes.free_maps:
        matrix, offset = place.read(found)  # views
        for part in (matrix,) if offset is None else (matrix, offset):
            centred = projector @ part
            # what only moves all classes alike moves nothing
            part[:] = np.where(np.abs(centred) > ROUNDING * np.abs(part).max(axis=0), centred, 0.0)
    return found
