"""Comparison of the ranking of models on two test sets: ranks, rank reversals, and their significance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from numpy import ndarray as Array

from myths.lab.estimate import Estimate, fisher_z, jackknife


def ranks(score: Num[Array, " models"]) -> Int[Array, " models"]:
    """Return the rank of each score. The highest score has rank 1; ties share the smallest rank, as in the paper's Table 1."""
    from scipy import stats

    return stats.rankdata(-np.asarray(score), method="min").astype(np.int64)


def rank_changes(original: Num[Array, " models"], new: Num[Array, " models"]) -> Int[Array, " models"]:
    """Return the original rank minus the new rank of each model, from the scores: positive for a model that moves up."""
    return ranks(original) - ranks(new)


def mcnemar(correct: Bool[Array, "models images"]) -> Float[Array, "models models"]:
    """Return the two-sided p-value of the exact McNemar test for every pair of models.

    The test conditions on the images that exactly one of the two models classifies correctly. Without such images the p-value is 1. The
    result equals ``statsmodels.stats.contingency_tables.mcnemar(exact=True)``.
    """
    from scipy import special

    right = correct.astype(np.float32)  # matrix products of integers do not use BLAS; counts are exact below 2^24
    only_first = np.rint(right @ (1 - right).T)
    fewer, either = np.minimum(only_first, only_first.T), only_first + only_first.T
    return np.minimum(1.0, 2 * special.bdtr(fewer.astype(float), either.astype(int), 0.5))


@dataclass(frozen=True)
class RankComparison:
    """Rank reversals between two test sets.

    Attributes:
        pairs: Number of pairs of models.
        first: Index of one model of each reversed pair.
        second: Index of the other model.
        p_values: Exact McNemar p-value of each reversed pair on the new test set, not corrected for the number of pairs.
    """

    pairs: int
    first: Int[Array, " reversals"]
    second: Int[Array, " reversals"]
    p_values: Float[Array, " reversals"]

    @property
    def rank_reversals(self) -> int:
        """Number of strictly reversed pairs. A pair that ties on either test set is not reversed."""
        return len(self.first)

    def significant(self) -> int:
        """Return the number of reversals with a p-value below 0.05."""
        return int((self.p_values < 0.05).sum())


def compare(original: Bool[Array, "models images"], new: Bool[Array, "models others"]) -> RankComparison:
    """Compare the order of models by accuracy on two test sets.

    Args:
        original: Whether each model classifies each image of the original test set correctly.
        new: The same for the new test set.
    """
    a, b = original.mean(1), new.mean(1)
    reversed_ = np.triu((a[:, None] - a[None]) * (b[:, None] - b[None]) < 0)
    first, second = np.nonzero(reversed_)
    return RankComparison(len(a) * (len(a) - 1) // 2, first, second, mcnemar(new)[first, second])


def correlations(original: Num[Array, " models"], new: Num[Array, " models"]) -> tuple[float, float]:
    """Return Spearman's ρ and Kendall's τ-b of two scores, or NaN if all values of one score are equal."""
    from scipy import stats

    if np.ptp(original) == 0 or np.ptp(new) == 0:
        return float("nan"), float("nan")
    return float(stats.spearmanr(original, new).statistic), float(stats.kendalltau(original, new).statistic)


def spearman(original: Num[Array, " models"], new: Num[Array, " models"], families: Sequence[str] | Array) -> Estimate | None:
    """Return Spearman's ρ of two scores over models, with a jackknife interval over families of models.

    The interval is computed on Fisher's z scale. Its standard error is at least that of independent families (Bonett & Wright 2000), since
    the jackknife sees no variation in a perfect ranking. It is conservative.

    Args:
        original: Score of each model on the original test set.
        new: Another score of each model.
        families: Family of each model.

    Returns:
        The estimate, or None if there are fewer than four families or all values of one score are equal.
    """
    family = np.asarray(families)
    names = np.unique(family)
    rho, _ = correlations(original, new)
    without = [correlations(original[family != name], new[family != name])[0] for name in names]
    if len(names) < 4 or not np.isfinite([rho, *without]).all():
        return None
    swap = 12 / (len(family) ** 3 - len(family))  # what ρ loses by one swap of neighbors
    z, *rest = np.arctanh(np.clip([rho, *without], swap - 1, 1 - swap))
    found = jackknife(float(z), rest, "models", len(family))
    smallest = fisher_z(float(np.tanh(z)), len(names), "models", "spearman")
    low, high = min(np.tanh(found.low), smallest.low, rho), max(np.tanh(found.high), smallest.high, rho)
    return Estimate(rho, float(low), float(high), "models", len(family))
