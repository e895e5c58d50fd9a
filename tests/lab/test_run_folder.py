"""A run belongs to one class of machine and to one process at a time."""

import copy
import errno
import functools
import json
import os
import re
import subprocess
import sys

import pytest

from myths.lab.analysis import analyze
from myths.lab.errors import CannotStart
from myths.lab.report import exports, run_view
from myths.lab.storage.run_folder import RunFolder, write_atomically
from myths.lab.trial import canonical
from tests.lab.report import coin

LOCKER = """
import sys, time
from pathlib import Path
from myths.lab.storage.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def invocation(identity):
    return coin.invocation("laptop", identity)


def test_a_new_run_knows_nothing(tmp_path):
    run = RunFolder(tmp_path / "cpu-quick")
    assert run.name == "cpu-quick"
    assert run.metadata() == {"machine_class": None, "data": {}, "invocations": []}
    assert not run.path.exists()


def test_invocations_and_data_notes_add_up(tmp_path):
    run = RunFolder(tmp_path / "new" / "cpu-quick")
    run.add_invocation("cpu", invocation("i1"), {"digits": {"sha256": "a"}})
    run.add_invocation("cpu", invocation("i2"), {"cifar": {"sha256": "b", "note": "café"}})
    metadata = run.metadata()
    assert [i["id"] for i in metadata["invocations"]] == ["i1", "i2"]
    assert metadata["data"] == {"digits": {"sha256": "a"}, "cifar": {"sha256": "b", "note": "café"}}
    assert "café" in (run.path / "run.json").read_text(encoding="utf-8")


def test_another_class_of_machine_is_refused(tmp_path):
    run = RunFolder(tmp_path / "h200-gpu")
    run.add_invocation("h200", invocation("i1"), {})
    with pytest.raises(CannotStart, match=r"run h200-gpu was made on h200, this machine is cpu.*--run"):
        run.add_invocation("cpu", invocation("i2"), {})
    assert [i["id"] for i in run.metadata()["invocations"]] == ["i1"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"machine_class": "cpu"', b"[]", b"{}", b"7", b"\xff\xfe\xff"])
def test_a_damaged_run_json_is_named_and_left_alone(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    for attempt in (RunFolder(tmp_path).metadata, lambda: RunFolder(tmp_path).add_invocation("cpu", {}, {})):
        with pytest.raises(CannotStart, match=r"run\.json.*Restore it or use a different --run"):
            attempt()
    assert (tmp_path / "run.json").read_bytes() == content


def places(value, place=()):
    """Every key and item of a JSON value, as the way to it."""
    for name, inside in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*place, name)
        yield from places(inside, (*place, name))


def changed(metadata, place, value=None):
    """The metadata with another value at a place, or without what is there."""
    metadata = copy.deepcopy(metadata)
    inside = functools.reduce(lambda inside, name: inside[name], place[:-1], metadata)
    if value is None:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return metadata


def test_a_run_json_that_lacks_or_confuses_something_is_refused_or_read_as_ever(tmp_path):
    skipped = [{"myth": coin.COIN.name, "trial": canonical(coin.Toss(coin="krona")), "reason": "no krona here"}]
    run = coin.make_run(tmp_path / "cpu-laptop", heads={"euro": (5040,)}, skipped=skipped)
    whole = run.metadata() | {"notes": ["Made by hand."]}
    refused = {}
    for place in places(whole):
        for value in (None, 7, "7", [7]):
            (run.path / "run.json").write_text(json.dumps(changed(whole, place, value)))
            try:
                shown = run_view.RunView(analyze(coin.COIN, run), "a", run.metadata())
            except CannotStart as error:
                refused[place, value is None] = str(error)
                continue
            for part in (
                "machines",
                "precision",
                "hardware",
                "commits",
                "packages",
                "dates",
                "jobs",
                "cost_summary",
                "data",
                "commands",
                "retry_command",
            ):
                getattr(shown, part)
            exports.claims([shown])
    assert all(re.search(r"run\.json: [a-z]\S* (has no|is) .*Restore it", said) for said in refused.values())
    first = ("invocations", 0)
    assert refused.keys() >= {((*first, name), True) for name in ("commit", "dirty", "arguments", "criteria", "skipped")}
    assert refused.keys() >= {((*first, "arguments", name), kind) for name in ("myths", "profile") for kind in (True, False)}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_run_json_is_whole_or_unchanged(tmp_path, monkeypatch, call):
    run = RunFolder(tmp_path)
    run.add_invocation("cpu", invocation("i1"), {})
    before = (tmp_path / "run.json").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync" if call == "fsync" else "pathlib.Path.replace", full)
        with pytest.raises(CannotStart, match=r"Cannot write .*run\.json: No space left on device\. Free disk space"):
            run.add_invocation("cpu", invocation("i2"), {})
    assert (tmp_path / "run.json").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "run.json"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    run = RunFolder(tmp_path / "file" / "cpu-quick")
    with pytest.raises(CannotStart, match="Cannot read"):
        run.add_invocation("cpu", {}, {})
    with pytest.raises(CannotStart, match=r"Cannot write to .*--results"), run.locked():
        pass
    with pytest.raises(CannotStart, match=r"Cannot write .*--results"):
        write_atomically(run.path / "table.csv", "a\n")


def test_a_second_process_is_kept_out(tmp_path):
    with subprocess.Popen([sys.executable, "-c", LOCKER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(CannotStart, match=r"Another `myths run` is writing to .*--run"), RunFolder(tmp_path).locked():
            pass
        other.kill()  # a killed process leaves no lock behind
        other.wait()
        with RunFolder(tmp_path).locked():
            pass


def test_the_lock_ends_with_an_error(tmp_path):
    with pytest.raises(KeyError), RunFolder(tmp_path).locked():
        raise KeyError
    with RunFolder(tmp_path).locked():
        pass


def test_two_commands_that_write_the_same_file_do_not_disturb_each_other(tmp_path, monkeypatch):
    """`myths report` computes the tables of a run that `myths run` still writes."""
    file, sync, pid = tmp_path / "claims.csv", os.fsync, os.getpid()

    def other_command(descriptor):
        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        write_atomically(file, "other")
        assert file.read_text() == "other"
        monkeypatch.setattr(os, "getpid", lambda: pid)

    monkeypatch.setattr(os, "fsync", other_command)
    write_atomically(file, "one")
    assert file.read_text() == "one"
    assert os.listdir(tmp_path) == ["claims.csv"]
