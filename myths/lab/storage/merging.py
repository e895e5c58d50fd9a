"""Merge runs of one machine class into a new run, by trial id."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from myths.lab.errors import CannotStart, UsageError
from myths.lab.myth import Myth
from myths.lab.storage.run_folder import RunFolder, write_atomically
from myths.lab.storage.store import Store, TrialRecord, dump_line
from myths.lab.trial import Trial

CONFLICTS = "conflicts.jsonl"
"""File of a myth in a merged run: lines of trials that another source has with other results."""


@dataclass(frozen=True)
class Conflict:
    """A trial with different results in two runs."""

    myth: str
    trial: Trial
    kept: str
    """Run whose line counts."""
    apart: str
    """Run whose line is in ``CONFLICTS``."""

    def __str__(self) -> str:
        return f"{self.myth} {self.trial.id} ({self.trial}) differs in {self.kept} and {self.apart}"


@dataclass(frozen=True)
class Merged:
    """The result of a merge.

    Attributes:
        run: The new run.
        trials: Number of trials with a result in it.
        repeated: Number of results that several runs have alike. They are in the new run once.
        conflicts: Trials with different results. Those of the first run count; the others are kept apart.
    """

    run: RunFolder
    trials: int
    repeated: int
    conflicts: tuple[Conflict, ...]


def merge(sources: Sequence[RunFolder], into: RunFolder, myths: Sequence[Myth]) -> Merged:
    """Merge the stored trials, arrays and invocations of runs of one machine class into a new run.

    A trial that several runs have with equal rows, times aside, is taken from the first. Failed trials are left out if another run has
    their result.

    Args:
        sources: The runs, in order of precedence.
        into: The new run.
        myths: Myths of the suite.

    Raises:
        UsageError: There are fewer than two runs, one is named twice, or the new run already has results.
        CannotStart: The runs belong to different machine classes, or used different contents of a dataset.
    """
    if len(sources) < 2:
        raise UsageError("Merging needs at least two runs or archives")
    paths = [source.path.resolve() for source in sources]
    if twice := next((source for source, path in zip(sources, paths, strict=True) if paths.count(path) > 1), None):
        raise UsageError(f"Run {twice.name!r} is named twice")
    if into.metadata()["invocations"] or any(into.has_results(myth) for myth in myths):
        raise UsageError(f"Run {into.name!r} already has results. Choose a different --into")
    metadata = _metadata(sources)
    merged = [_MergedMyth(myth, sources, into) for myth in myths if any(source.has_results(myth) for source in sources)]
    if not any(each.trials for each in merged):
        raise CannotStart(f"{', '.join(source.name for source in sources)} have no results of a myth of this suite")
    with into.locked():
        for each in merged:
            each.write()
        write_atomically(into.path / "run.json", json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    conflicts = tuple(conflict for each in merged for conflict in each.conflicts)
    return Merged(into, sum(each.trials for each in merged), sum(each.repeated for each in merged), conflicts)


def _metadata(sources: Sequence[RunFolder]) -> dict[str, Any]:
    """Return the content of ``run.json`` of the new run."""
    found: dict[str, Any] = {"machine_class": None, "data": {}, "invocations": []}
    first_with: dict[str, str] = {}
    for source in sources:
        metadata = source.metadata()
        if found["machine_class"] not in (None, metadata["machine_class"]):
            raise CannotStart(
                f"{sources[0].name} was made on {found['machine_class']}, {source.name} on {metadata['machine_class']}: "
                "results of different machine classes do not mix"
            )
        found["machine_class"] = metadata["machine_class"]
        for name, about in metadata["data"].items():
            if name in found["data"] and found["data"][name]["sha256"] != about["sha256"]:
                raise CannotStart(f"{first_with[name]} and {source.name} used different contents of {name}: their results do not mix")
            found["data"].setdefault(name, about)
            first_with.setdefault(name, source.name)
        known = {invocation["id"] for invocation in found["invocations"]}
        found["invocations"] += [each for each in metadata["invocations"] if each["id"] not in known]
        if notes := [note for note in metadata.get("notes", ()) if note not in found.get("notes", ())]:
            found["notes"] = [*found.get("notes", ()), *notes]
    found["invocations"].sort(key=lambda invocation: (invocation["started"], invocation["id"]))
    return found


class _MergedMyth:
    """The trials of one myth in the new run."""

    def __init__(self, myth: Myth, sources: Sequence[RunFolder], into: RunFolder) -> None:
        self.folder = into.path / myth.folder
        self.conflicts: list[Conflict] = []
        self.repeated = 0
        self._lines: list[tuple[Store, TrialRecord]] = []
        self._apart: list[TrialRecord] = []
        stores = [(source.name, source.store(myth)) for source in sources if source.has_results(myth)]
        done: dict[str, tuple[str, TrialRecord]] = {}
        for name, store in stores:
            new: dict[str, tuple[str, TrialRecord]] = {}
            for record in (record for record in store.records if record.status == "ok"):
                if record.trial.id not in done:
                    self._lines.append((store, record))
                    new[record.trial.id] = (name, record)
                elif _same(done[record.trial.id][1], record):
                    self.repeated += 1
                else:
                    self._apart.append(record)
                    self.conflicts.append(Conflict(myth.name, record.trial, done[record.trial.id][0], name))
            done |= new
        failed = {r.trial.id: (store, r) for _, store in stores for r in store.records if r.trial.id not in done}
        self._lines += failed.values()
        self.trials = len(done)

    def write(self) -> None:
        """Write the lines and copy their arrays."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, records in (("trials.jsonl", [record for _, record in self._lines]), (CONFLICTS, self._apart)):
            if records:
                lines = (dump_line(record.to_json()) for record in records)
                write_atomically(self.folder / name, "".join(f"{line}\n" for line in lines))
        for store, record in self._lines:
            if record.arrays and store.has_arrays(record):
                (self.folder / "arrays").mkdir(exist_ok=True)
                shutil.copyfile(store.folder / "arrays" / f"{record.trial.id}.npz", self.folder / "arrays" / f"{record.trial.id}.npz")


def _same(one: TrialRecord, other: TrialRecord) -> bool:
    """Return whether two results of a trial are equal, times aside."""
    return _stable(one) == _stable(other) and dict(one.arrays) == dict(other.arrays)


def _stable(record: TrialRecord) -> str:
    rows = [{k: v for k, v in row.items() if k not in record.trial.nondeterministic_columns} for row in record.rows]
    return dump_line({"rows": rows})
