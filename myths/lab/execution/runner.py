"""Plan and run the trials of myths in dependency order, reusing stored results.

``plan`` compares the requested trials with the store and assigns each a state: "done", "pending" or "skipped". ``run_queue`` executes
the pending trials of several myths in one queue and stores each result as soon as it is available, so that an interrupted run can be
resumed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from myths.lab import failures
from myths.lab.execution import interruption, seconds_table
from myths.lab.execution.executors import Execution, Executor, SerialExecutor
from myths.lab.execution.outcomes import DependencyOutcomes
from myths.lab.execution.queue import Entry, Queue
from myths.lab.storage.store import HashLookup, Store, TrialRecord
from myths.lab.trial import Context, Outcome, Trial, dependencies_first

State = Literal["done", "pending", "skipped"]


@dataclass(frozen=True)
class PlannedTrial:
    """A trial with its state, and the reason if it is skipped."""

    trial: Trial
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """The trials of a run and their states, in dependency order.

    Attributes:
        steps: One entry per trial; dependencies come before the trials that need them.
    """

    steps: tuple[PlannedTrial, ...]

    def in_state(self, state: State) -> list[Trial]:
        """Return the trials in a state."""
        return [step.trial for step in self.steps if step.state == state]

    @property
    def skipped(self) -> list[tuple[Trial, str]]:
        """The skipped trials with the reasons."""
        return [(step.trial, step.reason) for step in self.steps if step.state == "skipped"]

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the datasets that the pending trials read."""
        return tuple(dict.fromkeys(name for trial in self.in_state("pending") for name in trial.data))


@dataclass(frozen=True)
class Budget:
    """A time budget. It starts when the object is created.

    Attributes:
        seconds: Length of the budget.
        started: Time at which it started.
    """

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until the budget ends; negative afterwards."""
        return self.seconds - (time.monotonic() - self.started)

    def allows(self, estimate: float | None) -> bool:
        """Return whether a trial of estimated duration ``estimate`` (seconds) may start.

        If ``estimate`` is None, the trial may start while at least half of the budget is left.
        """
        return self.left >= (self.seconds / 2 if estimate is None else estimate)


@dataclass
class Progress:
    """The result of a run: counts and lists of trials.

    Attributes:
        finished: Number of trials that finished.
        failed: Failed trials with their errors.
        skipped_dependents: Trials that depend on a failed trial, with that trial.
        not_started: Trials that were not started because of the time budget, including dependents of stopped trials.
        over_budget: The trials of ``not_started`` whose estimated duration exceeds the whole budget.
        stopped: Trials that were running when the budget ended. They are not stored.
    """

    finished: int = 0
    failed: list[tuple[Trial, str]] = field(default_factory=list)
    skipped_dependents: list[tuple[Trial, Trial]] = field(default_factory=list)
    not_started: list[Trial] = field(default_factory=list)
    over_budget: list[Trial] = field(default_factory=list)
    stopped: list[Trial] = field(default_factory=list)

    @property
    def failure_summary(self) -> str:
        """One sentence about the failed trials. At least one trial must have failed."""
        return failures.summary(self.failed, len(self.failed) + self.finished, len(self.skipped_dependents))


MAX_ATTEMPTS = 3
"""Maximum number of times that a trial is started whose node was lost each time."""
ProgressCallback = Callable[[Trial, TrialRecord | None], None]
"""Called with (trial, None) before and with (trial, record) after each trial."""
UnavailableReason = Callable[[str], str | None]
"""Returns why a dataset cannot be read on this machine and how to get it, or None if it can be read."""


@dataclass(frozen=True)
class MythTrials:
    """The trials of one myth in a queue.

    Attributes:
        plan: Trials and their states.
        store: Receives the records.
        urgent: Trials needed by primary claims without a decision, in order of priority.
        other_runs: Finished trials of other runs. They predict the durations of classes that this run has not finished yet.
        report: Called before and after each trial.
        ended: Called once, when no trial of the myth is left to run.
    """

    plan: Plan
    store: Store
    urgent: Sequence[Trial] = ()
    other_runs: Sequence[TrialRecord] = ()
    report: ProgressCallback = lambda trial, record: None
    ended: Callable[[Progress], None] = lambda progress: None


class Estimates:
    """Estimates the duration of trials from finished trials on the same machine class.

    The expected duration is proportional to ``relative_cost``, with the factor of finished trials of the same kind, or else of the same
    class, or else of classes with the same formula of the relative cost. Trials are of one kind if all of their settings that are texts
    agree: dataset, network, method.

    Args:
        records: Records to learn from.
        machine_class: Machine class to estimate for. Records of other classes are ignored.
        other_runs: Records of other runs, for kinds and classes without a finished trial in ``records``.
    """

    def __init__(self, records: Iterable[TrialRecord], machine_class: str, other_runs: Iterable[TrialRecord] = ()) -> None:
        self.machine_class = machine_class
        self._known: dict[Any, tuple[float, float]] = {}
        for record in other_runs:
            self.add(record)
        self._elsewhere, self._known = self._known, {}
        for record in records:
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Learn from a record. Failed trials, other machine classes, and trials that shared a GPU are ignored."""
        if record.status == "ok" and record.device == self.machine_class and record.has_comparable_seconds:
            for group in _groups(record.trial):
                seconds, work = self._known.get(group, (0.0, 0.0))
                self._known[group] = seconds + record.seconds, work + record.trial.relative_cost

    def __call__(self, trial: Trial) -> float | None:
        """Estimate the duration of a trial in seconds. Return None if none of its class or formula has finished, nor is in the table."""
        known = (found.get(group) for group in _groups(trial) for found in (self._known, self._elsewhere))
        seconds, work = next((each for each in known if each is not None), (0.0, 0.0))
        return seconds / work * trial.relative_cost if work else seconds_table.estimate(trial, self.machine_class)


