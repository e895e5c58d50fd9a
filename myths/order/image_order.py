"""The order in which a network learns images: groups of classes, scores of images, and agreement of two orders.

The score of an image is the fraction of the checkpoints at which it is classified correctly. Images that are always or never classified
correctly are kept; they tie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

Grouping = Int[np.ndarray, " classes"]
"""Group of each class."""

DIGIT_GROUPS = (0, 1, 1, 0, 1, 1, 0, 1, 0, 0)
"""The five roundest digits (0, 3, 6, 8, 9) and the others. A stand-in for superclasses."""

CIFAR100_SUPERCLASSES = (
    "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables", "household electrical devices",
    "household furniture", "insects", "large carnivores", "large man-made outdoor things", "large natural outdoor scenes",
    "large omnivores and herbivores", "medium-sized mammals", "non-insect invertebrates", "people", "reptiles", "small mammals", "trees",
    "vehicles 1", "vehicles 2",
)  # fmt: skip
"""Names of the superclasses of CIFAR-100, by number (Krizhevsky 2009, Sec. 3.1, in alphabetical order)."""


def checkpoint_steps(total: int, n: int) -> list[int]:
    """Return at most ``n`` distinct numbers of updates from 1 % of a training run to its end, evenly spaced on a logarithmic scale."""
    return sorted({max(1, round(x)) for x in np.geomspace(max(1, total / 100), total, n)})


def random_groupings(grouping: Grouping, n: int, rng: np.random.Generator) -> list[Grouping]:
    """Return groupings of the same sizes, with classes assigned at random. None equals the given one."""
    found: list[Grouping] = []
    while len(found) < n:
        drawn = rng.permutation(grouping)
        if not _same_partition(drawn, grouping):
            found.append(drawn)
    return found


def chance_corrected(accuracy: float, labels: Int[np.ndarray, " n"]) -> float:
    """Return κ = (a − a₀)/(1 − a₀), where a₀ is the accuracy of guessing with the frequencies of the labels."""
    shares = np.bincount(labels) / len(labels)
    chance = float((shares**2).sum())
    return (accuracy - chance) / (1 - chance)


def grouped_accuracy(
    probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], groupings: Sequence[Grouping]
) -> Float[np.ndarray, " groupings"]:
    """Return the accuracy of groups: the probabilities of the classes of a group are added.

    Args:
        probabilities: Predicted probabilities of the classes.
        labels: Class of each image.
        groupings: Groupings of the classes.
    """
    found = []
    for grouping in groupings:
        sums = probabilities @ np.eye(int(grouping.max()) + 1, dtype=probabilities.dtype)[grouping]
        found.append(float((sums.argmax(1) == grouping[labels]).mean()))
    return np.array(found)


def scores(correct: Bool[np.ndarray, "checkpoints n"]) -> Float[np.ndarray, " n"]:
    """Return the fraction of checkpoints at which each image is classified correctly."""
    return correct.mean(0)


def group_means(values: Float[np.ndarray, " n"], groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " groups"]:
    """Return the mean of the values in each group, such as the mean score of the images of a superclass.

    Args:
        values: One value per image.
        groups: Group of each image; every number from 0 to the largest is present.
    """
    return np.bincount(groups, values) / np.bincount(groups)


def fraction_before(means: Float[np.ndarray, " groups"], group: int) -> float:
    """Return the fraction of the other groups that are learned before a group: those with a higher mean score. A tie counts half."""
    others = np.delete(means, group)
    return float(((others > means[group]) + 0.5 * (others == means[group])).mean())


def at_equal_accuracy(
    first: Bool[np.ndarray, "checkpoints n"], second: Bool[np.ndarray, "others n"], levels: int = 20
) -> tuple[Bool[np.ndarray, "levels n"], Bool[np.ndarray, "levels n"]]:
    """Return the checkpoints of two networks at which they first reach the same accuracies.

    The accuracies are evenly spaced from the higher of the first accuracies to the lower of the best ones.

    Args:
        first: Correctness of the first network.
        second: Correctness of the second network.
        levels: Number of accuracies.
    """
    curves = [np.maximum.accumulate(correct.mean(1)) for correct in (first, second)]
    low, high = max(curve[0] for curve in curves), min(curve[-1] for curve in curves)
    wanted = np.linspace(min(low, high), high, levels)
    chosen = [np.minimum(np.searchsorted(curve, wanted - 1e-12), len(curve) - 1) for curve in curves]
    return first[chosen[0]], second[chosen[1]]


def rank_correlation(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float | None:
    """Return Spearman's ρ of two scores, or None if all images tie in one of them."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def _same_partition(one: Grouping, other: Grouping) -> bool:
    return len(set(zip(one.tolist(), other.tolist(), strict=True))) == len(set(other.tolist()))
