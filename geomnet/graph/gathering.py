r"""Groups of nodes as nodes: a geometry seen more coarsely, and copies of a node made one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from ..errors import InputError

if TYPE_CHECKING:
    from .geometry import EmergentGeometry

__all__ = ["copies_of", "gathered", "groups_of"]


def groups_of(geometry: EmergentGeometry, partition: Any) -> np.ndarray:
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


def copies_of(geometry: EmergentGeometry, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
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


def gathered(
    geometry: EmergentGeometry, groups: np.ndarray, signs: np.ndarray | None = None
) -> EmergentGeometry:
    """Groups of nodes as nodes; with `signs` those of a group are copies.

    Parameters
    ----------
    geometry : EmergentGeometry
    groups : ndarray of int, shape (N,)
        Numbers from 0, ascending with the layer.
    signs : ndarray, shape (N,), optional
        Of the scores of copies.
    """
    nodes = np.arange(geometry.n_nodes)
    count = int(groups.max()) + 1
    gather = csr_array((np.ones(len(nodes)), (groups, nodes)), shape=(count, len(nodes)))
    layer = np.empty(count, dtype=geometry.layer.dtype)
    layer[groups] = geometry.layer
    unit = np.concatenate([np.arange(np.sum(layer == k)) for k in np.unique(layer)])
    flow, hears, says = gather @ geometry.flow, gather, gather
    if signs is not None:
        # scores that point against each other take from each other, exactly
        flow = np.abs(gather @ (signs * geometry.flow))
        # copies hear the same, up to the sign of the first of them: not a sum but a mean
        first = np.unique(groups, return_index=True)[1]
        unit = geometry.unit[first]
        turned = np.where(geometry.activation[first[groups], nodes] < 0, -1.0, 1.0)
        share = geometry.flow / (gather.T @ (gather @ geometry.flow))
        hears = csr_array((turned * share, (groups, nodes)), shape=gather.shape)
        says = csr_array((turned, (groups, nodes)), shape=gather.shape)

    def both(matrix: Any, rows: csr_array = gather) -> Any:
        found = rows @ matrix @ rows.T
        return np.ascontiguousarray(found) if isinstance(matrix, np.ndarray) else found

    return replace(
        geometry,
        layer=layer,
        unit=unit,
        gate_fisher=both(geometry.gate_fisher),
        flow=flow,
        conductance=_sorted(both(geometry.conductance)),
        edge_fisher=_sorted(both(geometry.edge_fisher.sqrt())).power(2),
        weight=_sorted(says @ geometry.weight @ hears.T),
        activation=both(geometry.activation, hears),
        sensitivity=both(geometry.sensitivity, says),
        curvatures={},
        source=None,
    )


def _sorted(matrix: Any) -> csr_array:
    matrix = csr_array(matrix)
    matrix.sort_indices()
    return matrix
