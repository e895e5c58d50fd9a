"""Rows of a table as one number with its interval: the measures of the claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from myths.lab.estimate import Estimate, exact, student_t

if TYPE_CHECKING:
    import pandas as pd

FEWEST_IMAGES = 48
"""Of the 64 that are attacked: those that keep their label, which the one random draw may lose."""

Measure = Callable[["pd.DataFrame"], Estimate | None]


def over_networks(column: str, rows: pd.DataFrame) -> Estimate | None:
    """One network: its mean with the interval over images. Three or more: the mean of theirs over trainings. Two: the wider of both."""
    rows = rows.dropna(subset=[f"{column}_low" if column != "value" else "low"])
    low, high = ("low", "high") if column == "value" else (f"{column}_low", f"{column}_high")
    if rows.empty:
        return None
    if len(rows) > 2:
        return student_t(rows[column].to_numpy(dtype=float), "seeds")
    return Estimate(float(rows[column].mean()), float(rows[low].min()), float(rows[high].max()), "test examples", int(rows["n"].min()))


def least(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The smallest value of a column in all rows."""
    return exact(float(rows[column].min()), len(rows))


def median_gap(rows: pd.DataFrame) -> Estimate | None:
    """The worst median gap of completeness."""
    worst = rows.loc[rows["gap_high_percent"].idxmax()]
    return Estimate(
        float(worst["gap_percent"]), float(worst["gap_low_percent"]), float(worst["gap_high_percent"]), "test examples", int(worst["n"])
    )


def enough(measure: Measure, rows: pd.DataFrame) -> Estimate | None:
    """A measure of the networks with enough images."""
    return measure(rows[rows["n"] >= FEWEST_IMAGES])
