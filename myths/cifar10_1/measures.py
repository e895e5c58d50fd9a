"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from myths.cifar10_1 import rank_comparison
from myths.lab import measures
from myths.lab.estimate import Estimate, exact, fisher_z

if TYPE_CHECKING:
    import pandas as pd

from_fit = partial(measures.from_columns, n="models", source_of_variation="models")
"""Return an estimate of a table of fits with its bootstrap interval over models."""


share_of_drop = partial(
    measures.from_columns, "share_percent", low="share_low_percent", high="share_high_percent", n="n", source_of_variation="test examples"
)
"""Return the estimate of the table ``drop_explanations`` with its interval over images."""


def smallest_gap(rows: pd.DataFrame) -> Estimate | None:
    """Return the gap (pp) of the model with the lowest interval end: if this interval is above 0, all are."""
    row = rows.loc[[rows["gap_low_pp"].idxmin()]]
    n = "n" if "n" in rows else "new_n"
    return measures.from_columns("gap_pp", row, low="gap_low_pp", high="gap_high_pp", n=n, source_of_variation="test examples")


def mean_gap(rows: pd.DataFrame) -> Estimate | None:
    """Return the mean gap (pp) of a fixed set of models."""
    return exact(rows["gap_pp"].mean(), len(rows))


def spearman(x: str, y: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the rank correlation of two columns over models (means over seeds), or None for fewer than four models."""
    means = rows.groupby("model")[[x, y]].mean()
    if len(means) < 4:
        return None
    rho, _ = rank_comparison.correlations(means[x].to_numpy(), means[y].to_numpy())
    return None if rho != rho else fisher_z(rho, len(means), "models", "spearman")


def hard_ratio(rows: pd.DataFrame) -> Estimate | None:
    """Return the ratio of the percentages of images that no model classifies correctly, new over original; None if either is 0."""
    if not rows.iloc[0]["new_images"] or not rows.iloc[0]["original_images"]:
        return None
    return measures.from_columns("ratio", rows, n="new_n", source_of_variation="test examples")
