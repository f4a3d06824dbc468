r"""What a Fisher matrix is an average over: data with their weights, and scores of the output.

:math:`G = \sum_iw_iJ_i^\top F_iJ_i` with :math:`F_i = R_i^\top R_i`: the rows of :math:`R_i` are
covectors on the output of datum i. For the true Fisher R is a factor of the likelihood's Fisher
matrix; for Monte Carlo, scores of targets drawn from the network's own predictions; for the
empirical Fisher, the score of the datum's label.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Bernoulli, Categorical, Likelihood
from ..networks.layers.factors import Factors
from ..networks.model import LinearisedModel, Model
from ..utils.arrays import Array
from ..utils.memory import keep_freed_memory

__all__ = ["KINDS", "FisherData", "as_sample", "check_fit"]

KINDS = ("true", "mc", "empirical")
CACHE, LEAST = 1_400_000, 256  # bytes of a layer's signals in a chunk; data in it, at least


class FisherData:
    """Data of a Fisher matrix, in chunks that bound the memory of what is computed on them.

    Parameters
    ----------
    model : Model
    theta : ndarray, shape (p,)
    sample : Sample
    likelihood : Likelihood
    kind : {"true", "mc", "empirical"}
    targets : array_like or None
        Instead of the sample's.
    rng : Generator
        Of the targets drawn.
    n_draws : int
        How many a datum.
    memory : int
        Bytes that may be kept; a chunk takes an eighth of it at most.
    """

    def __init__(
        self,
        model: Model,
        theta: np.ndarray,
        sample: Sample,
        likelihood: Likelihood,
        kind: str,
        targets: ArrayLike | None,
        rng: np.random.Generator,
        n_draws: int,
        memory: int,
    ) -> None:
        check_fit(model, sample, likelihood)
        self.model, self.theta, self.sample, self.likelihood = model, theta, sample, likelihood
        self.kind, self.n, self._given = kind, sample.n, targets
        self._root = np.sqrt(sample.weights)[:, None, None]
        self._targets = None
        if kind == "empirical":
            self._targets = self.labels[None]
        self.q = self._count(kind, n_draws)
        keep_freed_memory()
        kept = 8 * self.n * model.floats_per_point
        signals = 8 * self.n * self.q * model.signals_per_point
        self._keep, self._keep_factors = kept <= memory // 4, signals <= memory // 4
        self._joined = memory // 8 // max(1, signals // self.n)
        each = max(1, (kept + signals) // self.n)
        size = max(LEAST, CACHE // (8 * self.q * model.most_signals))
        size = max(1, min(self.n, size, memory // 8 // each))
        count = -(-self.n // size)
        cuts = np.linspace(0, self.n, count + 1).astype(int)
        self.slices = [slice(a, b) for a, b in pairwise(cuts)]
        self._linearised: dict[int, LinearisedModel] = {}
        self._operators: dict[int, Callable[[np.ndarray], np.ndarray]] = {}
        self._factors: dict[int, list[Factors]] = {}
        self.z = np.concatenate([self.linearised(i).output for i in range(count)])
        """Likelihood parameters of all data, (n, C)."""
        self.z.setflags(write=False)
        with np.errstate(all="ignore"):
            sizes = likelihood.fisher_product(self.z, np.ones_like(self.z)[:, None])[:, 0]
        if not np.isfinite(sizes).all():
            bad = int((~np.isfinite(sizes).all(axis=1)).sum())
            raise InputError(
                f"theta: the Fisher information of the outputs is not finite for {bad} of {self.n} "
                f"points; the network's outputs are beyond what {likelihood} can hold"
            )
        self._warn_where_certain()
        if kind == "mc":
            self._targets = np.stack([likelihood.draw(self.z, rng) for _ in range(n_draws)])

    def _warn_where_certain(self) -> None:
        """Say where most predictions are certain: they hold no information that has digits."""
        certain = self.likelihood.certain(self.z)
        if self.sample.weights[certain].sum() > 0.5:
            warnings.warn(
                f"sample: the network is certain of {int(certain.sum())} of {self.n} predictions "
                "to all digits (1 − p < 2.2e-16), and their Fisher information is next to none; "
                "are the inputs scaled as those it was trained on?",
                stacklevel=4,
            )

    def _count(self, kind: str, n_draws: int) -> int:
        """Covectors a datum."""
        if kind != "true":
            return n_draws if kind == "mc" else 1
        one = np.zeros((1, self.likelihood.n_parameters))
        return int(self.likelihood.score_factor(one).shape[1])

    @cached_property
    def labels(self) -> np.ndarray:
        """Targets of the data, as the likelihood takes them."""
        if self._given is not None:
            return self.likelihood.check_targets(self.model.coded(self._given), self.n)
        labels, target = self.sample.labels, self.sample.target
        if labels is None and target is None:
            raise InputError(
                "sample: the empirical Fisher, losses and gradients need labels; make it with "
                "gn.Sample(points, labels=labels), give targets, or take kind='true'"
            )
        if labels is None:
            return self.likelihood.check_targets(target, self.n)
        try:
            return self.likelihood.check_targets(self.model.coded(labels), self.n)
        except InputError:
            if target is None:
                raise
            return self.likelihood.check_targets(target, self.n)

    def __getstate__(self) -> dict[str, object]:
        """What copies and pickles take: not the functions kept for products."""
        return {**self.__dict__, "_operators": {}}

    def linearised(self, index: int) -> LinearisedModel:
        """The network on a chunk, kept where there is memory."""
        if index in self._linearised:
            return self._linearised[index]
        points = self.sample.points[self.slices[index]]
        found = self.model.linearise(self.theta, points)
        owed, given = self.likelihood.n_parameters, found.output.shape[1]
        if owed != given:
            raise InputError(_mismatch(self.model, self.likelihood, owed, given))
        if self._keep:
            self._linearised[index] = found
        return found

    def covectors(self, index: int) -> np.ndarray:
        """The rows √w·R of a chunk, (n, q, C)."""
        part = self.slices[index]
        z = self.z[part]
        if self.kind == "true":
            rows = self.likelihood.score_factor(z)
        else:
            assert self._targets is not None
            drawn = self._targets[:, part]
            rows = np.stack([self.likelihood.residual(z, y) for y in drawn], axis=1)
            rows = rows / np.sqrt(len(drawn))
        return np.asarray(rows * self._root[part])

    def weighted_product(self, index: int, v: np.ndarray) -> np.ndarray:
        """Products wFv of vectors on the output of a chunk, (n, k, C)."""
        if self.kind == "true":
            if index not in self._operators:
                z = self.z[self.slices[index]]
                self._operators[index] = self.likelihood.fisher_operator(z)
            found: Array = self._operators[index](v)
            found *= self._root[self.slices[index]] ** 2
            return found
        rows = self.covectors(index)
        return np.asarray((v @ np.swapaxes(rows, 1, 2)) @ rows)

    def factors(self, index: int, keep: bool = False) -> list[Factors]:
        """Layer factors of a chunk, weights in the signals.

        With `keep` they are kept for later, where there is memory: what passes over them once
        is faster without, as they stay in the cache.
        """
        if index in self._factors:
            return self._factors[index]
        found = self.linearised(index).factors(self.covectors(index))
        if keep and self._keep_factors:
            self._factors[index] = found
        return found

    def each_factor(self, index: int) -> Iterator[Factors]:
        """Layer factors of a chunk one by one, in any order, none of them kept."""
        if index in self._factors:
            return iter(self._factors[index])
        return self.linearised(index).each_factor(self.covectors(index))

    def joined_factors(self) -> Iterator[list[Factors]]:
        """Layer factors of as many chunks at once as there is memory for."""
        group: list[list[Factors]] = []
        size = 0
        for index, part in enumerate(self.slices):
            group.append(self.factors(index, keep=True))
            size += part.stop - part.start
            last = index + 1 == len(self.slices)
            if last or size + part.stop - part.start > self._joined:
                yield [parts[0].join(list(parts)) for parts in zip(*group)]
                group, size = [], 0

    def chunks(self) -> Iterator[tuple[slice, int]]:
        """Slices of the data, with the number of each chunk."""
        for index, part in enumerate(self.slices):
            yield part, index


def check_fit(model: Model, sample: Sample, likelihood: Likelihood) -> None:
    """Raise where a model, its data and its likelihood do not go together."""
    if not isinstance(likelihood, Likelihood):
        raise InputError(f"likelihood: expected one such as gn.Categorical(10), got {likelihood!r}")
    head = model.head
    ends = head is not None and head.activation.name == "logistic"
    if ends and isinstance(likelihood, (Bernoulli, Categorical)):
        raise InputError(
            f"network: ends in a logistic function, and {likelihood} takes logits; leave it out, "
            "as from_torch(module[:-1]) does, or give the last layer the activation 'identity'"
        )
    if model.dim not in (None, sample.dim):
        raise InputError(f"sample: has {sample.dim} columns, the network takes {model.dim}")


def as_sample(sample: Sample | ArrayLike) -> Sample:
    """A sample, of points if need be."""
    if isinstance(sample, Sample):
        return sample
    try:
        return Sample(cast(np.ndarray, sample))
    except InputError as error:
        raise InputError(f"sample: {error}") from None


def _mismatch(model: Model, likelihood: Likelihood, owed: int, given: int) -> str:
    """What to do where the network's output is not what the likelihood takes."""
    fitting = {
        "Categorical": f"gn.Categorical({given})" if given > 1 else "gn.Bernoulli()",
        "Bernoulli": f"gn.Bernoulli({given})",
        "Gaussian": f"gn.Gaussian(sigma, {given})",
    }.get(type(likelihood).__name__, "a likelihood of as many")
    hint = f"take {fitting}, or give what is between them as readout=gn.Readout(weight, bias)"
    if given == 1 and type(likelihood).__name__ == "Categorical":
        hint = "a network with one logit for two classes goes with gn.Bernoulli()"
    elif given == model.dim:  # states, as those of gn.Network
        hint = "give the readout between them, readout=fit.readout of a trained network"
    return (
        f"likelihood: {likelihood} takes {owed} parameters, but the network gives {given}; {hint}"
    )
