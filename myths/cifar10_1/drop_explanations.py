"""What explains the drop from CIFAR-10 to CIFAR-10.1: shares of the mean drop of the paper's 30 models.

Two explanations are tested on the authors' predictions (Recht et al. 2018). Test images that have a near-duplicate in the training set,
or a wrong label, change the accuracy on the original test set; excluding them gives their share of the drop. Selecting the best of the
30 models on the test set inflates its accuracy; halves of the test set measure by how much.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray as Array
from torch import Tensor

from myths.cifar10_1 import adaptive_overfitting
from myths.lab.estimate import CONFIDENCE, Estimate

Reason = Literal["near-duplicate", "label error"]
Counts = Int[Array, " models_plus_1"]
"""How many images are classified correctly by 0, 1, … of the models."""

MODELS = 30
RESAMPLES = 10_000
BLOCKS = 20


def excluded_counts(reason: Reason) -> tuple[Counts, Counts, Counts]:
    """Return the counts of the excluded and the kept images of CIFAR-10's test set, and of CIFAR-10.1 v4.

    They come from ``excluded_images.csv``, which ``count_excluded_images`` writes.
    """
    found = {key: np.zeros(MODELS + 1, dtype=np.int64) for key in (("original", "1"), ("original", "0"), ("v4", "0"))}
    with Path(__file__).with_name("excluded_images.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["reason"] == reason:
                found[row["test_set"], row["excluded"]][int(row["n_models_correct"])] = int(row["n_images"])
    return found["original", "1"], found["original", "0"], found["v4", "0"]


def share_of_excluded(excluded: Counts, kept: Counts, new: Counts, rng: np.random.Generator) -> Estimate:
    """Return by what share of the mean drop the excluded images raise the accuracy on the original test set.

    Args:
        excluded: Counts of the images that are excluded from the original test set.
        kept: Counts of its other images.
        new: Counts of the images of the new test set.
        rng: Draws the resamples.

    Returns:
        (accuracy − accuracy without the excluded images) / (accuracy − accuracy on the new test set), with a percentile-bootstrap
        interval over the images of both test sets.
    """
    original = np.concatenate([excluded, kept])
    n, m = int(original.sum()), int(new.sum())
    drawn = rng.multinomial(n, original / n, RESAMPLES)
    shares = _share(drawn[:, : len(excluded)], drawn[:, len(excluded) :], rng.multinomial(m, new / m, RESAMPLES))
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(_share(excluded[None], kept[None], new[None])[0]), float(low), float(high), "test examples", n)


def _share(
    excluded: Int[Array, "draws models_plus_1"], kept: Int[Array, "draws models_plus_1"], new: Int[Array, "draws models_plus_1"]
) -> Float[Array, " draws"]:
    full = _accuracy(excluded + kept)
    return (full - _accuracy(kept)) / (full - _accuracy(new))


def accuracy_percent(counts: Counts) -> float:
    """Return the mean accuracy of the models on the images of the counts, in percent."""
    return 100 * float(_accuracy(counts[None])[0])


def _accuracy(counts: Int[Array, "draws models_plus_1"]) -> Float[Array, " draws"]:
    models = counts.shape[-1] - 1
    return counts @ np.arange(models + 1) / (models * counts.sum(-1))


def share_of_selection(
    original: Bool[Tensor, "models images"], new: Bool[Tensor, "models new_images"], splits: int, generator: torch.Generator
) -> Estimate:
    """Return by what share of the mean drop selecting the best model on half of the original test set inflates its accuracy.

    Args:
        original: Which images of the original test set each model classifies correctly.
        new: The same of the new test set.
        splits: Random halves of the original test set; the optimism is the mean over them.
        generator: Draws the halves and the blocks.

    Returns:
        The optimism as a share of the mean drop, with a jackknife interval over 20 blocks of images of both test sets.
    """

    def share(images: Tensor, new_images: Tensor) -> float:
        correct = original[:, images]
        optimism = []
        for each in torch.full((-(-splits // 250),), 250).clamp_max(splits).tolist():
            halves = adaptive_overfitting.random_half_splits(each, correct.shape[1], generator)
            orders = torch.arange(len(correct)).expand(each, -1)
            optimism.append(adaptive_overfitting.best_of_k(correct, halves, orders).optimism[:, -1])
        drop = correct.double().mean() - new[:, new_images].double().mean()
        return float(torch.cat(optimism).double().mean() / drop)

    return delete_block_jackknife(share, original.shape[1], new.shape[1], generator)


def delete_block_jackknife(
    statistic: Callable[[Tensor, Tensor], float], n: int, m: int, generator: torch.Generator, blocks: int = BLOCKS
) -> Estimate:
    """Return a statistic of two independent samples with its delete-a-block jackknife interval (Shao & Wu 1989).

    Args:
        statistic: Takes the indices that are kept of the first and the second sample.
        n: Size of the first sample.
        m: Size of the second sample.
        generator: Draws the blocks.
        blocks: Number of blocks; block i of both samples is deleted together.

    Returns:
        The statistic of all, with a t interval from the spread of the statistics without a block.
    """
    from scipy import stats

    first, second = torch.randperm(n, generator=generator) % blocks, torch.randperm(m, generator=generator) % blocks
    value = statistic(torch.arange(n), torch.arange(m))
    without = np.array([statistic((first != b).nonzero()[:, 0], (second != b).nonzero()[:, 0]) for b in range(blocks)])
    error = np.sqrt((blocks - 1) / blocks * ((without - without.mean()) ** 2).sum())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, blocks - 1) * error)
    return Estimate(value, value - half, value + half, "test examples", n)
