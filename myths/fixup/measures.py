"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.estimate import Estimate, clopper_pearson

if TYPE_CHECKING:
    import pandas as pd


def extreme(which: Literal["least", "greatest"], rows: pd.DataFrame) -> Estimate | None:
    """Return the lowest or the highest accuracy (percent) of all training runs, with its interval over test examples.

    The lowest is above a bound only if all are, the highest below it only if all are.
    """
    row = rows.loc[rows["right"].idxmin() if which == "least" else rows["right"].idxmax()]
    return clopper_pearson(int(row["right"]), int(row["n_test"])).scaled(100)
