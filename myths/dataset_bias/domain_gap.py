"""What being at home is worth: the drop of average precision on other sets, and whether home matters at all."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

EXACT_PERMUTATIONS = 50_000  # all of them up to eight sets


def self_ap(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """AP of every set's classifier on that set: the paper's "self"."""
    return np.diagonal(ap, axis1=-2, axis2=-1)


def mean_others_ap(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Mean AP of every set's classifier on the other sets: the paper's "mean others". Of the transpose: of others' classifiers here."""
    return (ap.sum(-1) - self_ap(ap)) / (ap.shape[-1] - 1)


def percent_drop(home: Float[Array, "*shape"], away: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """How many percent of the AP at home are lost away; negative where away is better."""
    return 100 * (1 - away / home)


def drop_by_set(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """Percent drop of every training set, the last column of Table 1."""
    return percent_drop(self_ap(ap), mean_others_ap(ap))


def drop_of_means(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits"]:
    """Percent drop of the mean over sets of self to the mean over sets of mean others: the last cell of Table 1."""
    return percent_drop(self_ap(ap).mean(-1, keepdims=True), mean_others_ap(ap).mean(-1, keepdims=True))[..., 0]


def in_domain_advantage(ap: Float[Array, "*splits sets sets"]) -> Float[Array, "*splits sets"]:
    """AP at home minus what a good training set (row) and an easy test set (column) explain; in the unit of ``ap``.

    AP = mean + row + column is fitted by least squares to the cells off the diagonal; this is the residual of each diagonal cell. Unlike
    the drop it does not take an easy test set for bias. The mean over sets is mean self minus mean of all others, exactly.
    Raises ValueError for fewer than three sets, where the cells do not determine the fit.
    """
    k = ap.shape[-1]
    if k < 3:
        raise ValueError("the additive fit needs at least three sets")
    row, column = mean_others_ap(ap), mean_others_ap(ap.swapaxes(-1, -2))
    mean = row.mean(-1, keepdims=True)
    # The normal equations of row i and column i, added, hold their two effects alone: (k-2)(r+c) = (k-1)(row + column - 2 mean).
    return self_ap(ap) - mean - (k - 1) / (k - 2) * (row + column - 2 * mean)


@dataclass(frozen=True)
class InDomainTest:
    """Mean home advantage, one-sided p-value of the permutation test, permutations looked at, and whether those are all."""

    advantage: float
    p_value: float
    permutations: int
    exact: bool


def in_domain_test(ap: Float[Array, "*splits sets sets"], rng: np.random.Generator, samples: int = 9_999) -> InDomainTest:
    """Whether classifiers do better at home than when the test sets are dealt out as homes at random.

    Null: a training set has no tie to its own column, so that any one-to-one map of training to test sets is as good a "diagonal". Row and
    column means are the same for all of them, so effects of rows and columns cancel. Splits are averaged first: the sets are what is
    exchanged. All permutations up to eight sets, else ``samples`` random ones and the observed one. The p-value cannot be less than one
    over the permutations: 1/6 for three sets, 1/24 for four, so three sets never decide at 5 %. Raises ValueError for fewer than two sets.
    """
    k = ap.shape[-1]
    if k < 2:
        raise ValueError("the permutation test needs at least two sets")
    mean = ap.reshape(-1, k, k).mean(0)
    exact = math.factorial(k) <= EXACT_PERMUTATIONS
    if exact:
        homes = np.array(list(itertools.permutations(range(k))))
    else:
        homes = np.vstack([np.arange(k), rng.permuted(np.tile(np.arange(k), (samples, 1)), axis=1)])
    totals = mean[np.arange(k), homes].sum(1)  # the observed one comes first in both
    at_least = totals >= totals[0] - 1e-9 * np.abs(mean).sum()  # sums in another order round differently
    advantage = self_ap(mean).mean() - mean_others_ap(mean).mean()
    return InDomainTest(float(advantage), float(at_least.mean()), len(homes), exact)
