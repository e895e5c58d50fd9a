"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab import measures
from myths.lab.estimate import CONFIDENCE, Estimate, clopper_pearson, exact, student_t

if TYPE_CHECKING:
    import pandas as pd


def mean_over_draws(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column over independent draws (one per row) with Student's t interval."""
    return measures.mean(measures.numbers(column, rows))


def share_of_draws(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the fraction of draws (rows) in which a column is true, with its Clopper–Pearson interval."""
    return clopper_pearson(int(rows[column].astype(bool).sum()), len(rows), "seeds")


def share_at_most(column: str, bound: float, rows: pd.DataFrame) -> Estimate | None:
    """Return the fraction of draws (rows) in which a number is at most a bound, with its Clopper–Pearson interval.

    Args:
        column: The column of the number. A missing number counts as larger.
        bound: The bound.
        rows: One row per draw.
    """
    return share_of_draws(column, rows.assign(**{column: rows[column] <= bound}))


def ratio_of_errors(rows: pd.DataFrame) -> Estimate | None:
    """Return the largest error of the longest time step over that of the shortest, which is half as long."""
    errors = rows.groupby("step")["max_error_percent"].max()
    steps = sorted(errors.index)
    if len(steps) < 2 or not np.isclose(steps[-1], 2 * steps[0]):
        return None
    return exact(errors[steps[-1]] / errors[steps[0]], len(rows))


def finest_error_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return the largest error over all modes with the shortest time step."""
    return measures.largest("max_error_percent", rows[rows["step"] == rows["step"].min()])


def largest_deviation_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return the largest absolute deviation over the levels of a tree. The intervals of the rows hold for all levels at once."""
    columns = ("deviation_percent", "deviation_low", "deviation_high", "draws")
    return _largest([
        _magnitude(Estimate(float(value), float(low), float(high), "seeds", int(n)))
        for value, low, high, n in rows[list(columns)].itertuples(index=False)
    ])  # fmt: skip


def largest_distance(what: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest distance of a mean over draws from its curve, over coherences and kinds of noise, with its interval.

    Args:
        what: Column of the numbers; ``expected_`` names that of the curve.
        rows: One row per draw.
    """
    return _largest([_magnitude(each) for each in _simultaneous(rows.assign(found=rows[what] - rows[f"expected_{what}"]), "found")])


def largest_mean(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest mean over draws, over coherences and kinds of noise, with its interval."""
    return _largest(_simultaneous(rows, column))


def correlation_over_pairs(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean correlation over pairs of networks that share none, with Student's t interval on the scale of arctanh."""
    return measures.mean_correlation(_by_pair(column, rows))


def correlation_difference(
    column: str, by: str, conditions: tuple[Any, Any], rows: pd.DataFrame, *, factor: float = 1.0
) -> Estimate | None:
    """Return the mean difference of two correlations, paired by the number of the pair.

    Args:
        column: Column of the correlation.
        by: Column that holds the condition.
        conditions: The two conditions; ``factor`` times the second is subtracted from the first.
        rows: Rows of both conditions.
        factor: Factor of the second.
    """
    first, second = (rows[rows[by] == condition].set_index("pair")[column].dropna() for condition in conditions)
    shared = sorted(set(first.index) & set(second.index))
    return measures.mean([float(first[pair] - factor * second[pair]) for pair in shared])


def kind_difference(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return how much higher a correlation is between networks of one kind than between two kinds, paired by the number of the pair."""
    kinds = rows["networks"].str.contains(" and ").map({True: "two kinds", False: "one kind"})
    return correlation_difference(column, "kinds", ("one kind", "two kinds"), rows.assign(kinds=kinds))


def _by_pair(column: str, rows: pd.DataFrame) -> list[float]:
    return [float(value) for value in rows.dropna(subset=[column]).groupby("pair")[column].mean()] if column in rows else []


def _simultaneous(rows: pd.DataFrame, column: str) -> list[Estimate]:
    """Return the mean of each coherence and kind of noise, with intervals that hold for all of them at once (Bonferroni)."""
    groups = [group[column].to_numpy() for _, group in rows.groupby(["coherence", "noise"]) if len(group) > 1]
    return [student_t(values, "seeds", 1 - (1 - CONFIDENCE) / len(groups)) for values in groups]


def _largest(estimates: Sequence[Estimate]) -> Estimate | None:
    """Return the largest of several numbers whose intervals hold for all of them at once, or None if there are none."""
    if not estimates:
        return None
    value, low, high = (max(getattr(each, end) for each in estimates) for end in ("value", "low", "high"))
    return Estimate(value, low, high, "seeds", min(each.n for each in estimates))


def _magnitude(estimate: Estimate) -> Estimate:
    """Return the interval of the absolute value."""
    if estimate.low <= 0 <= estimate.high:
        return replace(estimate, value=abs(estimate.value), low=0.0, high=max(-estimate.low, estimate.high))
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    return replace(estimate, value=abs(estimate.value), low=ends[0], high=ends[1])
