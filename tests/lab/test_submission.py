"""An archive that was changed anywhere is found out, and one made to do harm is not opened."""

import gzip
import hashlib
import io
import json
import re
import tarfile

import pytest

from myths.lab import submission
from myths.lab.errors import CannotStart, UsageError
from myths.lab.submission import SUMS, submit, verify
from tests.lab.report import coin

MYTHS = (coin.COIN,)
TRIALS = "fair_coin/trials.jsonl"


@pytest.fixture
def run(tmp_path):
    made = coin.make_run(tmp_path / "local" / "cpu-laptop")
    (made.path / "fair_coin" / "arrays").mkdir()
    (made.path / "fair_coin" / "arrays" / "x.npz").write_text("x")
    return made


@pytest.fixture
def archive(run, tmp_path):
    return submit(run, tmp_path, MYTHS)


def contents(archive):
    with tarfile.open(archive) as tar:
        return {member.name.partition("/")[2]: tar.extractfile(member).read() for member in tar}


def repacked(archive, change, sums=True):
    """The archive after a change to its files; by a forger who renews the checksums, or by somebody who does not."""
    files = contents(archive)
    change(files)
    if sums:
        lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items() if name != SUMS)
        files[SUMS] = "".join(lines).encode()
    archive.write_bytes(submission._packed("cpu-laptop", files))
    return archive


def line_changed(**changes):
    def change(files):
        first, *rest = files[TRIALS].decode().splitlines()
        files[TRIALS] = "\n".join([json.dumps({**json.loads(first), **changes}), *rest, ""]).encode()

    return change


def replaced(name, one, other):
    def change(files):
        assert one.encode() in files[name]
        files[name] = files[name].replace(one.encode(), other.encode(), 1)

    return change


def test_what_was_submitted_is_verified(archive):
    assert archive.name == "cpu-laptop.tar.gz"
    assert sorted(contents(archive)) == sorted(
        [SUMS, "run.json", *(f"fair_coin/{name}" for name in ("claims.csv", "tosses.csv", "trials.jsonl", "figures/heads.svg"))]
    )
    assert verify(archive, MYTHS) == []


def test_the_same_run_gives_the_same_bytes_and_stays_as_it_is(run, archive, tmp_path):
    before = sorted(path for path in run.path.rglob("*"))
    first = archive.read_bytes()
    assert submit(run, tmp_path, MYTHS).read_bytes() == first
    assert sorted(path for path in run.path.rglob("*")) == before


def test_a_published_run_can_be_submitted_as_well(tmp_path):
    assert verify(submit(coin.make_run(tmp_path / "published" / "cpu-laptop"), tmp_path, MYTHS), MYTHS) == []


def test_what_the_suite_no_longer_knows_stays_behind(run, tmp_path):
    with (run.path / TRIALS).open("a") as file:
        file.write(json.dumps({**coin.lines(run.path / TRIALS)[0], "version": 0}) + "\n")
    archive = submit(run, tmp_path, MYTHS)
    assert len(contents(archive)[TRIALS].splitlines()) == len(coin.lines(run.path / TRIALS)) - 1
    assert verify(archive, MYTHS) == []


