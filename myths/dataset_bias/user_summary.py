"""Summary of the results for user datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from myths.dataset_bias.sets import GROUP_NAMES

if TYPE_CHECKING:
    import pandas as pd

SHOWN = "hog"
"""Feature of the summary, as in the paper."""


def summarize_user_data(tables: Mapping[str, pd.DataFrame]) -> str | None:
    """Return the accuracy of dataset classification, with and without the common format, or None without user datasets."""
    accuracy, null = tables["accuracy"], tables["null_control"]
    if accuracy.empty:
        return None
    sentences = []
    for name, rows in accuracy[(accuracy["feature"] == SHOWN) & ~accuracy["set_group"].isin(GROUP_NAMES.values())].groupby(
        "set_group", sort=False
    ):
        rows = rows[rows["n_per_set"] == rows["n_per_set"].max()]
        unchanged = rows[(rows["transform"] == "none") & ~rows["deduplicated"]].iloc[0]
        chance = f"chance: {unchanged['chance_percent']:.3g} %"
        sentences.append(f"{name}: {_fraction(unchanged)} of unseen images are classified correctly ({chance})")
        common = rows[rows["transform"] == "common format"]
        sentences += [f"  in a common format (gray, cropped, compressed): {_fraction(row)}" for _, row in common.iterrows()]
        halves = null[null["set"].isin(str(name).split(", "))] if len(null) else null
        if len(halves):
            chance = f"chance: {halves['chance_percent'].iloc[0]:.3g} %"
            sentences.append(f"  two random halves of one dataset: {halves['accuracy_percent'].mean():.3g} % ({chance})")
        sentences.append("  most recognizable images: pictures/most_recognizable.png")
    return "\n".join(sentences) or None


def _fraction(row: pd.Series) -> str:
    if row["n_splits"] < 2:
        return f"{row['accuracy_percent']:.3g} %"
    low, high = max(0.0, row["accuracy_low_percent"]), min(100.0, row["accuracy_high_percent"])
    return f"{row['accuracy_percent']:.3g} % [{low:.3g}, {high:.3g}]"
