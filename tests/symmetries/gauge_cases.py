"""Networks of every kind, which gauge moves each has, and its outputs and nodes."""

from dataclasses import dataclass
from functools import cached_property

import autograd.numpy as anp
import numpy as np

import geomnet as gn

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(9, 4))
READOUT = gn.Readout(RNG.normal(size=(3, 4)), RNG.normal(size=3))
FROM_FIVE = gn.Readout(RNG.normal(size=(3, 5)), RNG.normal(size=3))
NONE = ()


@dataclass(frozen=True)
class Case:
    """A network at random parameters, and the layers that each kind of move moves."""

    network: object
    permute: tuple = NONE
    rescale: tuple = NONE
    flip: tuple = NONE
    split: tuple = NONE
    shift: tuple = NONE
    readout: object = None

    @cached_property
    def theta(self):
        size = self.network.n_parameters
        theta = self.network.init(seed=3)
        return theta + 0.2 * np.cos(1 + np.arange(size)).reshape(theta.shape)

    @property
    def given(self):
        return self.network, self.theta

    def layers(self):
        """All pairs of a kind (but shift) and a layer that has it."""
        kinds = ("permute", "rescale", "flip", "split")
        return [(kind, layer) for kind in kinds for layer in getattr(self, kind)]


def outputs(network, theta, readout, points=POINTS):
    found = network(np.asarray(theta).reshape(network.parameters_shape), points)
    return found if readout is None else readout(found)


def node_values(network, theta, readout):
    """Outputs of all nodes on the points, layer by layer, (n, N)."""
    model = gn.model(network, theta, readout)
    values = model.linearise(model.theta, POINTS).values
    return np.hstack([values[layer.value] for layer in model.nodes.layers])


def layer_sizes(network, theta, readout):
    return [layer.size for layer in gn.model(network, theta, readout).nodes.layers]


def feed_forward(activations, skips=(), widths=(4, 5, 5, 5, 3), biases=True):
    return gn.FeedForward(widths, activations, biases, skips)


def field(kind, integrator, width=5, dim=4):
    return gn.Network(kind(dim, width), 2, integrator)


CASES = {
    "tanh": Case(feed_forward("tanh"), (1, 2, 3), NONE, (1, 2, 3), (1, 2, 3), (4,)),
    "relu": Case(feed_forward("relu"), (1, 2, 3), (1, 2, 3), NONE, (1, 2, 3), (4,)),
    "no biases": Case(
        feed_forward("relu", biases=False), (1, 2, 3), (1, 2, 3), NONE, (1, 2, 3), (4,)
    ),
    "some biases": Case(
        feed_forward("tanh", biases=(False, True, False, True)),
        (1, 2, 3),
        NONE,
        (1, 2, 3),
        (1, 2, 3),
        (4,),
    ),
    "mixed": Case(
        feed_forward(("tanh", "relu", "identity", "identity")),
        (1, 2, 3),
        (2, 3),
        (1, 3),
        (1, 2, 3),
        (4,),
    ),
    "smooth": Case(
        feed_forward(("gelu", "silu", "logistic", "identity")),
        (1, 2, 3),
        NONE,
        NONE,
        (1, 2, 3),
        (4,),
    ),
    "one hidden unit": Case(feed_forward("relu", widths=(4, 1, 3)), (1,), (1,), NONE, (1,), (2,)),
    "no hidden layer": Case(feed_forward("tanh", widths=(4, 3)), shift=(1,)),
    "outputs of tanh": Case(
        feed_forward(("tanh", "tanh"), widths=(4, 5, 3)), (1,), NONE, (1,), (1,)
    ),
    "one output": Case(feed_forward("relu", widths=(4, 5, 1)), (1,), (1,), NONE, (1,)),
    "tanh, tied": Case(feed_forward("tanh", {1: 0.5}), (1, 2, 3), NONE, (1, 2, 3), (3,), (4,)),
    "relu, one stream": Case(
        feed_forward("relu", {1: 0.5, 2: -0.7}), (1, 2, 3), (1, 2, 3), NONE, NONE, (4,)
    ),
    "a stream past a layer of another kind": Case(
        feed_forward(("tanh", "relu", "tanh", "identity"), {2: (1, 0.5)}),
        (1, 2, 3),
        (2,),
        (1, 3),
        (2,),
        (4,),
    ),
    "tied to a layer of another kind": Case(
        feed_forward(("relu", "tanh", "tanh", "identity"), {2: (1, 0.5)}),
        (1, 2, 3),
        NONE,
        (2,),
        (2,),
        (4,),
    ),
    "tied to the input": Case(
        feed_forward("tanh", {1: (0, 0.5)}, (4, 5, 4, 5, 3)), (1, 3), NONE, (1, 3), (1, 3), (4,)
    ),
    "tied to the output": Case(
        feed_forward("relu", {3: (1, 0.5)}, (4, 3, 5, 5, 3)), (2, 3), (2, 3), NONE, (2, 3), (4,)
    ),
    "with a readout": Case(
        feed_forward("relu", {3: 0.5}, (4, 5, 5, 5, 5)),
        (1, 2, 3, 4),
        (1, 2, 3, 4),
        NONE,
        (1, 2),
        (5,),
        FROM_FIVE,
    ),
    "plain, with a readout": Case(
        feed_forward(("tanh", "tanh"), (), (4, 5, 5)),
        (1, 2),
        NONE,
        (1, 2),
        (1, 2),
        (3,),
        FROM_FIVE,
    ),
    "tanh field, euler": Case(
        field(gn.TanhField, gn.networks.Euler()), (1, 3), NONE, (1, 3), (1, 3), (5,), READOUT
    ),
    "tanh field, bare": Case(
        field(gn.TanhField, gn.networks.Euler()), (1, 3), NONE, (1, 3), (1, 3)
    ),
    "width of the state": Case(
        field(gn.TanhField, gn.networks.Euler(), 4), (1, 3), NONE, (1, 3), (1, 3), (5,), READOUT
    ),
    "relu field, midpoint": Case(
        field(gn.networks.ReLUField, gn.networks.Midpoint()),
        (1, 3, 5, 7),
        (1, 3, 5, 7),
        NONE,
        (1, 3, 5, 7),
        (9,),
        READOUT,
    ),
    "tanh field, rk4": Case(
        field(gn.TanhField, gn.networks.RK4()),
        (1, 4, 7, 10, 12, 15, 18, 21),
        NONE,
        (1, 4, 7, 10, 12, 15, 18, 21),
        (1, 4, 7, 10, 12, 15, 18, 21),
        (23,),
        READOUT,
    ),
    "features": Case(
        gn.Network(gn.networks.RandomFeatureField(4, 6), 2), shift=(5,), readout=READOUT
    ),
    "own field": Case(
        gn.Network(gn.networks.FunctionField(lambda x, theta: anp.sin(x * theta), 4, 4), 2),
        shift=(3,),
        readout=READOUT,
    ),
    "own field, bare": Case(
        gn.Network(gn.networks.FunctionField(lambda x, theta: x * theta, 4, 4), 2)
    ),
    "linear field": Case(gn.Network(gn.networks.LinearField(4), 2), shift=(3,), readout=READOUT),
}
PAIRS = [(name, kind, layer) for name, case in CASES.items() for kind, layer in case.layers()]
