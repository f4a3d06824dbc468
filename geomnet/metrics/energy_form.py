"""The quadratic form vᵀK(m)⁻¹v of an energy metric, by Cholesky factors in chunks of segments."""

from __future__ import annotations

import itertools
from functools import cached_property, lru_cache

import numpy as np
from scipy.linalg import cholesky, lapack

from ..errors import SingularKernelError
from ..geometry.quadratic_form import FormByProducts
from .kernel_jet import KernelJet

__all__ = ["ChunkedForm", "EnergyForm", "chunks", "factorise"]

CONDITION_LIMIT = 1e12
"""Kernel matrices past this condition number are refused: their inverse has no digits left."""

CHUNK_BYTES = 2**21
"""Segments whose kernel matrices fill this much are handled together, to stay in cache."""


def chunks(k: int, n: int) -> list[slice]:
    """Slices of k segments of n points that are handled together."""
    size = max(1, CHUNK_BYTES // (8 * n * n))
    return [slice(i, min(i + size, k)) for i in range(0, k, size)] or [slice(0, 0)]


class EnergyForm:
    """vᵀK(m)⁻¹v for a chunk of segments, with derivatives."""

    def __init__(self, jet: KernelJet, nugget: float, velocity: np.ndarray) -> None:
        self.jet = jet
        matrix = self.jet.matrix
        if nugget:
            index = np.arange(matrix.shape[-1])
            matrix[..., index, index] += nugget
        # LAPACK reads the transpose of C order: its lower triangle is our upper
        self._factors = matrix.copy()
        self.flat = np.empty_like(velocity)
        sizes = np.abs(matrix).sum(axis=-1).max(axis=-1)
        for k in range(len(matrix)):
            factorise(self._factors[k].T, sizes[k])
            self.flat[k] = lapack.dpotrs(self._factors[k].T, velocity[k], lower=1)[0]
        self.value = np.sum(velocity * self.flat, axis=(-2, -1))

    @cached_property
    def gradient(self) -> np.ndarray:
        """−∂_xΦ(x, p)."""
        return -self.jet.gradient(self.flat)

    @cached_property
    def _inverses(self) -> np.ndarray:
        """Explicit inverses, in place of the factors: products with them are one BLAS call."""
        for factor in self._factors:
            lapack.dpotri(factor.T, lower=1, overwrite_c=1)
            # only one triangle is written; mirror it
            np.copyto(factor, factor.T, where=_below(len(factor)))
        self.jet.prepare(self.flat)
        return self._factors

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of (p, q) along (dv, dm)."""
        inverses = self._inverses
        drho = self.jet.change(dm)
        dp = inverses @ (dv - self.jet.matrix_change(drho, dm, self.flat))
        return dp, -self.jet.gradient_change(drho, dm, self.flat, dp)

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """Kp."""
        return self.jet.matrix @ p


@lru_cache(maxsize=4)
def _below(n: int) -> np.ndarray:
    """Mask of the entries below the diagonal."""
    return np.tri(n, k=-1, dtype=bool)


def factorise(matrix: np.ndarray, size: float) -> None:
    """Cholesky factor of a Fortran-ordered matrix, in place; refuse past the condition limit."""
    _, info = lapack.dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
    condition = np.inf
    if info == 0:
        inverse_condition, _ = lapack.dpocon(matrix, size, uplo="L")
        condition = 1 / inverse_condition if inverse_condition > 0 else np.inf
    if not condition <= CONDITION_LIMIT:
        raise SingularKernelError(
            f"kernel matrix of condition {condition:.1e} (limit {CONDITION_LIMIT:.0e}): points "
            "lie too close for this kernel; use a rougher kernel (matern32), a smaller width, "
            "fewer points, or a nugget",
            condition,
        )


class ChunkedForm(FormByProducts):
    """Forms of successive chunks of segments, read as one."""

    def __init__(self, forms: list[EnergyForm]) -> None:
        self.forms = forms
        ends = np.cumsum([0] + [len(form.value) for form in forms])
        self._parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.value = np.concatenate([form.value for form in forms])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the velocities, (k, n, d)."""
        return (len(self.value), *self.forms[0].flat.shape[1:])

    @property
    def flat(self) -> np.ndarray:
        """Return K⁻¹v."""
        return np.concatenate([form.flat for form in self.forms])

    @property
    def gradient(self) -> np.ndarray:
        """−∂_xΦ(x, p)."""
        return np.concatenate([form.gradient for form in self.forms])

    def derivative(self, dv: np.ndarray, dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Change of (p, q) along (dv, dm)."""
        changes = [
            form.derivative(dv[part], dm[part]) for form, part in zip(self.forms, self._parts)
        ]
        return (
            np.concatenate([dflat for dflat, _ in changes]),
            np.concatenate([dgradient for _, dgradient in changes]),
        )

    def sharp(self, p: np.ndarray) -> np.ndarray:
        """Kp."""
        return np.concatenate([form.sharp(p[part]) for form, part in zip(self.forms, self._parts)])

    @cached_property
    def _sum_factor(self) -> np.ndarray:
        total = np.sum([form.jet.matrix.sum(axis=0) for form in self.forms], axis=0)
        return cholesky(total, lower=True)

    def solve_sharp_sum(self, r: np.ndarray) -> np.ndarray:
        """Solve with the summed kernel matrices."""
        return lapack.dpotrs(self._sum_factor, r, lower=1)[0]
