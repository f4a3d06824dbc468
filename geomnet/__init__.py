"""geomnet: differential geometry on network function space.

A deep network is a discretised curve of maps, from the identity to a target, on a Riemannian
manifold whose metric you choose. Its length is the network's complexity; the least-complexity
path is a geodesic.

The names that most scripts need are here; the rest are one level down, in the room of their
subject: ``gn.fisher``, ``gn.curvature``, ``gn.emergent``, ``gn.plotting``, ... All load when first
used, so that ``import geomnet`` and the command line start at once. ``__init__.pyi`` tells editors
the same.
"""

from __future__ import annotations

from importlib import import_module

from ._version import __version__

_HOMES = {
    "control": ("constrained_geodesic",),
    "curvature": ("forman", "ollivier", "resistance_curvature", "ricci_flow"),
    "emergent": ("EmergentGeometry",),
    "errors": ("ConvergenceError", "InputError"),
    "fisher": ("FisherInformation", "ParameterFisherMetric", "effective_dimension"),
    "geodesics": (
        "LogSolver",
        "PathNewton",
        "Shooting",
        "conjugate_points",
        "geodesic",
        "geodesic_batch",
        "jacobi_fields",
        "parallel_transport",
        "ray",
    ),
    "geometry": ("Curve", "FunctionSpace", "GaussianKernel", "Matern32Kernel", "Sample"),
    "likelihoods": ("Bernoulli", "Categorical", "Gaussian"),
    "mean_field": ("MeanField",),
    "metrics": (
        "ChartMetric",
        "EnergyMetric",
        "FisherRaoMetric",
        "ImmersionMetric",
        "L2Metric",
        "Metric",
        "check_geodesic",
        "check_metric",
    ),
    "networks": ("FeedForward", "Network", "Readout", "TanhField", "model"),
    "plotting": ("plot_landscape",),
    "predictions": ("InPCA", "Predictions"),
    "studies": ("compare",),
    "training": ("train",),
    "utils.versions": ("show_versions",),
}
"""Names at the top, by the module they are taken from."""

_ROOMS = {
    "control": "control",
    "curvature": "curvature",
    "datasets": "geometry.datasets",
    "emergent": "emergent",
    "errors": "errors",
    "fisher": "fisher",
    "gauge": "symmetries",
    "geodesics": "geodesics",
    "geometry": "geometry",
    "likelihoods": "likelihoods",
    "linalg": "linalg",
    "mean_field": "mean_field",
    "metrics": "metrics",
    "networks": "networks",
    "plotting": "plotting",
    "predictions": "predictions",
    "reports": "reports",
    "studies": "studies",
    "symmetries": "symmetries",
    "training": "training",
}
"""Rooms one level down, by the module that each is."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF), *_ROOMS]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        value: object = import_module(f".{_ROOMS[name]}", __name__)
    elif name in _HOME_OF:
        value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    else:
        raise AttributeError(f"module 'geomnet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
