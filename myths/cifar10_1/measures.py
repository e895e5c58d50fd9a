"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from myths.cifar10_1 import rank_comparison
from myths.lab import measures
from myths.lab.estimate import CONFIDENCE, Estimate, clopper_pearson

if TYPE_CHECKING:
    import pandas as pd

from_fit = partial(measures.from_columns, n="models", source_of_variation="models")
"""Return an estimate of a table of fits with its interval over families of models."""


mean_drop = partial(measures.from_columns, "drop_pp", low="drop_low_pp", high="drop_high_pp", n="n", source_of_variation="test examples")
"""Return the estimate of the table ``mean_drops`` with its interval over images."""


share_of_drop = partial(
    measures.from_columns, "share_percent", low="share_low_percent", high="share_high_percent", n="n", source_of_variation="test examples"
)
"""Return the estimate of the table ``drop_explanations`` with its interval over images."""


def smallest_gap(rows: pd.DataFrame) -> Estimate | None:
    """Return the gap (pp) of the model with the lowest interval end: if this interval is above 0, all are.

    This is an intersection-union test of all models, which needs no correction. As an estimate of the smallest gap it is too low if many
    gaps are nearly equal; the mean drop is the number to cite.
    """
    row = rows.loc[[rows["gap_low_pp"].idxmin()]]
    n = "n" if "n" in rows else "new_n"
    return measures.from_columns("gap_pp", row, low="gap_low_pp", high="gap_high_pp", n=n, source_of_variation="test examples")


def most_accurate(rows: pd.DataFrame) -> Estimate | None:
    """Return the accuracy (%) of the most accurate network (mean over seeds), with its interval over images.

    The interval is simultaneous over the networks, because the test images choose the network.
    """
    means = rows.groupby("model")["test_accuracy_percent"].mean()
    n = int(rows["n_test"].iloc[0])
    return clopper_pearson(round(means.max() / 100 * n), n, confidence=1 - (1 - CONFIDENCE) / len(means)).affine(100)


def spearman(x: str, y: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the rank correlation of two columns over models (means over seeds), with an interval over families of models.

    Returns:
        The estimate, or None for fewer than four families.
    """
    if not {x, y} <= set(rows):
        return None
    models = rows.groupby("model")
    means = models[[x, y]].mean()
    return rank_comparison.spearman(means[x].to_numpy(), means[y].to_numpy(), models["family"].first().to_numpy())


def hard_ratio(rows: pd.DataFrame) -> Estimate | None:
    """Return the ratio of the percentages of images that no model classifies correctly, new over original; None if either is 0."""
    if not rows.iloc[0]["new_images"] or not rows.iloc[0]["original_images"]:
        return None
    return measures.from_columns("ratio", rows, n="new_n", source_of_variation="test examples")
