"""The path of a network's layers through the space of predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import FeedForward, Network
from .predictions import Predictions

__all__ = ["layer_predictions"]


def layer_predictions(
    network: Any, theta: Any, sample: Any, likelihood: Likelihood, readout: Any = None
) -> Predictions:
    r"""Every layer's state read out as the last one is: what the network would say so far.

    ``layer_predictions(...).length()`` is the Fisher–Rao length of the layer path, and
    ``.excess()`` that length over its chord.

    Parameters
    ----------
    network : Network or FeedForward
        Of a ``Network`` all states are read out, the input first. Of a ``FeedForward`` those
        before the last layer that are as wide as the last of them, without a break; the input
        only where a skip carries it on.
    theta : array_like
        The network's parameters.
    sample : Sample or array_like, shape (n, d)
        A sample's weights weigh the data, and its labels become those of the predictions.
    likelihood : Likelihood
    readout : Readout, optional
        From states to the likelihood's parameters: a ``Network`` needs one. A ``FeedForward``
        has its last layer.

    Returns
    -------
    Predictions
        Named "input" and "layer 1" onwards, by number of the state.

    Raises
    ------
    InputError
        Where a ``Network`` comes without a readout, or a ``FeedForward`` with one; where the last
        layer of a ``FeedForward`` has a skip, so that it does not read out one state alone.

    Examples
    --------
    >>> import numpy as np, geomnet as gn
    >>> network = gn.Network(gn.networks.LinearField(dim=1), depth=2)
    >>> path = gn.predictions.layer_predictions(
    ...     network, [[2.0, 0.0], [2.0, 0.0]], [[1.0]], gn.Gaussian(), gn.Readout([[1.0]])
    ... )
    >>> path.names, path.z.ravel().tolist(), path.length()
    (('input', 'layer 1', 'layer 2'), [1.0, 2.0, 4.0], 3.0)
    """
    sample = sample if isinstance(sample, Sample) else Sample(sample)
    if isinstance(network, FeedForward):
        if readout is not None:
            raise InputError("readout: a FeedForward is read out by its last layer; leave it out")
        numbers, z = _of_feed_forward(network, theta, sample)
    elif isinstance(network, Network):
        if readout is None:
            raise InputError(
                "readout: a Network has none of its own; give gn.Readout(weight, bias) from its "
                "states to the likelihood's parameters"
            )
        z = np.stack([readout(state) for state in network.states(theta, sample)])
        numbers = range(len(z))
    else:
        raise InputError(f"network: expected gn.Network or gn.FeedForward, got {network!r}")
    names = [f"layer {number}" if number else "input" for number in numbers]
    return Predictions(likelihood, z, sample.weights, sample.labels, tuple(names))


def _of_feed_forward(network: FeedForward, theta: Any, sample: Sample) -> tuple[range, np.ndarray]:
    """Numbers of the states that the last layer can read, and what it makes of them."""
    last = network.depth - 1
    if any(layer == last for layer, _, _ in network.skips):
        raise InputError(
            "network: its last layer has a skip, so it does not read out the last state alone"
        )
    carried = any(source == 0 for _, source, _ in network.skips)
    first = last
    while first > (0 if carried else 1) and network.widths[first - 1] == network.widths[last]:
        first -= 1
    states = network.states(theta, sample)
    head = FeedForward(network.widths[-2:], network.activations[-1:], network.biases[-1:])
    tail = np.asarray(theta, dtype=float)[network.n_parameters - head.n_parameters :]
    return range(first, last + 1), np.stack([head(tail, s) for s in states[first : last + 1]])
