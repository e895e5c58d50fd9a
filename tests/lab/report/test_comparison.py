"""Two runs side by side: what moved, what only shook."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from myths.lab.estimate import Estimate
from myths.lab.execution.runner import Estimates
from myths.lab.report import run_view
from myths.lab.report.comparison import Pair, comparisons
from myths.lab.storage.store import TrialRecord
from tests.lab.report import coin


def view_of(analysis, key):
    return run_view.RunView(analysis, key, analysis.run.metadata())


def timed(path: Path, seconds, jobs: int = 1):
    """A run of one coin, its tosses taking the given times, so many at a time."""
    made = coin.invocation("laptop")
    run = coin.make_run(path, heads={}, arguments={**made["arguments"], "jobs": jobs})
    store = run.store(coin.COIN)
    for seed, each in enumerate(seconds):
        rows = [{"dataset": "ducat", "heads": 5300, "times": 10_000}]
        store.append(TrialRecord(coin.Toss(coin="ducat", times=10_000, seed=seed), "ok", rows, seconds=each, invocation=made["id"]))
    return coin.analyze(coin.COIN, run)


def compared(one, other):
    (found,) = comparisons([[view_of(one, "a"), view_of(other, "b")]])
    return found


def test_moved_is_beyond_both_intervals_and_changed_is_another_verdict(tmp_path):
    one = coin.analysis(tmp_path / "one", heads={"ducat": (5400, 5350), "euro": (5040,), "guilder": (5300,)})
    other = coin.analysis(tmp_path / "other", heads={"ducat": (5400, 5350), "euro": (5400,), "guilder": (5310,)})
    found = compared(one, other)
    assert {pair.baseline.id for pair in found.changed_numbers} == {"C2-euro"}
    assert {pair.baseline.id for pair in found.changed} == {"C2-euro"}
    assert {pair.baseline.id for pair in found.pairs} >= {"C1-ducat", "C1-guilder", "C2-euro"}
    assert "C5-franc" not in {pair.baseline.id for pair in found.pairs}


@pytest.mark.parametrize(("half_width", "source", "moved"), [(0.1, "seeds", True), (1.0, "seeds", False), (0.0, "exact", False)])
def test_numbers_without_an_interval_do_not_differ_significantly(half_width, source, moved):
    """A spread of times or a rounding error is another one in every run."""
    one, other = (Mock(run_view.ClaimView, measured=Estimate(x, x - half_width, x + half_width, source, 5)) for x in (9.0, 10.0))
    assert Pair(coin.COIN, one, other).differs is moved


def test_runs_that_share_no_claim_are_not_compared(tmp_path):
    one = coin.analysis(tmp_path / "one", heads={"euro": (5040,)})
    other = coin.analysis(tmp_path / "other", heads={"franc": (5040,)})
    assert comparisons([[view_of(one, "a"), view_of(other, "b")]]) == []


@pytest.mark.parametrize(
    ("theirs", "moved"),
    [((20.0, 41.0, 59.0), True), ((9.0, 22.0, 29.0), False), ((20.0,), False)],
)
def test_times_move_only_beyond_their_noise(theirs, moved, tmp_path):
    (pace,) = compared(timed(tmp_path / "one", (10.0, 20.0, 30.0)), timed(tmp_path / "other", theirs)).time_ratios
    assert pace.differs is moved
    assert pace.estimate.n == len(theirs)


def test_times_of_trials_in_another_company_are_not_compared(tmp_path):
    one, other = timed(tmp_path / "one", (10.0, 20.0), jobs=1), timed(tmp_path / "other", (30.0, 61.0), jobs=2)
    assert compared(one, other).time_ratios == ()
    assert len(compared(other, timed(tmp_path / "third", (30.0, 61.0), jobs=2)).time_ratios) == 1


def test_seconds_on_a_shared_gpu_are_neither_compared_nor_summed_nor_estimated_from(tmp_path):
    """``shared`` of an invocation in run.json, and a sentence of a person's that every page begins with."""
    runs = []
    for name, shared in (("one", False), ("other", True)):
        run = timed(tmp_path / name, (10.0, 20.0, 30.0)).run
        file = run.path / "fair_coin" / "trials.jsonl"
        file.write_text(file.read_text().replace('"device": "cpu"', '"device": "h200"').replace('"device": ""', '"device": "h200"'))
        facts = run.metadata() | {"notes": ["Put together by hand."]}
        facts["invocations"] = [invocation | {"shared": shared} for invocation in facts["invocations"]]
        (run.path / "run.json").write_text(json.dumps(facts))
        runs.append(coin.analyze(coin.COIN, run))
    one, other = runs
    assert len(compared(one, one).time_ratios) == 1
    assert compared(one, other).time_ratios == ()
    alone, beside = (view_of(analysis, "a") for analysis in runs)
    assert "of compute time" in alone.cost_summary
    assert beside.cost_summary == "3 trials, run in parallel on one device: their times are not comparable"
    assert other.warnings[0] == "Put together by hand."
    trial = other.records[0].trial
    assert Estimates(one.records, "h200")(trial) is not None
    assert Estimates(other.records, "h200")(trial) is None
