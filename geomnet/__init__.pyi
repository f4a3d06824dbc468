"""What ``import geomnet`` offers, for editors; ``__init__.py`` loads it lazily."""

from . import (
    control as control,
)
from . import (
    curvature as curvature,
)
from . import (
    emergent as emergent,
)
from . import (
    errors as errors,
)
from . import (
    fisher as fisher,
)
from . import (
    geodesics as geodesics,
)
from . import (
    geometry as geometry,
)
from . import (
    likelihoods as likelihoods,
)
from . import (
    linalg as linalg,
)
from . import (
    mean_field as mean_field,
)
from . import (
    metrics as metrics,
)
from . import (
    networks as networks,
)
from . import (
    plotting as plotting,
)
from . import (
    predictions as predictions,
)
from . import (
    reports as reports,
)
from . import (
    studies as studies,
)
from . import symmetries as gauge
from . import (
    symmetries as symmetries,
)
from . import (
    training as training,
)
from ._version import __version__ as __version__
from .control import constrained_geodesic as constrained_geodesic
from .curvature import forman as forman
from .curvature import ollivier as ollivier
from .curvature import resistance_curvature as resistance_curvature
from .curvature import ricci_flow as ricci_flow
from .emergent import EmergentGeometry as EmergentGeometry
from .errors import ConvergenceError as ConvergenceError
from .errors import InputError as InputError
from .fisher import FisherInformation as FisherInformation
from .fisher import ParameterFisherMetric as ParameterFisherMetric
from .fisher import effective_dimension as effective_dimension
from .geodesics import LogSolver as LogSolver
from .geodesics import PathNewton as PathNewton
from .geodesics import Shooting as Shooting
from .geodesics import conjugate_points as conjugate_points
from .geodesics import geodesic as geodesic
from .geodesics import geodesic_batch as geodesic_batch
from .geodesics import jacobi_fields as jacobi_fields
from .geodesics import parallel_transport as parallel_transport
from .geodesics import ray as ray
from .geometry import Curve as Curve
from .geometry import FunctionSpace as FunctionSpace
from .geometry import GaussianKernel as GaussianKernel
from .geometry import Matern32Kernel as Matern32Kernel
from .geometry import Sample as Sample
from .geometry import datasets as datasets
from .likelihoods import Bernoulli as Bernoulli
from .likelihoods import Categorical as Categorical
from .likelihoods import Gaussian as Gaussian
from .mean_field import MeanField as MeanField
from .metrics import ChartMetric as ChartMetric
from .metrics import EnergyMetric as EnergyMetric
from .metrics import FisherRaoMetric as FisherRaoMetric
from .metrics import ImmersionMetric as ImmersionMetric
from .metrics import L2Metric as L2Metric
from .metrics import Metric as Metric
from .metrics import check_geodesic as check_geodesic
from .metrics import check_metric as check_metric
from .networks import FeedForward as FeedForward
from .networks import Network as Network
from .networks import Readout as Readout
from .networks import TanhField as TanhField
from .networks import model as model
from .plotting import plot_landscape as plot_landscape
from .predictions import InPCA as InPCA
from .predictions import Predictions as Predictions
from .studies import compare as compare
from .training import train as train
from .utils.versions import show_versions as show_versions
