"""The order in which trials run: what decides first, a chain at a time, then what takes longest. Linear in the number of trials."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from myths.lab.executors import is_exclusive
from myths.lab.trial import Trial

Estimate = Callable[[Trial], float | None]


@dataclass(eq=False)
class Entry:
    """A trial in the queue.

    Attributes:
        trial: The trial.
        place: The index of the part that it belongs to.
        urgent: Whether an open primary claim waits for it.
        alone: Whether it runs for the second time, with nothing beside it, because its worker process died.
        waits_for: How many of its dependencies have not finished.
        dependents: The entries that wait for it.
    """

    trial: Trial
    place: int
    urgent: bool = False
    alone: bool = False
    waits_for: int = 0
    dependents: list[Entry] = field(default_factory=list)
    dropped: bool = False
    key: tuple[float, ...] = ()
    """The place in the order, different for each entry."""


class Queue:
    """The trials of several parts in one order.

    1. What an open primary claim waits for, a chain (a trial and all it depends on) at a time: if the time ends, claims are decided
       instead of many being begun.
    2. The rest. If several trials run at once, those at the head of the longest chain of estimated seconds go first, lest in the
       end everything waits for one of them. If one runs at a time, a chain at a time.

    Nothing of 2 is started while something of 1 is ready and waits for the executor.

    Args:
        parts: The trials to run of each part, dependencies first, and its urgent trials, the most urgent first.
        estimate: Seconds that a trial takes, None if unknown.
        parallel: Whether several trials run at once.
    """

    def __init__(self, parts: Sequence[tuple[Sequence[Trial], Sequence[Trial]]], estimate: Estimate, parallel: bool) -> None:
        self._lanes: dict[tuple[bool, bool], list[tuple[tuple[float, ...], Entry]]] = {
            (urgent, alone): [] for urgent in (True, False) for alone in (True, False)
        }
        self._waiting = 0
        entries: list[Entry] = []
        for place, (trials, urgent) in enumerate(parts):
            of_part = {trial.id: Entry(trial, place) for trial in trials}
            _connect(of_part)
            _mark_urgent(of_part, urgent)
            entries += of_part.values()
        for position, (entry, path) in enumerate(zip(entries, _longest_paths(entries, estimate), strict=True)):
            if not entry.urgent:
                entry.key = (*path, position) if parallel else (position,)
            self._waiting += 1
            if not entry.waits_for:
                self._push(entry)

    def __len__(self) -> int:
        """How many trials have not been given out."""
        return self._waiting

    def next(self, accepts: Callable[[Trial], bool], busy: bool) -> Entry | None:
        """Take the first entry that is ready and that the executor accepts.

        Args:
            accepts: Whether the executor takes a trial now.
            busy: Whether anything is running; a trial that runs again after a death then waits.

        Returns:
            The entry, or None if nothing can be started now.
        """
        for urgent in (True, False):
            lanes = [lane for alone in (True, False) if (lane := self._lanes[urgent, alone])]
            ready = [lane for lane in lanes if not (busy and lane[0][1].alone) and accepts(lane[0][1].trial)]
            if ready:
                self._waiting -= 1
                return heapq.heappop(min(ready))[1]
            if lanes:
                return None
        return None

    def done(self, entry: Entry) -> None:
        """Say that an entry has finished; what waited only for it becomes ready."""
        for dependent in entry.dependents:
            dependent.waits_for -= 1
            if not dependent.waits_for and not dependent.dropped:
                self._push(dependent)

    def drop(self, entry: Entry) -> list[Entry]:
        """Take out what waits for an entry, directly or not, and return it."""
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

    def retry_alone(self, entry: Entry) -> None:
        """Put back an entry whose worker process died; it runs again when nothing else does."""
        entry.alone = True
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
    """Number the urgent trials and all they depend on in the order in which chains are finished."""
    numbered = 0
    for trial in wanted:
        for entry in _chain(entries, trial):
            entry.urgent, entry.key = True, (float(entry.place), float(numbered))
            numbered += 1


def _chain(entries: dict[str, Entry], target: Trial) -> Iterator[Entry]:
    """What is to run of a trial and its dependencies and is not marked yet, dependencies first."""
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
    """For each entry, negative: seconds of the longest chain of dependents from it on, and the number of trials in such a chain."""
    paths: dict[int, tuple[float, float]] = {}
    for entry in reversed(entries):  # dependents come before what they depend on
        after = [paths[id(dependent)] for dependent in entry.dependents]
        paths[id(entry)] = (
            (estimate(entry.trial) or 0.0) + max((seconds for seconds, _ in after), default=0.0),
            1 + max((trials for _, trials in after), default=0.0),
        )
    return [(-paths[id(entry)][0], -paths[id(entry)][1]) for entry in entries]
