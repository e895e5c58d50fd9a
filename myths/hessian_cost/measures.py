"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice.

Every interval is over processes: a seed starts a new process with new inputs. Ratios of times are averaged geometrically. ``ratio`` is that
of two methods in one process, ``slowdown`` that of a method and the closed form; rows whose ratio was refused have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from myths.hessian_cost.compared import Cell
from myths.hessian_cost.problems import PAPER_PROBLEMS
from myths.lab import measures
from myths.lab.claim import MINIMUM_REPETITIONS
from myths.lab.estimate import CONFIDENCE, Estimate, bootstrap, exact

if TYPE_CHECKING:
    import pandas as pd

Choose = Callable[[Iterable[float]], float]
"""A rank of several numbers, such as their minimum or maximum."""
MIN_ENGINE_SECONDS = 1e-3
"""Shorter closed forms do not judge the engine: the time of a call is mostly overhead there."""
AGREEMENT_PERCENT = 25.0
"""Processes agree if the largest ratio exceeds the smallest by at most this."""


def compared_ratio(cells: Sequence[Cell], rows: pd.DataFrame, choose: Choose) -> Estimate | None:
    """Return a rank of the ratios of several comparisons, with simultaneous intervals.

    Args:
        cells: The comparisons. All must have been measured.
        rows: Rows of the table ``comparisons``.
        choose: Returns the rank, such as the largest, from the ratios in the order of the cells.
    """
    return _simultaneous([measures.numbers("ratio", _of_cell(rows, cell)) for cell in cells], choose)


def compared_spread(cells: Sequence[Cell], rows: pd.DataFrame, choose: Choose) -> Estimate | None:
    """Return by how many percent the number of ``compared_ratio`` differs between processes.

    Each process has a number of its own: the same rank of its own ratios.
    """
    by_process = [_of_cell(rows, cell).set_index("seed")["ratio"] for cell in cells]
    seeds = set.intersection(*(set(ratios.dropna().index) for ratios in by_process))
    return _spread_percent([choose([ratios[seed] for ratios in by_process]) for seed in sorted(seeds)])


def largest_ratio(cells: Sequence[Cell], rows: pd.DataFrame) -> Estimate | None:
    """Return the largest ratio of several comparisons, with a simultaneous interval.

    If "at least one" ratio is large, one comparison shows it. Value and lower end are therefore the largest of the comparisons whose
    processes agree, whether or not those of the others do. The upper end is of all comparisons: one whose processes disagree may be larger.

    Args:
        cells: The comparisons. All must have been measured.
        rows: Rows of the table ``comparisons``.
    """
    found = compared_ratio(cells, rows, max)
    agree = [_agrees(_spread_of(rows, cell)) for cell in cells]
    if found is None or not any(agree):
        return found
    # Simultaneous over all comparisons: which ones agree is not known beforehand.
    means = _simultaneous_means([measures.numbers("ratio", _of_cell(rows, cell)) for cell in cells])
    shown = [mean for mean, agrees in zip(means, agree, strict=True) if agrees]
    best = max(shown, key=lambda mean: mean.value)
    return replace(found, value=best.value, low=max(mean.low for mean in shown), n=min(mean.n for mean in shown))