def _groups(trial: Trial) -> tuple[Any, ...]:
    """Return the kind of a trial, its class, and the base class that defines its relative cost, if it is not ``Trial``."""
    formula = next(each for each in type(trial).__mro__ if "relative_cost" in vars(each))
    return _kind(trial), type(trial), *(() if formula is Trial else (("formula", formula),))


def _kind(trial: Trial) -> tuple[Any, ...]:
    """Return class and text settings of a trial and of its first dependency."""
    texts = tuple(value for each in fields(trial) if isinstance(value := getattr(trial, each.name), str))
    return type(trial), texts, _kind(trial.dependencies[0]) if trial.dependencies else None


def plan(
    trials: Iterable[Trial],
    store: Store,
    hashes: HashLookup,
    unavailable: UnavailableReason = lambda name: None,
    again: frozenset[str] = frozenset(),
) -> Plan:
    """Determine which trials are done, pending or skipped.

    A trial is *done* if the store holds a successful record whose data hashes do not conflict with the local datasets. It is *skipped* if
    it, or a dependency, returns a skip reason. All other requested trials are *pending*. A dependency that was not requested is included
    only if a pending trial needs it. A finished dependency is run again only if a pending trial needs its arrays and they are no longer on
    disk.

    Args:
        trials: Requested trials. Duplicates are merged by id.
        store: Results of earlier invocations.
        hashes: Returns the content hash of a dataset, or None if it is not available on this machine.
        unavailable: Returns why a dataset cannot be read. Trials that read it are skipped.
        again: Ids of finished trials to run once more.

    Returns:
        The plan, dependencies first.
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
            arrays_read = {d.id for d in trial.array_dependencies}
            to_run = (d.id for d in trial.dependencies if d.id in arrays_read or d.id not in finished)
            of_dependency = next((why for identity in to_run if (why := skip_reason.get(identity, ""))), "")
            skip_reason[trial.id] = trial.skip_reason() or of_data or of_dependency
    named, needed, arrays_needed = {trial.id for trial in listed} | again, set[str](), set[str]()
    steps = []
    for trial in reversed(ordered):  # dependents come before what they depend on
        if trial.id in finished and (trial.id in whole or trial.id not in arrays_needed):
            steps.append(PlannedTrial(trial, "done"))
        elif skip_reason[trial.id] and trial.id in named:
            steps.append(PlannedTrial(trial, "skipped", skip_reason[trial.id]))
            named.update(d.id for d in trial.dependencies if skip_reason.get(d.id))  # the cause is listed too
        elif not skip_reason[trial.id] and (trial.id in named or trial.id in needed):
            steps.append(PlannedTrial(trial, "pending"))
            needed.update(dependency.id for dependency in trial.dependencies)
            arrays_needed.update(dependency.id for dependency in trial.array_dependencies)
    return Plan(tuple(reversed(steps)))


@dataclass(frozen=True)
class Invocation:
    """The facts that all trials of an invocation share.

    Attributes:
        device: Device as torch names it.
        hashes: Returns the content hash of a dataset, or None; recorded with each result.
        id: Id of the invocation in ``run.json``.
        machine_class: Class of machines within which durations are comparable, for example "cpu" or "h100".
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
    """Run the pending trials of one plan; equivalent to ``run_queue`` with one myth.

    Args:
        steps: The plan to execute.
        store: Receives one record per executed trial.
        invocation: Device and facts to store with every trial.
        budget: Time budget. Default: none.
        executor: Runs the trials. Default: one at a time.
        report: Called with (trial, None) before and with (trial, record) after each trial.

    Returns:
        Counts and lists of finished, failed and not started trials.

    Raises:
        CannotStart: A result could not be written. Results stored before are kept.
    """
    (progress,) = run_queue([MythTrials(steps, store, report=report)], invocation, budget=budget, executor=executor)
    return progress


