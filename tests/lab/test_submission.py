"""An archive that was changed anywhere is found out, and one made to do harm is not opened."""

import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from myths.lab.errors import CannotStart, UsageError
from myths.lab.storage import submission
from myths.lab.storage.submission import CHECKSUM_FILE, Verification, submit, verify
from tests.lab.report import coin

MYTHS = (coin.DRAWN,)
TRIALS = "fair_coin/trials.jsonl"
FIGURE = "fair_coin/figures/heads.svg"
RIGHT = Verification((), ("commits (1): no full git checkout of the suite is available",))


def with_arrays(folder):
    made = coin.make_run(folder / "local" / "cpu-laptop")
    (made.path / "fair_coin" / "arrays").mkdir()
    (made.path / "fair_coin" / "arrays" / "x.npz").write_text("x")
    return made


@pytest.fixture
def run(tmp_path):
    return with_arrays(tmp_path)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    return submit(with_arrays(folder), folder, MYTHS)


@pytest.fixture
def archive(packed, tmp_path):
    """A copy of the archive, which takes long to make."""
    return shutil.copy(packed, tmp_path / packed.name)


def contents(archive):
    with tarfile.open(archive) as tar:
        return {member.name.partition("/")[2]: tar.extractfile(member).read() for member in tar}


def repacked(archive, change, sums=True):
    """The archive after a change to its files; by a forger who renews the checksums, or by somebody who does not."""
    files = contents(archive)
    change(files)
    if sums:
        lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items() if name != CHECKSUM_FILE)
        files[CHECKSUM_FILE] = "".join(lines).encode()
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


def another_result(lines):
    """The first trial once more, luckier."""
    line = json.loads(lines.splitlines()[0])
    return json.dumps({**line, "rows": [{"dataset": "ducat", "heads": 9000, "times": 10_000}]}).encode() + b"\n"


def twice_the_invocation(files):
    metadata = json.loads(files["run.json"])
    files["run.json"] = json.dumps({**metadata, "invocations": metadata["invocations"] * 2}).encode()


def moved_dot(files):
    text = files[FIGURE].decode()
    x = re.search(r'<use [^>]*x="([0-9.]+)"', text)
    files[FIGURE] = (text[: x.start(1)] + f"{float(x[1]) + 5}" + text[x.end(1) :]).encode()


def test_what_was_submitted_is_verified(archive):
    assert archive.name == "cpu-laptop.tar.gz"
    assert sorted(contents(archive)) == sorted(
        [CHECKSUM_FILE, "run.json", *(f"fair_coin/{name}" for name in ("claims.csv", "tosses.csv", "trials.jsonl", "figures/heads.svg"))]
    )
    assert verify(archive, MYTHS) == RIGHT


def test_the_same_run_gives_the_same_bytes_and_stays_as_it_is(run, archive, tmp_path):
    before = sorted(path for path in run.path.rglob("*"))
    first = archive.read_bytes()
    assert submit(run, tmp_path, MYTHS).read_bytes() == first
    assert sorted(path for path in run.path.rglob("*")) == before


def test_a_published_run_can_be_submitted_as_well(tmp_path):
    assert verify(submit(coin.make_run(tmp_path / "published" / "cpu-laptop"), tmp_path, MYTHS), MYTHS) == RIGHT


def test_what_the_suite_no_longer_knows_stays_behind(run, tmp_path):
    with (run.path / TRIALS).open("a") as file:
        file.write(json.dumps({**coin.lines(run.path / TRIALS)[0], "version": 0}) + "\n")
    archive = submit(run, tmp_path, MYTHS)
    assert len(contents(archive)[TRIALS].splitlines()) == len(coin.lines(run.path / TRIALS)) - 1
    assert verify(archive, MYTHS) == RIGHT


def test_a_run_of_another_version_alone_is_refused_as_that(run, tmp_path):
    lines = coin.lines(run.path / TRIALS)
    (run.path / TRIALS).write_text("".join(json.dumps({**line, "version": 0}) + "\n" for line in lines))
    with pytest.raises(CannotStart, match=r"All trials of run .* were made by another version of Seven Myths"):
        submit(run, tmp_path, MYTHS)


def test_a_line_that_a_crash_cut_stays_behind_and_is_named_where_it_is(run, tmp_path):
    (run.path / TRIALS).write_bytes((run.path / TRIALS).read_bytes()[:-20])
    with pytest.warns(UserWarning, match="the last line is truncated") as warned:
        archive = submit(run, tmp_path, MYTHS)
    assert {str(each.message).partition(": the last")[0] for each in warned} == {str(run.path / TRIALS)}
    assert verify(archive, MYTHS) == RIGHT


