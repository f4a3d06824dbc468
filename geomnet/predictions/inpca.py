r"""Intensive principal component analysis: pictures of sets of networks that keep distances.

From squared distances :math:`D_{ij}` of m predictions (Quinn et al. 2019),

.. math:: W = -\tfrac12 JDJ, \quad J = I - \tfrac1m 11^\top, \qquad W = VΛV^\top, \qquad
          x_{ia} = \sqrt{|λ_a|}\,V_{ia}.

As for classical scaling, but D need not be Euclidean, and negative eigenvalues are kept: their
coordinates count negatively, as time does in Minkowski space,

.. math:: D_{ij} = \sum_a \operatorname{sign}(λ_a)\,(x_{ia} - x_{ja})^2 .
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.linalg import eigh
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from ..errors import InputError
from ..utils.validation import check_array, check_choice, check_integer
from .predictions import Predictions

__all__ = ["InPCA"]

KINDS = ("bhattacharyya", "fisher_rao", "precomputed")


class InPCA(BaseEstimator):
    r"""Intensive principal component analysis, in the manner of scikit-learn.

    Components are in the order of :math:`|λ|`, each with the sign that makes its largest
    coordinate positive.

    Parameters
    ----------
    n_components : int or None
        How many to keep; None for all that are not zero to rounding.
    kind : {"bhattacharyya", "fisher_rao", "precomputed"}
        The squared distance: :math:`8 d_B`, which is the squared Fisher–Rao distance of models
        that are near (Quinn et al.; the coordinates of Mao et al. 2024, who leave out the 8, are
        smaller by √8); the squared product Fisher–Rao distance; or given, in the place of the
        predictions.

    Attributes
    ----------
    embedding_ : ndarray, shape (m, k)
        Coordinates of the models it was fitted on.
    eigenvalues_ : ndarray, shape (m,)
        All of W, in the order of their moduli.
    signature_ : ndarray, shape (k,)
        Sign of each component kept, 1.0 (space) or −1.0 (time).

    Examples
    --------
    Checkpoints of Gaussian predictions on a line, a step of 3 and one of 4 standard deviations:

    >>> import geomnet as gn
    >>> run = gn.Predictions(gn.Gaussian(0.5), [[[0.0]], [[1.5]], [[3.5]]])
    >>> inpca = gn.InPCA(n_components=1)
    >>> (inpca.fit_transform(run) - inpca.embedding_[0]).round(6).tolist()
    [[0.0], [3.0], [7.0]]
    >>> inpca.signature_.tolist(), round(inpca.explained_stress(1), 6)
    ([1.0], 1.0)
    """

    # metadata routing is of X's companions; predictions take the place of X itself
    __metadata_request__fit: ClassVar = {"predictions": UNUSED}
    __metadata_request__transform: ClassVar = {"predictions": UNUSED}

    def __init__(self, n_components: int | None = 3, kind: str = "bhattacharyya") -> None:
        self.n_components = n_components
        self.kind = kind

    def fit(self, predictions: Any, y: Any = None) -> InPCA:
        """Find the components.

        Parameters
        ----------
        predictions : Predictions, or array_like of shape (m, m)
            The latter, of squared distances, where `kind` is "precomputed".
        y : ignored

        Raises
        ------
        InputError
            Where there are fewer components than asked for; where squared distances are not
            symmetric with a zero diagonal.
        """
        check_choice("kind", self.kind, KINDS)
        if self.n_components is not None:
            check_integer("n_components", self.n_components, least=1)
        given = self.kind == "precomputed"
        squares = _given(predictions) if given else self._squared_distances(predictions, None)
        m = len(squares)
        if m < 2:
            raise InputError("predictions: one model spans no component; give two at least")
        column = squares.mean(axis=0)
        centred = -0.5 * (squares - column - column[:, None] + column.mean())
        values, vectors = eigh(centred)
        order = np.argsort(-np.abs(values), kind="stable")
        values, vectors = values[order], vectors[:, order]
        rank = int((np.abs(values) > 4 * m * np.finfo(float).eps * np.abs(squares).max()).sum())
        if rank == 0:
            raise InputError("predictions: all models predict the same, and span no component")
        k = rank if self.n_components is None else self.n_components
        if k > rank:
            raise InputError(
                f"n_components: these {m} models span {rank} only, and {k} were asked for; take "
                f"{rank} at most, or None for all"
            )
        vectors = vectors[:, :k]
        top = np.abs(vectors).argmax(axis=0)
        vectors = vectors * np.where(vectors[top, np.arange(k)] < 0, -1.0, 1.0)
        self.eigenvalues_ = values
        self.signature_ = np.sign(values[:k])
        self.embedding_ = vectors * np.sqrt(np.abs(values[:k]))
        self._vectors, self._column = vectors, column
        self._fitted = None if given else predictions
        return self

    def fit_transform(self, predictions: Any, y: Any = None) -> np.ndarray:
        """Find the components, and return the coordinates, (m, k)."""
        return self.fit(predictions).embedding_

    def transform(self, predictions: Any) -> np.ndarray:
        r"""Coordinates of other models in the same picture, by Gower's formula (1968).

        :math:`x_a = \operatorname{sign}(λ_a)\,|λ_a|^{-1/2} \sum_i V_{ia} b_i` with
        :math:`b_i = -\tfrac12(D_i - \bar D_i)`, :math:`D_i` the squared distance from model i of
        the fit and :math:`\bar D_i` that model's mean. A model of the fit keeps its coordinates.

        Parameters
        ----------
        predictions : Predictions, or array_like of shape (k, m)
            On the same data; the latter of squared distances from the models of the fit.

        Returns
        -------
        ndarray, shape (k, n_components)
        """
        self._check_fitted()
        if self._fitted is None:
            squares = check_array("predictions", predictions, shape=(None, len(self._column)))
        else:
            squares = self._squared_distances(predictions, self._fitted)
        # constants of a row drop out: the eigenvectors sum to zero
        centred = squares - self._column
        centred = -0.5 * (centred - centred.mean(axis=1, keepdims=True))
        kept = self.eigenvalues_[: self.signature_.size]
        return centred @ self._vectors * (self.signature_ / np.sqrt(np.abs(kept)))

    def explained_stress(self, k: int | None = None) -> Any:
        r"""Share of the centred matrix W that the first k components explain.

        .. math:: 1 - \frac{\lVert W - W_k\rVert_F}{\lVert W\rVert_F}
                  = 1 - \sqrt{\frac{\sum_{a>k}λ_a^2}{\sum_aλ_a^2}}

        as Mao et al. (2024) define it. It grows with k, to 1.

        Parameters
        ----------
        k : int, optional
            By default every k at once, from 1 to m.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        self._check_fitted()
        squares = self.eigenvalues_**2
        left = np.append(np.cumsum(squares[::-1])[::-1][1:], 0.0)
        explained = 1 - np.sqrt(left / squares.sum())
        if k is None:
            return explained
        if check_integer("k", k, least=1) > len(explained):
            raise InputError(f"k: there are {len(explained)} components, got {k}")
        return float(explained[k - 1])

    def _check_fitted(self) -> None:
        if not hasattr(self, "embedding_"):
            raise InputError("InPCA: fit it first, with fit(predictions)")

    def _squared_distances(self, predictions: Any, fitted: Predictions | None) -> np.ndarray:
        """Squared distances among the predictions, or from those to the fitted ones."""
        if not isinstance(predictions, Predictions):
            raise InputError(
                f"predictions: expected gn.Predictions, got {type(predictions).__name__}; for a "
                'matrix of squared distances take kind="precomputed"'
            )
        matrix = predictions.distance_matrix(self.kind, fitted)
        return matrix**2 if self.kind == "fisher_rao" else 8 * matrix


def _given(predictions: Any) -> np.ndarray:
    """Squared distances given as they are, or what is wrong with them."""
    squares = check_array("predictions", predictions, ndim=2)
    m, k = squares.shape
    top = np.abs(squares).max(initial=0.0)
    if m != k or np.abs(squares - squares.T).max(initial=0.0) > 1e-10 * top:
        raise InputError(
            f"predictions: squared distances must be a symmetric matrix, got shape {(m, k)}"
        )
    if np.abs(np.diagonal(squares)).max(initial=0.0) > 1e-10 * top:
        raise InputError("predictions: a model's squared distance from itself must be zero")
    return squares
