"""Two runs side by side: which verdicts changed, which numbers moved beyond their noise, and whose trials took longer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from myths.lab.estimate import Estimate, student_t
from myths.lab.executors import is_exclusive
from myths.lab.myth import Myth
from myths.lab.report.view import ClaimView, RunView
from myths.lab.store import TrialRecord


@dataclass(frozen=True)
class Pair:
    """A claim that two runs both measured."""

    myth: Myth
    one: ClaimView
    other: ClaimView

    @property
    def changed(self) -> bool:
        """Whether the verdicts differ."""
        return self.one.verdict is not self.other.verdict

    @property
    def moved(self) -> bool:
        """Whether the intervals do not overlap."""
        a, b = self.one.measured, self.other.measured
        return a is not None and b is not None and (a.high < b.low or b.high < a.low)


@dataclass(frozen=True)
class Pace:
    """Trials of one class that both runs finished: the other run's time as a multiple of the one's."""

    myth: Myth
    kind: str
    ratio: Estimate

    @property
    def moved(self) -> bool:
        """Whether the interval over the trials leaves out 1; never from a single trial, which shows no noise."""
        return self.ratio.n > 1 and not self.ratio.low <= 1.0 <= self.ratio.high


@dataclass(frozen=True)
class Comparison:
    """Two runs that share something."""

    one: RunView
    other: RunView
    pairs: tuple[Pair, ...]
    paces: tuple[Pace, ...]

    @property
    def file(self) -> str:
        """The name of its page."""
        return f"compare-{self.one.key}-{self.other.key}.html"

    @property
    def changed(self) -> list[Pair]:
        """The claims on which the verdicts differ."""
        return [pair for pair in self.pairs if pair.changed]

    @property
    def moved(self) -> list[Pair]:
        """The claims whose numbers moved beyond their intervals."""
        return [pair for pair in self.pairs if pair.moved]

    @property
    def moved_paces(self) -> list[Pace]:
        """The classes of trials whose times moved beyond their noise."""
        return [pace for pace in self.paces if pace.moved]

    @property
    def in_words(self) -> str:
        """How many claims were measured in both, and what became of them."""
        parts = [
            f"{_many(len(self.pairs), 'claim')} measured in both",
            f"{_many(len(self.changed), 'verdict')} changed",
            f"{_many(len(self.moved), 'number')} moved beyond the intervals",
        ]
        return "; ".join([*parts, *([f"{_many(len(self.moved_paces), 'time')} beyond the noise"] if self.paces else [])]) + "."


def comparisons(myths: Sequence[Sequence[RunView]]) -> list[Comparison]:
    """Every two runs that measured a claim in common, from the runs of each myth."""
    runs: dict[str, list[RunView]] = {}
    for view in (view for views in myths for view in views):
        runs.setdefault(view.key, []).append(view)
    found = (compared(runs[a], runs[b]) for a, b in itertools.combinations(sorted(runs), 2))
    return [comparison for comparison in found if comparison and comparison.pairs]


def compared(one: Sequence[RunView], other: Sequence[RunView]) -> Comparison | None:
    """Two runs, each as its myths; None where they have no myth in common."""
    theirs = {view.analysis.myth.name: view for view in other}
    shared = [(view, theirs[view.analysis.myth.name]) for view in one if view.analysis.myth.name in theirs]
    if not shared:
        return None
    pairs = tuple(
        Pair(a.analysis.myth, first, second)
        for a, b in shared
        for first, second in zip(a.claims, b.claims, strict=True)
        if first.measured and second.measured
    )
    return Comparison(one[0], other[0], pairs, tuple(pace for a, b in shared for pace in _paces(a, b)))


def _paces(one: RunView, other: RunView) -> list[Pace]:
    """Geometric means of the ratios of time, by class of trial; 95 % t intervals over the trials.

    Only of trials that had as many beside them in both runs: another company takes another time, on the same machine too. And of none
    that shared a GPU, whose seconds say nothing.
    """
    theirs = {(record.trial.id, at_a_time): record.seconds for record, at_a_time in _with_company(other)}
    logs: dict[str, list[float]] = {}
    for record, at_a_time in _with_company(one):
        seconds = theirs.get((record.trial.id, at_a_time), 0.0)
        if seconds > 0 and record.seconds > 0:
            logs.setdefault(type(record.trial).__name__, []).append(math.log(seconds / record.seconds))
    return [Pace(one.analysis.myth, kind, _geometric(values)) for kind, values in logs.items()]


def _with_company(view: RunView) -> Iterator[tuple[TrialRecord, int]]:
    """The trials of a run, each with how many might run at a time when it did."""
    for record in filter(lambda record: record.has_comparable_seconds, view.analysis.records):
        yield record, 1 if is_exclusive(record.trial) else view.jobs.get(record.invocation, 1)


def _geometric(logs: Sequence[float]) -> Estimate:
    if len(logs) == 1:
        return Estimate(math.exp(logs[0]), 0.0, math.inf, "repeats", 1)
    found = student_t(list(logs), "repeats")
    return Estimate(math.exp(found.value), math.exp(found.low), math.exp(found.high), "repeats", len(logs))


def _many(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'s' if count != 1 else ''}"
