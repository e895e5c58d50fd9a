"""Store finished trials: one line per trial in ``trials.jsonl``, arrays in ``arrays/<id>.npz``.

A line is appended and fsynced as soon as its trial finishes, so that a crash loses only the running trial. Tables, claims and figures
are computed from these lines alone.

- A line is a JSON object: the id, the trial as ``canonical`` returns it, its protocol, and the fields of its ``TrialRecord``. The id is
  recomputed on reading. ``record_error`` describes an invalid line.
- A truncated last line is ignored with a warning and removed before the next line is written. Any other invalid line raises an error
  with its line number.
- A line of an unknown class, another version or invalid settings is stale: it stays in the file and is ignored.
- If a trial has several lines, the newest "ok" line whose data do not conflict with the local datasets counts. A failed trial runs again.
- Arrays are written to a temporary file and renamed before their line is written. A file that does not match its hashes is rejected.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import typing
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union

import numpy as np

from myths.lab.errors import CannotStart, MythsError, UsageError
from myths.lab.setting import Range
from myths.lab.tables import TRIALS
from myths.lab.trial import Outcome, Trial, canonical, decode

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T", bound=Trial)

HashLookup = Callable[[str], str | None]
"""Returns the content hash of a local dataset, or None if it is not available on this machine."""


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial as stored: the trial, its result and its circumstances. The fields are the keys of its line.

    Attributes:
        trial: The trial.
        status: "ok" or "failed".
        rows: Rows of the outcome.
        arrays: SHA-256 of dtype, shape and bytes of each array, by name.
        data: Content hash of each dataset that the trial and its dependencies read.
        seconds: Duration.
        peak_memory_bytes: Peak memory.
        device: Machine class.
        invocation: Id of the invocation in ``run.json``.
        error: Error of a failed trial as one line, or None.
        energy_joules: Energy of the GPU, or None if its power could not be measured.
        attempt: Number of this success, from 1. It is larger after ``myths run --again`` or if arrays had to be recomputed.
        concurrent_trials: Largest number of other trials that ran on the same device at the same time. If it is not 0, the duration on a
            GPU is not comparable.
        host: CPU model and number of cores of the worker, or "" for those of the machine in ``run.json``.
    """

    trial: Trial
    status: Literal["ok", "failed"]
    rows: list[dict[str, Any]] = field(default_factory=list)
    arrays: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    seconds: Annotated[float, Range(at_least=0)] = 0.0
    peak_memory_bytes: Annotated[int, Range(at_least=0)] = 0
    device: str = "cpu"
    invocation: str = ""
    error: str | None = None
    energy_joules: Annotated[float, Range(above=0)] | None = None
    attempt: Annotated[int, Range(at_least=1)] = 1
    concurrent_trials: Annotated[int, Range(at_least=0)] = 0
    host: str = ""

    @property
    def has_comparable_seconds(self) -> bool:
        """Whether the duration is that of a trial running alone. Parallel trials share a GPU; on a CPU each has its own cores."""
        return self.device == "cpu" or not self.concurrent_trials

    def matches_data(self, hashes: HashLookup) -> bool:
        """Return whether no dataset of the record conflicts with a local dataset.

        Args:
            hashes: Returns the content hash of a local dataset.
        """
        return all(hashes(name) in (None, sha256) for name, sha256 in self.data.items())

    def to_json(self) -> dict[str, Any]:
        """Return the line as a JSON object. Optional keys with their default value are left out."""
        found: dict[str, Any] = {"id": self.trial.id, **canonical(self.trial), "protocol": self.trial.protocol}
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if each.name in _DECIMALS and value is not None:
                value = round(value, _DECIMALS[each.name])
            if each.name not in OPTIONAL_KEYS or value != each.default:
                found[each.name] = dict(value) if isinstance(value, Mapping) else value
        return found


OPTIONAL_KEYS = ("energy_joules", "attempt", "concurrent_trials", "host")
"""Keys that a line contains only if they differ from the default."""
_DECIMALS = {"seconds": 3, "energy_joules": 1}


def record_error(line: Any) -> str | None:
    """Return why a JSON value is not a valid line of ``trials.jsonl``, or None if it is valid. Unknown keys are ignored."""
    if not isinstance(line, dict):
        return "it is not an object"
    for name, (hint, default) in _keys().items():
        if name not in line:
            if name in OPTIONAL_KEYS:
                continue
            return f"it has no {name}"
        value = line[name]
        if not _is_of(value, hint) or (name in OPTIONAL_KEYS and value == default):
            return f"its {name} is {value if isinstance(value, int | float) else repr(value)[:50]}"
    return None


