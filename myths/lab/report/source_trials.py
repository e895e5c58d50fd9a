"""Source trials of the numbers: their settings, attempts and commands."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from myths.lab.errors import UsageError
from myths.lab.execution import try_trial
from myths.lab.report import formatting
from myths.lab.storage.store import TrialRecord
from myths.lab.trial import Trial, canonical

MAX_VALUES = 8
"""Maximum number of values that are shown of a setting."""


USER_DATA = "your data"
"""Shown instead of a protocol for trials on user data."""


@dataclass(frozen=True)
class TrialRow:
    """A trial record as a row of a table."""

    record: TrialRecord
    anchor: str
    settings: Mapping[str, str]
    """Settings that differ from their defaults; those of nested trials are named ``outer.inner``."""
    varying: tuple[str, ...]
    protocol: str
    """Protocol of the trial, or ``USER_DATA``."""

    @property
    def id(self) -> str:
        """Id of the trial."""
        return self.record.trial.id

    @property
    def differing_settings(self) -> str:
        """Settings that differ between the trials of the group."""
        return ", ".join(f"{name}={self.settings[name]}" for name in self.varying if name in self.settings) or "the only trial of its class"

    @property
    def cost(self) -> str:
        """Duration, peak memory and GPU energy, as far as they were recorded."""
        memory, joules = self.record.peak_memory_bytes / 2**20, self.record.energy_joules
        took = formatting.format_duration(self.record.seconds) if self.record.has_comparable_seconds else "not comparable (parallel trials)"
        said = [took] + [f"{formatting.format_number(memory, 0)}{formatting.SPACE}MiB"] * bool(memory)
        return ", ".join(said + ([formatting.format_energy(joules)] if joules and self.record.has_comparable_seconds else []))


@dataclass(frozen=True)
class TrialGroup:
    """The trials of one class in a run."""

    kind: type[Trial]
    rows: tuple[TrialRow, ...]

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.kind.__name__

    @property
    def summary(self) -> str:
        """First paragraph of the class docstring."""
        return " ".join((inspect.getdoc(self.kind) or "").split("\n\n")[0].split()).replace("``", "")

    @property
    def protocols(self) -> str:
        """Protocols of the trials, with counts."""
        found = [line.protocol for line in self.rows]
        return ", ".join(f"{found.count(p)} {'of ' if p == USER_DATA else ''}{p}" for p in dict.fromkeys(found))

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """Setting -> its distinct values, in the order of the trials."""
        gathered: dict[str, dict[str, None]] = {}
        for line in self.rows:
            for name, value in line.settings.items():
                gathered.setdefault(name, {})[value] = None
        return {name: list(values) for name, values in gathered.items()}

    @property
    def varying_settings(self) -> dict[str, str]:
        """Settings that differ between the trials, with their values."""
        names = self.rows[0].varying if self.rows else ()
        return {name: _first_values(self.values[name]) for name in names}

    @property
    def common_settings(self) -> dict[str, str]:
        """Settings that all trials share."""
        return {name: values[0] for name, values in self.values.items() if name not in self.varying_settings}


def group_by_class(records: Sequence[TrialRecord], key: str, own: Collection[str] = ()) -> tuple[TrialGroup, ...]:
    """Group records by trial class, in their order.

    Args:
        records: Records of trials.
        key: Key of the run, used in anchors.
        own: Names of the user's datasets.
    """
    grouped: dict[type[Trial], list[TrialRecord]] = {}
    for record in records:
        grouped.setdefault(type(record.trial), []).append(record)
    return tuple(_trial_group(kind, group, key, own) for kind, group in grouped.items())


def _trial_group(kind: type[Trial], records: Sequence[TrialRecord], key: str, own: Collection[str]) -> TrialGroup:
    found = [dict(_flat(canonical(record.trial)["settings"])) for record in records]
    names = dict.fromkeys(name for settings in found for name in settings)
    varying = tuple(name for name in names if len({settings.get(name) for settings in found}) > 1)
    near = [USER_DATA if set(r.data) & set(own) else r.trial.protocol for r in records]
    return TrialGroup(
        kind, tuple(TrialRow(r, anchor(key, r.trial.id), s, varying, p) for r, s, p in zip(records, found, near, strict=True))
    )


@dataclass(frozen=True)
class Attempt:
    """One of several successful attempts at a trial.

    Attributes:
        number: 1 for the first success.
        record: The success.
        counts: Whether tables and claims use this attempt.
        found: Row values that differ between the attempts.
    """

    number: int
    record: TrialRecord
    counts: bool
    found: str


@dataclass(frozen=True)
class Repeated:
    """A trial with several successful attempts, oldest first."""

    trial: Trial
    attempts: tuple[Attempt, ...]


def repeated(groups: Iterable[Sequence[TrialRecord]], counting: Iterable[TrialRecord]) -> tuple[Repeated, ...]:
    """Return the attempts at each trial that has several.

    Args:
        groups: Successful attempts of each trial, oldest first.
        counting: Records that tables and claims use.
    """
    kept = {id(record) for record in counting}
    return tuple(
        Repeated(
            group[0].trial,
            tuple(Attempt(n, r, id(r) in kept, said) for n, (r, said) in enumerate(zip(group, _differences(group), strict=True), start=1)),
        )
        for group in groups
    )


def _differences(group: Sequence[TrialRecord]) -> list[str]:
    """Return the values of each record in the columns in which the records differ."""
    cells = [{(place, name): value for place, row in enumerate(record.rows) for name, value in row.items()} for record in group]
    varied = [
        cell for cell in dict.fromkeys(cell for each in cells for cell in each) if any(c.get(cell) != cells[0].get(cell) for c in cells)
    ]
    if not varied:
        return ["the same rows"] * len(group)
    several = any(len(record.rows) > 1 for record in group)
    more = f" and {len(varied) - MAX_VALUES} more numbers" if len(varied) > MAX_VALUES else ""
    names = [(cell, f"row {cell[0] + 1} {cell[1]}" if several else cell[1]) for cell in varied[:MAX_VALUES]]
    return [", ".join(f"{name}={_number(each.get(cell))}" for cell, name in names) + more for each in cells]


def _number(value: Any) -> str:
    return formatting.format_number(value) if isinstance(value, float) else "–" if value is None else str(value)


def anchor(key: str, trial: str) -> str:
    """Return the HTML anchor of a trial on the page of its myth."""
    return f"{key}-trial-{trial}"


def try_command(myth: str, trial: Trial) -> str:
    """Return the ``myths try`` command of a trial; empty if no command rebuilds exactly this trial."""
    found = ["=".join(pair) for pair in _words(canonical(trial)["settings"])]
    try:
        same = try_trial.parse_settings(type(trial), found).id == trial.id
    except UsageError:
        return ""
    return shlex.join(["myths", "try", myth, type(trial).__name__, *found]) if same else ""


def _first_values(values: Sequence[str]) -> str:
    more = f" and {len(values) - MAX_VALUES} more" if len(values) > MAX_VALUES else ""
    return ", ".join(values[:MAX_VALUES]) + more


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield settings including those of nested trials; several nested trials are only counted."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value["settings"], f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            if len(value) == 1:
                yield from _flat(value[0]["settings"], f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", f"{len(value)} {value[0]['trial']}"
        else:
            yield f"{prefix}{name}", _text(value)


def _words(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield ``key``, ``value`` as ``myths try`` accepts them; the class of a nested trial comes first."""
    for name, value in settings.items():
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict):
            yield f"{prefix}{name}", inner["trial"]
            yield from _words(inner["settings"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "none" if value is None else str(value)
