"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.estimate import Estimate, clopper_pearson

if TYPE_CHECKING:
    import pandas as pd


def extreme_accuracy(which: Literal["min", "max"], rows: pd.DataFrame) -> Estimate | None:
    """Return the lowest or the highest accuracy (percent) of all training runs, with its interval over test examples.

    The lowest is above a bound only if all are, the highest below it only if all are.
    """
    row = rows.loc[rows["n_correct"].idxmin() if which == "min" else rows["n_correct"].idxmax()]
    return clopper_pearson(int(row["n_correct"]), int(row["n_test"])).affine(100)
