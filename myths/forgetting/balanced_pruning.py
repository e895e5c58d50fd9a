"""Pruning of a dataset of the user that keeps examples of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int64

MIN_EXAMPLES = 100
"""Minimum number of examples: a network learns fewer at once and forgets none, so that the counts carry no information."""
MIN_KEPT_EXAMPLES = 10
"""Minimum number of examples of each class that are kept (all of a smaller class)."""
MIN_KEPT_FRACTION = 0.2
"""Minimum fraction of each class that is kept. In the paper, pruning 83 % of MNIST costs 0.12 points (Fig. 6)."""
NEARLY_ALL = 0.9
"""Fraction of a class. The summary warns if pruning by forgetting alone would remove at least this fraction."""


def balanced(
    labels: Sequence[str], events: Sequence[float] | Float[np.ndarray, " n"], ranks: Sequence[int] | Int64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Order examples for pruning so that every class shrinks by the same fraction.

    Args:
        labels: Class of each example.
        events: Mean number of forgetting events of each example over training runs.
        ranks: Rank of each example in the order of pruning by forgetting alone, from 1.

    Returns:
        Rank of each example in the balanced order, from 1, and whether it can be pruned. Only examples that were never forgotten can be
        pruned. The pruned fraction of a class is at most that of the whole dataset, and a class keeps at least ``MIN_KEPT_EXAMPLES`` and
        ``MIN_KEPT_FRACTION`` of its examples. With fewer than ``MIN_EXAMPLES`` examples none can be pruned.
    """
    names, never_forgotten, plain = np.asarray(labels), np.asarray(events) == 0, np.asarray(ranks)
    n = len(names)
    quantile, prunable = np.zeros(n), np.zeros(n, dtype=bool)
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        members = members[np.argsort(plain[members], kind="stable")]
        quantile[members] = (np.arange(len(members)) + 0.5) / len(members)
        kept = max(MIN_KEPT_EXAMPLES, int(np.ceil(MIN_KEPT_FRACTION * len(members))))
        allowed = min(int(never_forgotten.mean() * len(members)), len(members) - kept) if n >= MIN_EXAMPLES else 0
        candidates = members[never_forgotten[members]]
        prunable[candidates[: max(allowed, 0)]] = True
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((plain, quantile))] = np.arange(1, n + 1)
    return rank, prunable


def nearly_removed(labels: Sequence[str], events: Sequence[float] | Float[np.ndarray, " n"]) -> list[tuple[str, int, int]]:
    """Return the classes of which pruning all examples without forgetting events removes at least the fraction ``NEARLY_ALL``.

    Returns:
        Name, number of remaining examples and number of examples of each such class.
    """
    names, forgotten = np.asarray(labels), np.asarray(events) != 0
    counts = [(str(name), int(forgotten[names == name].sum()), int((names == name).sum())) for name in np.unique(names)]
    return [(name, remaining, n) for name, remaining, n in counts if n - remaining >= NEARLY_ALL * n]
