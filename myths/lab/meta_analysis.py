"""Combine the results of one claim from independent runs, such as those of several machines or people.

Independence is decided, not assumed. The profiles of all machines use the same seeds, so that ten machines repeat one draw of the seeds
and one test set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from myths.lab.analysis import Analysis
from myths.lab.claim_record import ClaimRecord
from myths.lab.estimate import CONFIDENCE, Estimate
from myths.lab.storage.store import TrialRecord

FEWEST_RUNS = 3
"""Number of independent runs from which results are combined. The spread of two runs is unknown."""
_FEW_REPETITIONS = ("seeds", "processes", "models", "datasets", "problems")
"""Sources of variation with Student's t intervals."""


@dataclass(frozen=True)
class RunResult:
    """The result of a claim in one run.

    Attributes:
        run: Name of the run.
        record: The result.
        trials: The trials that the number is computed from.
    """

    run: str
    record: ClaimRecord
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True)
class Pooled:
    """A number that is combined from several runs, with its 95 % intervals.

    Attributes:
        value: Mean over runs (geometric for positive ratios).
        low: Lower end of the confidence interval of the mean.
        high: Upper end of the confidence interval of the mean.
        predicted_low: Lower end of the interval for the true value of another run.
        predicted_high: Upper end of the interval for the true value of another run.
        i_squared: Share of the variance between runs that their intervals do not explain, from 0 to 1.
        runs: Names of the runs.
    """

    value: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    i_squared: float
    runs: tuple[str, ...]


def of_runs(analyses: Sequence[Analysis]) -> dict[str, Pooled]:
    """Return the numbers that can be combined from several runs of a myth, by id of the claim.

    Args:
        analyses: The runs, best first.
    """
    if len(analyses) < FEWEST_RUNS:
        return {}
    found: dict[str, Pooled] = {}
    for place, record in enumerate(analyses[0].claims):
        results = [RunResult(each.run.name, each.claims[place], each.records_of(each.claim_results[place])) for each in analyses]
        if isinstance(number := pooled(results), Pooled):
            found[record.claim] = number
    return found


def pooled(results: Sequence[RunResult]) -> Pooled | str:
    """Combine the results of a claim.

    Args:
        results: Results of the claim in all runs that measured it.

    Returns:
        The combined number, or why there is none.
    """
    first = results[0].record
    if first.strength == "recomputed" or first.repetition_unit not in ("processes", "seeds"):
        return f"every run repeats the same {first.repetition_unit}"
    chosen = independent(results)
    if len(chosen) < FEWEST_RUNS:
        return f"{len(chosen)} independent run{'s' * (len(chosen) != 1)}, at least {FEWEST_RUNS} are needed"
    estimates = [found for each in chosen if (found := each.record.measured) is not None]
    return combine(estimates, [each.run for each in chosen], ratio=first.unit in ("x", "×"))


def independent(results: Sequence[RunResult]) -> list[RunResult]:
    """Return the results that may be combined with the first one.

    They have the same criterion, unit and strength, used the same contents of the datasets, and their intervals cover the repetition
    unit. Two runs never share a trial, unless the repetition unit is the process.

    Args:
        results: Results of one claim.
    """
    chosen: list[RunResult] = []
    for each in results:
        record, unit = each.record, each.record.repetition_unit
        if record.measured is None or record.source_of_variation != unit:
            continue
        if chosen and _protocol(each) != _protocol(chosen[0]):
            continue
        drawn = set(record.invocations) if unit == "processes" else set(record.trials)
        used = [set(other.record.invocations) if unit == "processes" else set(other.record.trials) for other in chosen]
        if not any(drawn & others for others in used):
            chosen.append(each)
    return chosen


def combine(estimates: Sequence[Estimate], runs: Sequence[str], *, ratio: bool) -> Pooled:
    """Combine independent estimates by a random-effects meta-analysis.

    The variance between runs is estimated by Paule & Mandel (1982). The confidence interval of the mean is that of Hartung & Knapp (2001),
    the prediction interval that of Higgins et al. (2009) with k - 2 degrees of freedom. The latter covers too little if runs hardly differ
    beyond their own intervals.

    Args:
        estimates: At least three estimates.
        runs: Name of the run of each.
        ratio: Whether the numbers are positive ratios, which are combined as logarithms.
    """
    from scipy import stats
    from statsmodels.stats.meta_analysis import combine_effects

    k = len(estimates)
    values, errors = np.array([_on_scale(each, ratio) for each in estimates]).T
    with np.errstate(divide="ignore"):  # equal values
        found = combine_effects(values, np.maximum(errors, 1e-12 + 1e-9 * np.abs(values)) ** 2, method_re="iterated")
    mean, error = float(found.mean_effect_re), math.sqrt(found.var_hksj_re)
    quantile = (1 + CONFIDENCE) / 2
    half = float(stats.t.ppf(quantile, k - 1)) * error
    predicted = float(stats.t.ppf(quantile, k - 2)) * math.sqrt(max(found.tau2, 0.0) + error**2)
    ends = (mean, mean - half, mean + half, mean - predicted, mean + predicted)
    value, low, high, predicted_low, predicted_high = (math.exp(end) for end in ends) if ratio else ends
    return Pooled(value, low, high, predicted_low, predicted_high, max(0.0, float(found.i2)), tuple(runs))


def _protocol(result: RunResult) -> tuple[object, ...]:
    """Return what the results must have in common."""
    record = result.record
    data = frozenset((name, sha256) for trial in result.trials for name, sha256 in trial.data.items())
    versions = frozenset((type(trial.trial).__name__, trial.trial.version) for trial in result.trials)
    return record.criterion, record.unit, record.strength, record.repetition_unit, data, versions


def _on_scale(estimate: Estimate, ratio: bool) -> tuple[float, float]:
    """Return value and standard error of an estimate on the scale on which it is combined."""
    from scipy import stats

    value, low, high = (math.log(end) if ratio else end for end in (estimate.value, estimate.low, estimate.high))
    quantile = (1 + CONFIDENCE) / 2
    few = estimate.source_of_variation in _FEW_REPETITIONS
    return value, (high - low) / 2 / float(stats.t.ppf(quantile, estimate.n - 1) if few else stats.norm.ppf(quantile))
