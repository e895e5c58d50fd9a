"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice.

Ratios of times are averaged geometrically. With several draws, the interval covers independent processes with new inputs. With one draw,
it covers the repeats within one process and is computed from the quartiles of both times.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

from myths.hessian_cost.problems import PAPER_PROBLEMS
from myths.lab import measures
from myths.lab.estimate import Estimate, bootstrap

if TYPE_CHECKING:
    import pandas as pd


def speedup(slow: str, fast: str, rows: pd.DataFrame) -> Estimate | None:
    """Return how many times faster a method is at the largest common size. Each time is relative to the closed form of its own process."""
    both = _paired(rows, slow, fast)
    if both.empty:
        return None
    both = _largest(both)
    parts = [both.filter(like=end).rename(columns=lambda c, end=end: c.removesuffix(end)) for end in ("_slow", "_fast")]
    errors = np.sqrt(sum(_median_error(part) ** 2 + _median_error(part, "closed_form_") ** 2 for part in parts))
    return _geometric(both["slowdown_slow"] / both["slowdown_fast"], errors)


def overhead_percent(rows: pd.DataFrame) -> Estimate | None:
    """Return by how many percent reverse order takes longer than cross-country order."""
    found = speedup("reverse-order", "cross-country-order", rows)
    return None if found is None else found.affine(100, -100)


def slope_difference(rows: pd.DataFrame) -> Estimate | None:
    """Return the slope of log(time of the row loop / time of the tensor calculus) against log(variables), from 128 variables on.

    The interval is the t interval of the regression.
    """
    from scipy import stats

    both = _paired(rows, "torch-loop", "tensor-calculus")
    both = both[both["variables"] >= 128]
    if both["variables"].nunique() < 3:
        return None
    x, y = np.log(both["variables"].to_numpy(float)), np.log((both["seconds_slow"] / both["seconds_fast"]).to_numpy(float))
    fit = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2) * fit.stderr)
    return Estimate(float(fit.slope), float(fit.slope) - half, float(fit.slope) + half, "repeats", len(x))


def slowest_over_fastest(rows: pd.DataFrame) -> Estimate | None:
    """Return the time of the slowest framework over that of the fastest, at the largest size that all frameworks completed."""
    ok = rows[rows["status"] == "ok"]
    if ok["method"].nunique() < 2:
        return None
    ok = _largest_common(ok)
    if ok.empty:
        return None
    slow, fast = ok.loc[[ok["seconds"].idxmax()]], ok.loc[[ok["seconds"].idxmin()]]
    return _geometric(slow["seconds"].to_numpy() / fast["seconds"].to_numpy(), np.hypot(_median_error(slow), _median_error(fast)))


def median_slowdown(rows: pd.DataFrame) -> Estimate | None:
    """Return the median slowdown over problems, from 512 variables on, with a bootstrap interval over problems."""
    ok = rows[(rows["status"] == "ok") & (rows["n_variables"] >= 512)]
    logs = np.array([np.log(group["slowdown"].to_numpy(float)).mean() for _, group in ok.groupby("problem")])
    if len(logs) < len(PAPER_PROBLEMS):
        return None
    return bootstrap(lambda drawn: np.exp(np.median(logs[drawn], axis=1)), len(logs), "problems", np.random.default_rng(0))


def second_smallest_slowdown(method: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the second smallest of a method's slowdowns on the three problems.

    Each slowdown is taken at the largest size that all of today's methods completed.
    """
    ok = rows[(rows["status"] == "ok") & rows["problem"].isin(PAPER_PROBLEMS)]
    common = [_largest_common(group) for _, group in ok.groupby("problem")]
    own = [group[group["method"] == method] for group in common]
    if sum(not group.empty for group in own) < len(PAPER_PROBLEMS):
        return None
    return sorted((_slowdown(group) for group in own), key=lambda estimate: estimate.value)[1]


def ratio_over_draws(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the geometric mean of a ratio over draws, at the largest size with several draws."""
    return measures.geometric_mean(_largest(rows.dropna(subset=[column]))[column].tolist())


# --- parts -----------------------------------------------------------------------------------------


def _geometric(ratios: pd.Series[float] | Float[Array, " draws"], errors: Float[Array, " draws"]) -> Estimate:
    """Return the geometric mean with a t interval over draws. For a single draw, use ± 1.96 standard errors of its logarithm."""
    if (found := measures.geometric_mean(list(ratios))) is not None:
        return found
    middle, half = math.log(next(iter(ratios))), 1.96 * float(errors[0])
    return Estimate(math.exp(middle), math.exp(middle - half), math.exp(middle + half), "repeats", 1)


def _median_error(rows: pd.DataFrame, prefix: str = "") -> Float[Array, " rows"]:
    """Return the standard error of log(median) from its quartiles: 1.253 · IQR/1.349 / √repeats, for normal noise."""
    spread = np.log(rows[f"{prefix}q75_seconds"].to_numpy(float) / rows[f"{prefix}q25_seconds"].to_numpy(float))
    return 1.253 / 1.349 * spread / np.sqrt(rows[f"{prefix}repeats"].to_numpy(float))


def _slowdown(rows: pd.DataFrame) -> Estimate:
    """Return the time of a method over the time of the closed form."""
    return _geometric(rows["slowdown"], np.hypot(_median_error(rows), _median_error(rows, "closed_form_")))


def _paired(rows: pd.DataFrame, slow: str, fast: str) -> pd.DataFrame:
    """Return the draws and sizes that both methods completed. Columns of the slow method end in ``_slow``."""
    ok = rows[rows["status"] == "ok"]
    return ok[ok["method"] == slow].merge(ok[ok["method"] == fast], on=["variables", "seed"], suffixes=("_slow", "_fast"))


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the largest size among the sizes with the most draws."""
    draws = rows.groupby("variables")["variables"].transform("size")
    rows = rows[draws == draws.max()]
    return rows[rows["variables"] == rows["variables"].max()]


def _largest_common(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the largest size that every method completed. The result is empty if there is none."""
    methods = rows.groupby("variables")["method"].nunique()
    shared = methods[methods == rows["method"].nunique()].index
    return rows[rows["variables"] == max(shared, default=None)]
