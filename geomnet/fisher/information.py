r"""The Fisher information matrix of a network at one θ, as an operator."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.sample import Sample
from ..likelihoods import Likelihood
from ..linalg import GramOperator
from ..networks import Readout, model
from ..utils.arrays import Array
from ..utils.validation import check_array, check_choice, check_integer
from .data import KINDS, FisherData, as_sample
from .dense import add_dense
from .gram import gram, gram_frobenius
from .kronecker import KroneckerFisher, kronecker_factors

__all__ = ["FisherInformation"]


class FisherInformation(GramOperator):
    r"""Fisher information of a network: how strongly its parameters hold what it knows.

    .. math:: G(θ) = \sum_iw_iJ_i^\top F_iJ_i,\qquad J_i = ∂z(θ, x_i)/∂θ,

    the metric that the likelihood's Fisher–Rao metric pulls back to parameters (eq. 1 of Dong &
    Zhou 2019). It is an average: the sample's weights sum to one, 1/n each by default. Nothing
    of size p×p is formed unless asked for: products run through the network forward and back, and
    all else is exact from the inputs and signals of its layers.

    Parameters
    ----------
    network : FeedForward, Network or callable
        A callable takes (θ, x) to z, row by row, in ``autograd.numpy``.
    theta : array_like
        Parameters of the network, as it takes them.
    sample : Sample or array_like, shape (n, d)
    likelihood : Likelihood
        Of targets given z, the network's output (through the readout).
    readout : Readout, optional
        Between the network and the likelihood; its parameters count, W in C order and then b,
        after those of the network.
    kind : {"true", "mc", "empirical"}
        F_i is the Fisher matrix of p(y|z_i) (true); its estimate from targets drawn from p(y|z_i)
        (mc); the square of the score of the datum's label (empirical). Where the likelihood is
        in its natural parameters the true Fisher is the generalised Gauss–Newton matrix too.
    seed : int or Generator, optional
        Of the targets drawn (mc) and of the probes of stochastic estimates; 0 by default.
    targets : array_like, optional
        Instead of the sample's labels, for the empirical Fisher and the loss.
    n_draws : int
        Targets drawn a datum (mc).
    memory_limit : int
        Bytes. Work is cut into chunks that stay below; a result that would not fit raises.

    Attributes
    ----------
    n_parameters : int
        p.
    theta : ndarray, shape (p,)
        All parameters, the readout's too.
    layers : tuple of LayerPart
        Parts of θ: (name, start, stop), layer by layer.
    predictions : ndarray, shape (n, C)
        z, the likelihood's parameters of all data.

    Raises
    ------
    InputError
        For parameters that do not fit the network, a sample of other width, a likelihood of other
        length than the output, labels missing or out of range (empirical), activations that are
        not finite (the layer is named).

    Examples
    --------
    >>> import geomnet as gn
    >>> sample = gn.datasets.load("digits", n=100, seed=0)
    >>> network = gn.FeedForward((64, 32, 10), "tanh")
    >>> fisher = gn.FisherInformation(network, network.init(seed=0), sample, gn.Categorical(10))
    >>> fisher
    FisherInformation(p=2410, n=100, Categorical(n_classes=10), kind='true')
    >>> spectrum = fisher.eigvalsh()
    >>> spectrum.shape, bool(abs(spectrum.sum() - fisher.trace()) < 1e-12 * fisher.trace())
    ((2410,), True)
    """

    def __init__(
        self,
        network: object,
        theta: ArrayLike,
        sample: Sample | ArrayLike,
        likelihood: Likelihood,
        readout: Readout | None = None,
        kind: str = "true",
        seed: int | np.random.Generator | None = None,
        *,
        targets: ArrayLike | None = None,
        n_draws: int = 1,
        memory_limit: int = 2 * 2**30,
    ) -> None:
        check_choice("kind", kind, KINDS)
        n_draws = check_integer("n_draws", n_draws, least=1)
        self.memory_limit = check_integer("memory_limit", memory_limit, least=2**20)
        self.model = model(network, theta, readout)
        self.theta = self.model.own_theta
        self.sample = as_sample(sample)
        self.network, self.readout = network, readout
        self.likelihood, self.kind = likelihood, kind
        self.layers, self.n_draws = self.model.layers, n_draws
        if isinstance(seed, np.random.Generator):
            seed = int(seed.integers(2**63))
        self._seed = check_integer("seed", 0 if seed is None else seed, least=0)
        self._targets = targets
        self._run()

    def _run(self) -> None:
        """Run the network on the data."""
        self._data = FisherData(
            self.model,
            self.theta,
            self.sample,
            self.likelihood,
            self.kind,
            self._targets,
            self.generator(),
            self.n_draws,
            self.memory_limit,
        )
        self.predictions = self._data.z

    def at(self, theta: ArrayLike) -> FisherInformation:
        """The same at other parameters θ (p,), the readout's too, as ``fisher.theta`` has them."""
        found = copy(self)
        found.theta = _frozen(check_array("theta", theta, shape=(self.n_parameters,)))
        found._run()
        return found

    def generator(self, *stream: int) -> np.random.Generator:
        """A generator of the seed, anew: what is drawn does not depend on what was drawn before."""
        return np.random.default_rng([self._seed, *stream] if stream else self._seed)

    @property
    def n_parameters(self) -> int:
        """Number of parameters, p."""
        return len(self.theta)

    @property
    def n_columns(self) -> int:
        """Number of parameters, p."""
        return len(self.theta)

    @property
    def n_rows(self) -> int:
        """Number of rows √w·RJ: covectors of all data, n·q."""
        return self._data.n * self._data.q

    def __repr__(self) -> str:
        return (
            f"FisherInformation(p={self.n_parameters}, n={self._data.n}, {self.likelihood}, "
            f"kind={self.kind!r})"
        )

    # -- products ------------------------------------------------------------------------------

    def _batches(self, count: int) -> list[slice]:
        """Directions cut so that their changes stay within memory."""
        each = (
            8 * 4 * max(1, self.model.floats_per_point) * len(self.sample) // len(self._data.slices)
        )
        size = max(1, self.memory_limit // 8 // max(1, each))
        return [slice(k, min(k + size, count)) for k in range(0, count, size)]

    def products(self, directions: Array) -> Array:
        """Products with the rows of a matrix (k, p): (k, p)."""
        found = np.zeros_like(directions)
        for batch in self._batches(len(directions)):
            for _, index in self._data.chunks():
                chunk = self._data.linearised(index)
                moved = self._data.weighted_product(index, chunk.push(directions[batch]))
                found[batch] += chunk.pull(moved)
        return found

    def push(self, directions: Array) -> Array:
        """Changes √w·RJv of the whitened predictions along directions (k, p): (k, n·q)."""
        found = np.empty((len(directions), self._data.n, self._data.q))
        for batch in self._batches(len(directions)):
            for part, index in self._data.chunks():
                moved = self._data.linearised(index).push(directions[batch])
                rows = self._data.covectors(index)
                found[batch, part] = np.moveaxis(moved @ np.swapaxes(rows, 1, 2), 1, 0)
        return found.reshape(len(directions), -1)

    def pull(self, scores: Array) -> Array:
        """The adjoint of :meth:`push`: from (k, n·q) to (k, p)."""
        scores = scores.reshape(len(scores), self._data.n, self._data.q)
        found = np.zeros((len(scores), self.n_parameters))
        for batch in self._batches(len(scores)):
            for part, index in self._data.chunks():
                covectors = np.moveaxis(scores[batch, part], 0, 1) @ self._data.covectors(index)
                found[batch] += self._data.linearised(index).pull(covectors)
        return found

    def loss(self) -> float:
        """Mean −log p(y|z) of the sample's labels, by its weights."""
        each = self.likelihood.negative_log_likelihood(self.predictions, self._data.labels)
        return float(self.sample.weights @ each)

    def gradient(self) -> Array:
        """Gradient of :meth:`loss` in θ, (p,)."""
        targets = self._data.labels
        found: Array = np.zeros(self.n_parameters)
        for part, index in self._data.chunks():
            residual = self.likelihood.residual(self.predictions[part], targets[part])
            residual = residual * self.sample.weights[part, None]
            found += self._data.linearised(index).pull(residual[:, None])[0]
        return found

    # -- the matrix in parts -------------------------------------------------------------------

    def diag(self) -> Array:
        """Diagonal of G, (p,): the information each parameter holds by itself."""
        found = np.zeros(self.n_parameters)
        for _, index in self._data.chunks():
            for factors in self._data.each_factor(index):
                found[factors.start : factors.stop] += factors.squares()
        return found

    @overload
    def trace(self, per_layer: Literal[False] = False) -> float: ...

    @overload
    def trace(self, per_layer: Literal[True]) -> Array: ...

    def trace(self, per_layer: bool = False) -> float | Array:
        """Trace of G, or the traces of its layers' blocks, (layers,), which add up to it."""
        found = np.zeros(len(self.layers))
        for _, index in self._data.chunks():
            for factors in self._data.each_factor(index):
                found[factors.layer] += factors.norms().sum()
        return found if per_layer else float(found.sum())

    def dense(self, out: Array | None = None) -> Array:
        """G itself, (p, p).

        Parameters
        ----------
        out : ndarray, shape (p, p), optional
            Where to write it (a ``numpy.memmap``, say, for which there is no limit).
        """
        p = self.n_parameters
        if out is None:
            self.need(8 * p * p, f"the dense {p}×{p} matrix", "eigvalsh(k), matvec or blocks()")
            out = np.zeros((p, p))
        elif (
            not isinstance(out, np.ndarray)
            or out.shape != (p, p)
            or out.dtype != np.float64
            or not out.flags.writeable
        ):
            raise InputError(
                f"out: expected a writeable float64 array of shape {(p, p)}, got "
                f"{getattr(out, 'dtype', type(out).__name__)} of shape {np.shape(out)}"
            )
        else:
            out[...] = 0.0
        for factors in self._data.joined_factors():
            for number, row in enumerate(factors):
                for column in factors[number:]:
                    block = out[row.start : row.stop, column.start : column.stop]
                    add_dense(row, column, block)
        for number, row in enumerate(factors):
            for column in factors[number + 1 :]:
                block = out[row.start : row.stop, column.start : column.stop]
                out[column.start : column.stop, row.start : row.stop] = block.T
        return out

    def blocks(self) -> list[Array]:
        """Blocks of G on the diagonal, one a layer, each (p_l, p_l)."""
        sizes = [part.stop - part.start for part in self.layers]
        self.need(8 * sum(s * s for s in sizes), "the layers' blocks", "kfac() or diag()")
        found = [np.zeros((size, size)) for size in sizes]
        for factors in self._data.joined_factors():
            for number, row in enumerate(factors):
                origin = self.layers[row.layer].start
                for column in factors[number:]:
                    if column.layer == row.layer:
                        rows = slice(row.start - origin, row.stop - origin)
                        columns = slice(column.start - origin, column.stop - origin)
                        add_dense(row, column, found[row.layer][rows, columns])
        for block in found:
            lower = np.tril_indices(len(block), -1)
            block[lower] = block.T[lower]
        return found

    def kfac(self) -> KroneckerFisher:
        r"""Kronecker approximation :math:`E[bb^\top] ⊗ E[aa^\top]` of every affine map's block."""
        return kronecker_factors(self._data, self.n_parameters, self.memory_limit)

    def preconditioner(self, damping: float) -> Callable[[Array], Array]:
        """The damped inverse of the Kronecker approximation, or of the diagonal without one."""
        try:
            kronecker = self.kfac()
        except InputError:
            return super().preconditioner(damping)
        return lambda v: kronecker.solve(v, damping)

    def dual_gram(self) -> Array:
        r"""Gram matrix :math:`K_{(ia)(jb)}` of the rows of √w·RJ, (n·q, n·q).

        Its eigenvalues are those of G that are not zero; with ``Gaussian(1, C)`` it is the
        neural tangent kernel, weighted by :math:`\sqrt{w_iw_j}`.
        """
        size = self.n_rows
        self.need(8 * size * size, f"the dual Gram matrix of {size} rows", "eigvalsh(k)")
        return gram(self._data)

    def frobenius(self) -> float:
        """Frobenius norm of G."""
        p = self.n_parameters
        if p <= self.n_rows and 8 * p * p <= self.memory_limit:
            return float(np.linalg.norm(self.dense()))
        return gram_frobenius(self._data)

    # -- numbers -------------------------------------------------------------------------------

    def fisher_rao_norm(self) -> float:
        r"""Squared Fisher–Rao norm :math:`θ^\top Gθ` of the network, the square of ``norm(theta)``.

        Liang et al. (2019) define it, as an average over the data's labels: ``kind="empirical"``.
        It does not change when a ReLU unit's weights are rescaled. For a network of L+1 matrices
        without biases, with ReLU, it is :math:`(L+1)^2E[z^\top F(z)z]`.
        """
        return self.norm(self.theta) ** 2

    def layer_norms(self) -> Array:
        r"""Length :math:`\sqrt{θ_l^\top G_{ll}θ_l}` of every layer's own parameters, (layers,)."""
        moved = [np.zeros((self._data.n, self._data.q)) for _ in self.layers]
        for part, index in self._data.chunks():
            for factors in self._data.factors(index):
                own = factors.times(self.theta[factors.start : factors.stop])
                moved[factors.layer][part] += own
        return np.array([np.linalg.norm(change) for change in moved])

    def information_length(self) -> float:
        r"""Information length of the layer path, :math:`\sum_l\sqrt{θ_l^\top G_{ll}θ_l}`."""
        return float(self.layer_norms().sum())


def _frozen(array: Array) -> Array:
    """Copy that nobody can change: what was computed from it stays true."""
    array = array.copy()
    array.setflags(write=False)
    return array
