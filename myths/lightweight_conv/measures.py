"""Measures of the claims of myth 6. Each takes the rows of a claim and returns an estimate, or None if the rows do not suffice.

Some statements hold "at every length" or "for every layer". Their estimate is the smallest or largest value of the groups, with an interval
for that value: the end that a criterion of the statement depends on is the worst end of all groups, each at 95 % (intersection–union); the
other end takes Bonferroni over the groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from myths.lab import measures
from myths.lab.estimate import CONFIDENCE, Estimate, SourceOfVariation, exact, skewed_t, student_t
from myths.lightweight_conv.published import ABLATION

if TYPE_CHECKING:
    import pandas as pd

SETTING_OF_TIMES = (
    *("length", "direction", "scope", "causal", "threads", "dtype", "heads", "embed_dim", "ffn_dim", "encoder_layers"),
    *("batch_tokens", "batch_size", "beam_size"),
)
"""Columns in which the timings of one setting by several processes agree."""


def smallest_ratio(column: str, lengths: tuple[int, ...], rows: pd.DataFrame) -> Estimate | None:
    """Return the smallest geometric mean over processes of a ratio of times, over lengths.

    Args:
        column: The ratio.
        lengths: The lengths of the statement. Without rows of each there is no estimate.
        rows: One row per length and process.
    """
    found = _smallest_mean(_log_ratios(column, lengths, rows), "processes")
    return None if found is None else _exponential(found)


def largest_ratio(column: str, lengths: tuple[int, ...], rows: pd.DataFrame) -> Estimate | None:
    """Return the largest geometric mean over processes of a ratio of times, over lengths; arguments as in ``smallest_ratio``."""
    found = _smallest_mean([[-value for value in group] for group in _log_ratios(column, lengths, rows)], "processes")
    return None if found is None else _exponential(found.affine(-1))


def largest_gain(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the largest mean over seeds of a column, over datasets and numbers of updates; None if a group has fewer than two seeds."""
    groups = [[-value for value in group[column]] for _, group in rows.dropna(subset=[column]).groupby(["dataset", "updates"])]
    found = _smallest_mean(groups, "seeds")
    return None if found is None else found.affine(-1)


def mean_over_processes(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a column with Student's t interval over processes, or None for fewer than two."""
    return measures.mean(measures.numbers(column, rows), "processes")


def process_spread(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent the largest ratio of times of a process exceeds the smallest, for the setting with the largest spread.

    Settings with one process are ignored.
    """
    if column not in rows:
        return None
    keys = [key for key in SETTING_OF_TIMES if key in rows]
    groups = [group[column] for _, group in rows.dropna(subset=[column]).groupby(keys) if len(group) > 1]
    return exact(100 * max(group.max() / group.min() - 1 for group in groups), min(map(len, groups))) if groups else None


def percentage_over_seeds(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the mean of a percentage with Student's t interval over seeds, limited to 0…100; None for fewer than two seeds."""
    found = measures.mean_over_seeds(column, rows)
    return None if found is None else replace(found, low=max(0.0, found.low), high=min(100.0, found.high))


def largest_std(rows: pd.DataFrame) -> Estimate | None:
    """Return the largest standard deviation of BLEU over seeds, over layers, with a χ² interval; None if no layer has two seeds."""
    from scipy import stats

    if "bleu" not in rows:
        return None
    groups = [group["bleu"].dropna() for _, group in rows.groupby(["dataset", "test_set", "layer"])]
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        return None
    tail = (1 - CONFIDENCE) / 2
    ends = [
        [group.std(ddof=1) * float(np.sqrt((len(group) - 1) / stats.chi2.ppf(q, len(group) - 1))) for q in (1 - tail / len(groups), tail)]
        for group in groups
    ]
    value = float(max(group.std(ddof=1) for group in groups))
    return Estimate(value, float(max(low for low, _ in ends)), float(max(high for _, high in ends)), "seeds", min(map(len, groups)))


def rank_correlation_with_paper(rows: pd.DataFrame) -> Estimate | None:
    """Return the mean over seeds of Spearman's ρ between the BLEU of the seven convolutions and Table 3, limited to -1…1."""
    from scipy import stats

    if "bleu" not in rows:
        return None
    convolutions = [layer for layer in ABLATION if not layer.startswith("attention")]
    wide = rows.pivot_table(index=["dataset", "test_set", "seed"], columns="layer", values="bleu")
    if not set(convolutions) <= set(wide):
        return None
    paper = [ABLATION[layer].bleu for layer in convolutions]
    rhos = [float(stats.spearmanr(line, paper).statistic) for line in wide[convolutions].dropna().to_numpy()]
    found = skewed_t(rhos, "seeds") if len(rhos) > 1 else None
    return None if found is None else replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def _log_ratios(column: str, lengths: tuple[int, ...], rows: pd.DataFrame) -> list[list[float]]:
    """Return the logarithms of a ratio by length; an empty list unless there are rows of every length."""
    if column not in rows:
        return []
    groups = {length: np.log(group[column]).tolist() for length, group in rows.dropna(subset=[column]).groupby("length")}
    return [groups[length] for length in lengths] if set(lengths) <= set(groups) else []


def _smallest_mean(groups: Sequence[Sequence[float]], source_of_variation: SourceOfVariation) -> Estimate | None:
    """Return the smallest mean of several groups, or None if there is no group or one has fewer than two values."""
    from scipy import stats

    if not groups or min(map(len, groups)) < 2:
        return None
    found = [student_t(group, source_of_variation) for group in groups]
    tail = (1 - CONFIDENCE) / 2
    highs = [
        each.value + (each.high - each.value) * stats.t.ppf(1 - tail / len(found), each.n - 1) / stats.t.ppf(1 - tail, each.n - 1)
        for each in found
    ]
    value = min(each.value for each in found)
    return Estimate(value, min(each.low for each in found), float(min(highs)), source_of_variation, min(each.n for each in found))


def _exponential(logarithm: Estimate) -> Estimate:
    value, low, high = (float(np.exp(end)) for end in (logarithm.value, logarithm.low, logarithm.high))
    return replace(logarithm, value=value, low=low, high=high)
