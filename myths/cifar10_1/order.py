"""Which of two models is better, on the original and on a new test set: ranks, flips, and whether a flip is significant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from numpy import ndarray as Array


def ranks(score: Num[Array, " models"]) -> Int[Array, " models"]:
    """1 for the highest score; equal scores share the smallest rank, as in the paper's Table 1."""
    from scipy import stats

    return stats.rankdata(-np.asarray(score), method="min").astype(np.int64)


def rank_changes(original: Num[Array, " models"], new: Num[Array, " models"]) -> Int[Array, " models"]:
    """Original rank minus new rank: positive for a model that moves up."""
    return ranks(original) - ranks(new)


def mcnemar(correct: Bool[Array, "models images"]) -> Float[Array, "models models"]:
    """Two-sided p-value of the exact McNemar test for every pair of models on the same images.

    Conditional on the images on which exactly one of the two is right, either is as likely under the null; 1 where
    there are none. Same as ``statsmodels.stats.contingency_tables.mcnemar(exact=True)``.
    """
    from scipy import special

    right = correct.astype(np.float32)  # matrix products of integers do not reach BLAS; counts stay exact below 2^24
    only_first = np.rint(right @ (1 - right).T)
    fewer, either = np.minimum(only_first, only_first.T), only_first + only_first.T
    return np.minimum(1.0, 2 * special.bdtr(fewer.astype(float), either.astype(int), 0.5))


@dataclass(frozen=True)
class Order:
    """Every pair of models: whether the new test set reverses their order, and how sure that is.

    ``first`` and ``second`` index the flipped pairs; ``p_values`` are exact McNemar on the new test set's images,
    not corrected for the number of pairs.
    """

    pairs: int
    first: Int[Array, " flips"]
    second: Int[Array, " flips"]
    p_values: Float[Array, " flips"]

    @property
    def flips(self) -> int:
        """Pairs whose order is strictly reversed; a tie on either test set is no reversal."""
        return len(self.first)

    def significant(self) -> int:
        """Flips whose p-value is below 0.05."""
        return int((self.p_values < 0.05).sum())


def compare(original: Bool[Array, "models images"], new: Bool[Array, "models others"]) -> Order:
    """The order of models by accuracy on two test sets, from which images each gets right."""
    a, b = original.mean(1), new.mean(1)
    reversed_ = np.triu((a[:, None] - a[None]) * (b[:, None] - b[None]) < 0)
    first, second = np.nonzero(reversed_)
    return Order(len(a) * (len(a) - 1) // 2, first, second, mcnemar(new)[first, second])


def correlations(original: Num[Array, " models"], new: Num[Array, " models"]) -> tuple[float, float]:
    """Spearman's ρ and Kendall's τ-b; NaN where all scores of a side are equal."""
    from scipy import stats

    if np.ptp(original) == 0 or np.ptp(new) == 0:
        return float("nan"), float("nan")
    return float(stats.spearmanr(original, new).statistic), float(stats.kendalltau(original, new).statistic)
