"""The geometry of several data at once, from those of each."""

from __future__ import annotations

from ..errors import InputError
from ..utils.validation import check_integer, check_positive
from .geometry import EmergentGeometry

__all__ = ["mix"]


def mix(
    geometry: EmergentGeometry, other: EmergentGeometry, share: float, *, n: int | None = None
) -> EmergentGeometry:
    """The geometry of (1 − share) of one's data and `share` of the other's, at the same θ.

    Parameters
    ----------
    geometry, other : EmergentGeometry
        Of the same network with the same parameters.
    share : float
        In [0, 1].
    n : int, optional
        Number of data that Planck lengths, horizons and capacities count; by default that of
        both, and at a share of 0 or 1 that of the one.

    Returns
    -------
    EmergentGeometry
    """
    share = check_positive("share", share, zero=True)
    if share > 1:
        raise InputError(f"share: expected a number in [0, 1], got {share:g}")
    if not isinstance(other, EmergentGeometry) or other.source is None or geometry.source is None:
        raise InputError("other: expected a geometry as from_network gives it")
    (origin, mine, _), (theirs, moments, _) = geometry.source, other.source
    if not origin.same(theirs):
        raise InputError(
            "other: is of another network, of other parameters or of another likelihood; only "
            "the data may differ"
        )
    if n is None:
        n = {0.0: geometry.n, 1.0: other.n}.get(share, geometry.n + other.n)
    count = check_integer("n", n, least=1)
    return EmergentGeometry.from_moments(origin, mine.mix(moments, share), count, None)