@pytest.mark.parametrize(("changes", "message"), [({"dirty": True}, "uncommitted"), ({"heads": {}}, "no results")])
def test_what_may_not_be_published_is_not_packed(tmp_path, changes, message):
    run = coin.make_run(tmp_path / "local" / "cpu-laptop", **changes)
    with pytest.raises(CannotStart, match=message):
        submit(run, tmp_path, MYTHS)
    assert not list(tmp_path.glob("*.gz"))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            line_changed(rows=[{"dataset": "ducat", "heads": 9000, "times": 10_000}]),
            "tosses.csv differs from the table rebuilt from the trials",
        ),
        (line_changed(settings={"coin": "ducat", "seed": 7, "times": 10_000}), "computed from the settings"),
        (line_changed(protocol="reduced"), "protocol is reduced, computed from the settings paper"),
        (line_changed(invocation="20260101T000000-ffff"), "run.json does not list its invocation"),
        (line_changed(seconds="long"), "its seconds is 'long'"),
        (line_changed(extra=1), "line 1 is not a valid record"),
        (line_changed(energy_joules="much"), "its energy_joules is 'much'"),
        (line_changed(seconds=-1.0), "its seconds is -1.0"),
        (line_changed(peak_memory_bytes=-1), "peak_memory_bytes is -1"),
        (line_changed(energy_joules=-2.0), "energy_joules"),
        (line_changed(seconds=float("inf")), "line 1 is not a valid record"),
        (line_changed(rows=[{"dataset": "ducat", "heads": float("nan"), "times": 1}]), "line 1 is not a valid record"),
        (replaced(TRIALS, '"seconds": 61.5', '"seconds": 1e999'), "its seconds is inf"),
        (line_changed(status="well"), "its status is 'well'"),
        (lambda files: files.update({TRIALS: files[TRIALS] + files[TRIALS].splitlines(keepends=True)[0]}), "line 7 repeats line 1"),
        (lambda files: files.update({TRIALS: files[TRIALS] + another_result(files[TRIALS])}), "already finished in line 1, in the same"),
        (lambda files: files.update({TRIALS: b""}), "the archive has no trial"),
        (lambda files: [files.pop(name) for name in list(files) if name.startswith("fair_coin/")], "the archive has no trial"),
        (
            replaced("run.json", "0123456789abcdef0123456789abcdef01234567", "my best commit"),
            "invalid commit 'my best commit'",
        ),
        (lambda files: twice_the_invocation(files), "lists an invocation twice"),
        (replaced("run.json", '"started": "', '"started": "the day before '), "Invalid run.json: .*the day before"),
        (
            replaced("run.json", '"profile": "laptop"', '"profile": 7'),
            r"^Invalid run.json: .*profile is int.*another version of Seven Myths\?$",
        ),
        (replaced(FIGURE, "<title>", "<script>alert(1)</script><title>"), "heads.svg is not a plain figure: it contains <script>"),
        (replaced(FIGURE, "<svg", '<svg onload="alert(1)"'), "heads.svg is not a plain figure: it contains onload="),
        (replaced(FIGURE, 'xlink:href="#', 'xlink:href="http://evil.example/#'), "heads.svg is not a plain figure: it refers to"),
        (replaced(FIGURE, "<style", "<style>@import 'x'</style><style"), "heads.svg is not a plain figure: it refers to"),
        (replaced(FIGURE, "<svg", '<!DOCTYPE svg [<!ENTITY x "y">]><svg'), "heads.svg is not a plain figure: it has a document type"),
        (lambda files: files.update({FIGURE: b"nothing"}), "heads.svg is not a plain figure: it is not XML"),
        (lambda files: files.pop(FIGURE), "heads.svg is missing, but can be rendered"),
        (lambda files: moved_dot(files), "heads.svg differs from the figure rendered from the trials"),
        (line_changed(rows=[{"dataset": "ducat"}]), "differs from the table|cannot be computed"),
        (replaced("run.json", '"dirty": false', '"dirty": true'), "did not run from a clean commit"),
        (replaced("run.json", "invocations", "inventions"), r"^Invalid run.json: .*no invocations.*another version of Seven Myths\?$"),
        (
            replaced("fair_coin/claims.csv", "reproduced", "refuted"),
            "claims.csv differs from the table rebuilt from the trials: row 1, verdict",
        ),
        (replaced("fair_coin/tosses.csv", "54", "55"), "tosses.csv differs from the table rebuilt from the trials: row 1, heads"),
        (lambda files: files.pop("fair_coin/claims.csv"), "claims.csv is missing"),
        (lambda files: files.update({"fair_coin/nothing.csv": b"a\n1\n"}), "rebuilt from the trials is empty"),
        (lambda files: files.update({"fair_coin/arrays/x.npz": b""}), "arrays/x.npz is not a file of a run"),
        (lambda files: files.update({"run.json/x": b""}), "run.json/x is not a file of a run"),
        (lambda files: files.update({"other_myth/trials.jsonl": b"{}\n"}), "other_myth/trials.jsonl is not a file of a run"),
    ],
)
def test_a_forgery_with_new_checksums_is_found_out(archive, change, finding):
    found = verify(repacked(archive, change), MYTHS).wrong
    assert any(re.search(finding, sentence) for sentence in found), found


def test_a_change_without_new_checksums_is_found_by_them(archive):
    found = verify(repacked(archive, replaced("fair_coin/figures/heads.svg", "<svg", "<SVG"), sums=False), MYTHS).wrong
    assert found[:1] == (f"fair_coin/figures/heads.svg does not match {CHECKSUM_FILE}: it was changed or damaged",)


