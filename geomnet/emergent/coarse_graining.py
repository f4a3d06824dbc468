r"""Groups of nodes as nodes: a geometry seen more coarsely, and copies of a node made one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from ..errors import InputError
from ..utils.validation import check_positive
from .geometry import EmergentGeometry

__all__ = ["coarse_grain", "merge_copies"]

CANCELLED = 1e-13
"""What is left of copies that take from each other when nothing is, relative to what they were."""


def coarse_grain(geometry: EmergentGeometry, partition: ArrayLike) -> EmergentGeometry:
    r"""Geometry of groups of nodes: :math:`s_A = \sum_{i∈A}s_i`.

    Gate Fisher, past and future add exactly, as scores do. Flow and conductance of a group are
    the sums of its members', and so is the root of its edge Fisher; by the triangle inequality
    they bound the group's own from above, and are exact where scores are copies. Activation and
    sensitivity are those of sums of outputs, which are no geometry: they feel how units are
    scaled.

    Parameters
    ----------
    geometry : EmergentGeometry
    partition : array_like of int, shape (N,)
        Group of every node; a group lies in one layer. Groups are numbered anew, by layer.

    Returns
    -------
    EmergentGeometry

    Raises
    ------
    InputError
        Where a group has nodes of several layers.
    """
    return _gathered(geometry, _groups_of(geometry, partition))


def merge_copies(geometry: EmergentGeometry, tolerance: float = 1e-9) -> EmergentGeometry:
    r"""Merge nodes of a layer whose scores are copies of each other up to their size.

    A unit split in two is one again: :math:`|\cosθ_{ij}| ≥ 1` − `tolerance`. Scores add:
    copies whose scores point against each other take from each other, and where nothing is
    left the node is dead. A group has the number of its first unit.

    Parameters
    ----------
    geometry : EmergentGeometry
    tolerance : float, default 1e-9

    Returns
    -------
    EmergentGeometry
    """
    return _gathered(geometry, *_copies_of(geometry, check_positive("tolerance", tolerance)))


def _groups_of(geometry: EmergentGeometry, partition: ArrayLike) -> np.ndarray:
    """Groups of a partition, numbered anew by layer: the group of every node, (N,)."""
    partition = np.asarray(partition)
    if partition.shape != (geometry.n_nodes,) or partition.dtype.kind not in "iu":
        raise InputError(
            f"partition: expected one integer for each of {geometry.n_nodes} nodes, got "
            f"{partition.dtype} of shape {partition.shape}"
        )
    pairs = np.unique(np.column_stack([geometry.layer, partition]), axis=0)
    if len(pairs) > len(np.unique(partition)):
        raise InputError("partition: a group has nodes of several layers; time would mix")
    lookup = {group: number for number, group in enumerate(pairs[:, 1].tolist())}
    return np.array([lookup[group] for group in partition.tolist()])


def _copies_of(geometry: EmergentGeometry, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Groups of nodes of a layer whose scores are copies, (N,), and their signs, (N,)."""
    groups, signs = np.full(geometry.n_nodes, -1), np.ones(geometry.n_nodes)
    count = 0
    for layer in np.unique(geometry.layer):
        left = geometry.in_layer(layer)
        while left.size:
            cosine = geometry.cosine[left[0], left]
            alike = np.abs(cosine) >= 1 - tolerance
            groups[left[alike]], signs[left[alike]] = count, np.sign(cosine[alike])
            count, left = count + 1, left[~alike]
    return groups, signs


def _gathered(
    geometry: EmergentGeometry, groups: np.ndarray, signs: np.ndarray | None = None
) -> EmergentGeometry:
    r"""Groups of nodes as nodes; with `signs` those of a group are copies.

    Copies b of a node a have :math:`h_b = ±t\,h_a` and scores :math:`s_b = ±αs_a`, t and α
    positive. With τ the first sign and σ the second, scores of edges that leave copies are
    proportional with the sign of τw, and of those that enter with that of στw: they add, or take
    from each other.

    Parameters
    ----------
    geometry : EmergentGeometry
    groups : ndarray of int, shape (N,)
        Numbers from 0, ascending with the layer.
    signs : ndarray, shape (N,), optional
        σ, of copies.
    """
    nodes = np.arange(geometry.n_nodes)
    count = int(groups.max()) + 1
    gather = csr_array((np.ones(len(nodes)), (groups, nodes)), shape=(count, len(nodes)))
    first = np.unique(groups, return_index=True)[1]
    layer, unit, flow = geometry.layer[first], geometry.unit[first], gather @ geometry.flow
    hears = says = gather
    sizes = geometry.conductance.data
    between = [sizes, np.sqrt(geometry.edge_fisher.data)]
    tails, heads = geometry.edges.T
    if signs is None:
        unit = np.concatenate([np.arange(np.sum(layer == k)) for k in np.unique(layer)])
    else:
        turned = signs * np.where(geometry.sensitivity[first[groups], nodes] < 0, -1.0, 1.0)
        flow = np.abs(gather @ (signs * geometry.flow))
        sign = turned[tails] * (signs * turned)[heads] * np.where(geometry.weight.data < 0, -1, 1)
        between = [sign * values for values in between]
        # copies hear the same, up to the sign of the first of them: not a sum but a mean
        share = geometry.flow / (gather.T @ (gather @ geometry.flow))
        hears = csr_array((turned * share, (groups, nodes)), shape=gather.shape)
        says = csr_array((turned, (groups, nodes)), shape=gather.shape)
    kept = flow > CANCELLED * (gather @ geometry.flow)
    conductance, root = (_between(geometry, groups, values)[kept][:, kept] for values in between)
    carries = conductance > CANCELLED * _between(geometry, groups, sizes)[kept][:, kept]

    def both(matrix: np.ndarray, rows: csr_array = gather) -> np.ndarray:
        return np.ascontiguousarray((rows @ matrix @ rows.T)[np.ix_(kept, kept)])

    weights = geometry.weight.toarray()
    lost = zip(layer[~kept].tolist(), unit[~kept].tolist())
    return replace(
        geometry,
        layer=layer[kept],
        unit=unit[kept],
        gate_fisher=both(geometry.gate_fisher),
        flow=flow[kept],
        conductance=_sparse(conductance, carries),
        edge_fisher=_sparse(root**2, carries),
        weight=_sparse((says @ weights @ hears.T)[np.ix_(kept, kept)], carries),
        activation=both(geometry.activation, hears),
        sensitivity=both(geometry.sensitivity, says),
        past=both(geometry.past),
        future=both(geometry.future),
        dead=(*geometry.dead, *lost),
        source=None,
    )


def _between(geometry: EmergentGeometry, groups: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sizes of what goes from group to group, values of edges added, dense."""
    count = int(groups.max()) + 1
    tails, heads = groups[geometry.edges].T
    total = np.bincount(tails * count + heads, values, minlength=count**2)
    return np.abs(total).reshape(count, count)


def _sparse(values: np.ndarray, kept: np.ndarray) -> csr_array:
    """Entries that are kept, in order."""
    rows, columns = np.nonzero(kept)
    return csr_array((values[kept], (rows, columns)), shape=kept.shape)
