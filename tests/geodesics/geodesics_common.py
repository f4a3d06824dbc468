"""What the tests of geodesics share."""

import numpy as np
import pytest
from cases import (
    END,
    ENERGY_METRICS,
    FISHER_RAO_METRICS,
    L2_METRICS,
    METRICS,
    OTHER_METRICS,
    SPACE,
)

import geomnet as gn

START = SPACE.identity


ONE_OF_EACH = [L2_METRICS[0], ENERGY_METRICS[1], FISHER_RAO_METRICS[0], *OTHER_METRICS[::3]]


one_of_each = pytest.mark.parametrize("metric", ONE_OF_EACH)


def solve(metric, start=START, end=END, n_steps=16, **options):
    return gn.geodesic(metric, start, end, n_steps=n_steps, certify_index=False, **options)


def places(*batch, seed=0, size=0.15):
    rng = np.random.default_rng(seed)
    return START + size * rng.normal(size=(*batch, *SPACE.shape))


def order(steps, errors):
    return -np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0]


def tiny(metric):
    """A metric of the same kind on two points of the plane, for what costs much by hand."""
    space = gn.FunctionSpace(gn.Sample([[-0.6, 0.1], [0.7, 0.4]], weights=[0.3, 0.7]))
    if isinstance(metric, gn.EnergyMetric):
        return gn.EnergyMetric(space, metric.kernel, metric.nugget)
    if isinstance(metric, gn.FisherRaoMetric):
        return gn.FisherRaoMetric(space, metric.likelihood, metric.readout, ridge=metric.ridge)
    if hasattr(metric, "terms"):
        first, *others = (a * tiny(m) for a, m in metric.terms)
        for other in others:
            first = first + other
        return first
    return type(metric)(space)


TINY_END = np.array([[-0.3, 0.5], [1.1, -0.2]])


# -- Hamilton's equations ---------------------------------------------------------------------

CURVED = [m for m in METRICS if m.values[0].structure != "flat" and m.id != "fisher_rao_gaussian"]


BAD_MAPS = {
    "nan": np.where(START > 1, np.nan, START),
    "infinite": np.where(START > 1, np.inf, START),
    "fewer": START[:4],
    "transposed": START.T,
    "flat": START.ravel(),
    "complex": START + 0j,
    "object": START.astype(object),
    "text": START.astype(str),
    "ragged": [[0.0], [1.0, 2.0]],
    "none": None,
}


each_bad_map = pytest.mark.parametrize("bad", BAD_MAPS.values(), ids=BAD_MAPS)
