"""GEORCE in JAX.

Our implementation of the algorithm of Rygaard & Hauberg, "GEORCE: A Fast New Control Algorithm
for Computing Geodesics" (2025), compiled as a whole, in float64. The energy Σ uₜᵀG(xₜ)uₜ with
xₜ₊₁ = xₜ + uₜ is minimised as a control problem: with the covectors νₜ = ∂ₓ⟨uₜ,uₜ⟩ₓ at xₜ frozen,
Pontryagin's conditions give multipliers μₜ = μ_last + Σ_{s>t} νₛ and controls uₜ = −½G(xₜ)⁻¹μₜ in
closed form, μ_last from the ends; a backtracking line search joins old controls and new. It stops
where the energy's gradient is below a tolerance (the authors' 1e-4).

Runs in the peer's own environment; imports nothing of geomnet, and the problems' formulas in
``jax.numpy``, which JAX differentiates.
"""

from __future__ import annotations

from protocol import serve

# isort: split
import time
from functools import partial

import jax
import jax.numpy as jnp
from chart_problems import problem
from jax import lax

ARMIJO = 1e-4
"""Share of the promised decrease a step must give."""


@partial(jax.jit, static_argnums=(0, 1))
def georce(metric_matrix, n_steps, start, end, tol, max_iter):
    """Return the nodes, the iterations and the gradient's norm."""

    def nodes(controls):
        return jnp.concatenate([start[None], start + jnp.cumsum(controls[:-1], axis=0)])

    def squares(points, controls):
        return jnp.einsum("ti,tij,tj->", controls, metric_matrix(points), controls)

    def linearise(controls):
        """Energy, covectors ν of the inner nodes, inverse matrices, and the gradient."""
        points = nodes(controls)
        matrices = metric_matrix(points)
        flat = jnp.einsum("tij,tj->ti", matrices, controls)
        nu = jax.grad(squares)(points, controls)[1:]
        gradient = nu + 2 * (flat[:-1] - flat[1:])
        return jnp.sum(flat * controls), nu, jnp.linalg.inv(matrices), gradient

    def energy(controls):
        return squares(nodes(controls), controls)

    def iterate(carry):
        controls, (level, nu, inverses, gradient), iteration = carry
        later = jnp.cumsum(nu[::-1], axis=0)[::-1]
        pulled = jnp.einsum("tij,tj->i", inverses[:-1], later)
        last = -jnp.linalg.solve(inverses.sum(axis=0), pulled + 2 * (end - start))
        mu = jnp.concatenate([last + later, last[None]])
        wanted = -0.5 * jnp.einsum("tij,tj->ti", inverses, mu)
        direction = wanted - controls
        # inner nodes move by the running sums of the change of controls
        slope = jnp.sum(gradient * jnp.cumsum(direction[:-1], axis=0))

        def too_long(state):
            size, trial = state
            return ~(trial <= level + ARMIJO * size * slope) & (size > 1e-8)

        def halve(state):
            size = state[0] / 2
            return size, energy(controls + size * direction)

        size, _ = lax.while_loop(too_long, halve, (1.0, energy(wanted)))
        controls = controls + size * direction
        return controls, linearise(controls), iteration + 1

    def unfinished(carry):
        _, (_, _, _, gradient), iteration = carry
        return (jnp.linalg.norm(gradient) > tol) & (iteration < max_iter)

    controls = jnp.tile((end - start) / n_steps, (n_steps, 1))
    controls, (_, _, _, gradient), iteration = lax.while_loop(
        unfinished, iterate, (controls, linearise(controls), 0)
    )
    path = jnp.concatenate([nodes(controls), end[None]])
    return path, iteration, jnp.linalg.norm(gradient)


class Peer:
    """The problems asked for so far, so that a second call finds the first one's program."""

    def __init__(self) -> None:
        self.problems: dict = {}
        self.seen: set = set()

    def solve(self, name: str, n_steps: int, tol: float = 1e-4, budget: float = 0.0) -> dict:
        """Time the first call where it compiles, then warm calls; return the nodes."""
        if name not in self.problems:
            self.problems[name] = problem(name, jnp)
        one = self.problems[name]
        start, end = jnp.array(one.start), jnp.array(one.end)

        def call():
            begin = time.perf_counter()
            found = jax.block_until_ready(georce(one.metric_matrix, n_steps, start, end, tol, 1000))
            return time.perf_counter() - begin, found

        first = None
        if (name, n_steps) not in self.seen:
            self.seen.add((name, n_steps))
            first = call()[0]
        times, (path, iterations, gradient) = [], (None, 0, 0.0)
        while not times or (sum(times) < budget and len(times) < 100):
            taken, (path, iterations, gradient) = call()
            times.append(taken)
        return {
            "first": first,
            "times": times,
            "path": jnp.asarray(path).tolist(),
            "iterations": int(iterations),
            "gradient_norm": float(gradient),
        }


if __name__ == "__main__":
    serve(("jax", "jaxlib", "numpy"), {"solve": Peer().solve})
