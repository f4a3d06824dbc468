"""What a comparison begins with: the sample it draws, the target it takes, a readout of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ...geometry import datasets
from ...geometry.sample import Sample
from ...likelihoods import Categorical, Gaussian, Likelihood
from ...networks import Readout
from .options import Options, TargetKind

__all__ = ["load", "n_classes_of", "readout_of", "target_kind"]

MANY_CLASSES = 10
"""So many classes are taken of any sample; more than that only up to one for every two points."""


def load(options: Options, given: Sample | None, seed: int) -> tuple[Sample, Sample | None]:
    """Draw the sample and what is held out, its labels as codes 0..C−1."""
    target = None
    if options.target not in (None, TargetKind.TRAINED, TargetKind.SWIRL):
        path = Path(str(options.target))
        if path.suffix.lower() != ".npz":
            raise InputError(
                f"target: expected trained, swirl or an NPZ file, got {options.target!r}"
            )
        if not datasets.is_file(path):
            raise InputError(f"target: no file {str(options.target)!r}")
        target = datasets.read_npz(path, "target")["target"]
    if given is not None:
        whole = given if target is None else given.replace(target=target)
        sample: Sample = whole.merge_duplicates()
        heldout = None
    else:
        sample, heldout = datasets.load_split(
            options.data, n=options.n, seed=seed, label_column=options.label_column, target=target
        )
    return _coded(sample, heldout)


def _coded(sample: Sample, heldout: Sample | None) -> tuple[Sample, Sample | None]:
    """Labels as codes 0..C−1, of both samples alike."""
    if sample.labels is None:
        return sample, heldout
    together = [sample.labels]
    if heldout is not None and heldout.labels is not None:
        together.append(heldout.labels)
    classes, codes = np.unique(np.concatenate(together), return_inverse=True)
    few = 0 if classes.dtype.kind == "f" else MANY_CLASSES
    if len(classes) > max(few, sample.n // 2):
        raise InputError(
            f"labels: {len(classes)} different ones for {sample.n} points are no classes; "
            "leave the label column out, or bin it"
        )
    codes = codes.reshape(-1)
    sample = sample.replace(labels=codes[: sample.n])
    if heldout is not None:
        heldout = heldout.replace(labels=codes[sample.n :])
    return sample, heldout


def target_kind(options: Options, sample: Sample) -> TargetKind:
    """Tell which target is meant, and see that the sample has it."""
    kind = _default_kind(sample) if options.target is None else _named_kind(options.target)
    if kind is TargetKind.TRAINED:
        if sample.labels is None:
            raise InputError(
                "target: trained needs labels, and the data has none; name a label column, or "
                "use --target swirl"
            )
        if len(np.unique(sample.labels)) < 2:
            raise InputError(
                "labels: all points have the same one, so there is nothing to train; use "
                "--target swirl"
            )
    if kind is TargetKind.FILE and sample.target is None:
        raise InputError("target: the sample has none; give one, or use --target swirl")
    return kind


def _default_kind(sample: Sample) -> TargetKind:
    """What a sample's own labels or target ask for."""
    if sample.labels is not None:
        return TargetKind.TRAINED
    return TargetKind.SWIRL if sample.target is None else TargetKind.FILE


def _named_kind(target: str) -> TargetKind:
    """What was asked for; any other name is that of a file."""
    known = (TargetKind.TRAINED, TargetKind.SWIRL)
    return TargetKind(target) if target in known else TargetKind.FILE


def n_classes_of(sample: Sample, heldout: Sample | None) -> int:
    """How many classes there are, held-out ones too; at least two."""
    assert sample.labels is not None
    labels = [sample.labels] if heldout is None else [sample.labels, heldout.labels]
    return max(2, int(max(part.max() for part in labels if part is not None)) + 1)


def readout_of(
    sample: Sample, target: np.ndarray, heldout: Sample | None
) -> tuple[Likelihood, Readout]:
    """Readout for a target that was not trained: logistic regression, or the states themselves."""
    if sample.labels is None or len(np.unique(sample.labels)) < 2:
        return Gaussian(1.0, sample.dim), Readout(np.eye(sample.dim))
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=5000, C=1.0)
    model.fit(target, sample.labels, sample_weight=sample.weights * sample.n)
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    n_classes = n_classes_of(sample, heldout)
    full_weight = np.zeros((n_classes, sample.dim))
    full_bias = np.full(n_classes, bias.min() - 10.0)  # classes the sample does not hold
    full_weight[model.classes_], full_bias[model.classes_] = weight, bias
    return Categorical(n_classes), Readout(full_weight, full_bias)
