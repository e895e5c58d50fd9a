"""Correlation and ranking measures of two scores of the same examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool, Num
from numpy import ndarray as Array

from myths.lab.estimate import Estimate, student_t


def correlation(a: Num[Array, " n"], b: Num[Array, " n"], kind: Literal["pearson", "spearman"]) -> float | None:
    """Return Pearson's r or Spearman's ρ, or None if one of the scores is constant."""
    from scipy import stats

    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    measure = stats.pearsonr if kind == "pearson" else stats.spearmanr
    return float(measure(a, b).statistic)


def auroc(scores: Num[Array, " n"], positive: Bool[Array, " n"]) -> float | None:
    """Return the area under the ROC curve of the score as a classifier of positive examples, or None without examples of both kinds."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, scores)) if 0 < positive.sum() < len(positive) else None


def average_precision(scores: Num[Array, " n"], positive: Bool[Array, " n"]) -> float | None:
    """Return the average precision of the score as a ranking of positive examples, or None without positive examples."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(positive, scores)) if positive.any() else None


def mean_correlation(pairs: Mapping[tuple[int, int], float]) -> Estimate | None:
    """Return the mean correlation over pairs of seeds by Fisher's z, with a jackknife interval over the seeds.

    Pairs share seeds. An interval that treats pairs as independent would be too narrow, so the jackknife leaves out one seed at a time with
    all of its pairs.

    Args:
        pairs: Correlation of each pair of seeds.

    Returns:
        The estimate, or None for fewer than three seeds.
    """
    seeds = sorted({seed for pair in pairs for seed in pair})
    if len(seeds) < 3:
        return None
    z = {pair: np.arctanh(min(max(r, -1 + 1e-12), 1 - 1e-12)) for pair, r in pairs.items()}
    whole = float(np.mean(list(z.values())))
    without = [float(np.mean([v for pair, v in z.items() if seed not in pair])) for seed in seeds]
    pseudo = [len(seeds) * whole - (len(seeds) - 1) * w for w in without]
    found = student_t(pseudo, "seeds")
    r = float(np.tanh(whole))
    return Estimate(r, min(r, float(np.tanh(found.low))), max(r, float(np.tanh(found.high))), "seeds", len(seeds))
