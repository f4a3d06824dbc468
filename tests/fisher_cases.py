"""Networks, likelihoods and kinds of Fisher information, in one list each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import autograd.numpy as anp
import fisher_oracles
import numpy as np
import oracles
import pytest

import geomnet as gn

SEED, DRAWS = 7, 3
POINTS = np.random.default_rng(11).normal(size=(5, 3))
WEIGHTS = np.array([0.05, 0.3, 0.1, 0.35, 0.2])

LIKELIHOODS = {
    "categorical": gn.Categorical(4),
    "bernoulli": gn.Bernoulli(3),
    "gaussian": gn.Gaussian(0.7, 3),
    "heteroscedastic": gn.likelihoods.HeteroscedasticGaussian(3),
}
KINDS = ("true", "mc", "empirical")
INTEGRATORS = {
    "euler": (gn.networks.Euler(), oracles.euler_step),
    "midpoint": (gn.networks.Midpoint(), oracles.midpoint_step),
    "rk4": (gn.networks.RK4(), oracles.rk4_step),
}


def sample_for(likelihood: gn.Categorical | Any) -> gn.Sample:
    """Five weighted points of space with targets that the likelihood takes."""
    rng = np.random.default_rng(5)
    if isinstance(likelihood, gn.Categorical):
        return gn.Sample(POINTS, WEIGHTS, labels=rng.integers(0, likelihood.n_classes, 5))
    target = rng.normal(size=(5, 3))
    if isinstance(likelihood, gn.Bernoulli):
        target = (target > 0).astype(float)
    return gn.Sample(POINTS, WEIGHTS, target=target)


@dataclass(frozen=True, eq=False)
class Case:
    """A network, and the same map of one point written naively."""

    network: Any
    theta: np.ndarray  # of the network
    likelihood: Any
    forward: Callable[[Any, Any], Any]  # of all parameters and one point
    sizes: tuple[int, ...]  # parameters of each layer
    readout: gn.Readout | None = None

    @cached_property
    def parameters(self) -> np.ndarray:
        """All of them."""
        parts = [np.reshape(self.theta, -1)]
        if self.readout is not None:
            parts += [self.readout.weight.reshape(-1), self.readout.bias]
        return np.concatenate(parts)

    @cached_property
    def sample(self) -> gn.Sample:
        """Data with targets."""
        return sample_for(self.likelihood)

    def layer(self, index: int) -> slice:
        """Where a layer's parameters lie."""
        start = sum(self.sizes[:index])
        return slice(start, start + self.sizes[index])

    def function(self, theta: Any, points: Any) -> Any:
        """The same network as a function in autograd.numpy."""
        return anp.stack([self.forward(theta, x) for x in points])

    def new(self, kind: str = "true", **options: Any) -> gn.FisherInformation:
        """Its Fisher information."""
        options = {"readout": self.readout, "seed": SEED, "n_draws": DRAWS, **options}
        return gn.FisherInformation(
            self.network, self.theta, self.sample, self.likelihood, kind=kind, **options
        )

    @cache  # noqa: B019 - cases live as long as the tests
    def fisher(self, kind: str) -> gn.FisherInformation:
        """Its Fisher information, kept."""
        return self.new(kind)

    def targets(self, kind: str) -> Any:
        """The targets of which squared scores are averaged, (draws, n, ...)."""
        if kind == "true":
            return None
        if kind == "empirical":
            given = self.sample.labels if self.sample.target is None else self.sample.target
            return [given]
        z = np.array([self.forward(self.parameters, x) for x in self.sample.points])
        rng = np.random.default_rng(SEED)
        return [self.likelihood.draw(z, rng) for _ in range(DRAWS)]

    @cache  # noqa: B019
    def matrix(self, kind: str) -> np.ndarray:
        """G from its definition."""
        return fisher_oracles.information(
            self.forward, self.parameters, self.sample, self.likelihood, self.targets(kind)
        )


def feed_forward_case(
    widths, activations="tanh", biases=True, skips=None, likelihood="categorical", seed=0
):
    """A FeedForward with all parameters drawn."""
    depth = len(widths) - 1
    biases = [biases] * depth if isinstance(biases, bool) else biases
    rng = np.random.default_rng(seed)
    sizes = list(zip(widths[1:], widths))
    weights = [1.2 * rng.normal(size=s) / np.sqrt(s[1]) for s in sizes]
    offsets = [0.3 * rng.normal(size=s[0]) if b else None for s, b in zip(sizes, biases)]
    network, theta = gn.FeedForward.from_arrays(weights, offsets, activations, skips)
    if isinstance(activations, str):
        activations = [activations] * (depth - 1) + ["identity"]
    pairs = {k: s if isinstance(s, tuple) else (k, s) for k, s in (skips or {}).items()}

    def forward(theta, x):
        return fisher_oracles.feed_forward(widths, activations, biases, pairs, theta, x)[-1]

    counts = tuple(s[0] * s[1] + b * s[0] for s, b in zip(sizes, biases))
    return Case(network, theta, LIKELIHOODS.get(likelihood, likelihood), forward, counts)


def read_out(forward, size, readout):
    """A map of one point, followed by a readout whose parameters stand at the end."""

    def read(theta, x):
        w, b, _ = fisher_oracles.split(theta[size:], readout.weight.shape, readout.bias.shape)
        return anp.dot(w, forward(theta[:size], x)) + b

    return read


