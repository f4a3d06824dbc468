"""geomnet: differential geometry on network function space.

A deep network is a discretised curve of maps, from the identity to a target, on a Riemannian
manifold whose metric you choose. Its length is the network's complexity; the least-complexity
path is a geodesic.

Names load when first used, so that ``import geomnet`` and the command line start at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import datasets
    from .architecture import (
        ArchitectureGeodesic,
        ArchitectureLagrangian,
        ArchitectureSQP,
        fit_geodesic,
    )
    from .checks import check_geodesic, check_metric
    from .curve import Curve
    from .errors import (
        ConvergenceError,
        DomainError,
        GeomnetError,
        InputError,
        SingularKernelError,
    )
    from .fisher import (
        Estimate,
        FisherInformation,
        InPCA,
        KroneckerFisher,
        MeanField,
        NaturalGradientFit,
        ParameterFisherMetric,
        Predictions,
        Progress,
        SimulatedSpectrum,
        effective_dimension,
        layer_predictions,
        local_effective_dimension,
        natural_gradient,
    )
    from .geodesics import (
        Certificate,
        ConjugatePoint,
        ExpSolver,
        Geodesic,
        JacobiFields,
        LogSolver,
        PathLBFGS,
        PathNewton,
        PathNewtonCG,
        PointwiseNewton,
        Ray,
        Shooting,
        SpectralPath,
        StraightLine,
        Transport,
        conjugate_points,
        geodesic,
        geodesic_batch,
        hamiltonian_flow,
        jacobi_fields,
        parallel_transport,
        ray,
    )
    from .graph import (
        ActivationInformation,
        CausalLength,
        CorrelationLength,
        EmergentGeometry,
        FisherAngle,
        FisherChord,
        FlowResistance,
        GeometryDerivative,
        Relation,
        ResistanceCurvature,
        RicciFlow,
        WeightedGraph,
        effective_resistance,
        forman,
        gauge,
        ollivier,
        resistance_curvature,
        ricci_flow,
        write_graph,
    )
    from .kernels import (
        FeatureKernel,
        GaussianKernel,
        Kernel,
        Matern32Kernel,
        Matern52Kernel,
        RadialKernel,
    )
    from .likelihoods import (
        Bernoulli,
        Categorical,
        Gaussian,
        HeteroscedasticGaussian,
        Likelihood,
    )
    from .metrics import (
        ChartMetric,
        EnergyMetric,
        FisherRaoMetric,
        ImmersionMetric,
        L2Metric,
        Metric,
    )
    from .networks import (
        RK4,
        Action,
        Euler,
        FeedForward,
        Field,
        Fit,
        FunctionField,
        LinearField,
        Midpoint,
        Network,
        RandomFeatureField,
        Readout,
        ReLUField,
        TanhField,
        train,
    )
    from .path_energy import PathEnergy
    from .reports import (
        draw_curvature,
        draw_geometry,
        draw_label_noise,
        draw_landscape,
        draw_layers,
        draw_least_action,
        draw_spectrum,
        draw_time,
        write_report,
    )
    from .sample import Sample
    from .space import ChartSpace, FunctionSpace
    from .studies import (
        Comparison,
        LabelNoiseStudy,
        LeastActionPath,
        compare,
        label_noise_study,
        least_action_path,
        noisy_labels,
    )
    from .versions import show_versions

_HOMES = {
    "architecture": (
        "ArchitectureGeodesic",
        "ArchitectureLagrangian",
        "ArchitectureSQP",
        "fit_geodesic",
    ),
    "checks": ("check_geodesic", "check_metric"),
    "curve": ("Curve",),
    "errors": (
        "ConvergenceError",
        "DomainError",
        "GeomnetError",
        "InputError",
        "SingularKernelError",
    ),
    "fisher": (
        "Estimate",
        "FisherInformation",
        "InPCA",
        "KroneckerFisher",
        "MeanField",
        "NaturalGradientFit",
        "ParameterFisherMetric",
        "Predictions",
        "Progress",
        "SimulatedSpectrum",
        "effective_dimension",
        "layer_predictions",
        "local_effective_dimension",
        "natural_gradient",
    ),
    "geodesics": (
        "Certificate",
        "ConjugatePoint",
        "ExpSolver",
        "Geodesic",
        "JacobiFields",
        "LogSolver",
        "PathLBFGS",
        "PathNewton",
        "PathNewtonCG",
        "PointwiseNewton",
        "Ray",
        "Shooting",
        "SpectralPath",
        "StraightLine",
        "Transport",
        "conjugate_points",
        "geodesic",
        "geodesic_batch",
        "hamiltonian_flow",
        "jacobi_fields",
        "parallel_transport",
        "ray",
    ),
    "graph": (
        "ActivationInformation",
        "CausalLength",
        "CorrelationLength",
        "EmergentGeometry",
        "FisherAngle",
        "FisherChord",
        "FlowResistance",
        "GeometryDerivative",
        "Relation",
        "ResistanceCurvature",
        "RicciFlow",
        "WeightedGraph",
        "effective_resistance",
        "forman",
        "ollivier",
        "resistance_curvature",
        "ricci_flow",
        "write_graph",
    ),
    "kernels": (
        "FeatureKernel",
        "GaussianKernel",
        "Kernel",
        "Matern32Kernel",
        "Matern52Kernel",
        "RadialKernel",
    ),
    "likelihoods": (
        "Bernoulli",
        "Categorical",
        "Gaussian",
        "HeteroscedasticGaussian",
        "Likelihood",
    ),
    "metrics": (
        "ChartMetric",
        "EnergyMetric",
        "FisherRaoMetric",
        "ImmersionMetric",
        "L2Metric",
        "Metric",
    ),
    "networks": (
        "RK4",
        "Action",
        "Euler",
        "FeedForward",
        "Field",
        "Fit",
        "FunctionField",
        "LinearField",
        "Midpoint",
        "Network",
        "RandomFeatureField",
        "ReLUField",
        "Readout",
        "TanhField",
        "train",
    ),
    "path_energy": ("PathEnergy",),
    "reports": (
        "draw_curvature",
        "draw_geometry",
        "draw_label_noise",
        "draw_landscape",
        "draw_layers",
        "draw_least_action",
        "draw_spectrum",
        "draw_time",
        "write_report",
    ),
    "sample": ("Sample",),
    "space": ("ChartSpace", "FunctionSpace"),
    "studies": (
        "Comparison",
        "LabelNoiseStudy",
        "LeastActionPath",
        "compare",
        "label_noise_study",
        "least_action_path",
        "noisy_labels",
    ),
    "versions": ("show_versions",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", "datasets", "gauge", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module(".datasets", __name__)
    if name == "gauge":
        return import_module(".graph.gauge", __name__)
    if name in _HOME_OF:
        value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'geomnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