@functools.cache
def _keys() -> dict[str, tuple[Any, Any]]:
    """Return type and default of each key of a line."""
    hints = typing.get_type_hints(TrialRecord, include_extras=True)
    of_trial: dict[str, Any] = {"id": str, "trial": str, "version": int, "settings": dict, "protocol": str}
    return {name: (hint, None) for name, hint in of_trial.items()} | {f.name: (hints[f.name], f.default) for f in fields(TrialRecord)[1:]}


RECORD_KEYS = frozenset(_keys())
"""Keys that a line may contain."""


def _is_of(value: Any, hint: Any) -> bool:
    """Return whether a JSON value has a type and satisfies its rules."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _is_of(value, arguments[0]) and all(rule.accepts(value) for rule in arguments[1:])
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin in (Union, UnionType):
        return any(_is_of(value, each) for each in arguments)
    if origin is list:
        return isinstance(value, list) and all(_is_of(each, arguments[0]) for each in value)
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)
    if origin is None:
        return type(value) is hint
    return isinstance(value, dict) and (arguments[1] is Any or all(_is_of(each, arguments[1]) for each in value.values()))


@dataclass(frozen=True)
class LazyArrays(Mapping[str, np.ndarray]):
    """Arrays of a stored trial, read from disk on access and checked against their hashes.

    Raises:
        MythsError: On access, if the file is damaged or belongs to another execution of the trial.
    """

    path: Path
    sha256: Mapping[str, str]

    def __getitem__(self, name: str) -> np.ndarray:
        expected = self.sha256[name]
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                array = archive[name]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            array = None
        if array is None or array_sha256(array) != expected:
            raise MythsError(
                f"arrays/{self.path.name} does not match its stored hash. Delete it; the trial is re-run when its arrays are needed"
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.sha256)

    def __len__(self) -> int:
        return len(self.sha256)


class Store:
    """The stored trials of one myth in one run.

    Args:
        folder: Folder of the myth in the run.
        types_by_name: Trial classes by name.
        shared: Ids of invocations that shared the device. Their records count as made beside other trials.

    Attributes:
        records: All records, in the order in which they were stored.
        stale: Lines of an unknown class, another version or invalid settings. They stay in the file and are ignored.
    """

    def __init__(self, folder: Path, types_by_name: Mapping[str, type[Trial]], shared: frozenset[str] = frozenset()) -> None:
        self.folder = folder
        self.file = folder / "trials.jsonl"
        self._types = types_by_name
        self._shared = shared
        self.records: list[TrialRecord] = []
        self.stale: list[str] = []
        self._by_id: dict[str, list[TrialRecord]] = {}
        self._whole_bytes = 0
        """Length of the file after the last appended line; at this length the file ends with a complete line."""
        for number, line in enumerate(complete_lines(self.file), start=1):
            if line.strip():
                self._parse_line(line, number)

    def finished(self, trial: Trial, hashes: HashLookup = lambda name: None) -> TrialRecord | None:
        """Return the newest successful record of ``trial`` whose data hashes do not conflict with the local datasets, or None."""
        return next((r for r in reversed(self.attempts(trial)) if r.matches_data(hashes)), None)

    def attempts(self, trial: Trial) -> list[TrialRecord]:
        """Return all successful records of a trial, the oldest first."""
        return [record for record in self._by_id.get(trial.id, ()) if record.status == "ok"]

    def has_arrays(self, record: TrialRecord) -> bool:
        """Return whether the arrays of a record are on disk and were not replaced by a later execution of its trial."""
        if not record.arrays:
            return True
        same = (r for r in reversed(self._by_id.get(record.trial.id, ())) if r.arrays)
        return next(same, record).arrays == record.arrays and self._array_file(record.trial.id).exists()

    def outcome(self, record: TrialRecord) -> Outcome:
        """Return the outcome of a record. Arrays are read on access."""
        return Outcome(record.rows, LazyArrays(self._array_file(record.trial.id), record.arrays) if record.arrays else {})

    def append(self, record: TrialRecord, arrays: Mapping[str, np.ndarray] | None = None) -> TrialRecord:
        """Store a finished trial durably and return its record with attempt number and array hashes.

        Args:
            record: The record.
            arrays: Arrays to store with it.

        Raises:
            CannotStart: The disk is full or the folder cannot be written. Earlier results are kept.
        """
        try:
            if not self._whole_bytes:
                self.folder.mkdir(parents=True, exist_ok=True)
            if record.status == "ok" and record.attempt != (attempt := 1 + len(self.attempts(record.trial))):
                record = replace(record, attempt=attempt)
            if arrays:
                record = replace(record, arrays=self._save_arrays(record.trial.id, arrays))
            self._whole_bytes = _append_line(self.file, dump_line(record.to_json()), self._whole_bytes)
        except OSError as error:
            raise CannotStart(
                f"Cannot write {self.file}: {error.strerror or error}. Free disk space or use a different --results folder, then run again"
            ) from error
        self._keep(record)
        return record

    def _keep(self, record: TrialRecord) -> None:
        self.records.append(record)
        self._by_id.setdefault(record.trial.id, []).append(record)

    def _parse_line(self, line: str, number: int) -> None:
        try:
            stored = json.loads(line)
        except ValueError:
            stored = None
        if record_error(stored):
            raise CannotStart(f"{self.file}, line {number}: invalid record. Delete the line (its trial will be re-run) or restore the file")
        try:
            trial = decode(stored, self._types)
        except (KeyError, ValueError, UsageError, TypeError):
            self.stale.append(f"{stored['trial']} version {stored.get('version')}")
            return
        if trial.id != stored["id"]:
            self.stale.append(f"{stored['trial']} {stored['id']}")
            return
        record = TrialRecord(trial, **{each.name: stored[each.name] for each in fields(TrialRecord)[1:] if each.name in stored})
        self._keep(replace(record, concurrent_trials=max(1, record.concurrent_trials)) if record.invocation in self._shared else record)

    def _array_file(self, identity: str) -> Path:
        return self.folder / "arrays" / f"{identity}.npz"

    def _save_arrays(self, identity: str, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
        path = self._array_file(identity)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        partial.replace(path)
        return {name: array_sha256(array) for name, array in arrays.items()}


class Results:
    """The successful trials of one myth in one run, as typed trials with their rows.

    There is one record per trial, and all records were made from the same data. If the records of a run were made from different contents
    of a dataset, the records that match the local dataset count, otherwise the newest. Trials that measure time all ran on one kind of
    machine: that of most of them.

    Args:
        records: Stored records.
        hashes: Returns the content hash of a local dataset.
        hosts: Host class of each invocation, for records without one.

    Attributes:
        records: The records that count.
        n_excluded: Number of trials excluded because of the contents of their datasets.
        n_other_machines: Number of trials excluded because they measured time on another kind of machine.
        timed_on: Machine class and host class of the trials that measure time, if others were excluded.
    """

    def __init__(
        self, records: Sequence[TrialRecord], hashes: HashLookup = lambda name: None, hosts: Mapping[str, str] | None = None
    ) -> None:
        finished = [r for r in records if r.status == "ok"]
        accepted = _accepted_data(finished, hashes)
        same_data = [r for r in finished if all(accepted[name] == sha256 for name, sha256 in r.data.items())]

        def kind(record: TrialRecord) -> tuple[str, str]:
            return record.device, record.host or (hosts or {}).get(record.invocation, "")

        kinds = Counter(kind(r) for r in same_data if r.trial.exclusive)
        self.timed_on = max(kinds, key=lambda each: kinds[each]) if len(kinds) > 1 else None
        comparable = [r for r in same_data if not r.trial.exclusive or self.timed_on in (None, kind(r))]
        self.records = list({r.trial.id: r for r in comparable}.values())
        n_same_data = len({r.trial.id for r in same_data})
        self.n_excluded = len({r.trial.id for r in finished}) - n_same_data
        self.n_other_machines = n_same_data - len(self.records)

    def of(self, kind: type[T]) -> Iterator[tuple[T, TrialRecord]]:
        """Yield each finished trial of a class with its record."""
        for record in self.records:
            if type(record.trial) is kind:
                yield record.trial, record

    def frame(self, kind: type[T], **columns: Callable[[T], Any]) -> pd.DataFrame:
        """Return the rows of a trial class as a table.

        Args:
            kind: Trial class.
            **columns: Functions from a trial to the value of a further column.

        Returns:
            One line per row: values of the row, plain settings of the trial, ``protocol``, ``device``, ``columns``, and ``trials`` with
            the id of the trial. A value of the row takes precedence over a setting of the same name. The table is empty if no such trial
            has finished. Functions in ``myths.lab.tables`` combine the ids when a table aggregates rows.
        """
        import pandas as pd

        lines = []
        for trial, record in self.of(kind):
            plain = {k: v for k, v in canonical(trial)["settings"].items() if not isinstance(v, dict | list)}
            defaults = {f.name: v for f in fields(trial) if isinstance(v := getattr(trial, f.name), str | int | float | bool | None)}
            extra = {name: compute(trial) for name, compute in columns.items()}
            settings = {**defaults, **plain, "protocol": trial.protocol, "device": record.device, **extra}
            lines += [{**settings, **row, TRIALS: trial.id} for row in record.rows]
        table = pd.DataFrame(lines)
        return table[[*(column for column in table.columns if column != TRIALS), TRIALS]] if lines else table


def _accepted_data(records: Sequence[TrialRecord], hashes: HashLookup) -> dict[str, str]:
    accepted: dict[str, str] = {}
    local = functools.cache(hashes)  # one lookup per dataset, not per record
    for record in records:
        for name, sha256 in record.data.items():
            if accepted.get(name) is None or accepted[name] != local(name):
                accepted[name] = sha256
    return accepted


def complete_lines(file: Path) -> Iterator[str]:
    """Yield the complete lines of ``trials.jsonl``. Warn about a truncated last line and ignore it.

    Args:
        file: The file; it need not exist.

    Raises:
        CannotStart: The file cannot be read.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotStart(f"Cannot read {file}: {error.strerror}") from error
    *lines, last = content.split(b"\n")
    if last and _is_json(last):
        lines.append(last)
    elif last:
        warnings.warn(f"{file}: the last line is truncated; its trial will be re-run", stacklevel=3)
    for line in lines:
        yield line.decode(errors="replace")