def test_a_figure_of_another_matplotlib_is_named_as_unchecked_unless_it_could_do_harm(archive):
    import matplotlib

    def older(files):
        moved_dot(files)
        replaced(FIGURE, f'data-matplotlib="{matplotlib.__version__}"', 'data-matplotlib="3.9.9"')(files)

    found = verify(repacked(archive, older), MYTHS)
    assert found.wrong == ()
    assert f"rendered by matplotlib 3.9.9; this machine has {matplotlib.__version__}" in found.unchecked[1]
    found = verify(repacked(archive, replaced(FIGURE, "<title>", "<script/><title>")), MYTHS)
    assert "it contains <script>" in found.wrong[0]


def test_words_about_a_claim_may_be_put_better_and_its_numbers_may_not(archive):
    better = replaced("fair_coin/claims.csv", "A tossed ducat lands", "A ducat that is tossed lands")
    assert verify(repacked(archive, better), MYTHS) == RIGHT


def test_commits_are_looked_up_in_a_full_checkout(archive, tmp_path):
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(tmp_path / "checkout"), "-c", "user.name=x", "-c", "user.email=x@y", *arguments],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    (tmp_path / "checkout").mkdir()
    git("init")
    git("commit", "--allow-empty", "-m", "one")
    assert "has no commit 0123456789abcdef" in verify(archive, MYTHS, tmp_path / "checkout").wrong[0]
    real = replaced("run.json", "0123456789abcdef0123456789abcdef01234567", git("rev-parse", "HEAD"))
    assert verify(repacked(archive, real), MYTHS, tmp_path / "checkout") == Verification(())


NUMBERS = re.compile(rb"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_mutation_of_an_archive_ends_in_a_traceback_or_passes_with_another_number(archive, data):
    whole = archive.read_bytes()
    files = contents(archive)
    try:
        kind = data.draw(st.sampled_from(["bytes", "file", "number", "member", "line"]))
        name = data.draw(st.sampled_from(sorted(set(files) - {CHECKSUM_FILE})))
        content = files[name]
        if kind == "bytes":  # of the archive itself
            place = data.draw(st.integers(0, len(whole) - 1))
            archive.write_bytes(whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + data.draw(st.integers(0, 64)) :])
        elif kind == "file":
            place = data.draw(st.integers(0, len(content)))
            changed = content[:place] + data.draw(st.binary(max_size=30)) + content[place + data.draw(st.integers(0, 200)) :]
            repacked(archive, lambda files: files.update({name: changed}))
        elif kind == "number":
            found = data.draw(st.sampled_from(list(NUMBERS.finditer(content))))
            other = data.draw(st.sampled_from([b"-1", b"1e999", b"0.123", b"77777", b"NaN", b"null", b'"x"', b"[[]]"]))
            repacked(archive, lambda files: files.update({name: content[: found.start()] + other + content[found.end() :]}))
        elif kind == "member":
            odd = data.draw(st.sampled_from(["x.csv", "fair_coin/x.svg", "fair_coin/claims.csv/x", "a/b/c/d", "..", "/x", "x" * 90]))
            repacked(archive, lambda files: files.update({odd: b"x"}))
        else:
            lines = data.draw(st.permutations(content.splitlines(keepends=True)))[: data.draw(st.integers(0, 6))]
            repacked(archive, lambda files: files.update({name: b"".join(lines)}))
        before = measured(files)
        try:
            found = verify(archive, MYTHS)
        except (CannotStart, UsageError):
            return
        assert found.wrong or measured(contents(archive)) == before
    finally:
        archive.write_bytes(whole)


def measured(files):
    """What an archive says was measured, and what it concludes from it."""
    lines = [json.loads(line) for line in files[TRIALS].splitlines()]
    results = sorted(json.dumps([line[name] for name in ("trial", "settings", "rows", "status")]) for line in lines)
    claims = pd.read_csv(io.BytesIO(files["fair_coin/claims.csv"]))[["claim", "estimate", "low", "high", "n", "verdict", "primary"]]
    return results, claims.round(6).astype(str).to_numpy().tolist()


def test_a_last_digit_of_another_machine_is_no_finding(archive):
    assert verify(repacked(archive, replaced("fair_coin/tosses.csv", ",53.8,", ",53.80000001,")), MYTHS) == RIGHT


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
    with pytest.raises(CannotStart, match="expected regular files"):
        verify(tmp_path / "x.tar.gz", MYTHS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


def test_an_archive_that_swells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(submission, "MAX_BYTES", 2**20)
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(bytes(2**21)))
    with pytest.raises(CannotStart, match="more than 1 MiB"):
        verify(tmp_path / "x.tar.gz", MYTHS)


def test_what_is_no_archive_is_said_to_be_none(archive, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        verify(tmp_path / "nothing.tar.gz", MYTHS)
    whole = archive.read_bytes()
    for content in (b"", b"no gzip", whole[: len(whole) // 2], gzip.compress(b"no tar" * 100), tar_of(("run/run.json", tarfile.REGTYPE))):
        archive.write_bytes(content)
        with pytest.raises(CannotStart):
            verify(archive, MYTHS)
