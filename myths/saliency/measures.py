"""Measures of the claims: functions from the rows of a claim to an estimate, or None if the rows do not suffice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from myths.lab import measures
from myths.lab.estimate import Estimate, student_t

if TYPE_CHECKING:
    import pandas as pd

MIN_IMAGES = 48
"""Minimum number of images that keep their label, of 64. A single random perturbation may change the label."""


def over_networks(column: str, rows: pd.DataFrame, *, min_images: int = 0) -> Estimate | None:
    """Return the mean of a column over networks.

    Args:
        column: The column of the value. The columns of its interval are ``{column}_low`` and ``{column}_high``; those of "value" are
            ``low`` and ``high``.
        rows: One row per network.
        min_images: Networks with fewer images in column ``n`` are excluded.

    Returns:
        One network: its mean with the interval over images. Two: their mean with the smaller lower and the larger upper end. Three or
        more: the mean over them with Student's t interval over training runs. None if there is no network.
    """
    low, high = ("low", "high") if column == "value" else (f"{column}_low", f"{column}_high")
    rows = rows.dropna(subset=[low])
    if min_images:
        rows = rows[rows["n"] >= min_images]
    if rows.empty:
        return None
    if len(rows) > 2:
        return student_t(rows[column].to_numpy(dtype=float), "seeds")
    return Estimate(float(rows[column].mean()), float(rows[low].min()), float(rows[high].max()), "test examples", int(rows["n"].min()))


over_attacked = partial(over_networks, min_images=MIN_IMAGES)
"""``over_networks`` for networks with at least ``MIN_IMAGES`` images."""


def worst_completeness_error(rows: pd.DataFrame) -> Estimate | None:
    """Return the median completeness error (percent) of the network whose interval has the highest upper end."""
    worst = rows.loc[[rows["error_high_percent"].idxmax()]]
    return measures.from_columns(
        "error_percent", worst, low="error_low_percent", high="error_high_percent", n="n", source_of_variation="test examples"
    )
