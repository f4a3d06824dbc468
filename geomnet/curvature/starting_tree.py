"""Spanning trees that transport problems start from, of many problems in step.

Spanning trees as the network simplex method keeps them: see `network_simplex`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .entropic import entropic_plan

__all__ = ["Trees", "starting_trees"]

SPREAD = 1e-13
"""Share of the mass added to keep arcs from being empty, so that no pivot is without progress."""
ROOM = 1e-9
"""Share of its mass that a source keeps when it is given the sinks it owns."""
ONE = np.uint64(1)


@dataclass
class Trees:
    """Spanning trees with their flows and potentials, b problems with m sources and n sinks.

    A tree's arcs have slots, one for each node but the root. Nodes are sources 0 … m − 1, then
    sinks; padding is in no tree. Sets are 64 bits a word, words along the first axis.

    Attributes
    ----------
    flow : ndarray, shape (b, m + n)
        Along the arc of each slot; infinite where the slot is empty.
    source, sink : ndarray of int, shape (b, m + n)
        Ends of the arc of each slot.
    potential : ndarray, shape (b, m + n)
        Of every node; an arc costs the source's less the sink's.
    paths : ndarray of uint64, shape (words, b, m + n)
        For every node the set of slots between it and the root.
    at_sink : ndarray of uint64, shape (words, b)
        The slots whose end away from the root is a sink.
    """

    flow: np.ndarray
    source: np.ndarray
    sink: np.ndarray
    potential: np.ndarray
    paths: np.ndarray
    at_sink: np.ndarray


def starting_trees(
    costs: np.ndarray, rough: np.ndarray, supplies: np.ndarray, demands: np.ndarray
) -> Trees:
    """Feasible trees from a plan with entropy.

    Sinks that the plan serves from one source alone get everything from there. Then the sources in
    turn fill the cheapest of the other sinks that have room, those first that would mind; cheapest
    by the plan's potentials, which know of the other sources.

    Parameters
    ----------
    costs, supplies, demands : ndarray
        As for `transport_values`.
    rough : ndarray of float32
        The costs.
    """
    b, m, n = costs.shape
    sources, sinks = np.count_nonzero(supplies, axis=1), np.count_nonzero(demands, axis=1)
    supply, demand = _spread(supplies, demands)
    at_sink, owner = entropic_plan(rough, supplies, demands)
    closed = np.where(demands > 0, at_sink, np.inf).astype(np.float32)
    order = _order(rough, closed)
    trees = Trees(
        np.full((b, m + n), np.inf),
        np.zeros((b, m + n), dtype=np.intp),
        np.zeros((b, m + n), dtype=np.intp),
        np.zeros((b, m + n)),
        np.zeros(((m + n + 63) // 64, b, m + n), dtype=np.uint64),
        np.empty(0),
    )
    each, source, sink = _owned(owner, supply, demand)
    moved = demand[each, sink]
    trees.flow[each, m + sink] = moved
    trees.source[each, m + sink], trees.sink[each, m + sink] = source, m + sink
    supply -= np.bincount(each * m + source, moved, b * m).reshape(b, m)
    closed[each, sink] = np.inf
    turn, room = np.zeros(b, dtype=np.intp), sinks - np.bincount(each, minlength=b)
    # leaves that are taken off a tree one after another: problem, leaf, parent, …
    leaves: list[tuple[np.ndarray, ...]] = [
        (each, m + sink, source, np.zeros(len(each), dtype=bool), costs[each, source, sink])
    ]
    arcs = sources + room - 1
    for step in range(int(arcs.max(initial=0))):
        each = np.flatnonzero(arcs > step)
        source = order[each, turn[each]]
        scores = rough[each, source]
        scores += closed if len(each) == b else closed[each]
        sink = scores.argmin(axis=1)
        has, wants = supply[each, source], demand[each, sink]
        # one line is done with at a time, and the last source is the root of the tree
        spent = (turn[each] < sources[each] - 1) & ((room[each] == 1) | (has <= wants))
        moved = np.where(spent, has, wants)
        leaf = np.where(spent, source, m + sink)
        leaves.append((each, leaf, source + (m + sink) - leaf, spent, costs[each, source, sink]))
        trees.flow[each, leaf] = moved
        trees.source[each, leaf], trees.sink[each, leaf] = source, m + sink
        supply[each, source] = has - moved
        demand[each, sink] = wants - moved
        filled = np.flatnonzero(~spent)
        closed[each[filled], sink[filled]] = np.inf
        room[each] -= ~spent
        turn[each] += spent
    np.maximum(trees.flow, 0.0, out=trees.flow)
    _plant(trees, leaves)
    return trees


def _plant(trees: Trees, leaves: list[tuple[np.ndarray, ...]]) -> None:
    """Paths and potentials from the root, the last leaf first."""
    words, b, _ = trees.paths.shape
    away = np.zeros((b, 64 * words), dtype=bool)
    for each, leaf, parent, is_source, cost in reversed(leaves):
        path = trees.paths[:, each, parent]
        path[leaf >> 6, np.arange(len(each))] |= ONE << (leaf & 63).astype(np.uint64)
        trees.paths[:, each, leaf] = path
        away[each, leaf] = ~is_source
        rise = np.where(is_source, cost, -cost)
        trees.potential[each, leaf] = trees.potential[each, parent] + rise
    octets = np.packbits(away, axis=1, bitorder="little")
    trees.at_sink = np.ascontiguousarray(octets.view("<u8").astype(np.uint64).T)


def _spread(supplies: np.ndarray, demands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masses with a little more, each its own."""
    m, n = supplies.shape[1], demands.shape[1]
    extra = SPREAD * supplies.sum(axis=1, keepdims=True) / (m + n)
    supply = supplies + extra * (supplies > 0) * (1 + np.arange(m) / m)
    demand = demands + extra * (demands > 0) * (2 + np.arange(n) / (3 * n))
    total = np.maximum(demand.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return supply, demand * (supply.sum(axis=1, keepdims=True) / total)


def _owned(
    owner: np.ndarray, supply: np.ndarray, demand: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Problems, sources and sinks of what sources can give to sinks of their own."""
    b, n = owner.shape
    each = np.arange(b)[:, None]
    order = np.argsort(owner, axis=1, kind="stable")
    source, mass = owner[each, order], demand[each, order]
    total = np.cumsum(mass, axis=1)
    first = np.ones((b, n), dtype=bool)
    first[:, 1:] = source[:, 1:] != source[:, :-1]
    before = np.maximum.accumulate(np.where(first, total - mass, -1.0), axis=1)
    fits = total - before < (1 - ROOM) * supply[each, source]
    problem, place = np.nonzero(fits & (source >= 0) & (mass > 0))
    return problem, source[problem, place], order[problem, place]


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
