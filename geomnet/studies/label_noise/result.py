"""What a study of label noise has measured, with its means, errors and correlations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ...errors import InputError
from ...geometry.datasets import read_npz
from ...utils.files import write_npz

__all__ = ["LabelNoiseStudy"]

MEASURES = {
    "train_accuracies": "train",
    "test_accuracies": "test",
    "train_losses": "loss",
    "fisher_rao_norms": "θᵀGθ",
    "traces": "tr G",
    "log_volumes": "Σ log λ",
    "effective_dimensions": "eff. dim.",
    "lengths": "length",
    "chords": "chord",
    "excesses": "length/chord",
}
"""What is measured of each network, with a head for its column."""


@dataclass(frozen=True, eq=False)
class LabelNoiseStudy:
    r"""Networks trained on labels of which a share is random, and what was measured of them.

    G is the true Fisher information, a mean over the points trained on. All arrays of shape
    (k, s) have a row for each noise and a column for each seed; NaN where nothing was measured.

    Attributes
    ----------
    noises : ndarray, shape (k,)
        Share of the labels replaced, increasing.
    seeds : ndarray, shape (s,)
    train_accuracies : ndarray, shape (k, s)
        On the labels trained on, the random ones too.
    test_accuracies : ndarray, shape (k, s)
        On held-out points, whose labels are the true ones.
    train_losses : ndarray, shape (k, s)
        Mean −log p of the labels trained on, at the end.
    fisher_rao_norms : ndarray, shape (k, s)
        Squared Fisher–Rao norm :math:`θ^\top Gθ`.
    traces : ndarray, shape (k, s)
        tr G.
    log_volumes : ndarray, shape (k, s)
        :math:`\sum_{i\le m}\log λ_i` of the m largest eigenvalues of G.
    effective_dimensions : ndarray, shape (k, s)
        At θ, with γ = 1 and n the number of points trained on.
    lengths, chords : ndarray, shape (k, s)
        Fisher–Rao length of the layer path, and distance of its ends, on the points trained on.
    thetas : ndarray, shape (k, s, p)
        All parameters, flat; of a ``Network`` those of the readout last.
    n_eigenvalues : int
        The m above.
    network, sample : str
        In words.
    problems : tuple of str
        What went wrong; empty where all is well.
    """

    noises: np.ndarray
    seeds: np.ndarray
    train_accuracies: np.ndarray
    test_accuracies: np.ndarray
    train_losses: np.ndarray
    fisher_rao_norms: np.ndarray
    traces: np.ndarray
    log_volumes: np.ndarray
    effective_dimensions: np.ndarray
    lengths: np.ndarray
    chords: np.ndarray
    thetas: np.ndarray = field(repr=False)
    n_eigenvalues: int
    network: str
    sample: str
    problems: tuple[str, ...] = ()

    @property
    def excesses(self) -> np.ndarray:
        """Length of the layer path over its chord, at least 1, (k, s)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.lengths / self.chords

    @property
    def done(self) -> np.ndarray:
        """Which networks were trained, (k, s): all, unless the study was interrupted."""
        return np.isfinite(self.train_losses)

    def mean(self, name: str) -> np.ndarray:
        """Mean of a measure over the seeds, (k,); NaN where none was measured."""
        values, counts, sums = self._sums(name)
        return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)

    def standard_error(self, name: str) -> np.ndarray:
        """Standard error of :meth:`mean`, (k,); NaN where fewer than two were measured."""
        values, counts, _ = self._sums(name)
        squares = np.nansum((values - self.mean(name)[:, None]) ** 2, axis=1)
        few = np.full(len(values), np.nan)
        return np.sqrt(np.divide(squares, counts * (counts - 1), out=few, where=counts > 1))

    def _sums(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if name not in MEASURES:
            raise InputError(f"name: unknown {name!r}; choose from {', '.join(MEASURES)}")
        values = getattr(self, name)
        return values, np.isfinite(values).sum(axis=1), np.nansum(values, axis=1)

    def correlations(self) -> dict[str, tuple[float, float]]:
        """Rank correlations of every measure with the accuracy on held-out points.

        Returns
        -------
        dict
            By name, (over, within). Over all networks: whether the measure tells more noise from
            less. And within each noise, among the seeds alone: ranks are taken in every row, and
            their deviations from the row's mean correlated. What is large over all and none
            within tells the labels apart, not the networks. NaN where nothing varies.
        """
        test = self.test_accuracies
        found = {}
        for name in MEASURES:
            if name == "test_accuracies":
                continue
            values = getattr(self, name)
            known = np.isfinite(values) & np.isfinite(test)
            over = _correlation(rankdata(values[known]), rankdata(test[known]))
            rows = [
                (_centred_ranks(row[keep]), _centred_ranks(accuracy[keep]))
                for row, accuracy, keep in zip(values, test, known)
            ]
            found[name] = over, _correlation(*map(np.concatenate, zip(*rows)))
        return found

    def __repr__(self) -> str:
        def ends(name):
            means = self.mean(name)
            return f"{means[0]:.4g}..{means[-1]:.4g}"

        problems = f", problems={len(self.problems)}" if self.problems else ""
        return (
            f"LabelNoiseStudy(noises={self.noises[0]:g}..{self.noises[-1]:g}, "
            f"networks={int(self.done.sum())}, test_accuracy={ends('test_accuracies')}, "
            f"excess={ends('excesses')}, network={self.network}{problems})"
        )

    def __str__(self) -> str:
        head = f"label noise: {self.network} on {self.sample}, {len(self.seeds)} seeds"
        return "\n".join([head, "", self.table(), *self.problems])

    def table(self) -> str:
        """Mean and standard error over the seeds, one row a noise, as text."""
        columns = [["noise", *(f"{noise:g}" for noise in self.noises)]]
        for name, head in MEASURES.items():
            means, errors = self.mean(name), self.standard_error(name)
            if np.isfinite(means).any():
                columns.append([head, *map(_with_error, means, errors)])
        widths = [max(map(len, column)) for column in columns]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths))
            for row in zip(*columns)
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the parameters as plain numbers, for JSON; None for NaN."""

        def plain(values: np.ndarray) -> list[Any]:
            return [None if v != v else v for v in values.tolist()]

        return {
            "noises": self.noises.tolist(),
            "seeds": self.seeds.tolist(),
            **{name: [plain(row) for row in getattr(self, name)] for name in MEASURES},
            **{name: getattr(self, name) for name in WORDS},
            "problems": list(self.problems),
        }

    def save(self, path: Any) -> None:
        """Save everything as an NPZ, whole or not at all."""
        header = json.dumps({name: getattr(self, name) for name in (*WORDS, "problems")})
        arrays = {name: getattr(self, name) for name in ARRAYS}

        write_npz(path, header=header, **arrays)

    @classmethod
    def load(cls, path: Any) -> LabelNoiseStudy:
        """Load what :meth:`save` wrote."""
        found = read_npz(Path(path), *ARRAYS, "header")
        try:
            header = json.loads(str(found["header"]))
            arrays: dict[str, Any] = {name: found[name] for name in ARRAYS}
            words = {name: header[name] for name in WORDS}
            return cls(**arrays, **words, problems=tuple(header["problems"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"path: {str(path)!r} is no saved study of label noise ({error})"
            ) from None


WORDS = ("n_eigenvalues", "network", "sample")
ARRAYS = tuple(f.name for f in fields(LabelNoiseStudy) if f.name not in (*WORDS, "problems"))


def _with_error(mean: float, error: float) -> str:
    """Show a mean to the digits that its standard error leaves, with the error in the last ones."""
    if not np.isfinite(mean):
        return "–"
    if not error > 0:
        return f"{mean:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{mean:.{digits}f}±{error:.{digits}f}"


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks = rankdata(values)
    return ranks - ranks.mean() if len(ranks) else ranks


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; NaN where one does not vary."""
    if len(a) < 2:
        return np.nan
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else np.nan
