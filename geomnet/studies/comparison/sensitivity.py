"""How the excess moves with the kernel's width and with the ridge."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ConvergenceError, InputError
from ...geodesics import geodesic
from ...geometry.curve import Curve
from ...geometry.kernels import radial_kernel
from ...geometry.space import FunctionSpace
from ...geometry.structure import Structure
from ...metrics import EnergyMetric, FisherRaoMetric
from .options import NETWORK
from .result import Comparison

__all__ = ["sensitivity"]

WIDTH_FACTORS = (0.5, 0.71, 1.0, 1.41, 2.0)
RIDGE_FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)


def sensitivity(result: Comparison, bar: Any) -> None:
    """Excess over kernel widths and ridges, by geodesics of 8 steps."""
    curve = result.network_curve
    of = NETWORK
    if curve is None:
        of = "straight line"
        start, end = result.sample.points, next(iter(result.geodesics.values())).path[-1]
        curve = Curve(np.stack([start, end]))
    result.sensitivity = {"of": of}
    space = FunctionSpace(result.sample)
    families = []
    energy = result.metrics.get("energy")
    if isinstance(energy, EnergyMetric):
        width = energy.kernel.width  # type: ignore[attr-defined]
        families.append(
            (
                "width",
                "energy",
                [factor * width for factor in WIDTH_FACTORS],
                lambda value: EnergyMetric(
                    space, radial_kernel(result.options.kernel, value), nugget=energy.nugget
                ),
            )
        )
    fisher = result.metrics.get("fisher-rao")
    if isinstance(fisher, FisherRaoMetric):
        families.append(
            (
                "ridge",
                "fisher-rao",
                [factor * fisher.ridge for factor in RIDGE_FACTORS],
                lambda value: FisherRaoMetric(
                    space, fisher.likelihood, fisher.readout, ridge=value
                ),
            )
        )
    for what, name, values, make in families:
        excesses: list[float] = []
        for value in values:
            bar.set_postfix_str(f"{name}, {what} {value:.3g}")
            try:
                metric = make(value)
                coupled = result.network_curve is not None and metric.structure is Structure.COUPLED
                geo = geodesic(
                    metric,
                    curve.start,
                    curve.end,
                    n_steps=8,
                    initial_path=curve.states if coupled else None,
                    certify_index=False,
                )
                excesses.append(curve.length(metric, rtol=1e-6) / geo.distance)
            except (ConvergenceError, InputError):  # a kernel too wide for these points, say
                excesses.append(float("nan"))
            bar.update()
        result.sensitivity[what] = {"metric": name, "value": values, "excess": excesses}
