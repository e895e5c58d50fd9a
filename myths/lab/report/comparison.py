"""Compare two runs: changed verdicts, significantly different numbers, and time ratios."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from myths.lab.estimate import Estimate, student_t
from myths.lab.execution.executors import is_exclusive
from myths.lab.myth import Myth
from myths.lab.report.run_view import ClaimView, RunView
from myths.lab.storage.store import TrialRecord


@dataclass(frozen=True)
class Pair:
    """A claim that was measured in both runs."""

    myth: Myth
    baseline: ClaimView
    candidate: ClaimView

    @property
    def changed(self) -> bool:
        """Whether the verdicts differ."""
        return self.baseline.verdict is not self.candidate.verdict

    @property
    def differs(self) -> bool:
        """Whether the two numbers differ significantly: their intervals do not overlap.

        Numbers without an interval, such as a spread of times or a rounding error, never differ significantly: nothing says how much
        they vary.
        """
        a, b = self.baseline.measured, self.candidate.measured
        if a is None or b is None or "exact" in (a.source_of_variation, b.source_of_variation):
            return False
        return a.high < b.low or b.high < a.low


@dataclass(frozen=True)
class TimeRatio:
    """Trials of one class that both runs finished: the other run's time as a multiple of the one's."""

    myth: Myth
    kind: str
    estimate: Estimate

    @property
    def differs(self) -> bool:
        """Whether the interval over the trials excludes 1. A single trial gives no noise estimate, so it never differs."""
        return self.estimate.n > 1 and not self.estimate.low <= 1.0 <= self.estimate.high


@dataclass(frozen=True)
class Comparison:
    """Two runs that have at least one claim or trial in common."""

    baseline: RunView
    candidate: RunView
    pairs: tuple[Pair, ...]
    time_ratios: tuple[TimeRatio, ...]

    @property
    def file(self) -> str:
        """File name of the HTML page."""
        return f"compare-{self.baseline.key}-{self.candidate.key}.html"

    @property
    def changed(self) -> list[Pair]:
        """Claims whose verdicts differ."""
        return [pair for pair in self.pairs if pair.changed]

    @property
    def changed_numbers(self) -> list[Pair]:
        """The claims whose numbers moved beyond their intervals."""
        return [pair for pair in self.pairs if pair.differs]

    @property
    def changed_times(self) -> list[TimeRatio]:
        """Trial classes whose times moved beyond their noise."""
        return [ratio for ratio in self.time_ratios if ratio.differs]

    @property
    def summary(self) -> str:
        """One sentence with the number of shared claims and of significant differences."""
        parts = [
            f"{_many(len(self.pairs), 'claim')} measured in both",
            f"{_many(len(self.changed), 'verdict')} changed",
            f"{_many(len(self.changed_numbers), 'number')} differ significantly",
        ]
        return "; ".join([*parts, *([f"{_many(len(self.changed_times), 'time')} differ significantly"] if self.time_ratios else [])]) + "."


def comparisons(myths: Sequence[Sequence[RunView]]) -> list[Comparison]:
    """Return a comparison for every pair of runs that measured a claim in common.

    Args:
        myths: The runs of each myth.
    """
    runs: dict[str, list[RunView]] = {}
    for view in (view for views in myths for view in views):
        runs.setdefault(view.key, []).append(view)
    found = (compared(runs[a], runs[b]) for a, b in itertools.combinations(sorted(runs), 2))
    return [comparison for comparison in found if comparison and comparison.pairs]


def compared(baseline: Sequence[RunView], candidate: Sequence[RunView]) -> Comparison | None:
    """Two runs, each as its myths; None where they have no myth in common."""
    of_candidate = {view.analysis.myth.name: view for view in candidate}
    shared = [(view, of_candidate[view.analysis.myth.name]) for view in baseline if view.analysis.myth.name in of_candidate]
    if not shared:
        return None
    pairs = tuple(
        Pair(a.analysis.myth, first, second)
        for a, b in shared
        for first, second in zip(a.claims, b.claims, strict=True)
        if first.measured and second.measured
    )
    return Comparison(baseline[0], candidate[0], pairs, tuple(ratio for a, b in shared for ratio in _time_ratios(a, b)))


def _time_ratios(baseline: RunView, candidate: RunView) -> list[TimeRatio]:
    """Return the geometric mean of the time ratios per trial class, with 95 % t intervals over the trials.

    Trials are compared only if the same number of trials ran in parallel in both runs, because parallel trials slow each other down.
    Trials that shared a GPU are excluded, because their times are not comparable.
    """
    of_candidate = {(record.trial.id, at_a_time): record.seconds for record, at_a_time in _with_concurrency(candidate)}
    logs: dict[str, list[float]] = {}
    for record, at_a_time in _with_concurrency(baseline):
        seconds = of_candidate.get((record.trial.id, at_a_time), 0.0)
        if seconds > 0 and record.seconds > 0:
            logs.setdefault(type(record.trial).__name__, []).append(math.log(seconds / record.seconds))
    return [TimeRatio(baseline.analysis.myth, kind, _geometric(values)) for kind, values in logs.items()]


def _with_concurrency(view: RunView) -> Iterator[tuple[TrialRecord, int]]:
    """Yield each trial of a run with the maximum number of trials that ran in parallel with it."""
    for record in filter(lambda record: record.has_comparable_seconds, view.analysis.records):
        yield record, 1 if is_exclusive(record.trial) else view.jobs.get(record.invocation, 1)


def _geometric(logs: Sequence[float]) -> Estimate:
    if len(logs) == 1:
        return Estimate(math.exp(logs[0]), 0.0, math.inf, "repeats", 1)
    found = student_t(list(logs), "repeats")
    return Estimate(math.exp(found.value), math.exp(found.low), math.exp(found.high), "repeats", len(logs))


def _many(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'s' if count != 1 else ''}"
