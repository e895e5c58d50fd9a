"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from myths.lab import measures
from myths.lab.estimate import Estimate, student_t

if TYPE_CHECKING:
    import pandas as pd

FEWEST_IMAGES = 48
"""Of the 64 that are attacked: those that keep their label, which a single random perturbation may lose."""


def over_networks(column: str, rows: pd.DataFrame, *, fewest_images: int = 0) -> Estimate | None:
    """Return the mean of a column over networks.

    Args:
        column: The column of the value. The columns of its interval are ``{column}_low`` and ``{column}_high``; those of "value" are
            ``low`` and ``high``.
        rows: One row per network.
        fewest_images: Networks with fewer images in column ``n`` are left out.

    Returns:
        One network: its mean with the interval over images. Three or more: the mean over them with Student's t interval over training
        runs. Two: their mean with the wider of both intervals. None if there is no network.
    """
    low, high = ("low", "high") if column == "value" else (f"{column}_low", f"{column}_high")
    rows = rows.dropna(subset=[low])
    if fewest_images:
        rows = rows[rows["n"] >= fewest_images]
    if rows.empty:
        return None
    if len(rows) > 2:
        return student_t(rows[column].to_numpy(dtype=float), "seeds")
    return Estimate(float(rows[column].mean()), float(rows[low].min()), float(rows[high].max()), "test examples", int(rows["n"].min()))


over_attacked = partial(over_networks, fewest_images=FEWEST_IMAGES)
"""``over_networks``, of networks with enough images."""


def worst_gap(rows: pd.DataFrame) -> Estimate | None:
    """Return the median gap of completeness (percent) of the network whose interval reaches highest."""
    worst = rows.loc[[rows["gap_high_percent"].idxmax()]]
    return measures.from_columns(
        "gap_percent", worst, low="gap_low_percent", high="gap_high_percent", n="n", source_of_variation="test examples"
    )
