r"""The quadratic model of an action under an end-point constraint, solved layer by layer.

At parameters θ, with :math:`J` the derivative of all states and :math:`J_c` that of the last, a
step s of sequential quadratic programming solves

.. math:: \min_s\; g^\top s + ½s^\top(J^\top H J + μI)s \quad\text{subject to}\quad J_cs = -c,

H the Hessian of the path energy in the states. Written in what each layer adds of its own,
:math:`w_l = B_ls_l` with :math:`B_l = ∂φ_{l+1}/∂θ_l`, the model is
:math:`\sum_l w_l^\top M_lw_l` up to the influence of layers on later ones, a Volterra operator
(its eigenvalues cluster at 1). So :math:`P = \bigoplus_l(B_l^\top M_lB_l + μI)` with
:math:`M_l = 2LG_l` the frozen metric of the step preconditions it, and conjugate gradients with
the constraint kept exactly (Gould, Hribar & Nocedal 2001) need a handful of products. By
Woodbury, with the cometrics :math:`C_l = M_l^{-1}` and :math:`W_l = B_lB_l^\top + μC_l`,

.. math:: P_l^{-1} = \tfrac1μ(I - B_l^\top W_l^{-1}B_l), \qquad
          B_lP_l^{-1}B_l^\top = C_l - μC_lW_l^{-1}C_l,

and the Schur complement of the end point is
:math:`S = J_cP^{-1}J_c^\top = \sum_lΦ_lB_lP_l^{-1}B_l^\topΦ_l^\top`, where :math:`Φ_l` carries
layer l's end to the last state, a d×d matrix at every point. No Jacobian is formed: a built-in
field has :math:`B_lB_l^\top` in closed form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lapack

from ..networks.linearised_network import LinearisedNetwork
from .cometrics import Cometrics

__all__ = ["Blocks", "LayerBlocks", "ScaledBlocks", "solve_quadratic"]


class Blocks(ABC):
    """A block-diagonal P and the Schur complement S = J_c P⁻¹ J_cᵀ of the end point, factorised.

    Raises
    ------
    LinAlgError
        Where a block or S is not positive definite.
    """

    def __init__(self, network: LinearisedNetwork) -> None:
        self.network = network
        n, d = network.states.shape[1:]
        schur = np.zeros((n * d, n * d))
        carry = np.broadcast_to(np.eye(d), (n, d, d))
        for index in range(len(network.layers) - 1, -1, -1):
            own = self._reach(index)
            half = (carry @ own.reshape(n, d, -1)).reshape(n * d, -1)
            schur += (carry @ half.T.reshape(n, d, -1)).reshape(n * d, -1)
            carry = carry @ network.layers[index].transition()
        self._schur = _shifted_factor(schur)

    @abstractmethod
    def _reach(self, layer: int) -> np.ndarray:
        """B_lP_l⁻¹B_lᵀ, (n·d, n·d), a new matrix."""

    @abstractmethod
    def apply_inverse(self, r: np.ndarray) -> np.ndarray:
        """P⁻¹r, (L, p)."""

    def solve(self, r: np.ndarray, c: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Solve Px + J_cᵀλ = r, J_cx = c (None: zero), for x (L, p) and λ (n, d)."""
        gap = self.network.jvp(self.apply_inverse(r))[-1]
        if c is not None:
            gap = gap - c
        multiplier = cho_solve(self._schur, gap.reshape(-1)).reshape(gap.shape)
        return self.apply_inverse(r - self.network.vjp(multiplier)), multiplier


class ScaledBlocks(Blocks):
    """P = scale·I: needs the memory of S only."""

    def __init__(self, network: LinearisedNetwork, scale: float) -> None:
        self.scale = scale
        super().__init__(network)

    @staticmethod
    def bytes_needed(depth: int, size: int) -> int:
        """Bytes held at most, for n·d = size."""
        return 5 * 8 * size**2

    def _reach(self, layer: int) -> np.ndarray:
        return self.network.layers[layer].gram() / self.scale

    def apply_inverse(self, r: np.ndarray) -> np.ndarray:
        """Return r/scale."""
        return r / self.scale