def run_queue(
    myths: Sequence[MythTrials], invocation: Invocation, *, budget: Budget | None = None, executor: Executor | None = None
) -> list[Progress]:
    """Run the pending trials of all myths in one queue and store each result as it completes.

    A trial that raises is stored as failed, and trials that depend on it are not run. A trial whose worker process crashes is run once
    more, alone on its machine, before it counts as failed. A trial whose node was lost is started up to ``MAX_ATTEMPTS`` times. With a
    budget, a trial does not start if its estimated duration exceeds the remaining time. When the budget ends, an executor that can stop a
    running trial stops it.

    Args:
        myths: Plans and stores, in the order in which they start.
        invocation: Device and facts to store with every trial.
        budget: Time budget for all myths. Default: none.
        executor: Runs the trials. Default: one at a time.

    Returns:
        Counts and lists of trials, for each myth.

    Raises:
        CannotStart: A result could not be written. Results stored before are kept.
    """
    return _Run(myths, invocation, budget, executor or SerialExecutor()).run()


class _Run:
    """The state of ``run_queue``: the queue, the running trials, and the progress of each myth."""

    def __init__(self, myths: Sequence[MythTrials], invocation: Invocation, budget: Budget | None, executor: Executor) -> None:
        self.myths, self.invocation, self.budget, self.executor = myths, invocation, budget, executor
        self.estimates = Estimates(
            (record for myth in myths for record in myth.store.records),
            invocation.machine_class,
            (record for myth in myths for record in myth.other_runs),
        )
        self.queue = Queue([(myth.plan.in_state("pending"), myth.urgent) for myth in myths], self.estimates, executor.max_workers > 1)
        self.progress = [Progress() for _ in myths]
        self.n_remaining = [len(myth.plan.in_state("pending")) for myth in myths]
        self.running: list[_Running] = []

    def run(self) -> list[Progress]:
        """Run until the queue is empty."""
        for myth_index in range(len(self.myths)):
            self._count_settled(myth_index, 0)
        while self.queue or self.running:
            while (entry := self.queue.next(self._accepts)) is not None:
                interruption.check()
                self._start(entry)
            if self.queue or self.running:
                self._finish()
        return self.progress

    def _accepts(self, trial: Trial, alone: bool) -> bool:
        """Return whether a trial can start now; after the end of the budget every trial, so that it is left for another run."""
        return (self.budget is not None and self.budget.left < 0) or self.executor.accepts(trial, alone)

    def _start(self, entry: Entry) -> None:
        trial, progress = entry.trial, self.progress[entry.myth_index]
        if self.budget is not None:
            estimate = self.estimates(trial)
            if not self.budget.allows(estimate):
                self._defer(entry)
                if estimate is not None and estimate > self.budget.seconds:
                    progress.over_budget.append(trial)
                return
        myth = self.myths[entry.myth_index]
        myth.report(trial, None)
        context, data = _make_context(trial, myth.store, self.invocation)
        self.executor.submit(trial, context, entry.alone)
        self.running.append(_Running(entry, data))

    def _finish(self) -> None:
        found = self.executor.wait_any(None if self.budget is None else max(0.0, self.budget.left))
        if found is None:  # a machine came or went
            return
        trial, execution = found
        run = next(run for run in self.running if run.entry.trial is trial)
        self.running.remove(run)
        entry, progress = run.entry, self.progress[run.entry.myth_index]
        if execution.stopped:
            progress.stopped.append(trial)
            self._defer(entry)
            return
        if execution.lost and entry.losses + 1 < MAX_ATTEMPTS:
            entry.losses += 1
            self.queue.retry(entry)
            return
        if execution.crashed and not entry.alone:
            entry.alone = True
            self.queue.retry(entry)
            return
        myth = self.myths[entry.myth_index]
        record = _store_record(run, execution, myth.store, self.invocation)
        self.estimates.add(record)
        myth.report(trial, record)
        if record.status == "ok":
            progress.finished += 1
            self.queue.done(entry)
            self._count_settled(entry.myth_index, 1)
        else:
            progress.failed.append((trial, record.error or ""))
            waiting = self.queue.drop(entry)
            progress.skipped_dependents += [(blocked.trial, trial) for blocked in waiting]
            self._count_settled(entry.myth_index, 1 + len(waiting))

    def _defer(self, entry: Entry) -> None:
        """Leave a trial, and all trials that wait for it, for another run."""
        left = [entry, *self.queue.drop(entry)]
        stopped = self.progress[entry.myth_index].stopped
        self.progress[entry.myth_index].not_started += [e.trial for e in left if not any(e.trial is trial for trial in stopped)]
        self._count_settled(entry.myth_index, len(left))

    def _count_settled(self, myth_index: int, trials: int) -> None:
        self.n_remaining[myth_index] -= trials
        if not self.n_remaining[myth_index]:
            self.myths[myth_index].ended(self.progress[myth_index])