@pytest.mark.parametrize(("changes", "message"), [({"dirty": True}, "uncommitted"), ({"heads": {}}, "no results")])
def test_what_may_not_be_published_is_not_packed(tmp_path, changes, message):
    run = coin.make_run(tmp_path / "local" / "cpu-laptop", **changes)
    with pytest.raises(CannotStart, match=message):
        submit(run, tmp_path, MYTHS)
    assert not list(tmp_path.glob("*.gz"))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (line_changed(rows=[{"dataset": "ducat", "heads": 9000, "times": 10_000}]), "tosses.csv is not what its trials give"),
        (line_changed(settings={"coin": "ducat", "seed": 7, "times": 10_000}), "it calls itself"),
        (line_changed(protocol="reduced"), "of the protocol paper, it says reduced"),
        (line_changed(invocation="20260101T000000-ffff"), "run.json does not know"),
        (line_changed(seconds="long"), "seconds is a str"),
        (line_changed(extra=1), "line 1 is not a result"),
        (line_changed(energy_joules="much"), "its energy_joules is 'much'"),
        (line_changed(rows=[{"dataset": "ducat"}]), "not what its trials give|no tables can be made"),
        (replaced("run.json", '"dirty": false', '"dirty": true'), "not made from a clean commit"),
        (replaced("run.json", "invocations", "inventions"), "run.json is not the record of a run"),
        (replaced("fair_coin/claims.csv", "reproduced", "refuted"), "claims.csv is not what its trials give: row 1, verdict"),
        (replaced("fair_coin/tosses.csv", "54", "55"), "tosses.csv is not what its trials give: row 1, heads"),
        (lambda files: files.pop("fair_coin/claims.csv"), "claims.csv is not there"),
        (lambda files: files.update({"fair_coin/nothing.csv": b"a\n1\n"}), "its trials give no rows"),
        (lambda files: files.update({"fair_coin/arrays/x.npz": b""}), "arrays/x.npz is nothing that a run"),
        (lambda files: files.update({"run.json/x": b""}), "run.json/x is nothing that a run"),
        (lambda files: files.update({"other_myth/trials.jsonl": b"{}\n"}), "other_myth/trials.jsonl is nothing that a run"),
    ],
)
def test_a_forgery_with_new_checksums_is_found_out(archive, change, finding):
    found = verify(repacked(archive, change), MYTHS)
    assert any(re.search(finding, sentence) for sentence in found), found


def test_a_change_without_new_checksums_is_found_by_them(archive):
    found = verify(repacked(archive, replaced("fair_coin/figures/heads.svg", "<svg", "<SVG"), sums=False), MYTHS)
    assert found == [f"fair_coin/figures/heads.svg is not what {SUMS} says: it was changed or damaged"]


def test_a_last_digit_of_another_machine_is_no_finding(archive):
    assert verify(repacked(archive, replaced("fair_coin/tosses.csv", ",53.8\n", ",53.80000001\n")), MYTHS) == []


def tar_of(*entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry, io.BytesIO())
    return gzip.compress(buffer.getvalue())


@pytest.mark.parametrize(
    "entries",
    [
        [("../outside", tarfile.REGTYPE)],
        [("run/../../outside", tarfile.REGTYPE)],
        [("/tmp/outside", tarfile.REGTYPE)],
        [("run/.hidden", tarfile.REGTYPE)],
        [("run/run.json", tarfile.SYMTYPE)],
        [("run/run.json", tarfile.LNKTYPE)],
        [("run/device", tarfile.CHRTYPE)],
        [("run/a", tarfile.REGTYPE), ("run/a", tarfile.REGTYPE)],
        [("run/a\nb", tarfile.REGTYPE)],
    ],
)
def test_an_archive_made_to_do_harm_is_not_opened(tmp_path, entries):
    (tmp_path / "x.tar.gz").write_bytes(tar_of(*entries))
    with pytest.raises(CannotStart, match="not opened"):
        verify(tmp_path / "x.tar.gz", MYTHS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


def test_an_archive_that_swells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "MOST_BYTES", 2**20)
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(bytes(2**21)))
    with pytest.raises(CannotStart, match="more than 1 MiB"):
        verify(tmp_path / "x.tar.gz", MYTHS)


def test_what_is_no_archive_is_said_to_be_none(archive, tmp_path):
    with pytest.raises(UsageError, match="no archive"):
        verify(tmp_path / "nothing.tar.gz", MYTHS)
    whole = archive.read_bytes()
    for content in (b"", b"no gzip", whole[: len(whole) // 2], gzip.compress(b"no tar" * 100), tar_of(("run/run.json", tarfile.REGTYPE))):
        archive.write_bytes(content)
        with pytest.raises(CannotStart):
            verify(archive, MYTHS)
