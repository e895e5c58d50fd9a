"""Measures of the claims of myth 5. Each takes the rows of a claim and returns an estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from myths.fixup.tables import SETTING
from myths.lab.estimate import CONFIDENCE, Estimate, clopper_pearson, student_t

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
    """Return how many more percent of the training runs of one method diverge than of another, with an interval over seeds.

    The interval is the difference of two exact binomial intervals that hold together (Bonferroni). With five runs per method, intervals
    from approximations such as Newcombe's miss the truth in up to 9 % of the cases.

    Args:
        first: A method.
        second: The method that is subtracted.
        rows: Rows with the columns ``method`` and ``diverged_at``, one per training run.
    """
    diverged = [rows.loc[rows["method"] == method, "diverged_at"].notna() for method in (first, second)]
    if not all(map(len, diverged)):
        return None
    confidence = 1 - (1 - CONFIDENCE) / 2
    one, other = (clopper_pearson(int(each.sum()), len(each), "seeds", confidence) for each in diverged)
    return Estimate(one.value - other.value, one.low - other.high, one.high - other.low, "seeds", min(one.n, other.n)).affine(100)


def lowest_accuracy(rows: pd.DataFrame) -> Estimate | None:
    """Return the lowest mean test accuracy of all settings, in percent, with an interval over seeds.

    If every setting must reach a limit, every interval must: the lower end is the lowest of all lower ends of Student's t intervals, which
    may be that of another setting with fewer or more variable runs. The upper ends hold together (Bonferroni).

    Args:
        rows: Rows with the columns ``SETTING``, ``seed`` and ``test_accuracy_percent``, one per training run.
    """
    groups = [group["test_accuracy_percent"].dropna().tolist() for _, group in rows.groupby(list(SETTING), dropna=False)]
    found = [student_t(accuracies, "seeds") for accuracies in groups if len(accuracies) > 1]
    if not found:
        return None
    lowest = min(found, key=lambda mean: mean.value)
    together = 1 - (1 - CONFIDENCE) / len(found)
    highs = [student_t(accuracies, "seeds", together).high for accuracies in groups if len(accuracies) > 1]
    return replace(lowest, low=min(mean.low for mean in found), high=min(highs))
