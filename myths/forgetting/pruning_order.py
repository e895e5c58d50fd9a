"""Order in which examples are pruned from the training set, by a score per example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.errors import UsageError

if TYPE_CHECKING:
    import torch
    from jaxtyping import Int64, Num
    from torch import Tensor

Order = Literal["lowest first", "highest first", "random", "shuffled", "stratified"]
"""Lowest or highest score first, without a score, by shuffled scores (a control), or so that all scores are covered (Zheng et al. 2023)."""
HARD_FRACTION = 0.3
"""Fraction of the examples, those with the highest scores, that the order "stratified" prunes first, as Zheng et al. do to prune 90 %."""
STRATA = 50
"""Number of strata of equal width of the order "stratified", as in Zheng et al."""
STRATIFIED = "stratified counts"
LEAST_FORGOTTEN = "least forgotten first"


def order_name(score: str, order: str) -> str:
    """Return the name of a pruning order in tables.

    Args:
        score: Name of the score: "forgetting", a method with its epochs, or "" for none.
        order: An ``Order``.
    """
    counts = {"lowest first": LEAST_FORGOTTEN, "highest first": "most forgotten first", "shuffled": "shuffled counts"}
    counts["stratified"] = STRATIFIED
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
    if order == "stratified":
        return _stratified(scores[shuffled], shuffled)
    # A stable sort of a random permutation leaves ties in random order.
    return shuffled[torch.argsort(scores[shuffled], descending=order == "highest first", stable=True)]


def _stratified(scores: Num[Tensor, " n"], indices: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
    """Return indices in the order of pruning of coverage-centric selection (Zheng et al. 2023, Algorithm 1).

    The examples with the highest scores are pruned first. Of the others, equally many are kept in each stratum of scores; strata with
    fewer examples keep all. In the order of pruning, the k-th examples of all strata come before their (k - 1)-th examples.

    Args:
        scores: Scores of examples in random order.
        indices: Their indices.
    """
    import torch

    n = len(scores)
    by_score = torch.argsort(scores, stable=True)
    easy, hard = by_score[: n - round(HARD_FRACTION * n)], by_score[n - round(HARD_FRACTION * n) :]
    values = scores[easy].double()
    width = float(values.max() - values.min()) or 1.0
    stratum = ((values - values.min()) / width * STRATA).long().clamp(max=STRATA - 1)
    rank = torch.empty(len(easy), dtype=torch.int64)
    for each in stratum.unique():
        members = (stratum == each).nonzero().squeeze(1)
        members = members[torch.argsort(easy[members])]  # the random order in which the scores came
        rank[members] = torch.arange(len(members))
    # Ties of rank between strata are broken by the random order, too.
    mixed = torch.argsort(easy)
    kept_last = easy[mixed][torch.argsort(rank[mixed], descending=True, stable=True)]
    return indices[torch.cat([hard.flip(0), kept_last])]


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
