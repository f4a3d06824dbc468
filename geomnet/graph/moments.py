r"""Means over the data that the emergent geometry is made of, all linear in the data's weights.

With R the likelihood's score rows (RᵀR = F) and h_i the output of node i,

- gate scores :math:`s_i = R\,h_i\,∂z/∂h_i`, the derivative total;
- edge scores :math:`s_{ij} = R\,h_iw_{ij}\,∂z/∂u_j` into the pre-activation u_j, and along a skip
  :math:`R\,c\,h_i\,∂z/∂h_j`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fisher.data import FisherData
from .nodes import EdgeSet, Skeleton

__all__ = ["Moments", "edge_scores", "gate_scores", "moments_of"]


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
    sensitivity : tuple of ndarray, shape (units, units)
        :math:`E[(∂z/∂h)^\top F\,∂z/∂h]` of every layer.
    mean : ndarray, shape (N,)
        :math:`E h_i`.
    second : ndarray, shape (N, N)
        :math:`E h_ih_j`.
    """

    gate_fisher: np.ndarray
    flow: np.ndarray
    conductance: tuple[np.ndarray, ...]
    edge_fisher: tuple[np.ndarray, ...]
    sensitivity: tuple[np.ndarray, ...]
    mean: np.ndarray
    second: np.ndarray

    def mix(self, other: Moments, share: float) -> Moments:
        """(1 − share)·self + share·other, of the same network."""

        def mixed(a: Any, b: Any) -> Any:
            if isinstance(a, tuple):
                return tuple(mixed(x, y) for x, y in zip(a, b))
            return (1 - share) * a + share * b

        names = self.__dataclass_fields__
        return Moments(*(mixed(getattr(self, name), getattr(other, name)) for name in names))


class _Chunk:
    """A network on some data: outputs of nodes, and covectors that hold the weights' roots."""

    def __init__(self, skeleton: Skeleton, data: FisherData, index: int) -> None:
        self.skeleton, self.part = skeleton, data.slices[index]
        run: Any = data.linearised(index)
        self.values, self.slopes, self.matrices = run.values, run.slopes, run.matrices
        self.backs = run.pull_back_values(data.covectors(index))
        self.root = np.sqrt(data.sample.weights[self.part])

    def signal(self, step: int) -> np.ndarray:
        """∂z/∂u of an affine step, (n, q, out)."""
        slope, back = self.slopes[step], self.backs[step]
        return back if slope is None else back * slope[:, None, :]

    def gates(self) -> np.ndarray:
        """Gate scores of all nodes, (n, q, N)."""
        return np.concatenate(
            [
                self.backs[layer.value] * self.values[layer.value][:, None, :]
                for layer in self.skeleton.layers
            ],
            axis=2,
        )

    def strengths(self, edges: EdgeSet) -> tuple[np.ndarray, np.ndarray]:
        """Sums over the data of w|s_ij| and w|s_ij|²: both factor into h_i, w_ij and ∂z/∂u_j."""
        source = np.abs(self.values[self.skeleton.layers[edges.source].value])
        weighed = source * self.root[:, None]  # the covectors hold the other root
        if edges.coefficient is not None:
            back = np.linalg.norm(self.backs[edges.step], axis=1)
            size = abs(edges.coefficient)
            return (
                size * np.sum(weighed * back, axis=0),
                size**2 * np.sum((source * back) ** 2, axis=0),
            )
        signal = np.linalg.norm(self.signal(edges.step), axis=1)
        size = np.abs(self.matrices[edges.step])
        return size * (signal.T @ weighed), size**2 * ((signal**2).T @ source**2)


def moments_of(skeleton: Skeleton, data: FisherData) -> Moments:
    """The moments of a network on data, chunk by chunk: memory does not grow with their number."""
    layers, count = skeleton.layers, skeleton.n_nodes
    gate_fisher, flow, mean = np.zeros((count, count)), np.zeros(count), np.zeros(count)
    conductance: list[Any] = [0.0] * len(skeleton.edges)
    edge_fisher = conductance.copy()
    sensitivity = [np.zeros((layer.size, layer.size)) for layer in layers]
    second = np.zeros((count, count))
    for _, index in data.chunks():
        chunk = _Chunk(skeleton, data, index)
        gates = chunk.gates()
        flow += chunk.root @ np.linalg.norm(gates, axis=1)
        gates = gates.reshape(-1, count)
        gate_fisher += gates.T @ gates
        h = np.concatenate([chunk.values[layer.value] for layer in layers], axis=1)
        h *= chunk.root[:, None]
        mean += chunk.root @ h
        second += h.T @ h
        for number, layer in enumerate(layers):
            back = chunk.backs[layer.value].reshape(-1, layer.size)
            sensitivity[number] += back.T @ back
        for number, edges in enumerate(skeleton.edges):
            first, square = chunk.strengths(edges)
            conductance[number] = conductance[number] + first
            edge_fisher[number] = edge_fisher[number] + square
    return Moments(
        gate_fisher,
        flow,
        tuple(conductance),
        tuple(edge_fisher),
        tuple(sensitivity),
        mean,
        second,
    )


def gate_scores(skeleton: Skeleton, data: FisherData) -> np.ndarray:
    """Vector scores of all nodes for every datum, without weights: (n, q, N)."""
    found = [_unweighted(_Chunk(skeleton, data, index)) for _, index in data.chunks()]
    return np.concatenate(found)


def _unweighted(chunk: _Chunk) -> np.ndarray:
    return chunk.gates() / chunk.root[:, None, None]


def edge_scores(skeleton: Skeleton, data: FisherData, index: int) -> Sequence[np.ndarray]:
    """Vector scores of all edges for the data of a chunk, by edge sets, without weights.

    (n, q, out, in) of an affine map, (n, q, units) of a skip.
    """
    chunk = _Chunk(skeleton, data, index)
    found: list[np.ndarray] = []
    for edges in skeleton.edges:
        h = chunk.values[skeleton.layers[edges.source].value] / chunk.root[:, None]
        if edges.coefficient is not None:
            found.append(edges.coefficient * chunk.backs[edges.step] * h[:, None, :])
            continue
        signal = chunk.signal(edges.step)
        found.append(signal[..., :, None] * (h[:, None, None, :] * chunk.matrices[edges.step]))
    return found
