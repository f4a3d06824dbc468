r"""Computation nodes of a network, and the edges on which it computes.

Nodes are hidden units, and every coordinate of the state at every depth; they come in layers, the
inputs first and the outputs last. An edge joins a node to a node it feeds: by a weight of an affine
map, or by a skip. Where an affine map is only added to a state (the second map of a residual block,
or the only one), its result is no node of its own: the state after the addition is. Of a field that
is known by its derivatives only, the coordinates of the states are the nodes, and the edges of a
layer are weighed by its derivative at each datum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from .layers.factors import AffineMap
from .model import FieldModel, Model, ProgramModel
from .program import Affine, AffineProgram, Combine, FixedMap

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
    map : AffineMap, FixedMap or None
        Of an affine map where its weights lie; None for a skip, and for a layer whose weights are
        its derivatives at each datum.
    """

    source: int
    target: int
    step: int
    coefficient: float | None
    map: AffineMap | FixedMap | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Skeleton:
    """Nodes and edges of a network, whatever its parameters.

    Attributes
    ----------
    program : AffineProgram or None
        None where layers are known by their derivatives only.
    layers : tuple of NodeLayer
    edges : tuple of EdgeSet
    """

    program: AffineProgram | None
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
        steps = self.program.steps if self.program else ()
        return [repr(step.activation) for step in steps if isinstance(step, Affine)]


def skeleton_of(model: Model) -> Skeleton:
    """Nodes and edges of a model, which must be a network."""
    if isinstance(model, FieldModel):
        return _skeleton_of_states(model)
    if not isinstance(model, ProgramModel):
        raise InputError(
            "network: the nodes of a function are not known; they need the layers of a "
            "gn.FeedForward or a gn.Network"
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
            edges.append(EdgeSet(place[step.source], target, value, None, step.map))
            continue
        for source, coefficient in zip(step.sources, step.coefficients):
            if source not in merged:
                edges.append(EdgeSet(place[source], place[value], value, coefficient))
    return Skeleton(program, tuple(layers), tuple(edges))


def _skeleton_of_states(model: FieldModel) -> Skeleton:
    """States after every layer, and the output of a readout."""
    depth, dim = model.network.depth, model.network.dim
    names = ["input", *(f"layer {k}" for k in range(1, depth)), "output"]
    layers = [NodeLayer(k, dim, k * dim, name) for k, name in enumerate(names)]
    edges = [EdgeSet(k, k + 1, k + 1, None) for k in range(depth)]
    if model.place is not None:
        layers[-1] = NodeLayer(depth, dim, depth * dim, f"layer {depth}")
        end = (depth + 1) * dim
        layers.append(NodeLayer(depth + 1, model.place.outputs, end, "output"))
        edges.append(EdgeSet(depth, depth + 1, depth + 1, None, model.place))
    return Skeleton(None, tuple(layers), tuple(edges))


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
