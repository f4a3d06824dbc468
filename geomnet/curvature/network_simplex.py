"""The network simplex method for many small transport problems at once, in step.

A pivot of one problem is a few hundred additions, far below the cost of calling NumPy; a few
hundred problems that pivot together share the calls. So that a pivot needs no walk along a tree,
the spanning tree is kept as the set of arcs between the root and every node, as bits: the cycle
that an entering arc closes is the symmetric difference of two such sets, and changing the basis
adds that cycle, modulo two, to the sets of the nodes that are cut off: the inverse of the basis.
"""

from __future__ import annotations

import numpy as np

from .starting_tree import starting_trees

__all__ = ["transport_values"]

LEAVING = 0.05
"""Share of them that is solved when they leave."""
ROWS = 128
"""Rows of the cost matrix priced at a time, while most problems find something to improve."""
BLOCK = 2**17
"""Entries priced at a time, few enough to stay in the cache."""
TRIES = 8
"""Most pivots made with what one pricing found."""
BUSY = 0.5
"""Share of the problems that must pivot for another try to be worth its calls."""
ACCURACY = 1e-13
"""Violation of the dual constraints that is let pass, in units of the largest cost."""
ONE = np.uint64(1)


def transport_values(
    costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Least cost of transport of every problem of a batch.

    Parameters
    ----------
    costs : ndarray, shape (b, m, n)
        From every source to every sink; infinite where one of them only pads a problem.
    supplies : ndarray, shape (b, m)
        Above 0, and then 0 for padding.
    demands : ndarray, shape (b, n)
        Likewise, of the same sum.

    Returns
    -------
    value : ndarray, shape (b,)
        :math:`\max\sum_i s_if_i - \sum_jd_jg_j` over :math:`f_i - g_j \le c_{ij}`, at a solution
        that holds the constraints to 1e-13 of the largest cost.
    solved : ndarray of bool, shape (b,)
        False where the pivots ran out; the value there is meaningless.
    """
    b, m, n = costs.shape
    values, solved = np.zeros(b), np.zeros(b, dtype=bool)
    batch = _Batch(costs, supplies, demands)
    left = 100 * (m + n) + 1000
    while len(batch.problem) and left:
        left -= 1
        done = batch.improve()
        if done.sum() > LEAVING * len(done) or (done.any() and len(done) < 8):
            over, potential = batch.problem[done], batch.potential[done]
            values[over] = np.sum(potential[:, :m] * supplies[over], axis=1)
            values[over] -= np.sum(potential[:, m:] * demands[over], axis=1)
            solved[over] = True
            batch.keep(np.flatnonzero(~done))
    return values, solved


class _Batch:
    """Basic feasible solutions of transport problems, all of one size, as `Trees`."""

    def __init__(self, costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray) -> None:
        b, self.m, self.n = costs.shape
        self.nodes = self.m + self.n
        self.row, self.rows = 0, min(ROWS, self.m)
        self.costs, self.rough = costs, costs.astype(np.float32)
        self.tolerance = ACCURACY * np.maximum(_largest(costs), np.finfo(float).tiny)
        self.problem = np.arange(b)
        self.idle = np.zeros(b, dtype=np.intp)  # rows priced in vain since the last pivot
        self.fine = np.zeros(b, dtype=bool)  # priced in double precision
        trees = starting_trees(costs, self.rough, supplies, demands)
        self.flow, self.potential = trees.flow, trees.potential
        self.source, self.sink = trees.source, trees.sink
        self.paths, self.at_sink = trees.paths, trees.at_sink
        self._scratch()

    def _scratch(self) -> None:
        self.all = np.arange(len(self.problem))
        self._word = np.empty((len(self.problem), self.nodes), dtype=np.uint64)

    def keep(self, places: np.ndarray) -> None:
        """Go on with these problems alone."""
        for name in ("problem", "tolerance", "idle", "fine", "rough", "flow", "potential",
                     "source", "sink"):  # fmt: skip
            setattr(self, name, getattr(self, name)[places])
        self.paths, self.at_sink = self.paths[:, places], self.at_sink[:, places]
        self._scratch()

    def improve(self) -> np.ndarray:
        """Price some rows and pivot; return which problems are solved."""
        b, first, m = len(self.all), self.row, self.m
        last = min(first + self.rows, m)
        self.row = 0 if last == m else last
        sinks = self._cheapest(first, last)
        row = self.problem[:, None] * m + np.arange(first, last)
        prices = self.costs.ravel().take(row * self.n + sinks)
        sinks += m
        places = self.all[:, None] * self.nodes + sinks
        for attempt in range(TRIES):
            excess = self.potential[:, first:last] - prices
            excess -= self.potential.ravel().take(places)
            best = excess.argmax(axis=1)
            gain = excess[self.all, best]
            active = gain > self.tolerance
            share = np.count_nonzero(active) / b
            if attempt == 0:
                self.idle = np.where(active, 0, self.idle + (last - first))
                if share < 0.3:
                    self.rows = min(2 * self.rows, m)
                elif share > 0.6:
                    self.rows = min(max(self.rows // 2, ROWS), m)
            if share < (0.0 if attempt == 0 else BUSY) or share == 0:
                break
            self._pivot(active, gain, first + best, sinks[self.all, best])
        over = self.idle >= m
        done = over & self.fine
        self.idle[over ^ done] = 0
        self.fine |= over
        return done

    def _cheapest(self, first: int, last: int) -> np.ndarray:
        """Sink of the least reduced cost for sources first … last − 1.

        In single precision until nothing more is found so.
        """
        b, m = len(self.all), self.m
        cheapest = np.empty((b, last - first), dtype=np.intp)
        rough = self.potential[:, None, m:].astype(np.float32)
        block = max(1, BLOCK // ((last - first) * self.n))
        priced = np.empty((min(block, b), last - first, self.n), dtype=np.float32)
        for start in range(0, b, block):
            part = slice(start, start + block)
            here = priced[: len(rough[part])]
            np.add(self.rough[part, first:last], rough[part], out=here)
            here.argmin(axis=2, out=cheapest[part])
        fine = np.flatnonzero(self.fine & (self.idle < m))
        for start in range(0, len(fine), block):
            each = fine[start : start + block]
            exact = self.costs[self.problem[each], first:last] + self.potential[each, None, m:]
            cheapest[each] = exact.argmin(axis=2)
        return cheapest

    def _pivot(
        self, active: np.ndarray, gain: np.ndarray, source: np.ndarray, sink: np.ndarray
    ) -> None:
        """Bring in the arc from `source` to `sink` where `active`."""
        each = self.all
        from_source, from_sink = self.paths[:, each, source], self.paths[:, each, sink]
        cycle = from_source ^ from_sink
        only_source = from_source & cycle
        less = (only_source ^ self.at_sink) & cycle
        falls, rises = self._flags(less), self._flags(cycle ^ less)
        falling = np.where(falls.view(bool), self.flow, np.inf)
        slot = falling.argmin(axis=1)
        moved = np.where(active, falling[each, slot], 0.0)
        self.flow += moved[:, None] * (rises.view(np.int8) - falls.view(np.int8))

        word, shift = slot >> 6, (slot & 63).astype(np.uint64)
        bit = ONE << shift
        sink_side = (from_sink[word, each] & bit) != 0  # the sink is cut off, or else the source
        end = np.where(
            (self.at_sink[word, each] & bit) != 0, self.sink[each, slot], self.source[each, slot]
        )
        turned = np.where(sink_side, from_sink, from_source) & cycle & ~self.paths[:, each, end]
        cut_off = self.paths[word, each]
        cut_off >>= shift[:, None]
        cut_off &= ONE
        np.negative(cut_off, out=cut_off)  # all bits of the nodes that are cut off
        shifted = np.where(active, np.where(sink_side, gain, -gain), 0.0)
        np.bitwise_and(cut_off, shifted.view(np.uint64)[:, None], out=self._word)
        self.potential += self._word.view(np.float64)
        cycle[word, each] ^= bit
        cycle[:, ~active] = 0
        turned[:, ~active] = 0
        for paths, added in zip(self.paths, cycle):
            np.bitwise_and(cut_off, added[:, None], out=self._word)
            paths ^= self._word
        self.at_sink ^= turned
        # the slot now holds the entering arc
        now, place = np.flatnonzero(active), slot[active]
        self.flow[now, place] = moved[now]
        self.source[now, place], self.sink[now, place] = source[now], sink[now]
        flags = self.at_sink[word, each] & ~bit | np.where(sink_side, bit, np.uint64(0))
        self.at_sink[word[now], now] = flags[now]

    def _flags(self, sets: np.ndarray) -> np.ndarray:
        """Sets as one byte a slot."""
        octets = np.ascontiguousarray(sets.T.astype("<u8", copy=False)).view(np.uint8)
        return np.unpackbits(octets, axis=1, count=self.nodes, bitorder="little")


def _largest(costs: np.ndarray) -> np.ndarray:
    """Largest finite cost of every problem."""
    largest = costs.max(axis=(1, 2), initial=0.0)
    if np.isfinite(largest).all():
        return largest
    return costs.max(axis=(1, 2), initial=0.0, where=np.isfinite(costs))
