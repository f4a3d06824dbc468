"""Models that are functions of (θ, x) in ``autograd.numpy``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import numpy as np

from ..errors import InputError
from ..utils.arrays import Array
from .layers.factors import ExplicitFactors, Factors
from .model import Layer, LayerKind, LinearisedModel, Model
from .readout import Readout

__all__ = ["FunctionModel"]


class FunctionModel(Model):
    """A function of (θ, x) in ``autograd.numpy``, row by row.

    Parameters
    ----------
    function : callable
        From θ (p,) and points (n, d) to z (n, C).
    size : int
        p.
    """

    def __init__(self, function: Callable[[Any, Any], Any], size: int) -> None:
        self.function = function
        self.layers = (Layer("theta", 0, size, LayerKind.FUNCTION),)
        self.dim = self.n_outputs = None
        self.parameters_shape = (size,)

    def linearise(self, theta: Array, points: Array) -> LinearisedModel:
        """Run the function, and see that it treats every datum by itself."""
        return _LinearisedFunction(self.function, theta, points)

    def with_readout(self, readout: Readout) -> FunctionModel:
        """Refused: a function may apply a readout itself."""
        raise InputError(
            "readout: a function (theta, x) gives the likelihood's parameters itself; apply the "
            "readout in it"
        )

    def computes_like(self, other: Model) -> bool:
        """Whether both are of one function."""
        return isinstance(other, FunctionModel) and self.function is other.function


class _LinearisedFunction(LinearisedModel):
    """A function at one θ, by autograd: reverse mode, and reverse mode of it for products Jv."""

    def __init__(self, function: Callable[[Any, Any], Any], theta: Array, points: Array) -> None:
        self.function, self.theta, self.points = function, theta, points
        try:
            self._pull, output = autograd.make_vjp(function, 0)(theta, points)
            output = np.asarray(output, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"network: autograd cannot run the function of (theta, x) ({error}); write it in "
                "autograd.numpy, from θ (p,) and points (n, d) to numbers (n, C)"
            ) from error
        if output.ndim != 2 or len(output) != len(points):
            raise InputError(
                f"network: for {len(points)} points the function must return shape "
                f"({len(points)}, C), got {output.shape}"
            )
        if not np.isfinite(output).all():
            raise InputError("network: the function's output is not finite")
        alone = np.asarray(function(theta, points[:1]), dtype=np.float64)
        if np.abs(alone - output[:1]).max() > 1e-8 * np.abs(output).max():
            raise InputError(
                "network: the function's output for a point depends on the other points (a mean "
                "over the batch?); Fisher information is a sum over data, so it must not"
            )
        self.output = output

    def push(self, directions: Array) -> Array:
        """Products Jv: the pullback of the pullback."""

        def pulled(covector: Any) -> Any:  # linear in the covector: its pullback is the product Jv
            return autograd.make_vjp(self.function, 0)(self.theta, self.points)[0](covector)

        push, _ = autograd.make_vjp(pulled)(np.zeros_like(self.output))
        return np.stack([push(v) for v in directions], axis=1)

    def pull(self, covectors: Array) -> Array:
        """Reverse mode, covector by covector."""
        return np.stack([self._pull(covectors[:, k]) for k in range(covectors.shape[1])])

    def factors(self, covectors: Array) -> list[Factors]:
        """Explicit rows: one pass a datum and covector."""
        rows = np.empty((*covectors.shape[:2], len(self.theta)))
        for index in range(len(self.points)):
            point = self.points[index : index + 1]
            pull, _ = autograd.make_vjp(self.function, 0)(self.theta, point)
            for a in range(covectors.shape[1]):
                rows[index, a] = pull(covectors[index : index + 1, a])
        return [ExplicitFactors(0, 0, rows)]
