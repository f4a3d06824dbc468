r"""Vector fields f(x, θ): what one layer of a residual network adds to the state.

Parameters of a layer are one flat vector: affine map by affine map, the matrix of shape
``(out, in)`` in C order, then the bias.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np

from ...errors import InputError
from ...utils.arrays import Array
from ...utils.autodiff import gradient
from ...utils.validation import check_integer
from ..layers.affine import AffineLayer

__all__ = [
    "Field",
    "FunctionField",
    "LinearisedField",
    "check_field",
]


class Field(ABC):
    """A parametrised vector field on R^d.

    A subclass owes ``dim``, ``n_parameters`` and the field itself, written in
    ``autograd.numpy``; derivatives follow by autograd, and built-ins give them by hand.
    """

    dim: int
    """Dimension d of the state."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Length p of θ for one layer."""

    @abstractmethod
    def __call__(self, x: Any, theta: Any) -> Any:
        """Velocities f(x_i, θ), (n, d) to (n, d)."""

    def jvp(self, x: Array, theta: Array, dx: Array, dtheta: Array) -> Array:
        """Change of the velocities along (dx, dθ), (n, d)."""
        cotangent = np.ones_like(x)

        def pulled(cotangent: Any) -> Any:  # linear in the cotangent: its gradient is the jvp
            grads = autograd.grad(lambda a: anp.sum(self(a[0], a[1]) * cotangent))(
                autograd.builtins.tuple((x, theta))
            )
            return anp.sum(grads[0] * dx) + anp.sum(grads[1] * dtheta)

        change: Array = gradient(pulled, cotangent)
        return change

    def vjp(self, x: Array, theta: Array, cotangent: Array) -> tuple[Array, Array]:
        """Pull a covector (n, d) back: (to x, (n, d); to θ, (p,))."""
        return (
            gradient(lambda x: anp.sum(self(x, theta) * cotangent), x),
            gradient(lambda theta: anp.sum(self(x, theta) * cotangent), theta),
        )

    def linearise(self, x: Array, theta: Array, workspace: Any = None) -> LinearisedField:
        """Velocities at (x, θ), with their derivative there.

        Of many linearisations those after the first are faster in a common :meth:`workspace`.
        """
        return LinearisedField(self, x, theta)

    def affine_layers(self) -> tuple[AffineLayer, ...] | None:
        """The field as affine layers in the order of θ; None where it is no such field.

        With them every parameter's Fisher information follows from inputs and signals of the
        layers; without, from Jacobians.
        """
        return None

    def widened(self) -> Field | None:
        """The field with one more hidden unit; None where it has no hidden units to add to."""
        return None

    def widen(self, theta: Array, split: tuple[int, float] | None) -> Array:
        """Parameters of the :meth:`widened` field, (p',).

        Parameters
        ----------
        theta : ndarray, shape (p,)
        split : (int, float) or None
            The unit that becomes two, and the share λ it keeps; None adds a unit that nothing
            leads to or from.
        """
        raise InputError(f"field: {type(self).__name__} cannot be made wider")

    def workspace(self, n: int, count: int) -> Any:
        """Memory for `count` linearisations on n points, taken at once; None where none is kept."""
        return None

    def init(self, rng: np.random.Generator) -> Array:
        """Draw initial parameters of one layer, (p,)."""
        return 0.1 * rng.normal(size=self.n_parameters)

    def init_on(self, points: Array, rng: np.random.Generator) -> Array:
        """Draw parameters of one layer for a regression on points (n, d): as :meth:`init`, (p,)."""
        return self.init(rng)

    def lipschitz(self, theta: Array) -> float | None:
        """Upper bound of the Lipschitz constant of x ↦ f(x, θ); None where none is known."""
        return None

    def limit_lipschitz(self, theta: Array, bound: float) -> Array:
        """Return parameters scaled down so that :meth:`lipschitz` is at most `bound`."""
        raise InputError(
            f"field: {type(self).__name__} has no limit_lipschitz(theta, bound); write one, or "
            "train without max_step_lipschitz"
        )


class LinearisedField:
    """The velocities of a field at one (x, θ), and their derivative.

    A field derives it by hand to keep what the velocities took to compute (hidden activations):
    products with the derivative then compute nothing twice.

    Parameters
    ----------
    field : Field
    x : ndarray, shape (n, d)
    theta : ndarray, shape (p,)
    """

    def __init__(self, field: Field, x: Array, theta: Array) -> None:
        self.field, self.x, self.theta = field, x, theta
        self.value = np.asarray(field(x, theta))
        """f(x, θ), (n, d)."""

    def jvp(self, dx: Array | None, dtheta: Array | None) -> Array:
        """Change of the velocities along (dx, dθ), (n, d); None stands for zero."""
        dx = np.zeros_like(self.x) if dx is None else dx
        dtheta = np.zeros_like(self.theta) if dtheta is None else dtheta
        return self.field.jvp(self.x, self.theta, dx, dtheta)

    def vjp(self, cotangent: Array) -> tuple[Array, Array]:
        """Pull a covector (n, d) back: (to x, (n, d); to θ, (p,))."""
        return self.field.vjp(self.x, self.theta, cotangent)

    def jacobian(self) -> Array:
        """∂f/∂θ as a matrix, (n·d, p): a product for each parameter."""
        units = np.eye(len(self.theta))
        columns = [self.jvp(None, unit).reshape(-1) for unit in units]
        return np.stack(columns, axis=1) if columns else np.zeros((self.x.size, 0))

    def gram(self) -> Array:
        """(∂f/∂θ)(∂f/∂θ)ᵀ, (n·d, n·d)."""
        jacobian = self.jacobian()
        return jacobian @ jacobian.T


@dataclass(frozen=True, eq=False)
class FunctionField(Field):
    """A field of one's own, from one function in ``autograd.numpy``.

    Parameters
    ----------
    function : callable
        From x (n, d) and θ (p,) to velocities (n, d).
    dim, parameters : int
        Dimension d of the state, and length p of θ.
    lipschitz_bound : callable, optional
        From θ to an upper bound of the Lipschitz constant in x.

    Examples
    --------
    >>> import autograd.numpy as anp, geomnet as gn
    >>> shear = gn.networks.FunctionField(lambda x, theta: theta[0] * anp.sin(x[:, ::-1]), 2, 1)
    >>> network = gn.Network(shear, depth=4)
    >>> network(network.init(seed=0), [[0.0, 1.0]]).shape
    (1, 2)
    """

    function: Callable[[Any, Any], Any]
    dim: int
    parameters: int
    lipschitz_bound: Callable[[Any], float] | None = None

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InputError(f"function: expected a function of (x, theta), got {self.function!r}")
        check_integer("dim", self.dim, least=1)
        check_integer("parameters", self.parameters, least=0)

    @property
    def n_parameters(self) -> int:
        """Length of θ."""
        return self.parameters

    def __call__(self, x: Any, theta: Any) -> Any:
        """Call the function."""
        velocity = self.function(x, theta)
        if np.shape(velocity) != np.shape(x):
            raise InputError(
                f"function: must return velocities of shape {np.shape(x)}, got {np.shape(velocity)}"
            )
        return velocity

    def lipschitz(self, theta: Array) -> float | None:
        """Return the bound given, if one was."""
        return None if self.lipschitz_bound is None else float(self.lipschitz_bound(theta))


def check_field(field: Any) -> Field:
    """Return the field, or say that it is none."""
    if not isinstance(field, Field):
        raise InputError(
            f"field: expected a Field such as gn.TanhField(dim, width), got {field!r}; wrap a "
            "function of (x, theta) with gn.networks.FunctionField"
        )
    return field
