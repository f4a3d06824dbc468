r"""Where the nodes of an emergent geometry are drawn: classical scaling, all layers at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

__all__ = ["Places", "places_of"]

GAP = 0.15
"""Between parts, relative to what all parts take."""
FARTHEST = 1e4
"""Times the median distance: what is farther apart is scaled as if it were so far, for the squares
of such distances would take all digits from the others."""
ROUNDING = 1e-10
"""Variance below which a direction is none, relative to the mean squared distance."""


@dataclass(frozen=True)
class Places:
    """Coordinates of nodes, whose differences stand for distances.

    Attributes
    ----------
    coordinates : ndarray, shape (N, dimension)
        In the unit of the distances. Parts at infinite distance lie apart along the first.
    part : ndarray of int, shape (N,)
    truth : float
        Correlation of drawn with true distances, over the pairs of one layer and one part, weighed
        by both masses; NaN where fewer than three pairs, or all alike, leave none.
    """

    coordinates: np.ndarray
    part: np.ndarray
    truth: float

    @property
    def n_parts(self) -> int:
        """Number of parts at infinite distance from each other."""
        return int(self.part.max(initial=0)) + 1


def places_of(distances: np.ndarray, layer: np.ndarray, mass: np.ndarray, dimension: int) -> Places:
    """Place nodes along the directions in which those of a layer lie farthest apart.

    Classical scaling (Gower 1966) makes points of distances; their projection on a few directions
    is what can be drawn. The directions of the largest variance would often be those that part
    layer from layer, which are drawn apart anyway: here variance is within layers, every node
    weighed by its mass. Where distances are Euclidean nothing is drawn farther apart than it is.
    Distances of more than 10⁴ times the median one are taken to be that long.

    Parameters
    ----------
    distances : ndarray, shape (N, N)
        Infinite between parts.
    layer : ndarray of int, shape (N,)
    mass : ndarray, shape (N,)
        Positive.
    dimension : int

    Returns
    -------
    Places
    """
    count, part = connected_components(csr_array(np.isfinite(distances)), directed=False)
    sizes = np.bincount(part, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    part = np.argsort(order)[part]  # the largest is part 0
    coordinates, distances = np.zeros((len(layer), dimension)), np.array(distances, dtype=float)
    for number in range(count):
        nodes = np.flatnonzero(part == number)
        distances[np.ix_(nodes, nodes)] = block = _bounded(distances[np.ix_(nodes, nodes)])
        coordinates[nodes] = _scaled(block, layer[nodes], mass[nodes], dimension)
    truth = _truth(coordinates, distances, layer, part, mass)
    _set_apart(coordinates, part, count)
    return Places(coordinates, part, truth)


def _bounded(distances: np.ndarray) -> np.ndarray:
    """Distances of one part, none out of proportion."""
    positive = distances[distances > 0]
    return np.minimum(distances, FARTHEST * np.median(positive)) if positive.size else distances


def _scaled(
    distances: np.ndarray, layer: np.ndarray, mass: np.ndarray, dimension: int
) -> np.ndarray:
    """Coordinates of one part."""
    products = -0.5 * distances**2
    mass = mass / mass.sum()
    whole = np.zeros_like(layer)
    layer = np.unique(layer, return_inverse=True)[1].reshape(-1)  # some may have no nodes here
    centred = _centred(products, whole, mass)
    total = float(mass @ np.diag(centred))
    found = np.zeros((len(layer), dimension))
    if total <= 0:
        return found
    # where every layer has one node, nothing varies within layers, and all of it counts
    for groups in (layer, whole):
        root = np.sqrt(mass)
        inner = _centred(products, groups, mass) * np.outer(root, root)
        last = len(layer) - 1
        values, vectors = eigh(inner, subset_by_index=[max(0, last + 1 - dimension), last])
        if values[-1] > ROUNDING * total:
            break
    for axis, (value, vector) in enumerate(zip(values[::-1], vectors.T[::-1])):
        if value <= ROUNDING * total:
            break
        # root·vector sums to zero over every group: the direction is one within groups
        line = centred @ (root * vector) / np.sqrt(value)
        found[:, axis] = line * np.sign(line[np.argmax(np.abs(line))])
    return found


def _centred(products: np.ndarray, groups: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Scalar products about the groups' centres of mass."""
    weighed = np.zeros((groups.max() + 1, len(groups)))
    weighed[groups, np.arange(len(groups))] = mass
    weighed /= weighed.sum(axis=1, keepdims=True)
    for _ in range(2):
        products = (products - (weighed @ products)[groups]).T
    return products


def _truth(
    coordinates: np.ndarray,
    distances: np.ndarray,
    layer: np.ndarray,
    part: np.ndarray,
    mass: np.ndarray,
) -> float:
    drawn, true, weight = [], [], []
    for number in np.unique(layer):
        nodes = np.flatnonzero(layer == number)
        i, j = np.triu_indices(len(nodes), 1)
        i, j = nodes[i], nodes[j]
        together = part[i] == part[j]
        i, j = i[together], j[together]
        drawn.append(np.linalg.norm(coordinates[i] - coordinates[j], axis=1))
        true.append(distances[i, j])
        weight.append(mass[i] * mass[j])
    one, two = np.concatenate(drawn), np.concatenate(true)
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return float("nan")
    covariance = np.cov(one, two, aweights=np.concatenate(weight))
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def _set_apart(coordinates: np.ndarray, part: np.ndarray, count: int) -> None:
    """Put parts above each other, the largest highest."""
    if count == 1:
        return
    heights = [np.ptp(coordinates[part == number, 0]) for number in range(count)]
    gap = GAP * (sum(heights) or 1.0) / (1 if count < 4 else np.sqrt(count))
    top = 0.0
    for number, height in enumerate(heights):
        mine = part == number
        coordinates[mine, 0] += top - coordinates[mine, 0].max()
        top -= height + gap
