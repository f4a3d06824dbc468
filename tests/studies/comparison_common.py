"""What the tests of comparison share."""

import dataclasses
import functools

import geomnet as gn

METRICS = ("l2", "energy", "fisher-rao")


SMALL = {"n": 30, "depth": 3, "steps": 8}


QUICK = {"n": 20, "depth": 2, "steps": 8, "metrics": ("l2",)}


def flowers(n=30, seed=0):
    return gn.datasets.load("iris", n=n, seed=seed)


@functools.cache
def case(name):
    """One comparison of each kind, made once."""
    if name == "trained":
        return gn.compare("iris", **SMALL)
    if name == "swirl":
        return gn.compare("iris", target="swirl", **SMALL)
    if name == "least action":
        return gn.compare("iris", least_action=1e-2, **SMALL)
    return gn.compare(gn.Sample(flowers().points, name="unlabelled"), **SMALL)


def stretched(geo, by=1.5, **certificate):
    return dataclasses.replace(
        geo,
        distance=by * geo.distance,
        certificate=dataclasses.replace(geo.certificate, **certificate),
    )
