r"""Effective dimension: how many directions of parameter space n data can tell apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.special import logsumexp

from ..errors import InputError
from ..linalg import Estimate
from ..utils.validation import check_integer, check_positive
from .information import FisherInformation

__all__ = ["effective_dimension", "local_effective_dimension"]


def effective_dimension(
    fishers: FisherInformation | Iterable[FisherInformation],
    n: int | None = None,
    gamma: float = 1.0,
) -> Estimate:
    r"""Effective dimension of Abbas et al. (2021), global over draws of θ or at one θ.

    .. math:: d_{γ,n} = \frac{2\log\frac1V\int\sqrt{\det(I + κ\hat G(θ))}\,dθ}{\logκ},
        \qquad κ = \frac{γn}{2π\log n},\qquad
        \hat G = \frac{p\,G}{\frac1V\int\operatorname{tr}G\,dθ},

    the integral being the mean over the parameters drawn. As n grows it tends to the (largest)
    rank of G, from above and slowly: a direction counts as one only where log κ is large beside the
    logarithm of its eigenvalue. For few data it is no count of directions, and may pass the
    rank and p; compare networks at one n. With one θ it is the limit of the local effective
    dimension (Abbas et al. 2021b) in a small ball: that of the trained network, rather than of its
    architecture.

    Parameters
    ----------
    fishers : FisherInformation, or iterable of them
        At one θ (local), or at parameters drawn from the prior (global).
    n : int, optional
        How many data the network would see; the sample's own number by default.
    gamma : float
        In (0, 1].

    Returns
    -------
    Estimate
        A float; its ``standard_error`` is zero where all log determinants are exact.

    Raises
    ------
    InputError
        Where κ is at most 1 (n too small), γ out of range, or G is zero.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=100, seed=0)
    >>> network = gn.FeedForward((4, 8, 3), "tanh")
    >>> fishers = [
    ...     gn.FisherInformation(network, network.init(seed), sample, gn.Categorical(3))
    ...     for seed in range(5)
    ... ]
    >>> local, whole = gn.effective_dimension(fishers[0]), gn.effective_dimension(fishers)
    >>> 0 < local < network.n_parameters, 0 < whole < network.n_parameters
    (True, True)
    """
    drawn = _checked(fishers)
    kappa = _resolution(drawn[0].sample.n if n is None else n, gamma)
    mean = float(np.mean([fisher.trace() for fisher in drawn]))
    if mean <= 0:
        raise InputError("fishers: the Fisher information is zero; no datum moves a prediction")
    damping = mean / (kappa * drawn[0].n_parameters)
    found = [fisher.logdet(damping, relative=True) for fisher in drawn]
    halves = 0.5 * np.array(found, dtype=float)
    total = logsumexp(halves)
    errors = np.exp(halves - total) * [0.5 * value.standard_error for value in found]
    scale = 2 / np.log(kappa)
    return Estimate(
        scale * float(total - np.log(len(found))),
        scale * float(np.sum(errors)),  # all have the same probes
        found[0].method,
    )


def _checked(fishers: object) -> list[FisherInformation]:
    """One Fisher information or several, of one architecture."""
    if isinstance(fishers, FisherInformation):
        return [fishers]
    if not isinstance(fishers, Iterable):
        raise InputError(
            f"fishers: expected a gn.FisherInformation or a list of them, got {fishers!r}"
        )
    drawn = list(fishers)
    if not drawn or not all(isinstance(fisher, FisherInformation) for fisher in drawn):
        raise InputError("fishers: expected a gn.FisherInformation, or a list of at least one")
    sizes = {fisher.n_parameters for fisher in drawn}
    if len(sizes) > 1:
        raise InputError(f"fishers: of one architecture, got {sorted(sizes)} parameters")
    return drawn


def _resolution(n: int, gamma: float) -> float:
    """κ, what n data can tell apart; it must exceed 1."""
    count = check_integer("n", n, least=2)
    gamma = check_positive("gamma", gamma)
    if gamma > 1:
        raise InputError(f"gamma: expected a number in (0, 1], got {gamma:g}")
    kappa = gamma * count / (2 * np.pi * np.log(count))
    if kappa <= 1:
        raise InputError(
            f"n: {count} data with gamma {gamma:g} give κ = {kappa:.3g}, and the effective "
            "dimension needs κ > 1; take more data"
        )
    return float(kappa)


def local_effective_dimension(
    fisher: FisherInformation,
    radius: float,
    draws: int = 20,
    n: int | None = None,
    gamma: float = 1.0,
    seed: int | np.random.Generator = 0,
) -> Estimate:
    """Effective dimension in a ball around θ (Abbas et al. 2021b).

    Parameters
    ----------
    fisher : FisherInformation
        At the centre.
    radius : float
        Of the ball, in the Euclidean norm of θ.
    draws : int
        Points drawn uniformly in it.
    n : int, optional
    gamma : float
        As :func:`effective_dimension` takes them.
    seed : int or Generator
        Of the draws.

    Returns
    -------
    Estimate
    """
    if not isinstance(fisher, FisherInformation):
        raise InputError(f"fisher: expected a gn.FisherInformation, got {type(fisher).__name__}")
    radius = check_positive("radius", radius)
    draws = check_integer("draws", draws, least=1)
    rng, p = np.random.default_rng(seed), fisher.n_parameters
    moves = rng.normal(size=(draws, p))
    moves *= (radius * rng.random(draws) ** (1 / p) / np.linalg.norm(moves, axis=1))[:, None]
    return effective_dimension([fisher.at(fisher.theta + move) for move in moves], n, gamma)
