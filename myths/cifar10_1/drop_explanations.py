"""Explanations of the accuracy drop from CIFAR-10 to CIFAR-10.1, as shares of the mean drop of the 30 published models.

Two kinds of explanation are tested with the authors' predictions (Recht et al. 2018). Near-duplicates of training images and label errors
change the accuracy on the original test set; the accuracy without these images gives their share of the drop. The selection of the best of
the 30 models on the test set inflates its accuracy; the difference between random halves of the test set estimates the inflation.
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
from myths.lab.estimate import CONFIDENCE, Estimate, jackknife

Reason = Literal["near-duplicate", "label error"]
Counts = Int[Array, " models_plus_1"]
"""Number of images that 0, 1, … of the models classify correctly."""

MODELS = 30
RESAMPLES = 10_000
BLOCKS = 20
CHUNK = 250
"""Splits that are in memory together."""


def excluded_counts(reason: Reason) -> tuple[Counts, Counts, Counts]:
    """Return the counts of the excluded and the kept images of the CIFAR-10 test set, and of CIFAR-10.1 v4.

    The counts are read from ``excluded_images.csv``, which ``count_excluded_images`` computed.
    """
    found = {key: np.zeros(MODELS + 1, dtype=np.int64) for key in (("original", "1"), ("original", "0"), ("v4", "0"))}
    with Path(__file__).with_name("excluded_images.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["reason"] == reason:
                found[row["test_set"], row["excluded"]][int(row["n_models_correct"])] = int(row["n_images"])
    return found["original", "1"], found["original", "0"], found["v4", "0"]


def share_of_excluded(excluded: Counts, kept: Counts, new: Counts, rng: np.random.Generator, resamples: int = RESAMPLES) -> Estimate:
    """Return the accuracy gain from the excluded images on the original test set, relative to the mean drop.

    Args:
        excluded: Counts of the excluded images of the original test set.
        kept: Counts of its other images.
        new: Counts of the images of the new test set.
        rng: Random numbers of the bootstrap.
        resamples: Number of bootstrap resamples.

    Returns:
        (accuracy − accuracy without the excluded images) / (accuracy − accuracy on the new test set), with a percentile-bootstrap
        interval over the images of both test sets.
    """
    original = np.concatenate([excluded, kept])
    n, m = int(original.sum()), int(new.sum())
    drawn = rng.multinomial(n, original / n, resamples)
    shares = _share(drawn[:, : len(excluded)], drawn[:, len(excluded) :], rng.multinomial(m, new / m, resamples))
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(_share(excluded[None], kept[None], new[None])[0]), float(low), float(high), "test examples", n)


def mean_drop(original: Counts, new: Counts, rng: np.random.Generator, resamples: int = RESAMPLES) -> Estimate:
    """Return the mean drop of the models, with a percentile-bootstrap interval over the images of both test sets.

    All models share the images. The interval is therefore as wide as that of one model, whatever their number.

    Args:
        original: Counts of the images of the original test set.
        new: Counts of the images of the new test set.
        rng: Random numbers of the bootstrap.
        resamples: Number of bootstrap resamples.
    """
    n, m = int(original.sum()), int(new.sum())
    drops = _accuracy(rng.multinomial(n, original / n, resamples)) - _accuracy(rng.multinomial(m, new / m, resamples))
    low, high = np.quantile(drops, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float((_accuracy(original[None]) - _accuracy(new[None]))[0]), float(low), float(high), "test examples", min(n, m))


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
    """Return the optimism from selecting the best model on half of the original test set, relative to the mean drop.

    Args:
        original: Whether each model classifies each image of the original test set correctly.
        new: The same for the new test set.
        splits: Number of random halves of the original test set. The optimism is averaged over them.
        generator: Random numbers of the halves and the blocks.

    Returns:
        The optimism divided by the mean drop, with a jackknife interval over 20 blocks of images of both test sets. It is conservative:
        which model is selected depends on few images, and every block is deleted with new halves.
    """

    def share(images: Tensor, new_images: Tensor) -> float:
        correct = original[:, images]
        optimism = []
        for first in range(0, splits, CHUNK):
            each = min(CHUNK, splits - first)
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
        statistic: Computes the statistic from the kept indices of the first and the second sample.
        n: Size of the first sample.
        m: Size of the second sample.
        generator: Random numbers of the blocks.
        blocks: Number of blocks. Block i of both samples is deleted together.

    Returns:
        The statistic of the whole samples, with a t interval from the statistics without one block.
    """
    first, second = torch.randperm(n, generator=generator) % blocks, torch.randperm(m, generator=generator) % blocks
    value = statistic(torch.arange(n), torch.arange(m))
    without = [statistic((first != b).nonzero()[:, 0], (second != b).nonzero()[:, 0]) for b in range(blocks)]
    return jackknife(value, without, "test examples", n)
