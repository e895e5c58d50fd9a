"""What was stored can be read back, whatever happened to the process, the disk or the file."""

import errno
import json
import math
import os
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.lab.errors import CannotStart, MythsError
from myths.lab.execution.executors import execute
from myths.lab.storage.store import OPTIONAL_KEYS, RECORD_KEYS, Results, Store, TrialRecord, check_arrays, check_rows, record_error
from myths.lab.trial import Context, Outcome, Trial


@dataclass(frozen=True, kw_only=True)
class Toss(Trial):
    bias: float = 0.5
    seed: int = 0
    note: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Newer(Trial):
    version: ClassVar[int] = 2
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Gives(Trial):
    """Returns whatever the test wants a trial to return."""

    what: ClassVar[object] = None

    def run(self, context: Context) -> Outcome:
        return self.what  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Timed(Trial):
    """Measures time."""

    exclusive: ClassVar[bool] = True
    seed: int = 0


TYPES = {kind.__name__: kind for kind in (Toss, Newer)}
HERE = {"digits": "aaa", "cifar": "bbb"}.get


def store_in(folder: Path) -> Store:
    return Store(folder / "myth", TYPES)


def record(seed: int = 0, status: str = "ok", **more) -> TrialRecord:
    return TrialRecord(Toss(seed=seed), status, **({"rows": [{"heads": seed}]} | more))  # type: ignore[arg-type]


def filled(folder: Path, *records: TrialRecord) -> Path:
    store = store_in(folder)
    for each in records:
        store.append(each)
    return store.file


# --- round trip ----------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_went_in(tmp_path):
    arrays = {"counts": np.arange(6, dtype=np.uint8).reshape(2, 3).T, "mean": np.float64(0.5), "names": np.array(["a", "ü"])}
    before = record(3, data={"digits": "aaa"}, seconds=1.25, peak_memory_bytes=7, device="h200", invocation="i1")
    stored = store_in(tmp_path).append(before, check_arrays(arrays))
    (after,) = store_in(tmp_path).records
    assert after == stored
    assert replace(after, arrays={}) == before
    outcome = store_in(tmp_path).outcome(after)
    assert outcome.rows == [{"heads": 3}]
    assert set(outcome.arrays) == set(arrays)
    for name, array in arrays.items():
        assert np.array_equal(outcome.arrays[name], array)
        assert outcome.arrays[name].shape == np.shape(array)
        assert outcome.arrays[name].dtype == np.asarray(array).dtype


def test_the_line_is_that_of_the_design(tmp_path):
    line = json.loads(filled(tmp_path, record(3)).read_text())
    assert set(line) == {
        "id", "trial", "version", "settings", "protocol", "status", "rows", "arrays", "data", "seconds", "peak_memory_bytes", "device",
        "invocation", "error",
    }  # fmt: skip
    assert (line["id"], line["trial"], line["settings"], line["protocol"]) == (Toss(seed=3).id, "Toss", {"seed": 3}, "reduced")


@settings(deadline=None, max_examples=50)
@given(st.text(), st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()), max_size=3))
def test_any_text_and_any_plain_row_come_back(error, row):
    with tempfile.TemporaryDirectory() as folder:
        before = record(rows=check_rows([row]), error=error)
        filled(Path(folder), before)
        assert store_in(Path(folder)).records == [before]


def test_an_error_with_a_broken_file_name_is_stored(tmp_path):
    error = "no file " + b"caf\xe9".decode(errors="surrogateescape")
    filled(tmp_path, record(1, "failed", error=error), record(2))
    assert [r.error for r in store_in(tmp_path).records] == [error, None]


# --- crashes -------------------------------------------------------------------------------------

WHOLE = [record(0), record(1, "failed", error="é ≥ \n"), record(2, rows=[{"x": None, "t": "…"}] * 3), record(3, rows=[])]


def whole_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return filled(Path(folder), *WHOLE).read_bytes()


