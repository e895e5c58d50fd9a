"""Estimates with 95 % confidence intervals (``CONFIDENCE``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Num
from numpy import ndarray as Array

CONFIDENCE = 0.95

SourceOfVariation = Literal[
    "exact", "test examples", "training examples", "seeds", "models", "problems", "processes", "repeats", "splits", "datasets", "pairs"
]
"""What an interval accounts for. Repeats are timings within one process; processes are started anew."""


@dataclass(frozen=True)
class Estimate:
    """A point estimate with a 95 % confidence interval.

    Attributes:
        value: Point estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        source_of_variation: What the interval accounts for; "exact" if nothing varies.
        n: Number of items (seeds, test examples, …) that the interval is based on.
    """

    value: float
    low: float
    high: float
    source_of_variation: SourceOfVariation
    n: int

    def __post_init__(self) -> None:
        if any(map(math.isnan, (self.value, self.low, self.high))):
            raise ValueError(f"Estimate({self.value}, {self.low}, {self.high}): expected numbers, got NaN")
        if not (self.low <= self.value <= self.high):
            raise ValueError(f"Estimate({self.value}, {self.low}, {self.high}): expected low ≤ value ≤ high")

    def affine(self, factor: float, shift: float = 0.0) -> Estimate:
        """Return the estimate of ``factor * x + shift``."""
        low, high = sorted((factor * self.low + shift, factor * self.high + shift))
        return replace(self, value=factor * self.value + shift, low=low, high=high)


def exact(value: float, n: int) -> Estimate:
    """Return an estimate without sampling error, such as a count over a fixed set of ``n`` items."""
    value = float(value)
    return Estimate(value, value, value, "exact", n)


def clopper_pearson(
    successes: int, trials: int, source_of_variation: SourceOfVariation = "test examples", confidence: float = CONFIDENCE
) -> Estimate:
    """Return a proportion with its Clopper–Pearson interval, which Recht et al. use for accuracies.

    Args:
        successes: Number of successes.
        trials: Number of independent trials, at least 1.
        source_of_variation: What the trials are.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: Not 0 ≤ successes ≤ trials, or no trials.
    """
    from scipy import stats

    _check_proportion(successes, trials)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(stats.beta.ppf(1 - tail, successes + 1, trials - successes))
    return Estimate(successes / trials, low, high, source_of_variation, trials)


def mean_of_shares(
    shares: Sequence[float] | Float[Array, " n"], unchanged: float = 1.0, source_of_variation: SourceOfVariation = "test examples"
) -> Estimate:
    """Return a mean of shares of which some are exactly ``unchanged``, such as what attacks leave of saliency maps.

    A rare image on which an attack changes nothing moves the mean by more than all others. Student's t covers too little there. So the
    number of unchanged images gets an exact binomial interval and the mean of the others a ``skewed_t`` interval, each at 1 − 0.05/2
    (Bonferroni); the interval holds every mean that both allow. It is conservative and stays within 0 and 1.

    Args:
        shares: Numbers from 0 to 1.
        unchanged: The share of those that count as unchanged, 0 or 1.
        source_of_variation: What the shares are of.

    Raises:
        ValueError: There are no shares, or one is not from 0 to 1.
    """
    x = np.asarray(shares, dtype=np.float64)
    if not len(x) or x.min() < 0 or x.max() > 1:
        raise ValueError("a mean of shares needs numbers from 0 to 1")
    confidence = 1 - (1 - CONFIDENCE) / 2
    alike = clopper_pearson(int((x == unchanged).sum()), len(x), confidence=confidence)
    others = x[x != unchanged]
    low, high = 0.0, 1.0
    if len(others) > 1:
        mean = skewed_t(others, source_of_variation, confidence)
        low, high = max(0.0, mean.low), min(1.0, mean.high)
    ends = [p * unchanged + (1 - p) * m for p in (alike.low, alike.high) for m in (low, high)]
    value = float(x.mean())
    return Estimate(value, min(value, *map(float, ends)), max(value, *map(float, ends)), source_of_variation, len(x))


def mean_within(
    values: Sequence[float] | Float[Array, " n"], source_of_variation: SourceOfVariation, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the mean of numbers from 0 to 1 with the interval of Hoeffding (1963, Theorem 1), which holds for every distribution.

    Student's t fails for numbers that take few values: equal numbers would get an interval of width 0. This interval never has width 0. If
    all numbers are 0 or all are 1, it is that of Clopper and Pearson. It is conservative.

    Args:
        values: Independent numbers from 0 to 1, at least one.
        source_of_variation: What the values vary over.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: There are no values, or one is not from 0 to 1.
    """
    from scipy.optimize import brentq
    from scipy.special import rel_entr

    x = np.asarray(values, dtype=np.float64)
    if not len(x) or x.min() < 0 or x.max() > 1:
        raise ValueError("the mean of numbers from 0 to 1 needs such numbers")
    value, limit = float(x.mean()), math.log(2 / (1 - confidence)) / len(x)

    def excess(p: float) -> float:
        return float(rel_entr(value, p) + rel_entr(1 - value, 1 - p)) - limit

    least, most = np.finfo(float).tiny, 1 - np.finfo(float).epsneg
    low = float(brentq(excess, least, value)) if value > least and excess(least) > 0 else 0.0
    high = float(brentq(excess, value, most)) if value < most and excess(most) > 0 else 1.0
    return Estimate(value, min(low, value), max(high, value), source_of_variation, len(x))


