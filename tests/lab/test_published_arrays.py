"""A published run is continued elsewhere: only what was open runs, and it finds the arrays that it reads."""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from myths import suite
from myths.lab.errors import CannotStart
from myths.lab.execution import runner, session
from myths.lab.execution.session import RunRequest
from myths.lab.storage import provenance, published_arrays
from myths.lab.storage.publish import publish
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.submission import submit, verify
from myths.lab.trial import Outcome, Trial
from tests.lab.report.coin import COIN, Toss
from tests.lab.test_submission import contents, repacked

PUBLISHED = suite.PUBLISHED


@dataclass(frozen=True, kw_only=True)
class Weigh(Toss):
    """Tosses, and keeps what others read and what nobody may publish."""

    published_arrays = ("counts_*",)

    def run(self, context):
        return Outcome(super().run(context).rows, {"counts_2": np.arange(self.times), "weights": np.ones(5)})


@dataclass(frozen=True, kw_only=True)
class Reads(Trial):
    """Reads the counts of another trial."""

    weigh: Weigh
    seed: int = 0

    def run(self, context):
        counts = context.outcome(self.weigh).arrays["counts_2"]
        return Outcome([{"dataset": "ducat", "heads": int(counts.sum()), "times": 1}])


FIRST, SECOND, ALONE = Weigh(coin="ducat"), Weigh(coin="ducat", seed=1), Weigh(coin="euro")
OPEN = (Reads(weigh=FIRST), Reads(weigh=SECOND))
MYTH = replace(COIN, trials=lambda profile, seeds, data: [FIRST, SECOND, ALONE, *OPEN], trial_types=(Toss, Weigh, Reads))


def request(folder: Path, **more) -> RunRequest:
    return RunRequest(myths=[MYTH], profile="quick", run=RunFolder(folder / "cpu-quick"), device="cpu", **more)


