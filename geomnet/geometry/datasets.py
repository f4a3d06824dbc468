"""Real data without a download: scikit-learn's own sets, and a user's CSV or NPZ files.

Every loader merges duplicate points, standardises the columns (constant ones stay zero) and
notes on the sample what it did.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..utils.validation import check_array, check_integer, check_positive
from .sample import Sample

__all__ = ["NAMES", "load", "load_split", "standardise", "swirl"]

NAMES = ("digits", "iris", "wine", "breast_cancer", "moons")


def load(
    data: str | Path, n: int | None = None, seed: int = 0, label_column: str | None = None
) -> Sample:
    """Load a sample: `n` standardised points of a named set or a file, drawn with `seed`.

    Parameters
    ----------
    data : str or Path
        ``"digits"``, ``"iris"``, ``"wine"``, ``"breast_cancer"``, ``"moons"``, or the path of a
        CSV (header, numeric columns, optionally a column of labels) or an NPZ (``points``,
        optionally ``labels``, ``weights``, ``target``).
    n : int, optional
        How many points to draw at random; all of them by default or where there are fewer.
    seed : int
        Seed of the draw (and of the noise of ``moons``).
    label_column : str, optional
        The CSV column that holds the labels.

    Returns
    -------
    Sample
        Its ``notes`` say what was done.

    Examples
    --------
    >>> import geomnet as gn
    >>> gn.datasets.load("iris", n=100, seed=0)
    Sample(name='iris', n=100, dim=4, classes=3)
    """
    return load_split(data, n=n, seed=seed, label_column=label_column)[0]


def load_split(
    data: str | Path,
    n: int | None = None,
    seed: int = 0,
    label_column: str | None = None,
    target: Any = None,
) -> tuple[Sample, Sample | None]:
    """Load a sample and the points held out of it, standardised by the sample's moments.

    Parameters
    ----------
    data, n, seed, label_column
        As for :func:`load`.
    target : array_like, optional
        Where a map sends each row of the data, before merging, drawing and standardising; it
        moves with the points.

    Returns
    -------
    sample : Sample
    heldout : Sample or None
        The points not drawn, None where all were.
    """
    seed = check_integer("seed", seed, least=0)
    whole = _read(data, seed, label_column)
    if target is not None:
        whole = whole.replace(target=target)
    whole = whole.merge_duplicates()
    if n is not None:
        n = check_integer("n", n, least=1)
        if n > whole.n:
            whole = whole.noted(f"all {whole.n} points taken: fewer than the {n} asked for")
            n = None
    if n is None or n == whole.n:
        return standardise(whole)[0], None
    order = np.random.default_rng(seed).permutation(whole.n)
    drawn = whole.take(np.sort(order[:n])).noted(f"{n} of {whole.n} points drawn at random")
    sample, heldout = standardise(drawn, whole.take(np.sort(order[n:])))
    return sample, heldout


def standardise(sample: Sample, *others: Sample) -> tuple[Sample, ...]:
    """Centre each column and scale it to unit variance, by the weighted moments of `sample`.

    Columns that are constant on the sample become zero, in `others` too: the sample says
    nothing of them. Targets move with the points.
    """
    mean = sample.weights @ sample.points
    size = np.abs(sample.points - mean).max(axis=0)
    size[size == 0] = 1.0  # measured in it, squares of huge numbers do not overflow
    spread = size * np.sqrt(sample.weights @ ((sample.points - mean) / size) ** 2)
    constant = spread <= 1e-12 * np.abs(sample.points).max(axis=0)
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, spread))
    note = "features standardised"
    if constant.any():
        note += f" ({int(constant.sum())} constant columns are zero)"
    return tuple(
        s.replace(
            points=(s.points - mean) * scale,
            # a target may move a constant column: it is shifted, and keeps its own unit
            target=None if s.target is None else (s.target - mean) * np.where(constant, 1.0, scale),
        ).noted(note)
        for s in (sample, *others)
    )


def swirl(points: np.ndarray, angle: float = 1.5, width: float = 1.0) -> np.ndarray:
    r"""Turn the first two principal directions by an angle that fades with the radius.

    In the plane of the two leading principal directions (through the mean, scaled to unit
    variance) the point at radius :math:`r` turns by :math:`\text{angle}\cdot e^{-r^2/2\,
    \text{width}^2}`; all other directions stay. The radius is kept, so this is an analytic
    diffeomorphism, smoothly joined to the identity. In one dimension it is the monotone map
    :math:`x + \tfrac12\,\text{angle}\cdot\tanh(x)`.

    Parameters
    ----------
    points : array_like, shape (n, d)
    angle : float
        Turn at the centre, in radians.
    width : float
        Width of the turning region, in standard deviations.

    Returns
    -------
    ndarray, shape (n, d)
    """
    points = check_array("points", points, ndim=2)
    angle = float(check_array("angle", angle, ndim=0))
    width = check_positive("width", width)
    centre = points.mean(axis=0)
    moved = points - centre
    if points.shape[1] == 1:
        if angle <= -2:
            raise InputError(
                f"angle: in one dimension above -2, or points change order; got {angle}"
            )
        return points + 0.5 * angle * np.tanh(moved)
    _, spread, axes = np.linalg.svd(moved, full_matrices=False)
    if len(axes) < 2:  # a single point: the centre stays
        return points.copy()
    scale = max(spread[0] / np.sqrt(len(points)), 1e-300)
    axes = axes[:2].copy()
    # singular vectors have no sign of their own: theirs must not depend on the machine
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    if points.shape[1] == 2 and np.linalg.det(axes) < 0:
        axes[1] *= -1  # counterclockwise, however the data is turned
    plane = moved @ axes.T / scale
    turn = angle * np.exp(-np.sum(plane**2, axis=1) / (2 * width**2))
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.stack(
        [cos * plane[:, 0] - sin * plane[:, 1], sin * plane[:, 0] + cos * plane[:, 1]], axis=1
    )
    return points + scale * (turned - plane) @ axes


def _read(data: str | Path, seed: int, label_column: str | None) -> Sample:
    name = str(data)
    if name in NAMES:
        if label_column is not None:
            raise InputError(
                f"label_column: {name} has its own labels; name a column only for a CSV file"
            )
        return _builtin(name, seed)
    path = Path(data)
    if not is_file(path) and not path.suffix:
        raise InputError(
            f"data: {name!r} is neither a known data set ({', '.join(NAMES)}) nor a file"
        )
    if not is_file(path):
        raise InputError(f"data: no file {name!r}")
    if path.suffix.lower() == ".npz":
        if label_column is not None:
            raise InputError("label_column: an NPZ names its own 'labels'; name a column of a CSV")
        return _npz_sample(path)
    if path.suffix.lower() in (".csv", ".txt"):
        return _csv_sample(path, label_column)
    raise InputError(f"data: {name!r} is neither a CSV nor an NPZ file (by its ending)")


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name is too long to ask."""
    try:
        return path.is_file()
    except OSError:
        return False


