r"""What the data do to the geometry: exact derivatives in their weights, at the same θ.

All moments are linear in the weights, so that the derivative of a quantity Q in the weight of datum
a is the gradient of Q in the moments, paired with the moments of a alone: one more pass over the
data gives it for all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval as getvalue
from autograd.tracer import isbox
from scipy.linalg import eigh
from scipy.sparse import csr_array

from ..errors import InputError
from ..geometry.sample import Sample
from ..networks.nodes import Nodes
from ..utils.validation import check_array, check_choice
from .capacity import rank_of
from .edges import Edges, alive_nodes, constant_nodes, covariance
from .origin import Origin
from .scores import Moments, moments_of, paired_with_each

if TYPE_CHECKING:
    from .geometry import EmergentGeometry

__all__ = ["GeometryDerivative", "derivative_of", "influence_of"]

ARRAYS = (
    "gate_fisher", "flow", "conductance", "edge_fisher", "normalised", "cosine", "activation",
    "sensitivity", "time",
)  # fmt: skip
NAMES = ("capacity", "robustness", "efficiency", "time")
SIMPLE = 1e-8
"""Least gap, relative, between the two largest eigenvalues for the first to have a derivative."""


@dataclass(frozen=True, eq=False)
class GeometryDerivative:
    """Derivatives of a geometry's arrays, each of the shape it has there.

    Attributes
    ----------
    gate_fisher, normalised, activation, sensitivity : ndarray, shape (N, N)
    flow : ndarray, shape (N,)
    conductance, edge_fisher : csr_array, shape (N, N)
    time : ndarray, shape (layers,)
        Zero at a layer whose time is −∞.
    """

    gate_fisher: np.ndarray
    flow: np.ndarray
    conductance: csr_array
    edge_fisher: csr_array
    normalised: np.ndarray
    activation: np.ndarray
    sensitivity: np.ndarray
    time: np.ndarray


def derivative_of(geometry: EmergentGeometry, change: Any) -> GeometryDerivative:
    """Derivative of a geometry as the weights of its data change."""
    origin, moments, sample = _source(geometry)
    change = check_array("change", change, shape=(sample.n,))
    moved = moments_of(origin.nodes, origin.data(sample), change / sample.weights, moments.mean)
    alive = alive_nodes(moments)
    edges = Edges(origin.nodes, alive, moments)
    kept = np.ix_(alive, alive)
    gate_fisher, flow = moved.gate_fisher[kept], moved.flow[alive]
    root, relative = np.sqrt(geometry.flow), flow / geometry.flow
    pulled = 0.5 * (relative[:, None] + relative[None, :])
    spread = covariance(moments)
    constant, spreads = constant_nodes(moments), moved.covariance.copy()
    spreads[constant], spreads[:, constant] = 0.0, 0.0
    time = np.zeros(len(geometry.time))
    for number, part in enumerate(origin.nodes.layers):
        block = (part.nodes, part.nodes)
        now = np.sum(moments.sensitivity[block] * spread[block])
        if now > 0:
            rise = np.sum(moved.sensitivity[block] * spread[block])
            rise += np.sum(moments.sensitivity[block] * spreads[block])
            time[number] = 0.5 * rise / now
    return GeometryDerivative(
        gate_fisher=gate_fisher,
        flow=flow,
        conductance=edges.matrix(edges.gather(moved.conductance)),
        edge_fisher=edges.matrix(edges.gather(moved.edge_fisher)),
        normalised=gate_fisher / np.outer(root, root) - geometry.normalised * pulled,
        activation=spreads[kept],
        sensitivity=moved.sensitivity[kept],
        time=time,
    )


def influence_of(geometry: EmergentGeometry, quantity: str | Callable[[Any], Any]) -> np.ndarray:
    """Derivative of a quantity in the direction of each datum alone, by datum last."""
    origin, moments, sample = _source(geometry)
    alive = alive_nodes(moments)
    edges = Edges(origin.nodes, alive, moments)
    if callable(quantity):
        rows, shape = _gradients(geometry, origin.nodes, moments, edges, alive, quantity)
    else:
        name = check_choice("quantity", quantity, NAMES)
        if name == "time":
            rows = _time_gradients(origin.nodes, moments)
            shape = (len(rows),)
        else:
            rows = [_memory_gradient(geometry, name, moments, alive)]
            shape = ()
    data = origin.data(sample)
    found = np.stack([paired_with_each(origin.nodes, data, row, moments.mean) for row in rows])
    found -= (found @ sample.weights)[:, None]
    return found.reshape(*shape, sample.n)


def _source(geometry: EmergentGeometry) -> tuple[Origin, Moments, Sample]:
    origin, moments, sample = geometry.source or (None, None, None)
    if origin is None or moments is None or sample is None:
        raise InputError(
            "geometry: of groups of nodes, and of a mixture, the data are not known; take the "
            "derivative before, of a geometry as from_network gives it (of a mixture: on the "
            "joined sample)"
        )
    return origin, moments, sample


def _zeros(moments: Moments) -> dict[str, Any]:
    """A covector on moments, as arrays that can be filled."""
    return {
        name: tuple(map(np.zeros_like, value)) if isinstance(value, tuple) else np.zeros_like(value)
        for name, value in vars(moments).items()
    }


def _memory_gradient(
    geometry: EmergentGeometry, name: str, moments: Moments, alive: np.ndarray
) -> Moments:
    """Gradients of capacity, robustness and efficiency, from that in 𝒦."""
    values, vectors = eigh(geometry.normalised)
    n = geometry.n
    if name == "robustness":
        if len(values) > 1 and values[-1] - values[-2] < SIMPLE * values[-1]:
            raise InputError(
                "quantity: the largest eigenvalue of 𝒦 is double, so that the robustness has no "
                "derivative here"
            )
        slopes = np.zeros_like(values)
        slopes[-1] = -0.5 * values[-1] ** -1.5
    else:
        kept = np.maximum(values, 0.0)
        slopes = 0.5 * n / (1 + n * kept)
        if name == "efficiency":
            rank = rank_of(kept)
            mean = n * kept.sum() / rank
            most = 0.5 * rank * np.log1p(mean)
            slopes = slopes / most - geometry.capacity / most**2 * 0.5 * n / (1 + mean)
    in_k = (vectors * slopes) @ vectors.T
    root = np.sqrt(geometry.flow)
    found = _zeros(moments)
    found["gate_fisher"][np.ix_(alive, alive)] = in_k / np.outer(root, root)
    # 𝒦 = M^{-1/2} 𝒢 M^{-1/2}: a share of flow takes half of it from the row and from the column
    found["flow"][alive] = -np.sum(in_k * geometry.normalised, axis=1) / geometry.flow
    return Moments(**found)


def _time_gradients(nodes: Nodes, moments: Moments) -> list[Moments]:
    """Gradients of the emergent time of every layer."""
    spread, rows = covariance(moments), []
    for part in nodes.layers:
        found, block = _zeros(moments), (part.nodes, part.nodes)
        moved = np.sum(moments.sensitivity[block] * spread[block])
        if moved > 0:
            found["sensitivity"][block] = spread[block] / (2 * moved)
            found["covariance"][block] = moments.sensitivity[block] / (2 * moved)
            constant = constant_nodes(moments)[part.nodes]
            found["covariance"][block][constant] = 0.0
            found["covariance"][block][:, constant] = 0.0
        rows.append(Moments(**found))
    return rows


class _Traced:
    """Arrays of a geometry as functions of its moments, in ``autograd.numpy``."""

    def __init__(self, base: dict[str, Any], nodes: Nodes, alive: np.ndarray) -> None:
        kept = np.ix_(alive, alive)
        self.gate_fisher, self.flow = base["gate_fisher"][kept], base["flow"][alive]
        self.conductance, self.edge_fisher = base["conductance"], base["edge_fisher"]
        self.sensitivity, self.activation = base["sensitivity"][kept], base["covariance"][kept]
        self._base, self._nodes = base, nodes

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"has no {name!r}, but {', '.join(ARRAYS)}")

    @cached_property
    def normalised(self) -> Any:
        root = anp.sqrt(self.flow)
        return self.gate_fisher / anp.outer(root, root)

    @cached_property
    def cosine(self) -> Any:
        size = anp.sqrt(anp.diag(self.gate_fisher))
        return self.gate_fisher / anp.outer(size, size)

    @cached_property
    def time(self) -> Any:
        moved, times = self._base["sensitivity"] * self._base["covariance"], []
        for part in self._nodes.layers:
            total = anp.sum(moved[part.nodes, part.nodes])
            times.append(0.5 * anp.log(total) if total > 0 else -np.inf)
        return anp.array(times)


def _gradients(
    geometry: EmergentGeometry,
    nodes: Nodes,
    moments: Moments,
    edges: Edges,
    alive: np.ndarray,
    quantity: Callable[[Any], Any],
) -> tuple[list[Moments], tuple[int, ...]]:
    """Gradients of all numbers of a function by autograd, and the shape they have."""
    constant = constant_nodes(moments)
    base = {
        "gate_fisher": moments.gate_fisher,
        "flow": moments.flow,
        "conductance": geometry.conductance.data,
        "edge_fisher": geometry.edge_fisher.data,
        "sensitivity": moments.sensitivity,
        "covariance": covariance(moments),
    }
    shape: tuple[int, ...] = ()

    def flat(base: dict[str, Any]) -> Any:
        nonlocal shape
        value = quantity(_Traced(base, nodes, alive))
        found = np.asarray(getvalue(value) if isbox(value) else value)
        if found.dtype.kind not in "fiu" or not found.size or isinstance(value, list):
            raise InputError(
                f"quantity: must return a number or an array computed from the geometry's arrays "
                f"in autograd.numpy, got {value!r:.60}"
            )
        shape = found.shape
        return anp.ravel(value) if shape else anp.reshape(value, (1,))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what does not depend on the data
            pull, value = autograd.make_vjp(flat)(base)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"quantity: autograd cannot run the function ({error}); write it in autograd.numpy, "
            f"from the geometry's {', '.join(ARRAYS)} to a number or an array"
        ) from error
    rows = []
    for unit in np.eye(len(value)):
        pulled, found = pull(unit), _zeros(moments)
        if not all(np.isfinite(part).all() for part in pulled.values()):
            raise InputError("quantity: has no finite derivative here")
        pulled["covariance"][constant], pulled["covariance"][:, constant] = 0.0, 0.0
        for name in ("gate_fisher", "flow", "sensitivity", "covariance"):
            found[name] = pulled[name]
        for name in ("conductance", "edge_fisher"):
            found[name] = edges.spread(pulled[name], getattr(moments, name))
        rows.append(Moments(**found))
    return rows, shape
