"""How much a test set flatters whoever selects on it: many models, one reused test set, one fresh set of the same kind.

A pool of test images is split at random into A, which is used for every decision, and B, which is looked at once.
A and B have the same distribution, so what A promises and B does not keep is due to the reuse alone. Part of the
difference A − B is the split's own difficulty, the same for all candidates up to noise; the mean of A − B over *all*
candidates estimates it and is subtracted:

    optimism = (A − B of the selected model) − mean over all candidates of (A − B)

For k candidates that are equally good and err independently this is σ · E[max of k standard normals] on average, with
σ = √(p (1 − p) / n_A). Real candidates err together and differ in quality, and both make it smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Reuse:
    """For every split and every number of queries: accuracy (0..1) on the reused half, on the fresh half, and optimism."""

    queries: tuple[int, ...]
    reused: Float[Tensor, "splits ks"]
    fresh: Float[Tensor, "splits ks"]
    optimism: Float[Tensor, "splits ks"]


def query_counts(candidates: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50 … up to the number of candidates, which is the last."""
    steps = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    return (*(k for k in steps if k < candidates), candidates)


def random_halves(splits: int, images: int, generator: torch.Generator) -> Bool[Tensor, "splits images"]:
    """For each split, half of the images (rounded down) at random: the reused part."""
    order = torch.rand(splits, images, generator=generator).argsort(1)
    return order < images // 2


def random_orders(splits: int, candidates: int, generator: torch.Generator) -> Int64[Tensor, "splits candidates"]:
    """For each split, the candidates in the order in which the analyst tries them."""
    return torch.rand(splits, candidates, generator=generator).argsort(1)


def best_of_k(
    correct: Bool[Tensor, "candidates images"], reused: Bool[Tensor, "splits images"], orders: Int64[Tensor, "splits candidates"]
) -> Reuse:
    """Takes the candidate with the highest score on the reused half among the first k tried; the earlier one if two tie."""
    a, b = _scores(correct, reused)
    baseline = (a - b).mean(1)
    a, b = a.gather(1, orders), b.gather(1, orders)
    queries = query_counts(a.shape[1])
    selected = torch.stack([a[:, :k].argmax(1) for k in queries], dim=1)
    return _reuse(queries, a.gather(1, selected), b.gather(1, selected), baseline)


def hill_climbing(
    predicted: UInt8[Tensor, "candidates images"],
    labels: UInt8[Tensor, " images"],
    reused: Bool[Tensor, "splits images"],
    orders: Int64[Tensor, "splits candidates"],
) -> Reuse:
    """Grows a committee: each query adds one candidate's votes and keeps them only when the reused half's score rises.

    Greedy and not adversarial: each answer decides what the next candidate is added to. The committee decides by majority;
    of classes with equal votes, the one that was voted for last leads, so that a committee of two can change its mind.
    """
    correct = predicted == labels
    a, b = _scores(correct, reused)
    baseline = (a - b).mean(1)
    splits, images = reused.shape
    mask, n_reused = reused, reused.sum(1)
    votes = torch.zeros(splits, images, int(max(predicted.max(), labels.max())) + 1, dtype=torch.int16, device=predicted.device)
    most = votes[..., 0].clone()
    leader = torch.zeros(splits, images, dtype=torch.uint8, device=predicted.device)
    best = torch.full((splits,), -1, device=predicted.device)
    queries, at_k = query_counts(len(predicted)), []
    for query in range(len(predicted)):
        proposed = predicted[orders[:, query]]
        index = proposed.long()[..., None]
        count = votes.gather(2, index)[..., 0] + 1
        overtakes = count >= most
        leads = torch.where(overtakes, proposed, leader)
        right = leads == labels
        score = (right & mask).sum(1)
        kept = (score > best)[:, None]
        best = torch.maximum(score, best)
        votes.scatter_add_(2, index, kept.to(votes.dtype).expand(-1, images)[..., None])
        most = torch.where(kept & overtakes, count, most)
        leader = torch.where(kept, leads, leader)
        if query + 1 in queries:
            right = leader == labels
            at_k.append(((right & mask).sum(1) / n_reused, (right & ~mask).sum(1) / (images - n_reused)))
    on_reused, on_fresh = (torch.stack(values, dim=1) for values in zip(*at_k, strict=True))
    return _reuse(queries, on_reused, on_fresh, baseline)


def _reuse(
    queries: tuple[int, ...], a: Float[Tensor, "splits ks"], b: Float[Tensor, "splits ks"], baseline: Float[Tensor, " splits"]
) -> Reuse:
    return Reuse(queries, a, b, a - b - baseline[:, None])


def _scores(
    correct: Bool[Tensor, "candidates images"], reused: Bool[Tensor, "splits images"]
) -> tuple[Float[Tensor, "splits candidates"], Float[Tensor, "splits candidates"]]:
    right, mask = correct.float(), reused.float()
    on_reused, total = mask @ right.T, right.sum(1)
    n_reused = mask.sum(1, keepdim=True)
    return on_reused / n_reused, (total - on_reused) / (mask.shape[1] - n_reused)
