"""One door for networks of every kind: ``gn.model``."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from ..errors import InputError
from ..utils.validation import check_array
from .architecture import Architecture
from .feedforward import FeedForward
from .function_model import FunctionModel
from .model import Model, UnknownParametersError
from .readout import Readout

__all__ = ["model"]


def model(network: object, theta: ArrayLike | None = None, readout: Readout | None = None) -> Model:
    """The model of a network: a map (θ, x) ↦ z with all parameters in one flat θ.

    Parameters
    ----------
    network : Model, FeedForward, Network, estimator, module or callable
        A network of ours; a fitted ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn or a
        module of PyTorch, as :meth:`FeedForward.from_sklearn` and
        :meth:`FeedForward.from_torch` read them; or a function of (θ, x), θ (p,) and x (n, d),
        to z (n, C), row by row, in ``autograd.numpy``.
    theta : array_like, optional
        Parameters, as the network takes them, that the model is to keep. What was trained
        elsewhere brings its own; a function owes them, as nothing else tells their number.
    readout : Readout, optional
        Behind the network; its W in C order and its b end θ.

    Returns
    -------
    Model
        ``model.theta`` holds the parameters, where there are any.

    Raises
    ------
    InputError
        For what is no network, parameters or a readout of another shape than it takes.

    Examples
    --------
    >>> import geomnet as gn
    >>> model = gn.model(gn.FeedForward((4, 8, 3), "tanh"))
    >>> [(layer.name, layer.parameters, str(layer.kind)) for layer in model.layers]
    [('layer 0', slice(0, 40, None), 'affine'), ('layer 1', slice(40, 67, None), 'affine')]
    """
    if readout is not None and not isinstance(readout, Readout):
        raise InputError(f"readout: expected a gn.Readout, got {type(readout).__name__}")
    found, own = _read(network, theta)
    whole = found if readout is None else found.with_readout(readout)
    whole.architecture = found.architecture
    if theta is not None:
        return whole.at(found.flatten(theta, readout))
    return whole if own is None else whole.at(found.flatten(own, readout))


def _read(network: object, theta: ArrayLike | None) -> tuple[Model, Any]:
    """A network as a model, and the parameters that came with it."""
    if isinstance(network, Model):
        return network, network.theta
    if isinstance(network, Architecture):
        return network.with_readout(None), None
    if _is_from("sklearn", network):
        found, own = FeedForward.from_sklearn(network)
        return found.with_readout(None), own
    if _is_from("torch", network):
        found, own = FeedForward.from_torch(network)
        return found.with_readout(None), own
    if not callable(network):
        raise InputError(
            f"network: expected a gn.FeedForward, a gn.Network or a function (theta, x), got "
            f"{type(network).__name__}; gn.FeedForward.from_sklearn and from_torch read others"
        )
    if theta is None:
        raise UnknownParametersError("theta: of a function the parameters must be given")
    return FunctionModel(network, len(check_array("theta", theta, ndim=1))), None


def _is_from(package: str, network: object) -> bool:
    """Whether a class of another package made an object; the package is not imported."""
    return any(kind.__module__.split(".")[0] == package for kind in type(network).__mro__)
