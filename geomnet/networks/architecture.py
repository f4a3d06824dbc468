"""What networks of ours have in common: parameters of their own shape, and the model they make."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..errors import InputError
from ..utils.arrays import Array
from .layers.factors import AffineMap
from .model import Model
from .nodes import Stream
from .readout import Readout

__all__ = ["Architecture", "split_rows"]


class Architecture(ABC):
    """A network whose parameters stay apart.

    A subclass owes ``dim``, ``parameters_shape``, :meth:`init` and :meth:`as_model`.
    """

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of inputs."""

    @property
    @abstractmethod
    def parameters_shape(self) -> tuple[int, ...]:
        """Shape of θ."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return int(np.prod(self.parameters_shape))

    @abstractmethod
    def init(self, seed: int | np.random.Generator = 0) -> Array:
        """Draw parameters of shape ``parameters_shape``."""

    @abstractmethod
    def as_model(self) -> Model:
        """The network as a map (θ, x) ↦ z with one flat θ."""

    def with_readout(self, readout: Readout | None) -> Model:
        """The network with an affine readout behind it, as one map with one flat θ.

        Parameters
        ----------
        readout : Readout or None
            Between the network and the likelihood; None for a network that ends in it.

        Returns
        -------
        Model
            θ holds the network's parameters, then W in C order and b.

        Examples
        --------
        >>> import geomnet as gn
        >>> network = gn.Network(gn.TanhField(dim=2, width=4), depth=3)
        >>> model = network.with_readout(gn.Readout([[1.0, -1.0]]))
        >>> model.n_parameters, model.n_outputs
        (69, 1)
        """
        model = self.as_model()
        if readout is not None:
            model = model.with_readout(readout)
        model.architecture = self
        return model

    def widening(self) -> str:
        """Why the network cannot get one more unit in a layer; empty where it can."""
        return f"belongs to a {type(self).__name__}, which cannot be made wider"

    def split_unit(
        self, theta: Array, stream: Stream, unit: int, share: float
    ) -> tuple[Architecture, Array]:
        """The network with a unit of a stream made two, λ and 1 − λ, and its flat θ.

        Parameters
        ----------
        theta : ndarray, shape (p,)
            Of the network, flat.
        stream : Stream
            The layer, the maps that lead into it, and those that read it.
        unit : int
        share : float
            λ: what reads the unit reads λ of it, and 1 − λ of the copy, which comes last.
        """
        raise InputError(f"network: {self.widening()}")


def split_rows(
    theta: Array, place: AffineMap, stream: Stream, unit: int, share: float
) -> tuple[Array, Array | None]:
    """W and b of a map after a unit of a stream is split: a row more, or a column more."""
    matrix, offset = place.split(theta)
    if place.start in {entering.start for entering in stream.into}:
        matrix = np.vstack([matrix, matrix[unit]])
        offset = None if offset is None else np.append(offset, offset[unit])
    if place.start in {leaving.start for leaving in stream.out}:
        matrix = np.column_stack([matrix, (1 - share) * matrix[:, unit]])
        matrix[:, unit] *= share
    return matrix, offset
