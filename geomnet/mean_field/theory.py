"""Mean-field theory of the Fisher spectrum: wide random networks in five numbers.

Source: Karakida, Akaho & Amari 2019, *Universal statistics of Fisher information in deep neural
networks: mean field approach*, AISTATS (arXiv 1806.01316).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.linalg import eigvalsh

from ..errors import InputError
from ..fisher.information import FisherInformation
from ..likelihoods import Gaussian
from ..networks import FeedForward
from ..utils.arrays import Array
from ..utils.validation import check_array, check_integer, check_positive
from .order_parameters import OrderParameters, linearised_activation, propagate
from .simulation import FunctionNetwork, Measurement, SimulatedSpectrum

__all__ = ["MeanField"]


@dataclass(frozen=True)
class MeanField:
    r"""Fisher spectrum of a wide random feed-forward network, in the limit of large width.

    Layers :math:`u^l = W^lh^{l-1} + b^l`, :math:`h^l = φ(u^l)`, of width :math:`M_l = α_lM`,
    the last linear with C outputs; :math:`W^l_{ij} \sim N(0, σ_w^2/M_{l-1})`,
    :math:`b^l_i \sim N(0, σ_b^2)`, inputs standard normal. The likelihood is Gaussian with
    σ = 1, so the Fisher matrix over T inputs is :math:`F = \frac1T\sum_tJ_t^\top J_t`. It has
    :math:`P \approx αM^2` parameters, :math:`α = \sum_{l<L}α_lα_{l-1}`, and

    .. math::
        \text{mean eigenvalue} &= κ_1C/M, \\
        \text{second moment} &= α\left[\tfrac{T-1}Tκ_2^2 + \tfrac1Tκ_1^2\right]C, \\
        λ_{\max} &= α\left[\tfrac{T-1}Tκ_2 + \tfrac1Tκ_1\right]M.

    Most eigenvalues are near zero and few are huge. Only two numbers depend on the activation,
    :math:`κ_i = \sum_{l=1}^L\frac{α_{l-1}}α\tilde q_i^l\hat q_i^{l-1}`, where i = 1 compares an
    input with itself and i = 2 with another. With the bivariate Gaussian average
    :math:`I_φ[a, b] = E[φ(u)φ(v)]` (variances a, covariance b), activations go forward by

    .. math::
        \hat q_1^0 = 1,\quad \hat q_2^0 = 0,\quad q_i^l = σ_w^2\hat q_i^{l-1} + σ_b^2,\quad
        \hat q_1^l = I_φ[q_1^l, q_1^l],\quad \hat q_2^l = I_φ[q_1^l, q_2^l],

    and derivatives of an output backward by

    .. math::
        \tilde q_i^L = 1,\quad
        \tilde q_1^l = σ_w^2\tilde q_1^{l+1}I_{φ'}[q_1^l, q_1^l],\quad
        \tilde q_2^l = σ_w^2\tilde q_2^{l+1}I_{φ'}[q_1^l, q_2^l].

    In the dual Gram matrix of one output, αMκ₁/T stands on the diagonal and αMκ₂/T off it, so
    that the constant vector is the top eigenvector, once an output. Where κ₂ = 0 (an odd activation
    without biases) no eigenvalue stands out: `largest_eigenvalue` is then the mean of the TC
    that are not zero.

    Parameters
    ----------
    activation : str or callable
        "tanh", "relu", "gelu", "gelu_tanh", "logistic", "silu", "identity", or a continuous
        elementwise function in ``autograd.numpy``.
    depth : int
        L, the number of weight matrices, at least 2; L = 3 has two hidden layers.
    weight_variance : float
        :math:`σ_w^2`.
    bias_variance : float
        :math:`σ_b^2`.
    width_ratios : sequence of float, shape (L,), optional
        :math:`α_0, …, α_{L-1}`, input first. Default: ones.
    kinks : sequence of float
        Where a callable is not smooth, so that integrals are split there. Named activations
        have none but at zero.

    Raises
    ------
    InputError
        When an argument is out of range, the activation is not elementwise or not in
        ``autograd.numpy``, or its averages overflow.
    ConvergenceError
        From any statistic, when a Gaussian average is known to less than six digits: a kink
        that was not named, or growth as of an exponential.

    Notes
    -----
    The Gaussian averages of named activations are right to 1e-14, ReLU included (against the
    arc-cosine kernels). Corrections to the limit are of order 1/M: at L = 3, T = 100, C = 1 and
    M = 1000, drawn networks have a λmax 1 to 2 % above the theory's for tanh (3, 0.64), ReLU and
    GELU (2, 0.1), and 6 % for tanh (2, 0.1), whose κ₂ is small. With several outputs the C
    equal eigenvalues of the limit are spread by order :math:`M^{-1/2}`, and the formula is the
    mean of them: at C = 10 and M = 1000 the largest is 6 to 9 % above.

    Examples
    --------
    >>> from geomnet.mean_field import MeanField
    >>> theory = MeanField("relu", depth=3, weight_variance=2.0, bias_variance=0.1)
    >>> round(theory.kappa_1, 5), round(theory.kappa_2, 5)
    (1.575, 0.40149)
    >>> round(theory.largest_eigenvalue(width=1000, n=100), 1)
    826.5
    """

    activation: str | Callable[[Array], Array]
    depth: int
    weight_variance: float
    bias_variance: float = 0.0
    width_ratios: tuple[float, ...] | None = None
    kinks: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        depth = check_integer("depth", self.depth, least=2)
        check_positive("weight_variance", self.weight_variance)
        check_positive("bias_variance", self.bias_variance, zero=True)
        ratios = np.ones(depth)
        if self.width_ratios is not None:
            ratios[:] = check_array("width_ratios", self.width_ratios, shape=(depth,))
            if (ratios <= 0).any():
                raise InputError(f"width_ratios: must be positive, the least is {ratios.min():g}")
        kinks = check_array("kinks", self.kinks, ndim=1)
        object.__setattr__(self, "width_ratios", tuple(ratios.tolist()))
        object.__setattr__(self, "kinks", tuple(kinks.tolist()))
        linearised_activation(self.activation)

    # -- order parameters --------------------------------------------------------------------

    @cached_property
    def order_parameters(self) -> OrderParameters:
        """Forward and backward order parameters of all layers."""
        return propagate(
            self.activation, self.depth, self.weight_variance, self.bias_variance, self.kinks
        )

    @property
    def _ratios(self) -> np.ndarray:
        return np.array(self.width_ratios)

    @property
    def alpha(self) -> float:
        r""":math:`α = \sum_{l<L}α_lα_{l-1}`: parameters over M²."""
        return float(self._ratios[1:] @ self._ratios[:-1])

    @cached_property
    def kappa_1(self) -> float:
        """κ₁, an input with itself."""
        order = self.order_parameters
        return float(self._ratios @ (order.qtilde_1 * order.qhat_1)) / self.alpha

    @cached_property
    def kappa_2(self) -> float:
        """κ₂, an input with another."""
        order = self.order_parameters
        return float(self._ratios @ (order.qtilde_2 * order.qhat_2)) / self.alpha

    # -- the spectrum ------------------------------------------------------------------------

    def mean_eigenvalue(self, width: int, outputs: int = 1) -> float:
        """Mean of the P eigenvalues, κ₁C/M.

        Parameters
        ----------
        width : int
            M.
        outputs : int
            C.
        """
        width, outputs = _check_size(width, outputs)
        return self.kappa_1 * outputs / width

    def second_moment(self, width: int, outputs: int, n: int) -> float:
        """Mean of the squared eigenvalues, which does not depend on the width.

        Parameters
        ----------
        width : int
            M.
        outputs : int
            C.
        n : int
            T, the number of inputs.
        """
        _, outputs = _check_size(width, outputs)
        n = check_integer("n", n, least=1)
        return self.alpha * outputs * ((n - 1) * self.kappa_2**2 + self.kappa_1**2) / n

    def variance(self, width: int, outputs: int, n: int) -> float:
        """Variance of the P eigenvalues: second moment less the squared mean.

        Parameters
        ----------
        width : int
            M.
        outputs : int
            C.
        n : int
            T, the number of inputs.
        """
        return self.second_moment(width, outputs, n) - self.mean_eigenvalue(width, outputs) ** 2

    def largest_eigenvalue(self, width: int, n: int, outputs: int = 1) -> float:
        """Largest eigenvalue, C-fold in the limit and of the order of the width.

        Parameters
        ----------
        width : int
            M.
        n : int
            T, the number of inputs.
        outputs : int
            C, the multiplicity; the value does not depend on it.
        """
        width, _ = _check_size(width, outputs)
        n = check_integer("n", n, least=1)
        return self.alpha * width * ((n - 1) * self.kappa_2 + self.kappa_1) / n

    def critical_learning_rate(self, width: int, n: int, outputs: int = 1) -> float:
        """Step 2/λmax beyond which gradient descent on the mean of ½|z − y|² diverges.

        Parameters
        ----------
        width : int
            M.
        n : int
            T, the number of inputs.
        outputs : int
            C.
        """
        return 2 / self.largest_eigenvalue(width, n, outputs)

    def count_above(self, threshold: float, width: int, outputs: int = 1) -> float:
        """Bound on the number of eigenvalues of at least `threshold`: min(ακ₁CM/threshold, P).

        Parameters
        ----------
        threshold : float
            Above zero.
        width : int
            M.
        outputs : int
            C.
        """
        threshold = check_positive("threshold", threshold)
        count = self.alpha * width**2
        return min(count * self.mean_eigenvalue(width, outputs) / threshold, count)

    # -- drawn networks ----------------------------------------------------------------------

    def widths(self, width: int, outputs: int = 1) -> tuple[int, ...]:
        r"""Units of every layer, input first: :math:`α_lM` rounded, then C."""
        width, outputs = _check_size(width, outputs)
        return (*(max(1, round(ratio * width)) for ratio in self._ratios), outputs)

    def draw(
        self, width: int, outputs: int = 1, seed: int | np.random.Generator = 0
    ) -> tuple[FeedForward | FunctionNetwork, Array]:
        """Draw a network of the ensemble.

        Parameters
        ----------
        width : int
            M.
        outputs : int
            C.
        seed : int or Generator
            Weights and biases come from it layer by layer.

        Returns
        -------
        network : FeedForward or callable
            For an activation that has no name, a function ``(theta, points)``.
        theta : ndarray, shape (P,)
            Layer by layer, weights (out, in) in C order, then biases.
        """
        rng = np.random.default_rng(seed)
        units = self.widths(width, outputs)
        weights, biases = [], []
        for fan_in, fan_out in pairwise(units):
            scale = np.sqrt(self.weight_variance / fan_in)
            weights.append(scale * rng.standard_normal((fan_out, fan_in)))
            biases.append(np.sqrt(self.bias_variance) * rng.standard_normal(fan_out))
        if not callable(self.activation):
            return FeedForward.from_arrays(weights, biases, activation=self.activation)
        theta = np.concatenate([np.append(w.ravel(), b) for w, b in zip(weights, biases)])
        return FunctionNetwork(self.activation, units), theta

    def simulate(
        self, width: int, n: int, outputs: int = 1, networks: int = 20, seed: int = 0
    ) -> SimulatedSpectrum:
        """Draw networks with their inputs and measure their Fisher spectra, exactly.

        Parameters
        ----------
        width : int
            M.
        n : int
            T, the number of inputs, drawn anew for every network.
        outputs : int
            C.
        networks : int
            How many.
        seed : int
            Network k has the generator of ``(seed, k)``: more networks keep the first ones.

        Returns
        -------
        SimulatedSpectrum
            Each statistic with its values, mean, standard error, and what the theory says.
        """
        width, outputs = _check_size(width, outputs)
        n = check_integer("n", n, least=1)
        networks = check_integer("networks", networks, least=1)
        seed = check_integer("seed", seed, least=0)
        likelihood = Gaussian(dim=outputs)
        measured = np.empty((4, networks))
        for k in range(networks):
            rng = np.random.default_rng([seed, k])
            network, theta = self.draw(width, outputs, rng)
            points = rng.standard_normal((n, self.widths(width)[0]))
            # its eigenvalues are all those of F that are not zero
            gram = FisherInformation(network, theta, points, likelihood).dual_gram()
            leading = eigvalsh(gram, subset_by_index=[len(gram) - outputs, len(gram) - 1])
            measured[:2, k] = leading[-1], leading.mean()
            measured[2:, k] = np.array([np.trace(gram), np.sum(gram**2)]) / theta.size
        largest = self.largest_eigenvalue(width, n, outputs)
        return SimulatedSpectrum(
            Measurement(measured[0], largest),
            Measurement(measured[1], largest),
            Measurement(measured[2], self.mean_eigenvalue(width, outputs)),
            Measurement(measured[3], self.second_moment(width, outputs, n)),
            width,
            n,
            outputs,
        )


def _check_size(width: int, outputs: int) -> tuple[int, int]:
    return check_integer("width", width, least=1), check_integer("outputs", outputs, least=1)
