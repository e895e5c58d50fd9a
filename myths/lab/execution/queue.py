"""The order in which trials run: urgent trials first, then the longest chains. Linear in the number of trials."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from myths.lab.execution.executors import is_exclusive
from myths.lab.trial import Trial

Estimate = Callable[[Trial], float | None]


@dataclass(eq=False)
class Entry:
    """A trial in the queue.

    Attributes:
        trial: The trial.
        myth_index: Index of its myth in the run.
        urgent: Whether a claim that the user names, or a primary one, needs it.
        alone: Whether it is a retry that needs a machine to itself, because its worker process crashed.
        losses: Number of times that the node that ran it was lost.
        waits_for: Number of its dependencies that have not finished.
        dependents: Entries that depend on it.
        dropped: Whether it was removed from the queue.
        key: Sort key, unique to the entry.
    """

    trial: Trial
    myth_index: int
    urgent: bool = False
    alone: bool = False
    losses: int = 0
    waits_for: int = 0
    dependents: list[Entry] = field(default_factory=list)
    dropped: bool = False
    key: tuple[float, ...] = ()


class Queue:
    """The trials of several myths in one order.

    1. Trials that a claim needs that the user names, then those of primary claims, one chain (a trial and its dependencies) at a time. If
       the time budget ends, some claims are then decided instead of many being started.
    2. All other trials. If several trials run at once, the trials with the longest chain of dependents (estimated seconds) come first, so
       that the run does not end with one long trial. If one trial runs at a time, one chain at a time.

    No trial of 2 starts while a trial of 1 is ready and waits for the executor.

    Args:
        myths: For each myth, the trials to run, dependencies first, and its urgent trials, the most urgent first.
        estimate: Returns the estimated seconds of a trial, or None if unknown.
        parallel: Whether several trials run at once.
    """

    def __init__(self, myths: Sequence[tuple[Sequence[Trial], Sequence[Trial]]], estimate: Estimate, parallel: bool) -> None:
        self._lanes: dict[tuple[bool, bool], list[tuple[tuple[float, ...], Entry]]] = {
            (urgent, alone): [] for urgent in (True, False) for alone in (True, False)
        }
        self._waiting = 0
        entries: list[Entry] = []
        for myth_index, (trials, urgent) in enumerate(myths):
            of_myth = {trial.id: Entry(trial, myth_index) for trial in trials}
            _connect(of_myth)
            _mark_urgent(of_myth, urgent)
            entries += of_myth.values()
        for position, (entry, path) in enumerate(zip(entries, _longest_paths(entries, estimate), strict=True)):
            if not entry.urgent:
                entry.key = (*path, position) if parallel else (position,)
            self._waiting += 1
            if not entry.waits_for:
                self._push(entry)

    def __len__(self) -> int:
        """Return the number of trials that were not taken."""
        return self._waiting

    def next(self, accepts: Callable[[Trial, bool], bool]) -> Entry | None:
        """Take the first entry that is ready and that the executor accepts.

        Args:
            accepts: Returns whether the executor accepts a trial now; its second argument is whether the trial needs a machine to itself.

        Returns:
            The entry, or None if nothing can start now.
        """
        for urgent in (True, False):
            lanes = [lane for alone in (True, False) if (lane := self._lanes[urgent, alone])]
            ready = [lane for lane in lanes if accepts(lane[0][1].trial, lane[0][1].alone)]
            if ready:
                self._waiting -= 1
                return heapq.heappop(min(ready))[1]
            if lanes:
                return None
        return None

    def done(self, entry: Entry) -> None:
        """Mark an entry as finished. Dependents that waited only for it become ready."""
        for dependent in entry.dependents:
            dependent.waits_for -= 1
            if not dependent.waits_for and not dependent.dropped:
                self._push(dependent)

    def drop(self, entry: Entry) -> list[Entry]:
        """Remove all direct and indirect dependents of an entry and return them."""
        found: list[Entry] = []
        dropping = [entry]
        for each in dropping:
            for dependent in each.dependents:
                if not dependent.dropped:
                    dependent.dropped = True
                    dropping.append(dependent)
                    found.append(dependent)
        self._waiting -= len(found)
        return found

    def retry(self, entry: Entry) -> None:
        """Put back an entry that was taken and did not finish."""
        self._waiting += 1
        self._push(entry)

    def _push(self, entry: Entry) -> None:
        heapq.heappush(self._lanes[entry.urgent, entry.alone or is_exclusive(entry.trial)], (entry.key, entry))


def _connect(entries: dict[str, Entry]) -> None:
    for entry in entries.values():
        for identity in {dependency.id for dependency in entry.trial.dependencies}:
            if identity in entries:
                entries[identity].dependents.append(entry)
                entry.waits_for += 1


def _mark_urgent(entries: dict[str, Entry], wanted: Iterable[Trial]) -> None:
    """Mark the urgent trials and their dependencies, and sort them in the order in which chains are finished."""
    numbered = 0
    for trial in wanted:
        for entry in _chain(entries, trial):
            entry.urgent, entry.key = True, (float(entry.myth_index), float(numbered))
            numbered += 1


def _chain(entries: dict[str, Entry], target: Trial) -> Iterator[Entry]:
    """Yield a trial and its dependencies that are to run and not marked yet, dependencies first."""
    waiting = [(target, False)]
    while waiting:
        trial, visited = waiting.pop()
        entry = entries.get(trial.id)
        if entry is None or entry.urgent:
            continue
        if visited:
            yield entry
        else:
            waiting.append((trial, True))
            waiting += [(dependency, False) for dependency in reversed(trial.dependencies)]


def _longest_paths(entries: Sequence[Entry], estimate: Estimate) -> list[tuple[float, float]]:
    """Return for each entry, negated, the seconds of its longest chain of dependents and the number of trials in such a chain."""
    paths: dict[int, tuple[float, float]] = {}
    for entry in reversed(entries):  # dependents come before what they depend on
        after = [paths[id(dependent)] for dependent in entry.dependents]
        paths[id(entry)] = (
            (estimate(entry.trial) or 0.0) + max((seconds for seconds, _ in after), default=0.0),
            1 + max((trials for _, trials in after), default=0.0),
        )
    return [(-paths[id(entry)][0], -paths[id(entry)][1]) for entry in entries]
