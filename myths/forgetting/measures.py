"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from myths.lab import measures
from myths.lab.estimate import CONFIDENCE, Estimate

if TYPE_CHECKING:
    import pandas as pd

RANDOM = "random"

mean_correlation = partial(measures.from_columns, "pearson", low="low", high="high", n="seeds", source_of_variation="seeds")
"""Return the mean correlation over pairs of training runs with its jackknife interval over seeds; pairs share seeds."""


MIN_PRESENTATIONS = 30
"""Number of epochs below which counts of label noise decide nothing: after 6 epochs a count is 0, 1, 2 or 3."""


def over_groups(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column over disjoint groups of training runs with Student's t interval; None for fewer than two groups."""
    return measures.mean(rows.dropna(subset=[column]).groupby("first_seed")[column].mean().tolist())


def mean_over_rankings(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column of the table ``pruning`` with an interval over seeds and over the rankings that pruned.

    The variances of the means over seeds and over rankings are added, with the degrees of freedom of Welch and Satterthwaite. If the
    standard deviation over rankings is two thirds of that over seeds, two rankings cover 94 % with 8 seeds and 90 % with 20: two numbers
    say little about their spread, and the control F0-rankings asks whether they differ. With one ranking the interval is over seeds alone.

    Args:
        column: A column of numbers. Missing numbers are left out.
        rows: Rows with the columns ``seed`` and ``ranking``. The value of a seed is the mean over its rankings.
    """
    found = measures.mean_over_seeds(column, rows)
    if found is None or "ranking" not in rows:
        return found
    measured = rows.dropna(subset=[column])
    of_seed, of_ranking = (measured.groupby(by)[column].mean() for by in ("seed", "ranking"))
    if len(of_ranking) < 2:
        return found
    variances = [means.var(ddof=1) / len(means) for means in (of_seed, of_ranking)]
    parts = sum(variance**2 / (len(means) - 1) for variance, means in zip(variances, (of_seed, of_ranking), strict=True))
    half = _quantile(sum(variances) ** 2 / parts) * np.sqrt(sum(variances)) if parts else 0.0
    return replace(found, low=float(found.value - half), high=float(found.value + half))


def difference_of_rankings(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the difference of the means of a column between the first two rankings, with a t interval over seeds.

    Seeds that were pruned by both rankings are paired; otherwise the samples are independent with equal variance.

    Returns:
        The estimate, or None with fewer than two rankings, or fewer than two seeds of one.
    """
    from scipy import stats

    if "ranking" not in rows:
        return None
    wide = rows.pivot_table(index="seed", columns="ranking", values=column)
    if wide.shape[1] < 2:
        return None
    first, second = (wide[name] for name in sorted(wide)[:2])
    if len(paired := (first - second).dropna()) > 1:
        return measures.mean(paired.tolist())
    left, right = first.dropna(), second.dropna()
    if min(len(left), len(right)) < 2:
        return None
    interval = stats.ttest_ind(left, right).confidence_interval(CONFIDENCE)
    return Estimate(float(left.mean() - right.mean()), float(interval.low), float(interval.high), "seeds", len(left) + len(right))


def mean_rank_correlation(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean rank correlation over disjoint pairs of training runs, with a t interval of its arctanh over seeds."""
    single = rows[(rows["runs"] == 1) & rows[column].notna()] if "runs" in rows else rows.iloc[:0]
    return measures.mean_correlation(single.groupby("first_seed")[column].mean().tolist())


def after_presentations(column: str, largest: float, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column over seeds of training runs that present each example often enough; None if none does.

    Args:
        column: A column of numbers from 0 to ``largest``. The interval ends there.
        largest: Largest possible number.
        rows: Rows with the columns ``seed`` and ``epochs``.
    """
    found = measures.mean_over_seeds(column, rows[rows["epochs"] >= MIN_PRESENTATIONS])
    return None if found is None else replace(found, low=max(found.low, 0.0), high=min(found.high, largest))


def _quantile(degrees: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))


def unforgettable_difference(more: str, fewer: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the difference between two datasets in the percentage of unforgettable examples of one training run, paired by seed.

    Returns None if the numbers of epochs differ, or if networks were trained on a part of a dataset only.

    Args:
        more: Dataset that is expected to have the higher percentage.
        fewer: Dataset to subtract.
        rows: Rows of the table ``counts``.
    """
    if rows["epochs"].nunique() > 1 or rows["train_examples"].any():
        return None
    return measures.paired_difference("unforgettable_percent", "dataset", (more, fewer), rows)


def sum_correlation(runs: int, rows: pd.DataFrame) -> Estimate | None:
    """Return the correlation of counts summed over disjoint groups of runs, from that of pairs of runs, with its interval over seeds.

    By the formula of Spearman and Brown, sums over k runs are correlated with k r / (1 + (k - 1) r) if pairs of runs are with r. It holds
    for the paper's numbers (Sec. 6): 0.892 for pairs gives 0.976 for k = 5.

    Args:
        runs: Number of runs in a group.
        rows: The row of the pairs in the table ``count_correlations``. An end of the interval below 0 is taken as 0.
    """
    pairs = mean_correlation(rows)
    if pairs is None:
        return None
    value, low, high = (runs * max(r, 0.0) / (1 + (runs - 1) * max(r, 0.0)) for r in (pairs.value, pairs.low, pairs.high))
    return replace(pairs, value=value, low=low, high=high)


def worst_window(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy differences of each seed at the window that is worst for the other seeds.

    Selection and measurement use different seeds.
    """
    import pandas as pd

    windows = rows[rows["window"].astype(bool)]
    wide = windows.pivot_table(index="seed", columns="skipped_percent", values="test_accuracy_percent").dropna()
    if len(wide) < 3 or wide.shape[1] < 3:
        return pd.DataFrame()
    random = rows[(rows["pruning_order"] == RANDOM) & (rows["pruned_percent"].round(6) == 10)].set_index("seed")["test_accuracy_percent"]
    found = []
    for seed in wide.index:
        worst = wide.drop(seed).mean().idxmin()
        found.append({"seed": seed, "below_random_pp": random.get(seed, float("nan")) - wide.loc[seed, worst],
                      "below_last_pp": wide.loc[seed, wide.columns.max()] - wide.loc[seed, worst]})  # fmt: skip
    return pd.DataFrame(found)


def worst_window_loss(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column of ``worst_window`` (pp) over seeds."""
    return measures.mean_over_seeds(column, worst_window(rows))


def smallest_rise(rows: pd.DataFrame) -> Estimate | None:
    """Return the smallest increase of the mean count between successive levels of pixel noise, paired by seed."""
    counts = rows.pivot_table(index="seed", columns="pixel_noise", values="mean_count").dropna()
    if len(counts) < 2 or counts.shape[1] < 3:
        return None
    rises = counts.sort_index(axis=1).diff(axis=1).iloc[:, 1:]
    return measures.mean(rises[rises.mean().idxmin()].tolist())
