"""How claims are measured: rows of a table -> an estimate with its interval, or None where the rows do not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.estimate import Estimate, clopper_pearson, exact, student_t

if TYPE_CHECKING:
    import pandas as pd


def extreme(which: Literal["least", "greatest"], rows: pd.DataFrame) -> Estimate | None:
    """The least or the greatest accuracy (percent) of all trainings, with its interval over test examples: all of them, then."""
    row = rows.loc[rows["right"].idxmin() if which == "least" else rows["right"].idxmax()]
    return clopper_pearson(int(row["right"]), int(row["n_test"])).scaled(100)


def mean_of(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The mean of a column over seeds, with a t interval; where a seed has several rows (steps), their mean is its value."""
    if column not in rows:
        return None
    values = rows.dropna(subset=column).groupby("seed")[column].mean().tolist()
    return student_t(values, "seeds") if len(values) > 1 else None


def largest(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The largest of the numbers found."""
    return exact(float(rows[column].max()), len(rows))
