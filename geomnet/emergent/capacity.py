r"""The geometry as memory: what its nodes and the whole can hold.

With n the number of data, a parameter of node i is known to Planck length
:math:`(n\mathcal G_{ii})^{-1/2}` at best (Cramér–Rao). Where :math:`n\mathcal G_{ii} < 1` nobody
outside can estimate what is inside: a horizon, and the node a black hole.
"""

from __future__ import annotations

import numpy as np

from .geometry import EmergentGeometry

__all__ = [
    "capacity",
    "capacity_shares",
    "efficiency",
    "horizon",
    "planck_length",
    "rank_of",
    "robustness",
]


def planck_length(geometry: EmergentGeometry) -> np.ndarray:
    r"""Planck length :math:`(n\mathcal G_{ii})^{-1/2}` of every node, (N,)."""
    return 1 / np.sqrt(geometry.n * np.diag(geometry.gate_fisher))


def horizon(geometry: EmergentGeometry) -> np.ndarray:
    r"""Whether a node is behind a horizon, :math:`n\mathcal G_{ii} < 1`, (N,)."""
    return geometry.n * np.diag(geometry.gate_fisher) < 1


def rank_of(values: np.ndarray) -> int:
    """Number of eigenvalues above rounding."""
    return int(np.sum(values > len(values) * np.finfo(float).eps * values.max()))


def capacity(geometry: EmergentGeometry) -> float:
    r"""Capacity :math:`½\log\det(I + n\mathcal K)`, in nats."""
    return 0.5 * float(np.sum(np.log1p(geometry.n * geometry.spectrum)))


def capacity_shares(geometry: EmergentGeometry) -> np.ndarray:
    r"""What every node holds of the capacity, :math:`½[\log(I + n\mathcal K)]_{ii}`, in nats: (N,).

    They sum to the capacity.
    """
    values, vectors = np.linalg.eigh(geometry.normalised)
    return 0.5 * (vectors**2 @ np.log1p(geometry.n * np.maximum(values, 0.0)))


def robustness(geometry: EmergentGeometry) -> float:
    r"""Robustness :math:`λ_{\max}(\mathcal K)^{-1/2}`."""
    return float(geometry.spectrum[0] ** -0.5)


def efficiency(geometry: EmergentGeometry) -> float:
    r"""Capacity over the most that its trace allows, at most 1.

    .. math:: ½\log\det(I + n\mathcal K)\Big/ \tfrac r2\log(1 + n\operatorname{tr}\mathcal K/r),
        \qquad r = \operatorname{rank}\mathcal K.

    The rank counts eigenvalues above rounding; where one lies there, the efficiency may jump.
    """
    values = geometry.spectrum
    rank = rank_of(values)
    most = 0.5 * rank * np.log1p(geometry.n * float(values.sum()) / rank)
    return capacity(geometry) / float(most)
