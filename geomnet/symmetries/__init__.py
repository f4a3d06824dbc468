r"""Gauge moves: other parameters, the same map; and a check of what does not feel them.

Many θ are one function. Units of a layer have no order; a ReLU unit may be scaled up and what it
feeds scaled down; a tanh unit may change its sign; a unit may be split in two; logits of a softmax
may all move together. What changes under such a move belongs to the parametrisation, and only what
does not is geometry. :func:`check` puts a quantity of one's own to the test.

Examples
--------
>>> import geomnet as gn
>>> network = gn.FeedForward((4, 6, 6, 3), "relu")
>>> gn.gauge.moves(network)
{'permute': (1, 2), 'rescale': (1, 2), 'flip': (), 'split': (1, 2), 'shift': (3,)}
>>> report = gn.gauge.check(lambda network, theta: abs(theta).max(), network, network.init(seed=0))
>>> [kind for kind, difference in report.worst.items() if difference > 1e-9]
['rescale']
"""

from .check import GaugeCheck, GaugeReport, check
from .moved import Moved
from .moves import flip, permute, rescale, shift
from .quantities import PerNode, Spectrum
from .split import split
from .subject import moves

__all__ = [
    "GaugeCheck",
    "GaugeReport",
    "Moved",
    "PerNode",
    "Spectrum",
    "check",
    "flip",
    "moves",
    "permute",
    "rescale",
    "shift",
    "split",
]
