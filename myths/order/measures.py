"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from myths.lab import measures
from myths.lab.estimate import Estimate, clopper_pearson, exact, student_t

if TYPE_CHECKING:
    import pandas as pd


def mean_over_draws(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column over independent draws (one per row) with Student's t interval."""
    return measures.mean(measures.numbers(column, rows))


def share_of_draws(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the fraction of draws (rows) in which a column is true, with its Clopper–Pearson interval."""
    return clopper_pearson(int(rows[column].astype(bool).sum()), len(rows), "seeds")


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
    """Return the largest absolute deviation over the levels of a tree, with its interval over draws."""
    row = rows.loc[rows["deviation_percent"].abs().idxmax()]
    value, low, high = (float(row[f"deviation_{end}"]) for end in ("percent", "low", "high"))
    return _magnitude(Estimate(value, low, high, "seeds", int(row["draws"])))


def largest_distance(what: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest distance of a mean over draws from its curve, over coherences and kinds of noise, with its interval.

    Args:
        what: Column of the numbers; ``expected_`` names that of the curve.
        rows: One row per draw.
    """
    found = [
        _magnitude(student_t((group[what] - group[f"expected_{what}"]).to_numpy(), "seeds"))
        for _, group in rows.groupby(["coherence", "noise"])
        if len(group) > 1
    ]
    return max(found, key=lambda estimate: estimate.value, default=None)


def largest_mean(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest mean over draws, over coherences and kinds of noise, with its interval."""
    found = [student_t(group[column].to_numpy(), "seeds") for _, group in rows.groupby(["coherence", "noise"]) if len(group) > 1]
    return max(found, key=lambda estimate: estimate.value, default=None)


def total_over_seeds(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest count of a column over training runs, each with another seed; None for fewer than two."""
    found = measures.numbers(column, rows)
    return replace(exact(max(found), len(found)), source_of_variation="seeds") if len(found) > 1 else None


def correlation_over_pairs(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean correlation over pairs of networks that share none, with Student's t interval over pairs."""
    return measures.mean(_by_pair(column, rows))


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


def _magnitude(estimate: Estimate) -> Estimate:
    """Return the interval of the absolute value."""
    if estimate.low <= 0 <= estimate.high:
        return replace(estimate, value=abs(estimate.value), low=0.0, high=max(-estimate.low, estimate.high))
    ends = sorted((abs(estimate.low), abs(estimate.high)))
    return replace(estimate, value=abs(estimate.value), low=ends[0], high=ends[1])
