"""Plan and run trials: one queue over all myths of a request, each trial once, resuming where an earlier run stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from myths.lab import failures
from myths.lab.executors import Execution, Executor, SerialExecutor
from myths.lab.queue import Entry, Queue
from myths.lab.store import HashLookup, Store, TrialRecord
from myths.lab.trial import Context, Outcome, Trial, dependencies_first

State = Literal["done", "pending", "skipped"]


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of a plan: whether it is done, is to be run, or cannot be run here (with the reason)."""

    trial: Trial
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """What a run comes to: every listed trial and what those depend on, dependencies first."""

    steps: tuple[PlannedTrial, ...]

    def in_state(self, state: State) -> list[Trial]:
        """The trials in one state."""
        return [step.trial for step in self.steps if step.state == state]

    @property
    def skipped(self) -> list[tuple[Trial, str]]:
        """The trials that cannot run here, with the reasons."""
        return [(step.trial, step.reason) for step in self.steps if step.state == "skipped"]

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets that the trials to be run read."""
        return tuple(dict.fromkeys(name for trial in self.in_state("pending") for name in trial.data))


@dataclass(frozen=True)
class Budget:
    """Seconds that a run may take, from the moment the budget is made."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until the budget is used up; negative after that."""
        return self.seconds - (time.monotonic() - self.started)

    def allows(self, estimate: float | None) -> bool:
        """Whether a trial of that many seconds may start; an unknown one only while half of the budget is left."""
        return self.left >= (self.seconds / 2 if estimate is None else estimate)


@dataclass
class Progress:
    """What happened in a run."""

    finished: int = 0
    failed: list[tuple[Trial, str]] = field(default_factory=list)
    skipped_dependents: list[tuple[Trial, Trial]] = field(default_factory=list)
    not_started: list[Trial] = field(default_factory=list)
    """Trials that the budget left unstarted."""
    over_budget: list[Trial] = field(default_factory=list)
    """Those of them that alone would take more than the whole budget, by what is known of their like."""
    stopped: list[Trial] = field(default_factory=list)
    """Trials that were running when the budget ended. Nothing of them is stored."""

    @property
    def failure_summary(self) -> str:
        """One sentence on the failed trials; at least one failed."""
        return failures.summary(self.failed, len(self.failed) + self.finished, len(self.skipped_dependents))


ProgressCallback = Callable[[Trial, TrialRecord | None], None]
"""Called before a trial (None) and after it (its record)."""
UnavailableReason = Callable[[str], str | None]
"""Return why a data set cannot be read on this machine and how to bring it; None if it can."""


@dataclass(frozen=True)
class Part:
    """The trials of one myth in a queue: what is to do, where it is stored, what comes first, and whom to tell."""

    plan: Plan
    store: Store
    urgent: Sequence[Trial] = ()
    """The trials that open primary claims are measured on, the most urgent first."""
    report: ProgressCallback = lambda trial, record: None
    ended: Callable[[Progress], None] = lambda progress: None
    """Called once, when no trial of the part is left to run."""


