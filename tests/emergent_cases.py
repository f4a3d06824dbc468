"""Networks whose nodes have a geometry, and its moments naively: datum by datum, by autograd."""

from functools import partial

import autograd
import autograd.numpy as anp
import numpy as np
from fisher_cases import close

import geomnet as gn
from geomnet.emergent import EmergentGeometry
from geomnet.emergent.scores import edge_scores, gate_scores

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(9, 4))
WEIGHTS = RNG.dirichlet(np.full(9, 2.0))
SAMPLE = gn.Sample(POINTS, WEIGHTS)
READOUT = gn.Readout(RNG.normal(size=(3, 4)), RNG.normal(size=3))
SOFTMAX = gn.Categorical(3)
ARRAYS = ("gate_fisher", "flow", "conductance", "edge_fisher", "weight", "time", "activation")


def feed_forward(activations, biases, skips=(), widths=(4, 5, 5, 6, 3)):
    network = gn.FeedForward(widths, activations, biases, skips)
    return network, network.init(seed=7) + 0.05 * np.cos(np.arange(network.n_parameters)), None


def field(kind, integrator):
    network = gn.Network(kind(4, 5), 2, integrator)
    return network, network.init(seed=2), READOUT


HOMOGENEOUS = {
    "plain": feed_forward("relu", False),
    "residual": feed_forward("relu", False, {1: 0.5}),
    "long skip": feed_forward(
        ("relu", "relu", "identity", "relu", "identity"), False, {3: (1, 0.3)}, (4, 5, 6, 5, 5, 3)
    ),
}
NETWORKS = HOMOGENEOUS | {
    "tanh": feed_forward("tanh", True),
    "tanh, residual": feed_forward("tanh", True, {1: 0.25}),
    "gelu, long skip": feed_forward(("gelu", "silu", "tanh", "identity"), True, {1: (1, 2.0)}),
    "euler": field(gn.TanhField, gn.networks.Euler()),
    "midpoint": field(gn.TanhField, gn.networks.Midpoint()),
    "rk4": field(gn.networks.ReLUField, gn.networks.RK4()),
}


def own_field(integrator):
    """The field of "euler" as a function, of which derivatives alone are known."""

    def velocity(x, theta):
        w, b, a, c = theta[:20], theta[20:25], theta[25:45], theta[45:]
        hidden = anp.tanh(anp.dot(x, anp.reshape(w, (5, 4)).T) + b)
        return anp.dot(hidden, anp.reshape(a, (4, 5)).T) + c

    network = gn.Network(gn.networks.FunctionField(velocity, 4, 49), 2, integrator)
    return network, NETWORKS["euler"][1], READOUT


FIELDS = {
    "own field": own_field(gn.networks.Euler()),
    "own field, rk4": own_field(gn.networks.RK4()),
}
RELU = feed_forward("relu", True)


def geometry_of(case, sample=SAMPLE, **options):
    network, theta, readout = case
    return EmergentGeometry.from_network(network, theta, sample, SOFTMAX, readout, **options)


def centred(case):
    """The same predictions by logits that sum to zero but for what skips bring."""
    network, theta, readout = case
    if readout is not None:
        w, b = readout.weight, readout.bias
        return network, theta, gn.Readout(w - w.mean(axis=0), b - b.mean())
    found = theta.copy()
    matrices, biases = network.unpack(found)  # views
    matrices[-1][:] -= matrices[-1].mean(axis=0)
    if biases[-1] is not None:
        biases[-1][:] -= biases[-1].mean()
    return network, found, None


def scores_of(case):
    """Fisher information, skeleton, and the scores of all nodes and edges for every datum."""
    network, theta, readout = centred(case)
    fisher = gn.FisherInformation(network, theta, SAMPLE, SOFTMAX, readout)
    skeleton = fisher.model.nodes
    gates = gate_scores(skeleton, fisher._data)
    return fisher, skeleton, gates, edge_scores(skeleton, fisher._data, 0)


def dense(array):
    return array if isinstance(array, np.ndarray) else array.toarray()


def same(one, two, tolerance=1e-12, names=ARRAYS):
    for name in names:
        close(dense(getattr(one, name)), dense(getattr(two, name)), tolerance)


def naive(network, theta, skips):
    """Moments datum by datum, derivatives by autograd; skips are {layer: (source, scale)}."""
    matrices, biases = network.unpack(theta)
    acts = {"tanh": anp.tanh, "relu": lambda u: anp.maximum(u, 0.0), "identity": lambda u: u}
    widths, starts = network.widths, np.cumsum([0, *network.widths])
    depth, count = len(matrices), starts[-1]

    def step(layer, u, states):
        source, scale = skips.get(layer, (None, 1.0))
        moved = scale * acts[network.activations[layer]](u)
        return moved if source is None else states[source] + moved

    def onward(states):
        for k in range(len(states) - 1, depth):
            states = [*states, step(k, anp.dot(matrices[k], states[-1]) + biases[k], states)]
        return states

    def back(states, k, at, to_state):
        """Derivative of the output in what makes state k, the states before it fixed."""
        return autograd.jacobian(lambda v: onward([*states[:k], to_state(v)])[-1])(at)

    def add(i, j, score, w):
        conductance[i, j] += w * np.linalg.norm(score)
        edge_fisher[i, j] += w * score @ score

    gate_fisher, flow, gradient = np.zeros((count, count)), np.zeros(count), np.zeros((3, count))
    conductance, edge_fisher = np.zeros((2, count, count))
    for x, w in zip(POINTS, WEIGHTS):
        h = onward([x])
        p = np.exp(h[-1]) / np.exp(h[-1]).sum()
        root = np.sqrt(p)[:, None] * (np.eye(3) - p)  # rootᵀ root = diag p - ppᵀ
        backs = [back(h, k, h[k], lambda v: v) for k in range(depth + 1)]
        scores = root @ np.hstack([state * part for state, part in zip(h, backs)])
        gate_fisher += w * scores.T @ scores
        flow += w * np.linalg.norm(scores, axis=0)
        gradient += w * np.hstack(backs)
        for k in range(depth):
            u = matrices[k] @ h[k] + biases[k]
            signal = root @ back(h, k + 1, u, partial(step, k, states=h))
            for i, j in np.ndindex(widths[k], widths[k + 1]):
                score = h[k][i] * matrices[k][j, i] * signal[:, j]
                add(starts[k] + i, starts[k + 1] + j, score, w)
            if k in skips:
                source, _ = skips[k]
                for i in range(widths[source]):
                    score = root @ backs[k + 1][:, i] * h[source][i]
                    add(starts[source] + i, starts[k + 1] + i, score, w)
    return gate_fisher, flow, conductance, edge_fisher, gradient
