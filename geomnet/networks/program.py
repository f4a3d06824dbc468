r"""Networks as programs of affine maps, with their derivatives by hand.

A program computes values :math:`v_0 = x, v_1, v_2, …` of all data at once, each by one of two kinds
of step:

- ``Affine``: :math:`v_j = σ(W v_k + b)`, W and b a part of θ, or fixed;
- ``Combine``: :math:`v_j = \sum_k c_k v_k` (a skip, a stage of a Runge–Kutta method).

Feed-forward networks, residual ones and the layers of a ``Network`` under any integrator are such
programs; a map used in several steps (at several stages) is one map. As every parameter lives in an
affine map, the row of a Jacobian that belongs to a datum and a covector on the output is
:math:`\sum_s b_s ⊗ a_s`: the *signals* b that the covector becomes where the map is used, and the
*inputs* a it is used on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..utils.arrays import Array
from .layers.activations import Activation
from .layers.factors import AffineFactors, AffineMap, Factors, FixedMap
from .model import LinearisedModel
from .nodes import ValueRecord

__all__ = ["Affine", "AffineProgram", "Combine", "LinearisedProgram"]


@dataclass(frozen=True, eq=False)
class Affine:
    """The step σ(W v + b), v the value at `source`."""

    map: AffineMap | FixedMap
    source: int
    activation: Activation


@dataclass(frozen=True, eq=False)
class Combine:
    """The step Σ c v over the values at `sources`."""

    sources: tuple[int, ...]
    coefficients: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class AffineProgram:
    """Steps, the last of which computes the output."""

    steps: tuple[Affine | Combine, ...]

    @cached_property
    def maps(self) -> tuple[AffineMap, ...]:
        """Affine maps that are part of θ, in the order of θ."""
        found = {
            step.map.start: step.map
            for step in self.steps
            if isinstance(step, Affine) and isinstance(step.map, AffineMap)
        }
        return tuple(found[start] for start in sorted(found))

    @cached_property
    def depends(self) -> tuple[bool, ...]:
        """Whether each value, the input first, depends on θ."""
        found = [False]
        for step in self.steps:
            if isinstance(step, Combine):
                found.append(any(found[source] for source in step.sources))
            else:
                found.append(isinstance(step.map, AffineMap) or found[step.source])
        return tuple(found)

    @cached_property
    def scales(self) -> dict[int, float]:
        """Values that a single later ``Combine`` scales, and by how much.

        They are scaled where they are computed, slopes too, which spares a pass over the data.
        """
        uses: dict[int, list[float | None]] = {}
        for step in self.steps:
            if isinstance(step, Combine):
                for source, coefficient in zip(step.sources, step.coefficients):
                    uses.setdefault(source, []).append(coefficient)
            else:
                uses.setdefault(step.source, []).append(None)
        found = {}
        for index, step in enumerate(self.steps, start=1):
            if isinstance(step, Affine) and step.activation.name != "identity":
                coefficients = uses.get(index, [None])
                if len(coefficients) == 1 and coefficients[0] not in (None, 1.0):
                    found[index] = coefficients[0]
        return found

    @cached_property
    def scaled_steps(self) -> tuple[Affine | Combine, ...]:
        """The steps, coefficients of values that are scaled already being one."""
        return tuple(
            Combine(
                step.sources,
                tuple(
                    1.0 if source in self.scales else coefficient
                    for source, coefficient in zip(step.sources, step.coefficients)
                ),
            )
            if isinstance(step, Combine)
            else step
            for step in self.steps
        )

    @cached_property
    def last_read(self) -> tuple[tuple[int, ...], ...]:
        """For every step, the values that no later step reads."""
        last: dict[int, int] = {}
        for index, step in enumerate(self.steps):
            sources = step.sources if isinstance(step, Combine) else (step.source,)
            last.update(dict.fromkeys(sources, index))
        return tuple(
            tuple(value for value, step in last.items() if step == index)
            for index in range(len(self.steps))
        )

    @cached_property
    def uses(self) -> dict[int, int]:
        """How many steps use the map that starts at a place of θ."""
        starts = [
            step.map.start
            for step in self.steps
            if isinstance(step, Affine) and isinstance(step.map, AffineMap)
        ]
        return {start: starts.count(start) for start in starts}

    def run(self, theta: Array, points: Array) -> LinearisedProgram:
        """Run the program on points (n, d)."""
        return LinearisedProgram(self, theta, points)


class LinearisedProgram(LinearisedModel):
    """All values of a program at one θ, and the derivative of the last in θ.

    Inputs and slopes of every map are kept, so that products with the derivative compute nothing
    twice. Several directions lie between data and units, (n, k, units): every product is one
    matrix product.
    """

    def __init__(self, program: AffineProgram, theta: Array, points: Array) -> None:
        self.program, self.theta = program, theta
        self.values: list[Array] = [points]
        """Values of the program, the input first, each (n, units), by ``program.scales``."""
        self.slopes: list[Array | None] = [None]
        self.matrices: list[Array | None] = [None]
        with np.errstate(all="ignore"):  # what overflows is named below
            for step in program.scaled_steps:
                self._take(step)
        self.output = self.values[-1]

    def _take(self, step: Affine | Combine) -> None:
        if isinstance(step, Combine):
            self.values.append(_combine(self.values, step))
            self.slopes.append(None)
            self.matrices.append(None)
            return
        matrix, offset = step.map.read(self.theta)
        value = self.values[step.source] @ matrix.T
        if offset is not None:
            value += offset
        value, slope = step.activation.linearise(value)
        finite = np.isfinite(value)
        if slope is not None:
            finite &= np.isfinite(slope)
        if not finite.all():
            bad = int((~finite.all(axis=1)).sum())
            name = step.map.name if isinstance(step.map, AffineMap) else "the fixed features"
            raise InputError(
                f"theta: the activations of {name} are not finite for {bad} of {len(value)} "
                "points; its weights or its inputs are too large"
            )
        scale = self.program.scales.get(len(self.values))
        if scale is not None and slope is not None:
            value *= scale
            slope *= scale
        self.values.append(value)
        self.slopes.append(slope)
        self.matrices.append(matrix)

    def push(self, directions: Array) -> Array:
        """Change of the output along directions (k, p): (n, k, C)."""
        count, n = len(directions), len(self.values[0])
        changes: list[Array | None] = [None]
        for index, step in enumerate(self.program.scaled_steps, start=1):
            if isinstance(step, Combine):
                changes.append(_combine(changes, step))
            else:
                changes.append(self._moved(index, step, changes[step.source], directions))
            for value in self.program.last_read[index - 1]:
                changes[value] = None  # what is no longer needed makes room in the cache
        last = changes[-1]
        return np.zeros((n, count, self.output.shape[1])) if last is None else last

    def _moved(
        self, index: int, step: Affine, moved: Array | None, directions: Array
    ) -> Array | None:
        """Change of one value, its source having changed by `moved`."""
        count, n = len(directions), len(self.values[0])
        matrix, slope = self.matrices[index], self.slopes[index]
        assert matrix is not None
        change = None
        if isinstance(step.map, AffineMap):
            d_matrix, d_offset = step.map.split(directions)
            d_matrix = d_matrix.reshape(-1, step.map.inputs)
            change = (self.values[step.source] @ d_matrix.T).reshape(n, count, -1)
            if d_offset is not None:
                change += d_offset
        if moved is not None:
            through = (moved.reshape(n * count, -1) @ matrix.T).reshape(n, count, -1)
            change = through if change is None else np.add(change, through, out=change)
        if change is not None and slope is not None:
            change *= slope[:, None, :]
        return change

    def pull(self, covectors: Array) -> Array:
        """Pull covectors on the output (n, k, C) back to θ: (k, p)."""
        n, count, _ = covectors.shape
        found = np.zeros((count, len(self.theta)))
        for step, signal in self._backward(covectors):
            to_matrix, to_offset = step.map.split(found)  # type: ignore[union-attr]
            product = signal.reshape(n, -1).T @ self.values[step.source]
            to_matrix += product.reshape(to_matrix.shape)
            if to_offset is not None:
                to_offset += signal.sum(axis=0)
        return found

    def factors(self, covectors: Array) -> list[Factors]:
        """Inputs and signals of every map for covectors (n, q, C): the layer factors."""
        return sorted(self.each_factor(covectors), key=lambda factors: factors.start)

    def each_factor(self, covectors: Array) -> Iterator[Factors]:
        """The layer factors from the last map to the first, as the signals reach them."""
        parts: dict[int, tuple[list[Array], list[Array]]] = {}
        for step, signal in self._backward(covectors):
            place = step.map
            assert isinstance(place, AffineMap)
            inputs, signals = parts.setdefault(place.start, ([], []))
            inputs.append(self.values[step.source])
            signals.append(signal)
            del signal
            if len(inputs) == self.program.uses[place.start]:
                yield AffineFactors(place, *parts.pop(place.start))
                del inputs, signals

    def record(self, covectors: Array) -> ValueRecord:
        """Covectors on the output (n, q, C), pulled back to every value."""
        backs: list[Array | None] = []
        for _ in self._backward(covectors, backs):
            pass
        return ValueRecord(self.values, self.slopes, self.matrices, backs)

    def _backward(
        self, covectors: Array, keep: list[Array | None] | None = None
    ) -> Iterator[tuple[Affine, Array]]:
        """Steps with a map of θ, from the last to the first, with their signals (n, k, out).

        With `keep`, it is filled with the covectors at every value, the input's too.
        """
        backs = _Backs(len(self.values), covectors, None if keep is not None else self.program)
        for index in range(len(self.values) - 1, 0, -1):
            step, back = self.program.scaled_steps[index - 1], backs.arrays[index]
            if back is None:
                continue
            if isinstance(step, Combine):
                for source, coefficient in zip(step.sources, step.coefficients):
                    one = coefficient == 1.0
                    backs.send(source, back if one else coefficient * back, not one)
                continue
            signal = self._signal(index, back, backs.may_overwrite(index))
            if backs.wants(step.source):
                matrix = self.matrices[index]
                assert matrix is not None
                through = signal.reshape(-1, signal.shape[2]) @ matrix
                backs.send(step.source, through.reshape(*signal.shape[:2], -1), True)
            if isinstance(step.map, AffineMap):
                yield step, signal
            backs.drop(index)
        if keep is not None:
            keep[:] = backs.arrays

    def _signal(self, index: int, back: Array, overwrite: bool) -> Array:
        """A covector at a value, pulled through the slope of its activation."""
        slope = self.slopes[index]
        if slope is None:
            return back
        if overwrite:
            return np.multiply(back, slope[:, None, :], out=back)
        return back * slope[:, None, :]


class _Backs:
    """Covectors at the values of a program, as they come in from the last to the first.

    Parameters
    ----------
    count : int
        Number of values, the input first.
    covectors : ndarray, shape (n, k, C)
        At the last.
    program : AffineProgram or None
        Where given, only covectors that lead to parameters are kept, and those only as long as
        they are needed; else all stay.
    """

    def __init__(self, count: int, covectors: Array, program: AffineProgram | None) -> None:
        self.arrays: list[Array | None] = [None] * count
        self.owned = [False] * count  # whether an array may be written over
        self.arrays[-1] = covectors
        self.program = program

    def wants(self, target: int) -> bool:
        """Whether a covector there is needed."""
        return self.program is None or self.program.depends[target]

    def may_overwrite(self, index: int) -> bool:
        """Whether the array there is nobody else's, and not kept."""
        return self.owned[index] and self.program is not None

    def send(self, target: int, array: Array, own: bool) -> None:
        """Add a covector at a value."""
        if not self.wants(target):
            return
        here = self.arrays[target]
        if here is None:
            self.arrays[target], self.owned[target] = array, own
        elif self.owned[target]:
            here += array
        else:
            self.arrays[target], self.owned[target] = here + array, True

    def drop(self, index: int) -> None:
        """Make room where a covector is no longer needed."""
        if self.program is not None:
            self.arrays[index] = None


def _combine(values: list[Any], step: Combine) -> Any:
    """Σ c v over those of the sources that are not None, that is zero."""
    total = None
    for source, coefficient in zip(step.sources, step.coefficients):
        if values[source] is not None:
            term = coefficient * values[source] if coefficient != 1.0 else values[source]
            total = term if total is None else total + term
    return total
