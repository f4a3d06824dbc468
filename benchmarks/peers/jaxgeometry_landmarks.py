"""jaxgeometry's landmark geodesics.

Runs in the peer's own environment; imports nothing of geomnet. The set-up is that of the
package's own landmark notebook: ``Log`` shoots along Hamilton's equations
(``Log.initialize(M, f=M.Exp_Hamiltonian)``) by BFGS, and returns the initial momentum.
"""

from __future__ import annotations

from protocol import serve

# isort: split
import time

begin = time.perf_counter()
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jaxgeometry import utils  # noqa: E402
from jaxgeometry.dynamics import Hamiltonian  # noqa: E402
from jaxgeometry.manifolds.landmarks import landmarks  # noqa: E402
from jaxgeometry.Riemannian import Log, geodesic, metric  # noqa: E402

IMPORT_SECONDS = time.perf_counter() - begin


class Peer:
    """The landmark manifold of one problem, and its logarithms."""

    def describe(
        self, points: list, target: list, width: float, momentum: list, velocity: list
    ) -> dict:
        """Set the problem; return its metric at the start, a Hamiltonian and a squared norm."""
        self.shape = len(points), len(points[0])
        self.width = width
        self.M = self.manifold()
        self.start = self.M.coords(jnp.ravel(jnp.array(points)))
        self.end = (jnp.ravel(jnp.array(target)), self.start[1])
        self.solvers: dict = {}
        p, v = (jnp.ravel(jnp.array(a)) for a in (momentum, velocity))
        return {
            "hamiltonian": float(self.M.H(self.start, p)),
            "squared_norm": float(self.M.norm2(self.start, v)),
            "import_seconds": IMPORT_SECONDS,
            "dtype": str(self.start[0].dtype),
        }

    def manifold(self) -> landmarks:
        """A new one for every solver: the package keeps its solvers on the manifold."""
        n, d = self.shape
        M = landmarks(n, m=d, k_alpha=1.0, k_sigma=self.width * jnp.eye(d), kernel="Gaussian")
        metric.initialize(M)
        Hamiltonian.initialize(M)
        geodesic.initialize(M)
        return M

    def solver(self, form: str, n_steps: int, compiled: bool):
        """Return a function to (momentum or velocity, loss)."""
        M = self.manifold()
        if form == "hamiltonian":
            Log.initialize(M, f=lambda q, p: M.Exp_Hamiltonian(q, p, n_steps=n_steps))
        else:
            Log.initialize(M, f=lambda q, v: M.Exp(q, v, n_steps=n_steps))
        start, end = self.start, self.end
        if compiled:
            run = jax.jit(lambda x, y: M.Log((x, start[1]), (y, end[1])))
            return lambda: run(start[0], end[0])
        return lambda: M.Log(start, end)

    def solve(self, integrator: str, **options) -> dict:
        """Time one logarithm, with the distance it gives and its miss of the target."""
        # the package's default is "euler", read when a solver is traced
        utils.integrator.__defaults__ = (None, integrator)
        key = (integrator, *sorted(options.items()))
        if key not in self.solvers:
            self.solvers[key] = self.solver(**options)
        begin = time.perf_counter()
        found, loss = jax.block_until_ready(self.solvers[key]())
        taken = time.perf_counter() - begin
        norm = self.M.conorm if options["form"] == "hamiltonian" else self.M.norm
        return {
            "seconds": taken,
            "distance": float(norm(self.start, found)),
            "end_miss_rms": float(jnp.sqrt(loss)),
        }


if __name__ == "__main__":
    peer = Peer()
    serve(
        ("jaxdifferentialgeometry", "jax", "jaxlib", "numpy"),
        {"problem": peer.describe, "solve": peer.solve},
    )