def _builtin(name: str, seed: int) -> Sample:
    from sklearn import datasets as sk

    if name == "moons":
        points, labels = sk.make_moons(n_samples=500, noise=0.1, random_state=seed % 2**32)
    else:
        points, labels = getattr(sk, f"load_{name}")(return_X_y=True)
    return Sample(points, labels=labels, name=name)


def read_npz(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Read arrays of an NPZ by name, the first of them required; never unpickle anything."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise InputError(f"{path}: holds one bare array; save it with numpy.savez")
        with loaded as archive:
            if names[0] not in archive.files:
                raise InputError(
                    f"{path}: no array {names[0]!r} in it; it holds "
                    f"{', '.join(archive.files) or 'nothing'}"
                )
            found = {}
            for name in names:
                if name in archive.files:
                    try:
                        found[name] = archive[name]
                    except ValueError:
                        raise InputError(
                            f"{path}: {name!r} holds pickled objects, which are never loaded; "
                            "save plain numbers or strings"
                        ) from None
            return found
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a readable NPZ file ({error})") from None


def _npz_sample(path: Path) -> Sample:
    arrays: dict[str, Any] = read_npz(path, "points", "labels", "weights", "target")
    return Sample(name=path.stem, **arrays)


def _csv_sample(path: Path, label_column: str | None) -> Sample:
    frame = _csv_frame(path)
    labels = None if label_column is None else _pop_labels(path, frame, label_column)
    return Sample(_numbers(path, frame), labels=labels, name=path.stem)


def _csv_frame(path: Path) -> Any:
    """Read a table with a header, a pandas frame."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # pandas would take the first fields of rows longer than the header for an index
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, index_col=False)
            # pandas renames what stands twice in a header: the line itself tells
            first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    except pd.errors.ParserWarning:
        raise InputError(f"{path}: its rows have more fields than its header") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})".replace("\n", " ")) from None
    _check_header(path, [str(name) for name in first.iloc[0]], frame)
    return frame


def _check_header(path: Path, header: list[str], frame: Any) -> None:
    """Raise where the first line of a table is a row of data, which would be lost as names."""
    if all(map(_is_number, header)):
        raise InputError(
            f"{path}: its first line is all numbers, so it has no header; write the names of the "
            "columns there"
        )
    measured = [name for name in header if _is_number(name) and not name.strip().isdigit()]
    again = [
        name
        for name, column in zip(header, frame.columns)
        if name and not _is_number(name) and (frame[column] == name).any()
    ]
    if measured or again:
        raise InputError(
            f"{path}: its first line holds {(measured + again)[0]!r}, a value and no name, so it "
            "has no header; write the names of the columns there"
        )


def _pop_labels(path: Path, frame: Any, label_column: str) -> np.ndarray:
    """Take the labels out of a table."""
    if label_column not in frame.columns:
        raise InputError(
            f"label_column: {path} has no column {label_column!r}; it has "
            f"{', '.join(map(str, frame.columns))}"
        )
    column = frame.pop(label_column)
    if column.isna().any():
        raise InputError(
            f"label_column: {int(column.isna().sum())} labels are missing in "
            f"{label_column!r}; drop those rows first"
        )
    labels: np.ndarray = column.to_numpy()
    return labels if labels.dtype.kind in "iubf" else labels.astype(str)


def _numbers(path: Path, frame: Any) -> np.ndarray:
    """What is left, which must be numbers."""
    if frame.empty:
        raise InputError(f"{path}: no rows of numbers under its header")
    text = [str(c) for c in frame.columns if frame[c].dtype.kind not in "iufb"]
    if text:
        raise InputError(
            f"{path}: column {', '.join(map(repr, text))} holds text; remove it, or name it as "
            "the label column"
        )
    points: np.ndarray = frame.to_numpy(dtype=np.float64)
    if not np.isfinite(points).all():
        row, column_index = map(int, np.argwhere(~np.isfinite(points))[0])
        raise InputError(
            f"{path}: missing or infinite number in column "
            f"{str(frame.columns[column_index])!r}, row {row + 2}; drop or impute it first"
        )
    return points


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
