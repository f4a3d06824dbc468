r"""The path over λ: what a network's complexity buys.

Least-action training minimises task loss + λ·energy (see :func:`geomnet.train`). At λ = 0 this is
plain training; as λ grows the network gives up complexity for loss, and in the limit it moves
nothing and the readout is left alone. Between the two lies the least loss at each complexity.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...errors import ConvergenceError, InputError
from ...geometry.datasets import read_npz
from ...geometry.sample import Sample
from ...likelihoods import Likelihood
from ...metrics import Metric
from ...networks import Network, Readout
from ...training import Fit, train
from ...utils.files import write_npz
from ...utils.validation import check_array, check_integer
from ..geodesics import is_shorter, solve

__all__ = ["LeastActionPath", "least_action_path"]

DEFAULT_SHARES = np.geomspace(1e-3, 10, 9)
"""λE(θ₀) of the default weights, θ₀ the plainly trained network."""

COLUMNS = {
    "weights": "λ",
    "losses": "loss",
    "train_scores": "train",
    "heldout_scores": "held out",
    "energies": "energy",
    "lengths": "length",
    "distances": "distance",
    "excesses": "excess",
}


@dataclass(frozen=True, eq=False)
class LeastActionPath:
    """Networks trained with one weight λ of their energy after the other.

    Attributes
    ----------
    weights : ndarray, shape (k,)
        The λ, increasing.
    losses, heldout_losses : ndarray, shape (k,)
        Task loss, without penalty and action; NaN without held-out data.
    train_scores, heldout_scores : ndarray, shape (k,)
        Share of right predictions; NaN where there is none.
    energies : ndarray, shape (k,)
        The discrete energy of the layers' path that was weighed by λ.
    lengths : ndarray, shape (k,)
        Complexity: length of the layers' path, its steps subdivided until converged.
    distances, errors : ndarray, shape (k,)
        Complexity of the map reached: distance from the identity, with its error estimate; NaN
        where no geodesic was asked for, or none was found.
    thetas : ndarray, shape (k, L, p)
    readout_weights, readout_biases : ndarray, shapes (k, C, d) and (k, C)
    metric : str
        In words.
    problems : tuple of str
        What went wrong; empty where all is well.
    """

    weights: np.ndarray
    losses: np.ndarray
    heldout_losses: np.ndarray
    train_scores: np.ndarray
    heldout_scores: np.ndarray
    energies: np.ndarray
    lengths: np.ndarray
    distances: np.ndarray
    errors: np.ndarray
    thetas: np.ndarray = field(repr=False)
    readout_weights: np.ndarray = field(repr=False)
    readout_biases: np.ndarray = field(repr=False)
    metric: str
    problems: tuple[str, ...] = ()

    @property
    def excesses(self) -> np.ndarray:
        """Length over distance, at least 1, (k,)."""
        moved = self.distances > 0
        return np.divide(self.lengths, self.distances, out=np.full(len(moved), np.nan), where=moved)

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """The readout trained with each λ."""
        return tuple(map(Readout, self.readout_weights, self.readout_biases))

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        def ends(values):
            return f"{values[0]:.4g}..{values[-1]:.4g}"

        problems = f", problems={len(self.problems)}" if self.problems else ""
        return (
            f"LeastActionPath(k={len(self)}, weights={ends(self.weights)}, "
            f"losses={ends(self.losses)}, lengths={ends(self.lengths)}, "
            f"metric={self.metric}{problems})"
        )

    def __str__(self) -> str:
        return "\n".join([f"least action in {self.metric}", "", self.table(), *self.problems])

    def table(self) -> str:
        """One row a λ, as text; columns without any number are left out."""
        columns = []
        for name, head in COLUMNS.items():
            values = getattr(self, name)
            if np.isfinite(values).any():
                digits = 3 if name.endswith("scores") else 4
                cells = [f"{v:.{digits}g}" if np.isfinite(v) else "–" for v in values]
                width = max(map(len, [head, *cells]))
                columns.append([cell.rjust(width) for cell in (head, *cells)])
        lines = ["  ".join(row) for row in zip(*columns)]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the parameters as plain numbers, for JSON; None for NaN."""
        rows = {
            name: [None if np.isnan(v) else float(v) for v in getattr(self, name)]
            for name in (*(n for n in ARRAYS if getattr(self, n).ndim == 1), "excesses")
        }
        return {**rows, "metric": self.metric, "problems": list(self.problems)}

    def save(self, path: Any) -> None:
        """Save everything as an NPZ, whole or not at all."""
        header = json.dumps({"metric": self.metric, "problems": self.problems})
        arrays = {name: getattr(self, name) for name in ARRAYS}

        write_npz(path, header=header, **arrays)

    @classmethod
    def load(cls, path: Any) -> LeastActionPath:
        """Load what :meth:`save` wrote."""
        found = read_npz(Path(path), *ARRAYS, "header")
        try:
            header = json.loads(str(found["header"]))
            return cls(
                **{name: found[name] for name in ARRAYS},
                metric=header["metric"],
                problems=tuple(header["problems"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"path: {str(path)!r} is no saved path of least action ({error})"
            ) from None


ARRAYS = tuple(f.name for f in fields(LeastActionPath) if f.name not in ("metric", "problems"))


def least_action_path(
    network: Network,
    sample: Sample,
    likelihood: Likelihood,
    metric: Metric,
    weights: Any = None,
    *,
    n_steps: int | None = 16,
    method: str = "lbfgs",
    **training: Any,
) -> LeastActionPath:
    r"""Train by least action over a grid of weights λ, each from where the last one ended.

    Parameters
    ----------
    network : Network
    sample : Sample
    likelihood : Likelihood
    metric : Metric
        In which the energy is measured, on the sample's function space.
    weights : array_like, shape (k,), optional
        The λ, from small to large. By default 0 and nine more for which λ·energy of the plainly
        trained network is 0.001 to 10: a range in which the action goes from hardly felt to
        all there is, whatever the metric's units.
    n_steps : int, optional
        Of the geodesics that tell the distance of each map reached; None to do without.
    method : {"lbfgs", "adam"}
        L-BFGS minimises the objective itself, so that loss and energy fall on one curve.
    **training
        Of :func:`geomnet.train`: `heldout`, `epochs` (of each λ), `weight_decay`, `seed`, …

    Returns
    -------
    LeastActionPath

    Raises
    ------
    InputError
        For unusable arguments. A geodesic that does not converge is told in `problems`.

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("iris", n=60, seed=0)
    >>> network = gn.Network(gn.TanhField(dim=4, width=8), depth=4)
    >>> metric = gn.L2Metric(gn.FunctionSpace(sample))
    >>> path = gn.studies.least_action_path(
    ...     network, sample, gn.Categorical(3), metric, [0, 0.01, 0.1, 1], epochs=100
    ... )
    >>> bool((path.energies[1:] < path.energies[:-1]).all()), path.problems
    (True, ())
    >>> bool(path.excesses[-1] < path.excesses[0])
    True
    """
    if not isinstance(metric, Metric):
        raise InputError(
            "metric: expected one on the sample's function space, such as "
            f"gn.L2Metric(gn.FunctionSpace(sample)), got {metric!r}"
        )
    for name in ("action", "weight"):
        if name in training:
            raise InputError(f"{name}: set by metric and weights; leave it out")
    if n_steps is not None:
        check_integer("n_steps", n_steps, least=8, multiple_of=4)
    grid = None if weights is None else _grid(weights)
    fits: list[Fit] = []

    def step(weight: float) -> Fit:
        """Train with one λ, from where the last one ended."""
        start = {"theta": fits[-1].theta, "readout": fits[-1].readout} if fits else {}
        return train(
            network,
            sample,
            likelihood,
            method=method,
            action=metric,
            weight=weight,
            **{**training, **start},
        )

    if grid is None:
        fits.append(step(0.0))
        energy = fits[0].action_energy
        assert energy is not None
        if not energy > 0:
            raise InputError("weights: plain training moves nothing, so no weight can be chosen")
        grid = np.concatenate([[0.0], DEFAULT_SHARES / energy])
    bar = tqdm(grid[len(fits) :], desc="least action", unit="λ", disable=None, leave=False)
    for weight in bar:
        fits.append(step(float(weight)))
    patience = training.get("patience") is not None
    return _measured(network, sample, metric, grid, fits, n_steps, patience)


def _grid(weights: Any) -> np.ndarray:
    """Check the weights: at least one, not negative, increasing."""
    grid = check_array("weights", weights, ndim=1)
    if not len(grid):
        raise InputError("weights: expected at least one")
    if grid.min() < 0:
        raise InputError(f"weights: expected none below zero, got {grid.min():g}")
    if (np.diff(grid) <= 0).any():
        raise InputError("weights: expected them to increase: each training goes on from the last")
    return grid


def _measured(
    network: Network,
    sample: Sample,
    metric: Metric,
    weights: np.ndarray,
    fits: list[Fit],
    n_steps: int | None,
    patience: bool,
) -> LeastActionPath:
    """Lengths of the paths, and distances of the maps they reach."""
    lengths, distances, errors = (np.full(len(fits), np.nan) for _ in range(3))
    problems: list[str] = []
    for k, fit in enumerate(fits):
        name = f"λ = {weights[k]:.4g}"
        curve = network.curve(fit.theta, sample)
        try:
            lengths[k] = curve.length(metric)
            if n_steps is None:
                continue
            geo = solve(metric, curve.start, curve.end, curve, n_steps)
        except (ConvergenceError, InputError) as error:
            problems.append(f"{name}: {error}")
            continue
        distances[k], errors[k] = geo.distance, geo.error_estimate
        if not geo.certificate.converged:
            problems.append(f"{name}: the geodesic did not converge: {geo.status}")
        elif is_shorter(lengths[k], geo):
            problems.append(
                f"{name}: the network's length {lengths[k]:.8g} is below the distance "
                f"{geo.distance:.8g} ± {geo.error_estimate:.1e}; the geodesic was only local"
            )

    def column(values: Callable[[Fit], float | None]) -> np.ndarray:
        return np.array([np.nan if (v := values(fit)) is None else v for fit in fits])

    def last(fit: Fit) -> int:
        """Epoch of the parameters returned: with patience, that of the least held-out loss."""
        return int(np.argmin(fit.heldout_losses)) if patience else -1

    def heldout_loss(fit: Fit) -> float | None:
        return fit.heldout_losses[last(fit)] if len(fit.heldout_losses) else None

    return LeastActionPath(
        weights=weights,
        losses=column(lambda fit: fit.losses[last(fit)]),
        heldout_losses=column(heldout_loss),
        train_scores=column(lambda fit: fit.train_accuracy),
        heldout_scores=column(lambda fit: fit.heldout_accuracy),
        energies=column(lambda fit: fit.action_energy),
        lengths=lengths,
        distances=distances,
        errors=errors,
        thetas=np.stack([fit.theta for fit in fits]),
        readout_weights=np.stack([fit.readout.weight for fit in fits]),
        readout_biases=np.stack([fit.readout.bias for fit in fits]),
        metric=repr(metric),
        problems=tuple(problems),
    )
