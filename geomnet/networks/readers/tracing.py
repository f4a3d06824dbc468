r"""What a network does between its affine layers, explained from a recording of them.

A framework tells what went into each affine layer and what came out of it, not what the code in
between did. Numbers tell that: the next state is an activation of what came out, or an earlier
state plus a multiple of one,

.. math:: h_{l+1} = σ_l(u_l) \quad\text{or}\quad h_{l+1} = h_k + s\,σ_l(u_l), \qquad k ≤ l.

The recording may be one in which :math:`u_l` was put in at random instead of computed. Then nothing
else in it knows :math:`u_l`, and no two explanations fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from ...errors import InputError
from ...utils.arrays import Array
from ..layers.activations import ACTIVATIONS

__all__ = ["OTHERWISE", "AffineCall", "Unexplained", "check_calls", "explain", "probe"]

TOLERANCE = 1e-10
"""Largest error of an explanation, relative to the numbers it is about."""

PROBES = 64
"""Points of a probe."""

SCALES = (0.1, 1.0, 10.0, 100.0)
"""Their sizes: activations that agree at one, as ReLU and ReLU6 do below 6, part at another."""

OTHERWISE = (
    "write such a network as a function (theta, x) -> z in autograd.numpy, which "
    "gn.FisherInformation takes too"
)
"""What to do with a network that is not feed-forward in geomnet's sense."""


@dataclass(frozen=True, eq=False)
class AffineCall:
    """One use of an affine layer on n data.

    Parameters
    ----------
    name : str
        Of the layer, for messages.
    weight : ndarray, shape (out, in)
    bias : ndarray, shape (out,), or None
    input : ndarray, shape (n, in)
    output : ndarray, shape (n, out)
        What the network went on with.
    """

    name: str
    weight: Array
    bias: Array | None
    input: Array
    output: Array


class Unexplained(InputError):
    """No activation and no skip explains a state; ``layer`` counts the calls before it."""

    def __init__(self, message: str, layer: int) -> None:
        super().__init__(message)
        self.layer = layer


