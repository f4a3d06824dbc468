"""The path of a network's layers through the space of predictions."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..networks import Readout, model
from .predictions import Predictions

__all__ = ["layer_predictions"]


def layer_predictions(
    network: object,
    theta: ArrayLike,
    sample: Sample | ArrayLike,
    likelihood: Likelihood,
    readout: Readout | None = None,
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
    sample = sample if isinstance(sample, Sample) else Sample(cast(np.ndarray, sample))
    found = model(network, theta)
    if readout is not None:
        if found.head is not None:
            raise InputError("readout: a FeedForward is read out by its last layer; leave it out")
        found = model(network, theta, readout)
    chain = found.chain(found.own_theta, sample.points)
    z = np.stack([found.read(found.own_theta, state) for state in chain.states])
    names = [f"layer {number}" if number else "input" for number in chain.numbers]
    labels = None if sample.labels is None else found.coded(sample.labels)
    return Predictions(likelihood, z, sample.weights, labels, tuple(names))
