"""What a picture of an emergent geometry shows, read from its marks."""

from dataclasses import dataclass

import numpy as np
from emergent_cases import NETWORKS, geometry_of
from matplotlib.collections import LineCollection, PathCollection
from scipy.spatial.distance import cdist

import geomnet as gn

RNG = np.random.default_rng(11)


def begin_anew():
    """Draw the same numbers in every test, whichever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(12).bit_generator.state


GEOMETRY = geometry_of(NETWORKS["tanh"])


@dataclass(frozen=True, eq=False)
class Embedded(gn.emergent.Relation):
    """Distances of points."""

    points: np.ndarray

    def lengths(self, geometry):
        return cdist(self.points, self.points)


def dots(axis, geometry=GEOMETRY, nodes=None):
    """Places, areas and colours of the nodes drawn on an axis, in the nodes' order."""
    (found,) = [part for part in axis.collections if isinstance(part, PathCollection)]
    flow = geometry.flow if nodes is None else geometry.flow[nodes]
    back = np.argsort(np.argsort(-flow, kind="stable"))  # the largest are drawn first
    parts = np.asarray(found.get_offsets()), found.get_sizes(), found.get_facecolors()
    assert (np.diff(parts[1]) <= 0).all()
    return tuple(part[back] for part in parts)


def lines(axis):
    """Polygons of the edges drawn on an axis."""
    parts = [part for part in axis.collections if isinstance(part, LineCollection)]
    return [np.asarray(line) for part in parts for line in part.get_segments()]


def made(widths, matrices=None, points=None, likelihood=None):
    """Geometry of a tanh network, of these matrices or random ones."""
    if matrices is None:
        network = gn.FeedForward(widths, "tanh")
        theta = network.init(seed=1)
    else:
        zeros = [np.zeros(len(matrix)) for matrix in matrices]
        network, theta = gn.FeedForward.from_arrays(matrices, zeros, "tanh")
    points = RNG.normal(size=(30, network.dim)) if points is None else points
    likelihood = likelihood or gn.Gaussian(1.0, network.widths[-1])
    return gn.EmergentGeometry.from_network(network, theta, points, likelihood)
