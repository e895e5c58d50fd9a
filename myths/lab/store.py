"""Where finished trials are kept: one line a trial in ``trials.jsonl``, arrays in ``arrays/<id>.npz``.

A line is appended and fsynced the moment its trial finishes, so whatever ends the process loses at
most the trial that was running. Tables, claims and figures are derived from these lines alone.

- A line is JSON: the id, the trial as ``canonical`` writes it, its protocol, and the fields of its ``TrialRecord``.
  The id is recomputed when read. ``record_error`` says what is wrong with a line.
- A last line cut short is ignored with a warning, and taken away when the next one is written. Any other line that is no result
  stops the reading with the number of the line.
- A line of an unknown class, another version or settings that no longer fit is stale: kept, and left out of everything.
- Of several lines of one trial the newest "ok" one made from the data that lie here counts; a failed trial runs again.
- Arrays are written to the side and renamed before their line; a file that does not match its hashes is refused when read.
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
"""Gives the content hash of a data set as it lies here, None where it does not."""


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial as stored: the typed trial, what it gave, and under what circumstances. The fields are the keys of its line."""

    trial: Trial
    status: Literal["ok", "failed"]
    rows: list[dict[str, Any]] = field(default_factory=list)
    arrays: Mapping[str, str] = field(default_factory=dict)
    """Array name to the SHA-256 of its dtype, shape and bytes."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Data set to its content hash."""
    seconds: Annotated[float, Range(at_least=0)] = 0.0
    peak_memory_bytes: Annotated[int, Range(at_least=0)] = 0
    device: str = "cpu"
    invocation: str = ""
    """Id of the invocation in ``run.json``."""
    error: str | None = None
    energy_joules: Annotated[float, Range(above=0)] | None = None
    """None where a GPU's power could not be read."""
    attempt: Annotated[int, Range(at_least=1)] = 1
    """1 for the first success of a trial, then counted on: ``myths run --again``, or arrays that were gone."""
    concurrent_trials: Annotated[int, Range(at_least=0)] = 0
    """How many other trials ran beside it at most; its seconds are then not those of a trial that has the device for itself."""

    @property
    def has_comparable_seconds(self) -> bool:
        """Whether its seconds say how long it takes. On a GPU that it shared with others they do not; a CPU is shared out by cores."""
        return self.device == "cpu" or not self.concurrent_trials

    def matches_data(self, hashes: HashLookup) -> bool:
        """Whether no data set that it was made from lies here with another content."""
        return all(hashes(name) in (None, sha256) for name, sha256 in self.data.items())

    def to_json(self) -> dict[str, Any]:
        """Return the stored form. What most trials have no use for is left out where it says nothing."""
        found: dict[str, Any] = {"id": self.trial.id, **canonical(self.trial), "protocol": self.trial.protocol}
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if each.name in _DECIMALS and value is not None:
                value = round(value, _DECIMALS[each.name])
            if each.name not in OPTIONAL_KEYS or value != each.default:
                found[each.name] = dict(value) if isinstance(value, Mapping) else value
        return found


OPTIONAL_KEYS = ("energy_joules", "attempt", "concurrent_trials")
"""What a line holds only where it differs from the default."""
_DECIMALS = {"seconds": 3, "energy_joules": 1}


def record_error(line: Any) -> str | None:
    """Return what keeps a line of ``trials.jsonl`` from being a result; None for a result. Further keys are no fault here."""
    if not isinstance(line, dict):
        return "it is no object"
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
    """Key of a line -> its type and its default."""
    hints = typing.get_type_hints(TrialRecord, include_extras=True)
    of_trial: dict[str, Any] = {"id": str, "trial": str, "version": int, "settings": dict, "protocol": str}
    return {name: (hint, None) for name, hint in of_trial.items()} | {f.name: (hints[f.name], f.default) for f in fields(TrialRecord)[1:]}


RECORD_KEYS = frozenset(_keys())
"""What a line may hold."""


