r"""Label noise: how the geometry of a network changes as it learns more and more by heart.

A share of the labels is replaced by random ones, and the network trained until it knows them all.
What it can say of points it has not seen falls with every label replaced; its accuracy on those it
was trained on does not tell. Which measures of the network do?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from ...errors import InputError
from ...fisher import FisherInformation, effective_dimension
from ...geometry.sample import Sample
from ...likelihoods import Categorical
from ...networks import Architecture, FeedForward, model
from ...predictions.layer_paths import layer_predictions
from ...training import Fit, train
from ...utils.validation import check_array, check_integer, check_positive
from .result import MEASURES, LabelNoiseStudy

__all__ = ["LabelNoiseStudy", "label_noise_study", "noisy_labels"]

NOISES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
LEAST_DATA = 20
"""Fewer have no effective dimension."""
N_EIGENVALUES = 100


def noisy_labels(labels: Any, noise: float, seed: int = 0, n_classes: int | None = None) -> Any:
    r"""Replace a share of the labels by random ones.

    The random labels are uniform over all classes, so that one in C is the old one again. With
    one seed the noises are nested: what a small one replaces, a larger one replaces alike.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Classes 0..C−1.
    noise : float
        Share in [0, 1]; round(noise·n) labels are replaced.
    seed : int
    n_classes : int, optional
        C; one more than the largest label by default.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from geomnet.studies.label_noise import noisy_labels
    >>> noisy_labels(np.zeros(10, int), 0.5, seed=1, n_classes=1000)
    array([  0, 437, 419,   0, 926,   0, 764, 284,   0,   0])
    """
    labels = np.array(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or (len(labels) and labels.min() < 0):
        raise InputError(
            "labels: expected a list of class indices 0..C-1; map other names with "
            "numpy.unique(labels, return_inverse=True)[1]"
        )
    noise = check_positive("noise", noise, zero=True)
    if noise > 1:
        raise InputError(f"noise: expected a share in [0, 1], got {noise:g}")
    seed = check_integer("seed", seed, least=0)
    most = int(labels.max(initial=0)) + 1
    classes = most if n_classes is None else check_integer("n_classes", n_classes, least=most)
    rng = np.random.default_rng((seed, 1))  # apart from the stream that draws the network
    order, drawn = rng.permutation(len(labels)), rng.integers(classes, size=len(labels))
    chosen = order[: round(noise * len(labels))]
    labels[chosen] = drawn[chosen]
    return labels


def label_noise_study(
    sample: Sample | None = None,
    network: Architecture | None = None,
    noises: Sequence[float] = NOISES,
    seeds: int | Sequence[int] = 5,
    *,
    heldout: Sample | None = None,
    n_eigenvalues: int | None = None,
    epochs: int = 667,
    batch_size: int = 100,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.0,
    **training: Any,
) -> LabelNoiseStudy:
    r"""Train a network on labels of which a share is random, and measure it, over many shares.

    A seed draws the network's first parameters, its batches and the labels replaced; the same ones
    at all noises, which are nested (see :func:`noisy_labels`). The points are the same throughout.
    An interrupt (Ctrl-C) leaves what was done.

    Parameters
    ----------
    sample : Sample, optional
        With labels. By default 600 of scikit-learn's digits, their pixels in [0, 1], drawn at
        random; the others are held out.
    network : FeedForward or Network, optional
        By default tanh from the points to 32 units, 11 residual blocks
        :math:`x + ¼\tanh(Wx + b)`, and a last affine layer, which reads out all layers.
    noises : sequence of float
        Shares in [0, 1], increasing.
    seeds : int or sequence of int
        How many, or which.
    heldout : Sample, optional
        For the test accuracy, with the true labels.
    n_eigenvalues : int, optional
        m of the sum of log eigenvalues; by default 100, or a quarter of the rank
        that G can have where that is less.
    epochs, batch_size, learning_rate, weight_decay, **training
        Of :func:`geomnet.train`. By default 4002 steps of Adam on 600 points.

    Returns
    -------
    LabelNoiseStudy

    Raises
    ------
    InputError
        For unusable arguments. An eigenvalue that vanishes is told in `problems`.

    Examples
    --------
    >>> import geomnet as gn
    >>> from geomnet.studies.label_noise import label_noise_study
    >>> sample, heldout = gn.datasets.load_split("iris", n=90, seed=0)
    >>> network = gn.FeedForward((4, 16, 16, 16, 3), skips={1: 0.5, 2: 0.5})
    >>> study = label_noise_study(
    ...     sample, network, [0, 0.5], seeds=2, heldout=heldout, epochs=150, learning_rate=1e-2
    ... )
    >>> test, excess = study.mean("test_accuracies"), study.mean("excesses")
    >>> bool(test[1] < test[0]), bool(excess[1] > excess[0])
    (True, True)
    """
    if sample is None:
        if heldout is not None:
            raise InputError("heldout: of another sample than the digits; give the sample too")
        sample, heldout = _digits()
    n_classes = _check_samples(sample, heldout)
    if network is None:
        network = _residual(sample.dim, n_classes)
    architecture = model(network)
    if architecture.head is not None:  # else it is read out by as many outputs as classes
        assert architecture.n_outputs is not None
        if architecture.n_outputs < n_classes:
            raise InputError(
                f"network: has {architecture.n_outputs} outputs, the labels {n_classes} classes"
            )
        n_classes = architecture.n_outputs
    for name in ("targets", "seed"):
        if name in training:
            raise InputError(f"{name}: set by the noises and seeds; leave it out")
    grid, numbers = _grid(noises), _seeds(seeds)
    size = architecture.n_parameters
    if architecture.head is None:
        size += n_classes * (sample.dim + 1)
    bound = min(size, sample.n * (n_classes - 1))
    if n_eigenvalues is None:
        n_eigenvalues = min(N_EIGENVALUES, max(1, bound // 4))
    elif check_integer("n_eigenvalues", n_eigenvalues, least=1) > bound:
        raise InputError(f"n_eigenvalues: G has rank {bound} at most, got {n_eigenvalues}")
    training = {
        **training,
        "heldout": heldout,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
    }
    likelihood = Categorical(n_classes)
    table = {name: np.full((len(grid), len(numbers)), np.nan) for name in MEASURED}
    thetas: dict[tuple[int, int], np.ndarray] = {}
    problems = []
    cells = [(row, column) for column in range(len(numbers)) for row in range(len(grid))]
    try:
        for row, column in tqdm(cells, "label noise", unit="network", disable=None, leave=False):
            noise, seed = float(grid[row]), int(numbers[column])
            noisy = sample.replace(labels=noisy_labels(sample.labels, noise, seed, n_classes))
            fit = train(network, noisy, likelihood, seed=seed, **training)
            fisher = FisherInformation(network, fit.theta, noisy, likelihood, fit.readout)
            found = _measured(fisher, fit, n_eigenvalues)
            if np.isnan(found["log_volumes"]):
                problems.append(
                    f"noise {noise:g}, seed {seed}: one of the {n_eigenvalues} largest "
                    "eigenvalues is zero to rounding, and the sum of their logarithms unknown"
                )
            for name, value in found.items():
                table[name][row, column] = value
            thetas[row, column] = fisher.theta
    except KeyboardInterrupt:
        if not thetas:
            raise
        problems.append(f"interrupted: {len(thetas)} of {len(cells)} networks were trained")
    every = np.full((len(grid), len(numbers), size), np.nan)
    for cell, theta in thetas.items():
        every[cell] = theta
    return LabelNoiseStudy(
        noises=grid,
        seeds=numbers,
        **table,
        thetas=every,
        n_eigenvalues=n_eigenvalues,
        network=repr(network),
        sample=repr(sample),
        problems=tuple(problems),
    )


MEASURED = tuple(name for name in MEASURES if name != "excesses")


def _measured(fisher: FisherInformation, fit: Fit, n_eigenvalues: int) -> dict[str, float]:
    """All measures of one network, by name."""
    path = layer_predictions(
        fisher.network, fit.theta, fisher.sample, fisher.likelihood, fit.readout
    )
    try:
        log_volume = fisher.log_volume(n_eigenvalues)
    except InputError:
        log_volume = np.nan
    test = fit.heldout_accuracy
    assert fit.train_accuracy is not None
    return {
        "train_accuracies": fit.train_accuracy,
        "test_accuracies": np.nan if test is None else test,
        "train_losses": fisher.loss(),
        "fisher_rao_norms": fisher.fisher_rao_norm(),
        "traces": fisher.trace(),
        "log_volumes": log_volume,
        "effective_dimensions": float(effective_dimension(fisher)),
        "lengths": path.length(),
        "chords": path.chord(),
    }


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
