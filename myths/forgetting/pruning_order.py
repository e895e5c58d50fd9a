"""Order in which examples are pruned from the training set, by a score per example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.errors import UsageError

if TYPE_CHECKING:
    import torch
    from jaxtyping import Int64, Num
    from torch import Tensor

Order = Literal["lowest first", "highest first", "random", "shuffled"]
"""Lowest or highest score first, without a score, or by shuffled scores (a control)."""
LEAST_FORGOTTEN = "least forgotten first"


def order_name(score: str, order: str) -> str:
    """Return the name of a pruning order in tables.

    Args:
        score: Name of the score: "forgetting", a method with its epochs, or "" for none.
        order: An ``Order``.
    """
    counts = {"lowest first": LEAST_FORGOTTEN, "highest first": "most forgotten first", "shuffled": "shuffled counts"}
    if score == "forgetting":
        return counts[order]
    return f"{score}, {order}" if score else order


def order_examples(order: Order, n: int, scores: Num[Tensor, " n"] | None, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """Return the indices 0 to n - 1 in the order in which they are pruned, on the CPU. Ties are in random order.

    Raises:
        UsageError: The order needs scores, and there are none or not ``n``.
    """
    import torch

    shuffled = torch.randperm(n, generator=generator)
    if order == "random":
        return shuffled
    if scores is None or len(scores) != n:
        raise UsageError(
            f"pruning_order={order!r} requires a score for each of the {n} examples, not {0 if scores is None else len(scores)}"
        )
    scores = scores.cpu()
    if order == "shuffled":
        scores = scores[torch.randperm(n, generator=generator)]
    # A stable sort of a random permutation leaves ties in random order.
    return shuffled[torch.argsort(scores[shuffled], descending=order == "highest first", stable=True)]


def kept_indices(order: Int64[Tensor, " n"], pruned_fraction: float, skipped_fraction: float = 0.0) -> Int64[Tensor, " m"]:
    """Return the sorted indices of the examples that are kept.

    Args:
        order: Indices in the order of pruning.
        pruned_fraction: Fraction of the examples that is pruned.
        skipped_fraction: Fraction at the start of the order that is kept.

    Raises:
        UsageError: Fewer than two examples remain, or the fractions exceed the number of examples.
    """
    import torch

    check_fractions(pruned_fraction, skipped_fraction)
    n = len(order)
    first = round(skipped_fraction * n)
    kept = torch.ones(n, dtype=torch.bool)
    kept[order[first : first + round(pruned_fraction * n)]] = False
    if int(kept.sum()) < 2:
        raise UsageError(f"pruned_fraction={pruned_fraction:g} leaves {int(kept.sum())} of {n} examples: at least two are needed")
    return kept.nonzero().squeeze(1)


def check_fractions(pruned_fraction: float, skipped_fraction: float) -> None:
    """Check that the fractions leave examples and do not exceed the number of examples.

    Raises:
        UsageError: They do not.
    """
    if not 0 <= pruned_fraction < 1:
        raise UsageError(f"pruned_fraction={pruned_fraction:g} does not fit: expected 0 to less than 1")
    if not 0 <= skipped_fraction <= 1 - pruned_fraction + 1e-9:
        raise UsageError(
            f"skipped_fraction={skipped_fraction:g} does not fit: expected 0 to {1 - pruned_fraction:g}, "
            f"since pruned_fraction={pruned_fraction:g}"
        )