def probe(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw normal arrays of one shape at several scales, (PROBES, ...)."""
    scales = np.resize(SCALES, PROBES).reshape((PROBES,) + (1,) * len(shape))
    return scales * rng.normal(size=(PROBES, *shape))


def explain(
    points: Array, calls: Sequence[AffineCall], output: Array
) -> tuple[list[str], dict[int, tuple[int, float]]]:
    """Find each layer's activation and skip.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        What went into the network.
    calls : sequence of AffineCall
        In the order they were made; each layer's state is the next one's input.
    output : ndarray, shape (n, C)
        What came out of the network.

    Returns
    -------
    activations : list of str
        A name of ``ACTIVATIONS`` per layer.
    skips : dict of int to (int, float)
        ``{l: (source, s)}`` where state l+1 is state `source` + s·σ(u_l); state 0 are the points.

    Raises
    ------
    InputError
        Where nothing explains a state (then ``Unexplained``), or more than one thing does.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, u = rng.normal(size=(2, 20, 3))  # u in the place of Wx + b
    >>> call = AffineCall("fc", np.eye(3), None, x, u)
    >>> explain(x, [call], x + 0.5 * np.tanh(u))
    (['tanh'], {0: (0, 0.5)})
    """
    if not _fits(calls[0].input, points, _size(points)):
        raise Unexplained(
            f"module: the input of its first layer {calls[0].name!r} is not the input of the "
            "network; geomnet reads affine layers from the first on: take what comes before out "
            "of the module, and give the points as it leaves them",
            0,
        )
    states = [points, *(call.input for call in calls[1:]), output]
    activations: list[str] = []
    skips: dict[int, tuple[int, float]] = {}
    for layer in range(len(calls)):
        name, skip = _explain_state(layer, states, calls)
        activations.append(name)
        if skip is not None:
            skips[layer] = skip
    return activations, skips


def _explain_state(
    layer: int, states: Sequence[Array], calls: Sequence[AffineCall]
) -> tuple[str, tuple[int, float] | None]:
    """Activation and skip of the state after one layer."""
    state, u = states[layer + 1], calls[layer].output
    found: list[tuple[str, tuple[int, float] | None]] = []
    silent = None
    sources = [k for k in range(layer + 1) if states[k].shape == state.shape]
    for name, activation in ACTIVATIONS.items() if u.shape == state.shape else ():
        h = np.asarray(activation(u))
        if _fits(state, h, _size(u, state)):
            found.append((name, None))
        for source in sources:
            change, size = state - states[source], _size(u, state, states[source])
            scale = _ratio(change, h, size)
            if _fits(change, scale * h, size):
                if _fits(change, 0.0, size):
                    silent = source
                else:
                    found.append((name, (source, scale)))
    if len(found) == 1:
        return found[0]
    where = _where(layer, calls)
    if found:
        raise InputError(
            f"module: {where} is explained in more than one way, {_words(found)}; no way to tell "
            "which is meant"
        )
    if silent is not None:
        raise InputError(
            f"module: {where} is state {silent} itself, whatever layer {calls[layer].name!r} "
            "gives. If that layer is scaled by zero, train the scale first: nothing tells its "
            "activation; if it is on a branch of its own, geomnet has no such network"
        )
    raise Unexplained(f"module: {where} is {_diagnosis(layer, states, calls)}", layer + 1)


def _diagnosis(layer: int, states: Sequence[Array], calls: Sequence[AffineCall]) -> str:
    """What a state that nothing explains looks like, and the mend."""
    state, u, name = states[layer + 1], calls[layer].output, calls[layer].name
    if state.shape == u.shape:
        size = _size(u, state)
        if _fits(state, softmax(u, axis=-1), size):
            return (
                "a softmax. Its probabilities are not logits: as such they would give other "
                "predictions. Take the softmax off the module, so that it returns its logits"
            )
        if _fits(state, log_softmax(u, axis=-1), size):
            return (
                "a log-softmax. It shifts the logits of a datum by a common number, which changes "
                "no prediction, but couples the outputs as no activation does. Take it off the "
                "module: gn.Categorical gives the same probabilities of the logits without it"
            )
        for activation in ACTIVATIONS:
            h = np.asarray(ACTIVATIONS[activation](u))
            scale = _ratio(state, h, size)
            if _fits(state, scale * h, size):
                return (
                    f"{scale:.6g} times {activation} of layer {name!r}, with no state added; "
                    "take the factor into the weights of the next layer"
                )
    return (
        f"no activation of layer {name!r} ({', '.join(ACTIVATIONS)}), nor an earlier state of its "
        f"width plus a multiple of one; {OTHERWISE}"
    )


def check_calls(
    points: Array,
    calls: Sequence[AffineCall],
    output: Array,
    activations: Sequence[str],
    skips: dict[int, tuple[int, float]],
) -> None:
    """Check that a reading computes what was recorded, layer by layer.

    Every step is taken from the recorded state, so that a deep network's rounding does not grow.

    Raises
    ------
    InputError
        Naming the first layer that the reading computes otherwise.
    """
    states = [points, *(call.input for call in calls[1:]), output]
    for layer, call in enumerate(calls):
        bias = 0.0 if call.bias is None else call.bias
        u = states[layer] @ call.weight.T + bias
        # a sum of many terms is as exact as its terms are large, not as it is
        terms = np.abs(states[layer]) @ np.abs(call.weight.T) + np.abs(bias)
        if not _fits(call.output, u, _size(terms)):
            raise InputError(
                f"module: layer {call.name!r} does not compute W x + b of its weight and bias; "
                "geomnet reads plain affine layers (merge adapters into the weight first)"
            )
        state = np.asarray(ACTIVATIONS[activations[layer]](call.output))
        if layer in skips:
            source, scale = skips[layer]
            state = states[source] + scale * state
        if not _fits(states[layer + 1], state, _size(call.output, state)):
            raise InputError(
                f"module: {_where(layer, calls)} follows another rule on a second probe "
                "than on the first; geomnet reads networks whose rule does not depend on the data"
            )


def _where(layer: int, calls: Sequence[AffineCall]) -> str:
    """Name of the state after a layer."""
    if layer + 1 < len(calls):
        return f"the input of layer {calls[layer + 1].name!r}"
    return "the output of the network"


def _words(found: Sequence[tuple[str, tuple[int, float] | None]]) -> str:
    """Explanations in words."""
    return ", ".join(
        name if skip is None else f"state {skip[0]} + {skip[1]:.6g}·{name}" for name, skip in found
    )


def _size(*arrays: Array) -> Array:
    """Size of each datum's numbers, (n, 1)."""
    total: Array = sum(np.abs(array).max(axis=1, keepdims=True, initial=0.0) for array in arrays)
    return total


def _fits(array: Array, other: Array | float, size: Array) -> bool:
    """Whether every datum's numbers agree, relative to their size."""
    if np.ndim(other) and np.shape(other) != array.shape:
        return False
    return bool((np.abs(array - other) <= TOLERANCE * size).all())


def _ratio(change: Array, h: Array, size: Array) -> float:
    """Least-squares s of change = s·h, each datum relative to its size.

    A scale within rounding of a number of few digits, or of single precision, is that number.
    """
    unit = np.where(size > 0, size, 1.0)
    change, h = change / unit, h / unit
    total = float(np.sum(h * h))
    scale = float(np.sum(h * change)) / total if total > 0 else 0.0
    for meant in (float(f"{scale:.9g}"), float(np.float32(scale))):
        if abs(meant - scale) <= 1e-13 * abs(scale):
            return meant
    return scale
