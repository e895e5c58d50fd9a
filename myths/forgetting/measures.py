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
"""Return the mean correlation over pairs of training runs with its jackknife interval over seeds; pairs share seeds."""


def unforgettable_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return the percentage of examples that none of the first five training runs forgets, with an interval over examples."""
    row = rows.iloc[0]
    return replace(clopper_pearson(int(row["unforgettable"]), int(row["n"])).affine(100), source_of_variation="training examples")


def unforgettable_difference(more: str, fewer: tuple[str, ...], rows: pd.DataFrame) -> Estimate | None:
    """Return the difference between two datasets in the percentage of unforgettable examples of one training run, paired by seed.

    Args:
        more: Dataset that is expected to have the higher percentage.
        fewer: Datasets to subtract: the first one that has rows.
        rows: Rows of the table ``counts``.
    """
    other = next((name for name in fewer if name in set(rows["dataset"])), None)
    return measures.paired_difference("unforgettable_percent", "dataset", (more, other), rows)


def over_examples(column: str, kind: Literal["pearson", "spearman"], rows: pd.DataFrame) -> Estimate | None:
    """Return a correlation over all examples with Fisher's z interval over examples, which does not cover other seeds."""
    row = rows.iloc[0]
    return None if row[column] != row[column] else fisher_z(float(row[column]), int(row["n"]), "training examples", kind)


def worst_window(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy differences of each seed at the window that is worst for the other seeds.

    Selection and measurement use different seeds.
    """
    import pandas as pd

    windows = rows[rows["window"].astype(bool)]
    wide = windows.pivot_table(index="seed", columns="skipped_percent", values="test_accuracy_percent").dropna()
    if len(wide) < 3 or wide.shape[1] < 3:
        return pd.DataFrame()
    random = rows[(rows["pruning_order"] == RANDOM) & (rows["pruned_percent"].round(6) == 10)].set_index("seed")["test_accuracy_percent"]
    found = []
    for seed in wide.index:
        worst = wide.drop(seed).mean().idxmin()
        found.append({"seed": seed, "below_random_pp": random.get(seed, float("nan")) - wide.loc[seed, worst],
                      "below_last_pp": wide.loc[seed, wide.columns.max()] - wide.loc[seed, worst]})  # fmt: skip
    return pd.DataFrame(found)


def worst_window_loss(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column of ``worst_window`` (pp) over seeds."""
    return measures.mean_over_seeds(column, worst_window(rows))


def smallest_rise(rows: pd.DataFrame) -> Estimate | None:
    """Return the smallest increase of the mean count between successive levels of pixel noise, paired by seed."""
    counts = rows.pivot_table(index="seed", columns="pixel_noise", values="mean_count").dropna()
    if len(counts) < 2 or counts.shape[1] < 3:
        return None
    rises = counts.sort_index(axis=1).diff(axis=1).iloc[:, 1:]
    return measures.mean(rises[rises.mean().idxmin()].tolist())
