"""The network simplex method for many small transport problems at once, in step.

A pivot of one problem is a few hundred additions, far below the cost of calling NumPy; a hundred
problems that pivot together share the calls. So that a pivot needs no walk along a tree, the
spanning tree is kept as the set of arcs between the root and every node, as bits: the cycle that
an entering arc closes is the symmetric difference of two such sets, and changing the basis adds
that cycle, modulo two, to the sets of the nodes that are cut off: the inverse of the basis.
"""

from __future__ import annotations

import numpy as np

from .entropic import entropic_potentials

__all__ = ["transport_values"]

ROWS = 128
"""Rows of the cost matrix priced at a time, while most problems find something to improve."""
BLOCK = 2**17
"""Entries priced at a time, few enough to stay in the cache."""
TRIES = 8
"""Most pivots made with what one pricing found."""
BUSY = 0.5
"""Share of the problems that must pivot for another try to be worth its calls."""
SPREAD = 1e-13
"""Share of the mass added to keep arcs from being empty, so that no pivot is without progress."""
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
        if done.sum() > 0.25 * len(done) or (done.any() and len(done) < 8):
            over = batch.problem[done]
            potential = batch.potential[done]
            values[over] = np.sum(potential[:, :m] * supplies[over], axis=1)
            values[over] -= np.sum(potential[:, m:] * demands[over], axis=1)
            solved[over] = True
            batch.keep(np.flatnonzero(~done))
    return values, solved


