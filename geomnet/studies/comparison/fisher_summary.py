"""The Fisher information geometry of the network that a comparison has trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError
from ...fisher import FisherInformation, effective_dimension
from ...geometry.sample import Sample
from ...likelihoods import Likelihood
from ...networks import Network, Readout
from ...predictions.layer_paths import layer_predictions

__all__ = ["FisherSummary", "fisher_summary"]

LARGEST = 3000
"""Side of the largest matrix that is decomposed, which takes seconds and 0.2 GB."""
MEMORY = 2**29
"""Bytes for products, and what is kept between them."""
SHOWN = 20
"""How many eigenvalues are told one by one."""


@dataclass(frozen=True, eq=False)
class FisherSummary:
    r"""Fisher information of a network with its readout, at the parameters it was trained to.

    Attributes
    ----------
    n_parameters : int
        p, the readout's too.
    eigenvalues : ndarray
        Those of G that are not zero to rounding, largest first: exactly of the network on
        `spectrum_n` data.
    spectrum_n : int
        How many data the eigenvalues and the effective dimension are of: all, or as many as make
        a matrix small enough to decompose.
    trace : float
        Of G, on all data.
    layers : tuple of str
        Names of the parts of θ, the readout last.
    layer_traces, layer_norms : ndarray, shape (layers,)
        Traces of the blocks of G, which add up to `trace`, and
        :math:`\sqrt{θ_l^\top G_{ll}θ_l}`, which add up to `information_length`.
    effective_dimension : float or None
        Of Abbas et al. (2021), at this one θ; None where `n` is too small for its definition.
    n, gamma : int, float
        Its number of data and its γ.
    fisher_rao_norm : float
        :math:`θ^\top Gθ`.
    information_length : float
    path_length, path_chord, path_excess : float
        Fisher–Rao length of the layer path, every state read out; distance of the predictions at
        its ends; their ratio.
    """

    n_parameters: int
    eigenvalues: np.ndarray
    spectrum_n: int
    trace: float
    layers: tuple[str, ...]
    layer_traces: np.ndarray
    layer_norms: np.ndarray
    effective_dimension: float | None
    n: int
    gamma: float
    fisher_rao_norm: float
    information_length: float
    path_length: float
    path_chord: float
    path_excess: float

    @property
    def rank(self) -> int:
        """Number of eigenvalues that are not zero to rounding."""
        return len(self.eigenvalues)

    def directions(self, share: float) -> int:
        """Least number of eigenvectors that hold a share of the sum of all eigenvalues."""
        sums = np.cumsum(self.eigenvalues)
        return 0 if not self.rank else int(np.argmax(sums >= share * sums[-1])) + 1

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON; of the eigenvalues the largest."""
        dimension = self.effective_dimension
        return {
            "parameters": self.n_parameters,
            "rank": self.rank,
            "spectrum": self.eigenvalues[:SHOWN].tolist(),
            "spectrum_n": self.spectrum_n,
            "directions_90": self.directions(0.9),
            "trace": self.trace,
            "layers": list(self.layers),
            "layer_trace": self.layer_traces.tolist(),
            "layer_norm": self.layer_norms.tolist(),
            "effective_dimension": None
            if dimension is None
            else {
                "value": dimension,
                "share": dimension / self.n_parameters,
                "n": self.n,
                "gamma": self.gamma,
            },
            "fisher_rao_norm": self.fisher_rao_norm,
            "information_length": self.information_length,
            "layer_path": {
                "length": self.path_length,
                "chord": self.path_chord,
                "excess": self.path_excess,
            },
        }


def fisher_summary(
    network: Network,
    theta: np.ndarray,
    sample: Sample,
    likelihood: Likelihood,
    readout: Readout,
    gamma: float = 1.0,
    largest: int = LARGEST,
) -> FisherSummary:
    """Measure the Fisher information of a network on a sample.

    Parameters
    ----------
    network : Network
    theta : ndarray, shape (L, p)
    sample : Sample
    likelihood : Likelihood
    readout : Readout
        Its parameters count.
    gamma : float
        Of the effective dimension, in (0, 1].
    largest : int
        Side of the largest matrix decomposed. Where both p and the rows n·q pass it, the
        spectrum and the effective dimension are those of a part of the data, drawn at random
        (always the same), as large as fits; all else is of all data.

    Returns
    -------
    FisherSummary

    Raises
    ------
    InputError
        Where the parts do not fit each other, or one datum alone has more rows than `largest`.
    """
    of = (likelihood, readout)
    fisher = FisherInformation(network, theta, sample, *of, memory_limit=MEMORY)
    whole = fisher
    if whole.rank_bound > largest:
        rows = likelihood.score_factor(whole.predictions[:1]).shape[-2]
        count = largest // rows
        if not count:
            raise InputError(
                f"likelihood: {likelihood} gives each datum {rows} rows, and a spectrum of more "
                f"than {largest} takes too long here; use gn.FisherInformation"
            )
        drawn = np.random.default_rng(0).choice(sample.n, size=count, replace=False)
        part = sample.take(np.sort(drawn))
        fisher = FisherInformation(network, theta, part, *of, memory_limit=MEMORY)
    values = fisher.eigvalsh()
    try:
        dimension = float(effective_dimension(fisher, n=sample.n, gamma=gamma))
    except InputError:  # too few data for it, or predictions that no parameter moves
        dimension = None
    path = layer_predictions(network, theta, sample, *of)
    norms, traces = whole.layer_norms(), whole.trace(per_layer=True)
    return FisherSummary(
        n_parameters=whole.n_parameters,
        eigenvalues=values[values > 0],  # those that are rounding are zero
        spectrum_n=fisher.sample.n,
        trace=float(traces.sum()),
        layers=tuple(part.name for part in whole.layers),
        layer_traces=traces,
        layer_norms=norms,
        effective_dimension=dimension,
        n=sample.n,
        gamma=gamma,
        fisher_rao_norm=whole.fisher_rao_norm(),
        information_length=float(norms.sum()),
        path_length=path.length(),
        path_chord=path.chord(),
        path_excess=path.excess(),
    )
