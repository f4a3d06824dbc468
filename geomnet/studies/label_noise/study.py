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
from ...networks import Architecture
from ...predictions.layer_paths import layer_predictions
from ...training import Fit, train
from .labels import noisy_labels
from .options import LabelNoiseOptions
from .result import MEASURES, LabelNoiseStudy

__all__ = ["label_noise_study"]

NOISES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


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
    asked = LabelNoiseOptions.checked(
        sample,
        network,
        noises,
        seeds,
        heldout,
        n_eigenvalues,
        {
            **training,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
        },
    )
    table = _Table(asked)
    try:
        for cell in tqdm(table.cells, "label noise", unit="network", disable=None, leave=False):
            table.fill(cell)
    except KeyboardInterrupt:
        if not table.thetas:
            raise
        table.problems.append(
            f"interrupted: {len(table.thetas)} of {len(table.cells)} networks were trained"
        )
    return table.study()


MEASURED = tuple(name for name in MEASURES if name != "excesses")


class _Table:
    """What is measured of every network, a row a noise and a column a seed."""

    def __init__(self, asked: LabelNoiseOptions) -> None:
        self.asked = asked
        rows, columns = len(asked.noises), len(asked.seeds)
        self.cells = [(row, column) for column in range(columns) for row in range(rows)]
        self.values = {name: np.full((rows, columns), np.nan) for name in MEASURED}
        self.thetas: dict[tuple[int, int], np.ndarray] = {}
        self.problems: list[str] = []

    def fill(self, cell: tuple[int, int]) -> None:
        """Train and measure one network."""
        asked, (row, column) = self.asked, cell
        noise, seed = float(asked.noises[row]), int(asked.seeds[column])
        likelihood = Categorical(asked.n_classes)
        labels = noisy_labels(asked.sample.labels, noise, seed, asked.n_classes)
        noisy = asked.sample.replace(labels=labels)
        fit = train(
            asked.network, noisy, likelihood, seed=seed, heldout=asked.heldout, **asked.training
        )
        fisher = FisherInformation(asked.network, fit.theta, noisy, likelihood, fit.readout)
        found = _measured(fisher, fit, asked.n_eigenvalues)
        if np.isnan(found["log_volumes"]):
            self.problems.append(
                f"noise {noise:g}, seed {seed}: one of the {asked.n_eigenvalues} largest "
                "eigenvalues is zero to rounding, and the sum of their logarithms unknown"
            )
        for name, value in found.items():
            self.values[name][cell] = value
        self.thetas[cell] = fisher.theta

    def study(self) -> LabelNoiseStudy:
        """The table as a result; what was not trained is NaN."""
        asked = self.asked
        every = np.full((len(asked.noises), len(asked.seeds), asked.n_parameters), np.nan)
        for cell, theta in self.thetas.items():
            every[cell] = theta
        return LabelNoiseStudy(
            noises=asked.noises,
            seeds=asked.seeds,
            **self.values,
            thetas=every,
            n_eigenvalues=asked.n_eigenvalues,
            network=repr(asked.network),
            sample=repr(asked.sample),
            problems=tuple(self.problems),
        )


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