class _Batch:
    """Basic feasible solutions of transport problems, all of one size.

    A tree's arcs have slots, one for each node but the root; `paths` holds for every node the set
    of slots between it and the root, `at_sink` the slots whose end away from the root is a sink.
    Nodes are sources 0 … m − 1, then sinks; padding is in no tree. Sets are 64 bits a word, words
    along the first axis.
    """

    def __init__(self, costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray) -> None:
        b, self.m, self.n = costs.shape
        self.nodes = self.m + self.n
        self.words = (self.nodes + 63) // 64
        self.problem = np.arange(b)
        self.all = np.arange(b)
        largest = float(costs.max(initial=0.0, where=np.isfinite(costs)))
        self.tolerance = ACCURACY * max(largest, np.finfo(float).tiny)
        self.row, self.rows = 0, min(ROWS, self.m)
        self.idle = np.zeros(b, dtype=np.intp)  # rows priced in vain since the last pivot
        self.fine = np.zeros(b, dtype=bool)  # priced in double precision
        self._start(costs, supplies, demands)
        self._scratch()

    def _scratch(self) -> None:
        b = len(self.problem)
        self._words = np.empty((self.words, b, self.nodes), dtype=np.uint64)
        self._word = self._words[0]

    def _start(self, costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray) -> None:
        """Sources in turn fill the cheapest sinks that have room, those first that would mind.

        Cheapest by the dual potentials of transport with entropy, which know of the other sources.
        """
        b, m, n = costs.shape
        sources, sinks = np.sum(supplies > 0, axis=1), np.sum(demands > 0, axis=1)
        extra = SPREAD * supplies.sum(axis=1, keepdims=True) / self.nodes
        supply = supplies + extra * (supplies > 0) * (1 + np.arange(m) / m)
        demand = demands + extra * (demands > 0) * (2 + np.arange(n) / (3 * n))
        total = np.maximum(demand.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        demand *= supply.sum(axis=1, keepdims=True) / total
        closed = np.where(demands > 0, entropic_potentials(costs, supplies, demands), np.inf)
        closed = closed.astype(np.float32)
        order = self._order(costs, closed)
        self.costs, self.rough = costs, costs.astype(np.float32)
        self.flow = np.full((b, self.nodes), np.inf)
        self.source = np.zeros((b, self.nodes), dtype=np.intp)
        self.sink = np.zeros((b, self.nodes), dtype=np.intp)
        turn, room, arcs = np.zeros(b, dtype=np.intp), sinks.copy(), sources + sinks - 1
        leaves: list[tuple[np.ndarray, ...]] = []
        for step in range(int(arcs.max(initial=0))):
            each = np.flatnonzero(arcs > step)
            source = order[each, turn[each]]
            scores = self.rough[each, source]
            scores += closed if len(each) == b else closed[each]
            sink = scores.argmin(axis=1)
            has, wants = supply[each, source], demand[each, sink]
            # one line is done with at a time, and the last source is the root of the tree
            spent = (turn[each] < sources[each] - 1) & ((room[each] == 1) | (has <= wants))
            moved = np.where(spent, has, wants)
            leaf = np.where(spent, source, m + sink)
            leaves.append(
                (each, leaf, source + (m + sink) - leaf, spent, costs[each, source, sink])
            )
            self.flow[each, leaf] = moved
            self.source[each, leaf], self.sink[each, leaf] = source, m + sink
            supply[each, source] = has - moved
            demand[each, sink] = wants - moved
            closed[each, sink] = np.where(spent, closed[each, sink], np.inf)
            room[each] -= ~spent
            turn[each] += spent
        np.maximum(self.flow, 0.0, out=self.flow)
        self.paths = np.zeros((self.words, b, self.nodes), dtype=np.uint64)
        self.at_sink = np.zeros((self.words, b), dtype=np.uint64)
        self.potential = np.zeros((b, self.nodes))
        for each, leaf, parent, is_source, cost in reversed(leaves):
            word, bit = leaf >> 6, ONE << (leaf & 63).astype(np.uint64)
            path = self.paths[:, each, parent]
            path[word, np.arange(len(each))] |= bit
            self.paths[:, each, leaf] = path
            self.at_sink[word, each] |= np.where(is_source, np.uint64(0), bit)
            rise = np.where(is_source, cost, -cost)
            self.potential[each, leaf] = self.potential[each, parent] + rise

    @staticmethod
    def _order(costs: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """Sources by what the second best sink costs them more than the best, the most first."""
        b, m, n = costs.shape
        gap = np.full((b, m), -np.inf)
        each, buffer = np.arange(b), np.empty((b, n))
        for source in range(m):
            np.add(costs[:, source], offset, out=buffer)
            best = buffer.argmin(axis=1)
            least = buffer[each, best]
            buffer[each, best] = np.inf
            second = buffer.min(axis=1)
            real = np.isfinite(least)
            gap[real, source] = second[real] - least[real]
        return np.argsort(-gap, axis=1, kind="stable")

    def keep(self, places: np.ndarray) -> None:
        """Go on with these problems alone."""
        for name in ("problem", "idle", "fine", "rough", "flow", "source", "sink", "potential"):
            setattr(self, name, getattr(self, name)[places])
        self.paths, self.at_sink = self.paths[:, places], self.at_sink[:, places]
        self.all = np.arange(len(places))
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
        fine = np.flatnonzero(self.fine)
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
        only_source, only_sink = from_source & ~from_sink, from_sink & ~from_source
        less = (only_sink & self.at_sink) | (only_source & ~self.at_sink)
        falls, rises = self._flags(less), self._flags(cycle ^ less)
        falling = np.where(falls.view(bool), self.flow, np.inf)
        slot = falling.argmin(axis=1)
        moved = np.where(active, falling[each, slot], 0.0)
        self.flow += moved[:, None] * (rises.view(np.int8) - falls.view(np.int8))

        word, shift = slot >> 6, (slot & 63).astype(np.uint64)
        bit = ONE << shift
        sink_side = (only_sink[word, each] & bit) != 0  # the sink is cut off, or else the source
        end = np.where(
            (self.at_sink[word, each] & bit) != 0, self.sink[each, slot], self.source[each, slot]
        )
        turned = np.where(sink_side, only_sink, only_source) & ~self.paths[:, each, end]
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
        np.bitwise_and(cut_off, cycle[:, :, None], out=self._words)
        self.paths ^= self._words
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
