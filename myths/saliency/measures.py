"""Measures of the claims: functions from the rows of a claim to an estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from myths.lab import measures
from myths.lab.estimate import Estimate, clopper_pearson, exact, student_t

if TYPE_CHECKING:
    import pandas as pd

MIN_IMAGES = 24
"""Minimum number of images that keep their label and have a map."""
RANGES = {"intersection": (0.0, 1.0), "top5_overlap": (0.0, 1.0), "spearman": (-1.0, 1.0)}
"""Ranges of measures, which no interval leaves."""


def excess_over_budget(rows: pd.DataFrame) -> Estimate | None:
    """Return by how many gray levels the largest change of a pixel exceeds ε, at most over attacks; negative if none reaches it."""
    return exact(float((rows["max_linf_levels"] - rows["epsilon"]).max()), len(rows)) if "max_linf_levels" in rows else None


def over_networks(column: str, rows: pd.DataFrame, *, min_images: int = 0) -> Estimate | None:
    """Return the mean of a column over networks.

    Args:
        column: The column of the value. The columns of its interval are ``{column}_low`` and ``{column}_high``; those of "value" are
            ``low`` and ``high``.
        rows: Rows of networks. Of an attack with several schedules, the rows of the one with the most steps count.
        min_images: Rows with fewer images in column ``n`` are excluded.

    Returns:
        One network: its mean with the interval over images. Two: their mean with the smaller lower and the larger upper end. Three or
        more: the mean over them with Student's t interval over training runs. None if there is no network.
    """
    low, high = ("low", "high") if column == "value" else (f"{column}_low", f"{column}_high")
    if low not in rows:
        return None
    rows = _longest(rows.dropna(subset=[low]), min_images)
    if rows.empty:
        return None
    if len(rows) > 2:
        found, (least, most) = student_t(rows[column].to_numpy(dtype=float), "seeds"), RANGES.get(column, (-float("inf"), float("inf")))
        return replace(found, low=min(found.value, max(found.low, least)), high=max(found.value, min(found.high, most)))
    return Estimate(float(rows[column].mean()), float(rows[low].min()), float(rows[high].max()), "test examples", int(rows["n"].min()))


over_attacked = partial(over_networks, min_images=MIN_IMAGES)
"""``over_networks`` for networks with at least ``MIN_IMAGES`` images."""


def untouched(rows: pd.DataFrame) -> Estimate | None:
    """Return the share of images on which an attack changes nothing, with its exact interval; of several networks the largest."""
    if "n_untouched" not in rows:
        return None
    rows = _longest(rows.dropna(subset=["n_untouched"]), MIN_IMAGES)
    found = [clopper_pearson(int(row.n_untouched), int(row.n)) for row in rows.itertuples()]
    return max(found, key=lambda estimate: estimate.high, default=None)


def touched(rows: pd.DataFrame) -> Estimate | None:
    """Return what an attack leaves of the top pixels, on average over the images that it changes; of several networks the most."""
    if "touched_high" not in rows:
        return None
    rows = _longest(rows.dropna(subset=["touched_high"]), MIN_IMAGES)
    worst = rows.sort_values("touched_high", ascending=False)
    return measures.from_columns("touched", worst, n="n_touched", source_of_variation="test examples")


def largest_over_methods(rows: pd.DataFrame, *, methods: int) -> Estimate | None:
    """Return the largest value of several methods. The intervals in the rows are simultaneous.

    Args:
        rows: One row per method and network.
        methods: Number of methods. The measure returns None for fewer.
    """
    if rows["method"].nunique() < methods:
        return None
    value, low, high = (float(rows[name].max()) for name in ("value", "low", "high"))
    return Estimate(value, low, high, "test examples", int(rows["n"].min()))


def accuracy_over_images(rows: pd.DataFrame) -> Estimate | None:
    """Return the accuracy of a pretrained network (percent) with its exact interval; of several networks the smallest."""
    if "n_test" not in rows:
        return None
    found = [
        clopper_pearson(round(row.test_accuracy_percent * row.n_test / 100), int(row.n_test)).affine(100)
        for row in rows.dropna(subset=["n_test"]).itertuples()
    ]
    return min(found, key=lambda estimate: estimate.low, default=None)


def worst_completeness_error(rows: pd.DataFrame) -> Estimate | None:
    """Return the median completeness error (percent) of the network whose interval has the highest upper end."""
    worst = rows.loc[[rows["error_high_percent"].idxmax()]]
    return measures.from_columns(
        "error_percent", worst, low="error_low_percent", high="error_high_percent", n="n", source_of_variation="test examples"
    )


def _longest(rows: pd.DataFrame, min_images: int) -> pd.DataFrame:
    """Return the rows with enough images, of the schedule with the most steps."""
    rows = rows[rows["n"] >= min_images] if min_images else rows
    if rows.empty or "n_iterations" not in rows:
        return rows
    networks = [rows[name] for name in ("network", "network_seed", "seed") if name in rows]
    return rows[rows["n_iterations"] == rows["n_iterations"].groupby(networks).transform("max")]
