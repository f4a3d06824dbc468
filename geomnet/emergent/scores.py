r"""Means over the data that the emergent geometry is made of, but for one linear in their weights.

With R the likelihood's score rows (RᵀR = F) and h_i the output of node i,

- gate scores :math:`s_i = R\,h_i\,∂z/∂h_i`, the derivative total;
- edge scores :math:`s_{ij} = R\,h_iw_{ij}\,∂z/∂u_j` into the pre-activation u_j, and along a skip
  :math:`R\,c\,h_i\,∂z/∂h_j`,

z being the outputs of the network whose last affine map is centred over classes (see ``origin``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fisher.data import FisherData
from ..networks.nodes import EdgeSet, Nodes

__all__ = ["Moments", "edge_scores", "gate_scores", "moments_of", "paired_with_each"]


@dataclass(frozen=True, eq=False)
class Moments:
    r"""Means over weighted data.

    Attributes
    ----------
    gate_fisher : ndarray, shape (N, N)
        :math:`E\langle s_i, s_j\rangle`.
    flow : ndarray, shape (N,)
        :math:`E|s_i|`.
    conductance : tuple of ndarray
        :math:`E|s_{ij}|` by edge sets: (out, in) of an affine map, (units,) of a skip.
    edge_fisher : tuple of ndarray
        :math:`E|s_{ij}|^2`, likewise.
    sensitivity : ndarray, shape (N, N)
        :math:`E[(∂z/∂h_i)^\top F\,∂z/∂h_j]`.
    mean : ndarray, shape (N,)
        :math:`E h_i`.
    covariance : ndarray, shape (N, N)
        :math:`E(h_i - Eh_i)(h_j - Eh_j)`, which alone is not linear in the weights; kept as it
        stands, as the difference of :math:`Eh_ih_j` and :math:`Eh_iEh_j` has few digits.
    derivative : tuple of ndarray
        By edge sets: mean derivatives of layers that have no weights, else empty.
    """

    gate_fisher: np.ndarray
    flow: np.ndarray
    conductance: tuple[np.ndarray, ...]
    edge_fisher: tuple[np.ndarray, ...]
    sensitivity: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    derivative: tuple[np.ndarray, ...]

    def mix(self, other: Moments, share: float) -> Moments:
        """(1 − share)·self + share·other, of the same network."""

        def mixed(a: Any, b: Any) -> Any:
            if isinstance(a, tuple):
                return tuple(mixed(x, y) for x, y in zip(a, b))
            return (1 - share) * a + share * b

        found = {name: mixed(value, getattr(other, name)) for name, value in vars(self).items()}
        apart = other.mean - self.mean
        found["covariance"] += share * (1 - share) * np.outer(apart, apart)
        return Moments(**found)


class _Chunk:
    """A network on some data: outputs of nodes, and covectors that hold the weights' roots."""

    def __init__(self, nodes: Nodes, data: FisherData, index: int) -> None:
        self.nodes, self.part = nodes, data.slices[index]
        self.record = data.linearised(index).record(data.covectors(index))
        self.root = np.sqrt(data.sample.weights[self.part])

    def gates(self) -> np.ndarray:
        """Gate scores of all nodes, (n, q, N)."""
        record = self.record
        return np.concatenate(
            [
                record.covector(layer) * record.output(layer)[:, None, :]
                for layer in self.nodes.layers
            ],
            axis=2,
        )

    def sensitivities(self) -> np.ndarray:
        """Derivatives R ∂z/∂h in the outputs of all nodes, (n, q, N)."""
        return np.concatenate([self.record.covector(layer) for layer in self.nodes.layers], axis=2)

    def outputs(self) -> np.ndarray:
        """Outputs of all nodes, (n, N)."""
        return np.concatenate([self.record.output(layer) for layer in self.nodes.layers], axis=1)

    def source(self, edges: EdgeSet) -> np.ndarray:
        """Outputs of the nodes that edges leave, (n, in)."""
        return self.record.output(self.nodes.layers[edges.source])

    def strengths(self, edges: EdgeSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the scores of edges factor into.

        :math:`|s_{ij}|` of a datum is the product of :math:`|h_i|`, (n, in), of the norm of
        √w·R ∂z/∂u_j, (n, out), and of :math:`|w_{ij}|`, (out, in), or (n, out, in) where it is the
        derivative at the datum. Of a skip the first two are (n, units), to be taken unit by unit,
        and the last is a number.
        """
        source = np.abs(self.source(edges))
        signal = np.linalg.norm(self.record.signal(edges), axis=1)
        if edges.coefficient is not None:
            return source, signal, np.asarray(abs(edges.coefficient))
        return source, signal, np.abs(self.record.weight(edges))


def moments_of(
    nodes: Nodes,
    data: FisherData,
    ratio: np.ndarray | None = None,
    centre: np.ndarray | None = None,
) -> Moments:
    """The moments of a network on data, chunk by chunk: memory does not grow with their number.

    With `ratio` (n,) the weight of every datum is multiplied by its own, of any sign, and the
    covariance is about `centre` (N,): derivatives as weights change, at the mean they had.
    """
    count, total = nodes.n_nodes, 0.0
    ratio = np.ones(data.n) if ratio is None else ratio
    gate_fisher, flow, mean = np.zeros((count, count)), np.zeros(count), np.zeros(count)
    conductance: list[Any] = [0.0] * len(nodes.edges)
    edge_fisher = conductance.copy()
    derivative = [_room_for_derivative(nodes, edges) for edges in nodes.edges]
    sensitivity, covariance = np.zeros((count, count)), np.zeros((count, count))
    for part, index in data.chunks():
        chunk, times = _Chunk(nodes, data, index), ratio[part]
        root = chunk.root * times  # the covectors hold the other root
        gates, backs, h = chunk.gates(), chunk.sensitivities(), chunk.outputs()
        flow += root @ np.linalg.norm(gates, axis=1)
        _add_products(gate_fisher, gates, times)
        _add_products(sensitivity, backs, times)
        weights = chunk.root * root
        about = centre
        if about is None:  # means and covariances of parts join to those of all (Chan et al. 1983)
            part_total = weights.sum()
            about = weights @ h / part_total
            apart, share = about - mean, part_total / (total + part_total)
            covariance += total * share * np.outer(apart, apart)
            mean += share * apart
            total += part_total
        else:
            mean += weights @ h
        _add_products(covariance, ((h - about) * chunk.root[:, None])[:, None, :], times)
        for number, edges in enumerate(nodes.edges):
            source, signal, size = chunk.strengths(edges)
            weighed, squares = source * root[:, None], source**2 * times[:, None]
            if edges.coefficient is not None:
                first, square = np.sum(signal * weighed, 0), np.sum(signal**2 * squares, 0)
            elif size.ndim == 2:
                first, square = signal.T @ weighed, (signal**2).T @ squares
            else:
                first, square = _each(signal, size, weighed), _each(signal**2, size**2, squares)
                derivative[number] += np.tensordot(weights, chunk.record.weight(edges), 1)
                size = np.ones(())
            conductance[number] = conductance[number] + size * first
            edge_fisher[number] = edge_fisher[number] + size**2 * square
    return Moments(
        gate_fisher,
        flow,
        tuple(conductance),
        tuple(edge_fisher),
        sensitivity,
        mean,
        covariance,
        tuple(derivative),
    )


def _each(to: np.ndarray, between: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Sums over the data of what leads to a unit, lies between, and is at another: (out, in)."""
    return np.einsum("nj,nji,ni->ji", to, between, at, optimize=True)


def _room_for_derivative(nodes: Nodes, edges: EdgeSet) -> np.ndarray:
    if edges.map is not None or edges.coefficient is not None:
        return np.zeros((0, 0))
    return np.zeros((nodes.layers[edges.target].size, nodes.layers[edges.source].size))


def _add_products(total: np.ndarray, rows: np.ndarray, times: np.ndarray) -> None:
    """Add products of rows (n, q, N), those of each datum so many times."""
    flat = rows.reshape(-1, rows.shape[2])
    if (times == 1).all():
        total += flat.T @ flat
    else:
        total += flat.T @ (rows * times[:, None, None]).reshape(flat.shape)


def paired_with_each(
    nodes: Nodes, data: FisherData, covector: Moments, mean: np.ndarray
) -> np.ndarray:
    """The moments of every datum alone, about a mean, paired with a covector on moments: (n,).

    What a covector is the gradient of, this is its derivative in the weights of the data.
    """
    found = np.empty(data.n)
    for part, index in data.chunks():
        chunk = _Chunk(nodes, data, index)
        gates, backs, h = chunk.gates(), chunk.sensitivities(), chunk.outputs()
        paired = _forms(gates, covector.gate_fisher) + _forms(backs, covector.sensitivity)
        once = np.linalg.norm(gates, axis=1) @ covector.flow
        for edges, to_first, to_square in zip(
            nodes.edges, covector.conductance, covector.edge_fisher
        ):
            if not (to_first.any() or to_square.any()):
                continue
            source, signal, size = chunk.strengths(edges)
            if size.ndim == 3:
                once += np.einsum("nj,nji,ni->n", signal, size * to_first, source)
                paired += np.einsum("nj,nji,ni->n", signal**2, size**2 * to_square, source**2)
            elif edges.coefficient is None:
                once += np.sum((signal @ (size * to_first)) * source, axis=1)
                paired += np.sum((signal**2 @ (size**2 * to_square)) * source**2, axis=1)
            else:
                once += np.sum(signal * source * size * to_first, axis=1)
                paired += np.sum((signal * source * size) ** 2 * to_square, axis=1)
        paired = paired / chunk.root**2 + once / chunk.root
        found[part] = paired + _forms((h - mean)[:, None, :], covector.covariance)
    return found


def _forms(rows: np.ndarray, matrix: np.ndarray) -> Any:
    """Quadratic form of the rows (n, q, N) of every datum, added over q: (n,)."""
    if not matrix.any():
        return 0.0
    flat = rows.reshape(-1, rows.shape[2])
    return np.einsum("ri,ri->r", flat @ matrix, flat).reshape(rows.shape[:2]).sum(axis=1)


def gate_scores(nodes: Nodes, data: FisherData) -> np.ndarray:
    """Vector scores of all nodes for every datum, without weights: (n, q, N)."""
    found = [_unweighted(_Chunk(nodes, data, index)) for _, index in data.chunks()]
    return np.concatenate(found)


def _unweighted(chunk: _Chunk) -> np.ndarray:
    return chunk.gates() / chunk.root[:, None, None]


def edge_scores(nodes: Nodes, data: FisherData, index: int) -> Sequence[np.ndarray]:
    """Vector scores of all edges for the data of a chunk, by edge sets, without weights.

    (n, q, out, in) of an affine map, (n, q, units) of a skip.
    """
    chunk = _Chunk(nodes, data, index)
    found: list[np.ndarray] = []
    for edges in nodes.edges:
        h = chunk.source(edges) / chunk.root[:, None]
        if edges.coefficient is not None:
            found.append(edges.coefficient * chunk.record.signal(edges) * h[:, None, :])
            continue
        signal = chunk.record.signal(edges)
        matrix = chunk.record.weight(edges)
        matrix = matrix if matrix.ndim == 2 else matrix[:, None]
        found.append(signal[..., :, None] * (h[:, None, None, :] * matrix))
    return found
