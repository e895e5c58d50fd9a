"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice.

Random splits of one pool share images. Intervals over splits are therefore corrected by Nadeau & Bengio's term (``over_splits``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from myths.lab.estimate import Estimate, SourceOfVariation, clopper_pearson, corrected_t, student_t

if TYPE_CHECKING:
    import pandas as pd

TEST_TO_TRAIN = 3 / 7
"""Test over training images if the rows do not state them: 30 % are for testing."""


def over_splits(column: str, rows: pd.DataFrame, highest: float = float("inf")) -> Estimate | None:
    """Return the mean of a column over splits of one pool, with the corrected t interval.

    Args:
        column: A column of numbers. Missing numbers are left out.
        rows: Rows with the column ``seed``. The value of a split that has several rows is their mean.
        highest: Largest possible value. The interval ends there.
    """
    if column not in rows:
        return None
    rows = rows.dropna(subset=[column])
    values = rows.groupby("seed")[column].mean().tolist()
    if len(values) < 2:
        return None
    found = corrected_t(values, _test_to_train(rows))
    return replace(found, high=max(found.value, min(found.high, highest)))


def difference_over_splits(column: str, by: str, conditions: tuple[Any, Any], rows: pd.DataFrame) -> Estimate | None:
    """Return the mean difference between two conditions (first minus second), paired by split, with the corrected t interval."""
    first, second = conditions
    wide = rows.pivot_table(index="seed", columns=by, values=column)
    if not {first, second} <= set(wide):
        return None
    values = (wide[first] - wide[second]).dropna().tolist()
    return corrected_t(values, _test_to_train(rows[rows[by] == first])) if len(values) > 1 else None


def jackknife_over_datasets(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return a percentage with its jackknife interval over datasets: Student's t interval of Tukey's pseudo-values.

    Args:
        column: A column of percentages.
        rows: One row per split and group: all datasets (``left_out`` is empty), and all but ``left_out``. ``n_sets`` counts the datasets.

    Returns:
        The mean over splits of the classification of all datasets, or None if it or that without one of the datasets is missing. The
        interval ends at 100 %.
    """
    means = rows.dropna(subset=[column]).groupby("left_out")[column].mean()
    whole = rows[rows["left_out"] == ""]
    if "" not in means or len(means) != int(whole["n_sets"].iloc[0]) + 1:
        return None
    value, without = float(means[""]), means.drop("")
    n = len(without)
    pseudo = student_t((n * value - (n - 1) * without).tolist(), "datasets")
    half = (pseudo.high - pseudo.low) / 2
    return Estimate(value, value - half, max(value, min(100.0, value + half)), "datasets", n)


def counted_percent(part: str, whole: str, source_of_variation: SourceOfVariation, rows: pd.DataFrame) -> Estimate | None:
    """Return one count of the first row as a percentage of another, with the exact binomial interval.

    Args:
        part: The column of the count that is expressed as a percentage.
        whole: The column of the count that is 100 %.
        source_of_variation: What is counted.
        rows: The rows; those after the first are ignored.
    """
    row = rows.iloc[0]
    return clopper_pearson(int(row[part]), int(row[whole]), source_of_variation).affine(100)


def rank_correlation(rows: pd.DataFrame) -> Estimate | None:
    """Return Spearman's ρ of accuracy and training size within each split, averaged over splits of more than three sizes."""
    from scipy import stats

    splits = [split for _, split in rows.groupby("seed") if len(split) > 3]
    values = [float(stats.spearmanr(split["n_per_set"], split["accuracy_percent"]).statistic) for split in splits]
    if len(values) < 2:
        return None
    found = corrected_t(values, _test_to_train(rows[rows["n_per_set"] == rows["n_per_set"].max()]))
    return replace(found, low=max(-1.0, found.low), high=max(found.value, min(1.0, found.high)))


def order_correlation(published: Mapping[Any, float], by: Sequence[str], rows: pd.DataFrame) -> Estimate | None:
    """Return Spearman's ρ of the accuracies of several conditions with published ones, averaged over splits.

    The interval extends at least by what ρ loses by one swap of neighbors: splits with one order would have an interval of width zero.

    Args:
        published: Condition -> published number. A condition has one value for each column of ``by``.
        by: Columns that hold the condition.
        rows: Rows with the columns ``seed`` and ``accuracy_percent``.

    Returns:
        The estimate, or None if a condition is missing or there are fewer than two splits with all.
    """
    from scipy import stats

    rows = rows[rows[list(by)].apply(tuple, axis=1).isin(list(published))]
    wide = rows.pivot_table(index="seed", columns=list(by), values="accuracy_percent").dropna()
    names = [name if len(by) > 1 else name[0] for name in published]
    if not set(names) <= set(wide) or len(wide) < 2:
        return None
    values = [float(stats.spearmanr(split, list(published.values())).statistic) for split in wide[names].to_numpy()]
    found, swap = corrected_t(values, _test_to_train(rows)), 12 / (len(names) ** 3 - len(names))
    low, high = min(found.low, found.value - swap), max(found.high, found.value + swap)
    return replace(found, low=max(-1.0, low), high=max(found.value, min(1.0, high)))


def ratio_over_splits(column: str, by: str, conditions: tuple[Any, Any], rows: pd.DataFrame) -> Estimate | None:
    """Return the mean ratio of two conditions (first over second), paired by split, with the corrected t interval."""
    first, second = conditions
    wide = rows.pivot_table(index="seed", columns=by, values=column)
    if not {first, second} <= set(wide):
        return None
    values = (wide[first] / wide[second]).dropna().tolist()
    return corrected_t(values, _test_to_train(rows[rows[by] == first])) if len(values) > 1 else None


def last_gain(rows: pd.DataFrame) -> Estimate | None:
    """Return the accuracy at the largest training size minus that at half of it, paired by split."""
    most = int(rows["n_per_set"].max())
    return difference_over_splits("accuracy_percent", "n_per_set", (most, most // 2), rows)


def _test_to_train(rows: pd.DataFrame) -> float:
    """Return the mean size of the test part over that of the training part."""
    if "n_train" not in rows or "n_test" not in rows:
        return TEST_TO_TRAIN
    found = float((rows["n_test"] / rows["n_train"]).mean())
    return found if found > 0 else TEST_TO_TRAIN
