"""Naive oracles of Fisher information: J by autograd, one datum and one output after the other.

Networks are written for one point, from their parameters; no class of geomnet runs in here but for
the kinds and numbers of fields and likelihoods.
"""

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
from autograd.scipy.special import erf

import geomnet as gn

# -- networks of one point --------------------------------------------------------------------

ACTIVATIONS = {
    "identity": lambda u: u,
    "tanh": lambda u: (anp.exp(u) - anp.exp(-u)) / (anp.exp(u) + anp.exp(-u)),
    "relu": lambda u: anp.where(u > 0, u, 0.0),
    "gelu": lambda u: u * (1 + erf(u / np.sqrt(2))) / 2,
    "gelu_tanh": lambda u: u * (1 + anp.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3))) / 2,
    "logistic": lambda u: 1 / (1 + anp.exp(-u)),
    "silu": lambda u: u / (1 + anp.exp(-u)),
}


def split(theta, *shapes):
    """Arrays of these shapes, one after the other in C order, and what is left."""
    found = []
    for shape in shapes:
        size = int(np.prod(shape))
        found.append(anp.reshape(theta[:size], shape))
        theta = theta[size:]
    return *found, theta


def feed_forward(widths, activations, biases, skips, theta, x):
    """All states of a feed-forward network at one point; `skips` is {layer: (source, scale)}."""
    states = [x]
    for layer, name in enumerate(activations):
        matrix, theta = split(theta, (widths[layer + 1], widths[layer]))
        u = anp.dot(matrix, states[-1])
        if biases[layer]:
            offset, theta = split(theta, (widths[layer + 1],))
            u = u + offset
        state = ACTIVATIONS[name](u)
        if layer in skips:
            source, scale = skips[layer]
            state = states[source] + scale * state
        states.append(state)
    return states


def velocity(field, theta, x):
    """Velocity of a field at one point."""
    if isinstance(field, gn.TanhField | gn.networks.ReLUField):
        d, m = field.dim, field.width
        w, b, a, c, _ = split(theta, (m, d), (m,), (d, m), (d,))
        name = "tanh" if isinstance(field, gn.TanhField) else "relu"
        return anp.dot(a, ACTIVATIONS[name](anp.dot(w, x) + b)) + c
    if isinstance(field, gn.networks.LinearField):
        m, c, _ = split(theta, (field.dim, field.dim), (field.dim,))
        return anp.dot(m, x) + c
    if isinstance(field, gn.networks.RandomFeatureField):
        rng = np.random.default_rng(field.seed)
        frequencies = rng.normal(size=(field.width, field.dim)) / field.scale
        phases = rng.uniform(0, 2 * np.pi, size=field.width)
        waves = np.sqrt(2 / field.width) * anp.cos(anp.dot(frequencies, x) + phases)
        return anp.dot(anp.reshape(theta, (field.dim, field.width)), waves)
    return field.function(x[None], theta)[0]


def network(field, step, depth, theta, x):
    """Last state of a network of equal layers at one point."""
    size = len(theta) // depth
    for layer in range(depth):
        part = theta[layer * size : (layer + 1) * size]
        x = step(lambda state, part=part: velocity(field, part, state), x, 1 / depth)
    return x


# -- Fisher information -----------------------------------------------------------------------


def jacobian(forward, theta, x):
    """∂z/∂θ at one point, (C, p), one output after the other."""
    count = len(forward(theta, x))
    return np.array([autograd.grad(lambda t, c=c: forward(t, x)[c])(theta) for c in range(count)])


def scores(likelihood, z, y):
    """∂ log p(y|z)/∂z."""
    return autograd.grad(oracles.log_density, 1)(likelihood, z, y)


def information(forward, theta, sample, likelihood, targets=None):
    """G = Σ w JᵀFJ; with targets (draws, n, ...), F is the mean of their squared scores."""
    total = np.zeros((len(theta), len(theta)))
    for i, (x, weight) in enumerate(zip(sample.points, sample.weights)):
        z, rows = forward(theta, x), jacobian(forward, theta, x)
        if targets is None:
            f = oracles.fisher_matrix(likelihood, z)
        else:
            each = [scores(likelihood, z, y[i]) for y in targets]
            f = sum(np.outer(s, s) for s in each) / len(each)
        total += weight * rows.T @ f @ rows
    return total


def kronecker(widths, activations, skips, theta, sample, information):
    """Kronecker factors (A, B) of every layer of a feed-forward network with all biases.

    A bias is what a signal acts on, so that B is the block of G that belongs to it.
    """
    found, start = [], 0
    points = zip(sample.points, sample.weights)
    states = [
        (w, feed_forward(widths, activations, [True] * len(activations), skips, theta, x))
        for x, w in points
    ]
    for layer in range(len(activations)):
        inputs = [(w, np.append(s[layer], 1.0)) for w, s in states]
        start += widths[layer] * widths[layer + 1]
        bias = slice(start, start + widths[layer + 1])
        start = bias.stop
        found.append((sum(w * np.outer(a, a) for w, a in inputs), information[bias, bias]))
    return found


def log_likelihood_gap(likelihood, z, other):
    """KL divergence of p(y|z) from p(y|other) for one datum, from its definition."""
    if isinstance(likelihood, gn.Gaussian | gn.likelihoods.HeteroscedasticGaussian):
        (a, s), (b, t) = oracles.moments(likelihood, z), oracles.moments(likelihood, other)
        return np.sum(np.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5)
    pairs = oracles.outcomes(likelihood, z)
    return sum(
        p * (oracles.log_density(likelihood, z, y) - oracles.log_density(likelihood, other, y))
        for p, y in pairs
    )
