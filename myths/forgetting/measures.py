"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from myths.lab import measures
from myths.lab.estimate import Estimate, clopper_pearson, fisher_z

if TYPE_CHECKING:
    import pandas as pd

RANDOM = "random"


mean_correlation = partial(measures.from_columns, "pearson", low="low", high="high", n="seeds", source_of_variation="seeds")
"""The mean correlation over pairs of training runs, with its jackknife interval over seeds: pairs share seeds."""


def intersection_share(rows: pd.DataFrame) -> Estimate | None:
    """Return the percentage of examples that the first five training runs together never forget, with an interval over examples."""
    row = rows.iloc[0]
    return replace(clopper_pearson(int(row["unforgettable"]), int(row["n"])).affine(100), source_of_variation="training examples")


def share_difference(more: str, fewer: tuple[str, ...], rows: pd.DataFrame) -> Estimate | None:
    """Return the percentage of unforgettable examples in one training run, one dataset minus another, paired by seed.

    Args:
        more: The dataset that is expected to have more.
        fewer: Datasets that may be subtracted: the first of them that has rows is.
        rows: Rows of the table ``counts``.
    """
    other = next((name for name in fewer if name in set(rows["dataset"])), None)
    return measures.paired_difference("unforgettable_percent", "dataset", (more, other), rows)


def over_examples(column: str, kind: Literal["pearson", "spearman"], rows: pd.DataFrame) -> Estimate | None:
    """Return a correlation over all examples with Fisher's z interval over examples: it says nothing of other seeds."""
    row = rows.iloc[0]
    return None if row[column] != row[column] else fisher_z(float(row[column]), int(row["n"]), "training examples", kind)


def worst_window(rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each seed its accuracy on the window that is worst for the other seeds: chosen and measured on different seeds."""
    import pandas as pd

    windows = rows[rows["window"].astype(bool)]
    wide = windows.pivot_table(index="seed", columns="skipped_percent", values="test_accuracy_percent").dropna()
    if len(wide) < 3 or wide.shape[1] < 3:
        return pd.DataFrame()
    random = rows[(rows["order"] == RANDOM) & (rows["removed_percent"].round(6) == 10)].set_index("seed")["test_accuracy_percent"]
    found = []
    for seed in wide.index:
        worst = wide.drop(seed).mean().idxmin()
        found.append({"seed": seed, "below_random_pp": random.get(seed, float("nan")) - wide.loc[seed, worst],
                      "below_last_pp": wide.loc[seed, wide.columns.max()] - wide.loc[seed, worst]})  # fmt: skip
    return pd.DataFrame(found)


def window_depth(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return how far the worst window is below something else (pp), over seeds."""
    return measures.mean_over_seeds(column, worst_window(rows))


def smallest_rise(rows: pd.DataFrame) -> Estimate | None:
    """Return the smallest rise of the mean count from one pixel noise to the next, paired by seed: if even this one is, all are above 0."""
    counts = rows.pivot_table(index="seed", columns="pixel_noise", values="mean_count").dropna()
    if len(counts) < 2 or counts.shape[1] < 3:
        return None
    rises = counts.sort_index(axis=1).diff(axis=1).iloc[:, 1:]
    return measures.mean(rises[rises.mean().idxmin()].tolist())
