"""Scores of a network's nodes and edges by torch.func.

Nobody has these in a library: this is what one writes in PyTorch. Zeros are added to all hidden
states, and one ``vmap(jacrev)`` in them gives the total derivatives at all nodes and data; scores,
Gram matrix, flow and conductance are einsums of them, in chunks of data that fit the cache.
"""

from __future__ import annotations

from protocol import serve

# isort: split
import time

import numpy as np
import torch
from torch.func import jacrev, vmap

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


class Scores:
    """A tanh network with a linear last layer: layer l skips by state + skips[l]·tanh(…)."""

    def load(self, layers: list, points: list) -> dict:
        """Set the network and the data."""
        self.layers = [
            (torch.from_numpy(np.array(w)), torch.from_numpy(np.array(b)), skip, last)
            for (w, b, skip), last in zip(layers, [False] * (len(layers) - 1) + [True])
        ]
        self.points = torch.tensor(points)
        return {}

    def states(self, zeros: list[torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
        """States of one datum, zeros added to each."""
        found = [x + zeros[0]]
        for (w, b, skip, last), zero in zip(self.layers, zeros[1:]):
            u = w @ found[-1] + b
            moved = u if last else torch.tanh(u)
            state = moved if skip is None else found[-1] + skip * moved
            found.append(state + zero)
        return found

    def compute(self, chunk: int) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Gate Fisher matrix, flow, and conductance of the affine maps."""
        widths = [self.points.shape[1], *(len(w) for w, *_ in self.layers)]
        zeros = [torch.zeros(width) for width in widths]
        # ∂z/∂ of each state, and the states themselves, datum by datum
        derive = vmap(
            jacrev(lambda e, x: (lambda s: (s[-1], s))(self.states(e, x)), has_aux=True), (None, 0)
        )
        n, count = len(self.points), sum(widths)
        gram, flow = torch.zeros(count, count), torch.zeros(count)
        conductance = [torch.zeros_like(w) for w, *_ in self.layers]
        for start in range(0, n, chunk):
            backs, states = derive(zeros, self.points[start : start + chunk])
            p = torch.softmax(states[-1], dim=1)
            root = torch.sqrt(p)[:, :, None] * (torch.eye(widths[-1]) - p[:, None, :])
            backs = [root @ back for back in backs]
            scores = torch.cat([b * h[:, None, :] for b, h in zip(backs, states)], dim=2)
            flat = scores.reshape(-1, count)
            gram += flat.T @ flat
            flow += torch.linalg.norm(scores, dim=1).sum(0)
            for k, (w, _, skip, last) in enumerate(self.layers):
                signal = backs[k + 1]
                if not last:
                    moved = states[k + 1] if skip is None else (states[k + 1] - states[k]) / skip
                    signal = signal * ((1 - moved**2) * (1.0 if skip is None else skip))[:, None]
                size = torch.linalg.norm(signal, dim=1)
                conductance[k] += (size.T @ states[k].abs()) * w.abs()
        return gram / n, flow / n, [c / n for c in conductance]

    def turn(self, chunk: int, answer: bool = False) -> dict:
        """Processor time of one computation, and the numbers where they are asked for."""
        begin = time.process_time()
        gram, flow, _ = self.compute(chunk)
        told: dict = {"processor": time.process_time() - begin}
        if answer:
            told |= {"gate_fisher": gram.tolist(), "flow": flow.tolist()}
        return told


if __name__ == "__main__":
    scores = Scores()
    serve(("torch", "numpy"), {"load": scores.load, "turn": scores.turn})