BYTES = whole_file()
ENDS = [i for i, byte in enumerate(BYTES) if byte == ord("\n")]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(BYTES)) | st.sampled_from([e + d for e in ENDS for d in (-1, 0, 1)]))
def test_any_prefix_of_a_file_is_readable_and_can_be_gone_on_with(cut):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "myth" / "trials.jsonl"
        file.parent.mkdir()
        file.write_bytes(BYTES[:cut])
        whole = sum(cut >= end for end in ENDS)  # a line that lacks nothing but its end is whole
        begun = cut > 0 and cut not in ENDS and BYTES[cut - 1] != ord("\n")
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            store = store_in(Path(folder))
        assert store.records == WHOLE[:whole]
        assert [str(w.message).endswith("the last line is truncated; its trial will be re-run") for w in warned] == [True] * begun
        store.append(record(9))
        again = store_in(Path(folder))  # a warning would be an error here
        assert again.records == [*WHOLE[:whole], record(9)]
        assert file.read_bytes().startswith(BYTES[: ENDS[whole - 1] + 1] if whole else b"")


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"not json",
        b"[1, 2]",
        b"3",
        b"{}",
        b'{"trial": "Toss"}',
        BYTES[: ENDS[0]].replace(b'"version"', b'"edition"'),
        b"\xff\xfe",
        BYTES[: ENDS[0]][:-9],
        BYTES[: ENDS[0]] * 2,
    ],
)
def test_a_mangled_line_in_the_middle_is_named(tmp_path, line):
    file = filled(tmp_path, record(0), record(1))
    first, second = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([first, line, second, b""]))
    with pytest.raises(CannotStart, match=r"trials\.jsonl, line 2: invalid record\. Delete the line"):
        store_in(tmp_path)


LINE = {**json.loads(BYTES[: ENDS[0]]), "energy_joules": 2.5, "attempt": 2, "concurrent_trials": 1, "host": "a CPU, 2 cores"}
ODD = [None, True, -1, 1.5, math.inf, "odd", [], [3], {}, {"a": 3}, {"a": [None]}]
FINE = {
    "rows": [[]], "settings": [{}, {"a": 3}, {"a": [None]}], "arrays": [{}], "data": [{}], "seconds": [1.5], "energy_joules": [1.5],
    **{name: ["odd"] for name in ("id", "trial", "protocol", "device", "invocation", "host")}, "error": ["odd", None], "version": [-1],
}  # fmt: skip
"""Of these values, those that a key may have."""


@pytest.mark.parametrize("name", sorted(RECORD_KEYS))
def test_a_line_with_a_key_missing_or_an_odd_value_is_no_result(name):
    assert record_error(LINE) is None
    without = {key: value for key, value in LINE.items() if key != name}
    assert record_error(without) == (None if name in OPTIONAL_KEYS else f"it has no {name}")
    for value in ODD:
        fault = record_error({**LINE, name: value})
        assert (fault is None) == any(type(value) is type(fine) and value == fine for fine in FINE.get(name, [])), (value, fault)
        assert fault is None or fault.startswith(f"its {name} is ")


def test_a_line_holds_the_fields_of_its_record_and_what_the_trial_is(tmp_path):
    """What most trials have no use for is there where it says something."""
    plain, seldom = (
        record(0, **more).to_json() for more in ({}, {"energy_joules": 2.52, "attempt": 2, "concurrent_trials": 1, "host": "h"})
    )
    assert RECORD_KEYS - set(plain) == set(OPTIONAL_KEYS)
    assert set(seldom) == RECORD_KEYS
    assert (seldom["energy_joules"], seldom["attempt"], seldom["concurrent_trials"]) == (2.5, 2, 1)


def test_empty_lines_are_nothing(tmp_path):
    file = filled(tmp_path, record(0), record(1))
    file.write_bytes(b"\n" + file.read_bytes().replace(b"\n", b"\n\n"))
    assert store_in(tmp_path).records == [record(0), record(1)]


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_no_space_left(tmp_path, monkeypatch, where):
    store = store_in(tmp_path)
    store.append(record(0))
    before = store.file.read_bytes()
    store = store_in(tmp_path)  # another process, which looks at the end of the file first

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        if where == "fsync":
            patched.setattr("os.fsync", full)
        else:
            patched.setattr("myths.lab.storage.store._truncate_partial_line", full)
        with pytest.raises(CannotStart, match="No space left on device\\. Free disk space"):
            store.append(record(1))
        with pytest.raises(CannotStart, match="No space left on device\\. Free disk space"):
            store.append(record(2), {"a": np.arange(9)})
    assert store.file.read_bytes().startswith(before)
    assert not list(tmp_path.rglob("*.partial"))
    store.append(record(3))
    seeds = [r.trial.seed for r in store_in(tmp_path).records]
    assert (seeds[0], seeds[-1]) == (0, 3)


