"""Which examples of the user's own set may be dropped, so that every class stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int64

TOO_FEW = 100
"""Examples below which counts of forgetting say nothing: a network learns so few at once and forgets none."""
KEPT_EXAMPLES = 10
"""Examples that every class keeps, or all that it has."""
KEPT_SHARE = 0.2
"""Share that every class keeps; the paper removes up to 80 % (Fig. 5, of MNIST)."""
NEARLY_ALL = 0.9
"""Share of a class from which on a warning says that the plain list would remove it."""


def balanced(
    labels: Sequence[str], events: Sequence[float] | Float[np.ndarray, " n"], places: Sequence[int] | Int64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Order examples for removal so that every class shrinks alike, and say which may go.

    Args:
        labels: Class of each example.
        events: Forgetting events of each, averaged over training runs.
        places: Place of each in the plain order of removal, from 1.

    Returns:
        Place of each in the balanced order, from 1; and whether it may be dropped. Only examples that were never forgotten may be. A class
        loses no larger share than the whole set would, and keeps ``KEPT_EXAMPLES`` and ``KEPT_SHARE`` of its examples. Of fewer than
        ``TOO_FEW`` examples none may be dropped.
    """
    names, free, plain = np.asarray(labels), np.asarray(events) == 0, np.asarray(places)
    n = len(names)
    quantile, droppable = np.zeros(n), np.zeros(n, dtype=bool)
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        members = members[np.argsort(plain[members], kind="stable")]
        quantile[members] = (np.arange(len(members)) + 0.5) / len(members)
        kept = max(KEPT_EXAMPLES, int(np.ceil(KEPT_SHARE * len(members))))
        allowed = min(int(free.mean() * len(members)), len(members) - kept) if n >= TOO_FEW else 0
        candidates = members[free[members]]
        droppable[candidates[: max(allowed, 0)]] = True
    place = np.empty(n, dtype=np.int64)
    place[np.lexsort((plain, quantile))] = np.arange(1, n + 1)
    return place, droppable


def nearly_removed(labels: Sequence[str], events: Sequence[float] | Float[np.ndarray, " n"]) -> list[tuple[str, int, int]]:
    """Return the classes of which dropping every never-forgotten example would leave next to nothing: name, examples left, examples."""
    names, free = np.asarray(labels), np.asarray(events) == 0
    counts = [(str(name), int((~free[names == name]).sum()), int((names == name).sum())) for name in np.unique(names)]
    return [(name, left, n) for name, left, n in counts if n - left >= NEARLY_ALL * n]