class Estimates:
    """Seconds that trials will take, from finished ones of their class on one machine class.

    Args:
        records: Records to learn from.
        machine_class: The machine class to estimate for; records of others are left out.
    """

    def __init__(self, records: Iterable[TrialRecord], machine_class: str) -> None:
        self.machine_class = machine_class
        self._known: dict[type[Trial], tuple[float, float]] = {}
        for record in records:
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Learn from a record. A trial that shared a GPU with others says nothing of how long it takes."""
        if record.status == "ok" and record.device == self.machine_class and record.has_comparable_seconds:
            seconds, work = self._known.get(type(record.trial), (0.0, 0.0))
            self._known[type(record.trial)] = seconds + record.seconds, work + record.trial.relative_cost

    def __call__(self, trial: Trial) -> float | None:
        """Return the estimated seconds of a trial, scaled by its ``work``; None if no trial of its class has finished."""
        seconds, work = self._known.get(type(trial), (0.0, 0.0))
        return seconds / work * trial.relative_cost if work else None


def plan(
    trials: Iterable[Trial],
    store: Store,
    hashes: HashLookup,
    unavailable: UnavailableReason = lambda name: None,
    again: frozenset[str] = frozenset(),
) -> Plan:
    """Find what is done, what is to do and what is missing.

    A dependency that no profile lists runs only when an unfinished trial needs it, and a finished
    one runs again only when its arrays are gone and an unfinished trial needs them.

    Args:
        trials: The trials that a profile lists.
        store: Where finished trials are.
        hashes: Content hashes of the data sets on this machine.
        unavailable: Why a data set cannot be read; the trials that read it are missing.
        again: Ids of finished trials to run once more.

    Returns:
        The plan, dependencies before their dependents.
    """
    listed = list(trials)
    ordered = dependencies_first(listed)
    records = {trial.id: store.finished(trial, hashes) for trial in ordered}
    finished = {identity for identity, record in records.items() if record is not None and identity not in again}
    whole = {identity for identity in finished if (record := records[identity]) is not None and store.has_arrays(record)}
    skip_reason: dict[str, str] = {}
    for trial in ordered:
        if trial.id not in whole:
            of_data = next((why for name in trial.data if (why := unavailable(name))), None)
            skip_reason[trial.id] = (
                trial.skip_reason() or of_data or next((h for d in trial.dependencies if (h := skip_reason.get(d.id, ""))), "")
            )  # fmt: skip
    named, needed = {trial.id for trial in listed} | again, set[str]()
    steps = []
    for trial in reversed(ordered):  # dependents come before what they depend on
        if trial.id in finished and (trial.id in whole or trial.id not in needed):
            steps.append(PlannedTrial(trial, "done"))
        elif skip_reason[trial.id] and trial.id in named:
            steps.append(PlannedTrial(trial, "skipped", skip_reason[trial.id]))
            named.update(d.id for d in trial.dependencies if skip_reason.get(d.id))  # what is to blame is named too
        elif not skip_reason[trial.id] and (trial.id in named or trial.id in needed):
            steps.append(PlannedTrial(trial, "pending"))
            needed.update(dependency.id for dependency in trial.dependencies)
    return Plan(tuple(reversed(steps)))


@dataclass(frozen=True)
class Invocation:
    """What is the same for all trials of an invocation.

    Attributes:
        device: The torch device that trials are given.
        hashes: Content hashes of the data sets on this machine.
        id: Its id, stored with every trial.
        machine_class: The machine class, stored with every trial.
    """

    device: str
    hashes: HashLookup
    id: str
    machine_class: str = "cpu"


def run(
    steps: Plan,
    store: Store,
    invocation: Invocation,
    *,
    budget: Budget | None = None,
    executor: Executor | None = None,
    report: ProgressCallback = lambda trial, record: None,
) -> Progress:
    """Run what is to do of one plan; as ``run_queue`` with one part."""
    (progress,) = run_queue([Part(steps, store, report=report)], invocation, budget=budget, executor=executor)
    return progress


def run_queue(
    parts: Sequence[Part], invocation: Invocation, *, budget: Budget | None = None, executor: Executor | None = None
) -> list[Progress]:
    """Run what is to do in all parts, in one queue; each trial is stored the moment it finishes.

    A trial that raises is stored as failed, and those that depend on it are left out. A trial whose worker process
    died runs once more, with nothing beside it, before it counts as failed. With a ``budget``, trials that would not
    fit are not started, and an executor that can stop a trial stops it when the budget ends.

    Args:
        parts: The plans, in the order in which they are to begin.
        invocation: The device, and what is stored with every trial.
        budget: Seconds that all of this may take.
        executor: How trials are executed; by default one by one in this process.

    Returns:
        What happened, for each part.
    """
    return _Run(parts, invocation, budget, executor or SerialExecutor()).run()


class _Run:
    """The state of ``run_queue``: the queue, what is running, and what happened so far."""

    def __init__(self, parts: Sequence[Part], invocation: Invocation, budget: Budget | None, executor: Executor) -> None:
        self.parts, self.invocation, self.budget, self.executor = parts, invocation, budget, executor
        self.estimates = Estimates((record for part in parts for record in part.store.records), invocation.machine_class)
        self.queue = Queue([(part.plan.in_state("pending"), part.urgent) for part in parts], self.estimates, executor.max_workers > 1)
        self.progress = [Progress() for _ in parts]
        self.unsettled = [len(part.plan.in_state("pending")) for part in parts]
        self.running: list[_Running] = []

    def run(self) -> list[Progress]:
        """Run until the queue is empty."""
        for place in range(len(self.parts)):
            self._count_settled(place, 0)
        while self.queue or self.running:
            while (entry := self.queue.next(self._accepts, bool(self.running))) is not None:
                self._start(entry)
            if self.running:
                self._finish()
        return self.progress

    def _accepts(self, trial: Trial) -> bool:
        return self.executor.accepts(trial) and not any(run.entry.alone for run in self.running)

    def _start(self, entry: Entry) -> None:
        trial, progress = entry.trial, self.progress[entry.place]
        if self.budget is not None:
            estimate = self.estimates(trial)
            if not self.budget.allows(estimate):
                self._defer(entry)
                if estimate is not None and estimate > self.budget.seconds:
                    progress.over_budget.append(trial)
                return
        part = self.parts[entry.place]
        part.report(trial, None)
        context, data = _make_context(trial, part.store, self.invocation)
        self.executor.submit(trial, context)
        self.running.append(_Running(entry, data))
        for each in self.running:
            each.concurrent_trials = max(each.concurrent_trials, len(self.running) - 1)

    def _finish(self) -> None:
        trial, execution = self.executor.wait_any(None if self.budget is None else max(0.0, self.budget.left))
        run = next(run for run in self.running if run.entry.trial is trial)
        self.running.remove(run)
        entry, progress = run.entry, self.progress[run.entry.place]
        if execution.stopped:
            progress.stopped.append(trial)
            self._defer(entry)
            return
        if execution.crashed and not entry.alone:
            self.queue.retry_alone(entry)
            return
        part = self.parts[entry.place]
        record = _store_record(run, execution, part.store, self.invocation)
        self.estimates.add(record)
        part.report(trial, record)
        if record.status == "ok":
            progress.finished += 1
            self.queue.done(entry)
            self._count_settled(entry.place, 1)
        else:
            progress.failed.append((trial, record.error or ""))
            waiting = self.queue.drop(entry)
            progress.skipped_dependents += [(blocked.trial, trial) for blocked in waiting]
            self._count_settled(entry.place, 1 + len(waiting))

    def _defer(self, entry: Entry) -> None:
        """Leave a trial, and all that wait for it, for another run."""
        left = [entry, *self.queue.drop(entry)]
        stopped = self.progress[entry.place].stopped
        self.progress[entry.place].not_started += [e.trial for e in left if not any(e.trial is trial for trial in stopped)]
        self._count_settled(entry.place, len(left))

    def _count_settled(self, place: int, trials: int) -> None:
        self.unsettled[place] -= trials
        if not self.unsettled[place]:
            self.parts[place].ended(self.progress[place])


@dataclass(eq=False)
class _Running:
    """A trial that runs, the checksums of its data, and how many others ran beside it at most."""

    entry: Entry
    data: Mapping[str, str]
    concurrent_trials: int = 0


@dataclass(frozen=True)
class DependencyOutcomes:
    """The outcomes that a trial may look up; picklable, so that a worker process can."""

    by_id: Mapping[str, Outcome]

    def __call__(self, trial: Trial) -> Outcome:
        """The outcome of a dependency; raises LookupError for any other trial."""
        if trial.id not in self.by_id:
            raise LookupError(f"{trial} is not among the dependencies: only trials in the fields can be looked up")
        return self.by_id[trial.id]


def _make_context(trial: Trial, store: Store, invocation: Invocation) -> tuple[Context, dict[str, str]]:
    """What a trial is given, and the checksums of the data that it and its dependencies read."""
    dependencies = {t.id: record for t in dependencies_first(trial.dependencies) if (record := store.finished(t, invocation.hashes))}
    outcomes = DependencyOutcomes({identity: store.outcome(record) for identity, record in dependencies.items()})
    data = {name: sha256 for name in trial.data if (sha256 := invocation.hashes(name))}
    for record in dependencies.values():
        data |= record.data
    return Context(trial, invocation.device, outcomes), data


def _store_record(run: _Running, execution: Execution, store: Store, invocation: Invocation) -> TrialRecord:
    trial, outcome = run.entry.trial, execution.outcome or Outcome([])
    record = TrialRecord(
        trial,
        "failed" if execution.error else "ok",
        outcome.rows,
        data=run.data,
        seconds=execution.seconds,
        peak_memory_bytes=execution.peak_memory_bytes,
        device=invocation.machine_class,
        invocation=invocation.id,
        error=execution.error,
        energy_joules=execution.energy_joules,
        concurrent_trials=run.concurrent_trials,
    )
    stored = store.append(record, outcome.arrays)
    if execution.error:
        with contextlib.suppress(OSError):  # a help for the reader; the error itself is stored already
            (store.folder / "errors").mkdir(exist_ok=True)
            (store.folder / "errors" / f"{trial.id}.txt").write_text(
                f"{trial}\n\n{execution.traceback or execution.error}\n", encoding="utf-8", errors="backslashreplace"
            )
    return stored