def test_half_a_line_before_the_disk_was_full(tmp_path, monkeypatch):
    """The file system took some of the line; the next line starts on its own all the same."""
    store = store_in(tmp_path)
    store.append(record(0))

    def half(file, text, whole_bytes):
        with file.open("ab") as handle:
            handle.write(text.encode()[:30])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("myths.lab.storage.store._append_line", half)
        with pytest.raises(CannotStart):
            store.append(record(1))
    with pytest.warns(UserWarning, match="is truncated"):
        assert store_in(tmp_path).records == [record(0)]
    store.append(record(2))
    assert store_in(tmp_path).records == [record(0), record(2)]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "myth").write_text("a file in its place")
    with pytest.raises(CannotStart, match="Cannot read"):
        store_in(tmp_path)
    (tmp_path / "myth").unlink()
    store = store_in(tmp_path)
    (tmp_path / "myth").write_text("a file in its place")
    with pytest.raises(CannotStart, match=r"Cannot write .*use a different --results folder"):
        store.append(record(0))


# --- what a file may hold ------------------------------------------------------------------------


def test_what_the_classes_no_longer_know_is_stale_and_stays_in_the_file(tmp_path):
    file = filled(tmp_path, record(0))
    known = json.loads(file.read_text())
    strange = [
        known | {"trial": "Gone"},
        known | {"trial": "Newer"},  # at version 1
        known | {"settings": {"sides": 6}},
        known | {"settings": {"seed": "many"}},
        known | {"settings": {"seed": {"trial": "Gone", "version": 1, "settings": {}}}},
        known | {"id": "0" * 12},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in [*strange, known]))
    store = store_in(tmp_path)
    assert store.records == [record(0)]
    assert len(store.stale) == len(strange)
    assert store.stale[:2] == ["Gone version 1", "Newer version 1"]
    store.append(record(1))
    assert len(file.read_text().splitlines()) == len(strange) + 2


def test_two_files_merge_with_cat(tmp_path):
    one, other = (filled(tmp_path / name, record(0), record(seed)) for name, seed in (("one", 1), ("other", 2)))
    merged = tmp_path / "merged" / "myth" / "trials.jsonl"
    merged.parent.mkdir(parents=True)
    merged.write_bytes(one.read_bytes() + other.read_bytes())
    assert {r.trial.seed for r in store_in(tmp_path / "merged").records} == {0, 1, 2}
    assert len(Results(store_in(tmp_path / "merged").records).records) == 3


def test_a_failed_trial_is_finished_by_a_later_success(tmp_path):
    filled(tmp_path, record(0, "failed", rows=[], error="no luck"))
    assert store_in(tmp_path).finished(Toss()) is None
    assert Results(store_in(tmp_path).records).records == []
    filled(tmp_path, record(0, seconds=2.0))
    store = store_in(tmp_path)
    assert store.finished(Toss()) == store.records[1]
    assert Results(store.records).records == [store.records[1]]
    filled(tmp_path, record(0, "failed", error="again"))
    assert store_in(tmp_path).finished(Toss()) == store.records[1]


def test_the_newest_success_counts(tmp_path):
    filled(tmp_path, record(0, invocation="old"), record(0, invocation="new"))
    store = store_in(tmp_path)
    assert [r.invocation for r in Results(store.records).records] == ["new"]
    found = store.finished(Toss())
    assert found is not None
    assert found.invocation == "new"


# --- data ----------------------------------------------------------------------------------------


def test_what_was_made_from_other_data_is_kept_but_not_used_again(tmp_path):
    filled(tmp_path, record(0, data={"digits": "old"}), record(1, data={"digits": "aaa"}), record(2, data={"elsewhere": "x"}))
    store = store_in(tmp_path)
    assert len(store.records) == 3
    assert store.finished(Toss(seed=0), HERE) is None
    assert store.finished(Toss(seed=1), HERE) is not None
    assert store.finished(Toss(seed=2), HERE) is not None  # that data set does not lie here: nothing speaks against it
    store.append(record(0, data={"digits": "aaa"}))
    assert store.finished(Toss(seed=0), HERE) is store.records[-1]


