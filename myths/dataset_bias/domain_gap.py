"""Average precision on the own test set ("self") and on other test sets ("mean others"), and a permutation test of the difference."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

EXACT_PERMUTATIONS = 50_000  # all permutations of up to eight datasets


def self_ap(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Return the AP of every dataset's classifier on its own test set, the "self" of the paper."""
    return np.diagonal(ap, axis1=-2, axis2=-1)


def mean_others_ap(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Return the mean AP of every dataset's classifier on the other test sets. The transpose gives the mean of the other classifiers."""
    return (ap.sum(-1) - self_ap(ap)) / (ap.shape[-1] - 1)


def percent_drop(self_: Float[Array, "*shape"], others: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the drop of AP from the own to other test sets in percent. It is negative if the AP on other test sets is higher."""
    return 100 * (1 - others / self_)


def drop_by_set(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Return the percentage drop of every training set, the last column of Table 1."""
    return percent_drop(self_ap(ap), mean_others_ap(ap))


def drop_of_means(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits"]:
    """Return the percentage drop from the mean self to the mean of mean others, the last cell of Table 1."""
    return percent_drop(self_ap(ap).mean(-1, keepdims=True), mean_others_ap(ap).mean(-1, keepdims=True))[..., 0]


def in_domain_advantage(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Return the in-domain AP minus the prediction of an additive training-set + test-set model, in the unit of ``ap``.

    AP = mean + row + column is fitted by least squares to the off-diagonal cells; the result is the residual of each diagonal cell. Unlike
    the
    percentage drop, it does not mistake an easy test set for bias. Its mean over datasets is the mean self minus the mean of all other
    cells.

    Raises:
        ValueError: There are fewer than three datasets, so the fit is underdetermined.
    """
    k = ap.shape[-1]
    if k < 3:
        raise ValueError("the additive model requires at least three datasets")
    row, column = mean_others_ap(ap), mean_others_ap(ap.swapaxes(-1, -2))
    mean = row.mean(-1, keepdims=True)
    # The normal equations of row i and column i, added, hold their two effects alone: (k-2)(r+c) = (k-1)(row + column - 2 mean).
    return self_ap(ap) - mean - (k - 1) / (k - 2) * (row + column - 2 * mean)


@dataclass(frozen=True)
class InDomainTest:
    """Result of the permutation test.

    Attributes:
        advantage: Mean in-domain advantage.
        p_value: One-sided p-value.
        permutations: Number of evaluated permutations.
        exact: Whether all permutations were evaluated.
    """

    advantage: float
    p_value: float
    permutations: int
    exact: bool


def in_domain_test(ap: Float[Array, "*splits sets sets"], rng: np.random.Generator, samples: int = 9_999) -> InDomainTest:
    """Test the in-domain advantage against random one-to-one assignments of test sets to training sets.

    Under the null hypothesis, a training set is not related to its own test set, so every assignment is an equally likely diagonal. All
    assignments have equal row and column means, so effects of rows and columns cancel. Splits are averaged first, because the datasets are
    exchanged.

    Args:
        ap: Average precision [splits train test] or [train test].
        rng: Samples permutations.
        samples: Number of random permutations if there are more than eight datasets. Otherwise all permutations are used.

    Returns:
        The test result. The p-value is at least one over the number of permutations: 1/6 for three datasets, 1/24 for four. Three datasets
        can
        therefore never be significant at 5 %.

    Raises:
        ValueError: There are fewer than two datasets.
    """
    k = ap.shape[-1]
    if k < 2:
        raise ValueError("the permutation test requires at least two datasets")
    mean = ap.reshape(-1, k, k).mean(0)
    exact = math.factorial(k) <= EXACT_PERMUTATIONS
    if exact:
        assignments = np.array(list(itertools.permutations(range(k))))
    else:
        assignments = np.vstack([np.arange(k), rng.permuted(np.tile(np.arange(k), (samples, 1)), axis=1)])
    totals = mean[np.arange(k), assignments].sum(1)  # the observed assignment comes first
    at_least = totals >= totals[0] - 1e-9 * np.abs(mean).sum()  # tolerance for rounding
    advantage = self_ap(mean).mean() - mean_others_ap(mean).mean()
    return InDomainTest(float(advantage), float(at_least.mean()), len(assignments), exact)
