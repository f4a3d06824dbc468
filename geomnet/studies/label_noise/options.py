"""What a study of label noise is asked for, checked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError
from ...geometry.sample import Sample
from ...networks import Architecture, FeedForward, model
from ...utils.validation import check_array, check_integer
from .labels import noisy_labels

__all__ = ["LabelNoiseOptions"]

N_EIGENVALUES = 100
LEAST_DATA = 20
"""Fewer have no effective dimension."""


@dataclass(frozen=True, eq=False)
class LabelNoiseOptions:
    """The data, the network, and which noises and seeds.

    Attributes
    ----------
    sample : Sample
    heldout : Sample or None
    network : Architecture
    noises : ndarray, shape (noises,)
    seeds : ndarray of int, shape (seeds,)
    n_classes : int
        Of the labels, or as many outputs as the network has.
    n_parameters : int
        Of the network and its readout.
    n_eigenvalues : int
    training : mapping
        Other arguments of :func:`geomnet.train`.
    """

    sample: Sample
    heldout: Sample | None
    network: Architecture
    noises: np.ndarray
    seeds: np.ndarray
    n_classes: int
    n_parameters: int
    n_eigenvalues: int
    training: Mapping[str, Any]

    @classmethod
    def checked(
        cls,
        sample: Sample | None,
        network: Architecture | None,
        noises: Sequence[float],
        seeds: int | Sequence[int],
        heldout: Sample | None,
        n_eigenvalues: int | None,
        training: Mapping[str, Any],
    ) -> LabelNoiseOptions:
        """What :func:`label_noise_study` takes, its defaults filled in."""
        if sample is None:
            if heldout is not None:
                raise InputError("heldout: of another sample than the digits; give the sample too")
            sample, heldout = _digits()
        n_classes = _check_samples(sample, heldout)
        if network is None:
            network = _residual(sample.dim, n_classes)
        n_classes, size = _sizes(network, sample, n_classes)
        for name in ("targets", "seed"):
            if name in training:
                raise InputError(f"{name}: set by the noises and seeds; leave it out")
        grid, numbers = _grid(noises), _seeds(seeds)
        count = _count(n_eigenvalues, min(size, sample.n * (n_classes - 1)))
        return cls(sample, heldout, network, grid, numbers, n_classes, size, count, training)


def _sizes(network: Architecture, sample: Sample, n_classes: int) -> tuple[int, int]:
    """Numbers of outputs and of parameters; a network without a head gets a readout."""
    found = model(network)
    if found.head is None:
        return n_classes, found.n_parameters + n_classes * (sample.dim + 1)
    outputs = found.n_outputs
    assert outputs is not None
    if outputs < n_classes:
        raise InputError(f"network: has {outputs} outputs, the labels {n_classes} classes")
    return outputs, found.n_parameters


def _count(n_eigenvalues: int | None, bound: int) -> int:
    """How many eigenvalues are multiplied; a quarter of the rank that G can have, at most 100."""
    if n_eigenvalues is None:
        return min(N_EIGENVALUES, max(1, bound // 4))
    if check_integer("n_eigenvalues", n_eigenvalues, least=1) > bound:
        raise InputError(f"n_eigenvalues: G has rank {bound} at most, got {n_eigenvalues}")
    return n_eigenvalues


def _digits() -> tuple[Sample, Sample]:
    """600 of the digits, their pixels in [0, 1], and the others."""
    from sklearn.datasets import load_digits

    points, labels = load_digits(return_X_y=True)
    whole = Sample(points / 16, labels=labels, name="digits / 16")
    order = np.random.default_rng(0).permutation(whole.n)
    return whole.take(order[:600]), whole.take(order[600:])


def _residual(dim: int, n_classes: int) -> FeedForward:
    """The network of the study: tanh to 32 units, then 11 residual blocks x + ¼tanh(Wx + b)."""
    widths = (dim, *[32] * 12, n_classes)
    skips = tuple((layer, layer, 0.25) for layer in range(1, 12))
    return FeedForward(widths, (*["tanh"] * 12, "identity"), (True,) * 13, skips)


def _check_samples(sample: Any, heldout: Any) -> int:
    """Check points and labels; the number of classes."""
    for name, given in (("sample", sample), ("heldout", heldout)):
        if given is None and name == "heldout":
            continue
        if not isinstance(given, Sample):
            raise InputError(f"{name}: expected a gn.Sample, got {type(given).__name__}")
        if given.labels is None:
            raise InputError(f"{name}: has no labels to replace or to tell")
        noisy_labels(given.labels, 0.0)
    if sample.n < LEAST_DATA:
        raise InputError(f"sample: needs at least {LEAST_DATA} points, has {sample.n}")
    both = [sample.labels, *([] if heldout is None else [heldout.labels])]
    return int(max(2, *(labels.max(initial=0) + 1 for labels in both)))


def _grid(noises: Any) -> np.ndarray:
    grid = check_array("noises", noises, ndim=1)
    if not len(grid) or grid.min() < 0 or grid.max() > 1 or (np.diff(grid) <= 0).any():
        raise InputError(f"noises: expected shares in [0, 1], increasing, got {noises!r}")
    return grid


def _seeds(seeds: Any) -> np.ndarray:
    if np.ndim(seeds) == 0:
        return np.arange(check_integer("seeds", seeds, least=1))
    numbers = [check_integer("seeds", seed, least=0) for seed in seeds]
    if not numbers or len(set(numbers)) < len(numbers):
        raise InputError(f"seeds: expected different ones, at least one, got {seeds!r}")
    return np.array(numbers)