@pytest.mark.parametrize("order", [1, -1])
def test_results_of_different_data_are_never_mixed(tmp_path, order):
    made = [record(0, data={"digits": "old"}), record(1, data={"digits": "aaa"}), record(2, data={"digits": "old"}), record(3)]
    filled(tmp_path, *made[::order])
    here = Results(store_in(tmp_path).records, HERE)
    assert {r.trial.seed for r in here.records} == {1, 3}  # what agrees with the data here, in whatever order
    assert here.n_excluded == 2
    elsewhere = Results(store_in(tmp_path).records)
    newest = {1: {0, 2, 3}, -1: {0, 2, 3}}[order]
    assert {r.trial.seed for r in elsewhere.records} == newest
    assert elsewhere.n_excluded == 1


def test_without_the_data_the_newest_content_counts(tmp_path):
    filled(tmp_path, record(0, data={"digits": "old"}), record(1, data={"digits": "new", "cifar": "c"}), record(0, data={"digits": "new"}))
    results = Results(store_in(tmp_path).records)
    assert {r.trial.seed: r.data["digits"] for r in results.records} == {0: "new", 1: "new"}
    assert results.n_excluded == 0


# --- arrays --------------------------------------------------------------------------------------


def test_arrays_are_read_only_when_asked_for(tmp_path, monkeypatch):
    store_in(tmp_path).append(record(0), {"a": np.arange(3), "b": np.ones((2, 2), np.float32)})
    opened = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda *args, **more: opened.append(args) or load(*args, **more))
    store = store_in(tmp_path)
    arrays = store.outcome(store.records[0]).arrays
    assert sorted(arrays) == ["a", "b"]
    assert "c" not in arrays
    assert opened == []
    assert arrays["a"].tolist() == [0, 1, 2]
    assert len(opened) == 1
    with pytest.raises(KeyError):
        arrays["c"]


def test_gone_arrays_are_noticed(tmp_path):
    store = store_in(tmp_path)
    with_arrays, without = store.append(record(0), {"a": np.arange(3)}), store.append(record(1))
    assert store.has_arrays(with_arrays)
    assert store.has_arrays(without)
    (file,) = (store.folder / "arrays").iterdir()
    assert file.name == f"{Toss().id}.npz"
    file.unlink()
    assert not store.has_arrays(with_arrays)
    with pytest.raises(MythsError, match=rf"arrays/{Toss().id}\.npz does not match .* Delete it"):
        store.outcome(with_arrays).arrays["a"]


@pytest.mark.parametrize("damage", [b"", b"PK", b"no archive"])
def test_damaged_arrays_are_never_used(tmp_path, damage):
    store = store_in(tmp_path)
    stored = store.append(record(0), {"a": np.arange(300)})
    (file,) = (store.folder / "arrays").iterdir()
    file.write_bytes(damage + file.read_bytes()[len(damage) : 700] if damage else b"")
    with pytest.raises(MythsError, match="Delete it; the trial is re-run"):
        store.outcome(stored).arrays["a"]


def test_arrays_of_another_execution_are_never_used(tmp_path):
    """The line of the second execution was lost, or lies further down: the file belongs to neither the first line nor its data."""
    store = store_in(tmp_path)
    first = store.append(record(0, data={"digits": "old"}), {"a": np.arange(3)})
    second = store.append(record(0, data={"digits": "aaa"}), {"a": np.arange(4)})
    assert not store.has_arrays(first)
    assert store.has_arrays(second)
    assert store.outcome(second).arrays["a"].tolist() == [0, 1, 2, 3]
    with pytest.raises(MythsError, match="does not match its stored hash"):
        store.outcome(first).arrays["a"]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["<f4", ">f8", "u1", "?", "c16", "<U3"]), st.lists(st.integers(0, 3), max_size=3).map(tuple), st.booleans())
def test_the_hash_of_an_array_is_of_what_is_read_back(dtype, shape, fortran):
    array = np.zeros(shape, dtype, order="F" if fortran else "C")
    with tempfile.TemporaryDirectory() as folder:
        store = store_in(Path(folder))
        stored = store.append(record(0), check_arrays({"a": array}))
        again = store.outcome(stored).arrays["a"]
        assert (again.shape, again.dtype) == (array.shape, array.dtype)


# --- rows ----------------------------------------------------------------------------------------


def gives(what: object):
    Gives.what = what  # type: ignore[misc]
    return execute(Gives(), Context(Gives()))


