"""The table of seconds on GPUs predicts trials that no run has finished, and takes rows from runs and from the GPU script."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from myths.cli import _planned_time
from myths.hessian_cost.trials import TimeHessian
from myths.lab.execution import seconds_table
from myths.lab.execution.runner import Estimates
from myths.lab.execution.seconds_table import MeasuredSeconds, estimate, kind_of, read, summarize, write
from myths.lab.trial import canonical
from myths.lab.vision.classifier import TrainClassifier

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import seconds as script  # noqa: E402

SMALL, LARGE = (TrainClassifier(network=name, epochs=2.0) for name in ("resnet8", "resnet18"))


def test_a_trial_takes_the_seconds_of_its_own_kind_in_proportion_to_its_cost():
    rows = summarize("h200", [(SMALL, 3.0), (replace(SMALL, epochs=4.0, seed=1), 6.0), (LARGE, 50.0)], "a run")
    assert [(row.trial, row.seconds, row.trials) for row in rows] == [("TrainClassifier", 9.0, 2), ("TrainClassifier", 50.0, 1)]
    assert estimate(replace(SMALL, epochs=10.0), "h200", rows) == pytest.approx(15.0)
    assert estimate(replace(LARGE, epochs=1.0), "h200", rows) == pytest.approx(25.0)
    other = replace(SMALL, network="resnet20")
    everything = (9.0 + 50.0) / (3 * SMALL.relative_cost + LARGE.relative_cost)
    assert estimate(other, "h200", rows) == pytest.approx(everything * other.relative_cost)
    assert estimate(SMALL, "h100", rows) is None
    assert estimate(TimeHessian(problem="quad", method="torch-loop", n_variables=64), "h200", rows) is None


def test_kinds_differ_by_what_selects_the_code():
    assert kind_of(SMALL) == '{"network": "resnet8"}'
    assert kind_of(replace(SMALL, seed=3, epochs=9.0, precision="fp32", dataset="digits")) == kind_of(SMALL)
    assert kind_of(replace(SMALL, optimizer="adamw")) != kind_of(SMALL)


def test_the_table_is_read_as_it_was_written_and_new_rows_replace_old_ones(tmp_path):
    path = tmp_path / "table.csv"
    old = summarize("h200", [(SMALL, 3.0), (LARGE, 50.0)], "old")
    write([*old, *summarize("h200", [(SMALL, 2.0)], "new")], path)
    assert {(row.settings, row.seconds, row.source) for row in read(path)} == {
        ('{"network": "resnet18"}', 50.0, "old"), ('{"network": "resnet8"}', 2.0, "new")
    }  # fmt: skip


def test_estimates_prefer_what_runs_have_finished(monkeypatch):
    row = MeasuredSeconds("h200", "TrainClassifier", kind_of(SMALL), 7.0, SMALL.relative_cost, 1, "")
    monkeypatch.setattr(seconds_table, "read", lambda: (row,))
    assert Estimates((), "h200")(SMALL) == pytest.approx(7.0)
    assert Estimates((), "cpu")(SMALL) is None


def test_the_committed_table_holds_measured_rows_of_classes_that_exist():
    """Every row of the run h200-gpu is what that run measured alone: nothing was typed in."""
    expected = script.rows_of_run(ROOT / "results" / "published" / "h200-gpu")
    assert {row.trial for row in expected} == {"TimeHessian", "TimeLayer"}
    held = {(row.machine_class, row.trial, row.settings): row for row in read() if row.source == "h200-gpu"}
    assert held.keys() == {(row.machine_class, row.trial, row.settings) for row in expected}
    for row in expected:
        kept = held[row.machine_class, row.trial, row.settings]
        assert (kept.seconds, kept.relative_cost) == pytest.approx((row.seconds, row.relative_cost), rel=1e-3)


def test_rows_of_a_cpu_are_of_named_classes_only(tmp_path):
    folder = ROOT / "results" / "published" / "cpu-laptop"
    assert script.rows_of_run(folder) == []
    (row,) = script.rows_of_run(folder, ["TimeNewtonStep"])
    assert (row.machine_class, row.trial, row.source) == ("cpu", "TimeNewtonStep", "cpu-laptop")
    classes = {name for myth in script.suite.MYTHS for name in myth.types_by_name}
    assert {each.trial for each in read()} <= classes


def test_rows_of_the_stage_are_taken_unless_rehearsed(tmp_path):
    record = {"tiny": False, "machine_class": "h200", "commit": "0123456789", "rows": [
        {"trial": str(SMALL), "seconds": 3.0, "canonical": json.dumps(canonical(SMALL))}, {"not_measured": "…"},
    ]}  # fmt: skip
    path = tmp_path / "seconds.json"
    path.write_text(json.dumps(record))
    (row,) = script.rows_of_stage(path)
    assert (row.machine_class, row.seconds, row.relative_cost) == ("h200", 3.0, SMALL.relative_cost)
    path.write_text(json.dumps(record | {"tiny": True}))
    with pytest.raises(SystemExit, match="rehearsal"):
        script.rows_of_stage(path)


def test_a_plan_says_how_long_it_takes_and_what_is_unknown():
    def lines(*seconds, state="pending"):
        return [{"state": state, "estimated_seconds": each} for each in seconds]

    assert " ".join(_planned_time("m", lines(60.0, 120.0)).split()) == "m: 2 trials to run, 3.0 min one after another"
    assert _planned_time("m", [*lines(90.0, None), *lines(None, state="done")]).endswith("one after another, and 1 without an estimate")
    assert _planned_time("m", lines(None)) == "m: 1 trial to run, without an estimate"
    assert _planned_time("m", lines(None, state="done")) == "m: 0 trials to run"
