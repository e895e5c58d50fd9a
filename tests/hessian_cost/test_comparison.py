"""Trials, tables and claims of the comparison."""

import sys

import numpy as np
import pandas as pd
import pytest

from myths.hessian_cost import MYTH, claims
from myths.hessian_cost.newton import newton_row
from myths.hessian_cost.trials import NewtonStep, TimeGradient, TimeHessian
from myths.lab.store import Record, Results
from myths.lab.trial import Context


def run(trial):
    return trial.run(Context(trial)).rows[0]


def test_a_trial_times_a_method_beside_the_closed_form():
    row = run(TimeHessian(problem="logreg", method="torch-func", size=16))
    assert row["status"] == "ok"
    assert row["ratio"] == pytest.approx(row["seconds"] / row["closed_seconds"])
    assert row["relative_error"] < 1e-10
    assert row["variables"] == 16


def test_a_hessian_that_would_take_too_long_is_a_row(monkeypatch):
    monkeypatch.setattr(sys.modules[TimeHessian.__module__], "LONGEST", 1e-9)
    row = run(TimeHessian(problem="quad", method="torch-loop", size=512))
    assert row["status"] == "over budget"
    assert row["predicted_seconds"] > 0
    assert "seconds" not in row


def test_no_memory_is_a_row(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(sys.modules[TimeHessian.__module__], "_time", exhausted)
    assert run(TimeHessian(problem="quad", method="torch-loop", size=8))["status"] == "out of memory"


def test_a_newton_step_agrees():
    row = newton_row(60, 5, np.random.default_rng(0), "cpu")
    assert row["relative_difference"] < 1e-8
    assert row["hessian_ratio"] == 60**2


def stored(trial, **row):
    times = {"seconds": 1.0, "q25_seconds": 0.99, "q75_seconds": 1.01, "repeats": 9}
    closed = {f"closed_{name}": value for name, value in times.items()}
    defaults = {"status": "ok", "variables": trial.size, "relative_error": 0.0, **times, **closed, "ratio": 1.0}
    return Record(trial, "ok", [defaults | row])


def results():
    records = []
    for seed in range(3):
        for size in (128, 256, 512):
            for method, power in (("ours", 2), ("torch-loop", 3)):
                seconds = (size / 128) ** power * (1 + 0.01 * seed)
                trial = TimeHessian(problem="quad", method=method, size=size, seed=seed)
                records.append(stored(trial, seconds=seconds, ratio=seconds / 2))
    return Results([*records, Record(TimeHessian(problem="quad", method="torch-loop", size=2048), "ok", [{"status": "out of memory"}])])


def tables():
    return {name: table(results()) for name, table in MYTH.tables.items()}


def judged(name):
    claim = next(claim for claim in MYTH.claims if claim.id == name)
    return claim.measure(claim.rows(tables()))


def test_speed_up_and_slope_are_those_of_the_times():
    assert judged("H1-cpu-quad").value == pytest.approx(4)
    assert judged("H1-cpu-quad").n == 3
    assert judged("H1-cpu-quad-slope").value == pytest.approx(1)
    assert judged("H1-cpu-logreg") is None
    assert judged("H3-cpu-float64").value == 0


def test_a_hessian_that_did_not_fit_stays_in_the_table():
    table = tables()["hessians"]
    assert list(table[table["status"] != "ok"]["variables"]) == [2048]


def test_factors_are_at_the_common_size():
    table = tables()["factors"]
    common = table[table["at"] == "common with row loop"].set_index("method")
    assert common.loc["ours", "variables"] == 512
    assert common.loc["ours", "speed_up"] == pytest.approx(4)


def test_figures_of_partial_results():
    found = tables()
    assert all(figure({**found, "hessians": found["hessians"]}) is not None for name, figure in MYTH.figures.items() if name != "memory")
    assert all(figure({name: pd.DataFrame() for name in found}) is None for figure in MYTH.figures.values())


def test_second_best_needs_all_three_problems():
    rows = pd.DataFrame({"status": ["ok"], "problem": ["quad"], "variables": [8]})
    assert claims.second_best_factor(rows) is None


def test_gpu_runs_decide_on_their_own_cpu():
    listed = MYTH.trials("gpu", None, ())
    assert any(isinstance(t, TimeHessian) and t.on_cpu for t in listed)
    assert any(isinstance(t, TimeGradient) for t in listed)
    assert any(isinstance(t, NewtonStep) for t in listed)
