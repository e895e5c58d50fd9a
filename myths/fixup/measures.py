"""Measures of the claims of myth 5. Each takes the rows of a claim and returns an estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from myths.fixup.tables import SETTING
from myths.lab.estimate import Estimate, clopper_pearson, difference_of_proportions
from myths.lab.measures import mean_over_seeds

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 15.0
"""Test accuracy in percent below which a network of ten classes did not train."""


def failures_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return the percentage of training runs that diverge or end below ``LIMIT``, with the exact binomial interval over seeds."""
    failed = rows["diverged_at"].notna() | (rows["test_accuracy_percent"] < LIMIT)
    return clopper_pearson(int(failed.sum()), len(failed), "seeds").affine(100)


def successes_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return the percentage of training runs that end at ``LIMIT`` or above, with the exact binomial interval over seeds."""
    failed = failures_percent(rows)
    return None if failed is None else failed.affine(-1, 100)


def divergence_difference(first: str, second: str, rows: pd.DataFrame) -> Estimate | None:
    """Return how many more percent of the training runs of one method diverge than of another, with Newcombe's interval over seeds.

    Args:
        first: A method.
        second: The method that is subtracted.
        rows: Rows with the columns ``method`` and ``diverged_at``, one per training run.
    """
    diverged = [rows.loc[rows["method"] == method, "diverged_at"].notna() for method in (first, second)]
    if not all(map(len, diverged)):
        return None
    counts, sizes = (tuple(int(count(each)) for each in diverged) for count in (sum, len))
    return replace(difference_of_proportions((counts[0], counts[1]), (sizes[0], sizes[1])).affine(100), source_of_variation="seeds")


def lowest_accuracy(rows: pd.DataFrame) -> Estimate | None:
    """Return the mean test accuracy of the setting that has the lowest, in percent, with Student's t interval over seeds.

    If every setting must reach a limit, every interval must. The lower end is therefore the lowest of all settings, which may be that of
    another setting with fewer or more variable runs.

    Args:
        rows: Rows with the columns ``SETTING``, ``seed`` and ``test_accuracy_percent``, one per training run.
    """
    means = [mean_over_seeds("test_accuracy_percent", group) for _, group in rows.groupby(list(SETTING), dropna=False)]
    found = [mean for mean in means if mean is not None]
    if not found:
        return None
    lowest = min(found, key=lambda mean: mean.value)
    return replace(lowest, low=min(mean.low for mean in found))
