"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from myths.lab import measures
from myths.lab.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

below_one = partial(
    measures.from_columns,
    "below_one_percent",
    low="below_one_low_percent",
    high="below_one_high_percent",
    n="n_splits",
    source_of_variation="seeds",
)
"""The percentage of pairs of datasets with α < 1, with its bootstrap interval over splits."""


def mean_over_features(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column over features and splits. Each feature of each split counts as one draw."""
    return measures.mean(measures.numbers(column, rows))


def rank_correlation(rows: pd.DataFrame) -> Estimate | None:
    """Return Spearman's ρ of accuracy and training size within each split, averaged over splits of more than three sizes."""
    from scipy import stats

    splits = (split for _, split in rows.groupby("seed") if len(split) > 3)
    return measures.mean([float(stats.spearmanr(split["n_per_set"], split["accuracy_percent"]).statistic) for split in splits])


def last_gain(rows: pd.DataFrame) -> Estimate | None:
    """Return the accuracy at the largest training size minus that at half of it, paired by split."""
    most = int(rows["n_per_set"].max())
    return measures.paired_difference("accuracy_percent", "n_per_set", (most, most // 2), rows)
