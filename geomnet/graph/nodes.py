r"""Computation nodes of a network, and the edges on which it computes.

Nodes are hidden units, and every coordinate of the state at every depth; they come in layers, the
inputs first and the outputs last. An edge joins a node to a node it feeds: by a weight of an affine
map, or by a skip. Where an affine map is only added to a state (the second map of a residual block,
or the only one), its result is no node of its own: the state after the addition is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..networks.affine_program import Affine, AffineProgram, Combine
from ..networks.models import Model, ProgramModel

__all__ = ["EdgeSet", "NodeLayer", "Skeleton", "merged_values", "skeleton_of"]


@dataclass(frozen=True)
class NodeLayer:
    """Nodes that are computed together.

    Attributes
    ----------
    value : int
        Which value of the program they are.
    size : int
    start : int
        Number of the first of them among all nodes.
    name : str
    """

    value: int
    size: int
    start: int
    name: str

    @property
    def nodes(self) -> slice:
        """Their numbers."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class EdgeSet:
    """Edges between two layers, all of an affine map or all of a skip.

    Attributes
    ----------
    source, target : int
        Layers.
    step : int
        The value of the program that the affine map or the skip computes.
    coefficient : float or None
        Of a skip, from each unit to its like; None for an affine map.
    """

    source: int
    target: int
    step: int
    coefficient: float | None


@dataclass(frozen=True)
class Skeleton:
    """Nodes and edges of a network, whatever its parameters.

    Attributes
    ----------
    program : AffineProgram
    layers : tuple of NodeLayer
    edges : tuple of EdgeSet
    """

    program: AffineProgram
    layers: tuple[NodeLayer, ...]
    edges: tuple[EdgeSet, ...]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.layers[-1].nodes.stop

    @property
    def layer(self) -> np.ndarray:
        """Layer of every node, (N,)."""
        return np.repeat(np.arange(len(self.layers)), [part.size for part in self.layers])

    @property
    def unit(self) -> np.ndarray:
        """Place of every node in its layer, (N,)."""
        return np.concatenate([np.arange(part.size) for part in self.layers])

    @property
    def activations(self) -> list[str]:
        """Names of the activations of all affine maps."""
        return [repr(step.activation) for step in self.program.steps if isinstance(step, Affine)]


def skeleton_of(model: Model) -> Skeleton:
    """Nodes and edges of a model; it must be made of affine maps."""
    if not isinstance(model, ProgramModel):
        raise InputError(
            "network: its nodes are not known; the geometry needs affine maps and activations, as "
            "gn.FeedForward and the built-in fields of gn.Network have them"
        )
    program = model.program
    merged = merged_values(program)
    sizes = [model.dim or 0]
    for step in program.steps:
        sizes.append(sizes[step.sources[0]] if isinstance(step, Combine) else step.map.outputs)
    names = {0: "input", len(program.steps): "output"}
    layers: list[NodeLayer] = []
    place: dict[int, int] = {}  # layer of each value that has one
    start = 0
    for value, size in enumerate(sizes):
        if value in merged:
            continue
        name = names.get(value, f"layer {len(layers)}")
        place[value] = len(layers)
        layers.append(NodeLayer(value, size, start, name))
        start += size
    edges: list[EdgeSet] = []
    for value, step in enumerate(program.steps, start=1):
        if isinstance(step, Affine):
            target = place[merged.get(value, value)]
            edges.append(EdgeSet(place[step.source], target, value, None))
            continue
        for source, coefficient in zip(step.sources, step.coefficients):
            if source not in merged:
                edges.append(EdgeSet(place[source], place[value], value, coefficient))
    return Skeleton(program, tuple(layers), tuple(edges))


def merged_values(program: AffineProgram) -> dict[int, int]:
    """Values of affine steps that one sum and nothing else uses: from the value to the sum."""
    users: dict[int, list[int]] = {}
    for value, step in enumerate(program.steps, start=1):
        sources = step.sources if isinstance(step, Combine) else (step.source,)
        for source in sources:
            users.setdefault(source, []).append(value)
    found = {}
    for value, step in enumerate(program.steps, start=1):
        used = users.get(value, [])
        alone = isinstance(step, Affine) and len(used) == 1
        if alone and isinstance(program.steps[used[0] - 1], Combine):
            found[value] = used[0]
    return found