def difference_of_proportions(successes: tuple[int, int], trials: tuple[int, int]) -> Estimate:
    """Return the difference (first minus second) of independent proportions with Newcombe's hybrid-score interval (1998, method 10).

    Args:
        successes: Successes of both samples.
        trials: Sizes of both samples.

    Raises:
        ValueError: The counts are not proportions.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    for k, n in zip(successes, trials, strict=True):
        _check_proportion(k, n)
    (k1, k2), (n1, n2) = successes, trials
    low, high = confint_proportions_2indep(k1, n1, k2, n2, method="newcomb", compare="diff", alpha=1 - CONFIDENCE)
    return Estimate(float(k1 / n1 - k2 / n2), float(low), float(high), "test examples", min(trials))


def ratio_of_proportions(successes: tuple[int, int], trials: tuple[int, int]) -> Estimate:
    """Return the ratio (first over second) of independent proportions with Katz's log interval (1978).

    Args:
        successes: Successes of both samples.
        trials: Sizes of both samples.

    Raises:
        ValueError: The counts are not proportions, or a sample has no success, for which the interval is undefined.
    """
    for k, n in zip(successes, trials, strict=True):
        _check_proportion(k, n)
    if 0 in successes:
        raise ValueError(f"successes={successes}: Katz's interval requires at least one success in each sample")
    from scipy.stats.contingency import relative_risk

    (k1, k2), (n1, n2) = successes, trials
    found = relative_risk(k1, n1, k2, n2)
    low, high = found.confidence_interval(CONFIDENCE)
    return Estimate(float(found.relative_risk), float(low), float(high), "test examples", min(trials))


def student_t(
    values: Sequence[float] | Float[Array, " n"], source_of_variation: SourceOfVariation, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the mean of independent values with Student's t interval.

    Args:
        values: At least two independent values.
        source_of_variation: What the values vary over.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: There are fewer than two values.
    """
    from scipy import stats

    x = np.asarray(values, dtype=np.float64)
    if len(x) < 2:
        raise ValueError(f"a t interval requires at least two values, got {len(x)}")
    half = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Estimate(float(x.mean()), float(x.mean() - half), float(x.mean() + half), source_of_variation, len(x))


def skewed_t(
    values: Sequence[float] | Float[Array, " n"], source_of_variation: SourceOfVariation, confidence: float = CONFIDENCE
) -> Estimate:
    """Return a mean with Student's t interval corrected for skewness by the transformation of Hall (1992).

    The mean of shares near 0, or of correlations near 1, has a skewed distribution: Student's t lies on the wrong side of the truth in
    5 to 20 % of the samples instead of 2.5 %. Values without skewness get nearly Student's t.

    Args:
        values: At least two independent values.
        source_of_variation: What the values vary over.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: There are fewer than two values.
    """
    from scipy import stats

    x = np.asarray(values, dtype=np.float64)
    found = student_t(x, source_of_variation, confidence)
    skewness = stats.skew(x) / np.sqrt(len(x)) if np.ptp(x) > 1e-9 * np.abs(x).max() else 0.0
    if abs(skewness) < 1e-6:
        return found
    quantile = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * np.array([1, -1])
    studentized = 3 / skewness * (np.cbrt(1 + skewness * (quantile - skewness / 6)) - 1)
    low, high = found.value - studentized * x.std(ddof=1) / np.sqrt(len(x))
    return replace(found, low=min(found.value, float(low)), high=max(found.value, float(high)))


def corrected_t(
    values: Sequence[float] | Float[Array, " n"], test_to_train: float, source_of_variation: SourceOfVariation = "splits"
) -> Estimate:
    """Return a mean over random splits of one pool with the corrected t interval of Nadeau & Bengio (2003).

    Splits of one pool share images. Student's t takes them as independent and covers too little: the variance of the mean is not
    s²/J but about s²(1/J + test/train).

    Args:
        values: One number per split.
        test_to_train: Size of the test part over size of the training part.
        source_of_variation: What the interval is over.

    Raises:
        ValueError: There are fewer than two values.
    """
    found = student_t(values, source_of_variation)
    wider = math.sqrt(1 + found.n * test_to_train)
    half = (found.high - found.low) / 2 * wider
    return replace(found, low=found.value - half, high=found.value + half)


