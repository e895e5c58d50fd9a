"""Runs the trials of a myth: in order of dependency, each once, going on where an earlier run stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from myths.lab.executors import Execution, Executor, OneByOne, runs_alone
from myths.lab.store import Hashes, Record, Store
from myths.lab.trial import Context, Outcome, Trial

State = Literal["done", "to do", "missing"]


@dataclass(frozen=True)
class Step:
    """A trial of a plan: whether it is done, is to be run, or cannot be run here (with the reason)."""

    trial: Trial
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """What a run comes to: every listed trial and what those depend on, dependencies first."""

    steps: tuple[Step, ...]

    def only(self, state: State) -> list[Trial]:
        """The trials in one state."""
        return [step.trial for step in self.steps if step.state == state]

    @property
    def absent(self) -> list[tuple[Trial, str]]:
        """The trials that cannot run here, with the reasons."""
        return [(step.trial, step.reason) for step in self.steps if step.state == "missing"]

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets that the trials to be run read."""
        return tuple(dict.fromkeys(name for trial in self.only("to do") for name in trial.data))


@dataclass(frozen=True)
class Budget:
    """Seconds that a run may take, from the moment the budget is made."""

    seconds: float
    begun: float = field(default_factory=time.monotonic)

    def admits(self, estimate: float | None) -> bool:
        """Whether a trial of that many seconds may start; an unknown one only while half of the budget is left."""
        left = self.seconds - (time.monotonic() - self.begun)
        return left >= (self.seconds / 2 if estimate is None else estimate)


@dataclass
class Progress:
    """What happened in a run."""

    finished: int = 0
    failed: list[tuple[Trial, str]] = field(default_factory=list)
    blocked: list[tuple[Trial, Trial]] = field(default_factory=list)
    left: list[Trial] = field(default_factory=list)
    """Trials that the budget left unstarted."""
    too_long: list[Trial] = field(default_factory=list)
    """Those of them that alone would take more than the whole budget, by what is known of their like."""


Report = Callable[[Trial, Record | None], None]
"""Called before a trial (None) and after it (its record)."""


def plan(trials: Iterable[Trial], store: Store, hashes: Hashes) -> Plan:
    """Finds what is done, what is to do and what is missing.

    A dependency that no profile lists runs only when an unfinished trial needs it, and a finished
    one runs again only when its arrays are gone and an unfinished trial needs them.
    """
    listed = list(trials)
    ordered = _dependencies_first(listed)
    records = {trial.id: store.finished(trial, hashes) for trial in ordered}
    whole = {identity for identity, record in records.items() if record is not None and store.has_arrays(record)}
    hindrance: dict[str, str] = {}
    for trial in ordered:
        if trial.id not in whole:
            hindrance[trial.id] = trial.missing() or next((h for d in trial.dependencies if (h := hindrance.get(d.id, ""))), "")
    named, needed = {trial.id for trial in listed}, set[str]()
    steps = []
    for trial in reversed(ordered):  # dependents come before what they depend on
        if records[trial.id] is not None and (trial.id in whole or trial.id not in needed):
            steps.append(Step(trial, "done"))
        elif hindrance[trial.id] and trial.id in named:
            steps.append(Step(trial, "missing", hindrance[trial.id]))
            named.update(d.id for d in trial.dependencies if hindrance.get(d.id))  # what is to blame is named too
        elif not hindrance[trial.id] and trial.id in named | needed:
            steps.append(Step(trial, "to do"))
            needed.update(dependency.id for dependency in trial.dependencies)
    return Plan(tuple(reversed(steps)))


