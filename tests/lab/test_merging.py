"""Merging: shards merged are the run in one piece; what conflicts is named and kept apart."""

import itertools
import json
import shutil
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from myths.lab.analysis import analyze
from myths.lab.errors import CannotStart, UsageError
from myths.lab.execution import session
from myths.lab.execution.session import RunRequest
from myths.lab.execution.shards import Shard
from myths.lab.storage.merging import CONFLICTS, merge
from myths.lab.storage.run_folder import RunFolder
from myths.lab.trial import Context, Outcome
from tests.lab.report import coin
from tests.lab.report.coin import COIN, Toss

OUTCOMES: dict[str, int] = {}
"""Heads by coin, where they are not 500."""
BROKEN: set[str] = set()
SECONDS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Recorded(Toss):
    """Tosses and stores the tosses; how long it took differs."""

    nondeterministic_columns: ClassVar[frozenset[str]] = frozenset({"seconds_per_toss"})

    def run(self, context: Context) -> Outcome:
        if self.coin in BROKEN:
            raise RuntimeError("lost")
        rows = [
            {
                "dataset": self.coin,
                "heads": OUTCOMES.get(self.coin, 500),
                "times": self.times,
                "seconds_per_toss": len(OUTCOMES) + next(SECONDS),
            }
        ]
        return Outcome(rows, {"tosses": np.arange(self.seed + 3)})


@dataclass(frozen=True, kw_only=True)
class Summed(Toss):
    """Sums what others stored."""

    tossed: tuple[Recorded, ...]

    def run(self, context: Context) -> Outcome:
        return Outcome([{"dataset": self.coin, "heads": sum(int(context.outcome(t).arrays["tosses"].sum()) for t in self.tossed)}])


TOSSED = tuple(Recorded(coin=name, seed=seed) for name in ("ducat", "euro") for seed in range(3))
TRIALS = [*TOSSED, *(Summed(coin=f"sum{i}", tossed=TOSSED[i : i + 2]) for i in range(5))]
MYTH = replace(
    COIN,
    trials=lambda profile, seeds, data: list(TRIALS),
    trial_types=(Recorded, Summed),
    tables={
        "tosses": lambda results: results.frame(Recorded).drop(columns="seconds_per_toss", errors="ignore"),
        "sums": lambda results: results.frame(Summed),
    },
    claims=(),
    figures={},
)


@pytest.fixture(autouse=True)
def _forget():
    OUTCOMES.clear()
    BROKEN.clear()


def go(path, shard=None, **more):
    run = RunFolder(path)
    session.run(
        RunRequest(myths=[MYTH], profile="quick", run=run, device="cpu", shard=shard, **more), lambda m, p: lambda trial, record: None
    )
    return run


@pytest.mark.parametrize("count", [2, 3, 8])
def test_shards_merged_are_the_run_in_one_piece(count, tmp_path):
    whole = go(tmp_path / "whole")
    parts = [go(tmp_path / f"part{index}", Shard(index, count)) for index in range(1, count + 1)]
    merged = merge(parts, RunFolder(tmp_path / "merged"), [MYTH])
    assert merged.conflicts == ()
    assert merged.trials == len(TRIALS)
    one, other = analyze(MYTH, whole), analyze(MYTH, merged.run)
    for name, table in one.tables.items():
        found = other.tables[name][list(table.columns)]
        assert found.sort_values("trials").reset_index(drop=True).equals(table.sort_values("trials").reset_index(drop=True))
    store = merged.run.store(MYTH)
    for trial in TOSSED:
        assert store.outcome(store.finished(trial)).arrays["tosses"].tolist() == list(range(trial.seed + 3))
    assert len({i["id"] for i in merged.run.metadata()["invocations"]}) == count
    progress = session.run(
        RunRequest(myths=[MYTH], profile="quick", run=merged.run, device="cpu"), lambda m, p: lambda trial, record: None
    )["fair-coin"].progress
    assert progress.finished == 0  # nothing is left to run


def test_results_that_differ_are_named_and_kept_apart(tmp_path):
    first = go(tmp_path / "first", trial_classes=("Recorded",))
    OUTCOMES["euro"] = 900
    second = go(tmp_path / "second", trial_classes=("Recorded",))
    merged = merge([first, second], RunFolder(tmp_path / "merged"), [MYTH])
    assert [c.trial for c in merged.conflicts] == [t for t in TOSSED if t.coin == "euro"]
    assert str(merged.conflicts[0]).endswith("differs in first and second")
    assert merged.repeated == 3
    assert set(analyze(MYTH, merged.run).tables["tosses"]["heads"]) == {500}
    apart = [json.loads(line) for line in (tmp_path / "merged/fair_coin" / CONFLICTS).read_text().splitlines()]
    assert [line["rows"][0]["heads"] for line in apart] == [900] * 3


def test_a_failure_gives_way_to_a_result_of_another_run(tmp_path):
    BROKEN.add("euro")
    first = go(tmp_path / "first", trial_classes=("Recorded",))
    shutil.copytree(first.path, tmp_path / "copy")
    still = merge([first, RunFolder(tmp_path / "copy")], RunFolder(tmp_path / "still"), [MYTH])
    assert (still.trials, still.repeated) == (3, 3)
    assert {r.error for r in still.run.store(MYTH).records if r.status == "failed"} == {"RuntimeError: lost"}
    BROKEN.clear()
    merged = merge([first, go(tmp_path / "second", trial_classes=("Recorded",))], RunFolder(tmp_path / "merged"), [MYTH])
    assert merged.trials == len(TOSSED)
    assert [r for r in merged.run.store(MYTH).records if r.status == "failed"] == []


def test_what_does_not_mix_is_refused(tmp_path):
    one, other = go(tmp_path / "one", Shard(1, 2)), go(tmp_path / "other", Shard(2, 2))
    with pytest.raises(UsageError, match="at least two"):
        merge([one], RunFolder(tmp_path / "merged"), [MYTH])
    with pytest.raises(UsageError, match="'one' is named twice"):
        merge([one, other, one], RunFolder(tmp_path / "merged"), [MYTH])
    with pytest.raises(UsageError, match="'other' already has results"):
        merge([one, other], other, [MYTH])
    metadata = json.loads((other.path / "run.json").read_text())
    for change, said in (
        ({"machine_class": "h200"}, "one was made on cpu, other on h200"),
        ({"data": {"coins": {"sha256": "b"}}}, "one and other used different contents of coins"),
    ):
        (one.path / "run.json").write_text(
            json.dumps({**json.loads((one.path / "run.json").read_text()), "data": {"coins": {"sha256": "a"}}})
        )
        (other.path / "run.json").write_text(json.dumps({**metadata, **change}))
        with pytest.raises(CannotStart, match=said):
            merge([one, other], RunFolder(tmp_path / "merged"), [MYTH])
    assert not (tmp_path / "merged").exists()


def test_runs_without_results_are_refused(tmp_path):
    for name in ("a", "b"):
        shutil.copytree(coin.make_run(tmp_path / "full" / name, heads={"euro": (5040,)}).path, tmp_path / name)
        shutil.rmtree(tmp_path / name / "fair_coin")
    with pytest.raises(CannotStart, match="a, b have no results"):
        merge([RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")], RunFolder(tmp_path / "merged"), [COIN])