@dataclass(eq=False)
class _Running:
    """A running trial and the hashes of its data."""

    entry: Entry
    data: Mapping[str, str]


def _make_context(trial: Trial, store: Store, invocation: Invocation) -> tuple[Context, dict[str, str]]:
    """Return the context of a trial, and the hashes of the data that it and its dependencies read."""
    dependencies = {t.id: record for t in dependencies_first(trial.dependencies) if (record := store.finished(t, invocation.hashes))}
    arrays_unread = {d.id for d in trial.dependencies} - {d.id for d in trial.array_dependencies}
    outcomes = DependencyOutcomes(
        {
            identity: Outcome(record.rows) if identity in arrays_unread else store.outcome(record)
            for identity, record in dependencies.items()
        }
    )
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
        device=execution.machine_class or invocation.machine_class,
        invocation=invocation.id,
        error=execution.error,
        energy_joules=execution.energy_joules,
        concurrent_trials=execution.concurrent_trials,
        host=execution.host,
    )
    stored = store.append(record, outcome.arrays)
    if execution.error:
        with contextlib.suppress(OSError):  # optional: the error itself is already stored
            (store.folder / "errors").mkdir(exist_ok=True)
            (store.folder / "errors" / f"{trial.id}.txt").write_text(
                f"{trial}\n\n{execution.traceback or execution.error}\n", encoding="utf-8", errors="backslashreplace"
            )
    return stored