def run(
    steps: Plan,
    store: Store,
    *,
    device: str,
    hashes: Hashes,
    invocation: str,
    machine_class: str = "cpu",
    budget: Budget | None = None,
    executor: Executor | None = None,
    report: Report = lambda trial, record: None,
) -> Progress:
    """Runs what is to do, as many side by side as the executor takes; each trial is stored the moment it finishes.

    A trial that raises is stored as failed, and those that depend on it are left out. With a
    ``budget``, trials that would not fit are not started.
    """
    executor = executor or OneByOne()
    progress = Progress()
    failed: dict[str, Trial] = {}
    waiting = {trial.id: trial for trial in steps.only("to do")}
    running: dict[str, Trial] = {}
    data: dict[str, dict[str, str]] = {}
    while waiting or running:
        while (trial := _next(waiting, running, executor.slots)) is not None:
            del waiting[trial.id]
            culprit = next((failed[d.id] for d in trial.dependencies if d.id in failed), None)
            if culprit is not None:
                failed[trial.id] = culprit
                progress.blocked.append((trial, culprit))
                continue
            waits = any(left.id == dependency.id for left in progress.left for dependency in trial.dependencies)
            if budget is not None and (waits or not budget.admits(estimate := estimated_seconds(trial, store, machine_class))):
                progress.left.append(trial)
                if not waits and estimate is not None and estimate > budget.seconds:
                    progress.too_long.append(trial)
                continue
            report(trial, None)
            context, data[trial.id] = _prepared(trial, store, device, hashes)
            executor.start(trial, context)
            running[trial.id] = trial
        if not running:
            continue
        trial, execution = executor.finished()
        del running[trial.id]
        record = _stored(trial, execution, store, data.pop(trial.id), machine_class, invocation)
        report(trial, record)
        progress.finished += record.status == "ok"
        if record.status == "failed":
            failed[trial.id] = trial
            progress.failed.append((trial, record.error or ""))
    return progress


def _next(waiting: Mapping[str, Trial], running: Mapping[str, Trial], slots: int) -> Trial | None:
    """The first trial that waits for no other and has room: one that runs alone when nothing else does.

    Among several slots what others wait for goes first, lest in the end all wait for one long training.
    """
    if len(running) == slots or any(runs_alone(trial) for trial in running.values()):
        return None
    unfinished = waiting.keys() | running.keys()
    needed = {d.id for trial in waiting.values() for d in trial.dependencies} if slots > 1 else set[str]()
    ready = (t for t in waiting.values() if not (running and runs_alone(t)) and not any(d.id in unfinished for d in t.dependencies))
    return min(ready, key=lambda trial: trial.id not in needed, default=None)


def estimated_seconds(trial: Trial, store: Store, machine_class: str) -> float | None:
    """What a trial will take, from finished ones of its class on this machine class; None when there are none."""
    same = [r for r in store.records if type(r.trial) is type(trial) and r.status == "ok" and r.device == machine_class]
    work = sum(r.trial.work for r in same)
    return sum(r.seconds for r in same) / work * trial.work if work else None


@dataclass(frozen=True)
class StoredOutcomes:
    """The outcomes that a trial may look up; picklable, so that a worker process can."""

    by_id: Mapping[str, Outcome]

    def __call__(self, trial: Trial) -> Outcome:
        """The outcome of a dependency; raises LookupError for any other trial."""
        if trial.id not in self.by_id:
            raise LookupError(f"{trial} is not among the dependencies: only trials in the fields can be looked up")
        return self.by_id[trial.id]


def _prepared(trial: Trial, store: Store, device: str, hashes: Hashes) -> tuple[Context, dict[str, str]]:
    """What a trial is given, and the checksums of the data that it and its dependencies read."""
    dependencies = {t.id: record for t in _dependencies_first(trial.dependencies) if (record := store.finished(t, hashes))}
    outcomes = StoredOutcomes({identity: store.outcome(record) for identity, record in dependencies.items()})
    data = {name: sha256 for name in trial.data if (sha256 := hashes(name))}
    for record in dependencies.values():
        data |= record.data
    return Context(trial, device, outcomes), data


def _stored(trial: Trial, execution: Execution, store: Store, data: Mapping[str, str], machine_class: str, invocation: str) -> Record:
    outcome = execution.outcome or Outcome([])
    record = Record(
        trial,
        "failed" if execution.error else "ok",
        outcome.rows,
        data=data,
        seconds=execution.seconds,
        peak_memory_bytes=execution.peak_memory_bytes,
        device=machine_class,
        invocation=invocation,
        error=execution.error,
        energy_joules=execution.energy_joules,
    )
    stored = store.append(record, outcome.arrays)
    if execution.trace and execution.error:
        with contextlib.suppress(OSError):  # a help for the reader; the error itself is stored already
            (store.folder / "errors").mkdir(exist_ok=True)
            (store.folder / "errors" / f"{trial.id}.txt").write_text(execution.trace, encoding="utf-8", errors="backslashreplace")
    return stored


def _dependencies_first(trials: Iterable[Trial]) -> list[Trial]:
    """The trials and all they depend on, each once."""
    ordered: dict[str, Trial] = {}

    def visit(trial: Trial) -> None:
        if trial.id in ordered:
            return
        for dependency in trial.dependencies:
            visit(dependency)
        ordered[trial.id] = trial

    for trial in trials:
        visit(trial)
    return list(ordered.values())
