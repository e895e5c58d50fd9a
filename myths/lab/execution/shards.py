"""Divide the trials of a request among machines that do not know of each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from myths.lab.errors import UsageError
from myths.lab.trial import Trial, dependencies_first


@dataclass(frozen=True)
class Shard:
    """One of several parts of the trials of a request.

    Attributes:
        index: Number of the part, from 1.
        count: Number of parts.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        """Raise UsageError unless 1 ≤ ``index`` ≤ ``count``."""
        if not 1 <= self.index <= self.count:
            raise UsageError(f"Invalid --shard {self}: expected K/N with K from 1 to N, such as 3/8")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the part that a text such as "3/8" names.

        Raises:
            UsageError: The text names no part.
        """
        if (match := re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())) is None:
            raise UsageError(f"Invalid --shard {text!r}: expected K/N with K from 1 to N, such as 3/8")
        return cls(int(match[1]), int(match[2]))

    def of(self, trials: Mapping[str, Sequence[Trial]], cost: Callable[[Trial], float]) -> dict[str, list[Trial]]:
        """Return this part of the trials of several myths.

        Every trial is in exactly one part, next to what depends on it where possible. Dependencies run in each part that needs them. The
        largest trials are assigned first, each to the part that would be the shortest with it; what a second part must run again counts
        twice. The same trials and costs give the same parts on every machine. Parts are empty if there are too few trials.

        Args:
            trials: The trials by name of the myth.
            cost: Returns the expected seconds of a trial.

        Returns:
            The trials of this part by name of the myth, in their order. Myths without any are left out.
        """
        part_of = _assign([trial for listed in trials.values() for trial in listed], self.count, cost)
        chosen = {name: [trial for trial in listed if part_of[trial.id] == self.index - 1] for name, listed in trials.items()}
        return {name: listed for name, listed in chosen.items() if listed}


def _assign(trials: Iterable[Trial], count: int, cost: Callable[[Trial], float]) -> dict[str, int]:
    """Return the part of each trial by id, from 0."""
    listed = {trial.id: trial for trial in trials}
    closures = {identity: dependencies_first([trial]) for identity, trial in listed.items()}
    seconds = {each.id: cost(each) for closure in closures.values() for each in closure}
    total = {identity: sum(seconds[each.id] for each in closure) for identity, closure in closures.items()}
    loads, held, anywhere = [0.0] * count, [set[str]() for _ in range(count)], set[str]()
    part_of: dict[str, int] = {}
    for identity in sorted(listed, key=lambda identity: (-total[identity], identity)):
        if identity in part_of:  # it came with a trial that depends on it
            continue
        added = [sum(seconds[each.id] for each in closures[identity] if each.id not in have) for have in held]
        first = sum(seconds[each.id] for each in closures[identity] if each.id not in anywhere)
        part = min(range(count), key=lambda i: (loads[i] + 2 * added[i] - first, i))
        anywhere.update(each.id for each in closures[identity])
        loads[part] += added[part]
        held[part].update(each.id for each in closures[identity])
        for each in closures[identity]:
            if each.id in listed:
                part_of.setdefault(each.id, part)
    return part_of
