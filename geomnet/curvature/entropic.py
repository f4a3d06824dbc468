"""Rough dual potentials of many small transport problems, from transport with entropy."""

from __future__ import annotations

import numpy as np

__all__ = ["entropic_plan"]

BLOCK = 2**17
"""Entries of the cost matrices worked on at a time, few enough to stay in the cache."""
COARSEST = 0.04
"""First temperature, as a share of the mean reduced cost."""
STAGES = 2
"""Temperatures, each half the one before."""
ROUNDS = 5
"""Times that sources and sinks are balanced at each of them."""
SURE = 0.8
"""Share of a sink's mass that comes from one source, from which the source owns the sink."""
LEAST, MOST = np.float32(-60.0), np.float32(40.0)
"""Exponents that keep single precision from overflowing."""
FEWEST = np.float32(1e-18)
"""Likewise, the least mass a plan brings where it is to be balanced."""
FLAT = np.float32(1e-5)
"""Mean reduced cost, as a share of the largest cost, that is as good as none."""


def entropic_plan(
    costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Potentials of the sinks, and the sources that own them, of every problem of a batch.

    Sinkhorn's algorithm, with the temperature falling: the plan is
    :math:`s_id_j\,e^{(f_i - g_j - c_{ij})/\varepsilon}`, and f and g are made to give each source
    and each sink its mass in turn. A few rounds in single precision: good enough to say which sinks
    a source should turn to first, and no more.

    Parameters
    ----------
    costs : ndarray of float32, shape (b, m, n)
        From every source to every sink; infinite where one of them only pads a problem.
    supplies, demands : ndarray, shapes (b, m) and (b, n)

    Returns
    -------
    potentials : ndarray, shape (b, n)
        g, up to a constant; meaningless at padding.
    owners : ndarray of int, shape (b, n)
        The source that nearly all of a sink's mass comes from; −1 where there is none.

    References
    ----------
    Cuturi (2013), Adv. Neural Inf. Process. Syst. 26, for the plan with entropy.
    """
    b, m, n = costs.shape
    potentials, owners = np.empty((b, n)), np.empty((b, n), dtype=np.intp)
    block = max(1, BLOCK // (m * n))
    for start in range(0, b, block):
        part = slice(start, start + block)
        potentials[part], owners[part] = _of_block(
            costs[part],
            supplies[part].astype(np.float32)[:, :, None],
            demands[part].astype(np.float32)[:, None, :],
        )
    return potentials, owners


def _of_block(
    costs: np.ndarray, supplies: np.ndarray, demands: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # every source and every sink begins with one arc of reduced cost zero
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
    floor = FLAT * np.abs(at_sink).max(axis=2, keepdims=True) + np.finfo(np.float32).eps ** 2
    temperature = COARSEST * np.maximum(mean, floor)
    plan = np.empty_like(reduced)
    for stage in range(STAGES):
        if stage:
            temperature /= 2
            np.add(costs, at_sink, out=reduced)
            reduced -= at_source
        np.multiply(reduced, -1 / temperature, out=plan)
        np.clip(plan, LEAST, MOST, out=plan)
        np.exp(plan, out=plan)
        sinks = np.ones_like(at_sink)
        for _ in range(ROUNDS):
            sources = 1 / np.maximum(np.matmul(plan, (demands * sinks).swapaxes(1, 2)), FEWEST)
            sinks = 1 / np.maximum(np.matmul((supplies * sources).swapaxes(1, 2), plan), FEWEST)
        at_source += temperature * np.log(sources)
        at_sink -= temperature * np.log(sinks)
    plan *= supplies * sources
    largest = plan.max(axis=1, keepdims=True)
    owner = np.matmul(
        np.arange(plan.shape[1], dtype=np.float32), (plan == largest).astype(np.float32)
    )
    return at_sink[:, 0], np.where((largest * sinks)[:, 0] > SURE, owner, -1).astype(np.intp)