def _append_line(file: Path, text: str, whole_bytes: int) -> int:
    """Append a line. Open the file each time, because it may have been replaced.

    Args:
        file: The file.
        text: The line.
        whole_bytes: A length at which the file is known to end with a complete line.

    Returns:
        The new length of the file.
    """
    with file.open("a+b") as handle:
        if handle.seek(0, os.SEEK_END) != whole_bytes:
            _truncate_partial_line(handle)
        # A lone surrogate (a file name in an error) becomes its JSON escape.
        handle.write(text.encode(errors="backslashreplace") + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
        return handle.seek(0, os.SEEK_END)


def _truncate_partial_line(handle: Any) -> None:
    """Remove a partial last line that a crash left, so that the next line starts on a line of its own."""
    if handle.seek(0, os.SEEK_END) == 0:
        return
    handle.seek(-1, os.SEEK_END)
    if handle.read() == b"\n":
        return
    handle.seek(0)
    content = handle.read()
    last = content[content.rfind(b"\n") + 1 :]
    if last and _is_json(last):
        handle.write(b"\n")
    elif last:
        handle.truncate(len(content) - len(last))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def dump_line(line: Mapping[str, Any]) -> str:
    """Return a JSON object as the text of a line."""
    return _ENCODER.encode(line)


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def check_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as they are read back: plain values; NaN and infinities become None.

    Args:
        rows: Rows of an outcome.

    Raises:
        TypeError: A value is not valid JSON, or a column has a name that tables fill.
    """
    if any(TRIALS in row for row in rows):
        raise TypeError(f"column {TRIALS!r} is reserved for the ids of trials. Rename the column of the row")
    cleaned = [{column: _plain_value(value, column) for column, value in row.items()} for row in rows]
    return json.loads(json.dumps(cleaned, allow_nan=False))


def check_arrays(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return arrays as they are read back.

    Args:
        arrays: Arrays of an outcome, by name.

    Raises:
        TypeError: An array holds Python objects or has a reserved name.
    """
    checked = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in checked.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects: expected numbers or text")
        if name in ("file", "allow_pickle"):
            raise TypeError(f"array name {name!r} is reserved by np.savez. Rename the array")
    return checked


def _plain_value(value: Any, column: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain_value(v, column) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain_value(v, column) for k, v in value.items()}
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"column {column!r} holds {type(value).__name__}: expected text, a number, a boolean, None, or lists of these")


def array_sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of the dtype, shape and bytes of an array."""
    array = np.asarray(array, order="C")
    return hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode() + array.tobytes()).hexdigest()
