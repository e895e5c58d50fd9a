"""Measures of the claims of myth 5. Each takes the rows of a claim and returns an estimate, or None if the rows do not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from myths.lab.estimate import Estimate, clopper_pearson

if TYPE_CHECKING:
    import pandas as pd


def extreme_accuracy(which: Literal["min", "max"], rows: pd.DataFrame) -> Estimate | None:
    """Return the lowest or highest accuracy of all training runs in percent, with its interval over test examples.

    If the lowest accuracy is above a bound, all accuracies are above it. If the highest is below it, all are below it.
    """
    row = rows.loc[rows["n_correct"].idxmin() if which == "min" else rows["n_correct"].idxmax()]
    return clopper_pearson(int(row["n_correct"]), int(row["n_test"])).affine(100)
