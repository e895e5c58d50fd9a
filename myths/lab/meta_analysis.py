"""Combine the results of one claim from independent runs, such as those of several machines or people.

Independence is decided, not assumed. The profiles of all machines use the same seeds, so that ten machines repeat one draw of the seeds
and one test set. Training runs are independent only with disjoint seeds (``myths run --first-seed``), timings only on different machines,
and recomputed numbers never. Two machines that the report describes alike, such as two with the same model of CPU, count as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from myths.lab.analysis import Analysis
from myths.lab.claim_definition import change_since
from myths.lab.claim_record import ClaimRecord
from myths.lab.estimate import CONFIDENCE, Estimate
from myths.lab.seeds import seeds_of, without_seeds
from myths.lab.storage.provenance import host_class
from myths.lab.storage.store import TrialRecord
from myths.lab.verdict import Verdict

MIN_RUNS = 3
"""Number of independent runs from which results are combined. The spread of two runs is unknown."""


@dataclass(frozen=True)
class RunResult:
    """The result of a claim in one run that measured it.

    Attributes:
        run: Name of the run.
        record: The result.
        trials: The trials that the number is computed from.
        machines: Kinds of machines that ran them.
        redefined: How the definition of the claim has changed since; empty if it has not.
        place: Position of the run in the list of runs.
    """

    run: str
    record: ClaimRecord
    trials: tuple[TrialRecord, ...]
    machines: frozenset[str] = frozenset()
    redefined: str = ""
    place: int = 0

    @cached_property
    def seeds(self) -> frozenset[int]:
        """All seeds of the trials."""
        return frozenset().union(*(seeds_of(each.trial) for each in self.trials))

    @cached_property
    def protocol(self) -> tuple[Any, ...]:
        """What results must have in common: the settings of the trials apart from their seeds, and for times the kind of device."""
        kinds = {each.device == "cpu" for each in self.trials} if self.record.repetition_unit == "processes" else set()
        return self.record.strength, self.record.unit, kinds, {without_seeds(each.trial) for each in self.trials}

    @cached_property
    def data(self) -> frozenset[tuple[str, str]]:
        """Datasets of the trials with their content hashes."""
        return frozenset((name, sha256) for each in self.trials for name, sha256 in each.data.items())


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


@dataclass(frozen=True)
class Replication:
    """A claim in all runs that measured it.

    Attributes:
        results: The results, best run first.
        reasons: For each result, why it is no independent repetition of the first one; empty if it is.
        pooled: The combined number, or None.
    """

    results: tuple[RunResult, ...]
    reasons: tuple[str, ...]
    pooled: Pooled | None = None

    @property
    def independent(self) -> list[RunResult]:
        """The results that count."""
        return [each for each, reason in zip(self.results, self.reasons, strict=True) if not reason]

    @property
    def n_reproduced(self) -> int:
        """Number of independent runs in which the claim was reproduced or the control held."""
        return sum(each.record.verdict in (Verdict.REPRODUCED, Verdict.HELD) for each in self.independent)

    @property
    def is_on_as_many_machines(self) -> bool:
        """Whether every independent run has machines of its own."""
        machines = [each.machines for each in self.independent]
        return all(machines) and len(frozenset().union(*machines)) == sum(map(len, machines))


def replications(analyses: Sequence[Analysis]) -> dict[str, Replication]:
    """Return the claims of a myth that several runs measured, by id.

    Args:
        analyses: The runs, best first.
    """
    if len(analyses) < 2:
        return {}
    measured: dict[str, list[RunResult]] = {}
    for place, each in enumerate(analyses):
        invocations = {invocation["id"]: invocation for invocation in each.run.metadata()["invocations"]}
        for record, claim_result in zip(each.claims, each.claim_results, strict=True):
            if record.measured is not None:
                ran = [invocations[identity] for identity in record.invocations if identity in invocations]
                changes = [change for invocation in ran if (change := change_since(invocation, claim_result.claim))]
                trials = each.records_of(claim_result)
                machines = frozenset(filter(None, (_machine(trial, invocations.get(trial.invocation)) for trial in trials)))
                result = RunResult(each.run.name, record, trials, machines, next(iter(changes), ""), place)
                measured.setdefault(record.claim, []).append(result)
    return {claim: replicate(results) for claim, results in measured.items() if len(results) > 1}


def _machine(record: TrialRecord, invocation: Mapping[str, Any] | None) -> str:
    """Return the kind of machine that ran a trial: GPU model, or CPU model and number of cores; empty if unknown."""
    if record.device != "cpu":
        return record.device
    return record.host or ("" if invocation is None else host_class(invocation["machine"]))


def replicate(results: Sequence[RunResult]) -> Replication:
    """Decide which results of a claim are independent and combine them if there are at least ``MIN_RUNS``.

    Args:
        results: Results of the claim in all runs that measured it, best run first. The first one that may be combined sets the protocol.
    """
    counted: list[RunResult] = []
    reasons: list[str] = []
    for each in results:
        reasons.append(_unusable(each) or _differs(each, counted[:1]) or _shares(each, counted))
        if not reasons[-1]:
            counted.append(each)
    if len(counted) < MIN_RUNS:
        return Replication(tuple(results), tuple(reasons))
    estimates = [found for each in counted if (found := each.record.measured) is not None]
    ratio = counted[0].record.unit in ("x", "×") and all(found.low > 0 for found in estimates)
    return Replication(tuple(results), tuple(reasons), combine(estimates, [each.run for each in counted], ratio=ratio))


def _unusable(result: RunResult) -> str:
    """Return why a result is never combined with others; empty if it may be."""
    record, unit = result.record, result.record.repetition_unit
    if result.redefined:
        return f"another version of the claim: {result.redefined}"
    if record.strength == "stand-in":
        return "stand-in data"
    if record.strength == "recomputed":
        return "every run recomputes the same published data"
    if unit not in ("processes", "seeds"):
        return "every run gives the same number" if unit == "exact" else f"every run uses the same {unit}"
    return "" if record.source_of_variation == unit else f"the interval is not over {unit}"


def _differs(result: RunResult, first: Sequence[RunResult]) -> str:
    """Return what a result does not have in common with the first one."""
    for other in first:
        if result.protocol != other.protocol:
            return f"another protocol than {other.run}"
        if result.data != other.data:
            return f"other contents of the datasets than {other.run}"
    return ""


def _shares(result: RunResult, counted: Sequence[RunResult]) -> str:
    """Return what a result shares with another one, so that it is no independent repetition."""
    ids = set(result.record.trials)
    for other in counted:
        if result.record.repetition_unit == "processes":
            if not result.machines or result.machines & other.machines:
                return f"the same kind of machine as {other.run}"
        elif result.seeds & other.seeds or ids & set(other.record.trials):
            return f"the same seeds as {other.run}"
    return ""


def combine(estimates: Sequence[Estimate], runs: Sequence[str], *, ratio: bool) -> Pooled:
    """Combine independent estimates by a random-effects meta-analysis.

    The variance between runs is estimated by Paule & Mandel (1982). The confidence interval of the mean is that of Hartung & Knapp (2001),
    the prediction interval that of Higgins et al. (2009) with k - 2 degrees of freedom. The latter covers too little if runs hardly differ
    beyond their own intervals.

    The weights assume the variance within runs known. A run with three or five seeds hardly knows its own: with one variance per run, the
    95 % interval covers 88 to 93 %. Runs of one protocol draw from one experiment, so that all use the mean variance of a repetition, and
    the weight of a run follows from its number of repetitions. The interval then covers 95 to 96 %, also if the variances do differ.

    Args:
        estimates: At least three estimates with Student's t intervals.
        runs: Name of the run of each.
        ratio: Whether the numbers are positive ratios, which are combined as logarithms.
    """
    from scipy import stats
    from statsmodels.stats.meta_analysis import combine_effects

    k = len(estimates)
    values, errors = np.array([_on_scale(each, ratio) for each in estimates]).T
    n = np.array([each.n for each in estimates])
    variance = np.average(n * errors**2, weights=n - 1)
    with np.errstate(divide="ignore"):  # equal values
        found = combine_effects(values, variance / n + (1e-12 + 1e-9 * np.abs(values)) ** 2, method_re="iterated")
    mean, error = float(found.mean_effect_re), math.sqrt(found.var_hksj_re)
    quantile = (1 + CONFIDENCE) / 2
    half = float(stats.t.ppf(quantile, k - 1)) * error
    predicted = float(stats.t.ppf(quantile, k - 2)) * math.sqrt(max(found.tau2, 0.0) + error**2)
    ends = (mean, mean - half, mean + half, mean - predicted, mean + predicted)
    value, low, high, predicted_low, predicted_high = (math.exp(end) for end in ends) if ratio else ends
    return Pooled(value, low, high, predicted_low, predicted_high, max(0.0, float(found.i2)), tuple(runs))


def _on_scale(estimate: Estimate, ratio: bool) -> tuple[float, float]:
    """Return value and standard error of an estimate on the scale on which it is combined."""
    from scipy import stats

    value, low, high = (math.log(end) if ratio else end for end in (estimate.value, estimate.low, estimate.high))
    return value, (high - low) / 2 / float(stats.t.ppf((1 + CONFIDENCE) / 2, estimate.n - 1))
