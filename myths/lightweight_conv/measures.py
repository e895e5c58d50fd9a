"""Measures of the claims of myth 6. Each takes the rows of a claim and returns an estimate, or None if the rows do not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from myths.lab import measures
from myths.lab.estimate import Estimate, fisher_z

if TYPE_CHECKING:
    import pandas as pd


def geometric_mean_ratio(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the geometric mean of a ratio of times over trials of different seeds, or None for fewer than two."""
    return measures.geometric_mean(measures.numbers(column, rows))


def min_ratio(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the smallest ratio of times over lengths, with an interval from the quartiles of both times."""
    if column not in rows or f"{column}_low" not in rows:
        return None
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return None
    line = rows.loc[rows[column].idxmin()]
    value, low, high = (float(line[name]) for name in (column, f"{column}_low", f"{column}_high"))
    return Estimate(value, min(low, value), max(high, value), "repeats", int(line["repeats"]))


def slope(rows: pd.DataFrame) -> Estimate | None:
    """Return the exponent of a regression, or None unless there is exactly one."""
    return measures.from_columns("slope", rows, n="points", source_of_variation="repeats") if len(rows) == 1 else None


def source_use(rows: pd.DataFrame) -> Estimate | None:
    """Return the source use in nats per token with the largest absolute value, or None if no row has one."""
    if "source_use_nats" not in rows or rows["source_use_nats"].dropna().empty:
        return None
    return measures.from_columns(
        "source_use_nats", rows.loc[[rows["source_use_nats"].abs().idxmax()]], n="n_valid", source_of_variation="test examples"
    )


def std_over_seeds(rows: pd.DataFrame) -> Estimate | None:
    """Return the standard deviation of BLEU over seeds, pooled over layers, with its χ² interval, or None below 2 degrees of freedom."""
    from scipy import stats

    if "bleu" not in rows:
        return None
    groups = [group["bleu"].dropna() for _, group in rows.groupby(["layer", "updates"])]
    freedom = sum(len(g) - 1 for g in groups if len(g) > 1)
    if freedom < 2:
        return None
    variance = sum(float(((g - g.mean()) ** 2).sum()) for g in groups if len(g) > 1) / freedom
    low, high = (freedom * variance / stats.chi2.ppf(q, freedom) for q in (0.975, 0.025))
    return Estimate(float(np.sqrt(variance)), float(np.sqrt(low)), float(np.sqrt(high)), "seeds", freedom)


def rank_correlation_with_paper(rows: pd.DataFrame) -> Estimate | None:
    """Return Spearman's ρ of the mean BLEU of the seven convolutions with Table 3, for the most updates with which all were trained."""
    from scipy import stats

    chosen = rows.dropna(subset=["bleu", "paper_bleu"])
    chosen = chosen[~chosen["layer"].str.startswith("attention")]
    whole = [group for _, group in chosen.groupby("updates") if len(group) == 7]
    if not whole:
        return None
    chosen = whole[-1]
    return fisher_z(float(stats.spearmanr(chosen["bleu"], chosen["paper_bleu"]).statistic), len(chosen), "models", "spearman")