def _is_of(value: Any, hint: Any) -> bool:
    """Whether a value as JSON gives it is of a type and within its rules."""
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
    """Arrays of a stored trial, read from disk only when asked for, and compared with their hashes then.

    Raises MythsError for a file that is damaged or belongs to another execution of the trial.
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
                f"arrays/{self.path.name} does not hold what its trial stored: delete it, and the trial runs again when needed"
            )
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.sha256)

    def __len__(self) -> int:
        return len(self.sha256)


class Store:
    """The results of one myth in one run folder.

    ``stale`` lists the lines that name an unknown class, an old version or settings that the
    class no longer takes: they are kept in the file and left out of everything. Records of the ``shared`` invocations count as made
    beside others, whatever their lines say.
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
        """Bytes of the file after the last line that was appended; at that length it ends with a whole line."""
        for number, line in enumerate(complete_lines(self.file), start=1):
            if line.strip():
                self._parse_line(line, number)

    def finished(self, trial: Trial, hashes: HashLookup = lambda name: None) -> TrialRecord | None:
        """The newest successful record of a trial made from data that agree with what lies here."""
        return next((r for r in reversed(self.attempts(trial)) if r.matches_data(hashes)), None)

    def attempts(self, trial: Trial) -> list[TrialRecord]:
        """Return every successful record of a trial, the oldest first."""
        return [record for record in self._by_id.get(trial.id, ()) if record.status == "ok"]

    def has_arrays(self, record: TrialRecord) -> bool:
        """Whether the arrays of a record are still on disk, not replaced by those of a later execution of its trial."""
        if not record.arrays:
            return True
        same = (r for r in reversed(self._by_id.get(record.trial.id, ())) if r.arrays)
        return next(same, record).arrays == record.arrays and self._array_file(record.trial.id).exists()

    def outcome(self, record: TrialRecord) -> Outcome:
        """What the trial returned, arrays read when used."""
        return Outcome(record.rows, LazyArrays(self._array_file(record.trial.id), record.arrays) if record.arrays else {})

    def append(self, record: TrialRecord, arrays: Mapping[str, np.ndarray] | None = None) -> TrialRecord:
        """Stores a finished trial; when this returns it is on disk.

        Raises CannotStart when there is no room or the folder cannot be written: what was finished before stays.
        """
        try:
            if not self._whole_bytes:
                self.folder.mkdir(parents=True, exist_ok=True)
            if record.status == "ok" and record.attempt != (attempt := 1 + len(self.attempts(record.trial))):
                record = replace(record, attempt=attempt)
            if arrays:
                record = replace(record, arrays=self._save_arrays(record.trial.id, arrays))
            self._whole_bytes = _append_line(self.file, _dumps(record.to_json()), self._whole_bytes)
        except OSError as error:
            raise CannotStart(
                f"cannot write {self.file}: {error.strerror or error}; make room or pass another --results folder, then run again"
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
            raise CannotStart(f"{self.file} line {number} is not a result: delete that line (its trial runs again) or put the file back")
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
    """The successful trials of one myth in one run, for tables: typed trials and their rows.

    Holds one record a trial, all made from the same data: where lines were made from different
    contents of a data set, those that agree with the data here count, else the newest.
    """

    def __init__(self, records: Sequence[TrialRecord], hashes: HashLookup = lambda name: None) -> None:
        accepted = _accepted_data([r for r in records if r.status == "ok"], hashes)
        self.records = list(
            {
                r.trial.id: r for r in records if r.status == "ok" and all(accepted[name] == sha256 for name, sha256 in r.data.items())
            }.values()
        )
        self.n_excluded = len({r.trial.id for r in records if r.status == "ok"}) - len(self.records)

    def of(self, kind: type[T]) -> Iterator[tuple[T, TrialRecord]]:
        """Each finished trial of a class with its record."""
        for record in self.records:
            if type(record.trial) is kind:
                yield record.trial, record

    def frame(self, kind: type[T], **columns: Callable[[T], Any]) -> pd.DataFrame:
        """One line a row: the row's values, the trial's plain settings, ``protocol``, ``device``, and ``columns`` computed from the trial.

        Empty where no such trial has finished. A row's own value wins over a setting of the same name. The last column, ``trials``, is
        the trial's id; a table that puts rows together unites it (``myths.lab.tables``).
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
    here = functools.cache(hashes)  # each data set is looked up once, not once for each record
    for record in records:
        for name, sha256 in record.data.items():
            if accepted.get(name) is None or accepted[name] != here(name):
                accepted[name] = sha256
    return accepted


def complete_lines(file: Path) -> Iterator[str]:
    """Yield the lines of a file of results; a last line cut short by a crash is warned of and left out."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotStart(f"cannot read {file}: {error.strerror}") from error
    *lines, last = content.split(b"\n")
    if last and _is_json(last):
        lines.append(last)
    elif last:
        warnings.warn(f"{file} ends in the middle of a line: that trial runs again", stacklevel=3)
    for line in lines:
        yield line.decode(errors="replace")


def _append_line(file: Path, text: str, whole_bytes: int) -> int:
    """Append a line. The file is opened each time: it may have been replaced meanwhile.

    Args:
        file: The file.
        text: The line.
        whole_bytes: The length at which the file is known to end with a whole line.

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
    """Takes away what a crash left of a last line, so that the next line starts on its own."""
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


def _dumps(line: Mapping[str, Any]) -> str:
    return _ENCODER.encode(line)


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def check_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they will be read back: plain values, NaN and infinities as None.

    Raises TypeError that names the column for a value that JSON cannot hold, and for a column that tables fill.
    """
    if any(TRIALS in row for row in rows):
        raise TypeError(f"column {TRIALS!r} of a row is filled by tables with the ids of trials; choose another name")
    cleaned = [{column: _plain_value(value, column) for column, value in row.items()} for row in rows]
    return json.loads(json.dumps(cleaned, allow_nan=False))


def check_arrays(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Arrays as they will be read back.

    Raises TypeError for one that cannot be stored: of Python objects, or by a name that ``np.savez`` has taken.
    """
    checked = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    for name, array in checked.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; only numbers and text can be stored")
        if name in ("file", "allow_pickle"):
            raise TypeError(f"no array may be called {name!r}")
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
    raise TypeError(f"column {column!r} holds {type(value).__name__}; a row may hold plain values only")


def array_sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of the dtype, shape and bytes of an array."""
    array = np.asarray(array, order="C")
    return hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode() + array.tobytes()).hexdigest()
