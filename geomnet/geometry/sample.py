r"""The sample: where maps are observed.

A sample is a weighted set of points :math:`x_1, …, x_n \in \mathbb R^d`,
:math:`w_i > 0`, :math:`\sum_i w_i = 1`. A map :math:`φ` is *observed* on it as the array
:math:`φ(x_i)` of shape ``(n, d)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..utils.validation import check_array

__all__ = ["Sample"]


@dataclass(frozen=True, eq=False)
class Sample:
    r"""Points with weights, and optionally labels and the values of a target map.

    Parameters
    ----------
    points : array_like, shape (n, d)
        The points :math:`x_i`, one a row.
    weights : array_like, shape (n,), optional
        Positive weights that sum to one. Default: :math:`1/n` each.
    labels : array_like, shape (n,), optional
        One label a point, of any dtype that sorts (classes, or numbers).
    target : array_like, shape (n, d), optional
        Where a map of interest sends each point.
    name : str, optional
        What to call the sample in reports.
    notes : tuple of str, optional
        What was done to the data on its way here (standardised, merged, drawn).

    Raises
    ------
    InputError
        When a shape is off, a number is not finite, or the weights are not positive or do not
        sum to one.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.Sample([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    >>> sample
    Sample(n=3, dim=2)
    >>> sample.merge_duplicates().weights.round(3).tolist()
    [0.333, 0.667]
    """

    points: np.ndarray
    weights: np.ndarray = None  # type: ignore[assignment]
    labels: np.ndarray | None = None
    target: np.ndarray | None = None
    name: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        points = check_array("points", self.points, ndim=2)
        n, d = points.shape
        if n == 0 or d == 0:
            raise InputError(f"points: expected at least one point and one column, got {(n, d)}")
        if self.weights is None:
            weights = np.full(n, 1.0 / n)
        else:
            weights = check_array("weights", self.weights, shape=(n,))
            if (weights <= 0).any():
                raise InputError(
                    f"weights: must be positive, the smallest is {weights.min():g}; "
                    "leave points of weight zero out of the sample"
                )
            if abs(weights.sum() - 1.0) > 1e-8:
                raise InputError(
                    f"weights: must sum to one, they sum to {weights.sum():.10g}; "
                    "divide them by their sum"
                )
        set_ = object.__setattr__
        set_(self, "points", _frozen(points))
        set_(self, "weights", _frozen(weights))
        if self.labels is not None:
            labels = np.asarray(self.labels)
            if labels.shape != (n,):
                raise InputError(f"labels: expected shape {(n,)}, got {labels.shape}")
            if labels.dtype.kind == "f" and not np.isfinite(labels).all():
                raise InputError("labels: some are NaN or infinite; drop or impute them first")
            set_(self, "labels", labels)
        if self.target is not None:
            set_(self, "target", _frozen(check_array("target", self.target, shape=(n, d))))
        set_(self, "notes", tuple(self.notes))

    @property
    def n(self) -> int:
        """Number of points."""
        return self.points.shape[0]

    @property
    def dim(self) -> int:
        """Number of coordinates of a point."""
        return self.points.shape[1]

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        extra = [f"name={self.name!r}"] if self.name else []
        extra += [f"n={self.n}", f"dim={self.dim}"]
        if self.labels is not None:
            extra.append(f"classes={len(np.unique(self.labels))}")
        if self.target is not None:
            extra.append("target")
        return f"Sample({', '.join(extra)})"

    def replace(self, **changes: Any) -> Sample:
        """Return a copy with some of its fields changed, checked anew."""
        return replace(self, **changes)

    def noted(self, *notes: str) -> Sample:
        """Return a copy that remembers `notes`, what was done to the data."""
        return replace(self, notes=(*self.notes, *notes))

    def take(self, index: Any) -> Sample:
        """Return the sub-sample at `index`, its weights scaled to sum to one."""
        index = np.asarray(index)
        weights = self.weights[index]
        return replace(
            self,
            points=self.points[index],
            weights=weights / weights.sum(),
            labels=None if self.labels is None else self.labels[index],
            target=None if self.target is None else self.target[index],
        )

    def merge_duplicates(self) -> Sample:
        """Merge equal points into one that carries their summed weight.

        The first of each set of equal points keeps its place. Labels of merged points that
        disagree (noisy labels) are settled by the largest weight, and noted.

        Raises
        ------
        InputError
            When equal points have different targets: no map takes a point to two places.
        """
        _, first, inverse = np.unique(self.points, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        if len(first) == self.n:
            return self
        order = np.argsort(first)
        group = np.argsort(order)[inverse]  # group of each point, in order of first appearance
        first = first[order]
        if self.target is not None:
            apart = (self.target != self.target[first[group]]).any(axis=1)
            if apart.any():
                i = int(np.flatnonzero(apart)[0])
                raise InputError(
                    f"target: points {int(first[group[i]])} and {i} are equal but their targets "
                    "differ; no map, and so no diffeomorphism, reaches such a target"
                )
        labels, conflicts = self.labels, 0
        if labels is not None:
            classes, codes = np.unique(labels, return_inverse=True)
            mass = np.zeros((len(first), len(classes)))
            np.add.at(mass, (group, codes.reshape(-1)), self.weights)
            labels = classes[mass.argmax(axis=1)]
            conflicts = int(((mass > 0).sum(axis=1) > 1).sum())
        notes = [f"{self.n - len(first)} duplicate points merged, their weights added"]
        if conflicts:
            notes.append(f"{conflicts} merged points had different labels: the heaviest kept")
        return replace(
            self,
            points=self.points[first],
            weights=np.bincount(group, weights=self.weights),
            labels=labels,
            target=None if self.target is None else self.target[first],
            notes=(*self.notes, *notes),
        )


def _frozen(array: np.ndarray) -> np.ndarray:
    """Copy that nobody can change: a sample stays what it was when others were made from it."""
    array = np.array(array)
    array.setflags(write=False)
    return array
