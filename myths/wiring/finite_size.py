"""Transition points from graphs of two sizes: where Binder's cumulant does not depend on the size (Binder 1981)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

CLEAR = 0.1
"""Differences of ln(1 − U) below this are noise of the sampling."""
ORDERED = 0.75
"""Part of its value in the ordered phase, the logarithm of the ratio of the sizes, up to which the difference is fitted."""
NEAREST = 5
"""Number of points from which the slopes at a crossing are taken."""


@dataclass(frozen=True)
class Crossing:
    """A crossing of Binder's cumulant of two sizes.

    Attributes:
        beta: Where it is.
        exponent: Logarithm of the ratio of the slopes over that of the numbers of nodes: 1 / (d ν) of finite-size scaling.
    """

    beta: float
    exponent: float


def find_crossing(
    betas: Float[Array, " points"], small: Float[Array, " points"], large: Float[Array, " points"], size_ratio: float
) -> Crossing | None:
    """Return where the cumulant of the large graph passes that of the small one from below, or None if it does not.

    Cumulants U are compared as ln(1 − U), which differs by the logarithm of the sizes in the ordered phase, where U of all sizes is near 1.
    A polynomial of degree 3 at most is fitted to the difference by least squares, from its lowest point to the ordered phase.

    Args:
        betas: Inverse temperatures, in increasing order.
        small: Cumulant of the small graph.
        large: Cumulant of the large graph.
        size_ratio: Number of nodes of the large graph over that of the small one.
    """
    logs = [-np.log(np.maximum(1 - cumulant, 1e-12)) for cumulant in (small, large)]
    difference = logs[1] - logs[0]
    bottom = int(difference.argmin())
    above = bottom + np.flatnonzero(difference[bottom:] > ORDERED * np.log(size_ratio))
    if difference[bottom] > -CLEAR or not len(above):
        return None
    inside = slice(bottom, int(above[0]) + 1)
    x = betas[inside]
    fine = np.linspace(x[0], x[-1], 2001)
    fitted = np.polyval(np.polyfit(x - x[0], difference[inside], min(3, len(x) - 1)), fine - x[0])
    crossed = np.flatnonzero((fitted[:-1] < 0) & (fitted[1:] >= 0))
    if not len(crossed):
        return None
    beta = float(fine[crossed[0]])
    near = np.abs(betas - beta).argsort()[:NEAREST]
    slopes = [np.polyfit(betas[near] - beta, log[near], 2)[1] for log in logs]
    ratio = slopes[1] / slopes[0]
    return Crossing(beta, float(np.log(ratio) / np.log(size_ratio)) if ratio > 0 else float("nan"))