def go(asked: RunRequest):
    return session.run(asked, lambda myth, plan: lambda trial, record: None)["fair-coin"].progress


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A published run without the trials that read arrays."""
    monkeypatch.setattr(provenance, "commit", lambda: {"commit": "0" * 40, "dirty": False})
    go(request(tmp_path / "made", trial_classes=("Weigh",)))
    return RunFolder(publish(request(tmp_path / "made").run, tmp_path / "published", (MYTH,)))


def arrays(run: RunFolder) -> dict[str, set[str]]:
    found = {}
    for file in (run.path / "fair_coin").glob("arrays/*.npz"):
        with np.load(file, allow_pickle=False) as archive:
            found[file.stem] = set(archive.files)
    return found


def test_only_what_dependents_read_of_what_has_dependents_is_published(source):
    assert arrays(source) == {FIRST.id: {"counts_2"}, SECOND.id: {"counts_2"}}


def test_a_published_run_is_continued_with_what_was_open_and_finds_its_arrays(source, tmp_path):
    there = request(tmp_path / "elsewhere", source=source)
    assert [t for p in session.plans(there) for t in p.plan.in_state("pending")] == list(OPEN)
    assert not there.run.path.exists()  # a plan writes nothing
    assert go(there).finished == 2
    stored = there.run.store(MYTH)
    assert [type(r.trial).__name__ for r in stored.records] == ["Weigh"] * 3 + ["Reads"] * 2
    assert {r.rows[0]["heads"] for r in stored.records[3:]} == {sum(range(1000))}
    assert there.run.metadata()["invocations"][1]["arguments"]["from"] == "cpu-quick"
    assert go(there).finished == 0  # the same command goes on

    again = RunFolder(publish(there.run, tmp_path / "published again", (MYTH,)))
    assert arrays(again) == arrays(source)
    assert all((source.path / f).read_bytes() == (again.path / f).read_bytes() for f in (f"fair_coin/arrays/{FIRST.id}.npz",))


def test_a_copy_that_was_interrupted_is_completed(source, tmp_path):
    there = request(tmp_path / "elsewhere", source=source)
    (there.run.path / "fair_coin").mkdir(parents=True)
    lines = (source.path / "fair_coin/trials.jsonl").read_bytes().splitlines(keepends=True)
    (there.run.path / "fair_coin/trials.jsonl").write_bytes(lines[0] + lines[1][:20])
    with pytest.raises(CannotStart, match="has other results"):
        go(there)  # half a line may be anything
    (there.run.path / "fair_coin/trials.jsonl").write_bytes(lines[0])
    assert go(there).finished == 2


def test_another_machine_class_or_results_of_its_own_are_refused_and_nothing_is_changed(source, tmp_path):
    there = request(tmp_path / "elsewhere", source=source)
    (source.path / "run.json").write_text(json.dumps({**source.metadata(), "machine_class": "h200"}))
    with pytest.raises(CannotStart, match="class 'h200', but this machine is 'cpu'"):
        go(there)
    assert [file.name for file in there.run.path.glob("*")] == [".lock"]
    (source.path / "run.json").write_text(json.dumps({**source.metadata(), "machine_class": "cpu"}))
    own = request(tmp_path / "elsewhere", trial_classes=("Toss",))
    own = replace(own, myths=[replace(MYTH, trials=lambda profile, seeds, data: [Toss(coin="crown")])])
    go(own)
    before = (own.run.path / "fair_coin/trials.jsonl").read_bytes()
    with pytest.raises(CannotStart, match=r"has other results in .*\. Use a different --run"):
        go(there)
    assert (own.run.path / "fair_coin/trials.jsonl").read_bytes() == before


def test_larger_arrays_stay_behind(source, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(published_arrays, "MAX_BYTES", 500)
    folder = publish(request(tmp_path / "made").run, tmp_path / "published", (MYTH,))
    assert arrays(RunFolder(folder)) == {}
    assert "its arrays are not published" in caplog.text


def packed(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


FILE = f"fair_coin/arrays/{FIRST.id}.npz"


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        (FILE, None, None),
        (FILE, packed(counts_2=np.arange(1, 1001)), "holds other counts_2 than its trial stored"),
        (FILE, packed(counts_2=np.arange(1000), weights=np.ones(5)), "holds the arrays counts_2, weights; of this trial are published"),
        (FILE, packed(counts_2=np.array([{}], dtype=object)), "is not a file of arrays"),
        (FILE, b"PK", "is not a file of arrays"),
        (FILE, bytes(published_arrays.MAX_BYTES + 1), "expected at most"),
        (FILE, packed(counts_2=np.zeros(published_arrays.MAX_UNPACKED_BYTES // 8 + 1)), "expected at most"),
        ("fair_coin/arrays/0123456789ab.npz", packed(counts_2=np.arange(1000)), "belongs to no finished trial"),
    ],
)
def test_arrays_of_an_archive_are_those_of_its_lines(name, content, finding, source, tmp_path):
    archive = submit(request(tmp_path / "made").run, tmp_path, (MYTH,))
    assert FILE in contents(archive)
    wrong = verify(repacked(archive, lambda files: files.update({name: content or files[name]})), (MYTH,)).wrong
    assert (finding is None and not wrong) or any(finding in sentence for sentence in wrong), wrong


def test_a_small_file_that_unpacks_to_a_large_one_is_not_read():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, counts_2=np.zeros(published_arrays.MAX_UNPACKED_BYTES // 8 + 1))
    assert len(buffer.getvalue()) < published_arrays.MAX_BYTES
    record = runner.TrialRecord(FIRST, "ok", arrays={"counts_2": ""})
    assert "has more than" in published_arrays.error(buffer.getvalue(), record)


# --- what is committed ---------------------------------------------------------------------------


def test_every_committed_file_of_arrays_holds_what_its_trial_stored():
    files = sorted(PUBLISHED.glob("*/*/arrays/*"))
    assert files
    assert sum(file.stat().st_size for file in files) <= 8 * 2**20
    records = {
        (run.name, myth.folder): {r.trial.id: r for r in run.store(myth).records if r.status == "ok"}
        for run in suite.runs(PUBLISHED)
        for myth in suite.MYTHS
        if (run.path / myth.folder / "arrays").exists()
    }
    for file in files:
        run, myth, *_ = file.relative_to(PUBLISHED).parts
        assert published_arrays.error(file.read_bytes(), records[run, myth].get(file.stem)) is None, file


def test_the_published_gpu_run_can_be_continued():
    """What it has finished is not run again, though most of its arrays are not here; what is open reads counts and scores."""
    forgetting, run = suite.find("forgetting"), RunFolder(PUBLISHED / "h200-gpu")
    store = run.store(forgetting)
    plan = runner.plan(forgetting.trials("gpu", None, ()), store, lambda name: None)
    done = {record.trial.id for record in store.records if record.status == "ok"}
    to_do = plan.in_state("pending")
    assert len(done) > 40
    assert not {trial.id for trial in to_do} & done
    read = {dependency for trial in to_do for dependency in trial.dependencies if dependency.id in done}
    assert {type(dependency).__name__ for dependency in read} == {"CountForgetting", "ScoreExamples"}
    for trial in read:
        record = store.finished(trial)
        held = store.outcome(record).arrays
        assert all(len(held[name]) == 50_000 for name in published_arrays.names(record))
