"""Rough dual potentials of many small transport problems, from transport with entropy."""

from __future__ import annotations

import numpy as np

__all__ = ["entropic_potentials"]

BLOCK = 2**17
"""Entries of the cost matrices worked on at a time, few enough to stay in the cache."""
COARSEST = 0.05
"""Share of the mean reduced cost that the first temperature is."""
STAGES = 3
"""Temperatures, each half the one before."""
ROUNDS = 5
"""Times that sources and sinks are balanced at each of them."""
LEAST = np.float32(-60.0)
"""Exponent below which a plan is as good as empty; far above where float32 loses digits."""


def entropic_potentials(
    costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray
) -> np.ndarray:
    r"""Potentials of the sinks of every problem of a batch.

    Sinkhorn's algorithm, with the temperature falling: the plan is
    :math:`s_id_j\\,e^{(f_i - g_j - c_{ij})/\\varepsilon}`, and f and g are made to give each source
    and each sink its mass in turn. A few rounds in single precision: good enough to say which sinks
    a source should turn to first, and no more.

    Parameters
    ----------
    costs, supplies, demands : ndarray
        As for `transport_values`.

    Returns
    -------
    ndarray, shape (b, n)
        g, of any constant; meaningless at padding.

    References
    ----------
    Cuturi (2013), Adv. Neural Inf. Process. Syst. 26.
    """
    b, m, n = costs.shape
    potentials = np.empty((b, n))
    block = max(1, BLOCK // (m * n))
    for start in range(0, b, block):
        part = slice(start, start + block)
        potentials[part] = _of_block(
            costs[part].astype(np.float32),
            supplies[part].astype(np.float32)[:, :, None],
            demands[part].astype(np.float32)[:, None, :],
        )
    return potentials


def _of_block(costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray) -> np.ndarray:
    at_sink = -costs.min(axis=1, keepdims=True)
    at_sink[~np.isfinite(at_sink)] = 0
    reduced = costs + at_sink
    at_source = np.take_along_axis(reduced, reduced.argmin(axis=2)[:, :, None], axis=2)
    at_source[~np.isfinite(at_source)] = 0
    reduced -= at_source
    mean = reduced.mean(axis=(1, 2), keepdims=True)
    if not np.isfinite(mean).all():  # padding
        real = np.isfinite(reduced)
        mean = reduced.sum(axis=(1, 2), keepdims=True, where=real)
        mean /= np.maximum(np.count_nonzero(real, axis=(1, 2), keepdims=True), 1)
    temperature = COARSEST * np.maximum(mean, np.finfo(np.float32).tiny * 1e6)
    plan = np.empty_like(reduced)
    for stage in range(STAGES):
        if stage:
            temperature /= 2
            np.add(costs, at_sink, out=reduced)
            reduced -= at_source
        np.multiply(reduced, -1 / temperature, out=plan)
        np.maximum(plan, LEAST, out=plan)
        np.exp(plan, out=plan)
        sinks = np.ones_like(at_sink)
        for _ in range(ROUNDS):
            sources = 1 / np.matmul(plan, (demands * sinks).swapaxes(1, 2))
            sinks = 1 / np.matmul((supplies * sources).swapaxes(1, 2), plan)
        at_source += temperature * np.log(sources)
        at_sink -= temperature * np.log(sinks)
    return at_sink[:, 0]
