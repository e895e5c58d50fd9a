"""Measures of the claims: functions from the rows of a claim to its estimate, or None if the rows do not suffice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from myths.lab import measures
from myths.lab.estimate import CONFIDENCE, Estimate, clopper_pearson
from myths.wiring import regression

if TYPE_CHECKING:
    import pandas as pd

MIN_WIRINGS = 24
"""Number of wirings below which nothing is said about what varies between them."""

over_wirings = partial(measures.from_columns, n="wirings", source_of_variation="models")
"""Return an estimate of a table with its bootstrap interval over wirings, each of which is a network."""

over_generators = partial(measures.from_columns, n="generators", source_of_variation="models")
"""Return an estimate of a table with its bootstrap interval over generators of graphs."""

mismatches = partial(measures.only_value, "mismatches", n="cases")
"""Return the number of cases in which two exact computations differ."""


FRESH_SEED = 16
"""First seed that counts for W8. Eight pairs with the seeds 0 to 7 were seen before 16 were chosen, and these before 32 new ones were."""


def smallest_r2(column: str, rows: pd.DataFrame, *, groups: int) -> Estimate | None:
    """Return the smallest of several R² with an interval for the smallest.

    Its lower end is the smallest of the lower ends. Its upper end is the smallest of the upper ends at a level that allows for the choice
    (Bonferroni). They are reflected lower ends: a bootstrap over few wirings has too small upper ends of R².

    Args:
        column: The column of R².
        rows: One row per network, with its interval in ``{column}_low`` and ``{column}_high``.
        groups: Number of networks that the statement names.

    Returns:
        The estimate, or None if a network is missing.
    """
    from scipy import special

    if len(rows) < groups:
        return None
    widen = special.ndtri(1 - 0.025 / groups) / special.ndtri(0.975)
    value, low = rows[column], rows[f"{column}_low"]
    high = min(1.0, float((value + widen * (value - low)).min()))
    return Estimate(float(value.min()), float(low.min()), high, "models", int(rows["wirings"].min()))


def size_of_correlation(column: str, rows: pd.DataFrame) -> Estimate | None:
    """Return the absolute value of a correlation with the sizes that its interval over wirings allows; None if it is missing.

    Args:
        column: The column of the correlation.
        rows: One row, with the interval in ``{column}_low`` and ``{column}_high``.
    """
    found = over_wirings(column, rows)
    if found is None:
        return None
    near, far = sorted((abs(found.low), abs(found.high)))
    return replace(found, value=abs(found.value), low=0.0 if found.low <= 0 <= found.high else near, high=far)


def close_draws(rows: pd.DataFrame) -> Estimate | None:
    """Return the percentage of draws of few wirings whose surface is close to that of all, with its Clopper–Pearson interval."""
    return clopper_pearson(int(rows["close_draws"].iloc[0]), int(rows["draws"].iloc[0]), "models").affine(100)


def better_arm(arms: tuple[str, str], rows: pd.DataFrame, *, first_seed: int = 0) -> Estimate | None:
    """Return the mean difference in test error between two arms over pairs of networks, with Student's t interval.

    Args:
        arms: The arms; the second is subtracted from the first.
        rows: Rows of the table ``trained``.
        first_seed: Smallest seed that counts.
    """
    counted = rows[rows["seed"] >= first_seed]
    return measures.paired_difference("test_error_percent", "arm", arms, counted, pair="pair", source_of_variation="seeds")


def reliability_beyond_shape(rows: pd.DataFrame) -> Estimate | None:
    """Return how much of what varies in the Potts transition beyond clustering and path length is no error of the sampling.

    The transition times the mean degree is fitted by a quadratic function of clustering and path length. Of the variance that is left, the
    mean squared standard error of the sampling is subtracted. The interval is that of a variance of normal values (χ²) over wirings.

    Args:
        rows: Rows of the table ``wiring_transitions`` with one number of states.
    """
    from scipy import stats

    rows = rows.drop_duplicates("wiring").dropna(subset=["beta", "beta_error"])
    if len(rows) < MIN_WIRINGS:
        return None
    number, error = ((rows[name] * rows["mean_degree"]).to_numpy() for name in ("beta", "beta_error"))
    terms = regression.quadratic(rows["clustering"].to_numpy(), rows["path_length"].to_numpy())
    squares, degrees = float(((number - regression.fitted(terms, number)) ** 2).sum()), len(rows) - terms.shape[1]
    tail = (1 - CONFIDENCE) / 2
    value, low, high = (
        1 - float((error**2).mean()) * by / squares for by in (degrees, stats.chi2.ppf(1 - tail, degrees), stats.chi2.ppf(tail, degrees))
    )
    return Estimate(float(value), float(low), float(high), "models", len(rows))
