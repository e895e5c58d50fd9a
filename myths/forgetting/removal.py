"""Which examples to leave out of the training set, by a score of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.errors import UsageError

if TYPE_CHECKING:
    import torch
    from jaxtyping import Int64, Num
    from torch import Tensor

Order = Literal["lowest first", "highest first", "random", "shuffled"]
"""By the score, against it, by no score at all, or by the same scores dealt out anew (a control)."""


def removal_order(order: Order, n: int, scores: Num[Tensor, " n"] | None, generator: torch.Generator) -> Int64[Tensor, " n"]:
    """The indices 0..n-1 in the order in which they are to go, on the CPU; equal scores in random order.

    Raises UsageError where the order needs scores and there are none, or not ``n``.
    """
    import torch

    dealt = torch.randperm(n, generator=generator)
    if order == "random":
        return dealt
    if scores is None or len(scores) != n:
        raise UsageError(f"removing by {order!r} needs a score for each of the {n} examples, not {0 if scores is None else len(scores)}")
    scores = scores.cpu()
    if order == "shuffled":
        scores = scores[torch.randperm(n, generator=generator)]
    # A stable sort of a random order leaves ties in random order.
    return dealt[torch.argsort(scores[dealt], descending=order == "highest first", stable=True)]


def kept(order: Int64[Tensor, " n"], removed: float, skip: float = 0.0) -> Int64[Tensor, " m"]:
    """The indices that stay, in rising order, when the share ``removed`` goes, after the first share ``skip`` of the order.

    Raises UsageError for shares that leave fewer than two examples or reach past the end.
    """
    import torch

    check_shares(removed, skip)
    n = len(order)
    first = round(skip * n)
    stays = torch.ones(n, dtype=torch.bool)
    stays[order[first : first + round(removed * n)]] = False
    if int(stays.sum()) < 2:
        raise UsageError(f"removed={removed:g} leaves {int(stays.sum())} of {n} examples: nothing to train on")
    return stays.nonzero().squeeze(1)


def check_shares(removed: float, skip: float) -> None:
    """Raises UsageError for shares that leave nothing or reach past the end."""
    if not 0 <= removed < 1:
        raise UsageError(f"removed={removed:g} is no share that can be removed: from 0 to less than 1")
    if not 0 <= skip <= 1 - removed + 1e-9:
        raise UsageError(f"skip={skip:g} with removed={removed:g} reaches past the last example: their sum is at most 1")
