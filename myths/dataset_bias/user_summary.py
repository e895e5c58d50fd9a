"""What a run found of a user's own collections, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from myths.dataset_bias.sets import GROUP_NAMES

if TYPE_CHECKING:
    import pandas as pd

SHOWN = "hog"
"""The feature that the sentences speak of, which is the paper's."""


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """How surely own collections are told apart, and what survives equal transform; None where a run has none."""
    accuracy, null = tables["accuracy"], tables["null_control"]
    if accuracy.empty:
        return None
    sentences = []
    for name, rows in accuracy[(accuracy["feature"] == SHOWN) & ~accuracy["set_group"].isin(GROUP_NAMES.values())].groupby(
        "set_group", sort=False
    ):
        rows = rows[rows["n_per_set"] == rows["n_per_set"].max()]
        as_they_are = rows[(rows["transform"] == "none") & ~rows["deduplicated"]].iloc[0]
        chance = f"{as_they_are['chance_percent']:.3g} % by chance"
        sentences.append(f"{name}: of images not seen before, {_fraction(as_they_are)} are named right, {chance}")
        alike = rows[rows["transform"] == "common format"]
        sentences += [f"  gray, cropped and compressed alike: {_fraction(row)}" for _, row in alike.iterrows()]
        halves = null[null["set"].isin(str(name).split(", "))] if len(null) else null
        if len(halves):
            by_chance = f"{halves['chance_percent'].iloc[0]:.3g} % by chance"
            sentences.append(f"  two random halves of one of them: {halves['accuracy_percent'].mean():.3g} %, {by_chance}")
        sentences.append("  the images that give each away: pictures/most_recognizable.png")
    return "\n".join(sentences) or None


def _fraction(row: pd.Series) -> str:
    if row["n_splits"] < 2:
        return f"{row['accuracy_percent']:.3g} %"
    low, high = max(0.0, row["accuracy_low_percent"]), min(100.0, row["accuracy_high_percent"])
    return f"{row['accuracy_percent']:.3g} % [{low:.3g}, {high:.3g}]"