def spread_of_largest(cells: Sequence[Cell], rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent the ratio that ``largest_ratio`` shows differs between processes.

    If the processes agree on no comparison, this is the spread of the largest ratio of all.

    Args:
        cells: The comparisons.
        rows: Rows of the table ``comparisons``.
    """
    spreads = {cell: spread for cell in cells if (spread := _spread_of(rows, cell)) is not None}
    agreeing = [cell for cell, spread in spreads.items() if _agrees(spread)]
    best = max(agreeing or spreads, key=lambda cell: float(np.log(measures.numbers("ratio", _of_cell(rows, cell))).mean()), default=None)
    return None if best is None else spreads[best]


def second_of_best(values: Iterable[float]) -> float:
    """Return the second smallest, over the paper's three problems, of the smallest of equally many values of each problem."""
    return float(np.sort(np.reshape(list(values), (len(PAPER_PROBLEMS), -1)).min(axis=1))[1])


def overhead_percent(cells: Sequence[Cell], rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent a method takes longer than the reference."""
    found = compared_ratio(cells, rows, max)
    return None if found is None else found.affine(100, -100)


def slope_difference(rows: pd.DataFrame) -> Estimate | None:
    """Return the slope of log(time of the row loop / time of the tensor calculus) against log(variables), from sampled rows at every size.

    Each process has a slope from at least three sizes.
    """
    own = ["variables", "seed"]
    loop, calculus = (rows[(rows["method"] == method) & rows["slowdown"].notna()] for method in ("torch-loop", "tensor-calculus"))
    both = loop[[*own, "sampled_seconds"]].merge(calculus[[*own, "seconds"]], on=own).dropna()
    both = both.assign(x=np.log(both["variables"]), y=np.log(both["sampled_seconds"] / both["seconds"]))
    slopes = [float(np.polyfit(group["x"], group["y"], 1)[0]) for _, group in both.groupby("seed") if group["x"].nunique() >= 3]
    return measures.mean(slopes, "processes")


def slowest_over_fastest(rows: pd.DataFrame) -> Estimate | None:
    """Return the slowdown of the slowest framework over that of the fastest, in the processes of one seed each."""
    return measures.geometric_mean(_slowest_over_fastest(rows), "processes")


def median_slowdown(rows: pd.DataFrame) -> Estimate | None:
    """Return the median slowdown over problems whose closed form takes at least a millisecond, with a bootstrap interval over problems.

    The slowdown on a problem is that at the largest size.
    """
    judged = rows[rows["slowdown"].notna() & (rows["closed_form_seconds"] >= MIN_ENGINE_SECONDS)]
    largest = judged[judged["n_variables"] == judged.groupby("problem")["n_variables"].transform("max")]
    logs = np.array([np.log(group["slowdown"].to_numpy(float)).mean() for _, group in largest.groupby("problem")])
    if len(logs) < len(PAPER_PROBLEMS):
        return None
    return bootstrap(lambda drawn: np.exp(np.median(logs[drawn], axis=1)), len(logs), "problems", np.random.default_rng(0))


def ratio_over_processes(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the geometric mean of a ratio."""
    return measures.geometric_mean(measures.numbers(column, rows), "processes")


def sampling_error_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent the row loop's time from sampled rows exceeds that of all rows, timed in the same process."""
    whole = rows[(rows["method"] == "torch-loop") & (rows["rows_timed"] == rows["variables"])]
    found = measures.geometric_mean(list(whole["sampled_seconds"] / whole["seconds"]), "processes")
    return None if found is None else found.affine(100, -100)


def spread_of_speedup(slow: str, fast: str, rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent the largest speed-up of a process exceeds the smallest."""
    return _spread_percent(_ratios(rows, slow, fast))


def spread_of_frameworks(rows: pd.DataFrame) -> Estimate | None:
    """Return the spread over processes of the slowest framework's slowdown over that of the fastest, in percent."""
    return _spread_percent(_slowest_over_fastest(rows))


def spread_of_column(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent the largest value of a process exceeds the smallest."""
    return _spread_percent(measures.numbers(column, rows))


# --- parts -----------------------------------------------------------------------------------------


def _of_cell(rows: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    problem, method, size = cell
    return rows[(rows["problem"] == problem) & (rows["method"] == method) & (rows["n_variables"] == size)]


def _ratios(rows: pd.DataFrame, slow: str, fast: str) -> list[float]:
    """Return the ratio of two methods' slowdowns for each seed that has both."""
    ok = rows[rows["slowdown"].notna()]
    both = ok[ok["method"] == slow].merge(ok[ok["method"] == fast], on="seed", suffixes=("_slow", "_fast"))
    return [float(ratio) for ratio in both["slowdown_slow"] / both["slowdown_fast"]]


def _slowest_over_fastest(rows: pd.DataFrame) -> list[float]:
    """Return the largest over the smallest slowdown for each seed with all frameworks that completed for any seed."""
    wide = rows.pivot_table(index="seed", columns="method", values="slowdown", aggfunc="first").dropna()
    return [] if wide.shape[1] < 2 else [float(ratio) for ratio in wide.max(axis=1) / wide.min(axis=1)]


def _simultaneous(samples: Sequence[Collection[float]], choose: Choose) -> Estimate | None:
    """Return a rank of several geometric means, with an interval that covers it.

    The intervals of the means are simultaneous, so the same rank of their lower ends and of their upper ends bounds it. The chosen mean is
    not known beforehand: its own 95 % interval would cover too little.
    """
    if min(map(len, samples)) < 2:
        return None
    means = _simultaneous_means(samples)
    value, low, high = (choose([getattr(mean, end) for mean in means]) for end in ("value", "low", "high"))
    return Estimate(value, low, high, "processes", min(map(len, samples)))


def _simultaneous_means(samples: Sequence[Collection[float]]) -> list[Estimate]:
    """Return geometric means whose t intervals hold together (Bonferroni)."""
    from scipy import stats

    found = []
    for sample in samples:
        logs, n = np.log(list(sample)), len(sample)
        half = float(stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / len(samples), n - 1) * logs.std(ddof=1) / math.sqrt(n))
        value, low, high = (math.exp(logs.mean() + sign * half) for sign in (0, -1, 1))
        found.append(Estimate(value, low, high, "processes", n))
    return found


def _spread_of(rows: pd.DataFrame, cell: Cell) -> Estimate | None:
    """Return by how many percent the ratio of one comparison differs between processes."""
    return _spread_percent(measures.numbers("ratio", _of_cell(rows, cell)))


def _agrees(spread: Estimate | None) -> bool:
    return spread is not None and spread.value <= AGREEMENT_PERCENT


def _spread_percent(values: Sequence[float]) -> Estimate | None:
    """Return the largest over the smallest value, minus one, in percent; None for fewer processes than a claim needs."""
    return exact(100 * (max(values) / min(values) - 1), len(values)) if len(values) >= MINIMUM_REPETITIONS["processes"] else None
