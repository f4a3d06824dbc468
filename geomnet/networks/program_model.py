"""Models that are programs of affine maps: their layers, nodes and streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..utils.arrays import Array
from .layers.activations import activation_named
from .layers.factors import AffineMap, FixedMap
from .model import Head, Layer, LayerKind, Model, StateChain, readout_map
from .nodes import EdgeSet, End, NodeLayer, Nodes, Stream
from .program import Affine, AffineProgram, Combine, LinearisedProgram
from .readout import Readout

__all__ = ["ProgramModel"]


class ProgramModel(Model):
    """A program of affine maps.

    Parameters
    ----------
    program : AffineProgram
    layers : tuple of Layer
    dim, n_outputs : int
    parameters_shape : tuple of int
    head : Head or None
    chain : callable
        From θ (without the parameters of a readout that is added) and points to the states.
    """

    dim: int
    n_outputs: int

    def __init__(
        self,
        program: AffineProgram,
        layers: tuple[Layer, ...],
        dim: int,
        n_outputs: int,
        parameters_shape: tuple[int, ...],
        head: Head | None,
        chain: Callable[[Array, Array], StateChain],
    ) -> None:
        self.program, self.layers = program, layers
        self.dim, self.n_outputs = dim, n_outputs
        self.parameters_shape, self.head, self._chain = parameters_shape, head, chain

    def linearise(self, theta: Array, points: Array) -> LinearisedProgram:
        """Run the program."""
        return self.program.run(theta, points)

    def with_readout(self, readout: Readout) -> ProgramModel:
        """The program with one more affine step."""
        if self.readout_map is not None:
            raise InputError("readout: the model has one already")
        place = readout_map(readout, self.n_outputs, len(self.layers), self.n_parameters)
        identity = activation_named("identity")
        steps = self.program.steps
        found = ProgramModel(
            AffineProgram((*steps, Affine(place, len(steps), identity))),
            (*self.layers, Layer("readout", place.start, place.stop, LayerKind.READOUT)),
            self.dim,
            place.outputs,
            self.parameters_shape,
            Head(place, identity),
            self._chain,
        )
        found.readout_map = place
        return found

    def chain(self, theta: Array, points: Array) -> StateChain:
        """States of one shape that the head reads."""
        stop = None if self.readout_map is None else self.readout_map.start
        return self._chain(theta[:stop], points)

    def computes_like(self, other: Model) -> bool:
        """Whether the steps of both programs are the same."""
        if not isinstance(other, ProgramModel):
            return False
        steps = self.program.steps, other.program.steps
        return len(steps[0]) == len(steps[1]) and all(map(_same_step, *steps))

    @cached_property
    def nodes(self) -> Nodes:
        """Values that are no mere terms of a sum, and the steps between them."""
        return _nodes_of(self.program, self.dim)

    @cached_property
    def _widths(self) -> list[int]:
        return [step.map.outputs for step in self.program.steps if isinstance(step, Affine)]

    @property
    def floats_per_point(self) -> int:
        """Values and slopes of all steps."""
        return self.dim + 2 * sum(self._widths)

    @property
    def signals_per_point(self) -> int:
        """Units of all steps."""
        return sum(self._widths)

    @property
    def most_signals(self) -> int:
        """Units of the widest step."""
        return max(self._widths)


def _same_step(one: Affine | Combine, two: Affine | Combine) -> bool:
    if isinstance(one, Combine) or isinstance(two, Combine):
        return type(one) is type(two) and vars(one) == vars(two)
    if (one.source, repr(one.activation)) != (two.source, repr(two.activation)):
        return False
    if isinstance(one.map, FixedMap) and isinstance(two.map, FixedMap):
        return all(map(np.array_equal, vars(one.map).values(), vars(two.map).values()))
    return bool(one.map == two.map)


# -- nodes ------------------------------------------------------------------------------------


def _nodes_of(program: AffineProgram, dim: int) -> Nodes:
    """Nodes, edges and streams of a program."""
    merged = _merged_values(program)
    layers, place = _layers_of(program, dim, merged)
    edges: list[EdgeSet] = []
    for value, step in enumerate(program.steps, start=1):
        if isinstance(step, Affine):
            target = place[merged.get(value, value)]
            edges.append(EdgeSet(place[step.source], target, value, None, step.map))
            continue
        for source, coefficient in zip(step.sources, step.coefficients):
            if source not in merged:
                edges.append(EdgeSet(place[source], place[value], value, coefficient))
    affine = [step for step in program.steps if isinstance(step, Affine)]
    return Nodes(
        tuple(layers),
        tuple(edges),
        tuple(repr(step.activation) for step in affine),
        _streams(program, layers),
        _free_maps(program, layers, edges),
    )


def _layers_of(
    program: AffineProgram, dim: int, merged: dict[int, int]
) -> tuple[list[NodeLayer], dict[int, int]]:
    """Layers of nodes, and which of them each value is that has one."""
    sizes = [dim]
    for step in program.steps:
        sizes.append(sizes[step.sources[0]] if isinstance(step, Combine) else step.map.outputs)
    names = {0: "input", len(program.steps): "output"}
    layers: list[NodeLayer] = []
    place: dict[int, int] = {}
    start = 0
    for value, size in enumerate(sizes):
        if value in merged:
            continue
        place[value] = len(layers)
        layers.append(NodeLayer(value, size, start, names.get(value, f"layer {len(layers)}")))
        start += size
    return layers, place


def _merged_values(program: AffineProgram) -> dict[int, int]:
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


def _free_maps(
    program: AffineProgram, layers: list[NodeLayer], edges: list[EdgeSet]
) -> tuple[AffineMap, ...]:
    """Maps into the outputs that are linear and used once."""
    found = []
    for part in edges:
        if part.target != len(layers) - 1 or not isinstance(part.map, AffineMap):
            continue
        step = program.steps[part.step - 1]
        linear = isinstance(step, Affine) and step.activation.name == "identity"
        if linear and program.uses[part.map.start] == 1:
            found.append(part.map)
    return tuple(found)


# -- streams ----------------------------------------------------------------------------------


def _streams(program: AffineProgram, layers: list[NodeLayer]) -> tuple[Stream, ...]:
    """Values tied by sums and by maps used more than once, tied through."""
    steps = program.steps
    root = list(range(len(steps) + 1))

    def find(value: int) -> int:
        while root[value] != value:
            value = root[value]
        return value

    def tie(values: list[int]) -> None:
        roots = sorted({find(value) for value in values})
        for other in roots[1:]:
            root[other] = roots[0]

    uses: dict[int, list[tuple[int, int]]] = {}
    for value, step in enumerate(steps, start=1):
        if isinstance(step, Combine):
            tie([value, *step.sources])
        else:
            uses.setdefault(_key(step.map), []).append((value, step.source))
    for pairs in uses.values():
        tie([value for value, _ in pairs])
        tie([source for _, source in pairs])
    values = range(len(root))
    return tuple(
        _stream(steps, layers, {value for value in values if find(value) == head})
        for head in sorted({find(value) for value in values})
    )


def _stream(
    steps: tuple[Affine | Combine, ...], layers: list[NodeLayer], values: set[int]
) -> Stream:
    """One stream from its values."""
    affine = [(value, s) for value, s in enumerate(steps, start=1) if isinstance(s, Affine)]
    leading = [step for value, step in affine if value in values]
    reading = [step for _, step in affine if step.source in values]
    into, out = _maps_of(leading), _maps_of(reading)
    numbers = [number for number, part in enumerate(layers) if part.value in values]
    learned_into, learned_out = _learned(into), _learned(out)
    return Stream(
        tuple(numbers),
        layers[numbers[0]].size,
        learned_into,
        learned_out,
        frozenset(step.activation.name for step in leading),
        any(isinstance(steps[value - 1], Combine) for value in values if value),
        len(learned_into) + len(learned_out) < len(into) + len(out),
        _end_of(values, len(steps)),
    )


def _end_of(values: set[int], last: int) -> End:
    """The end of a program that is among values."""
    if 0 in values:
        return End.INPUT
    return End.OUTPUT if last in values else End.NONE


def _maps_of(steps: list[Affine]) -> list[AffineMap | FixedMap]:
    """Their maps, each once."""
    return list({_key(step.map): step.map for step in steps}.values())


def _learned(places: Iterable[AffineMap | FixedMap]) -> tuple[AffineMap, ...]:
    """Those maps that are part of θ."""
    return tuple(place for place in places if isinstance(place, AffineMap))


def _key(place: AffineMap | FixedMap) -> int:
    """What tells one map from another."""
    return place.start if isinstance(place, AffineMap) else id(place)