def jackknife(value: float, without: Sequence[float] | Float[Array, " groups"], source_of_variation: SourceOfVariation, n: int) -> Estimate:
    """Return a statistic with its delete-a-group jackknife interval (Shao & Wu 1989).

    The interval is Student's t; its degrees of freedom are the number of groups less one.

    Groups are what a repetition draws independently: families of models, datasets, blocks of images. Items within a group may depend on
    each other.

    Args:
        value: The statistic of all items.
        without: The statistic of the items without each group.
        source_of_variation: What the interval is over.
        n: Number of items.

    Raises:
        ValueError: There are fewer than two groups.
    """
    from scipy import stats

    x = np.asarray(without, dtype=np.float64)
    groups = len(x)
    if groups < 2:
        raise ValueError(f"a jackknife interval requires at least two groups, got {groups}")
    error = np.sqrt((groups - 1) / groups * ((x - x.mean()) ** 2).sum())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, groups - 1) * error)
    return Estimate(float(value), float(value) - half, float(value) + half, source_of_variation, n)


def fisher_z(
    correlation: float, n: int, source_of_variation: SourceOfVariation, kind: Literal["pearson", "spearman"] = "pearson"
) -> Estimate:
    """Return a correlation coefficient with its Fisher z interval.

    For Spearman's ρ the variance of z is (1 + ρ²/2)/(n − 3) (Bonett & Wright 2000). A perfect ranking has no finite z. Its interval is
    that of the ranking with one swap of neighbors, extended to ±1.

    Args:
        correlation: Correlation coefficient.
        n: Number of pairs, at least four.
        source_of_variation: What the pairs vary over.
        kind: Coefficient: Pearson's or Spearman's.

    Raises:
        ValueError: There are fewer than four pairs.
    """
    if n < 4:
        raise ValueError(f"a Fisher z interval requires at least four pairs, got {n}")
    r = float(np.clip(correlation, -1, 1))
    if abs(r) == 1.0 and kind == "pearson":
        return Estimate(r, r, r, source_of_variation, n)
    if abs(r) < 1:
        near, z = r, np.arctanh(r)
    else:
        swap = 12 / (n**3 - n)  # what ρ loses by one swap of neighbors
        near, z = r * (1 - swap), r * np.log((2 - swap) / swap) / 2  # arctanh(near), right where near rounds to ±1
    variance = (1.0 if kind == "pearson" else 1 + near * near / 2) / (n - 3)
    half = _z() * np.sqrt(variance)
    low, high = np.tanh(z - half), np.tanh(z + half)
    return Estimate(r, min(r, float(low)), max(r, float(high)), source_of_variation, n)  # near ±1 rounding may pass r


def bootstrap(
    statistic: Callable[[Num[Array, "resamples n"]], Float[Array, " resamples"]],
    n: int,
    source_of_variation: SourceOfVariation,
    rng: np.random.Generator,
    resamples: int = 10_000,
) -> Estimate:
    """Return a statistic of ``n`` items with its percentile bootstrap interval.

    Args:
        statistic: Returns one value per row of indices into the items, for many rows at once.
        n: Number of items.
        source_of_variation: What the items vary over.
        rng: Generator that draws the resamples.
        resamples: Number of resamples. Resamples with a non-finite statistic are dropped.

    Returns:
        The estimate. The interval is extended, if necessary, to contain the value.

    Raises:
        ValueError: The statistic is not finite on more than 1 % of the resamples.
    """
    value = float(statistic(np.arange(n)[None])[0])
    blocks = np.array_split(np.arange(resamples), min(resamples, math.ceil(resamples * n / 4_000_000)))  # 32 MB of indices at a time
    draws = np.concatenate([statistic(rng.integers(n, size=(len(block), n))) for block in blocks])
    finite = draws[np.isfinite(draws)]
    if len(finite) < 0.99 * resamples:
        raise ValueError(f"the statistic is not finite on {resamples - len(finite)} of {resamples} resamples")
    low, high = np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, min(value, float(low)), max(value, float(high)), source_of_variation, n)


def _check_proportion(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} of {trials}: expected a proportion, 0 ≤ successes ≤ trials and trials > 0")


def _z() -> float:
    from scipy import special

    return float(special.ndtri((1 + CONFIDENCE) / 2))
