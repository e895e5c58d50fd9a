"""Detection of predictions whose class numbers are in another order than the labels."""

from __future__ import annotations

import math

import numpy as np

SIGNIFICANCE_LEVEL = 0.001
"""Level of the sign tests that suggest another order of classes or another normalization."""


def best_class_permutation(predicted: np.ndarray, labels: np.ndarray) -> tuple[int, str]:
    """Find the permutation of the classes under which most predictions are correct.

    Args:
        predicted: Predicted class number of each image.
        labels: Class number of each image.

    Returns:
        The number of correct predictions under the permutation, and the class numbers that it changes, as "3>5 5>3". If no permutation
        is significantly better, the number of correct predictions as they are, and "". The test is a sign test of the images gained and
        lost, at ``SIGNIFICANCE_LEVEL`` with a Bonferroni correction over all permutations.
    """
    from scipy import optimize, stats

    classes = int(max(predicted.max(), labels.max())) + 1
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (predicted, labels), 1)
    source, target = optimize.linear_sum_assignment(table, maximize=True)
    correct, best = int(np.trace(table)), int(table[source, target].sum())
    moved = source != target
    gained, lost = int(table[source, target][moved].sum()), int(table[source, source][moved].sum())
    permutations = math.factorial(classes)
    if best <= correct or permutations * stats.binomtest(gained, gained + lost, alternative="greater").pvalue > SIGNIFICANCE_LEVEL:
        return correct, ""
    return best, " ".join(f"{a}>{b}" for a, b in zip(source[moved], target[moved], strict=True))
