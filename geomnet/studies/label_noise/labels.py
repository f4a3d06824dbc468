"""Labels of which a share is random."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ...utils.validation import check_integer, check_positive

__all__ = ["noisy_labels"]


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
