"""Simulation of adaptive overfitting: many models, one reused test set, and one fresh test set of the same distribution.

The test images are split at random into A, which is used for every selection, and B, which is used once. A and B have the same
distribution, so a higher accuracy on A than on B is due to the reuse. Part of the difference A − B is the difficulty of the split, which
is the same for all candidates up to noise. The mean of A − B over *all* candidates estimates it and is subtracted:

    optimism = (A − B of the selected model) − mean over all candidates of (A − B)

For k equally accurate candidates with independent errors, the expected optimism is σ · E[max of k standard normals] with
σ = √(p (1 − p) / n_A). Errors of real candidates are correlated and their accuracies differ; both reduce the optimism.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class OptimismCurve:
    """Accuracy of the selection after increasing numbers of queries, for every split.

    Attributes:
        queries: Numbers of queries k.
        reused: Accuracy on the reused half, 0 to 1.
        fresh: Accuracy on the fresh half, 0 to 1.
        optimism: Optimism as defined above, 0 to 1.
    """

    queries: tuple[int, ...]
    reused: Float[Tensor, "splits ks"]
    fresh: Float[Tensor, "splits ks"]
    optimism: Float[Tensor, "splits ks"]


def query_counts(candidates: int) -> tuple[int, ...]:
    """Return 1, 2, 5, 10, 20, 50 … below the number of candidates, and that number."""
    steps = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    return (*(k for k in steps if k < candidates), candidates)


def random_half_splits(splits: int, images: int, generator: torch.Generator) -> Bool[Tensor, "splits images"]:
    """Return a mask of the reused half (rounded down) of the images for each split."""
    order = torch.rand(splits, images, generator=generator).argsort(1)
    return order < images // 2


def random_orders(splits: int, candidates: int, generator: torch.Generator) -> Int64[Tensor, "splits candidates"]:
    """Return a random order of the candidates for each split: the order in which they are queried."""
    return torch.rand(splits, candidates, generator=generator).argsort(1)


def best_of_k(
    correct: Bool[Tensor, "candidates images"], reused: Bool[Tensor, "splits images"], orders: Int64[Tensor, "splits candidates"]
) -> OptimismCurve:
    """Select the candidate with the highest accuracy on the reused half among the first k; the earlier one on a tie.

    Args:
        correct: Whether each candidate classifies each image correctly.
        reused: Mask of the reused half, by split.
        orders: Order of the candidates, by split.
    """
    a, b = _scores(correct, reused)
    baseline = (a - b).mean(1)
    a, b = a.gather(1, orders), b.gather(1, orders)
    queries = query_counts(a.shape[1])
    selected = torch.stack([a[:, :k].argmax(1) for k in queries], dim=1)
    return _curve(queries, a.gather(1, selected), b.gather(1, selected), baseline)


def greedy_ensemble(
    predicted: UInt8[Tensor, "candidates images"],
    labels: UInt8[Tensor, " images"],
    reused: Bool[Tensor, "splits images"],
    orders: Int64[Tensor, "splits candidates"],
) -> OptimismCurve:
    """Build an ensemble greedily: each query adds one candidate, and keeps it only if the accuracy on the reused half increases.

    The ensemble predicts by majority vote. Of classes with equal votes, it predicts the one that received a vote last, so that a second
    member can change a prediction. The selection is adaptive but not adversarial.

    Args:
        predicted: Predicted class of each image, by candidate.
        labels: Class of each image.
        reused: Mask of the reused half, by split.
        orders: Order of the candidates, by split.
    """
    correct = predicted == labels
    a, b = _scores(correct, reused)
    baseline = (a - b).mean(1)
    splits, images = reused.shape
    mask, n_reused = reused, reused.sum(1)
    votes = torch.zeros(splits, images, int(max(predicted.max(), labels.max())) + 1, dtype=torch.int16, device=predicted.device)
    top_votes = votes[..., 0].clone()
    leader = torch.zeros(splits, images, dtype=torch.uint8, device=predicted.device)
    best = torch.full((splits,), -1, device=predicted.device)
    queries, at_k = query_counts(len(predicted)), []
    for query in range(len(predicted)):
        proposed = predicted[orders[:, query]]
        index = proposed.long()[..., None]
        count = votes.gather(2, index)[..., 0] + 1
        overtakes = count >= top_votes
        leads = torch.where(overtakes, proposed, leader)
        right = leads == labels
        score = (right & mask).sum(1)
        kept = (score > best)[:, None]
        best = torch.maximum(score, best)
        votes.scatter_add_(2, index, kept.to(votes.dtype).expand(-1, images)[..., None])
        top_votes = torch.where(kept & overtakes, count, top_votes)
        leader = torch.where(kept, leads, leader)
        if query + 1 in queries:
            right = leader == labels
            at_k.append(((right & mask).sum(1) / n_reused, (right & ~mask).sum(1) / (images - n_reused)))
    on_reused, on_fresh = (torch.stack(values, dim=1) for values in zip(*at_k, strict=True))
    return _curve(queries, on_reused, on_fresh, baseline)


def _curve(
    queries: tuple[int, ...], a: Float[Tensor, "splits ks"], b: Float[Tensor, "splits ks"], baseline: Float[Tensor, " splits"]
) -> OptimismCurve:
    return OptimismCurve(queries, a, b, a - b - baseline[:, None])


def _scores(
    correct: Bool[Tensor, "candidates images"], reused: Bool[Tensor, "splits images"]
) -> tuple[Float[Tensor, "splits candidates"], Float[Tensor, "splits candidates"]]:
    right, mask = correct.float(), reused.float()
    on_reused, total = mask @ right.T, right.sum(1)
    n_reused = mask.sum(1, keepdim=True)
    return on_reused / n_reused, (total - on_reused) / (mask.shape[1] - n_reused)