def test_rows_hold_plain_values():
    row = {
        "nan": math.nan, "inf": -math.inf, "npnan": np.float32("nan"), "i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True),
        "s": np.str_("é"), "none": None, "list": [1, math.nan, (np.int8(2),)], "nested": {"a": math.inf},
    }  # fmt: skip
    execution = gives(Outcome([row]))
    assert execution.error is None
    assert execution.outcome is not None
    assert execution.outcome.rows == [
        {
            "nan": None, "inf": None, "npnan": None, "i": 3, "f": 0.5, "b": True,
            "s": "é", "none": None, "list": [1, None, [2]], "nested": {"a": None},
        }
    ]  # fmt: skip
    assert all(type(v) in (type(None), int, float, bool, str, list, dict) for v in execution.outcome.rows[0].values())


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", Path(), 1j, np.arange(2), np.complex64(1j), [object()]])
def test_a_row_that_cannot_be_stored_fails_its_trial(value):
    execution = gives(Outcome([{"accuracy": 0.5, "what": value}]))
    assert execution.outcome is None
    assert execution.error is not None
    assert "column 'what' holds " in execution.error


@pytest.mark.parametrize(
    ("arrays", "message"),
    [({"a": np.array([None, 1])}, "holds Python objects"), ({"file": np.arange(2)}, "array name 'file' is reserved")],
)
def test_an_array_that_cannot_be_stored_fails_its_trial(arrays, message):
    execution = gives(Outcome([], arrays))
    assert execution.outcome is None
    assert message in (execution.error or "")


@pytest.mark.parametrize("nothing", [None, [{"a": 1}], 7])
def test_a_trial_that_returns_no_outcome_has_failed(nothing):
    execution = gives(nothing)
    assert execution.outcome is None
    assert execution.error is not None


# --- tables --------------------------------------------------------------------------------------


def test_a_frame_has_settings_rows_and_computed_columns(tmp_path):
    filled(tmp_path, record(1, rows=[{"x": 1}, {"x": 2, "seed": "own"}], device="h200"), record(0), record(2, "failed"))
    results = Results(store_in(tmp_path).records)
    frame = results.frame(Toss, double=lambda t: 2 * t.seed)
    assert frame["seed"].tolist() == [1, "own", 0]
    assert frame["bias"].tolist() == [0.5] * 3
    assert frame["double"].tolist() == [2, 2, 0]
    assert frame["device"].tolist() == ["h200", "h200", "cpu"]
    assert frame["protocol"].tolist() == ["reduced"] * 3
    assert {"note", "x", "heads"} < set(frame)
    assert not {"id", "tags"} & set(frame)
    assert len(results.frame(Newer)) == 0
    assert [t.seed for t, _ in results.of(Toss)] == [1, 0]


def test_the_content_of_a_data_set_is_looked_up_once_for_all_records():
    """It reads a file, and a run has thousands of records."""
    asked = []
    stored = [replace(record(seed), data={"coins": "ab", "dice": "cd"}) for seed in range(50)]
    assert len(Results(stored, lambda name: asked.append(name)).records) == 50
    assert sorted(asked) == ["coins", "dice"]


def test_times_of_several_kinds_of_machines_are_never_mixed():
    """Those of most machines count; other trials count wherever they ran. An invocation tells the host of records without one."""
    hosts = {"one": "slow, 2 cores", "two": "fast, 4 cores"}
    times = [TrialRecord(Timed(seed=seed), "ok", [{"n": 1}], invocation="one") for seed in range(2)]
    times += [TrialRecord(Timed(seed=2), "ok", [{"n": 1}], invocation="two", host="slow, 2 cores")]
    others = [TrialRecord(Timed(seed=seed), "ok", [{"n": 2}], invocation="two") for seed in (0, 3)]
    others += [TrialRecord(Timed(seed=4), "ok", [{"n": 2}], invocation="one", device="h100")]
    plain = [record(seed, invocation=invocation) for seed, invocation in enumerate(("one", "two"))]
    found = Results([*times, *others, *plain], hosts=hosts)
    assert found.records == [*times, *plain]
    assert (found.timed_on, found.n_other_machines, found.n_excluded) == (("cpu", "slow, 2 cores"), 2, 0)
    alike = Results([*times, *plain], hosts=hosts)
    assert (alike.records, alike.timed_on, alike.n_other_machines) == ([*times, *plain], None, 0)
