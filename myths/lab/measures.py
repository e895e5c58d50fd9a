"""Measures that several myths share: functions from the rows of a claim to an estimate, or None if the rows do not suffice.

A claim sets the leading arguments with ``functools.partial``; the rows are the last argument:

    >>> partial(mean_over_seeds, "drop_percent")(rows)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab.estimate import Estimate, SourceOfVariation, clopper_pearson, exact, mean_within, student_t

if TYPE_CHECKING:
    import pandas as pd

Measure = Callable[["pd.DataFrame"], Estimate | None]


def mean_over_seeds(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column with Student's t interval over seeds.

    It is not for numbers that take few values, such as small counts: the interval covers too little. ``mean_share_over_seeds`` is for
    fractions, and ``clopper_pearson`` for the number of seeds with a property.

    Args:
        column: A column of numbers. Missing numbers are left out.
        rows: Rows with the column ``seed``. The value of a seed that has several rows is their mean.

    Returns:
        The estimate, or None if there is no such column or it has numbers of fewer than two seeds.
    """
    if column not in rows:
        return None
    return mean(rows.dropna(subset=[column]).groupby("seed")[column].mean().tolist())


def mean_share_over_seeds(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column of fractions with an interval over seeds that also holds if the fractions take few values.

    Args:
        column: A column of numbers from 0 to 1. Missing numbers are left out.
        rows: Rows with the column ``seed``. The value of a seed that has several rows is their mean.

    Returns:
        The estimate, or None if there is no such column or it has no number.

    Raises:
        ValueError: A number is not from 0 to 1.
    """
    if column not in rows:
        return None
    values = rows.dropna(subset=[column]).groupby("seed")[column].mean()
    return mean_within(values.tolist(), "seeds") if len(values) else None


def paired_difference(
    column: str,
    by: str,
    conditions: tuple[Any, Any],
    rows: pd.DataFrame,
    *,
    pair: str = "seed",
    source_of_variation: SourceOfVariation = "seeds",
) -> Estimate | None:
    """Return the mean difference between two conditions with Student's t interval over pairs.

    Args:
        column: The column whose numbers are compared.
        by: The column that holds the condition.
        conditions: The two conditions; the second is subtracted from the first.
        rows: Rows of both conditions. The value of a pair that has several rows of one condition is their mean.
        pair: The column whose values are paired, such as "seed" or "model".
        source_of_variation: What the interval is over.

    Returns:
        The estimate, or None if a condition is missing or there are fewer than two pairs.
    """
    first, second = conditions
    wide = rows.pivot_table(index=pair, columns=by, values=column)
    if not {first, second} <= set(wide):
        return None
    return mean((wide[first] - wide[second]).dropna().tolist(), source_of_variation)


def from_columns(
    column: str, rows: pd.DataFrame, *, n: str, source_of_variation: SourceOfVariation, low: str | None = None, high: str | None = None
) -> Estimate | None:
    """Return the estimate that is stored in the first row of a table, with its interval in two more columns.

    Args:
        column: The column of the value.
        rows: The rows; those after the first are ignored.
        n: The column that holds how many things the interval is over.
        source_of_variation: What the interval is over.
        low: The column of the interval's lower end. Default: ``{column}_low``.
        high: The column of the interval's upper end. Default: ``{column}_high``.

    Returns:
        The estimate, or None if there are no rows or the value is missing.
    """
    if rows.empty or rows.iloc[0][[column]].isna().any():
        return None
    row = rows.iloc[0]
    return Estimate(
        float(row[column]), float(row[low or f"{column}_low"]), float(row[high or f"{column}_high"]), source_of_variation, int(row[n])
    )


def only_value(column: str, rows: pd.DataFrame, *, n: str | None = None) -> Estimate | None:
    """Return the first number of a column as an exact value.

    Args:
        column: A column of numbers. Missing numbers are left out.
        rows: The rows, usually one.
        n: The column that holds how many things the number was computed from. Default: 1.

    Returns:
        The estimate, or None if there is no number.
    """
    found = numbers(column, rows)
    return exact(found[0], int(rows[n].iloc[0]) if n else 1) if found else None


def largest(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest number of a column as an exact value; None if there is none. Missing numbers are left out."""
    found = numbers(column, rows)
    return exact(max(found), len(found)) if found else None


def smallest(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the smallest number of a column as an exact value; None if there is none. Missing numbers are left out."""
    found = numbers(column, rows)
    return exact(min(found), len(found)) if found else None


def exceptions(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return how many rows are not marked as true in a column of booleans, as an exact value."""
    return exact(int((~rows[column].astype(bool)).sum()), len(rows))


def percentage(part: str, whole: str, rows: pd.DataFrame, *, source_of_variation: SourceOfVariation) -> Estimate | None:
    """Return one count of the first row as a percentage of another, with its exact binomial interval; None if the whole is 0.

    Args:
        part: The column of the count that is expressed as a percentage.
        whole: The column of the count that is 100 %.
        rows: The rows; those after the first are ignored.
        source_of_variation: What the counts are of.
    """
    row = rows.iloc[0]
    return clopper_pearson(int(row[part]), int(row[whole]), source_of_variation).affine(100) if row[whole] else None


# --- parts of measures -----------------------------------------------------------------------------


def numbers(column: str, rows: pd.DataFrame) -> list[float]:
    """Return the numbers of a column, missing ones left out; an empty list if there is no such column."""
    return [float(value) for value in rows[column].dropna()] if column in rows else []


def mean(values: Sequence[float], source_of_variation: SourceOfVariation = "seeds") -> Estimate | None:
    """Return the mean of independent values with Student's t interval, or None for fewer than two values."""
    return student_t(values, source_of_variation) if len(values) > 1 else None


def mean_correlation(values: Sequence[float]) -> Estimate | None:
    """Return the mean of correlations of independent pairs of training runs, or None for fewer than two.

    The mean and Student's t interval over seeds are those of arctanh. A correlation of 1 counts as 1 − 1e-12.
    """
    found = mean(np.arctanh(np.clip(values, -1 + 1e-12, 1 - 1e-12)).tolist())
    if found is None:
        return None
    value, low, high = (float(np.tanh(end)) for end in (found.value, found.low, found.high))
    return Estimate(value, low, high, "seeds", found.n)


def geometric_mean(values: Sequence[float], source_of_variation: SourceOfVariation = "repeats") -> Estimate | None:
    """Return the geometric mean of independent positive values, or None for fewer than two values.

    The interval is Student's t interval of the logarithms.
    """
    found = mean(np.log(values).tolist(), source_of_variation)
    if found is None:
        return None
    value, low, high = (float(np.exp(end)) for end in (found.value, found.low, found.high))
    return Estimate(value, low, high, source_of_variation, found.n)