class LayerBlocks(Blocks):
    """P = ⊕(BᵀMB + μI), each block by Woodbury from the layer's Gram matrix BBᵀ.

    Parameters
    ----------
    network : LinearisedNetwork
    cometrics : Cometrics
    damping : float
        The μ above.
    """

    def __init__(self, network: LinearisedNetwork, cometrics: Cometrics, damping: float) -> None:
        self.cometrics, self.damping = cometrics, damping
        self._inverses = [np.empty(0)] * len(network.layers)
        super().__init__(network)

    @staticmethod
    def bytes_needed(depth: int, size: int) -> int:
        """Bytes held at most, for L layers and n·d = size."""
        return (depth + 5) * 8 * size**2

    def _reach(self, layer: int) -> np.ndarray:
        matrix = self.network.layers[layer].gram()
        self.cometrics.add_to(matrix, layer, self.damping)
        inverse = self._inverses[layer] = _inverse(matrix)
        own = self.cometrics.times(layer, self.cometrics.times(layer, inverse).T)
        own *= -self.damping
        self.cometrics.add_to(own, layer, 1.0)
        return own

    def apply_inverse(self, r: np.ndarray) -> np.ndarray:
        """(r − BᵀW⁻¹Br)/μ, layer by layer."""
        out = np.empty_like(r)
        for index, layer in enumerate(self.network.layers):
            moved = layer.jvp(None, r[index])
            pulled = (self._inverses[index] @ moved.reshape(-1)).reshape(moved.shape)
            out[index] = layer.vjp(pulled)[1]
        np.subtract(r, out, out=out)
        out /= self.damping
        return out


def _shifted_factor(matrix: np.ndarray) -> tuple[np.ndarray, bool]:
    """Cholesky factor, with the least shift tried that rounding (or equal points) needs."""
    size = np.trace(matrix) / len(matrix)
    for shift in (1e-14, 1e-12, 1e-10, 1e-8):
        shifted = matrix.copy()
        shifted.flat[:: len(matrix) + 1] += shift * size
        try:
            factor: tuple[np.ndarray, bool] = cho_factor(shifted, lower=True, overwrite_a=True)
            return factor
        except (LinAlgError, ValueError):
            continue
    raise LinAlgError("the end point's Schur complement is not positive definite")


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite matrix, which it overwrites."""
    factor, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1)
    if info:
        raise LinAlgError("a layer's matrix is not positive definite")
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    np.copyto(inverse, inverse.T, where=np.tri(len(inverse), k=-1, dtype=bool).T)
    return inverse


def solve_quadratic(
    product: Callable[[np.ndarray], np.ndarray],
    blocks: Blocks,
    gradient: np.ndarray,
    violation: np.ndarray,
    *,
    rtol: float,
    max_products: int,
) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Minimise g·s + ½ s·Hs subject to J_c s = −c by projected conjugate gradients.

    Parameters
    ----------
    product : callable
        s ↦ Hs, (L, p).
    blocks : Blocks
        The preconditioner, near H.
    gradient : ndarray, shape (L, p)
    violation : ndarray, shape (n, d)
        The c above.
    rtol : float
        On the residual's norm in P⁻¹, relative to that of the first guess P⁻¹(−g − J_cᵀλ).
    max_products : int

    Returns
    -------
    step : ndarray, shape (L, p)
    multiplier : ndarray, shape (n, d)
        λ with g + Hs + J_cᵀλ ≈ 0.
    curvature : float
        s·Hs.
    products : int
        The Hessian products spent. At negative curvature the step so far is kept (Steihaug 1983).
    """
    network = blocks.network
    step, multiplier = blocks.solve(-gradient, -violation)
    pull = gradient + network.vjp(multiplier)
    goal = rtol**2 * abs(float(np.vdot(step, pull)))
    image, products = product(step), 1
    r = pull + image
    z, shift = blocks.solve(r, None)
    # taking J_cᵀ's range out of the residual also takes it out of the rounding errors
    r, multiplier = r - network.vjp(shift), multiplier - shift
    rz, d = float(np.vdot(r, z)), -z
    while rz > goal and products < max_products:
        hd = product(d)
        products += 1
        curvature = float(np.vdot(d, hd))
        if curvature <= 0:
            break
        alpha = rz / curvature
        step += alpha * d
        image += alpha * hd
        r += alpha * hd
        z, shift = blocks.solve(r, None)
        r, multiplier = r - network.vjp(shift), multiplier - shift
        rz, old = float(np.vdot(r, z)), rz
        d = -z + (rz / old) * d
    return step, multiplier, float(np.vdot(step, image)), products