def network_case(field, integrator, likelihood="categorical", depth=2, readout=True):
    """A Network, with a readout or without."""
    rule, step = INTEGRATORS[integrator]
    network = gn.Network(field, depth, rule)
    rng = np.random.default_rng(3)
    theta = 0.7 * rng.normal(size=network.parameters_shape)
    likelihood = LIKELIHOODS[likelihood]

    def forward(theta, x):
        return fisher_oracles.network(field, step, depth, theta, x)

    sizes = (field.n_parameters,) * depth
    if not readout:
        return Case(network, theta, likelihood, forward, sizes)
    outputs = likelihood.n_parameters
    last = gn.Readout(0.5 * rng.normal(size=(outputs, 3)), 0.5 * rng.normal(size=outputs))
    read = read_out(forward, theta.size, last)
    return Case(network, theta, likelihood, read, (*sizes, 4 * outputs), last)


def with_readout(case, likelihood):
    """A FeedForward with a readout behind it."""
    rng = np.random.default_rng(9)
    outputs = LIKELIHOODS[likelihood].n_parameters
    last = gn.Readout(rng.normal(size=(outputs, case.network.n_outputs)), rng.normal(size=outputs))
    read = read_out(case.forward, len(case.theta), last)
    sizes = (*case.sizes, last.weight.size + outputs)
    return Case(case.network, case.theta, LIKELIHOODS[likelihood], read, sizes, last)


def function_case():
    """A function of five parameters that is no program of affine maps."""

    def forward(theta, x):
        inner = theta[0] * x[0] ** 2 + anp.sin(theta[1] * x[1]) * theta[2]
        return anp.array([inner, theta[3] * inner**2, theta[4] * x[2], inner * theta[1]])

    def function(theta, x):
        inner = theta[0] * x[:, 0] ** 2 + anp.sin(theta[1] * x[:, 1]) * theta[2]
        columns = [inner, theta[3] * inner**2, theta[4] * x[:, 2], inner * theta[1]]
        return anp.stack(columns, axis=1)

    theta = np.array([0.5, -1.1, 0.7, 0.3, 0.9])
    return Case(function, theta, LIKELIHOODS["categorical"], forward, (5,))


FIELDS = {
    "tanh": gn.TanhField(3, 4),
    "relu": gn.networks.ReLUField(3, 4),
    "linear": gn.networks.LinearField(3),
    "features": gn.networks.RandomFeatureField(3, 5, scale=0.9, seed=1),
    "function": gn.networks.FunctionField(
        lambda x, theta: theta[0] * anp.sin(x[:, ::-1]) + theta[1] * x, dim=3, parameters=2
    ),
}

FEED_FORWARD = {
    **{name: feed_forward_case((3, 5, 4, 4), name) for name in fisher_oracles.ACTIVATIONS},
    **{name: feed_forward_case((3, 4, c.n_parameters), likelihood=name)
       for name, c in LIKELIHOODS.items()},
    "residual": feed_forward_case((3, 4, 4, 4), skips={1: 0.25, 2: 0.5}),
    "skip": feed_forward_case((3, 4, 3, 4, 4), "gelu", skips={1: (0, 0.7), 3: (1, 1.0)}),
    "skips_of_one": feed_forward_case((3, 3, 3, 4), "relu", skips={0: 1.0, 1: (0, 1.0)}, seed=4),
    "without_biases": feed_forward_case((3, 5, 4), biases=False),
    "some_biases": feed_forward_case((3, 5, 4, 4), "silu", biases=[False, True, False]),
    "activations": feed_forward_case((3, 2, 6, 4), ["relu", "logistic", "tanh"]),
    "narrow": feed_forward_case((3, 1, 4)),
    "one_layer": feed_forward_case((3, 4)),
    "few_parameters": feed_forward_case((3, 1, 3), likelihood="gaussian"),
    "square": feed_forward_case((3, 2, 3), biases=[False, True], likelihood="gaussian"),
    "readout": with_readout(feed_forward_case((3, 4, 2)), "bernoulli"),
}  # fmt: skip
NETWORKS = {
    **{
        f"{field}_{rule}": network_case(FIELDS[field], rule) for field in FIELDS
        for rule in INTEGRATORS
    },
    **{f"rk4_{name}": network_case(FIELDS["tanh"], "rk4", name) for name in LIKELIHOODS},
    "without_readout": network_case(FIELDS["tanh"], "midpoint", "gaussian", readout=False),
    "field_without_readout": network_case(FIELDS["function"], "rk4", "bernoulli", readout=False),
}  # fmt: skip
CASES = {**FEED_FORWARD, **NETWORKS, "function_of_theta": function_case()}

each_case = pytest.mark.parametrize("case", [pytest.param(c, id=n) for n, c in CASES.items()])
each_kind = pytest.mark.parametrize("kind", KINDS)

# the targets of mc and empirical go another way through the likelihood and the output only
_ALL_KINDS = [*LIKELIHOODS, *(f"rk4_{name}" for name in LIKELIHOODS), "residual", "some_biases",
              "few_parameters", "readout", "features_midpoint", "function_rk4",
              "function_of_theta"]  # fmt: skip
each_case_and_kind = pytest.mark.parametrize(
    ("case", "kind"),
    [
        pytest.param(case, kind, id=f"{name}-{kind}")
        for name, case in CASES.items()
        for kind in (KINDS if name in _ALL_KINDS else KINDS[:1])
    ],
)


def close(found, expected, digits=1e-12, scale=None):
    """Whether arrays agree to so many digits of the largest entry, or of another scale."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    scale = float(np.abs(expected).max()) if scale is None else float(scale)
    assert 0 < scale < np.inf
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=digits)
