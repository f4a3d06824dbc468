"""What solvers may exploit in a metric."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Structure"]


class Structure(StrEnum):
    """Kinds of metric, told apart by what a solver gains from knowing."""

    FLAT = "flat"
    """The metric is constant."""
    POINTWISE = "pointwise"
    """Points do not interact: see :class:`~geomnet.geometry.metric.PointwiseMetric`."""
    COUPLED = "coupled"
    """Nothing is known."""
    CHART = "chart"
    """A matrix in coordinates: see :class:`~geomnet.geometry.matrix_mechanics.MatrixMechanics`."""
    IMMERSION = "immersion"
    """Pulled back from an image: see :class:`~geomnet.geometry.metric.ImmersedMetric`."""

    @property
    def in_coordinates(self) -> bool:
        """Whether points are vectors of coordinates, (d,), at which the metric costs little."""
        return self in (Structure.CHART, Structure.IMMERSION)
