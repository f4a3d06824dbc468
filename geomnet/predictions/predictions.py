r"""Networks seen through their predictions: points of a product of statistical manifolds.

On n data a network is the point :math:`(p(\cdot|z_1), …, p(\cdot|z_n))`, whatever its
architecture. The geometry of a datum is the likelihood's; the data's weights make the product's,

.. math:: d^2(z, z') = \sum_i w_i\,d_{lik}(z_i, z_i')^2, \qquad
          d_B(z, z') = -\sum_i w_i\log\int\sqrt{p(y|z_i)\,p(y|z_i')}\,dy,

both *intensive*: a mean per datum, which more data of the same kind leave where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..likelihoods import Categorical, Likelihood
from ..utils.validation import check_array, check_choice, check_positive
from .pairwise import blocks, measure_of, pairwise
from .progress import Progress, fermi_coordinates, ignorance, nearest, truth

__all__ = ["Predictions"]

KINDS = ("fisher_rao", "bhattacharyya")


def _weights(given: ArrayLike | None, n: int) -> np.ndarray:
    """Weights of n data that are positive and sum to one."""
    if given is None:
        return np.full(n, 1.0 / n)
    weights = check_array("weights", given, shape=(n,))
    if (weights <= 0).any() or abs(weights.sum() - 1) > 1e-8:
        raise InputError(
            f"weights: must be positive and sum to one; the smallest is "
            f"{weights.min():g}, their sum {weights.sum():.10g}"
        )
    return weights.copy()


@dataclass(frozen=True, eq=False)
class Predictions:
    r"""Predictions of m models on the same n data.

    Models may be networks, checkpoints of one in training, or layers of one read out; a
    trajectory's are in its order.

    Parameters
    ----------
    likelihood : Likelihood
    z : array_like, shape (m, n, C)
        Its parameters: logits, means.
    weights : array_like, shape (n,), optional
        Positive weights of the data that sum to one. Default: 1/n each.
    labels : array_like, shape (n,) or as the likelihood takes its targets, optional
        What :meth:`progress` and :meth:`truth` take for the truth.
    names : sequence of str, optional
        One for each model.

    Raises
    ------
    InputError
        Where a shape is off, a number is not finite, or weights do not sum to one.

    Examples
    --------
    A network learns three data: from knowing nothing, the first one first.

    >>> import numpy as np, geomnet as gn
    >>> z = np.array([0.0, 2.0, 8.0])[:, None, None] * np.eye(3)
    >>> z[1, 1:] = 0.0
    >>> run = gn.Predictions(gn.Categorical(3), z, labels=[0, 1, 2])
    >>> run.steps().round(3)
    array([0.549, 1.606])
    >>> round(run.excess(), 3)
    1.159
    >>> run.progress().fraction.round(3)
    array([0.   , 0.166, 0.973])
    """

    likelihood: Likelihood
    z: np.ndarray
    weights: np.ndarray = None  # type: ignore[assignment]
    labels: Any = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.likelihood, Likelihood):
            raise InputError(
                f"likelihood: expected one such as gn.Categorical(10), got {self.likelihood!r}"
            )
        z = check_array("z", self.z, shape=(None, None, self.likelihood.n_parameters))
        m, n, _ = z.shape
        if m == 0 or n == 0:
            raise InputError(f"z: expected at least one model and one datum, got shape {z.shape}")
        if self.labels is not None and len(np.atleast_1d(self.labels)) != n:
            raise InputError(
                f"labels: expected one for each of {n} data, got {np.size(self.labels)}"
            )
        set_ = object.__setattr__
        set_(self, "z", z.copy())
        set_(self, "weights", _weights(self.weights, n))
        if self.names is not None:
            if isinstance(self.names, str) or len(self.names) != m:
                raise InputError(f"names: expected one for each of {m} models, got {self.names!r}")
            set_(self, "names", tuple(str(name) for name in self.names))

    @classmethod
    def from_probabilities(cls, p: Any, floor: float | None = None, **options: Any) -> Predictions:
        r"""Predictions of classes, from probabilities instead of logits.

        Parameters
        ----------
        p : array_like, shape (m, n, C)
            Rows sum to one, to 1e-5 (single precision); they are renormalised.
        floor : float, optional
            Raise smaller probabilities to this before renormalising: for zeros.
        **options
            ``weights``, ``labels`` and ``names``.

        Raises
        ------
        InputError
            Where some are negative, rows do not sum to one, or a probability is zero and no
            `floor` is given: its logit is −∞, and predictions that exclude each other are
            infinitely far apart in Bhattacharyya's distance.

        Examples
        --------
        >>> import geomnet as gn
        >>> pair = gn.Predictions.from_probabilities([[[0.5, 0.5]], [[0.9, 0.1]]])
        >>> round(pair.distance(0, 1), 6)
        0.927295
        """
        p = check_array("p", p, ndim=3)
        if p.shape[-1] < 2:
            raise InputError(
                f"p: expected at least two classes, got shape {p.shape}; for coins give both sides"
            )
        if (p < 0).any():
            raise InputError(f"p: probabilities must not be negative, the least is {p.min():g}")
        off = np.abs(p.sum(axis=-1) - 1).max(initial=0.0)
        if off > 1e-5:
            raise InputError(
                f"p: every row must sum to one, one is off by {off:.3g}; divide the rows by their "
                "sums, or give logits to gn.Predictions(gn.Categorical(C), z)"
            )
        if floor is not None:
            p = np.maximum(p, check_positive("floor", floor))
        elif (p == 0).any():
            raise InputError(
                f"p: {int((p == 0).sum())} of {p.size} probabilities are zero, and their logits "
                "-inf; give logits instead, or a floor=1e-12 that replaces them"
            )
        return cls(Categorical(p.shape[-1]), np.log(p), **options)

    @classmethod
    def concatenate(cls, batches: Sequence[Predictions]) -> Predictions:
        """All models of several batches on the same data, in their order."""
        batches = list(batches)
        if not batches or not all(isinstance(batch, Predictions) for batch in batches):
            raise InputError(f"batches: expected a list of gn.Predictions, got {batches!r}")
        first = batches[0]
        for batch in batches:
            first._check_same_data("batches", batch)
        names = None
        if any(batch.names for batch in batches):
            names = tuple(n for b in batches for n in (b.names or [""] * len(b)))
        return replace(first, z=np.concatenate([batch.z for batch in batches]), names=names)

    # -- the batch ----------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of data."""
        return self.z.shape[1]

    def __len__(self) -> int:
        return len(self.z)

    def __repr__(self) -> str:
        return f"Predictions({self.likelihood!r}, models={len(self)}, n={self.n})"

    def take(self, index: Any) -> Predictions:
        """Return the models at `index` (integers, a slice or a mask), in that order."""
        kept = np.atleast_1d(np.arange(len(self))[index])
        names = None if self.names is None else tuple(self.names[i] for i in kept)
        return replace(self, z=self.z[kept], names=names)

    def ignorance(self) -> Predictions:
        """Return the one model that knows nothing: uniform over classes, or coins of one half."""
        z = ignorance(self.likelihood, self.n)
        return replace(self, z=z[None], names=("ignorance",))

    def truth(self) -> Predictions:
        r"""Return the one model that is certain of the labels.

        Its probabilities are one and zero to every digit of float64. Its Bhattacharyya distance
        from finite logits is half the mean negative log likelihood; that of two such models that
        disagree is infinite, and stands here as a large number.
        """
        if self.labels is None:
            raise InputError("labels: give the Predictions labels, for the truth is made of them")
        targets = self.likelihood.check_targets(self.labels, self.n)
        return replace(self, z=truth(self.likelihood, targets)[None], names=("truth",))

    # -- distances ----------------------------------------------------------------------------

    def distance(self, a: int | str, b: int | str, kind: str = "fisher_rao") -> float:
        """Distance of two models, by number or name.

        Parameters
        ----------
        a, b : int or str
        kind : {"fisher_rao", "bhattacharyya"}
        """
        measure = measure_of(self.likelihood, check_choice("kind", kind, KINDS))
        value = self.weights @ measure(self.z[self._index(a)], self.z[self._index(b)])
        return float(np.sqrt(value) if kind == "fisher_rao" else value)

    def distance_matrix(
        self, kind: str = "fisher_rao", other: Predictions | None = None
    ) -> np.ndarray:
        r"""Distances of all models, or from those of another batch on the same data.

        Parameters
        ----------
        kind : {"fisher_rao", "bhattacharyya"}
            The product Fisher–Rao distance d, a metric; or the mean Bhattacharyya distance, which
            is :math:`d^2/8` nearby, and has no triangle inequality.
        other : Predictions, optional
            Of k models. By default these themselves.

        Returns
        -------
        ndarray, shape (m, m) or (m, k)
        """
        check_choice("kind", kind, KINDS)
        if other is not None:
            self._check_same_data("other", other)
        end = None if other is None else other.z
        matrix = pairwise(self.likelihood, self.z, end, self.weights, kind)
        return np.sqrt(matrix) if kind == "fisher_rao" else matrix

    # -- trajectories -------------------------------------------------------------------------

    def steps(self) -> np.ndarray:
        """Fisher–Rao distances of consecutive models, (m−1,)."""
        squares = [
            self.likelihood.squared_distance(self.z[part], self.z[part.start + 1 : part.stop + 1])
            @ self.weights
            for part in blocks(len(self) - 1, self.z[0].size)
        ]
        return np.sqrt(np.concatenate(squares)) if squares else np.zeros(0)

    def length(self) -> float:
        """Fisher–Rao length of the polygon of closed geodesics through the models in order."""
        return float(self.steps().sum())

    def chord(self) -> float:
        """Fisher–Rao distance of the first model and the last."""
        return self.distance(0, -1)

    def excess(self) -> float:
        """Length over chord, at least 1; infinite for a loop, and 1 where nothing moves."""
        length, chord = self.length(), self.chord()
        if length == 0:
            return 1.0
        return length / chord if chord > 0 else float("inf")

    def progress(self, start: Any = None, end: Any = None, average: str = "square") -> Progress:
        r"""Progress of each model from ignorance to truth (Mao et al. 2024).

        Each is projected on the geodesic of the product from start to end: for classes on the
        great circle of :math:`2\sqrt p` of every datum, from uniform to one-hot probabilities.
        The nearest point is unique where `average` is "square".

        Parameters
        ----------
        start : array_like, shape (n, C), optional
            Parameters; by default zero, uniform probabilities. Gaussian likelihoods need it.
        end : array_like, shape (n, C), optional
            Parameters; by default those that are certain of the labels.
        average : {"square", "arc"}
            What is least at the nearest point: the product's Fisher–Rao distance, a mean of
            squares, or, as Mao et al. have it, the mean of the data's distances (of each output,
            where a datum has several independent ones).

        Returns
        -------
        Progress
            ``fraction`` in [0, 1] and ``distance``, the Fisher–Rao distance from the geodesic,
            each (m,).

        Raises
        ------
        InputError
            Without labels or `end`; where the likelihood has no uniform distribution and no
            `start` is given; where start and end are one.
        """
        check_choice("average", average, ("square", "arc"))
        shape = self.z.shape[1:]
        if start is None:
            first = ignorance(self.likelihood, self.n)
        else:
            first = check_array("start", start, shape=shape)
        if end is not None:
            last = check_array("end", end, shape=shape)
        elif self.labels is None:
            raise InputError("end: progress to what? Give the Predictions labels, or an end (n, C)")
        else:
            last = self.truth().z[0]
        if not self.likelihood.squared_distance(first, last).any():
            raise InputError("end: it is the start, and no geodesic leads from it to itself")
        parts = [
            nearest(
                fermi_coordinates(self.likelihood, self.z[part], first, last), self.weights, average
            )
            for part in blocks(len(self), self.z[0].size)
        ]
        fractions, distances = zip(*parts)
        return Progress(np.concatenate(fractions), np.concatenate(distances))

    # -- checks -------------------------------------------------------------------------------

    def _index(self, model: int | str) -> int:
        if isinstance(model, str):
            if self.names is None or model not in self.names:
                raise InputError(f"model: no {model!r} among the names {self.names}")
            return self.names.index(model)
        whole = isinstance(model, (int, np.integer))
        if not whole or not -len(self) <= model < len(self):
            raise InputError(f"model: no number {model} among {len(self)} models")
        return model

    def _check_same_data(self, name: str, other: Any) -> None:
        if not isinstance(other, Predictions):
            raise InputError(f"{name}: expected gn.Predictions, got {other!r}")
        same = other.likelihood == self.likelihood and other.n == self.n
        if not same or not np.array_equal(other.weights, self.weights):
            raise InputError(
                f"{name}: {other!r} is not on the same data, with the same likelihood and weights, "
                f"as {self!r}"
            )
