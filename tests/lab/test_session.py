"""One invocation: what is chosen, what runs again, and what the budget stops."""

import json
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.execution import session
from myths.lab.execution.session import RunRequest
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.submission import verify
from myths.lab.trial import Context, Outcome
from tests.lab.report.coin import COIN, Toss


@dataclass(frozen=True, kw_only=True)
class Slow(Toss):
    """Tosses for a while, or ends its process the first time."""

    seconds: float = 0.0
    dies_once: str = ""

    def run(self, context: Context) -> Outcome:
        if self.dies_once and not Path(self.dies_once).exists():
            Path(self.dies_once).write_text("once")
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(self.seconds)
        return super().run(context)


def request(folder: Path, *trials: Toss, **more) -> RunRequest:
    myth = replace(COIN, trials=lambda profile, seeds, data: list(trials), trial_types=(Toss, Slow))
    return RunRequest(myths=[myth], profile="quick", run=RunFolder(folder / "cpu-quick"), device="cpu", **more)


def go(asked: RunRequest):
    return session.run(asked, lambda myth, plan: lambda trial, record: None)["fair-coin"].progress


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "cpu-quick/fair_coin/trials.jsonl").read_text().splitlines()]


DUCATS = [Toss(coin="ducat", seed=seed) for seed in range(3)]
EURO = Toss(coin="euro")


def test_only_what_a_claim_needs_is_run(tmp_path):
    assert go(request(tmp_path, *DUCATS, EURO, claims=("C2-euro",))).finished == 1
    assert [line["settings"]["coin"] for line in lines(tmp_path)] == ["euro"]
    assert go(request(tmp_path, *DUCATS, EURO, claims=("primary",))).finished == 3
    assert json.loads((tmp_path / "cpu-quick/run.json").read_text())["invocations"][1]["arguments"]["claims"] == ["primary"]


def test_a_claim_that_the_profile_does_not_measure_is_said_before_anything_begins(tmp_path):
    with pytest.raises(UsageError, match="Profile quick has no trial of C2-euro"):
        go(request(tmp_path, *DUCATS, claims=("C2-euro",)))
    with pytest.raises(UsageError, match=r"Unknown --claim .*: expected the id"):
        go(request(tmp_path, *DUCATS, claims=("C2-eu",)))
    assert not list(tmp_path.rglob("run.json"))


def test_a_trial_can_be_run_again_and_all_its_attempts_are_kept(tmp_path):
    go(request(tmp_path, *DUCATS, EURO))
    assert go(request(tmp_path, *DUCATS, EURO, again=(EURO.id,))).finished == 1
    assert [(line["id"], line.get("attempt", 1)) for line in lines(tmp_path)][-2:] == [(EURO.id, 1), (EURO.id, 2)]
    store = RunFolder(tmp_path / "cpu-quick").store(request(tmp_path).myths[0])
    assert [record.attempt for record in store.attempts(EURO)] == [1, 2]
    assert store.finished(EURO).attempt == 2
    invocations = json.loads((tmp_path / "cpu-quick/run.json").read_text())["invocations"]
    assert [i.get("again") for i in invocations] == [None, [EURO.id]]
    with pytest.raises(UsageError, match="has no finished trial with this id"):
        go(request(tmp_path, *DUCATS, again=("0123456789ab",)))


def test_a_trial_is_stopped_when_the_budget_ends_and_nothing_of_it_is_stored(tmp_path):
    slow = [Slow(coin="ducat", seed=seed, seconds=60.0) for seed in range(2)]
    begun = time.monotonic()
    progress = go(request(tmp_path, *slow, budget=4.0))
    assert time.monotonic() - begun < 40  # 60 s a trial, 4 s of budget, and the start of a worker on a busy machine
    assert len(progress.stopped) == 1
    assert progress.stopped[0] in slow
    assert [trial for trial in slow if trial not in progress.stopped] == progress.not_started
    assert not (tmp_path / "cpu-quick/fair_coin/trials.jsonl").exists()


def test_a_trial_whose_worker_died_is_run_once_more_before_it_counts_as_failed(tmp_path):
    dies = Slow(coin="ducat", dies_once=str(tmp_path / "died"))
    progress = go(request(tmp_path, dies, *DUCATS, jobs=2))
    assert (tmp_path / "died").exists()
    assert (progress.finished, progress.failed) == (4, [])
    assert {line["status"] for line in lines(tmp_path)} == {"ok"}


def test_lines_made_beside_others_say_so_and_are_no_estimates_on_a_gpu(tmp_path):
    from myths.lab.execution.runner import Estimates

    go(request(tmp_path, *(Slow(coin="ducat", seed=seed, seconds=0.5) for seed in range(4)), jobs=2))
    assert {line.get("concurrent_trials", 0) for line in lines(tmp_path)} == {1}
    records = RunFolder(tmp_path / "cpu-quick").store(request(tmp_path).myths[0]).records
    assert Estimates(records, "cpu")(records[0].trial) is not None
    shared = [replace(record, device="h200") for record in records]
    assert Estimates(shared, "h200")(records[0].trial) is None
    assert Estimates([replace(shared[0], concurrent_trials=0), *shared[1:]], "h200")(records[0].trial) == pytest.approx(
        records[0].seconds, abs=1e-3
    )


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({}, None),
        ({"attempt": 3}, "expected 2, the number of successes"),
        ({"attempt": 1}, "its attempt is 1"),
        ({"invocation": "undeclared"}, "did not declare a further attempt"),
        ({"concurrent_trials": -1}, "its concurrent_trials is -1"),
    ],
)
def test_declared_attempts_are_verified_and_nothing_else(changes, finding, tmp_path):
    from tests.lab.report import coin
    from tests.lab.test_submission import TRIALS, repacked, submit

    run = coin.make_run(tmp_path / "local" / "cpu-laptop", heads={"euro": (5040,)})
    store = run.store(COIN)
    again = coin.invocation("laptop", "20260102T000000-cd34", again=[store.records[0].trial.id])
    run.add_invocation("cpu", again, {})
    run.add_invocation("cpu", coin.invocation("laptop", "undeclared"), {})
    store.append(replace(store.records[0], invocation=again["id"], rows=[{**store.records[0].rows[0], "heads": 5050}]))
    archive = submit(run, tmp_path, (COIN,))

    def change(files):
        first, second = files[TRIALS].decode().splitlines()
        files[TRIALS] = f"{first}\n{json.dumps({**json.loads(second), **changes})}\n".encode()

    wrong = verify(repacked(archive, change), (COIN,)).wrong
    assert (finding is None and not wrong) or any(finding in sentence for sentence in wrong), wrong


@dataclass(frozen=True, kw_only=True)
class Lacking(Toss):
    """Cannot run: its data are not here, and it says where to put them."""

    def skip_reason(self) -> str:
        return f"copy coins.npz to {prepared.roots()[0]}, or the files into {prepared.roots()[0] / 'downloads' / 'coins'}"


def test_why_a_trial_was_skipped_is_recorded_without_a_path(tmp_path):
    """A path would keep the run from being published."""
    asked = request(tmp_path, EURO, Lacking(coin="guilder"))
    go(replace(asked, myths=[replace(asked.myths[0], trial_types=(Toss, Slow, Lacking))]))
    (skipped,) = asked.run.metadata()["invocations"][0]["skipped"]
    assert skipped["reason"] == "copy coins.npz to DATA, or the files into DATA/downloads/coins"
