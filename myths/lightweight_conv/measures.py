"""Rows of a table to the one number of a claim, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from myths.lab.estimate import Estimate, exact, fisher_z, student_t

if TYPE_CHECKING:
    import pandas as pd


def over_seeds(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The mean over seeds; None for fewer than two."""
    values = _values(column, rows)
    return student_t(values, "seeds") if len(values) > 1 else None


def ratio_over_repeats(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The geometric mean of a ratio of times, over trials of different seeds."""
    values = _values(column, rows)
    if len(values) < 2:
        return None
    found = student_t(np.log(values).tolist(), "repeats")
    value, low, high = (float(np.exp(end)) for end in (found.value, found.low, found.high))
    return Estimate(value, low, high, "repeats", found.n)


def smallest_ratio(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The smallest over lengths of a ratio of times, with the extent that the quartiles of both times give it."""
    if column not in rows or f"{column}_low" not in rows:
        return None
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return None
    line = rows.loc[rows[column].idxmin()]
    value, low, high = (float(line[name]) for name in (column, f"{column}_low", f"{column}_high"))
    return Estimate(value, min(low, value), max(high, value), "repeats", int(line["repeats"]))


def slope(rows: pd.DataFrame) -> Estimate | None:
    """The exponent of a single regression."""
    if len(rows) != 1:
        return None
    line = rows.iloc[0]
    return Estimate(float(line["slope"]), float(line["slope_low"]), float(line["slope_high"]), "repeats", int(line["points"]))


def largest(column: str, rows: pd.DataFrame) -> Estimate | None:
    """The largest value there is."""
    values = _values(column, rows)
    return exact(max(values), len(values)) if values else None


def source_use(rows: pd.DataFrame) -> Estimate | None:
    """What the source is worth in nats: the row furthest from nothing."""
    if "source_nats" not in rows or rows["source_nats"].dropna().empty:
        return None
    line = rows.loc[rows["source_nats"].abs().idxmax()]
    return Estimate(
        float(line["source_nats"]), float(line["source_nats_low"]), float(line["source_nats_high"]), "test examples", int(line["n_valid"])
    )


def deviation_over_seeds(rows: pd.DataFrame) -> Estimate | None:
    """The deviation of BLEU over seeds, pooled over layers, with its χ² interval; None with fewer than two degrees of freedom."""
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


def order_of_the_paper(rows: pd.DataFrame) -> Estimate | None:
    """Spearman's ρ of the mean BLEU of the convolutions with the paper's Table 3, in the longest training that has all seven."""
    from scipy import stats

    chosen = rows.dropna(subset=["bleu", "paper_bleu"])
    chosen = chosen[~chosen["layer"].str.startswith("attention")]
    whole = [group for _, group in chosen.groupby("updates") if len(group) == 7]
    if not whole:
        return None
    chosen = whole[-1]
    return fisher_z(float(stats.spearmanr(chosen["bleu"], chosen["paper_bleu"]).statistic), len(chosen), "models", "spearman")


def _values(column: str, rows: pd.DataFrame) -> list[float]:
    return [float(v) for v in rows[column].dropna()] if column in rows else []
