"""stochman's cubic spline geodesics of a decoder.

Runs in the peer's own environment; imports nothing of geomnet. ``geodesic_minimizing_energy``
moves the free parameters of a ``CubicSpline`` down the energy of its image at ``eval_grid``
points, with a torch optimiser: its own default (Adam), L-BFGS as it calls it (step 0.1, no line
search), or L-BFGS with a strong Wolfe line search. Everything is in float64.
"""

from __future__ import annotations

from protocol import serve

# isort: split
import time
from functools import cache

import torch
from chart_problems import problem
from stochman.curves import CubicSpline
from stochman.geodesic import geodesic_minimizing_energy
from stochman.manifold import EmbeddedManifold

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def wolfe(parameters, lr):
    """L-BFGS as torch's documentation advises for smooth problems; the rate asked for is unused."""
    return torch.optim.LBFGS(parameters, lr=1.0, line_search_fn="strong_wolfe")


OPTIMISERS = {"adam": torch.optim.Adam, "lbfgs": torch.optim.LBFGS, "wolfe": wolfe}


class Image(EmbeddedManifold):
    """The image of a decoder."""

    def __init__(self, dim: int) -> None:
        self.decoder = problem(f"decoder{dim}")
        modules: list[torch.nn.Module] = []
        for w, b in self.decoder.layers:
            affine = torch.nn.Linear(*w.shape)
            affine.weight.data = torch.from_numpy(w.T.copy())
            affine.bias.data = torch.from_numpy(b.copy())
            modules += [affine, torch.nn.Tanh()]
        self.network = torch.nn.Sequential(*modules[:-1]).requires_grad_(False)

    def embed(self, points, jacobian=False):
        """Image of points."""
        assert not jacobian
        return self.network(points)


image_of = cache(Image)


def solve(dim: int, num_nodes: int, eval_grid: int, optimiser: str, budget: float) -> dict:
    """Time splines from the straight line; return points of the last."""
    image = image_of(dim)
    start, end = (torch.from_numpy(a) for a in (image.decoder.start, image.decoder.end))
    times: list[float] = []
    while not times or (sum(times) < budget and len(times) < 50):
        begin = time.perf_counter()
        curve = CubicSpline(start, end, num_nodes=num_nodes)
        converged = geodesic_minimizing_energy(
            curve, image, optimizer=OPTIMISERS[optimiser], max_iter=1000, eval_grid=eval_grid
        )
        times.append(time.perf_counter() - begin)
    with torch.no_grad():
        t = torch.linspace(0, 1, eval_grid)
        own = float(image.curve_length(curve(t)))
        path = curve(torch.linspace(0, 1, 2001))
    return {
        "times": times,
        "own_length": own,
        "path": path.tolist(),
        "converged": bool(converged),
    }


if __name__ == "__main__":
    serve(("stochman", "torch", "numpy"), {"solve": solve})
